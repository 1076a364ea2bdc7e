"""What an order of an account must pass before it leaves: the rules of the account and of its run, its run's own account, the broker's."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import msgspec

from core.events.payloads import OrderReplaced
from core.model.hand import RiskVerdict
from core.model.market import asset_class_of
from core.model.money import ZERO, floor_to, plain
from core.model.order import Order, OrderRequest, OrderType, RejectCode, TimeInForce
from core.trading.books import still_open
from core.trading.entries import Entry
from core.trading.order_fold import OrderLife
from core.trading.own_account import what_is_not_borne, what_was_closed_outside, without_dust
from core.trading.risk import Refusal, judge
from core.trading.sending import what_cannot_be_sent
from core.trading.situations import Situations
from core.trading.state import AccountState

_NOTHING: Final[Mapping[str, Decimal]] = MappingProxyType({})
IsOpen = Callable[[str, int], bool]
"""Whether a symbol's market is in its regular session at an instant."""


class Gate:
    """Of one account. `is_armed`: whether orders may go where real money is."""

    def __init__(self, state: AccountState, situations: Situations, is_open: IsOpen, *, is_armed: bool) -> None:
        self._state = state
        self._situations = situations
        self._is_open = is_open
        self.is_armed = is_armed

    def verdicts(
        self, order: Order, instead: Mapping[str, Decimal] = _NOTHING, before: Sequence[OrderLife] = ()
    ) -> tuple[RiskVerdict, ...]:
        """Return all that would keep an order of a run that trades here from leaving, now. Nothing is committed or counted.

        `instead`: over how many units orders that work now will be before this one leaves; zero: gone. `before`: what leaves with it.
        """
        found = [
            RiskVerdict(scope=scope, code=one.code, rule=one.rule, limit=one.limit, figure=one.figure, sentence=one.sentence)
            for scope, one in self.refusals(order, list(before), instead=instead)
        ]
        wrong = self.wrong(order, before, instead)
        if wrong is not None:
            code, sentence = wrong
            found.append(RiskVerdict(scope="broker", code=code, rule="broker", limit="", figure="", sentence=sentence))
        return tuple(found)

    def wrong(self, order: Order, before: Sequence[OrderLife], instead: Mapping[str, Decimal] = _NOTHING) -> tuple[RejectCode, str] | None:
        """Return why the broker would not take an order, or why it has nothing to reduce; None: neither."""
        wrong = what_cannot_be_sent(order.request, order.time_in_force, self._state.features)
        if wrong is not None:
            return RejectCode.INVALID_ORDER, wrong
        if order.request.reduce_only and not self._reduces(order, before, instead):
            return RejectCode.INSUFFICIENT_POSITION, f"There are no {plain(order.request.qty)} {order.request.symbol} to reduce."
        return None

    def refusals(
        self, order: Order, before: list[OrderLife], *, instead: Mapping[str, Decimal] = _NOTHING, filled: Order | None = None
    ) -> list[tuple[str, Refusal]]:
        """`before`: those of the same decision; `instead`: see `verdicts`; `filled`: the entry that it waits for.

        An order that has left already is judged as what takes its own place.
        """
        state = self._state
        is_open = self._is_open(order.request.symbol, state.clock.now_ns())
        account = self._situations.of_account(order, before, is_open=is_open, is_armed=self.is_armed, instead=instead)
        own = [life for life in before if life.order.run_id == order.run_id]
        run = self._situations.of_run(order, own, is_open=is_open, instead=instead)
        if filled is not None:
            account, run = (one.after(filled.request) for one in (account, run))
        of_account = [("account", one) for one in judge(order.request, state.limits, account)]
        book = state.books[order.run_id]
        found = of_account + [("run", one) for one in judge(order.request, book.limits, run)]
        own_account = book.own_account(state.prices)
        not_borne = None if own_account is None else what_is_not_borne(order.request, own_account, run.working, state.prices)
        if not_borne is None:
            more = ZERO if filled is None else filled.request.qty * filled.request.side.sign
            not_borne = self._not_there(order, run.working, more)
        return found if not_borne is None else [*found, ("run", not_borne)]

    def left(self, life: OrderLife) -> None:
        """Note that an order leaves: some rules count those of late."""
        self._situations.left(life)

    def without_dust(self, order: Order, before: list[OrderLife], entry: Entry) -> Order:
        """Return an order over what the account has of what it closes, where next to nothing of that is missing there; that is told."""
        held, there = self._held_and_there(order)
        if held == there:
            return order
        own = [life for life in before if life.order.run_id == order.run_id]
        run = self._situations.of_run(order, own, is_open=True)
        request = self._sendable(order, without_dust(order.request, held, run.working, there))
        if request == order.request:
            return order
        words = f"{plain(order.request.qty)} were asked for, and {plain(abs(there))} of the run's {plain(abs(held))} are in the account."
        entry.tell_of(order, OrderReplaced(order_id=order.id, request=request, reason=words))
        return msgspec.structs.replace(order, request=request)

    def _sendable(self, order: Order, qty: Decimal) -> OrderRequest:
        """Return an order's terms over `qty` units, or over the whole ones of them where no other are taken: of shares, but for a day."""
        is_for_a_day = order.time_in_force is TimeInForce.DAY or not asset_class_of(order.request.symbol).has_sessions
        for fitting in (qty, floor_to(qty, Decimal(1)))[not is_for_a_day :]:
            request = msgspec.structs.replace(order.request, qty=fitting) if fitting else order.request
            if what_cannot_be_sent(request, order.time_in_force, self._state.features) is None:
                return request
        return order.request

    def _held_and_there(self, order: Order) -> tuple[Decimal, Decimal]:
        """Return what an order's run holds of its symbol, signed, and what of that the account has. A person sees what it has."""
        state, symbol = self._state, order.request.symbol
        held = state.books[order.run_id].held(symbol)
        if order.run_id == state.hand_run_id or held * state.outside.get(symbol, ZERO) >= 0:
            return held, held
        return held, state.to_close().get((order.run_id, symbol), ZERO)

    def _not_there(self, order: Order, working: Sequence[OrderRequest], more: Decimal) -> Refusal | None:
        """Return why an order would close what the account has no more; `more`: units that its run will have when it is to work.

        A person sees what the account has, and may mean to open.
        """
        held, there = self._held_and_there(order)
        return None if held == there else what_was_closed_outside(order.request, held + more, working, there + more)

    def _reduces(self, order: Order, before: Sequence[OrderLife], instead: Mapping[str, Decimal]) -> bool:
        """Whether the order takes off a position of its run and no more, after the market orders that are on their way.

        Exits that wait at a price do not count: a position can be closed beside them.
        """
        side, symbol = order.request.side, order.request.symbol
        held = self._state.books[order.run_id].held(symbol)
        for life in (*self._state.working(order.run_id), *before):
            other = still_open(life) if life.order.run_id == order.run_id else None
            if other is not None and other.type is OrderType.MARKET and (other.symbol, other.side) == (symbol, side):
                held += min(other.qty, instead.get(life.order.id, other.qty)) * side.sign
        return held * side.sign < 0 and order.request.qty <= abs(held)
