"""Where an account's servers are, by the environment: all of them can be others, and none may be of the other kind of account."""

import pytest

from core.brokers.alpaca.addresses import Addresses
from core.errors import InvalidValue
from core.model.broker import AccountName

PAPER, LIVE = AccountName.PAPER, AccountName.LIVE


def of(account: AccountName, **environment: str) -> tuple[str, str, str, str]:
    found = Addresses.of(account, environment)
    return found.trading, found.data, found.updates, found.ticks


def test_alpacas_own() -> None:
    data, ticks = "https://data.alpaca.markets", "wss://stream.data.alpaca.markets"
    assert of(PAPER) == ("https://paper-api.alpaca.markets", data, "wss://paper-api.alpaca.markets/stream", ticks)
    assert of(LIVE) == ("https://api.alpaca.markets", data, "wss://api.alpaca.markets/stream", ticks)


@pytest.mark.parametrize(
    ("account", "environment", "at", "address"),
    [
        (PAPER, {"APCA_API_BASE_URL": "https://b.example/v2/"}, 0, "https://b.example"),
        (PAPER, {"ALPACA_PAPER_BASE_URL": "https://a.example/", "APCA_API_BASE_URL": "https://b.example"}, 0, "https://a.example"),
        (PAPER, {"ALPACA_PAPER_API_BASE_URL": "http://localhost:8080"}, 0, "http://localhost:8080"),
        (LIVE, {"ALPACA_LIVE_BASE_URL": "https://a.example"}, 0, "https://a.example"),
        (LIVE, {"APCA_API_BASE_URL": "https://b.example"}, 0, "https://api.alpaca.markets"),  # that is of the paper account
        (LIVE, {"ALPACA_PAPER_BASE_URL": "https://b.example"}, 0, "https://api.alpaca.markets"),
        (PAPER, {"ALPACA_DATA_BASE_URL": "http://127.0.0.1:1/"}, 1, "http://127.0.0.1:1"),
        (PAPER, {"ALPACA_PAPER_BASE_URL": "http://127.0.0.1:1"}, 2, "ws://127.0.0.1:1/stream"),
        (PAPER, {"ALPACA_STREAM_URL": "wss://s.example"}, 2, "wss://s.example/stream"),
        (PAPER, {"ALPACA_STREAM_URL": "wss://s.example/other"}, 2, "wss://s.example/other"),
        (LIVE, {"ALPACA_STREAM_URL": "wss://s.example", "ALPACA_LIVE_STREAM_URL": "wss://l.example"}, 2, "wss://l.example/stream"),
        (PAPER, {"ALPACA_STREAM_URL": "wss://s.example", "ALPACA_LIVE_STREAM_URL": "wss://l.example"}, 2, "wss://s.example/stream"),
        (PAPER, {"ALPACA_DATA_STREAM_URL": "ws://[::1]:9/"}, 3, "ws://[::1]:9"),
    ],
)
def test_the_environment_names_others(account: AccountName, environment: dict[str, str], at: int, address: str) -> None:
    assert of(account, **environment)[at] == address


@pytest.mark.parametrize(
    ("account", "environment", "said"),
    [
        (PAPER, {"APCA_API_BASE_URL": "https://api.alpaca.markets"}, "the server of the other kind of account"),
        (LIVE, {"ALPACA_LIVE_BASE_URL": "https://paper-api.alpaca.markets/v2"}, "the server of the other kind of account"),
        (PAPER, {"ALPACA_PAPER_BASE_URL": "http://b.example"}, "keys go over https:// only"),
        (PAPER, {"ALPACA_DATA_STREAM_URL": "ws://b.example"}, "keys go over wss:// only"),
        (LIVE, {"ALPACA_LIVE_STREAM_URL": "ws://b.example"}, "ALPACA_LIVE_STREAM_URL cannot be"),
        (PAPER, {"ALPACA_STREAM_URL": "https://b.example"}, "write it like wss://host"),
        (PAPER, {"ALPACA_PAPER_BASE_URL": "https://me:hush@b.example"}, "keys are kept apart"),
        (PAPER, {"ALPACA_PAPER_BASE_URL": "b.example"}, "write it like https://host"),
        (PAPER, {"ALPACA_PAPER_BASE_URL": "https://b.example:port"}, "write it like https://host"),
    ],
)
def test_what_would_give_the_keys_away_is_refused(account: AccountName, environment: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidValue, match=said) as raised:
        of(account, **environment)
    assert "hush" not in str(raised.value)


def test_a_market_stream_is_of_a_feed_unless_its_address_says_all() -> None:
    assert Addresses.of(PAPER, {}).ticks_of("v2/sip") == "wss://stream.data.alpaca.markets/v2/sip"
    assert Addresses.of(PAPER, {"ALPACA_DATA_STREAM_URL": "wss://t.example/v2/test"}).ticks_of("v2/sip") == "wss://t.example/v2/test"
