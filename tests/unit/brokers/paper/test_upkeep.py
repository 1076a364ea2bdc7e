"""What happens to the paper account beside its fills: splits and dividends, nights, margin calls. Each once, over restarts."""

from decimal import Decimal
from typing import Any

import pytest

from core.brokers.paper.hours import RoundTheClock
from core.clock.calendar import exchange_day
from core.errors import BrokerRefused
from core.model.broker import OrderChange, OrderClass, RefusalReason
from core.model.broker_entry import BrokerEntry
from core.model.corporate_action import CorporateAction, Dividend, Split
from core.model.instants import DAY_NS, parse_instant
from core.model.order import OrderSide, OrderType, TimeInForce
from core.model.run import AccountKind, AccountTerms
from tests.unit.brokers.paper.bench import BUY, SELL, PaperBench

D = Decimal
GTC = TimeInForce.GTC
DAY = exchange_day(parse_instant("2023-11-14T15:00:00Z"))
NEXT_MORNING = "2023-11-15T14:31:00Z"


def entries(bench: PaperBench) -> list[BrokerEntry]:
    return bench.exchange.notes.entries


def begin(bench: PaperBench, *actions: CorporateAction, at: str = "2023-11-15T06:00:00Z") -> None:
    """Let a day of the exchange begin on which companies do something."""
    bench.now_ns = parse_instant(at)
    bench.restart()
    bench.exchange.apply(actions, exchange_day(bench.now_ns))
    bench.keep()


def split(ratio: str, day: int = DAY + 1, symbol: str = "SPY") -> Split:
    return Split(symbol=symbol, day=day, ratio=D(ratio))


# --- splits -----------------------------------------------------------------------------------------------


def test_a_split_multiplies_the_holding_once_whatever_happens() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100")
    bench.send("a", qty="9")
    begin(bench, split("4"), split("7", DAY))
    (held,) = bench.exchange.positions()
    assert (held.qty, held.avg_price, held.cost_basis) == (D(36), D(25), D(900))
    (entry,) = entries(bench)
    assert (entry.kind.value, entry.symbol, entry.qty, entry.cash, entry.rate) == ("split", "SPY", D(27), D(0), D(4))
    begin(bench, split("4"))
    assert bench.held() == 36
    assert len(entries(bench)) == 1


def test_no_quote_of_the_shares_before_stands_any_more() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100")
    bench.send("a", qty="9")
    bench.exchange.apply([split("4")], DAY + 1)
    bench.send("b")
    assert bench.state("b")[0] == "new"
    assert bench.exchange.account().equity == D(10_000) - 9 * D("0.01")


@pytest.mark.parametrize("heard", [False, True])
def test_of_what_was_never_held_a_split_has_no_price_whatever_the_market_said(heard: bool) -> None:
    bench = PaperBench()
    bench.send("a", limit_price="90", time_in_force=GTC)
    if heard:
        bench.trade("100")
    bench.exchange.apply([split("4")], DAY + 1)
    (entry,) = entries(bench)
    assert (entry.qty, entry.price) == (D(0), None)


def test_what_is_less_than_the_smallest_unit_is_paid_in_cash() -> None:
    bench = PaperBench()
    bench.quote("99", "99")
    bench.send("a", qty="1")
    before = bench.exchange.account().cash
    begin(bench, split("0.3333333333333333333333333333"))
    (entry,) = entries(bench)
    assert bench.held() == D("0.333333333")
    assert entry.price == 297
    assert bench.exchange.account().cash - before == entry.cash == D("0.000000099")


SPLIT_ORDERS: list[tuple[str, dict[str, Any], str, dict[str, str]]] = [
    ("a limit buy goes down to the cent", {"qty": "10", "limit_price": "90.01"}, "4", {"qty": "40", "limit_price": "22.5"}),
    ("a limit sell goes up", {"side": SELL, "qty": "6", "limit_price": "110.01"}, "4", {"qty": "24", "limit_price": "27.51"}),
    ("a stop sell goes down", {"side": SELL, "qty": "6", "stop_price": "90.01"}, "4", {"qty": "24", "stop_price": "22.5"}),
    ("a stop buy goes up", {"qty": "6", "stop_price": "110.01"}, "4", {"qty": "24", "stop_price": "27.51"}),
    ("a trail widens to the cent", {"side": SELL, "qty": "6", "trail_price": "0.99"}, "4", {"qty": "24", "trail_price": "0.25"}),
    ("a percent stays", {"side": SELL, "qty": "6", "trail_percent": "2"}, "4", {"qty": "24", "trail_percent": "2"}),
    ("a reverse split", {"qty": "10", "limit_price": "90"}, "0.5", {"qty": "5", "limit_price": "180"}),
]


@pytest.mark.parametrize(("terms", "ratio", "after"), [case[1:] for case in SPLIT_ORDERS], ids=[case[0] for case in SPLIT_ORDERS])
def test_working_orders_go_on_in_the_units_of_after(terms: dict[str, Any], ratio: str, after: dict[str, str]) -> None:
    bench = PaperBench()
    bench.quote("99.98", "100")
    bench.send("held", qty="10")
    bench.send("a", time_in_force=GTC, **terms)
    bench.send("other", qty="0.01", symbol="BTC/USD", limit_price="40000")
    told = len(bench.told)
    begin(bench, split(ratio))
    order = bench.order("a")
    assert {name: getattr(order, name) for name in after} == {name: D(value) for name, value in after.items()}
    assert (order.broker_status, bench.order("other").qty) == ("new", D("0.01"))
    assert [(one.event, one.order.client_order_id) for one in bench.told[told:]] == [("restated", "a")]
    bench.restart()
    assert bench.order("a") == order


def test_a_mark_goes_along_and_the_order_fills_in_the_new_shares() -> None:
    bench = PaperBench()
    bench.quote("100", "100")
    bench.send("held", qty="10")
    bench.send("a", SELL, trail_price="4", time_in_force=GTC)
    bench.quote("110", "110.02")
    begin(bench, split("2"))
    bench.at(NEXT_MORNING)
    bench.quote("53.01", "53.02")
    assert bench.state("a")[0] == "new"
    bench.quote("53", "53.02")  # 55 less 2
    assert bench.state("a") == ("filled", "20", "53")


def test_of_a_half_filled_order_both_halves_are_counted_anew_and_its_fee_once() -> None:
    bench = PaperBench(fees="per-share:0.1:1", caps=True)
    bench.quote("99.98", "100", sizes=("9", "4"))
    bench.send("a", qty="10", limit_price="100", time_in_force=GTC)
    begin(bench, split("2"))
    order = bench.order("a")
    assert (order.qty, order.filled_qty, order.avg_fill_price, order.limit_price) == (D(20), D(8), D(50), D(50))
    bench.at(NEXT_MORNING)
    bench.restart()
    bench.quote("49.98", "50", sizes=("9", "100"))
    assert bench.state("a") == ("filled", "20", "50")
    assert [(one.qty, one.fee) for one in bench.exchange.notes.executions] == [(D(4), D(1)), (D(12), D("0.6"))]
    assert bench.held() == 20


def test_legs_that_wait_and_legs_that_work_are_adjusted() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100")
    bracket: dict[str, Any] = {"order_class": OrderClass.BRACKET, "time_in_force": GTC, "target_price": "110", "stop_loss_price": "90"}
    bench.send("works", qty="2", **bracket)
    bench.send("waits", qty="4", limit_price="95", **bracket)
    begin(bench, split("2"))
    for entry, qty in (("works", 4), ("waits", 8)):
        target, stop = bench.order(entry).legs
        assert (target.qty, target.limit_price, stop.qty, stop.stop_price) == (D(qty), D(55), D(qty), D(45))
    bench.at(NEXT_MORNING)
    bench.quote("47.48", "47.5")
    bench.quote("55", "55.02")
    assert [bench.order(entry).legs[0].filled_qty for entry in ("works", "waits")] == [4, 8]
    assert bench.held() == 0


def test_what_a_split_leaves_nothing_of_is_cancelled() -> None:
    bench = PaperBench()
    bench.send("units", qty="0.000000003", limit_price="10", time_in_force=GTC)
    bench.send("price", qty="10", limit_price="0.03", time_in_force=GTC)
    begin(bench, split("0.1"))
    assert bench.state("units")[0] == "canceled"
    begin(bench, split("100", DAY + 2), at="2023-11-16T06:00:00Z")
    assert bench.state("price")[0] == "canceled"


def test_an_order_that_took_the_place_of_a_half_filled_one_is_cancelled() -> None:
    bench = PaperBench(caps=True)
    bench.quote("99.98", "100", sizes=("9", "4"))
    old = bench.send("a", qty="10", limit_price="100", time_in_force=GTC)
    bench.exchange.replace(old.id, OrderChange(client_order_id="b", limit_price=D(99)))
    bench.exchange.replace(bench.order("b").id, OrderChange(client_order_id="c", limit_price=D(98)))
    begin(bench, split("2"))
    assert bench.state("c")[0] == "canceled"


def test_an_order_of_the_day_before_has_ended_and_one_over_money_stays() -> None:
    bench = PaperBench()
    bench.send("day", limit_price="90")
    bench.send("money", qty=None, notional=D(500), time_in_force=GTC)
    begin(bench, split("2"))
    assert (bench.state("day")[0], bench.order("day").qty) == ("expired", D(10))
    assert bench.order("money").notional == 500
    bench.at(NEXT_MORNING)
    bench.quote("49.9", "50")
    assert bench.state("money") == ("filled", "10", "50")


# --- dividends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "cash"), [(BUY, D("2.25")), (SELL, D("-2.25"))])
def test_a_dividend_is_paid_on_longs_and_charged_on_shorts(side: OrderSide, cash: Decimal) -> None:
    bench = PaperBench(kind="margin")
    bench.quote("100", "100")
    bench.send("a", side, "9")
    before = bench.exchange.account().cash
    for _ in range(2):
        begin(bench, Dividend(symbol="SPY", day=DAY + 1, amount=D("0.25")))
        assert bench.exchange.account().cash - before == cash
    (entry,) = entries(bench)
    assert (entry.kind.value, entry.symbol, entry.cash, entry.rate) == ("dividend", "SPY", cash, D("0.25"))


def test_what_was_held_once_is_told_of_and_what_never_was_is_not() -> None:
    bench = PaperBench(kind="margin")
    bench.quote("100", "100")
    bench.send("a", qty="9")
    bench.send("b", SELL, "9")
    actions = (Dividend(symbol="SPY", day=DAY + 1, amount=D("0.25")), split("2"), split("3", symbol="AAPL"))
    begin(bench, *actions)
    assert [(one.kind.value, one.symbol, one.qty, one.cash) for one in entries(bench)] == [
        ("split", "SPY", D(0), D(0)),
        ("dividend", "SPY", D(0), D(0)),
    ]


# --- nights -----------------------------------------------------------------------------------------------

RATES = AccountTerms(kind=AccountKind.MARGIN, borrow_rate=D("0.36"), debit_rate=D("0.18"), credit_rate=D("0.036"))


def nights(bench: PaperBench) -> list[tuple[int, str, Decimal]]:
    """The interest that was booked: how many days after the first midnight, on what, how much."""
    first_ns = parse_instant("2023-11-15T00:00:00Z")
    return [((one.time_ns - first_ns) // DAY_NS, one.symbol, one.cash) for one in entries(bench) if one.kind.value == "interest"]


def test_a_short_pays_for_each_midnight_and_cash_earns() -> None:
    bench = PaperBench(account=RATES)
    bench.quote("100", "100")
    bench.send("a", SELL, "10")
    bench.quote("120", "120")
    bench.at("2023-11-14T23:59:59Z")
    assert nights(bench) == []
    bench.at("2023-11-15T00:00:00Z")
    assert nights(bench) == [(0, "SPY", D("-1.20")), (0, "", D("1.10"))]  # of 1,200 and of 11,000
    assert bench.exchange.account().cash == D(11_000) - D("1.20") + D("1.10")
    bench.at("2023-11-15T12:00:00Z")
    assert len(nights(bench)) == 2


def test_nights_on_which_the_program_was_off_are_charged_once_each_on_the_balance_of_then() -> None:
    bench = PaperBench(account=RATES)
    bench.quote("100", "100")
    bench.send("a", qty="150")
    bench.now_ns = parse_instant("2023-11-17T12:00:00Z")
    cash, expected = D(-5_000), []
    for night in range(3):
        charge = (-cash * D("0.18") / 360).quantize(D("0.01"))
        expected.append((night, "", -charge))
        cash -= charge
    for _ in range(2):
        bench.restart()
        bench.exchange.pass_time()
        bench.keep()
        assert nights(bench) == expected
        assert bench.exchange.account().cash == cash


def test_what_a_holding_was_worth_when_the_program_ended_is_what_its_nights_are_charged_on() -> None:
    bench = PaperBench(account=RATES)
    bench.quote("100", "100")
    bench.send("a", SELL, "10")
    bench.quote("150", "150")
    bench.at("2023-11-14T15:01:00Z")
    bench.now_ns = parse_instant("2023-11-15T12:00:00Z")
    bench.restart()
    bench.exchange.pass_time()
    assert nights(bench)[0] == (0, "SPY", D("-1.50"))


def test_a_dividend_between_two_nights_earns_from_the_second_on() -> None:
    bench = PaperBench(account=AccountTerms(credit_rate=D("0.36")))
    bench.quote("100", "100")
    bench.send("a", qty="90")
    begin(bench, Dividend(symbol="SPY", day=DAY + 2, amount=D(100)), at="2023-11-17T12:00:00Z")
    assert nights(bench) == [(0, "", D(1)), (1, "", D(1)), (2, "", D("10.00"))]


def test_a_cash_account_without_a_rate_is_left_alone() -> None:
    bench = PaperBench()
    bench.at("2023-11-20T12:00:00Z")
    assert entries(bench) == []


def test_the_last_bar_of_a_day_comes_late_and_counts_before_the_night() -> None:
    bench = PaperBench(account=RATES, hours=RoundTheClock())
    bench.at("2023-11-14T23:58:00Z")
    bench.send("a", SELL, "10")
    bench.at("2023-11-15T00:00:00Z")  # the clock first, the bar after it
    bench.bar(100.0, 100.0, 100.0, 100.0)
    assert bench.held() == -10
    assert nights(bench) == []
    bench.at("2023-11-15T00:01:00Z")
    bench.bar(200.0, 200.0, 200.0, 200.0)
    assert nights(bench)[0] == (0, "SPY", D("-1.00"))  # at the close of the day, before what came after it


def test_without_bars_the_night_is_charged_a_little_later() -> None:
    bench = PaperBench(account=RATES, hours=RoundTheClock())
    bench.at("2023-11-14T23:58:00Z")
    bench.send("a", SELL, "10")
    bench.at("2023-11-14T23:59:00Z")
    bench.bar(100.0, 100.0, 100.0, 100.0)
    bench.at("2023-11-15T00:01:00Z")
    assert nights(bench) == []
    bench.at("2023-11-15T00:02:00Z")
    assert len(nights(bench)) == 2


# --- margin calls -----------------------------------------------------------------------------------------


def short_of_margin(**more: Any) -> PaperBench:
    """An account of 10,000 that holds 150 bought at 100, of which the price has fallen to where it is called."""
    bench = PaperBench(kind="margin", **more)
    bench.quote("100", "100")
    bench.send("a", qty="150")
    bench.send("exit", SELL, "150", limit_price="130", time_in_force=GTC)
    bench.quote("44.45", "44.47")  # equity 1,669 of 6,669: a quarter is 1,667.25
    assert entries(bench) == []
    bench.quote("44.43", "44.45", sizes=("100", "100"))
    return bench


def test_below_the_maintenance_margin_everything_is_cancelled_and_closed_once() -> None:
    bench = short_of_margin()
    (entry,) = entries(bench)
    assert (entry.kind.value, entry.equity, entry.required, entry.exposure) == ("margin_call", D(1_666), D("1666.5"), D(6_666))
    assert bench.state("exit")[0] == "canceled"
    (closing,) = [row.order for row in bench.exchange.notes.orders.values() if row.order.liquidates]
    assert (closing.side, closing.qty, closing.broker_status, closing.avg_fill_price) == (SELL, D(150), "filled", D("44.43"))
    assert bench.exchange.account().cash == D(-5_000) + 150 * D("44.43")
    bench.quote("10", "10")
    bench.restart()
    bench.quote("9", "9")
    assert len(entries(bench)) == 1


def test_until_everything_is_closed_nothing_raises_exposure_over_a_restart_too() -> None:
    bench = short_of_margin(caps=True)
    assert bench.held() == 50
    bench.restart()
    bench.quote("44.43", "44.45", sizes=("0.5", "100"))
    with pytest.raises(BrokerRefused) as refused:
        bench.send("more", qty="0.1")
    assert refused.value.reason is RefusalReason.BUYING_POWER
    assert len(entries(bench)) == 1
    bench.quote("44.43", "44.45", sizes=("1000", "100"))
    assert bench.held() == 0
    bench.restart()
    bench.quote("44.43", "44.45")
    bench.send("again", qty="1")
    assert bench.state("again")[0] == "filled"


def test_an_order_that_would_open_something_is_refused_while_the_account_is_closed() -> None:
    bench = short_of_margin(caps=True)
    with pytest.raises(BrokerRefused, match="after a margin call"):
        bench.send("short", SELL, "60", limit_price="60", time_in_force=GTC)  # it would only rest, and 50 are left
    bench.send("part", SELL, "10", limit_price="60", time_in_force=GTC)
    assert bench.state("part")[0] == "new"


def test_what_closes_the_account_is_nobodys_to_take_back() -> None:
    bench = short_of_margin(caps=True)
    (closing,) = [row.order for row in bench.exchange.notes.orders.values() if row.order.liquidates and not row.order.status.is_final]
    for act in (
        lambda: bench.exchange.cancel(closing.id),
        lambda: bench.exchange.replace(closing.id, OrderChange(client_order_id="x", qty=D(1))),
    ):
        with pytest.raises(BrokerRefused, match="margin call"):
            act()
    assert bench.exchange.working() == []


def test_outside_the_session_nobody_is_called_and_closing_waits_for_it() -> None:
    bench = PaperBench(kind="margin")
    bench.quote("100", "100")
    bench.send("a", qty="150")
    bench.at("2023-11-15T03:00:00Z")
    bench.quote("1", "80")  # nobody trades there
    assert entries(bench) == []
    bench.at(NEXT_MORNING)
    bench.quote("44.4", "44.4")
    assert [one.kind.value for one in entries(bench)] == ["margin_call"]
    assert bench.held() == 0


def test_a_cash_account_is_never_called() -> None:
    bench = PaperBench()
    bench.quote("100", "100")
    bench.send("a", qty="100")
    bench.quote("0.01", "0.01")
    assert entries(bench) == []


def test_at_bars_the_account_is_closed_at_the_next_open() -> None:
    bench = PaperBench(kind="margin")
    bench.send("a", qty="150", type=OrderType.MARKET)
    bench.at("2023-11-14T15:01:00Z")
    bench.bar(100.0, 100.0, 40.0, 44.0)
    assert [one.kind.value for one in entries(bench)] == ["margin_call"]
    assert bench.held() == 150
    bench.at("2023-11-14T15:02:00Z")
    bench.bar(43.0, 43.0, 43.0, 43.0)
    assert [one.price for one in bench.exchange.notes.executions] == [100, 43]
