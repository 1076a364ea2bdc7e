"""Closing stays possible, and nothing is turned around: whatever works beside an order, and in whatever order all of it fills."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import permutations

from hypothesis import event, given
from hypothesis import strategies as st

from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, OrderType, RejectCode, TimeInForce
from core.model.risk import RiskLimits, SwitchLevel
from core.trading.risk import Own, Situation, closes, judge, only_reduces
from core.trading.working import beside
from tests.examples import examples

D = Decimal
TIGHT = RiskLimits(
    max_order_share=D("0.000001"), max_position_value=D("0.01"), max_gross_exposure=D("0.01"), max_daily_loss=D(1), max_drawdown=D("0.01")
)
SMALL = {
    RejectCode.RISK_ORDER_SHARE,
    RejectCode.RISK_POSITION,
    RejectCode.RISK_GROSS_EXPOSURE,
    RejectCode.RISK_DAILY_LOSS,
    RejectCode.RISK_DRAWDOWN,
    RejectCode.RISK_REDUCE_ONLY,
}
Book = tuple[Decimal, list[Order], Order, bool]
units = st.integers(1, 4).map(Decimal)


@st.composite
def requests(draw: st.DrawFn, side: OrderSide) -> OrderRequest:
    """A market order, or one that waits at a price; it may only reduce, and then what waits is an exit."""
    kind, only, qty = draw(st.sampled_from([OrderType.MARKET, OrderType.LIMIT, OrderType.STOP])), draw(st.booleans()), draw(units)
    return OrderRequest(
        symbol="DEMO",
        side=side,
        qty=qty,
        type=kind,
        limit_price=D(100) if kind is OrderType.LIMIT else None,
        stop_price=D(100) if kind is OrderType.STOP else None,
        time_in_force=draw(st.sampled_from([None, TimeInForce.CLS])) if kind is OrderType.MARKET else None,
        reduce_only=only,
    )


def made(order_id: str, request: OrderRequest, sibling_id: str | None = None) -> Order:
    return Order(
        id=order_id,
        run_id="run",
        request=request,
        time_in_force=TimeInForce.GTC,
        status=OrderStatus.ACCEPTED,
        created_ns=1,
        updated_ns=1,
        sibling_id=sibling_id,
    )


@st.composite
def books(draw: st.DrawFn) -> Book:
    """A position of either sign, what works beside it on either side, some of it in pairs, and an order; whether the market is open."""
    held = draw(st.integers(-6, 6).map(Decimal))
    sides = st.sampled_from(list(OrderSide))
    working: list[Order] = []
    for number in range(draw(st.integers(0, 3))):
        request = draw(requests(draw(sides)))
        if request.type is OrderType.MARKET or draw(st.booleans()):
            working.append(made(f"w{number}", request))
        else:
            other = OrderRequest(
                symbol="DEMO", side=request.side, qty=draw(units), type=OrderType.LIMIT, limit_price=D(90), reduce_only=request.reduce_only
            )
            working += [made(f"w{number}", request, f"w{number}b"), made(f"w{number}b", other, f"w{number}")]
    order = made("new", draw(requests(draw(sides))))
    singles = [one for one in working if one.sibling_id is None and one.request.type is not OrderType.MARKET]
    if order.request.type is not OrderType.MARKET and singles and draw(st.booleans()):
        twin = draw(st.sampled_from(singles))
        working[working.index(twin)] = made(twin.id, twin.request, "new")
        same = {"side": twin.request.side, "reduce_only": twin.request.reduce_only}
        order = made("new", OrderRequest(**({key: getattr(order.request, key) for key in order.request.__struct_fields__} | same)), twin.id)
    return held, working, order, draw(st.booleans())


def situation(book: Book, level: SwitchLevel = SwitchLevel.OFF) -> Situation:
    """As the desk makes it, of an account that has lost more than any limit bears."""
    held, working, order, is_open = book
    siblings = {one.id: one.sibling_id for one in working if one.sibling_id is not None}
    orders, twins = beside({one.id: one.request for one in working}, siblings, order, {})
    return Situation(
        now_ns=1,
        equity=D(100),
        day_start_equity=D(10_000),
        peak_equity=D(10_000),
        positions={"DEMO": held},
        prices={"DEMO": D(100)},
        working=orders,
        twins=twins,
        is_open=is_open,
        level=level,
        own=Own(positions={"DEMO": held}, working=orders),
    )


def fills_at_once(request: OrderRequest, is_open: bool) -> bool:
    return request.type is OrderType.MARKET and not request.is_auction and is_open


def may_open_later(request: OrderRequest, is_open: bool) -> bool:
    return not request.reduce_only and not fills_at_once(request, is_open)


def is_exit(request: OrderRequest) -> bool:
    return request.reduce_only and request.type is not OrderType.MARKET


def after(held: Decimal, filling: Iterable[Order]) -> Decimal:
    """Return the position once orders filled in turn: what only reduces, no more than is held; of a pair the first alone."""
    filled: set[str | None] = set()
    for each in filling:
        if each.sibling_id in filled:
            continue
        filled.add(each.id)
        qty = each.request.qty
        if each.request.reduce_only:
            qty = min(qty, max(D(0), -held * each.request.side.sign))
        held += qty * each.request.side.sign
    return held


@examples(200)
@given(books())
def test_nothing_that_passes_as_closing_can_turn_the_position_around(book: Book) -> None:
    held, working, order, is_open = book
    if not closes(order.request, situation(book)):
        return
    event("closes beside others" if working else "closes alone")
    same = [order, *(one for one in working if one.request.side is order.request.side)]
    at_once = [one for one in same if fills_at_once(one.request, is_open)]
    later = [one for one in same if one not in at_once]
    for first in permutations(at_once):
        for count in range(len(later) + 1):
            for then in permutations(later, count):
                assert after(held, (*first, *then)) * held >= 0


@examples(200)
@given(books())
def test_an_order_that_only_takes_off_beside_market_orders_and_exits_passes_every_limit_on_losses_and_exposure(book: Book) -> None:
    held, working, order, is_open = book
    side = order.request.side
    # Counted anew, unlike the gate does it: all that is on the order's side and no exit, of each pair the larger.
    pairs: dict[str, Decimal] = {}
    for one in (*working, order):
        if one.request.side is side and (one is order or not is_exit(one.request)):
            key = min(one.id, one.sibling_id or one.id)
            pairs[key] = max(pairs.get(key, D(0)), one.request.qty)
    takes_off = held * side.sign < 0 and sum(pairs.values()) <= abs(held)
    same = [one.request for one in (order, *working) if one.request.side is side]
    if not takes_off or any(may_open_later(one, is_open) for one in same):
        return
    event("has exits beside it" if any(is_exit(one.request) and one.request.side is side for one in working) else "has none")
    assert judge(order.request, TIGHT, situation(book, SwitchLevel.REDUCE_ONLY)) == ()


@examples(200)
@given(books())
def test_what_opens_or_turns_around_passes_none_of_them(book: Book) -> None:
    held, _, order, _ = book
    if held * order.request.side.sign < 0 and order.request.qty <= abs(held):
        return
    codes = {one.code for one in judge(order.request, TIGHT, situation(book, SwitchLevel.REDUCE_ONLY))}
    assert codes >= SMALL - {RejectCode.RISK_POSITION, RejectCode.RISK_GROSS_EXPOSURE}
    assert not only_reduces(order.request, situation(book))
