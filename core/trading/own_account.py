"""Whether a run's own money and positions bear an order, before it leaves: by the rules of the account that it would have in a backtest.

Several runs, and a person, share an account: without this a run would spend the money of the others and sell what they hold.
Source: docs/risk.md, docs/simulation.md ("Account").
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal, localcontext
from typing import Final

from core.matching.ledger import Ledger
from core.matching.ledger import Refusal as NotBorne
from core.model.money import MONEY_CONTEXT, ZERO, plain
from core.model.order import OrderRequest, OrderSide, OrderType, RejectCode
from core.trading.risk import Refusal

RULE: Final = "the run's own account"
_DUST: Final = Decimal("0.001")
"""Which share of a position may be missing in the account, and is dust."""


def what_is_not_borne(request: OrderRequest, own: Ledger, working: Iterable[OrderRequest], prices: Mapping[str, Decimal]) -> Refusal | None:
    """Return why the order must not leave, or None. `own`: the run's account now, which is changed.

    Market orders on their way count as filled, at the last prices. No money is held back for orders that wait, as in a backtest; a
    sell that waits may be over what buys on their way or waiting will bring. What only takes off the position always leaves.
    """
    with localcontext(MONEY_CONTEXT):
        for other in working:
            if _counts(other, request):
                own.take(other.symbol, other.side, other.qty, _price(other, prices), ZERO)
        if request.reduce_only or own.closing_part(request.symbol, request.side, request.qty) == request.qty:
            return None
        try:
            own.book(request.symbol, request.side, request.qty, _price(request, prices), ZERO)
        except NotBorne as not_borne:
            return Refusal(code=not_borne.code, rule=RULE, limit=not_borne.reason.removesuffix("."), figure="")
    return None


def what_was_closed_outside(request: OrderRequest, held: Decimal, working: Iterable[OrderRequest], there: Decimal) -> Refusal | None:
    """Return why an order that closes a run's position must not leave, or None: more than what the account has of it would open.

    `held`: the run's units, signed; `there`: those of them that the account has. Market orders on their way count as filled.
    """
    gone = abs(held - there)
    closed, left = _closed_and_left(request, held, working, gone)
    if not gone or closed <= left:
        return None
    words = f"{plain(gone)} {request.symbol} of this run were closed outside, and {plain(left)} {request.symbol} are left to be closed"
    return Refusal(code=RejectCode.INSUFFICIENT_POSITION, rule=RULE, limit=words, figure="")


def without_dust(request: OrderRequest, held: Decimal, working: Iterable[OrderRequest], there: Decimal) -> Decimal:
    """Return over how many units an order is to leave: over what is there, where it closes more and next to nothing of that is missing.

    What is missing up to a thousandth of the position is dust: rounding, at the broker or in a transfer. Beside it a run can close what
    it has; anything larger was closed by somebody, and whoever decided does not know it (`what_was_closed_outside`).
    """
    gone = abs(held - there)
    closed, left = _closed_and_left(request, held, working, gone)
    is_dust = ZERO < gone <= abs(held) * _DUST
    return left if is_dust and closed == request.qty > left > ZERO else request.qty


def _closed_and_left(request: OrderRequest, held: Decimal, working: Iterable[OrderRequest], gone: Decimal) -> tuple[Decimal, Decimal]:
    """Return what the order closes of the run's position, and what of that the account has."""
    after = held + sum((one.qty * one.side.sign for one in working if _is_on_its_way(one, request.symbol)), ZERO)
    closed = min(request.qty, abs(after)) if after * request.side.sign < 0 else ZERO
    return closed, max(ZERO, abs(after) - gone)


def _is_on_its_way(other: OrderRequest, symbol: str) -> bool:
    return other.type is OrderType.MARKET and other.symbol == symbol


def _counts(other: OrderRequest, request: OrderRequest) -> bool:
    if other.type is OrderType.MARKET:
        return True
    is_waiting_sell = request.side is OrderSide.SELL and request.type is not OrderType.MARKET
    return is_waiting_sell and other.side is OrderSide.BUY and other.symbol == request.symbol


def _price(request: OrderRequest, prices: Mapping[str, Decimal]) -> Decimal:
    """Return what an order would pay; without any price known only the units are judged."""
    return request.limit_price or request.stop_price or prices.get(request.symbol, ZERO)
