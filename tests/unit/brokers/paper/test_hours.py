"""When the paper account's orders may meet the market."""

import pytest

from core.brokers.paper.hours import ExchangeHours, RoundTheClock
from core.model.instants import iso, parse_instant

REGULAR, EXTENDED = "2023-11-14T14:30:00Z", "2023-11-14T09:00:00Z"


@pytest.mark.parametrize(
    ("at", "regular", "extended"),
    [
        ("2023-11-14T08:59:59Z", None, None),
        ("2023-11-14T09:00:00Z", None, EXTENDED),
        ("2023-11-14T14:29:59.999999999Z", None, EXTENDED),
        ("2023-11-14T14:30:00Z", REGULAR, REGULAR),
        ("2023-11-14T20:59:59Z", REGULAR, REGULAR),
        ("2023-11-14T21:00:00Z", None, EXTENDED),
        ("2023-11-15T00:59:59Z", None, EXTENDED),
        ("2023-11-15T01:00:00Z", None, None),
        ("2023-11-24T18:30:00Z", None, "2023-11-24T09:00:00Z"),  # after a half day's close
        ("2023-11-23T15:00:00Z", None, None),  # Thanksgiving
        ("2023-11-18T15:00:00Z", None, None),  # a Saturday
        ("2023-07-14T13:30:00Z", "2023-07-14T13:30:00Z", "2023-07-14T13:30:00Z"),  # in summer an hour earlier
        ("2023-07-14T08:00:00Z", None, "2023-07-14T08:00:00Z"),
    ],
)
def test_shares_trade_in_new_yorks_hours(at: str, regular: str | None, extended: str | None) -> None:
    hours = ExchangeHours()
    found = [hours.opened_ns("SPY", parse_instant(at), extended=wider) for wider in (False, True)]
    assert [None if since is None else iso(since) for since in found] == [regular, extended]
    assert [hours.opened_ns("SPY", parse_instant(at), extended=wider) for wider in (False, True)] == found


def test_a_session_that_was_met_is_left_again() -> None:
    hours = ExchangeHours()
    assert hours.opened_ns("SPY", parse_instant("2023-11-14T20:59:00Z"), extended=False) is not None
    assert hours.opened_ns("SPY", parse_instant("2023-11-14T21:00:00Z"), extended=False) is None
    assert hours.opened_ns("SPY", parse_instant("2023-11-15T15:00:00Z"), extended=False) == parse_instant("2023-11-15T14:30:00Z")


@pytest.mark.parametrize(
    ("at", "extended", "end"),
    [
        ("2023-11-14T15:00:00Z", False, "2023-11-14T21:00:00Z"),
        ("2023-11-14T15:00:00Z", True, "2023-11-15T01:00:00Z"),
        ("2023-11-14T22:00:00Z", False, "2023-11-15T21:00:00Z"),
        ("2023-11-24T15:00:00Z", False, "2023-11-24T18:00:00Z"),
    ],
)
def test_a_day_ends_with_its_session(at: str, extended: bool, end: str) -> None:
    assert iso(ExchangeHours().day_end("SPY", parse_instant(at), extended=extended)) == end


def test_the_next_auctions() -> None:
    session = ExchangeHours().next_session("SPY", parse_instant("2023-11-14T14:30:01Z"))
    assert session is not None
    assert [iso(instant) for instant in session] == ["2023-11-15T14:30:00Z", "2023-11-15T21:00:00Z"]
    assert ExchangeHours().next_session("BTC/USD", 0) is None


def test_coins_and_the_simulated_market_never_close() -> None:
    at = parse_instant("2023-11-18T23:00:00Z")
    for hours, symbol in ((ExchangeHours(), "BTC/USD"), (RoundTheClock(), "DEMO")):
        assert hours.opened_ns(symbol, at, extended=False) == 0
        assert iso(hours.day_end(symbol, at, extended=False)) == "2023-11-19T00:00:00Z"
    assert RoundTheClock().next_session("DEMO", at) is None
