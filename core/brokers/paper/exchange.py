"""The paper account's exchange: what its owner may ask of it.

It decides and remembers; `take` gives what has changed, to be committed before anybody is told. No I/O, no waiting.
"""

from collections.abc import Iterable
from decimal import localcontext

import msgspec

from core.brokers.paper import orders as rows
from core.brokers.paper.actions import apply_actions
from core.brokers.paper.checks import check_order, check_restriction, refused, unbearable
from core.brokers.paper.family import new_family, replacement, take_place
from core.brokers.paper.floor import Floor
from core.brokers.paper.margin import settle
from core.brokers.paper.notebook import Step
from core.brokers.paper.valuation import account_of, positions_of
from core.matching.ledger import Refusal
from core.matching.orders import WorkingOrder
from core.model.broker import Account, BrokerOrder, BrokerOrderRequest, BrokerPosition, OrderChange, OrderClass, RefusalReason
from core.model.corporate_action import CorporateAction
from core.model.market import asset_class_of
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import OrderSide, OrderStatus, OrderType, TimeInForce


class PaperExchange(Floor):
    """One account's orders, money and holdings. Whoever calls it has entered no context: money is exact inside."""

    # --- questions ---

    def account(self) -> Account:
        """Return the account's money."""
        with localcontext(MONEY_CONTEXT):
            return account_of(self.notes.account, self.ledger)

    def positions(self) -> list[BrokerPosition]:
        """Return what is held, by symbol."""
        with localcontext(MONEY_CONTEXT):
            return positions_of(self.ledger, self.standings, self.open.values())

    def symbols(self) -> set[str]:
        """Return what its orders and holdings are of."""
        return {order.symbol for order in self.open.values()} | {one.symbol for one in self.ledger.open_positions()}

    def open_orders(self) -> list[BrokerOrder]:
        """Return every order that can still fill, newest first, legs inside their entry; a trailing stop with where it stands."""
        with localcontext(MONEY_CONTEXT):
            return [self._as_it_stands(order) for order in self.notes.open_orders()]

    def _as_it_stands(self, order: BrokerOrder) -> BrokerOrder:
        legs = tuple(map(self._as_it_stands, order.legs))
        stop = self.open[order.id].stop_now() if order.type is OrderType.TRAILING_STOP and order.id in self.open else None
        return order if stop is None and legs == order.legs else msgspec.structs.replace(order, legs=legs, trigger_price=stop)

    def working(self) -> list[str]:
        """Return the ids of its owner's orders that can still fill, legs that wait included."""
        return [order_id for order_id in self.open if not self.notes.orders[order_id].order.liquidates]

    # --- what is asked of it ---

    def submit(self, request: BrokerOrderRequest) -> BrokerOrder:
        """Take an order, and fill it at once where the standing quote allows. Raises BrokerRefused; then nothing has changed."""
        with localcontext(MONEY_CONTEXT):
            self.elapse()
            check_order(request, self.hours, self.notes.now_ns(), self.notes.ids)
            held = self.ledger.held(request.symbol)
            if request.order_class is OrderClass.OCO and held * request.side.sign >= 0:
                raise refused(RefusalReason.QUANTITY_HELD, "an oco closes a position, and there is none", status=403, code=40310000)
            check_restriction(request, self.ledger)
            self._check_means(request)
            self._take(request)
            self.meet(request.symbol)
            return self.notes.listed(self.notes.ids[request.client_order_id])

    def cancel(self, order_id: str) -> None:
        """Take an order back, and the one that it is paired with. Raises BrokerRefused where there is nothing to take back."""
        with localcontext(MONEY_CONTEXT):
            self.elapse()
            order = self._found(order_id)
            self.end(order, OrderStatus.CANCELLED)
            if order.sibling is not None and not order.sibling.gone:
                self.end(order.sibling, OrderStatus.CANCELLED)

    def replace(self, order_id: str, change: OrderChange) -> BrokerOrder:
        """Make a new order of what is left of an old one. Fills stay with the old, its mark moves on. Raises BrokerRefused."""
        with localcontext(MONEY_CONTEXT):
            self.elapse()
            old, now_ns = self._found(order_id), self.notes.now_ns()
            if change.client_order_id in self.notes.ids:
                raise refused(RefusalReason.CLIENT_ORDER_ID_TAKEN, "client_order_id must be unique", code=40010001)
            row = replacement(self.notes.orders[order_id], old, change, self.notes.next_id(), self.notes.next_number(), now_ns)
            if change.time_in_force is not None:
                live_ns, dead_ns = self.life(row.order)
                row = msgspec.structs.replace(row, live_from_ns=live_ns, dead_from_ns=dead_ns)
            new = rows.working(row)
            take_place(old, new)
            self.gone(old)
            self.notes.end(old.id, OrderStatus.CANCELLED, word="replaced", replaced_by=new.id)
            self.notes.add(row)
            self.admit(new)
            for other in (*new.legs, new.sibling):
                if other is not None and not other.gone:  # what is over stays with what it belonged to
                    self.notes.relink(other.id, old.id, new.id)
            self.meet(new.symbol)
            return self.notes.listed(new.id)

    def apply(self, actions: Iterable[CorporateAction], today: int) -> None:
        """Apply the splits and dividends up to `today`, days since 1970, that were not applied yet."""
        with localcontext(MONEY_CONTEXT):
            apply_actions(self, actions, today)
            self.elapse()

    def settle(self) -> None:
        """See whether the account still has what its positions ask for: once all that the market did at one time is met."""
        with localcontext(MONEY_CONTEXT):
            settle(self)

    def take(self) -> Step:
        """Return what has changed since the last time, and what is to be told of it once it is committed."""
        with localcontext(MONEY_CONTEXT):
            return self.notes.take(self.open, self.ledger)

    # --- taking an order ---

    def _check_means(self, request: BrokerOrderRequest) -> None:
        """Raise BrokerRefused for an order that would fill now and that the account cannot bear; others are judged when they fill."""
        price = self.offered(request.symbol, request.side, request.extended_hours)
        if price is None or request.type.has_stop or request.trail_price is not None or request.trail_percent is not None:
            return
        if request.time_in_force in {TimeInForce.OPG, TimeInForce.CLS}:
            return
        limit = request.limit_price
        if limit is not None and (price > limit if request.side is OrderSide.BUY else price < limit):
            return
        qty = request.qty if request.qty is not None else (request.notional or ZERO) / price
        try:
            self.ledger.copy().book(request.symbol, request.side, qty, price, ZERO)
        except Refusal as refusal:
            closes = self.ledger.closing_part(request.symbol, request.side, qty)
            if not closes or closes == qty or not self.ledger.is_margin:
                raise unbearable(refusal) from refusal

    def _take(self, request: BrokerOrderRequest) -> None:
        notes = self.notes
        order = rows.new_order(request, notes.next_id(), notes.now_ns())
        self.classes[order.symbol] = asset_class_of(order.symbol)
        family = {one.order.id: one for one in new_family(request, order, notes.next_number(), self.life(order), notes.next_id)}
        made = {id_: rows.working(one) for id_, one in family.items()}
        rows.relate(made, family)
        for one in family.values():
            notes.add(one)
        for working in made.values():
            self.admit(working)

    def _found(self, order_id: str) -> WorkingOrder:
        if order_id not in self.notes.orders:
            raise refused(RefusalReason.ORDER_UNKNOWN, "order not found", status=404, code=40410000)
        if order_id not in self.open:
            word = self.notes.orders[order_id].order.broker_status
            raise refused(RefusalReason.ORDER_FINAL, f'order is already in "{word}" state')
        if self.notes.orders[order_id].order.liquidates:
            raise refused(RefusalReason.INVALID_ORDER, "an order of a margin call works until its position is closed")
        return self.open[order_id]
