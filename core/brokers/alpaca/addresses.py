"""Where Alpaca's servers are, and how the environment points somewhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from core.brokers.address import checked_address
from core.errors import InvalidValue
from core.model.broker import AccountName

TRADING: Final = {AccountName.PAPER: "https://paper-api.alpaca.markets", AccountName.LIVE: "https://api.alpaca.markets"}
DATA: Final = "https://data.alpaca.markets"
DATA_STREAM: Final = "wss://stream.data.alpaca.markets"

_HTTP: Final = ("https", "http")
_STREAM: Final = ("wss", "ws")
_BASE: Final = {
    AccountName.PAPER: ("ALPACA_PAPER_BASE_URL", "ALPACA_PAPER_API_BASE_URL", "APCA_API_BASE_URL"),
    AccountName.LIVE: ("ALPACA_LIVE_BASE_URL", "ALPACA_LIVE_API_BASE_URL"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The servers of one account. `trading` and `data` are bases of REST; `updates` is a whole stream address, `ticks` a base."""

    trading: str
    data: str
    updates: str
    ticks: str

    @classmethod
    def of(cls, account: AccountName, environment: Mapping[str, str]) -> "Addresses":
        """Return the addresses that the environment names, else Alpaca's own. Raises InvalidValue."""
        variable, given = _first(environment, _BASE[account])
        trading = checked_address(given, _HTTP, variable).removesuffix("/v2") if given else TRADING[account]
        other = TRADING[AccountName.LIVE if account is AccountName.PAPER else AccountName.PAPER]
        if urlsplit(trading).hostname == urlsplit(other).hostname:
            # Practice orders that reach real money: the one mistake that must not be possible.
            raise InvalidValue(variable, trading, f"that is the server of the other kind of account, and this one is {account}.")
        data, ticks = (environment.get(name, "").strip() for name in ("ALPACA_DATA_BASE_URL", "ALPACA_DATA_STREAM_URL"))
        stream_variable, updates = _first(environment, (f"ALPACA_{account.upper()}_STREAM_URL", "ALPACA_STREAM_URL"))
        scheme = "wss" if trading.startswith("https") else "ws"
        stream = checked_address(updates, _STREAM, stream_variable) if updates else f"{scheme}{trading[trading.index('://') :]}"
        return cls(
            trading=trading,
            data=checked_address(data, _HTTP, "ALPACA_DATA_BASE_URL") if data else DATA,
            updates=stream if urlsplit(stream).path else f"{stream}/stream",
            ticks=checked_address(ticks, _STREAM, "ALPACA_DATA_STREAM_URL") if ticks else DATA_STREAM,
        )

    def ticks_of(self, path: str) -> str:
        """Return the address of a market stream, whose `path` says the feed; an address that has a path is taken as it is."""
        return self.ticks if urlsplit(self.ticks).path else f"{self.ticks}/{path}"


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    for name in names:
        if text := environment.get(name, "").strip():
            return name, text
    return names[0], ""
