"""No network beyond this machine: unix sockets, 127.0.0.0/8 and ::1 are open, everything else fails the test."""

import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_LOCAL_NAMES = {"", "localhost", "localhost.localdomain"}


class NetworkForbidden(RuntimeError):
    """A test reached for the network."""


def is_local(host: object) -> bool:
    """Whether `host` is this machine, by address; names but localhost are not looked up."""
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name.lower() in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def network_guard(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse connections and look-ups beyond loopback; a refusal that the code under test swallowed still fails the test."""
    refused: list[str] = []

    def check(host: object) -> None:
        if not is_local(host):
            refused.append(str(host))
            raise NetworkForbidden(f"A test reached for {host}: no network beyond this machine.")

    def guarded(name: str, address_at: int) -> None:
        original: Callable[..., Any] = getattr(socket.socket, name)

        def call(self: socket.socket, *arguments: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                check(arguments[address_at][0])
            return original(self, *arguments)

        monkeypatch.setattr(socket.socket, name, call)

    guarded("connect", 0)
    guarded("connect_ex", 0)
    guarded("sendto", -1)
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **keywords: Any) -> Any:
        check(host)
        return look_up(host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    if refused:
        pytest.fail(f"Reached for the network: {', '.join(refused)}", pytrace=False)
