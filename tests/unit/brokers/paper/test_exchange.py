"""The paper account's exchange: what fills when and at which price, what hangs together, what is refused."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from core.brokers.paper.hours import RoundTheClock
from core.errors import BrokerRefused
from core.model.broker import OrderChange, OrderClass, RefusalReason
from core.model.money import plain
from core.model.order import OrderSide, OrderType, TimeInForce
from tests.unit.brokers.paper.bench import BUY, SELL, PaperBench

D = Decimal
T = TimeInForce
STOP_LIMIT = OrderType.STOP_LIMIT

# --- at quotes --------------------------------------------------------------------------------------------


def test_a_buy_pays_the_ask_and_a_sell_gets_the_bid() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    assert bench.send("a").avg_fill_price == D("100.02")
    assert bench.send("b", SELL, "4").avg_fill_price == D("99.98")
    account = bench.exchange.account()
    assert account.cash == D(10_000) - 10 * D("100.02") + 4 * D("99.98")
    assert account.equity == account.cash + 6 * D(100)


STOP_101 = {"stop_price": "101", "limit_price": "101.2", "type": STOP_LIMIT}
CASES: list[tuple[str, OrderSide, dict[str, Any], list[tuple[str, str]], tuple[str, str, str | None]]] = [
    ("limit waits", BUY, {"limit_price": "99"}, [("99.5", "99.6"), ("98.9", "99.01")], ("new", "0", None)),
    ("limit is reached", BUY, {"limit_price": "99"}, [("99.5", "99.6"), ("98.9", "99")], ("filled", "10", "99")),
    ("limit gets the better price", BUY, {"limit_price": "99"}, [("97.9", "98")], ("filled", "10", "98")),
    ("limit there at once", BUY, {"limit_price": "101"}, [], ("filled", "10", "100.02")),
    ("stop waits", BUY, {"stop_price": "101"}, [("100.9", "100.99")], ("new", "0", None)),
    ("stop takes what is there", BUY, {"stop_price": "101"}, [("101.4", "101.5")], ("filled", "10", "101.5")),
    ("stop limit waits at its limit", BUY, STOP_101, [("101.4", "101.5")], ("new", "0", None)),
    ("stop limit fills when it comes back", BUY, STOP_101, [("101.4", "101.5"), ("100", "100.5")], ("filled", "10", "100.5")),
    ("trail follows the ask down", BUY, {"trail_price": "2"}, [("94.9", "95"), ("96.8", "96.99")], ("new", "0", None)),
    ("trail turns", BUY, {"trail_price": "2"}, [("94.9", "95"), ("96.8", "97")], ("filled", "10", "97")),
    ("trail by percent", BUY, {"trail_percent": "1"}, [("94.9", "95"), ("95.8", "95.95")], ("filled", "10", "95.95")),
    ("ioc takes what is there", BUY, {"limit_price": "101", "time_in_force": T.IOC}, [], ("filled", "10", "100.02")),
    ("ioc leaves the rest", BUY, {"limit_price": "99", "time_in_force": T.IOC}, [], ("canceled", "0", None)),
    ("fok", BUY, {"limit_price": "99", "time_in_force": T.FOK}, [], ("canceled", "0", None)),
]  # fmt: skip


@pytest.mark.parametrize("name", [case[0] for case in CASES])
@pytest.mark.parametrize("restarts", [False, True], ids=["", "over restarts"])
def test_orders_wait_for_their_price(name: str, restarts: bool) -> None:
    _, side, terms, quotes, expected = next(case for case in CASES if case[0] == name)
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    bench.send("a", side, **terms)
    for bid, ask in quotes:
        if restarts:
            bench.restart()
        bench.quote(bid, ask)
    assert bench.state("a") == expected


def test_a_trade_triggers_a_stop_which_fills_at_the_quote() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    bench.send("a", stop_price="101")
    bench.trade("100.99")
    assert bench.state("a") == ("new", "0", None)
    bench.exchange.forget_quotes()
    bench.trade("101")
    bench.restart()
    bench.quote("99.98", "100.02")
    assert bench.state("a") == ("filled", "10", "100.02")


def test_a_trade_fills_nothing_by_itself() -> None:
    bench = PaperBench()
    bench.send("a")
    bench.trade("100.5")
    assert bench.state("a") == ("new", "0", None)  # nobody offered anything yet
    bench.quote("100.4", "100.6")
    assert bench.state("a") == ("filled", "10", "100.6")


def test_a_lost_feed_fills_nothing_until_it_is_back() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    bench.exchange.forget_quotes()
    bench.send("a")
    assert bench.state("a") == ("new", "0", None)
    assert bench.exchange.account().equity == 10_000
    bench.quote("100.98", "101.02")
    assert bench.state("a") == ("filled", "10", "101.02")


def test_a_side_that_nobody_offers_fills_nothing() -> None:
    bench = PaperBench()
    bench.quote("99.98", "0")
    bench.send("a")
    assert bench.state("a")[0] == "new"


def test_the_size_of_a_quote_is_used_up() -> None:
    bench = PaperBench(caps=True)
    bench.quote("99.98", "100.02", sizes=("5", "6"))
    bench.send("a", qty="4")
    bench.send("b", qty="4")
    assert (bench.state("a")[:2], bench.state("b")[:2]) == (("filled", "4"), ("partially_filled", "2"))
    bench.restart()
    bench.quote("99.98", "100.02", sizes=("5", "1"))
    assert bench.state("b")[:2] == ("partially_filled", "3")
    bench.quote("99.98", "100.03")  # a size that is not known holds nothing back
    assert bench.state("b") == ("filled", "4", "100.0225")


def test_what_is_half_filled_goes_on_after_a_restart_with_its_rest_and_its_fee() -> None:
    bench = PaperBench(caps=True, fees="bps:10:5")
    bench.quote("99.98", "100", sizes=("9", "4"))
    bench.send("a")
    bench.terms = replace(bench.terms, caps_size=False)
    bench.restart()
    bench.quote("99.98", "100", sizes=("9", "4"))
    assert bench.state("a") == ("filled", "10", "100")
    assert [one.fee for one in bench.exchange.notes.executions] == [5, 0]  # the least that an order costs is taken once


def test_an_amount_of_money_buys_fractions() -> None:
    bench = PaperBench()
    bench.send("a", qty=None, notional=D("1000"))
    bench.quote("99.98", "100.02")
    order = bench.order("a")
    assert (order.qty, order.filled_qty, order.broker_status) == (None, D("9.998000399"), "filled")


def test_fees_are_taken_and_told() -> None:
    bench = PaperBench(fees="bps:10")
    bench.quote("99.98", "100")
    bench.send("a")
    assert bench.told[-1].execution is not None
    assert bench.told[-1].execution.fee == 1
    assert bench.exchange.account().cash == D(10_000) - 1000 - 1


# --- at bars ----------------------------------------------------------------------------------------------


def test_where_no_quotes_come_a_bar_is_met_as_in_a_backtest() -> None:
    bench = PaperBench()
    bench.send("market")
    bench.send("limit", limit_price="99")
    bench.at("2023-11-14T15:00:30Z")
    bench.send("late")
    bench.at("2023-11-14T15:01:00Z")
    bench.bar(100.0, 101.0, 98.0, 99.5)
    assert bench.state("market") == ("filled", "10", "100")
    assert bench.state("limit") == ("filled", "10", "99")
    assert bench.state("late")[0] == "new"  # the bar began before it
    bench.at("2023-11-14T15:02:00Z")
    bench.bar(99.7, 99.9, 99.6, 99.8)
    assert bench.state("late") == ("filled", "10", "99.7")


def test_where_quotes_come_a_bar_fills_nothing() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    bench.send("a", limit_price="99")
    bench.at("2023-11-14T15:01:00Z")
    bench.bar(100.0, 101.0, 98.0, 99.5)
    assert bench.state("a")[0] == "new"


def test_the_legs_of_a_bracket_live_inside_the_bar() -> None:
    bench = PaperBench()
    bench.send("a", order_class=OrderClass.BRACKET, target_price="103", stop_loss_price="97")
    bench.at("2023-11-14T15:01:00Z")
    bench.bar(100.0, 104.0, 99.0, 101.0)
    target, stop = bench.order("a").legs
    assert (target.broker_status, target.avg_fill_price, stop.broker_status) == ("filled", D(103), "canceled")


def test_an_exit_lives_in_the_day_in_which_its_entry_filled_though_its_bar_comes_after_that() -> None:
    bench = PaperBench(hours=RoundTheClock(), at="2023-11-14T23:58:00Z")
    bench.send("a", type=OrderType.MARKET, **BRACKET)
    bench.at("2023-11-15T00:00:00Z")
    bench.bar(100.0, 100.0, 100.0, 100.0)
    assert bench.state("a") == ("filled", "10", "100")
    assert [leg.broker_status for leg in bench.order("a").legs] == ["expired", "expired"]


def test_the_last_bar_of_the_session_closes_it() -> None:
    bench = PaperBench(at="2023-11-14T20:50:00Z")
    bench.send("cls", time_in_force=T.CLS)
    bench.send("day", limit_price="90")
    bench.at("2023-11-14T20:59:00Z")
    bench.bar(100.0, 100.0, 100.0, 100.0)
    assert bench.state("cls")[0] == "new"
    bench.at("2023-11-14T21:00:00Z")
    assert bench.state("day")[0] == "new"
    bench.bar(100.0, 101.0, 99.0, 100.5)
    assert bench.state("cls") == ("filled", "10", "100.5")
    assert bench.state("day")[0] == "expired"


# --- time -------------------------------------------------------------------------------------------------


def test_a_day_order_expires_at_the_close_and_a_gtc_order_works_on() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    for id_, in_force in (("day", T.DAY), ("gtc", T.GTC)):
        bench.send(id_, limit_price="99", time_in_force=in_force)
    bench.at("2023-11-14T20:59:59Z")
    assert bench.state("day")[0] == "new"
    bench.at("2023-11-14T21:00:00Z")
    assert (bench.state("day")[0], bench.state("gtc")[0]) == ("expired", "new")


def test_outside_the_session_an_order_waits_for_it() -> None:
    bench = PaperBench(at="2023-11-14T13:00:00Z")
    bench.quote("99.98", "100.02")
    bench.send("a")
    bench.send("early", limit_price="101", extended_hours=True)
    assert bench.state("a")[0] == "new"
    assert bench.state("early") == ("filled", "10", "100.02")
    bench.at("2023-11-14T14:30:00Z")
    bench.send("b")  # what stood in the early hours is no quote of the session
    assert bench.state("b")[0] == "new"
    bench.quote("100.98", "101.02")
    assert bench.state("a") == bench.state("b") == ("filled", "10", "101.02")


def test_at_night_nothing_fills_and_crypto_always_does() -> None:
    bench = PaperBench(at="2023-11-15T02:00:00Z")
    bench.quote("99.98", "100.02")
    bench.quote("41999", "42000", "BTC/USD")
    bench.send("a", limit_price="101", extended_hours=True)
    bench.send("b", qty="0.1", symbol="BTC/USD")
    assert (bench.state("a")[0], bench.state("b")[0]) == ("new", "filled")


def test_the_auctions_are_the_first_and_the_last_price() -> None:
    bench = PaperBench(at="2023-11-14T13:00:00Z")
    bench.send("opg", time_in_force=T.OPG)
    bench.send("opg-limit", limit_price="90", time_in_force=T.OPG)
    bench.quote("98.98", "99.02")
    bench.at("2023-11-14T14:30:00Z")
    bench.quote("99.98", "100.02")
    assert (bench.state("opg"), bench.state("opg-limit")[0]) == (("filled", "10", "100.02"), "canceled")
    bench.send("cls", SELL, "4", time_in_force=T.CLS)
    bench.send("cls-limit", SELL, "4", limit_price="200", time_in_force=T.CLS)
    bench.at("2023-11-14T20:59:59Z")
    bench.quote("101.98", "102.02")
    assert bench.state("cls")[0] == "new"
    bench.at("2023-11-14T21:00:00Z")
    assert (bench.state("cls"), bench.state("cls-limit")[0]) == (("filled", "4", "101.98"), "canceled")


def test_an_auction_without_a_price_ends_its_orders() -> None:
    bench = PaperBench(at="2023-11-14T13:00:00Z")
    bench.send("opg", time_in_force=T.OPG)
    bench.quote("98.98", "99.02")
    bench.at("2023-11-14T21:00:00Z")
    assert bench.state("opg")[0] == "canceled"


def test_gtd_lives_until_its_time() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    bench.send("a", limit_price="99", time_in_force=T.GTD, expires_ns=bench.now_ns + 10**9)
    bench.at("2023-11-14T15:00:01Z")
    assert bench.state("a")[0] == "expired"


def test_time_does_not_go_back_in_the_books() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    bench.send("a")
    bench.restart()
    before = bench.order("a").updated_ns
    bench.now_ns -= 10**12
    bench.quote("99.98", "100.02")
    assert bench.send("b").submitted_ns == before


def test_a_market_that_never_closes_has_no_auctions() -> None:
    bench = PaperBench(at="2023-11-15T02:00:00Z", hours=RoundTheClock())
    bench.quote("99.98", "100.02")
    assert bench.send("a").broker_status == "filled"
    with pytest.raises(BrokerRefused, match="no auctions"):
        bench.send("b", time_in_force=T.OPG)


# --- orders that hang together ----------------------------------------------------------------------------

BRACKET: dict[str, Any] = {"order_class": OrderClass.BRACKET, "target_price": "103", "stop_loss_price": "97"}


@pytest.mark.parametrize(("bid", "ask", "target", "stop"), [
    ("103.5", "103.6", ("filled", "103.5"), ("canceled", None)),
    ("96", "96.1", ("canceled", None), ("filled", "96")),
])  # fmt: skip
@pytest.mark.parametrize("restarts", [False, True], ids=["", "over restarts"])
def test_a_bracket_ends_by_one_of_its_legs(
    bid: str, ask: str, target: tuple[str, str | None], stop: tuple[str, str | None], restarts: bool
) -> None:
    bench = PaperBench()
    sent = bench.send("a", **BRACKET)
    assert [(leg.side, leg.broker_status, leg.qty) for leg in sent.legs] == [(SELL, "held", D(10)), (SELL, "held", D(10))]
    if restarts:
        bench.restart()
    bench.quote("99.98", "100.02")
    assert [leg.broker_status for leg in bench.order("a").legs] == ["new", "new"]
    if restarts:
        bench.restart()
    bench.quote(bid, ask)
    found = [(leg.broker_status, None if leg.avg_fill_price is None else plain(leg.avg_fill_price)) for leg in bench.order("a").legs]
    assert found == [target, stop]
    assert bench.held() == 0


@pytest.mark.parametrize(
    ("target", "stop", "left", "prices"),
    [
        ("103", "99", ["canceled", "filled"], [100, 98]),
        ("99", "97", ["new", "new"], [100]),
        ("98", "97", ["filled", "canceled"], [100, 98]),
    ],
    ids=["the stop", "the target, which only the ask has reached", "the target"],
)
def test_a_leg_that_is_through_already_leaves_at_the_other_side_of_the_quote(
    target: str, stop: str, left: list[str], prices: list[int]
) -> None:
    bench = PaperBench()
    bench.send("a", order_class=OrderClass.BRACKET, target_price=target, stop_loss_price=stop)
    bench.quote("98", "100")
    assert [leg.broker_status for leg in bench.order("a").legs] == left
    assert [one.price for one in bench.exchange.notes.executions] == prices


def test_a_partly_filled_entry_has_legs_that_grow() -> None:
    bench = PaperBench(caps=True)
    bench.send("a", limit_price="100.02", **BRACKET)
    bench.quote("99.98", "100.02", sizes=("9", "4"))
    assert [leg.qty for leg in bench.order("a").legs] == [4, 4]
    bench.restart()
    bench.quote("99.98", "100.02", sizes=("9", "3"))
    assert [leg.qty for leg in bench.order("a").legs] == [7, 7]
    bench.quote("103", "103.1", sizes=("3", "9"))
    assert bench.state("a")[:2] == ("canceled", "7")  # a leg's fill ends what is left of the entry
    assert [(leg.broker_status, leg.filled_qty, leg.qty) for leg in bench.order("a").legs] == [
        ("partially_filled", D(3), D(7)),
        ("new", D(0), D(4)),
    ]


def test_an_entry_that_is_taken_back_takes_its_legs_along() -> None:
    bench = PaperBench()
    sent = bench.send("a", limit_price="90", order_class=OrderClass.OTO, stop_loss_price="80")
    bench.exchange.cancel(sent.id)
    assert [order.broker_status for order in (bench.order("a"), *bench.order("a").legs)] == ["canceled", "canceled"]
    assert bench.exchange.working() == []


def test_legs_go_with_the_position_they_were_to_close() -> None:
    bench = PaperBench()
    bench.send("a", **BRACKET)
    bench.quote("99.98", "100.02")
    bench.send("close", SELL)
    assert [leg.broker_status for leg in bench.order("a").legs] == ["canceled", "canceled"]


def test_of_a_pair_one_cancels_the_other() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    bench.send("a")
    pair = bench.send("oco", SELL, type=OrderType.LIMIT, order_class=OrderClass.OCO, target_price="103", stop_loss_price="97")
    assert (pair.limit_price, pair.legs[0].stop_price, pair.legs[0].broker_status) == (D(103), D(97), "new")
    (held,) = bench.exchange.positions()
    assert (held.qty, held.qty_available) == (D(10), D(0))
    bench.restart()
    bench.quote("96", "96.1")
    assert (bench.state("oco")[0], bench.order("oco").legs[0].avg_fill_price) == ("canceled", D(96))


def test_a_pair_needs_something_to_close() -> None:
    bench = PaperBench()
    with pytest.raises(BrokerRefused) as refused:
        bench.send("oco", SELL, type=OrderType.LIMIT, order_class=OrderClass.OCO, target_price="103", stop_loss_price="97")
    assert refused.value.reason is RefusalReason.QUANTITY_HELD


# --- cancel and replace -----------------------------------------------------------------------------------


def test_a_replacement_is_what_is_left_on_other_terms() -> None:
    bench = PaperBench(caps=True)
    old = bench.send("a", limit_price="100.02")
    bench.quote("99.98", "100.02", sizes=("9", "3"))
    new = bench.exchange.replace(old.id, OrderChange(client_order_id="b", limit_price=D("99")))
    bench.keep()
    assert (new.qty, new.filled_qty, new.limit_price, new.replaces) == (D(7), D(0), D(99), old.id)
    assert (bench.state("a")[:2], bench.order("a").replaced_by) == (("replaced", "3"), new.id)
    bench.restart()
    bench.quote("98.9", "99", sizes=("9", "9"))
    assert bench.state("b") == ("filled", "7", "99")
    assert bench.held() == 10


def test_a_replaced_leg_keeps_its_place_in_the_family() -> None:
    bench = PaperBench()
    bench.send("a", **BRACKET)
    bench.quote("99.98", "100.02")
    stop = bench.order("a").legs[1]
    new = bench.exchange.replace(stop.id, OrderChange(client_order_id="b", stop_price=D("98")))
    bench.restart()
    assert [leg.id for leg in bench.order("a").legs][1] == new.id
    bench.quote("98", "98.1")
    assert [leg.broker_status for leg in bench.order("a").legs] == ["canceled", "filled"]


def test_a_replaced_entry_keeps_its_legs() -> None:
    bench = PaperBench()
    old = bench.send("a", limit_price="99", **BRACKET)
    bench.quote("99.98", "100.02")
    bench.exchange.replace(old.id, OrderChange(client_order_id="b", limit_price=D("101")))
    bench.restart()
    assert [leg.broker_status for leg in bench.order("b").legs] == ["new", "new"]
    assert bench.order("a").legs == ()


@pytest.mark.parametrize("restarts", [False, True])
def test_a_leg_that_was_taken_back_stays_with_the_entry_that_was_replaced(*, restarts: bool) -> None:
    bench = PaperBench()
    old = bench.send("a", limit_price="95", order_class=OrderClass.BRACKET, target_price="100", stop_loss_price="93")
    for leg in old.legs:
        if not bench.order("a").legs[0].status.is_final:
            bench.exchange.cancel(leg.id)
    if restarts:
        bench.restart()
    new = bench.exchange.replace(old.id, OrderChange(client_order_id="b", limit_price=D("94")))
    assert (len(new.legs), len(bench.order("a").legs)) == (0, 2)


def test_a_replaced_trail_keeps_its_mark() -> None:
    bench = PaperBench()
    old = bench.send("a", trail_price="2")
    bench.quote("94.9", "95")
    bench.exchange.replace(old.id, OrderChange(client_order_id="b", trail=D("1")))
    bench.quote("95.9", "96")
    assert bench.state("b")[0] == "filled"


@pytest.mark.parametrize(
    ("terms", "change", "reason"),
    [
        ({"limit_price": "99"}, {"stop_price": D(1)}, RefusalReason.INVALID_ORDER),
        ({"limit_price": "99"}, {"limit_price": D("99.001")}, RefusalReason.PRICE_INCREMENT),
        ({"limit_price": "99"}, {"time_in_force": T.OPG}, RefusalReason.TIME_IN_FORCE),
        ({"limit_price": "99"}, {"client_order_id": "a", "qty": D(1)}, RefusalReason.CLIENT_ORDER_ID_TAKEN),
    ],
)
def test_a_replacement_that_cannot_be_leaves_the_order_as_it_was(
    terms: dict[str, Any], change: dict[str, Any], reason: RefusalReason
) -> None:
    bench = PaperBench()
    old = bench.send("a", **terms)
    with pytest.raises(BrokerRefused) as refused:
        bench.exchange.replace(old.id, OrderChange(**{"client_order_id": "b", **change}))
    assert refused.value.reason is reason
    assert bench.order("a") == old
    assert bench.exchange.take().change is None


# --- what is not taken ------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], RefusalReason]] = [
    ({"qty": "101"}, RefusalReason.BUYING_POWER),
    ({"side": SELL}, RefusalReason.QUANTITY_HELD),
    ({"qty": "0.1234567891"}, RefusalReason.FRACTION),
    ({"qty": None, "notional": D("10.001")}, RefusalReason.FRACTION),
    ({"qty": None, "notional": D("10"), "limit_price": "5"}, RefusalReason.FRACTION),
    ({"limit_price": "99.123"}, RefusalReason.PRICE_INCREMENT),
    ({"symbol": "EUR/USD"}, RefusalReason.ASSET_UNKNOWN),
    ({"symbol": "BTC/USD", "time_in_force": T.CLS}, RefusalReason.TIME_IN_FORCE),
    ({"stop_price": "99", "time_in_force": T.OPG}, RefusalReason.TIME_IN_FORCE),
    ({"limit_price": "99", "time_in_force": T.GTD, "expires_ns": 1}, RefusalReason.TIME_IN_FORCE),
    ({"extended_hours": True}, RefusalReason.EXTENDED_HOURS),
    ({"limit_price": "99", "time_in_force": T.IOC, "extended_hours": True}, RefusalReason.EXTENDED_HOURS),
    ({"time_in_force": T.IOC, **BRACKET}, RefusalReason.TIME_IN_FORCE),
    ({"order_class": OrderClass.BRACKET, "target_price": "97", "stop_loss_price": "103"}, RefusalReason.INVALID_ORDER),
]


@pytest.mark.parametrize(("terms", "reason"), REFUSED, ids=str)
def test_what_cannot_be_is_refused_and_changes_nothing(terms: dict[str, Any], reason: RefusalReason) -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    with pytest.raises(BrokerRefused) as refused:
        bench.send("a", **terms)
    assert refused.value.reason is reason, refused.value.words
    assert bench.exchange.notes.ids == {}
    assert bench.exchange.take().change is None


def test_what_waits_is_judged_when_it_fills() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    bench.send("a", qty="120", stop_price="100.5")
    bench.quote("100.48", "100.52")
    assert bench.state("a")[0] == "rejected"


def test_a_margin_account_sells_short_and_buys_on_credit() -> None:
    bench = PaperBench(kind="margin")
    bench.quote("99.98", "100")
    assert bench.exchange.account().buying_power == 20_000
    bench.send("a", qty="150")
    account = bench.exchange.account()
    assert (account.cash, account.initial_margin > 7_400, account.maintenance_margin > 3_700) == (D(-5_000), True, True)
    with pytest.raises(BrokerRefused) as refused:
        bench.send("b", qty="60")
    assert refused.value.reason is RefusalReason.BUYING_POWER
    bench.send("flip", SELL, "200")
    (held,) = bench.exchange.positions()
    assert (held.qty, held.qty_available) == (D(-50), D(-50))


# --- what is told, and what is kept -----------------------------------------------------------------------


def test_each_step_is_told_once_and_kept_before() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100.02")
    bench.send("a")
    assert [update.event for update in bench.told] == ["new", "fill"]
    assert bench.told[-1].order == bench.order("a")
    assert [change.account.revision for change in bench.changes] == [1]
    bench.quote("99.98", "100.03")
    assert len(bench.changes) == 1  # nothing happened: nothing is written


def test_a_new_day_begins_with_the_equity_of_the_old() -> None:
    bench = PaperBench()
    bench.quote("99.98", "100")
    bench.send("a")
    bench.quote("104", "106")
    bench.at("2023-11-15T00:00:00Z")
    assert bench.exchange.account().last_equity == D(10_000) + 10 * 5
    bench.restart()
    assert bench.exchange.account().last_equity == 10_050
