"""Whether an order fills at a price that the path reached, how far it slips, and what it costs.

Source: docs/simulation.md, "Orders" and "Costs".
"""

from dataclasses import dataclass, field
from decimal import Decimal

from core.matching.fees import NoFee
from core.matching.ledger import Ledger, Refusal
from core.matching.orders import WorkingOrder
from core.matching.outcomes import Cancelled, Execution, Outcome, Refused
from core.matching.slippage import NoSlippage
from core.model.cost_models import FeeModel, Part, SlippageModel
from core.model.market import AssetClass, Bar
from core.model.money import ZERO, ceil_to, exact, floor_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """The models of a run: slippage, fee and limits; the instruments' ticks and classes by symbol."""

    slippage: SlippageModel
    fees: FeeModel
    ticks: dict[str, Decimal | None]
    classes: dict[str, AssetClass] = field(default_factory=dict)
    trade_through: bool = False
    may_reverse: bool = False
    """Whether the account may go through flat: then the closing part of a refused reversal fills all the same."""
    is_free: bool = field(init=False)
    never_slips: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_free", isinstance(self.fees, NoFee))
        object.__setattr__(self, "never_slips", isinstance(self.slippage, NoSlippage))

    def fill(
        self, order: WorkingOrder, here: Decimal, bar: Bar, ledger: Ledger, cap_left: Decimal | None, *, slips: bool, is_maker: bool
    ) -> list[Outcome]:
        """Fill what can be filled at `here` and book it; return what happened, nothing when the volume is used up.

        Changes the order's own state (`filled`, `gone`). An order that the account cannot bear is refused whole, but the part
        of a reversal that only closes fills.
        """
        if cap_left is not None and not cap_left and not order.is_fok:
            return []
        qty = wanted = order.open_qty
        if order.reduces:
            qty = ledger.closing_part(order.symbol, order.side, qty)
            if not qty or (order.is_fok and qty < wanted):
                return [_cancelled(order, "There is no position left to reduce." if not qty else "It could not fill whole.")]
        if cap_left is not None and cap_left < qty:
            if order.is_fok:
                return [_cancelled(order, "The bar's volume does not allow it to fill whole.")]
            qty = cap_left
        price = self._slipped(order, here, qty, bar) if slips else here
        refusal: Refusal | None = None
        fee = self._fee(order, qty, price, is_maker)
        try:
            ledger.book(order.symbol, order.side, qty, price, fee)
        except Refusal as refused:
            refusal = refused
            if order.is_fok:
                return [_cancelled(order, f"It could not fill whole. {refused.reason}")]
            closing = ledger.closing_part(order.symbol, order.side, qty)
            if not closing or closing == qty or not self.may_reverse:
                return [_refused(order, refused)]
            qty = closing
            price = self._slipped(order, here, qty, bar) if slips else here
            fee = self._fee(order, qty, price, is_maker)
            try:
                ledger.book(order.symbol, order.side, qty, price, fee)
            except Refusal:
                return [_refused(order, refused)]
        order.filled += qty
        order.filled_money += qty * price
        order.charged_qty += qty
        order.fees += fee
        complete = order.filled == order.qty
        order.gone = complete
        done: list[Outcome] = [Execution(order, qty, price, fee, abs(price - here) * qty if slips else ZERO, complete)]
        if refusal is not None:
            done.append(_refused(order, refusal))
        elif order.reduces and not complete and not ledger.closing_part(order.symbol, order.side, order.open_qty):
            done.append(_cancelled(order, "There is no position left to reduce."))
        return done

    def fill_market(self, order: WorkingOrder, bar: Bar, ledger: Ledger) -> Execution | Refused:
        """Fill a plain market order whole at the open: the commonest case, with nothing else going on.

        A cash account books no reversal, so what it refuses is refused whole.
        """
        price = here = Decimal(repr(bar.open))  # as `exact` does: a bar's price is a float already
        qty = order.qty
        slippage = fee = ZERO
        if not self.never_slips:
            price = self._slipped(order, here, qty, bar)
            slippage = abs(price - here) * qty
        if not self.is_free:
            fee = self._fee(order, qty, price, is_maker=False)
        try:
            ledger.book(order.symbol, order.side, qty, price, fee)
        except Refusal as refused:
            return _refused(order, refused)
        order.filled = qty
        order.gone = True
        return Execution(order, qty, price, fee, slippage, True)

    def _fee(self, order: WorkingOrder, qty: Decimal, price: Decimal, is_maker: bool) -> Decimal:
        if self.is_free:
            return ZERO
        asset_class = self.classes.get(order.symbol, AssetClass.EQUITY)
        return self.fees.fee(
            Part(order.symbol, asset_class, order.side, qty, price, is_maker, order.charged_qty, order.filled_money, order.fees)
        )

    def _slipped(self, order: WorkingOrder, here: Decimal, qty: Decimal, bar: Bar) -> Decimal:
        """Return the price slipped to the tick against the trader, inside the bar."""
        if self.never_slips:
            return here
        distance = self.slippage.distance(here, qty, exact(bar.volume))
        tick = self.ticks.get(order.symbol)
        if order.is_buy:
            return min(ceil_to(here + distance, tick), exact(bar.high))
        return max(floor_to(here - distance, tick), exact(bar.low))


def _cancelled(order: WorkingOrder, reason: str) -> Cancelled:
    order.gone = True
    return Cancelled(order, reason)


def _refused(order: WorkingOrder, refusal: Refusal) -> Refused:
    order.gone = True
    return Refused(order, refusal.code, refusal.reason)
