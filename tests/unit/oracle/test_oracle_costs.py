"""Slippage and fees, each with its figures worked out beside it."""

from decimal import Decimal

import pytest

from tests.oracle.market import Instrument
from tests.oracle.orders import Order, Place
from tests.oracle.settings import AlpacaFees
from tests.unit.oracle.scene import COIN, MIDNIGHT, bar, d, hourly, run, told

FREE = Instrument(symbol="X", sessions=())


def order(side: str, qty: str = "10", type: str = "market", symbol: str = "X", id: str = "a", **more: object) -> Order:
    return Order(id=id, symbol=symbol, side=side, qty=d(qty), type=type, time_in_force="gtc", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("slippage", "asked", "row", "price", "slipped"),
    [
        # 100.01 x 5 / 10000 = 0.050005: 100.060005 up to the tick; 99.959995 down.
        ("bps:5", order("buy"), "100.01 105 95 102", "100.07", "0.6"),
        ("bps:5", order("sell"), "100.01 105 95 102", "99.95", "0.6"),
        # Half of 10 basis points.
        ("spread:10", order("buy"), "100 105 95 102", "100.05", "0.5"),
        # 10 of 100 is a tenth: 100 x 0.1 x 0.01 = 0.1.
        ("volume:0.1", order("buy"), "100 105 95 102", "100.1", "1"),
        ("volume", order("sell"), "100 105 95 102", "99.9", "1"),
        # 200 of 100 counts as 1: 10, clipped to the high.
        ("volume:0.1", order("buy", "200"), "100 105 95 102", "105", "1000"),
        # Clipped to the low.
        ("bps:1000", order("sell"), "100 105 95 102", "95", "50"),
        # A limit does not slip.
        ("bps:100", order("buy", type="limit", limit=d(98)), "100 105 95 102", "98", "0"),
        # A stop slips from its price; O-L-H-C does not matter here: 103 x 1.001 = 103.103, up to the tick.
        ("bps:10", order("buy", type="stop", stop=d(103)), "100 105 95 102", "103.11", "1.1"),
        ("none", order("buy"), "100.005 105 95 102", "100.005", "0"),
    ],
)
def test_slippage(slippage: str, asked: Order, row: str, price: str, slipped: str) -> None:
    (fill,) = run(hourly(row, volume=100), asked, slippage=slippage, account="margin").fills
    assert (fill.price, fill.slippage) == (d(price), d(slipped))


def test_slippage_without_a_tick_has_ten_decimals() -> None:
    # (1/3)² x 0.1 x 100 = 1.1111111111...: a buyer pays the next ten-billionth.
    (fill,) = run(hourly("100 105 95 102", volume=3), order("buy", "1"), instruments=(FREE,), slippage="volume:0.1").fills
    assert fill.price == Decimal("101.1111111112")


def test_no_volume_slips_as_the_whole_of_it() -> None:
    (fill,) = run(hourly("100 120 95 102", volume=0), order("buy", "1"), slippage="volume:0.1").fills
    assert fill.price == d(110)


@pytest.mark.parametrize(
    ("fees", "asked", "expected"),
    [
        ("none", order("buy"), "0"),
        # 1000 x 10 / 10000.
        ("bps:10", order("buy"), "1"),
        ("bps:10:1.50", order("buy"), "1.5"),
        ("per-share:0.005", order("buy"), "0.05"),
        ("per-share:0.005:1", order("buy"), "1"),
        ("per-share:0.5:1:4", order("buy"), "4"),
        ("per-trade:2", order("buy"), "2"),
        ("alpaca", order("buy"), "0"),
        # 1000 x 0.0000278 + 10 x 0.000166.
        ("alpaca", order("sell"), "0.02946"),
        # 10,000,000 x 0.0000278 + at most 8.30 for 100,000 units.
        ("alpaca", order("sell", "100000"), "286.3"),
    ],
)
def test_fees(fees: str, asked: Order, expected: str) -> None:
    (fill,) = run(hourly("100 105 95 102"), asked, fees=fees, account="margin", cash=d(20_000_000)).fills
    assert fill.fee == d(expected)


@pytest.mark.parametrize(
    ("fees", "expected"),
    [
        # Parts of 4, 4 and 2 at 100, 101, 102.
        ("per-trade:2", ["2", "0", "0"]),
        # 0.4, 0.8, 1.0 in all, but never under 0.7.
        ("per-share:0.1:0.7", ["0.7", "0.1", "0.2"]),
        # 0.4, then capped at 0.6.
        ("per-share:0.1:0:0.6", ["0.4", "0.2", "0"]),
        # 0.400, 0.804, 1.008 with a minimum of 0.5.
        ("bps:10:0.5", ["0.5", "0.304", "0.204"]),
    ],
)
def test_a_minimum_and_a_maximum_count_once_an_order(fees: str, expected: list[str]) -> None:
    rows = ["100 101 99 100", "101 102 100 101", "102 103 101 102"]
    outcome = run(hourly(*rows, volume=40), order("buy"), fees=fees, volume_cap=d("0.1"))
    assert told(outcome.fills) == ["a 4 @ 100", "a 4 @ 101", "a 2 @ 102"]
    assert [fill.fee for fill in outcome.fills] == [d(fee) for fee in expected]


@pytest.mark.parametrize(
    ("asked", "rate"),
    [
        # Inside the path at its limit: maker.
        (order("buy", "1", "limit", "C", limit=d(98)), "0.0015"),
        # A limit at the open, a market order, a stop: taker.
        (order("buy", "1", "limit", "C", limit=d(101)), "0.0025"),
        (order("buy", "1", symbol="C"), "0.0025"),
        (order("buy", "1", "stop", "C", stop=d(103)), "0.0025"),
        (order("buy", "1", "stop_limit", "C", stop=d(103), limit=d(104)), "0.0025"),
        # Triggered at 103 on the way up, bought at its limit 102 on the way down (O-H-L-C): maker.
        (order("buy", "1", "stop_limit", "C", stop=d(103), limit=d(102)), "0.0015"),
    ],
)
def test_maker_and_taker(asked: Order, rate: str) -> None:
    outcome = run([bar("100 105 94 102", MIDNIGHT, symbol="C")], asked, instruments=(COIN,), start_ns=MIDNIGHT, fees="alpaca")
    (fill,) = outcome.fills
    assert fill.fee == fill.price * d(rate)
    # In cash: the whole unit is held.
    assert outcome.positions["C"].qty == 1


def test_a_broker_may_round_its_regulatory_fees_up() -> None:
    # 0.0278 and 0.00166: 0.03 and 0.01.
    outcome = run(hourly("100 105 95 102"), order("sell"), account="margin", fees="alpaca", alpaca=AlpacaFees(round_up_to_cent=True))
    assert outcome.fills[0].fee == d("0.04")


def test_a_round_trip_is_first_in_first_out_and_net_of_shared_fees() -> None:
    # Buy 4 at 100 (fee 2), buy 4 at 101 (fee 2), sell 6 at 103 (fee 2).
    # 4: (103 - 100) x 4 = 12, fees 2 + 2 x 4/6; 2: (103 - 101) x 2 = 4, fees 2 x 2/4 + 2 x 2/6.
    script = {
        hour.start_ns: [Place(asked)]
        for hour, asked in zip(
            hourly("1 1 1 1", "1 1 1 1", "1 1 1 1"), [order("buy", "4"), order("buy", "4", id="b"), order("sell", "6", id="c")], strict=True
        )
    }
    outcome = run(hourly("100 100 100 100", "101 101 101 101", "103 103 103 103"), script, fees="per-trade:2")
    told_trips = [
        (trip.side, trip.qty, trip.entry_price, trip.exit_price, round(trip.fees, 6), round(trip.profit, 6)) for trip in outcome.trips
    ]
    assert told_trips == [
        ("long", d(4), d(100), d(103), d("3.333333"), d("8.666667")),
        ("long", d(2), d(101), d(103), d("1.666667"), d("2.333333")),
    ]
