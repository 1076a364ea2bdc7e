"""Exits that a person gives a position that is held: a target, a stop loss, or both, of which one cancels the other.

They are over no more than is held and nothing closes yet. As a pair they leave as one order where the broker takes that, which minds
them then; elsewhere the program does (`core.runs.families`). From then on they are exits as any: they make way, and are owed.
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal, localcontext
from typing import Final
from uuid import uuid4

import msgspec

from core.errors import InvalidValue, UnknownName
from core.events.envelope import Envelope, envelope
from core.events.live_payloads import OrderAskedByHand
from core.model.hand import AS_ONE_ORDER, EACH_BY_ITSELF, NOW, OUTSIDE, ExitsPreview, HandExits, RiskVerdict
from core.model.market import parse_symbol
from core.model.money import MONEY_CONTEXT, ZERO, plain
from core.model.order import Order, OrderRequest, OrderSide, OrderType, TimeInForce
from core.runs.closing_side import ClosingSide
from core.runs.holdings import Holdings
from core.runs.owed import Key
from core.runs.owed_exits import OwedExits
from core.trading.pairs import fits_as_pair
from core.trading.seat import Waiting
from core.trading.sending import what_cannot_be_sent
from core.trading.service import AccountDesk, Intent

_LIVES: Final = (TimeInForce.GTC, TimeInForce.DAY)
"""How long exits live where nothing is said: the first of these that the broker takes."""
Make = Callable[[OrderRequest, str], Order]
"""Returns an order of a run as one that has not left yet."""
Price = Callable[[str, OrderSide], Awaitable[Decimal | None]]
"""Returns what an order on a side would get at the market now; None where nobody knows."""


class Exits:
    """Of one account."""

    def __init__(self, desk: AccountDesk, owed: OwedExits, make: Make, price: Price) -> None:
        self._desk = desk
        self._owed = owed
        self._make = make
        self._price = price
        self._side = ClosingSide(desk.state)
        self._holdings: Final = Holdings(desk.state)

    def open_qty(self, symbol: str, owner_id: str) -> Decimal:
        """Return over how many units of a position nothing works that closes it, or will."""
        held = self._holdings.of(symbol, owner_id)
        if not held:
            return ZERO
        key = self._key(symbol, owner_id, held)
        taken = self._side.qty(*key) + self._owed.owed_qty(key) + self._waiting_qty(key)
        if owner_id in {OUTSIDE, key.run_id} and key.run_id == self._holdings.hand_run_id:
            # What is over more than the person's own stands for what is held outside.
            own = max(ZERO, -key.side.sign * self._holdings.of(symbol, key.run_id))
            taken = max(ZERO, taken - own) if owner_id == OUTSIDE else min(taken, own)
        return max(ZERO, abs(held) - taken)

    async def preview(self, exits: HandExits) -> ExitsPreview:
        """Return what they would be. Nothing is sent, committed or counted. Raises InputError for what cannot be."""
        key, price = await self._checked(exits)
        orders, open_qty = self._orders(exits, key)
        position = self._desk.state.books.get(exits.owner_id)
        cost = None if position is None else position.position(key.symbol).avg_price

        def makes(at: Decimal | None) -> Decimal | None:
            if at is None or cost is None:
                return None
            with localcontext(MONEY_CONTEXT):
                return (cost - at) * key.side.sign * orders[0].request.qty

        verdicts: dict[str, RiskVerdict] = {}
        for at in range(len(orders)):
            verdicts |= {one.sentence: one for one in self._verdicts(orders, at)}
        return ExitsPreview(
            exits=exits,
            side=key.side,
            qty=orders[0].request.qty,
            open_qty=open_qty,
            price=price,
            at_target=makes(exits.target_price),
            at_stop_loss=makes(exits.stop_loss_price),
            verdicts=tuple(verdicts.values()),
            exits_leave=NOW if len(orders) == 1 else AS_ONE_ORDER if self._is_one(orders) else EACH_BY_ITSELF,
        )

    async def place(self, exits: HandExits) -> tuple[Order, ...]:
        """Commit and send them, and return their rows: the gate lets all of them leave, or refuses all.

        Raises InputError for what cannot be, and where the gate would let one of a pair leave without the other; StoreError.
        """
        key, _ = await self._checked(exits)
        async with self._owed.closing(key):  # a closing that is under way decides first what is held and over how much exits may be
            orders, _ = self._orders(exits, key)
            self._check_both(orders)
            waiting = self._minds(key.run_id)
            if waiting is not None and len(orders) == 2:
                waiting.pair(orders[0].id, orders[1].id)
            asked = [asked_by_hand(order, "place") for order in orders]
            intents = [Intent(order=order, caused_by=event.id) for order, event in zip(orders, asked, strict=True)]
            await self._desk.place(intents, asked)
        return tuple(self._desk.state.lives[order.id].order for order in orders)

    # --- what is asked for ---

    async def _checked(self, exits: HandExits) -> tuple[Key, Decimal | None]:
        """Return whose position it is, and where the market is. Raises InputError."""
        symbol = parse_symbol(exits.symbol)
        held = self._holdings.of(symbol, exits.owner_id)
        if not held:
            raise InvalidValue(symbol, "given exits", "nothing of it is held.")
        key = self._key(symbol, exits.owner_id, held)
        if key.run_id not in self._desk.state.books:
            raise UnknownName("run at this account", key.run_id, self._desk.state.books)
        price = await self._price(symbol, key.side)
        _check_prices(exits, key, price)
        return key, price

    def _orders(self, exits: HandExits, key: Key) -> tuple[list[Order], Decimal]:
        """Return them as orders that have not left, the stop loss first, and how much they could be over. Raises InvalidValue."""
        open_qty = self.open_qty(key.symbol, exits.owner_id)
        held = abs(self._holdings.of(key.symbol, exits.owner_id))
        if not open_qty:
            words = "orders that close it are over all of it already, or are owed to it; change or cancel those."
            raise InvalidValue(key.symbol, "given exits", words if held else "nothing of it is held.")
        qty = open_qty if exits.qty is None else exits.qty
        if qty > open_qty:
            rule = f"{plain(held)} are held, and orders that close them are over all but {plain(open_qty)}."
            raise InvalidValue("The quantity", plain(qty), f"the position is {plain(held)}." if open_qty == held else rule)
        orders = self._made(exits, key, qty)
        if len(orders) == 2:
            if exits.owner_id == OUTSIDE:
                rule = "what no order of ours bought takes one of the two, as no broker minds a pair over it; give a target or a stop loss."
                raise InvalidValue(key.symbol, "given both exits", rule)
            if not self._is_one(orders) and self._minds(key.run_id) is None:
                rule = "its run is over, and the broker does not take them as one order: nobody would mind the pair; give one of them."
                raise InvalidValue(key.symbol, "given both exits", rule)
        return orders, open_qty

    def _made(self, exits: HandExits, key: Key, qty: Decimal) -> list[Order]:
        terms = {
            OrderType.STOP: ("stop_price", exits.stop_loss_price),
            OrderType.LIMIT: ("limit_price", exits.target_price),
        }
        plain_request = OrderRequest(
            symbol=key.symbol, side=key.side, qty=qty, reduce_only=exits.owner_id != OUTSIDE, note=exits.note or "exit by hand"
        )
        requests = [
            msgspec.structs.replace(plain_request, type=type_, **{term: price})
            for type_, (term, price) in terms.items()
            if price is not None
        ]
        time_in_force = exits.time_in_force or self._life(requests)
        orders = [self._make(msgspec.structs.replace(request, time_in_force=time_in_force), key.run_id) for request in requests]
        if len(orders) == 1:
            return orders
        ids = [order.id for order in orders]
        return [msgspec.structs.replace(order, sibling_id=ids[1 - at]) for at, order in enumerate(orders)]

    def _life(self, requests: Sequence[OrderRequest]) -> TimeInForce:
        features = self._desk.state.features
        fitting = (life for life in _LIVES if all(what_cannot_be_sent(one, life, features) is None for one in requests))
        return next(fitting, _LIVES[0])

    def _check_both(self, orders: Sequence[Order]) -> None:
        """Raise InvalidValue where the gate would let one of two leave and not the other: half a pair is not what was asked for."""
        if all(self._desk.verdicts(order) for order in orders):
            return  # they are refused, which is told of each
        verdicts = [one for at in range(len(orders)) for one in self._verdicts(orders, at)]
        if verdicts:
            raise InvalidValue(orders[0].request.symbol, "given both exits", verdicts[0].sentence)

    def _verdicts(self, orders: Sequence[Order], at: int) -> tuple[RiskVerdict, ...]:
        return self._desk.verdicts(orders[at], before=orders[:at])

    def _is_one(self, orders: Sequence[Order]) -> bool:
        stop, target = orders
        return fits_as_pair(target, stop, self._desk.state.features)

    # --- what there is ---

    def _key(self, symbol: str, owner_id: str, held: Decimal) -> Key:
        run_id = self._holdings.hand_run_id if owner_id == OUTSIDE else owner_id
        return Key(run_id, symbol, OrderSide.SELL if held > 0 else OrderSide.BUY)

    def _waiting_qty(self, key: Key) -> Decimal:
        """Return over how many units exits will be that wait until their entry is over, by what it has filled so far."""
        waiting = self._minds(key.run_id)
        if waiting is None:
            return ZERO
        lives = self._desk.state.lives
        fitting = [order for order in waiting.waiting_orders() if (order.request.symbol, order.request.side) == key[1:]]
        entries = {life.order.id: life for order in fitting if (life := lives.get(order.parent_id or "")) is not None}
        return sum((life.known_qty for life in entries.values()), ZERO)

    def _minds(self, run_id: str) -> Waiting | None:
        """Return who minds the pairs of a run; None: nobody does now."""
        seat = self._desk.state.seats.get(run_id)
        return None if seat is None else seat.waiting


def asked_by_hand(order: Order, what: str) -> Envelope:
    """Return the event by which a person asked for an order; `what`: see `OrderAskedByHand`."""
    return envelope(
        OrderAskedByHand(order_id=order.id, what=what),
        id=uuid4().hex,
        ts=order.created_ns,
        producer="trading",
        run_id=order.run_id,
        corr_id=order.run_id,
    )


def _check_prices(exits: HandExits, key: Key, price: Decimal | None) -> None:
    """Raise InvalidValue where a pair is the wrong way round, or one of them would fill as soon as it is there."""
    sign, target, stop = key.side.sign, exits.target_price, exits.stop_loss_price
    beyond, short_of = ("above", "below") if key.side is OrderSide.SELL else ("below", "above")
    if target is not None and stop is not None and (target - stop) * sign >= 0:
        raise InvalidValue("The target", plain(target), f"it must be {beyond} the stop loss, which is {plain(stop)}.")
    if price is None:
        return
    words = f"{key.symbol} is at {plain(price)}, where it would fill at once"
    if target is not None and (target - price) * sign >= 0:
        raise InvalidValue("The target", plain(target), f"{words}; it must be {beyond} that, or close the position instead.")
    if stop is not None and (stop - price) * sign <= 0:
        raise InvalidValue("The stop loss", plain(stop), f"{words}; it must be {short_of} that, or close the position instead.")
