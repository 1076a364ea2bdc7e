"""Exits that left and surely never came to the broker: they leave again, under another id, until one has come.

For an entry a request that was lost is an order that was not made, and whoever wanted it decides anew. For an exit nobody decides
anew, and the position would stand unprotected. Only `never_sent` counts: it is said where nothing left this machine, where the
broker took nothing, or where it has been asked often enough.
"""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from core.model.instants import MINUTE_NS, SECOND_NS
from core.model.order import Order, OrderStatus, RejectCode
from core.runs.owed import is_back
from core.trading.order_fold import OrderLife
from core.trading.service import Intent

PAUSE_NS: Final = 2 * SECOND_NS
LONGEST_PAUSE_NS: Final = MINUTE_NS
"""Between two attempts, by the market's clock; each pause is twice the one before."""
_LATELY_NS: Final = 10 * MINUTE_NS
"""How long before a start an exit may have failed to leave and is still wanted: one of long ago is its position's no more."""
_COUNTED: Final = re.compile(r"(.*)\.again(\d*)")

LeftOf = Callable[[OrderLife], Decimal | None]


class Unsent:
    """Those of one run. `due` is asked after each change of its orders, and while it `owes` something from time to time."""

    def __init__(self) -> None:
        self._left: dict[str, None] = {}
        self.owes = False
        """Whether an exit is to leave again when its pause is over."""

    def watch(self, order_id: str) -> None:
        """Note an exit that leaves."""
        self._left[order_id] = None

    def recall(self, orders: Sequence[Order], with_entry: Container[str], now_ns: int) -> None:
        """Take what left before a start. `with_entry`: exits that left as one order with theirs, which are minded otherwise.

        So are those that left in the place of others that made way (`core.runs.owed`).
        """
        for order in orders:
            was_lately = _is_unsent(order) and now_ns - order.updated_ns < _LATELY_NS
            is_other_s = order.id in with_entry or is_back(order.id)
            if order.parent_id is not None and not is_other_s and (was_lately or not order.status.is_final):
                self.watch(order.id)

    def due(
        self, lives: Mapping[str, OrderLife], left_of: LeftOf, now_ns: int, asked_back: Container[str]
    ) -> tuple[list[Intent], list[tuple[str, str]]]:
        """Return the exits that leave again now, and the pairs among all exits that are new."""
        found: dict[str, Order] = {}
        self.owes = False
        for order_id in list(self._left):
            life = lives.get(order_id)
            if life is None or not life.order.status.is_final:
                continue
            order, sibling = life.order, lives.get(life.order.sibling_id or "")
            is_needless = order_id in asked_back or _is_settled(sibling, asked_back)
            if not _is_unsent(order) or is_needless or next_id(order_id) in lives:
                del self._left[order_id]
            elif now_ns - order.updated_ns < min(PAUSE_NS << _attempts(order_id), LONGEST_PAUSE_NS):
                self.owes = True
            else:
                found[order_id] = order
        return self._again(found, lives, left_of, now_ns)

    def _again(
        self, found: Mapping[str, Order], lives: Mapping[str, OrderLife], left_of: LeftOf, now_ns: int
    ) -> tuple[list[Intent], list[tuple[str, str]]]:
        leaving: list[Intent] = []
        pairs: list[tuple[str, str]] = []
        over: dict[str, Decimal | None] = {}
        for order_id, order in found.items():
            parent, sibling = lives.get(order.parent_id or ""), lives.get(order.sibling_id or "")
            works_on = sibling is not None and not sibling.order.status.is_final
            if parent is None:
                del self._left[order_id]
                continue
            if works_on and sibling is not None:
                left: Decimal | None = sibling.order.request.qty - sibling.order.filled_qty  # beside that one, over the same units
            else:
                if parent.order.id not in over:
                    over[parent.order.id] = left_of(parent)
                left = over[parent.order.id]
            if left is None:
                self.owes = True
                continue
            del self._left[order_id]
            if left <= 0:
                continue
            sibling_id = next_id(order.sibling_id) if order.sibling_id in found else order.sibling_id if works_on else None
            new_id = next_id(order_id)
            again = msgspec.structs.replace(
                order,
                id=new_id,
                request=msgspec.structs.replace(order.request, qty=left),
                status=OrderStatus.CREATED,
                created_ns=now_ns,
                updated_ns=now_ns,
                reject_code=None,
                reason=None,
                sibling_id=sibling_id,
                broker_id=None,
            )
            leaving.append(Intent(order=again))
            self.watch(new_id)
            if sibling_id is not None:
                pairs.append((new_id, sibling_id))
        return leaving, pairs


def _is_settled(sibling: OrderLife | None, asked_back: Container[str]) -> bool:
    """Whether the other of a pair has closed something, or was taken back: then this one is wanted no more."""
    return sibling is not None and (sibling.order.filled_qty > 0 or sibling.order.id in asked_back)


def next_id(order_id: str | None) -> str:
    """Return the id of the exit that takes the place of one."""
    counted = _COUNTED.fullmatch(order_id or "")
    return f"{order_id}.again" if counted is None else f"{counted[1]}.again{int(counted[2] or 1) + 1}"


def _attempts(order_id: str) -> int:
    counted = _COUNTED.fullmatch(order_id)
    return 0 if counted is None else int(counted[2] or 1)


def _is_unsent(order: Order) -> bool:
    return order.status is OrderStatus.REJECTED and order.reject_code is RejectCode.NEVER_SENT and not order.filled_qty
