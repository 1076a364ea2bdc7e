"""What an order is judged in: how its account and its run stand at that moment, with what works beside it and what left lately."""

from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from core.model.instants import DAY_NS, MINUTE_NS, SECOND_NS
from core.model.money import ZERO
from core.model.order import Order, OrderStatus
from core.trading.books import note_sent
from core.trading.order_fold import OrderLife
from core.trading.risk import Own, Sent, Situation
from core.trading.state import AccountState

_NOTHING: Final[Mapping[str, Decimal]] = MappingProxyType({})


class Situations:
    """Of one account."""

    def __init__(self, state: AccountState) -> None:
        self._state = state
        self._sent: deque[Sent] = deque()
        """What left lately."""

    def left(self, life: OrderLife) -> None:
        """Note that an order leaves."""
        now_ns = self._state.clock.now_ns()
        kept_ns = max(MINUTE_NS, int((self._state.limits.duplicate_window_s or 0) * SECOND_NS))
        note_sent(self._sent, Sent(life.order.request, now_ns), kept_ns)
        self._state.books[life.order.run_id].left(life.order.request, now_ns)

    def of_account(
        self, order: Order, also: list[OrderLife], *, is_open: bool, is_armed: bool, instead: Mapping[str, Decimal] = _NOTHING
    ) -> Situation:
        """Return what an order is judged in by the account's limits; `also`: those of the same decision; `instead`: see `beside`."""
        state = self._state
        positions = state.positions()
        for symbol, qty in state.outside.items():
            positions[symbol] = positions.get(symbol, ZERO) + qty
        account, mark = state.account, state.loss_mark
        equity = ZERO if account is None else account.equity
        working, twins = state.rests.beside(order, also, instead)
        return Situation(
            now_ns=state.clock.now_ns(),
            equity=equity,
            # Where the broker says what the day began with, that counts.
            day_start_equity=equity if account is None else account.last_equity or mark.day_start,
            peak_equity=equity if account is None else mark.peak,
            positions=positions,
            prices=state.prices,
            working=working,
            twins=twins,
            sent=(*self._sent, *self._just_now(also)) if also else self._sent,
            level=state.level(order.run_id),
            is_open=is_open,
            silent_s=state.lines.silent_s,
            price_times=state.price_times,
            is_armed=is_armed,
            own=self._own(order, also, instead),
            is_compared=state.is_compared,
            unjudged="" if account is not None else "the broker has not said yet what the account is worth",
        )

    def _own(self, order: Order, also: list[OrderLife], instead: Mapping[str, Decimal]) -> Own:
        """Return what is a run's; a person closes what others hold, too."""
        state = self._state
        positions = state.books[order.run_id].positions()
        if order.run_id == state.hand_run_id:
            for symbol, qty in state.outside.items():
                positions[symbol] = positions.get(symbol, ZERO) + qty
        mine = [life for life in also if life.order.run_id == order.run_id]
        return Own(positions=positions, working=state.rests.beside(order, mine, instead, order.run_id)[0])

    def of_run(self, order: Order, also: list[OrderLife], *, is_open: bool, instead: Mapping[str, Decimal] = _NOTHING) -> Situation:
        """Return what it is judged in by its run's limits."""
        state = self._state
        book, now_ns = state.books[order.run_id], state.clock.now_ns()
        equity = book.equity(state.prices)
        unpriced = book.unpriced(state.prices)
        if not unpriced:
            book.losses.watch(equity, now_ns // DAY_NS)
        working, twins = state.rests.beside(order, also, instead, order.run_id)
        return Situation(
            now_ns=now_ns,
            equity=equity,
            day_start_equity=book.losses.mark.day_start,
            peak_equity=book.losses.mark.peak,
            positions=book.positions(),
            prices=state.prices,
            working=working,
            twins=twins,
            sent=(*book.sent, *self._just_now(also)) if also else book.sent,
            is_open=is_open,
            silent_s=state.lines.silent_s,
            price_times=state.price_times,
            unjudged=f"no price of {', '.join(unpriced)}, which is held, is known" if unpriced else "",
        )

    def _just_now(self, also: list[OrderLife]) -> tuple[Sent, ...]:
        now_ns = self._state.clock.now_ns()
        return tuple(Sent(life.order.request, now_ns) for life in also if life.order.status is OrderStatus.SUBMITTING)
