"""A pair of keys that does not show itself."""

from typing import NoReturn

SHOWN = 4
"""Signs of a key that a person may see: enough to tell two apart."""


class Credentials:
    """An account's key and secret. Prints, logs and errors show the key's last four signs; it cannot be stored or copied away.

    Not a struct on purpose: what encodes structs cannot encode this.
    """

    __slots__ = ("_key", "_secret")

    def __init__(self, key: str, secret: str) -> None:
        self._key = key
        self._secret = secret

    @property
    def key(self) -> str:
        """The key itself: for the request's header and nothing else."""
        return self._key

    @property
    def secret(self) -> str:
        """The secret itself: for the request's header and nothing else."""
        return self._secret

    @property
    def shown(self) -> str:
        """The key's last four signs; of a key too short to hide anything, none."""
        return f"…{self._key[-SHOWN:]}" if len(self._key) >= 3 * SHOWN else "…"

    def hidden_in(self, text: str) -> str:
        """Return a text of somebody else's without the keys: a server may say what it was told."""
        for secret in (self._secret, self._key):
            text = text.replace(secret, "***") if secret else text
        return text

    def hidden_in_bytes(self, body: bytes) -> bytes:
        """Return bytes of somebody else's without the keys."""
        for secret in (self._secret, self._key):
            body = body.replace(secret.encode(), b"***") if secret else body
        return body

    def __repr__(self) -> str:
        return f"Credentials({self.shown})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Keys are not stored.")
