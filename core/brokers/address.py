"""Addresses of a broker's servers: encrypted, unless the server is on this machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from core.errors import InvalidValue


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def checked_address(address: str, schemes: tuple[str, str], field: str) -> str:
    """Return the address without a slash at its end. `schemes`: the encrypted one, and the plain one, for this machine only.

    Raises InvalidValue.
    """
    text = address.strip().rstrip("/")
    safe, plain = schemes
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        parts.port  # noqa: B018  (reading it checks it)
    except ValueError as error:
        raise InvalidValue(field, repr(address), f"write it like {safe}://host.") from error
    if parts.scheme not in schemes or not host:
        raise InvalidValue(field, repr(address), f"write it like {safe}://host.")
    if parts.username or parts.password:
        raise InvalidValue(field, "an address with a password", "keys are kept apart from the address.")
    if parts.scheme == plain and not is_loopback(host):
        raise InvalidValue(field, repr(address), f"keys go over {safe}:// only, except to this machine.")
    return text
