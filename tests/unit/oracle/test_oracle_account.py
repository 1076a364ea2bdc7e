"""What an account can afford, what nights cost, when it is called."""

import pytest

from tests.oracle.market import Instrument
from tests.oracle.orders import Order, Place, Request
from tests.oracle.outcome import MarginCall
from tests.unit.oracle.scene import COIN, DAY, MIDNIGHT, SESSIONS, X, at, bar, d, ends, hourly, run, told

HARD = Instrument(symbol="X", tick=d("0.01"), lot=d(1), sessions=SESSIONS, hard_to_borrow=True)
FLAT = "100 100 100 100"


def order(id: str, side: str, qty: int, symbol: str = "X", **more: object) -> Place:
    return Place(Order(id=id, symbol=symbol, side=side, qty=d(qty), time_in_force="gtc", **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cash", "fees", "asked", "end"),
    [
        (1000, "none", order("a", "buy", 10), "filled"),
        # 1000 + 1 of fee is over 1000.
        (1000, "per-trade:1", order("a", "buy", 10), "rejected: insufficient_cash"),
        (1001, "per-trade:1", order("a", "buy", 10), "filled"),
        (1000, "none", order("a", "buy", 11), "rejected: insufficient_cash"),
        (1000, "none", order("a", "sell", 1), "rejected: insufficient_position"),
    ],
)
def test_a_cash_account(cash: int, fees: str, asked: Place, end: str) -> None:
    outcome = run(hourly(FLAT), [asked], cash=d(cash), fees=fees)
    assert ends(outcome) == {"a": end}
    assert outcome.cash >= 0


def test_a_refusal_is_stamped_with_its_bar() -> None:
    outcome = run([bar(FLAT, at(1))], [order("a", "buy", 10_000)])
    assert [(rejection.time_ns, rejection.code) for rejection in outcome.rejections] == [(at(1), "insufficient_cash")]


def test_no_cash_is_reserved_and_the_rest_is_rejected_whole() -> None:
    # Cash 1000 and 5 units a bar: a 5 at 100, then 5 at 102 (510 > 500): the rest is rejected.
    outcome = run(hourly(FLAT, "102 102 102 102", volume=50), [order("a", "buy", 10)], cash=d(1000), volume_cap=d("0.1"))
    assert (told(outcome.fills), ends(outcome)["a"]) == (["a 5 @ 100"], "rejected: insufficient_cash")


def test_fok_is_cancelled_where_the_cash_is_short() -> None:
    asked = Place(Order(id="a", symbol="X", side="buy", qty=d(11), time_in_force="fok"))
    assert ends(run(hourly(FLAT), [asked], cash=d(1000))) == {"a": "cancelled"}


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        # Equity 1000 carries 2000 of exposure, long or short.
        ([order("a", "buy", 20)], {"a": "filled"}),
        ([order("a", "buy", 21)], {"a": "rejected: insufficient_margin"}),
        ([order("a", "sell", 20)], {"a": "filled"}),
        ([order("a", "sell", 21)], {"a": "rejected: insufficient_margin"}),
        # What closes is always allowed.
        ([order("a", "buy", 20), order("b", "sell", 20)], {"a": "filled", "b": "filled"}),
        # A reversal to a short of 20; one of 21 closes 20 only.
        ([order("a", "buy", 20), order("b", "sell", 40)], {"a": "filled", "b": "filled"}),
        ([order("a", "buy", 20), order("b", "sell", 41)], {"a": "filled", "b": "rejected: insufficient_margin"}),
    ],
)
def test_a_margin_account(asked: list[Request], end: dict[str, str]) -> None:
    outcome = run(hourly(FLAT), asked, cash=d(1000), account="margin")
    assert ends(outcome) == end
    if end.get("b", "").startswith("rejected"):
        assert told(outcome.fills) == ["a 20 @ 100", "b 20 @ 100"]


def test_the_traded_symbol_counts_at_the_fill_s_price() -> None:
    # 10 at 100, then 7 more at 120: cash 1000 - 1000 - 840 = -840, worth 2040, equity 1200 >= 1020. 14 at 120: -1680 + 2880 = 1200 < 1440.
    bars = hourly(FLAT, "120 120 120 120")
    for qty, end in ((7, "filled"), (14, "rejected: insufficient_margin")):
        outcome = run(bars, {at(0): [order("a", "buy", 10)], at(1): [order("b", "buy", qty)]}, cash=d(1000), account="margin")
        assert ends(outcome)["b"] == end


def test_a_reversal_is_one_fill_at_average_cost() -> None:
    outcome = run(hourly(FLAT, "110 110 110 110"), {at(0): [order("a", "buy", 10)], at(1): [order("b", "sell", 15)]}, account="margin")
    assert told(outcome.fills) == ["a 10 @ 100", "b 15 @ 110"]
    assert (outcome.positions["X"].qty, outcome.positions["X"].average_cost) == (d(-5), d(110))
    assert [(trip.qty, trip.profit) for trip in outcome.trips] == [(d(10), d(100))]


def test_average_cost_moves_with_what_is_added() -> None:
    script = {at(0): [order("a", "buy", 10)], at(1): [order("b", "buy", 10)], at(2): [order("c", "sell", 5)]}
    outcome = run(hourly(FLAT, "110 110 110 110", "120 120 120 120"), script)
    assert (outcome.positions["X"].qty, outcome.positions["X"].average_cost) == (d(15), d(105))


@pytest.mark.parametrize(("instrument", "symbol"), [(HARD, "X"), (COIN, "C")])
def test_what_cannot_be_shorted(instrument: Instrument, symbol: str) -> None:
    bars = [bar(FLAT, at(0), symbol=symbol)]
    outcome = run(bars, [order("a", "buy", 5, symbol), order("b", "sell", 8, symbol)], instruments=(instrument,), account="margin")
    assert told(outcome.fills) == ["a 5 @ 100", "b 5 @ 100"]
    assert ends(outcome)["b"] == "rejected: not_shortable"


def test_coins_are_paid_in_full() -> None:
    # Equity 1000 buys 10 coins, not 11; beside 10 of X (500 of margin) it buys 5, not 6.
    coins = [bar(FLAT, at(0), symbol="C")]
    for qty, end in ((10, "filled"), (11, "rejected: insufficient_margin")):
        assert ends(run(coins, [order("a", "buy", qty, "C")], instruments=(COIN,), cash=d(1000), account="margin"))["a"] == end
    for qty, end in ((5, "filled"), (6, "rejected: insufficient_margin")):
        asked = [order("x", "buy", 10), order("a", "buy", qty, "C")]
        assert ends(run([*hourly(FLAT), *coins], asked, instruments=(X, COIN), cash=d(1000), account="margin"))["a"] == end


def test_a_margin_call_cancels_and_sells_at_the_next_open() -> None:
    # 20 at 100 with 1000: cash -1000. At 66: worth 1320, equity 320 < 330. At 67 it would be 340 >= 335.
    script = {at(0): [order("a", "buy", 20), order("w", "buy", 1, type="limit", limit=d(10))], at(2): [order("more", "buy", 1)]}
    rows = [FLAT, "67 67 67 67", "66 66 66 66", "65 65 65 65"]
    outcome = run(hourly(*rows), {**script, at(3): [order("new", "buy", 1)]}, cash=d(1000), account="margin")
    assert outcome.margin_calls == [MarginCall(at(3), d(320), d(330))]
    sale = outcome.fills[-1]
    assert (sale.qty, sale.price, sale.time_ns, sale.reason) == (d(20), d(65), at(3), "margin_call")
    assert ends(outcome)["w"] == "cancelled"
    assert ends(outcome)["more"] == ends(outcome)["new"] == "rejected: insufficient_margin"
    assert outcome.cash == 300


def test_liquidation_obeys_the_cap() -> None:
    script = {at(0): [order("a", "buy", 20)]}
    bars = [*hourly(FLAT, volume=1000), *hourly(FLAT, "66 66 66 66", "65 65 30 30", "30 30 30 30", volume=120)[1:]]
    outcome = run(bars, script, cash=d(1000), account="margin", volume_cap=d("0.1"))
    assert [(fill.qty, fill.price) for fill in outcome.fills] == [(d(20), d(100)), (d(12), d(65)), (d(8), d(30))]
    # At 30 the account is under water again, but it is being closed already.
    assert len(outcome.margin_calls) == 1


def test_nights() -> None:
    # Short 100 at 100: cash 20000. Night 1: borrow 100 x 100 x 0.036 / 360 = 1.00; credit 20000 x 0.018 / 360 = 1.00.
    # Night 2: close 101: borrow 1.01, on cash 20000 still: 1.00.
    bars = [bar("100 100 100 100", at(0)), bar("101 101 101 101", at(0, 1)), bar("101 101 101 101", at(0, 2))]
    short = [order("a", "sell", 100)]
    outcome = run(bars, short, cash=d(10_000), account="margin", borrow_rate=d("0.036"), credit_rate=d("0.018"))
    assert (outcome.totals.interest, outcome.cash) == (d("-0.01"), d("19999.99"))


def test_debit_interest_and_half_even_cents() -> None:
    # Cash -1000: 1000 x 0.0018 / 360 = 0.005: to the even cent 0.00; 1000 x 0.0054 / 360 = 0.015: 0.02.
    bars = [bar(FLAT, at(0)), bar(FLAT, at(0, 1))]
    for rate, charge in (("0.0018", "0"), ("0.0054", "-0.02")):
        outcome = run(bars, [order("a", "buy", 20)], cash=d(1000), account="margin", debit_rate=d(rate))
        assert outcome.totals.interest == d(charge)


def test_at_midnight_bars_end_then_charges_then_fills() -> None:
    # The coin bar of 23:00 ends at midnight; cash earns on what it left; the order of that midnight fills after the charge.
    bars = [bar(FLAT, MIDNIGHT + 23 * (DAY // 24), symbol="C"), bar(FLAT, MIDNIGHT + DAY, symbol="C")]
    script = {MIDNIGHT + 23 * (DAY // 24): [order("a", "buy", 100, "C")], MIDNIGHT + DAY: [order("b", "buy", 100, "C")]}
    outcome = run(bars, script, instruments=(COIN,), start_ns=MIDNIGHT + 23 * (DAY // 24), cash=d(20_000), credit_rate=d("0.036"))
    # 10000 x 0.036 / 360 = 1.00; the rest is spent afterwards: nothing was charged on 0.
    assert outcome.totals.interest == d(1)
    assert [value for _, value in outcome.equity] == [d(20_000), d(20_001), d(20_001)]


def test_cash_accounts_earn_and_never_pay() -> None:
    bars = [bar(FLAT, at(0)), bar(FLAT, at(0, 1))]
    outcome = run(bars, [order("a", "buy", 5)], credit_rate=d("0.0036"), debit_rate=d("0.5"), borrow_rate=d("0.5"), cash=d(10_500))
    assert outcome.totals.interest == d("0.10")


def test_equity_is_marked_at_each_bar_s_end() -> None:
    outcome = run(hourly("100 105 95 102", "102 103 99 99"), [order("a", "buy", 10)])
    assert outcome.equity == [(at(0), d(100_000)), (at(1), d(100_020)), (at(2), d(99_990))]


def test_the_end_closes_at_the_last_close_where_asked() -> None:
    outcome = run(
        hourly("100 105 95 102"), [order("a", "buy", 10)], close_at_end=True, fees="per-trade:1", slippage="bps:10", volume_cap=d("0.1")
    )
    last = outcome.fills[-1]
    assert (last.qty, last.price, last.fee, last.slippage, last.reason) == (d(10), d(102), d(1), d(0), "end_of_run")
    # Bought at 100.10.
    assert (outcome.positions, outcome.end_equity) == ({}, d(100_000) + 19 - 2)
