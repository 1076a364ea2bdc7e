"""The risk gate: for each rule, orders below its limit, at it and above it."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.errors import InvalidValue
from core.model.instants import MINUTE_NS, SECOND_NS
from core.model.order import OrderRequest, OrderSide, OrderType, RejectCode
from core.model.risk import RiskLimits, SwitchLevel
from core.trading.risk import Sent, Situation, judge

D = Decimal
NOW = 1_000 * MINUTE_NS
CALM = Situation(
    now_ns=NOW,
    equity=D(10_000),
    day_start_equity=D(10_000),
    peak_equity=D(10_000),
    prices={"DEMO": D(100), "OTHER": D(50)},
)


def order(qty: str = "1", side: str = "buy", symbol: str = "DEMO", limit: str | None = None) -> OrderRequest:
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    return OrderRequest(symbol=symbol, side=OrderSide(side), qty=D(qty), type=kind, limit_price=None if limit is None else D(limit))


def stop(qty: str, side: str, price: str, limit: str | None = None) -> OrderRequest:
    kind = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    return OrderRequest(
        symbol="DEMO", side=OrderSide(side), qty=D(qty), type=kind, stop_price=D(price), limit_price=None if limit is None else D(limit)
    )


def trailing(qty: str, side: str, percent: str) -> OrderRequest:
    return OrderRequest(symbol="DEMO", side=OrderSide(side), qty=D(qty), type=OrderType.TRAILING_STOP, trail_percent=D(percent))


def with_(**changes: Any) -> Situation:
    return msgspec.structs.replace(CALM, **changes)


def sent(seconds_ago: float, request: OrderRequest) -> Sent:
    return Sent(request, NOW - int(seconds_ago * SECOND_NS))


HELD = with_(positions={"DEMO": D(10)})
LOST = {"equity": D(9_000)}

CASES: list[tuple[str, dict[str, Any], Situation, OrderRequest, RejectCode | None]] = [
    ("qty below", {"max_order_qty": D(10)}, CALM, order("9.99"), None),
    ("qty at", {"max_order_qty": D(10)}, CALM, order("10"), None),
    ("qty above", {"max_order_qty": D(10)}, CALM, order("10.01"), RejectCode.RISK_ORDER_QTY),
    ("value at the last price", {"max_order_value": D(1_000)}, CALM, order("10"), None),
    ("value above", {"max_order_value": D(1_000)}, CALM, order("10.01"), RejectCode.RISK_ORDER_VALUE),
    ("value at its own limit", {"max_order_value": D(1_000)}, CALM, order("10", limit="101"), RejectCode.RISK_ORDER_VALUE),
    ("value of a buy below the market", {"max_order_value": D(900)}, CALM, order("10", limit="90"), None),
    ("value of a sale below the market", {"max_order_value": D(999)}, CALM, order("10", "sell", limit="1"), RejectCode.RISK_ORDER_VALUE),
    ("value of a sale above", {"max_order_value": D(1_199)}, CALM, order("10", "sell", limit="120"), RejectCode.RISK_ORDER_VALUE),
    ("value of a sale without a price", {"max_order_value": D(9)}, CALM, order("1", "sell", "NEW", "1"), RejectCode.RISK_NO_PRICE),
    ("value of a stop that buys at once", {"max_order_value": D(999)}, CALM, stop("10", "buy", "1"), RejectCode.RISK_ORDER_VALUE),
    ("value of a stop that buys higher", {"max_order_value": D(1_199)}, CALM, stop("10", "buy", "120"), RejectCode.RISK_ORDER_VALUE),
    ("value of a stop with a limit", {"max_order_value": D(1_210)}, CALM, stop("10", "buy", "1", limit="121"), None),
    ("value of a stop that sells", {"max_order_value": D(1_000)}, CALM, stop("10", "sell", "90"), None),
    ("value of a buy that trails, at", {"max_order_value": D(1_050)}, CALM, trailing("10", "buy", "5"), None),
    ("value of a buy that trails, above", {"max_order_value": D(1_049)}, CALM, trailing("10", "buy", "5"), RejectCode.RISK_ORDER_VALUE),
    ("value of a sale that trails", {"max_order_value": D(1_000)}, CALM, trailing("10", "sell", "5"), None),
    ("share of a sale below the market", {"max_order_share": D("0.05")}, CALM, order("10", "sell", limit="1"), RejectCode.RISK_ORDER_SHARE),
    ("position of a stop above the market", {"max_position_value": D(1_500)}, HELD, stop("4", "buy", "120"), RejectCode.RISK_POSITION),
    ("position of a sale above", {"max_position_value": D(1_000)}, CALM, order("6", "sell", limit="200"), RejectCode.RISK_POSITION),
    ("position of a buy below the market", {"max_position_value": D(1_500)}, HELD, order("5", limit="1"), None),
    ("gross of a stop above the market", {"max_gross_exposure": D(1_500)}, HELD, stop("4", "buy", "120"), RejectCode.RISK_GROSS_EXPOSURE),
    ("value without a price", {"max_order_value": D(1_000)}, CALM, order("1", symbol="NEW"), RejectCode.RISK_NO_PRICE),
    ("share at", {"max_order_share": D("0.1")}, CALM, order("10"), None),
    ("share above", {"max_order_share": D("0.1")}, CALM, order("10.01"), RejectCode.RISK_ORDER_SHARE),
    ("share lets a closing order pass", {"max_order_share": D("0.01")}, HELD, order("10", "sell"), None),
    ("distance at, below the market", {"max_price_distance": D("0.05")}, CALM, order(limit="95"), None),
    ("distance at, above the market", {"max_price_distance": D("0.05")}, CALM, order(limit="105"), None),
    ("distance beyond", {"max_price_distance": D("0.05")}, CALM, order(limit="105.01"), RejectCode.RISK_PRICE_DISTANCE),
    ("distance of a market order", {"max_price_distance": D("0.05")}, CALM, order(), None),
    ("distance without a price", {"max_price_distance": D("0.05")}, CALM, order(symbol="NEW", limit="5"), RejectCode.RISK_NO_PRICE),
    ("position at", {"max_position_value": D(1_500)}, HELD, order("5"), None),
    ("position above", {"max_position_value": D(1_500)}, HELD, order("5.01"), RejectCode.RISK_POSITION),
    (
        "position counts what works",
        {"max_position_value": D(1_500)},
        with_(positions={"DEMO": D(10)}, working=(order("4"), order("9", "sell"))),
        order("2"),
        RejectCode.RISK_POSITION,
    ),
    ("position, closing", {"max_position_value": D(500)}, HELD, order("10", "sell"), None),
    ("position, through zero", {"max_position_value": D(500)}, HELD, order("16", "sell"), RejectCode.RISK_POSITION),
    (
        "gross at",
        {"max_gross_exposure": D(2_000)},
        with_(positions={"DEMO": D(10), "OTHER": D(-10)}),
        order("5"),
        None,
    ),
    (
        "gross above",
        {"max_gross_exposure": D(2_000)},
        with_(positions={"DEMO": D(10), "OTHER": D(-10)}),
        order("5.01"),
        RejectCode.RISK_GROSS_EXPOSURE,
    ),
    (
        "gross counts what works elsewhere",
        {"max_gross_exposure": D(1_000)},
        with_(working=(order("11", symbol="OTHER"),)),
        order("5"),
        RejectCode.RISK_GROSS_EXPOSURE,
    ),
    ("rate at", {"max_orders_per_minute": 2}, with_(sent=(sent(59, order()),)), order(), None),
    ("rate above", {"max_orders_per_minute": 2}, with_(sent=(sent(59, order()), sent(1, order()))), order(), RejectCode.RISK_ORDER_RATE),
    ("rate, a minute ago", {"max_orders_per_minute": 2}, with_(sent=(sent(60, order()), sent(1, order()))), order(), None),
    ("open at", {"max_open_orders": 2}, with_(working=(order(),)), order(), None),
    ("open above", {"max_open_orders": 2}, with_(working=(order(), order())), order(), RejectCode.RISK_OPEN_ORDERS),
    ("duplicate within", {"duplicate_window_s": 5.0}, with_(sent=(sent(4.9, order()),)), order(), RejectCode.RISK_DUPLICATE),
    ("duplicate at", {"duplicate_window_s": 5.0}, with_(sent=(sent(5, order()),)), order(), None),
    ("duplicate of another quantity", {"duplicate_window_s": 5.0}, with_(sent=(sent(1, order("2")),)), order(), None),
    (
        "duplicate with another note",
        {"duplicate_window_s": 5.0},
        with_(sent=(sent(1, msgspec.structs.replace(order(), note="first")),)),
        order(),
        RejectCode.RISK_DUPLICATE,
    ),
    ("loss below", {"max_daily_loss": D(1_001)}, with_(**LOST), order(), None),
    ("loss at", {"max_daily_loss": D(1_000)}, with_(**LOST), order(), RejectCode.RISK_DAILY_LOSS),
    ("loss, closing", {"max_daily_loss": D(1)}, with_(**LOST, positions={"DEMO": D(1)}), order("1", "sell"), None),
    ("loss, reversing", {"max_daily_loss": D(1)}, with_(**LOST, positions={"DEMO": D(1)}), order("2", "sell"), RejectCode.RISK_DAILY_LOSS),
    ("loss unknown", {"max_daily_loss": D(1_001)}, with_(unjudged="x"), order(), RejectCode.RISK_NO_PRICE),
    ("loss unknown, closing", {"max_daily_loss": D(1)}, with_(unjudged="x", positions={"DEMO": D(1)}), order("1", "sell"), None),
    ("loss unknown, no limit", {"max_order_qty": D(1_000)}, with_(unjudged="x"), order(), None),
    ("drawdown unknown", {"max_drawdown": D("0.11")}, with_(unjudged="x"), order(), RejectCode.RISK_NO_PRICE),
    ("drawdown unknown, closing", {"max_drawdown": D("0.1")}, with_(unjudged="x", positions={"DEMO": D(1)}), order("1", "sell"), None),
    ("drawdown below", {"max_drawdown": D("0.11")}, with_(**LOST), order(), None),
    ("drawdown at", {"max_drawdown": D("0.1")}, with_(**LOST), order(), RejectCode.RISK_DRAWDOWN),
    ("symbol allowed", {"symbols": ("DEMO",)}, CALM, order(), None),
    ("symbol not allowed", {"symbols": ("DEMO",)}, CALM, order(symbol="OTHER"), RejectCode.RISK_SYMBOL),
    ("no symbol allowed", {"symbols": ()}, CALM, order(), RejectCode.RISK_SYMBOL),
    ("in hours", {"regular_hours_only": True}, CALM, order(), None),
    ("out of hours", {"regular_hours_only": True}, with_(is_open=False), order(), RejectCode.RISK_HOURS),
    ("silence at", {"max_silence_s": 60.0}, with_(silent_s=60.0), order(), None),
    ("silence beyond", {"max_silence_s": 60.0}, with_(silent_s=60.1), order(), RejectCode.RISK_SILENCE),
    ("price age at", {"max_price_age_s": 90.0}, with_(price_times={"DEMO": NOW - 90 * SECOND_NS}), order(), None),
    ("price age beyond", {"max_price_age_s": 90.0}, with_(price_times={"DEMO": NOW - 91 * SECOND_NS}), order(), RejectCode.RISK_SILENCE),
    ("price age of no price", {"max_price_age_s": 90.0}, CALM, order(), RejectCode.RISK_NO_PRICE),
    ("not armed", {}, with_(is_armed=False), order(), RejectCode.RISK_NOT_ARMED),
    ("not compared", {}, with_(is_compared=False), order(), RejectCode.RISK_UNCOMPARED),
    ("not compared, closing", {}, with_(is_compared=False, positions={"DEMO": D(1)}), order("1", "sell"), None),
    ("halted", {}, with_(level=SwitchLevel.HALT), order(), RejectCode.RISK_HALTED),
    ("halted, closing", {}, with_(level=SwitchLevel.HALT, positions={"DEMO": D(1)}), order("1", "sell"), RejectCode.RISK_HALTED),
    ("flattened", {}, with_(level=SwitchLevel.FLATTEN), order(), RejectCode.RISK_HALTED),
    ("reduce only, opening", {}, with_(level=SwitchLevel.REDUCE_ONLY), order(), RejectCode.RISK_REDUCE_ONLY),
    ("reduce only, closing", {}, with_(level=SwitchLevel.REDUCE_ONLY, positions={"DEMO": D(2)}), order("2", "sell"), None),
    (
        "reduce only, closing twice",
        {},
        with_(level=SwitchLevel.REDUCE_ONLY, positions={"DEMO": D(2)}, working=(order("1", "sell"),)),
        order("2", "sell"),
        RejectCode.RISK_REDUCE_ONLY,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("limits", "situation", "request_", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_rule_at_below_and_above_its_limit(
    limits: dict[str, Any], situation: Situation, request_: OrderRequest, code: RejectCode | None
) -> None:
    refusals = judge(request_, RiskLimits(**limits), situation)
    assert [refusal.code for refusal in refusals] == ([] if code is None else [code])


def test_every_rule_is_off_until_it_is_switched_on() -> None:
    storm = with_(
        equity=D(1),
        positions={"DEMO": D(1_000_000)},
        working=(order(),) * 100,
        sent=(sent(0, order()),) * 100,
        is_open=False,
    )
    assert judge(order("1000000", limit="0.01"), RiskLimits(), storm) == ()


def test_a_refusal_names_rule_limit_and_figure() -> None:
    (refusal,) = judge(order("10.01"), RiskLimits(max_order_value=D(1_000)), CALM)
    assert refusal.sentence == "Risk rule order value: the limit is 1000, this order is 1001."


def test_all_broken_rules_are_named() -> None:
    limits = RiskLimits(max_order_qty=D(1), max_order_value=D(1), symbols=("OTHER",))
    assert [one.code for one in judge(order("2"), limits, CALM)] == [
        RejectCode.RISK_SYMBOL,
        RejectCode.RISK_ORDER_QTY,
        RejectCode.RISK_ORDER_VALUE,
    ]


@pytest.mark.parametrize(
    "limits",
    [{"max_order_qty": D(0)}, {"max_drawdown": D(-1)}, {"max_daily_loss": D("nan")}, {"max_open_orders": 0}, {"duplicate_window_s": 0.0}],
)
def test_a_limit_that_means_nothing_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        RiskLimits(**limits)


def test_every_code_of_the_gate_has_a_case() -> None:
    tried = {case[4] for case in CASES}
    assert {code for code in RejectCode if code.startswith("risk_")} <= tried
