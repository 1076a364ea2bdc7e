"""A margin account while it runs, worked out by hand: calls, liquidation, reversals, short sales, nights."""

from decimal import Decimal
from typing import Any

import pytest

from core.model.instants import DAY_NS, HOUR_NS
from core.model.run import AccountKind, AccountTerms
from core.strategy.placing import buy, sell
from tests.scripted import COIN, OPEN_NS, STOCK, bars, told

CALM = "100 100 100 100"


def _margin(**terms: Any) -> AccountTerms:
    return AccountTerms(kind=AccountKind.MARGIN, **terms)


def test_a_call_takes_back_all_orders_and_closes_at_the_next_opens() -> None:
    # 1,000 of cash carry 18 at 100. At 58: equity 1000 - 18 × 42 = 244, and 25 % of 18 × 58 are 261.
    rows = bars(CALM, "60 60 58 58", "50 52 48 51", CALM, symbol=STOCK)
    asked = {0: [buy(STOCK, 18, ref="a"), buy(STOCK, 1, ref="low", limit=40)]}
    ran = told(rows, asked, cash="1000", account=_margin())
    assert ran.lines == ["a 18 @ 100", "margin call 244 < 261", "low cancelled", "broker:SPY 18 @ 50"]
    assert ran.run.fills[-1].reason == "margin_call"
    assert ran.run.venue.cash == Decimal(1000) - 18 * 50


def test_until_all_is_closed_nothing_may_raise_exposure() -> None:
    rows = bars(CALM, "60 60 58 58", "50 52 48 51", CALM, symbol=STOCK)
    asked = {
        0: buy(STOCK, 18, ref="a"),
        2: [buy(STOCK, 1, ref="more"), sell(STOCK, 19, ref="through"), sell(STOCK, 3, ref="less", reduce_only=True)],
        3: buy(STOCK, 1, ref="new"),
    }
    ran = told(rows, asked, cash="1000", account=_margin())
    assert ran.lines == [
        "a 18 @ 100", "margin call 244 < 261", "more rejected insufficient_margin", "through rejected insufficient_margin",
        "broker:SPY 18 @ 50", "less cancelled", "new 1 @ 100",
    ]  # fmt: skip
    assert [item.time_ns - OPEN_NS for item in ran.run.rejections[:2]] == [2 * 60 * 10**9] * 2


def test_a_liquidation_obeys_the_volume_and_goes_once_the_position_is_flat() -> None:
    rows = bars(CALM, "60 60 58 58", "50 52 48 51 50", "52 53 51 52 50", "52 53 51 52 500", symbol=STOCK)
    asked = {0: buy(STOCK, 18, ref="a"), 3: sell(STOCK, 8, ref="own")}
    ran = told(rows, asked, cash="1000", account=_margin(), volume_cap="0.1")
    # The strategy's own sell finds the rest of the volume gone, and then no position: 18 = 5 + 5 + 8.
    assert ran.fills == ["a 18 @ 100", "broker:SPY 5 @ 50", "broker:SPY 5 @ 52", "broker:SPY 8 @ 52"]


def test_the_closing_part_of_a_reversal_fills_when_the_opening_part_cannot() -> None:
    rows = bars(CALM, CALM, symbol=STOCK)
    ran = told(rows, {0: buy(STOCK, 10, ref="a"), 1: sell(STOCK, 100, ref="b")}, cash="1000", account=_margin(), fees="per-share:0.01")
    assert ran.lines == ["a 10 @ 100", "b 10 @ 100", "b rejected insufficient_margin"]
    assert ran.run.fills[-1].fee == Decimal("0.1")
    # A cash account has no reversal.
    ran = told(rows, {0: buy(STOCK, 10, ref="a"), 1: sell(STOCK, 100, ref="b")}, cash="1000")
    assert ran.lines == ["a 10 @ 100", "b rejected insufficient_position"]


@pytest.mark.parametrize(
    ("symbol", "qty", "terms", "lines"),
    [
        (STOCK, 20, {}, ["a 20 @ 100"]),
        (STOCK, 21, {}, ["a rejected insufficient_margin"]),
        (STOCK, 1, {"hard_to_borrow": (STOCK,)}, ["a rejected not_shortable"]),
        (COIN, 1, {}, ["a rejected not_shortable"]),
    ],
)
def test_a_short_sale(symbol: str, qty: int, terms: dict[str, Any], lines: list[str]) -> None:
    # 1,000 and the proceeds against half of the exposure: 20 × 100 × 50 % = 1,000.
    assert told(bars(CALM, symbol=symbol), sell(symbol, qty, ref="a"), cash="1000", account=_margin(**terms)).lines == lines


def test_a_coin_is_paid_in_full() -> None:
    assert told(bars(CALM), buy(COIN, 10, ref="a"), cash="1000", account=_margin()).lines == ["a 10 @ 100"]
    assert told(bars(CALM), buy(COIN, 11, ref="a"), cash="1000", account=_margin()).lines == ["a rejected insufficient_margin"]


def test_a_fill_is_judged_with_the_others_last_closes() -> None:
    """The stock's bar ends at the same time and comes first: its close counts, whatever it was bought at."""
    first = bars("100 100 80 80", symbol=STOCK)
    other = bars("100 100 100 100", symbol="QQQ", start_ns=OPEN_NS)
    # 10 at 100 are 800 by the close: equity 800, exposure 800 + 8 × 100, of which half is 800. One more is too much.
    for qty, lines in ((8, ["a 10 @ 100", "b 8 @ 100"]), (9, ["a 10 @ 100", "b rejected insufficient_margin"])):
        ran = told([first, other], [buy(STOCK, 10, ref="a"), buy("QQQ", qty, ref="b")], cash="1000", account=_margin())
        assert ran.lines == lines


def test_a_midnight_is_charged_before_what_carries_its_time() -> None:
    """The bar that ends at midnight comes first, then the charge, then the equity point; a fill stamped at midnight comes after it."""
    start_ns = 22 * HOUR_NS
    rows = bars(*["100 100 100 100"] * 4, timeframe="1h", start_ns=start_ns)
    # 36,000 of cash earn 3 % ÷ 360 = 3.00 a night; the order placed at 00:00 takes half of it too late to matter.
    ran = told(rows, {2: buy(COIN, 180, ref="a")}, cash="36000", account=AccountTerms(credit_rate=Decimal("0.03")))
    assert ran.run.times_ns.tolist()[2] == DAY_NS
    assert ran.run.equity.tolist() == [36000, 36000, 36003, 36003, 36003]


def test_the_last_midnight_is_charged_when_the_last_bar_ends_at_it() -> None:
    rows = bars("100 100 100 100", timeframe="1h", start_ns=23 * HOUR_NS)
    ran = told(rows, {}, cash="36000", account=AccountTerms(credit_rate=Decimal("0.03")))
    assert ran.run.venue.cash == Decimal(36003)


def test_what_is_closed_at_the_end_is_in_the_last_point_of_the_curve_alone() -> None:
    """The last bars meet no order: the curve before the end still shows the position at its closes."""
    rows = bars("100 100 100 100", "100 111 100 110", "110 121 110 120")
    ran = told(rows, buy(COIN, 10, ref="a"), cash="1000", fees="per-trade:5", close_at_end=True)
    assert ran.lines == ["a rejected insufficient_cash"]
    ran = told(rows, buy(COIN, 9, ref="a"), cash="1000", fees="per-trade:5", close_at_end=True)
    assert ran.run.equity.tolist() == [1000, 995, 1085, 1170]
