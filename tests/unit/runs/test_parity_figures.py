"""Figures of a parity by hand, and orders of which several ids are one to Greta."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.model.instants import SECOND_NS
from core.model.order import Fill, Order, OrderRequest, OrderSide, OrderStatus, OrderType, RejectCode, TimeInForce
from core.model.parity import Parity
from core.runs.parity import measured
from core.runs.run_inputs import first_id, refused_of

S, D = OrderStatus, Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL
NEVER = RejectCode.NEVER_SENT


def order(order_id: str, side: OrderSide = BUY, filled: str = "0", price: str | None = None, at_s: int = 0, **changes: Any) -> Order:
    made = Order(
        id=order_id,
        run_id="run",
        request=OrderRequest(symbol="SPY", side=side, qty=D(10)),
        time_in_force=TimeInForce.DAY,
        status=S.FILLED if D(filled) == 10 else S.CANCELLED,
        created_ns=at_s * SECOND_NS,
        updated_ns=at_s * SECOND_NS,
        filled_qty=D(filled),
        avg_fill_price=None if price is None else D(price),
    )
    return msgspec.structs.replace(made, **changes)


def refused(order_id: str, code: RejectCode = NEVER) -> Order:
    return order(order_id, SELL, status=S.REJECTED, reject_code=code, reason="no")


def fill(of: Order, at_s: float, qty: str, price: str) -> Fill:
    return Fill(
        id=f"{of.id}/{at_s}", run_id="run", order_id=of.id, symbol="SPY", side=of.request.side, qty=D(qty), price=D(price), fee=D(0),
        slippage=D(0), time_ns=round(at_s * SECOND_NS),
    )  # fmt: skip


def told(ours: list[Order], fills: list[Fill], theirs: list[Order]) -> Parity:
    return measured(Parity(run_id="run"), ours, fills, {one.id: one for one in theirs})


def test_slippage_and_delay_are_those_of_a_calculation_by_hand() -> None:
    bought, sold = order("run-1", BUY, "10", "101"), order("run-2", SELL, "10", "99", at_s=60)
    fills = [fill(bought, 1.5, "4", "100"), fill(bought, 3.5, "6", "101.6666"), fill(sold, 60.25, "10", "99")]
    found = told([bought, sold], fills, [order("run-1", BUY, "10", "100"), order("run-2", SELL, "10", "99.5")])
    costs = [(101 - 100) / 100 * 10_000, (99.5 - 99) / 99.5 * 10_000]  # what each order paid more, or got less
    assert found.slippage_bps == pytest.approx(sum(costs) / 2, rel=1e-12)
    assert found.worst_slippage_bps == pytest.approx(100, rel=1e-12)
    assert found.delay_s == pytest.approx((3.5 + 0.25) / 2)
    assert found.worst_delay_s == 3.5
    assert (found.compared_fills, found.fill_divergence) == (2, None)


def test_a_better_price_than_greta_s_is_below_zero() -> None:
    bought = order("run-1", BUY, "10", "99")
    assert told([bought], [fill(bought, 1, "10", "99")], [order("run-1", BUY, "10", "100")]).slippage_bps == pytest.approx(-100)


def test_the_first_order_that_fills_otherwise_is_named() -> None:
    part, none = order("run-1", BUY, "4", "100"), order("run-2", SELL, at_s=60)
    found = told([none, part], [fill(part, 1, "4", "100")], [order("run-1", BUY, "10", "100"), order("run-2", SELL, "10", "99")])
    assert found.fill_divergence is not None
    assert found.fill_divergence.sentence == "Order run-1 (buy SPY) did not fill alike. The run: 4 at 100. Greta: 10 at 100."
    assert found.compared_fills == 1
    assert found.is_same  # its decisions are


def test_what_filled_when_there_were_no_more_bars_is_held_against_nobody() -> None:
    late = order("run-1", BUY, "10", "100", at_s=60)
    ours, theirs = ([late], [fill(late, 61, "10", "100")]), {"run-1": order("run-1", BUY)}
    assert measured(Parity(run_id="run"), *ours, theirs, 60 * SECOND_NS).fill_divergence is None
    assert measured(Parity(run_id="run"), *ours, theirs, 120 * SECOND_NS).fill_divergence is not None


def test_an_exit_that_left_again_is_one_order_with_what_it_stands_for() -> None:
    lost, again = refused("run-2"), order("run-2.again", SELL, "10", "98", at_s=30)
    found = told([lost, again], [fill(again, 33, "10", "98")], [order("run-2", SELL, "10", "98")])
    assert (found.compared_fills, found.slippage_bps, found.fill_divergence) == (1, 0.0, None)
    assert found.delay_s == 33  # from when it was wanted
    first, rest = order("run-3", SELL, "4", "100"), order("run-3.again", SELL, "6", "95", at_s=10)
    both = told([first, rest], [fill(first, 1, "4", "100"), fill(rest, 12, "6", "95")], [order("run-3", SELL, "10", "97")])
    assert (both.slippage_bps, both.delay_s) == (0.0, 12)


@pytest.mark.parametrize(
    ("order_id", "first"),
    [
        ("run-7", "run-7"),
        ("run-7.again", "run-7"),
        ("run-7.again12", "run-7"),
        ("x.again.again2", "x"),
        ("x.stop.again3", "x.stop"),
    ],
)
def test_its_ids_lead_back_to_the_first(order_id: str, first: str) -> None:
    assert first_id(order_id) == first


def test_greta_refuses_what_was_refused_to_the_last_and_bears_what_was_taken_at_the_second_attempt() -> None:
    taken = [refused("run-1"), order("run-1.again", SELL)]
    filled = [order("run-2", SELL, "4", "100"), refused("run-2.again", RejectCode.BROKER_REFUSED)]
    never = [refused("run-3"), refused("run-3.again"), refused("run-3.again2", RejectCode.BROKER_REFUSED)]
    late = [refused(f"run-4{'.again' * bool(at)}{at if at > 1 else ''}") for at in range(12)]
    found = refused_of([*taken, *filled, *never, *late])
    assert {order_id: one.code for order_id, one in found.items()} == {"run-3": RejectCode.BROKER_REFUSED, "run-4": NEVER}


def test_an_order_that_waits_for_its_price_is_not_late() -> None:
    bid = order("run-1", BUY, "10", "99")
    bid = msgspec.structs.replace(bid, request=msgspec.structs.replace(bid.request, type=OrderType.LIMIT, limit_price=D(100)))
    sold = order("run-2", SELL, "10", "99", at_s=60)
    fills = [fill(bid, 3_600, "10", "99"), fill(sold, 60.25, "10", "99")]
    theirs = [order("run-1", BUY, "10", "100"), order("run-2", SELL, "10", "99")]
    found = told([bid, sold], fills, theirs)
    assert (found.compared_fills, found.delay_s, found.worst_delay_s) == (2, 0.25, 0.25)
    found = told([bid], fills[:1], theirs[:1])
    assert (found.compared_fills, found.delay_s, found.worst_delay_s) == (1, None, None)
    assert found.slippage_bps == pytest.approx(-100)
