"""What is owed to a position: exits that made way so that it could be closed, until that is done or exits are there again.

It is made of `orders.ExitsOwed` and of the orders as they are, so that it comes out the same after a restart. What leaves in the place
of `ID` is `ID.back`, then `ID.back2`. Nothing is sent here. Source: docs/adr/0033.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from core.events.live_payloads import ExitsOwed
from core.model.instants import MINUTE_NS, SECOND_NS
from core.model.money import ZERO
from core.model.order import Order, OrderSide, OrderStatus, OrderType, RejectCode
from core.runs.closing_side import ClosingSide
from core.trading.order_fold import OrderLife
from core.trading.state import AccountState

_BACK: Final = re.compile(r"(.*)\.back(\d*)")
_ENDED: Final = frozenset({OrderStatus.CANCELLED, OrderStatus.EXPIRED})
_UNSENT_NS: Final = (2 * SECOND_NS, MINUTE_NS)
_REFUSED_NS: Final = (MINUTE_NS, 15 * MINUTE_NS)
"""The first and the longest pause before exits leave again that never came to the broker, or that it refused; by the market's clock."""


class Key(NamedTuple):
    """Whose position, and on which side orders close it."""

    run_id: str
    symbol: str
    side: OrderSide


class Debt:
    """One exit, or two of which one cancels the other, that made way. `told`: in which event that stands first."""

    def __init__(self, told: ExitsOwed, first: Order, lives: Iterable[str]) -> None:
        self.key: Final = Key(first.run_id, first.request.symbol, first.request.side)
        self.order_ids: Final = told.order_ids
        self.legs: Final = tuple(map(base_id, told.order_ids))
        self.qty: Final = told.qty
        self._filled_before: Final = told.filled_qty
        self._entry_id: Final = first.parent_id
        self.making_way: dict[str, Decimal] = {}
        """Orders that made way, or are about to, and over how much each is to be then."""
        self.closing = told
        """The newest closing of the position."""
        self.closing_ids: dict[str, None] = {}
        self.is_asked = False
        """Whether anything was asked of the broker for it."""
        self._first: Final = max(map(_number, told.order_ids))
        """The number of those that made way; what came before them is long over."""
        self.count = max((_number(each) for each in lives if base_id(each) in self.legs), default=0)
        self.bare_qty = ZERO
        self.reason = ""
        """Why `bare_qty` units stand without their exits now; empty while that is not so."""
        self.said: str | None = None
        """What was told of that last: of which kind it is."""
        self.tried_qty = ZERO
        self.take(told)

    def take(self, told: ExitsOwed) -> None:
        """Take that they made way, maybe once more."""
        self.closing = told
        self.closing_ids[told.closing_id] = None
        self.making_way |= dict.fromkeys(told.order_ids, told.left_qty)

    def concerns(self, order_id: str) -> bool:
        """Tell whether an order is one of these exits, or one in their place."""
        return base_id(order_id) in self.legs

    # --- what there is of it ---

    def owed_qty(self, state: AccountState, side: ClosingSide) -> Decimal:
        """Return over how many units exits lack that were there: neither filled since, nor working."""
        open_qty = sum(map(side.open_qty, self._each(state.lives)), ZERO)
        return max(ZERO, self._whole_qty(state.lives) - self._known_qty(state.lives) - open_qty)

    def _whole_qty(self, lives: Mapping[str, OrderLife]) -> Decimal:
        return min(self.qty + self._filled_before, self._bought_qty(lives))

    def _known_qty(self, lives: Mapping[str, OrderLife]) -> Decimal:
        return sum((life.known_qty for each in self._each(lives) for life in each), ZERO)

    def _bought_qty(self, lives: Mapping[str, OrderLife]) -> Decimal:
        """Return what the entry came to, where it came to less than it was over: exits that left with it were over all of it."""
        entry = lives.get(self._entry_id or "")
        if entry is None or entry.order.status is OrderStatus.FILLED:
            return self.qty + self._filled_before
        return entry.known_qty

    def is_unsure(self, lives: Mapping[str, OrderLife]) -> bool:
        """Whether it is not known yet over how much they are."""
        return any(life.changing is not None or life.missing_qty for each in self._each(lives) for life in each)

    def is_making_way(self, lives: Mapping[str, OrderLife]) -> bool:
        """Whether the broker has not taken all of them back, or not made them smaller, as far as was asked for."""
        return any(
            each in lives and not lives[each].is_settled and lives[each].left_qty > left_qty for each, left_qty in self.making_way.items()
        )

    def giving_way_qty(self, state: AccountState, side: ClosingSide) -> Decimal:
        """Return over how many units they work that the broker was asked to take off them, no more than the entry has bought."""
        found = ZERO
        for each in self._each(state.lives):
            asked = [life for life in each if life.order.id in self.making_way and not life.is_settled]
            if asked:
                # One that is not made smaller is taken back whole.
                left = (ZERO if life.order.id in state.taken_back else self.making_way[life.order.id] for life in asked)
                found += max(ZERO, side.open_qty(asked) - min(left))
        return min(found, max(ZERO, self._whole_qty(state.lives) - self._known_qty(state.lives)))

    def is_there(self, lives: Mapping[str, OrderLife]) -> bool:
        """Whether the broker has acknowledged what was sent in their place, and of a pair both."""
        return not self.is_leaving(lives) and self._alone(lives) is None

    def is_leaving(self, lives: Mapping[str, OrderLife]) -> bool:
        """Whether it is not known yet of something whether the broker has it."""
        return any(life.order.status is OrderStatus.SUBMITTING for each in self._each(lives) for life in each)

    def is_taken_away(self, lives: Mapping[str, OrderLife]) -> bool:
        """Whether what works in their place was cancelled, or came to the end of its time: then it is wanted no more."""
        for each in self._each(lives, self._first):
            for life in each:
                order = life.order
                is_ours = order.id in self.making_way and order.status is not OrderStatus.EXPIRED
                if order.status in _ENDED and not is_ours and not any(other.known_qty for other in each if other is not life):
                    return True
        return False

    def closing_is_over(self, lives: Mapping[str, OrderLife]) -> bool:
        """Whether no order is under way that closes the position for their sake."""
        return all(each not in lives or lives[each].is_settled for each in self.closing_ids)

    def most_qty(self, lives: Mapping[str, OrderLife]) -> Decimal:
        """Return over how many units exits of the position may be, by its newest closing: what others hold there has its own."""
        closing = lives.get(self.closing.closing_id)
        filled = ZERO if closing is None else closing.known_qty
        return self.closing.allowed_qty + max(ZERO, self.closing.closing_qty - filled)

    # --- what leaves in its place ---

    def again(self, lives: Mapping[str, OrderLife], qty: Decimal, now_ns: int) -> list[Order]:
        """Return the orders that are to leave over `qty` units, on the terms of those that worked last."""
        alone = self._alone(lives)
        if alone is not None and not qty:
            leg, beside = alone
            return [self._made(lives, leg, beside.left_qty, beside.order.id, now_ns)]
        if not qty:
            return []
        ids = {leg: self._id(leg, self.count + 1) for leg in self.legs}
        others = [self.legs[1 - at] if len(self.legs) == 2 else None for at in range(len(self.legs))]
        return [
            self._made(lives, leg, qty, None if other is None else ids[other], now_ns) for leg, other in zip(self.legs, others, strict=True)
        ]

    def sent(self) -> None:
        """Take that they are about to leave."""
        self.count += 1

    def pause_ns(self, lives: Mapping[str, OrderLife]) -> tuple[int, Order | None]:
        """Return until when nothing leaves again, UTC ns, after what was refused or never came, and the newest of those."""
        failed: list[Order] = []
        for each in reversed(self._each(lives)):
            refused = [life.order for life in each if life.order.status is OrderStatus.REJECTED]
            if not refused:
                break
            failed.append(refused[0])
        if not failed:
            return 0, None
        first_ns, longest_ns = _UNSENT_NS if failed[0].reject_code is RejectCode.NEVER_SENT else _REFUSED_NS
        return failed[0].updated_ns + min(first_ns << min(len(failed) - 1, 16), longest_ns), failed[0]

    def _alone(self, lives: Mapping[str, OrderLife]) -> tuple[str, OrderLife] | None:
        """Return a leg whose newest was refused while the other one of the pair works, untouched, and that other one."""
        newest = self._each(lives)[-1] if self.count else []
        refused = [life for life in newest if life.order.status is OrderStatus.REJECTED]
        if len(self.legs) != 2 or len(refused) != 1:
            return None
        leg = base_id(refused[0].order.id)
        other = self.legs[1 - self.legs.index(leg)]
        working = [lives[each] for n in range(self.count, -1, -1) if (each := self._id(other, n)) in lives and lives[each].left_qty]
        return (leg, working[0]) if working and not working[0].known_qty else None

    def _made(self, lives: Mapping[str, OrderLife], leg: str, qty: Decimal, sibling_id: str | None, now_ns: int) -> Order:
        newest = next(lives[each].order for n in range(self.count, -1, -1) if (each := self._id(leg, n)) in lives)
        return msgspec.structs.replace(
            newest,
            id=self._id(leg, self.count + 1),
            request=msgspec.structs.replace(newest.request, qty=qty),
            status=OrderStatus.CREATED,
            created_ns=now_ns,
            updated_ns=now_ns,
            filled_qty=ZERO,
            avg_fill_price=None,
            reject_code=None,
            reason=None,
            sibling_id=sibling_id,
            broker_id=None,
        )

    def _each(self, lives: Mapping[str, OrderLife], first: int = 0) -> list[list[OrderLife]]:
        """Return what there is of them: first those that made way, then what left in their place, in groups that left at once."""
        found = []
        for number in range(first, self.count + 1):
            ids = (self._id(leg, number) for leg in self.legs)
            found.append([lives[each] for each in ids if each in lives])
        return [each for each in found if each]

    def _id(self, leg: str, number: int) -> str:
        return leg if not number else f"{leg}.back" if number == 1 else f"{leg}.back{number}"


def base_id(order_id: str) -> str:
    """Return the id of the exit in whose place an order is."""
    back = _BACK.fullmatch(order_id)
    return order_id if back is None else back[1]


def newest_back(order_id: str, lives: Mapping[str, OrderLife]) -> str:
    """Return the id of an exit, or of the one that is in its place now."""
    number = _number(order_id)
    while order_id in lives and lives[order_id].order.status.is_final:
        number += 1
        after = f"{base_id(order_id)}.back{'' if number == 1 else number}"
        if after not in lives:
            break
        order_id = after
    return order_id


def is_owed_back(order: Order) -> bool:
    """Tell whether an order that makes way is owed to its position: one that waits at a price, and does not bring exits of its own."""
    request = order.request
    is_entry = request.target is not None or request.stop_loss is not None
    return request.type is not OrderType.MARKET and not request.is_auction and not is_entry


def is_back(order_id: str) -> bool:
    """Tell whether an order left in the place of one that made way."""
    return _BACK.fullmatch(order_id) is not None


def there_is(order_ids: Sequence[str], state: AccountState, side: ClosingSide) -> tuple[Decimal, Decimal]:
    """Return over how many units exits are, with what else works in the same place, and what is filled of all of that."""
    legs = set(map(base_id, order_ids))
    groups: dict[int, list[OrderLife]] = {}
    for each, life in state.lives.items():
        if base_id(each) in legs:
            groups.setdefault(_number(each), []).append(life)
    filled = sum((life.known_qty for group in groups.values() for life in group), ZERO)
    return sum(map(side.open_qty, groups.values()), ZERO), filled


def _number(order_id: str) -> int:
    back = _BACK.fullmatch(order_id)
    return 0 if back is None else int(back[2] or 1)
