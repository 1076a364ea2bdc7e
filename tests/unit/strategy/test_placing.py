"""What a strategy's words become: orders, their legs, sizes, pairs and changes."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidValue
from core.model.order import OrderLeg, OrderRequest, OrderSide, OrderType, TimeInForce
from core.strategy.api import CashSize, EquityShare, PlaceOneCancelsOther, ReplaceOrder, buy, cash, equity_share, leg, oco, sell
from core.strategy.placing import replaced
from core.strategy.requests import order_request

EXPIRY = datetime(2030, 1, 2, 15, 0, tzinfo=UTC)
EXPIRY_NS = 1_893_596_400 * 10**9


def test_a_plain_market_order() -> None:
    action = buy("SPY", 2, note="because")
    assert action.request == OrderRequest(symbol="SPY", side=OrderSide.BUY, qty=Decimal(2), note="because")
    assert (action.ref, action.size) == (None, None)
    assert sell("SPY", "1.5", ref="mine").ref == "mine"


@pytest.mark.parametrize(
    ("qty", "written"),
    [
        (1, "1"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        ("2.50", "2.50"),
        (Decimal("3.0"), "3.0"),
        (Decimal(3), "3"),
        (np.float64(0.25), "0.25"),
        (np.int64(7), "7"),
    ],
)
def test_a_quantity_is_taken_as_it_is_written(qty: Any, written: str) -> None:
    for terms in ({}, {"limit": 9}):
        assert str(buy("SPY", qty, **terms).request.qty) == written  # type: ignore[arg-type]


@pytest.mark.parametrize("qty", [0, -1, float("nan"), float("inf"), Decimal("NaN"), "many", None, [1], 1j])
def test_a_quantity_that_is_none_is_refused_by_name(qty: Any) -> None:
    for terms in ({}, {"limit": 9}):
        with pytest.raises(InvalidValue, match="qty"):
            buy("SPY", qty, **terms)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("terms", "type_", "prices"),
    [
        ({"limit": 10.5}, OrderType.LIMIT, ("10.5", None, None, None)),
        ({"stop": "9"}, OrderType.STOP, (None, "9", None, None)),
        ({"limit": 10, "stop": 9}, OrderType.STOP_LIMIT, ("10", "9", None, None)),
        ({"trail": 0.5}, OrderType.TRAILING_STOP, (None, None, "0.5", None)),
        ({"trail_percent": 5}, OrderType.TRAILING_STOP, (None, None, None, "5")),
    ],
)
def test_the_type_follows_from_the_prices(terms: Any, type_: OrderType, prices: tuple[str | None, ...]) -> None:
    for made in (buy("SPY", 1, **terms).request, leg(**terms)):
        assert made.type is type_
        given = (made.limit_price, made.stop_price, made.trail_price, made.trail_percent)
        assert tuple(None if price is None else str(price) for price in given) == prices


@pytest.mark.parametrize("life", list(TimeInForce))
def test_every_time_in_force_may_be_said(life: TimeInForce) -> None:
    expires = EXPIRY if life is TimeInForce.GTD else None
    request = buy("SPY", 1, limit=5, time_in_force=life.value, expires=expires).request
    assert request.time_in_force is life
    assert request.expires_ns == (EXPIRY_NS if expires else None)


@pytest.mark.parametrize("expires", [EXPIRY, EXPIRY_NS, np.int64(EXPIRY_NS)])
def test_an_expiry_makes_an_order_good_till_then(expires: Any) -> None:
    request = sell("SPY", 1, stop=5, expires=expires).request
    assert (request.time_in_force, request.expires_ns) == (TimeInForce.GTD, EXPIRY_NS)
    assert leg(stop=5, expires=expires).expires_ns == EXPIRY_NS


def test_the_flags_and_the_legs_reach_the_request() -> None:
    assert sell("SPY", 1, reduce_only=True).request.reduce_only
    assert buy("SPY", 1, limit=3, extended_hours=True).request.extended_hours
    request = buy("SPY", 1, target=110, stop_loss=leg(stop=95, limit=94.5, time_in_force="gtc")).request
    assert request.target == OrderLeg(type=OrderType.LIMIT, limit_price=Decimal(110))
    assert request.stop_loss == OrderLeg(
        type=OrderType.STOP_LIMIT, stop_price=Decimal(95), limit_price=Decimal("94.5"), time_in_force=TimeInForce.GTC
    )
    assert buy("SPY", 1, stop_loss=95).request.stop_loss == OrderLeg(type=OrderType.STOP, stop_price=Decimal(95))
    trailing = buy("SPY", 1, stop_loss=leg(trail_percent=3)).request.stop_loss
    assert trailing == OrderLeg(type=OrderType.TRAILING_STOP, trail_percent=Decimal(3))


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"limit": 0}, "limit_price"),
    ({"limit": "x"}, "limit_price"),
    ({"stop": -1}, "stop_price"),
    ({"stop": float("nan")}, "stop_price"),
    ({"trail": 1, "trail_percent": 1}, "trail_price"),
    ({"trail": 1, "limit": 5}, "limit_price"),
    ({"trail_percent": 100}, "trail_percent"),
    ({"time_in_force": "forever"}, "it must be one of day, gtc, gtd, ioc, fok, opg, cls"),
    ({"time_in_force": "gtd"}, "gtd needs it"),
    ({"time_in_force": "day", "expires": EXPIRY}, "goes with gtd"),
    ({"expires": EXPIRY.replace(tzinfo=None)}, "expires.*no time zone"),
    ({"expires": "tomorrow"}, "expires.*whole nanoseconds"),
    ({"expires": 1.5}, "expires.*whole nanoseconds"),
    ({"stop": 5, "time_in_force": "opg"}, "an auction takes market and limit orders"),
    ({"extended_hours": True}, "extended_hours"),
    ({"target": 0}, "target"),
    ({"target": "high"}, "target"),
    ({"target": 90, "stop_loss": 95}, "the target must lie above the stop loss"),
    ({"limit": 100, "target": 99}, "target.*above the buy price"),
    ({"limit": 100, "stop_loss": 101}, "stop_loss.*below the buy price"),
    ({"stop_loss": leg(limit=3)}, "stop_loss.*must be a stop"),
    ({"target": leg(stop=3)}, "target.*is a limit order"),
    ({"target": 110, "reduce_only": True}, "reduce_only"),
]


@pytest.mark.parametrize(("terms", "said"), IMPOSSIBLE)
def test_what_no_venue_would_take_is_refused_with_the_field_and_the_rule(terms: dict[str, Any], said: str) -> None:
    for size in (1, cash(100)):
        with pytest.raises(InvalidValue, match=said):
            buy("SPY", size, **terms)


@pytest.mark.parametrize(
    ("terms", "said"), [({}, "waits for a price"), ({"stop": 5, "time_in_force": "ioc"}, "an exit leg lives day, gtc or gtd")]
)
def test_a_leg_checks_itself(terms: Any, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        leg(**terms)


def test_a_misspelt_term_is_named() -> None:
    with pytest.raises(TypeError, match="limt"):
        buy("SPY", 1, limt=5)  # type: ignore[call-arg]


# --- sizes ---


def test_a_size_stands_beside_the_request() -> None:
    action = buy("SPY", cash(10_000), limit=5)
    assert action.size == CashSize(Decimal(10_000))
    assert action.request.limit_price == 5
    assert sell("SPY", equity_share(0.5)).size == EquityShare(Decimal("0.5"))


@pytest.mark.parametrize("size", [cash, equity_share])
@pytest.mark.parametrize("amount", [0, -1, float("nan"), "half"])
def test_a_size_is_above_zero(size: Any, amount: Any) -> None:
    with pytest.raises(InvalidValue, match=size.__name__):
        size(amount)


def test_a_share_is_no_percentage() -> None:
    with pytest.raises(InvalidValue, match=r"0\.5 is half"):
        equity_share(50)


# --- pairs ---


def test_a_pair_shares_symbol_side_and_quantity() -> None:
    pair = oco("SPY", "sell", 3, limit=110, stop=leg(trail=2, time_in_force="day"), time_in_force="gtc", reduce_only=True, note="out")
    assert isinstance(pair, PlaceOneCancelsOther)
    expected = {"reduce_only": True, "note": "out"}
    assert pair.first == order_request("SPY", OrderSide.SELL, 3, limit=110, time_in_force="gtc", **expected)  # type: ignore[arg-type]
    assert pair.second == order_request("SPY", OrderSide.SELL, 3, trail=2, time_in_force="day", **expected)  # type: ignore[arg-type]
    assert (pair.first_ref, pair.second_ref) == (None, None)


@pytest.mark.parametrize(
    ("side", "terms", "said"),
    [
        ("sell", {"limit": 90, "stop": 95}, "limit of a sell must lie above its stop"),
        ("buy", {"limit": 95, "stop": 90}, "limit of a buy must lie below its stop"),
        ("hold", {"limit": 90, "stop": 95}, "buy or sell"),
        ("sell", {"limit": leg(stop=5), "stop": 4}, "limit.*limit order"),
        ("sell", {"limit": 5, "stop": leg(limit=4)}, "stop.*must be a stop"),
        ("sell", {"limit": 5, "stop": 4, "time_in_force": "cls"}, "auction"),
    ],
)
def test_a_pair_that_makes_no_sense_is_refused(side: str, terms: Any, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        oco("SPY", side, 1, **terms)


def test_a_pair_takes_units_only() -> None:
    with pytest.raises(InvalidValue, match="qty"):
        oco("SPY", "sell", cash(5), limit=5, stop=4)  # type: ignore[arg-type]


# --- changes ---


def test_a_change_names_what_changes() -> None:
    assert replaced("o1", qty=3, limit=9.5, note="closer") == ReplaceOrder("o1", qty=Decimal(3), limit_price=Decimal("9.5"), note="closer")
    assert replaced("o1.stop", stop="4").stop_price == Decimal(4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "say what is to change"),
        ({"note": "only words"}, "say what is to change"),
        ({"qty": 0}, "qty"),
        ({"limit": -1}, "limit_price"),
        ({"stop": float("nan")}, "stop_price"),
        ({"trail": "x"}, "trail_price"),
        ({"trail_percent": 100}, "trail_percent"),
    ],
)
def test_an_impossible_change_is_refused(changes: Any, said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        replaced("o1", **changes)
