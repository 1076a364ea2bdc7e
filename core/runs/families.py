"""Orders of a paper or live run that hang on one another: exits that wait for their entry, and pairs of which one cancels the other.

Exits that left with their entry as one order are the broker's to mind (`core.trading.brackets`), and so are pairs that left as
one (`core.trading.pairs`). The others the program itself minds: an exit leaves when its entry is over and filled something, over
what it left; the first fill of one of a pair takes the other back. Where the broker ends exits before their entry was filled
whole, they wait again, under another id.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import msgspec

from core.model.money import ZERO
from core.model.order import Order, OrderRequest, OrderStatus
from core.runs.exits import again_id, left_with_entry, waiting_exits
from core.runs.owed import newest_back
from core.runs.unsent import Unsent
from core.trading.brackets import is_over_there
from core.trading.order_fold import OrderLife
from core.trading.service import Intent

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_UNKNOWN: Final = object()
"""What became of an order of which nothing is told."""


class Families:
    """Those of one run. `due` is asked after each change of its orders."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Intent]] = {}
        self._with_entry: dict[str, list[Intent]] = {}
        """Exits that left with their entry, by that, as they were when they left."""
        self._before: dict[str, list[str]] = {}
        """By an entry whose exits wait again: those that left with it."""
        self._siblings: dict[str, str] = {}
        self._taken_back: set[str] = set()
        self._gone: set[str] = set()
        """Exits that never leave: taken back, or their entry filled nothing."""
        self._unsent = Unsent()
        self._terms: Mapping[str, OrderRequest] = {}
        """The newest terms of orders that were changed, before a restart, while they may have waited."""
        self._lives: Mapping[str, OrderLife] = {}
        self._asked_back: Container[str] = ()

    def know(self, lives: Mapping[str, OrderLife], asked_back: Container[str]) -> None:
        """Take the account's orders, and those whose cancel was asked for: an exit that has left waits no more."""
        self._lives, self._asked_back = lives, asked_back

    def wait(self, parent_id: str, legs: list[Intent]) -> None:
        """Keep the exits of an order until it is over."""
        self._waiting[parent_id] = legs
        if len(legs) == 2:
            self.pair(legs[0].order.id, legs[1].order.id)

    def forget(self, parent_id: str) -> None:
        """Take it that an order whose exits wait was never stored."""
        for intent in self._waiting.pop(parent_id, ()):
            self._siblings.pop(intent.order.id, None)

    def with_exits(self, intent: Intent) -> Intent:
        """Return an order with its exits as they are by now, for a broker that takes them as one."""
        legs = self._waiting.get(intent.order.id)
        return msgspec.structs.replace(intent, exits=tuple(legs)) if legs else intent

    def restore(
        self,
        orders: Sequence[Order],
        fates: Mapping[str, OrderRequest | None],
        now_ns: int,
        leads: Mapping[str, str] = _NONE,
    ) -> None:
        """Take the families of a run as its rows have them, after a restart.

        `fates`: see `core.runs.exits.read_fates`; `leads`: see `core.trading.order_groups.OrderGroups`.
        """
        self._terms = {order_id: request for order_id, request in fates.items() if request is not None}
        for parent_id, legs in waiting_exits(orders, fates, now_ns).items():
            self.wait(parent_id, [Intent(order=leg) for leg in legs])
        for parent_id, rows in left_with_entry(orders, leads).items():
            if any(again_id(row.id) in {order.id for order in orders} for row in rows):
                self._before[parent_id] = [row.id for row in rows]
            elif not any(fates.get(each, _UNKNOWN) is None for row in rows for each in (row.id, again_id(row.id))):
                self._with_entry[parent_id] = [Intent(order=row) for row in rows]
        self._unsent.recall(orders, leads, now_ns)
        known = {order.id: order for order in orders}
        for order in orders:
            if order.sibling_id is not None and order.sibling_id in known:
                self.pair(order.id, order.sibling_id)
                if order.filled_qty and known[order.sibling_id].status.is_final:
                    self._taken_back.add(order.sibling_id)  # it was, for this one's sake

    @property
    def owes(self) -> bool:
        """Whether `due` is to be asked again in a moment though nothing changes: an exit that never came to the broker leaves again."""
        return self._unsent.owes

    def pair(self, first_id: str, second_id: str) -> None:
        """Note that of two orders one cancels the other."""
        self._siblings |= {first_id: second_id, second_id: first_id}

    def waiting(self) -> frozenset[str]:
        """Return the ids of exits that wait."""
        return frozenset(order.id for order in self.waiting_orders())

    def waiting_orders(self) -> list[Order]:
        """Return the exits that wait."""
        return [intent.order for legs in self._waiting.values() for intent in legs if intent.order.id not in self._lives]

    def newest(self, order_id: str) -> str:
        """Return the id of an exit, or of the one that took its place."""
        is_again = any(order_id in before for before in self._before.values())
        return newest_back(again_id(order_id) if is_again else order_id, self._lives)

    def find(self, order_id: str) -> Order | None:
        """Return an exit that waits."""
        return next((order for order in self.waiting_orders() if order.id == order_id), None)

    def change(self, order_id: str, request: OrderRequest) -> None:
        """Give an exit that waits other terms."""
        for legs in self._waiting.values():
            legs[:] = [
                msgspec.structs.replace(one, order=msgspec.structs.replace(one.order, request=request)) if one.order.id == order_id else one
                for one in legs
            ]

    def drop(self, order_id: str) -> bool:
        """Take an exit back that waits, with the one it is paired with; False when it does not wait."""
        for legs in self._waiting.values():
            if any(intent.order.id == order_id and order_id not in self._lives for intent in legs):
                self._gone.update(intent.order.id for intent in legs)
                legs.clear()
                return True
        return False

    def is_gone(self, order_id: str) -> bool:
        """Tell whether an exit that waited will never leave."""
        return order_id in self._gone

    def due(
        self,
        lives: Mapping[str, OrderLife],
        cause_of: Callable[[str], str | None],
        now_ns: int,
        left_of: Callable[[OrderLife], Decimal | None] = lambda life: life.order.filled_qty,
        minded: Container[str] = frozenset(),
    ) -> tuple[list[Intent], list[str]]:
        """Return the exits that leave now, and the orders that are to be cancelled.

        `left_of`: what an entry that is over left to be closed; None: that is not known yet. `minded`: orders whose pair the broker minds.
        """
        leaving: list[Intent] = []
        for parent_id, legs in list(self._waiting.items()):
            if any(intent.order.id in lives for intent in legs):
                self._with_entry[parent_id] = self._waiting.pop(parent_id)
        for parent_id in list(self._with_entry):
            self._mind(parent_id, lives, now_ns)
        for parent_id in list(self._waiting):
            life = lives.get(parent_id)
            if life is None or not life.is_settled:
                continue
            left = left_of(life)
            if left is None:
                continue
            legs = self._waiting.pop(parent_id)
            left -= sum((lives[each].order.filled_qty for each in self._before.get(parent_id, ())), ZERO)
            if left > 0:
                leaving += [_over(intent, left, cause_of(parent_id), now_ns) for intent in legs]
            else:
                self._gone.update(intent.order.id for intent in legs)
        for intent in leaving:
            self._unsent.watch(intent.order.id)
        again, pairs = self._unsent.due(lives, left_of, now_ns, self._asked_back)
        leaving += again
        for first_id, second_id in pairs:
            self.pair(first_id, second_id)
        cancels = []
        for order_id, sibling_id in self._siblings.items():
            one, other = lives.get(order_id), lives.get(sibling_id)
            if one is None or other is None or order_id in minded or sibling_id in self._taken_back or other.order.status.is_final:
                continue
            # One that was taken back for its sibling's sake says nothing of the sibling.
            is_cancelled = one.order.status is OrderStatus.CANCELLED and order_id not in self._taken_back
            if one.order.filled_qty or is_cancelled:
                self._taken_back.add(sibling_id)
                cancels.append(sibling_id)
        return leaving, cancels

    def _mind(self, parent_id: str, lives: Mapping[str, OrderLife], now_ns: int) -> None:
        """Let exits that left with their entry wait for it again, once the broker ended them before it was filled whole.

        Not before it is the broker's own word that all of them are over: no exit is ever there twice.
        """
        entry = lives.get(parent_id)
        rows = [lives[intent.order.id] for intent in self._with_entry[parent_id] if intent.order.id in lives]
        if entry is None or not all(is_over_there(row) for row in rows):
            return
        legs = self._with_entry.pop(parent_id)
        if entry.order.status is OrderStatus.FILLED or any(row.order.id in self._asked_back for row in rows):
            return
        self._before[parent_id] = [row.order.id for row in rows]
        self.wait(parent_id, [_again(intent, row.order, self._terms, now_ns) for intent, row in zip(legs, rows, strict=True)])


def _again(intent: Intent, order: Order, terms: Mapping[str, OrderRequest], now_ns: int) -> Intent:
    """Return an exit as one that has not left yet, on its newest terms."""
    new = Order(
        id=again_id(order.id),
        run_id=order.run_id,
        request=terms.get(again_id(order.id), order.request),
        time_in_force=order.time_in_force,
        status=OrderStatus.CREATED,
        created_ns=now_ns,
        updated_ns=now_ns,
        parent_id=order.parent_id,
        sibling_id=None if order.sibling_id is None else again_id(order.sibling_id),
    )
    return msgspec.structs.replace(intent, order=new)


def _over(intent: Intent, qty: Decimal, caused_by: str | None, now_ns: int) -> Intent:
    """Return an exit over what its entry left, caused by that."""
    order = intent.order
    request = msgspec.structs.replace(order.request, qty=qty)
    order = msgspec.structs.replace(order, request=request, created_ns=now_ns, updated_ns=now_ns)
    return msgspec.structs.replace(intent, order=order, caused_by=caused_by or intent.caused_by)
