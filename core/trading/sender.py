"""Sends each committed order once, and finds out what became of one whose answer was lost. It never sends again.

A cancel is another thing: asked for twice it comes to the same, so it is asked for until the order is over.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from core.errors import BrokerError, BrokerRefused, KeysRefused, NotSent, OutcomeUnknown, RateLimited, StoreError
from core.events.envelope import Payload
from core.events.payloads import OrderCancelAsked, OrderCancelRefused, OrderOutcomeUnknown
from core.model.broker import BrokerOrder, BrokerOrderRequest, OrderChange, RefusalReason
from core.model.hand import OrderTerms
from core.model.order import Order, RejectCode
from core.ports import Broker
from core.trading.brackets import bracket_request, legs_as_ours
from core.trading.changes import change_id, own_id
from core.trading.order_fold import change_refused, heard, refused
from core.trading.pairs import pair_request
from core.trading.sending import broker_request
from core.trading.state import LATE_NS, AccountState

LOOK_UPS_S: Final = (0.2, 1.0, 5.0, 10.0)
"""Seconds before each look at whether an order arrived whose answer was lost; what never shows up by then never arrived."""
CANCEL_PAUSE_S: Final = 0.5
LONGEST_CANCEL_PAUSE_S: Final = 30.0
"""Between two requests for one cancel, where the broker gives no advice; each pause is twice the one before."""
_AWAY: Final = "this desk was away for too long after it was decided."
_log = logging.getLogger(__name__)

_GONE: Final = frozenset({RefusalReason.ORDER_FINAL, RefusalReason.ORDER_UNKNOWN})


class Sender:
    """`send` and `cancel` are called for one order each, in tasks of the desk.

    `wake` asks for a reconciliation; `missing` is told of an order of which more is to come: executions, or the end of a cancelled one.
    """

    def __init__(
        self,
        state: AccountState,
        broker: Broker,
        wake: Callable[[], None],
        missing: Callable[[str], None],
        look_ups_s: Sequence[float] = LOOK_UPS_S,
    ) -> None:
        self._state = state
        self._broker = broker
        self._wake = wake
        self._missing = missing
        self._look_ups_s = look_ups_s
        self._cancelling: set[str] = set()
        self._crowd = asyncio.Lock()
        self._quiet_until_s = 0.0
        """When the broker takes requests again, by the loop's clock, where it said that there were too many."""
        self._begun_ns: dict[str, int] = {}
        """When each order that is being sent was to leave, by the clock that counts sleep."""
        self._returns = 0
        """How often the broker came back: then nobody waits any longer to ask again."""

    def begin(self, order_id: str) -> None:
        """Take that `send` follows: until it is over it says nothing that the broker does not have the order and those with it."""
        self._begun_ns.setdefault(order_id, self._state.clock.elapsed_ns())
        self._state.in_flight.update(self._family(order_id))

    async def send(self, order_id: str, *, is_late: bool = False) -> None:
        """Send an order whose row is committed as SUBMITTING, and take the answer.

        `is_late`: it was decided long ago, see `LATE_NS`. Then only an exit leaves, which protects what is held.
        """
        self.begin(order_id)
        try:
            await self._send(order_id, is_late)
        finally:
            del self._begun_ns[order_id]
            for each in self._family(order_id):
                self._state.landed(each)

    def _family(self, order_id: str) -> tuple[str, ...]:
        return order_id, *self._state.groups.together.get(order_id, ())

    async def _send(self, order_id: str, is_late: bool) -> None:
        state = self._state
        order = state.lives[order_id].order
        if not await self._may_leave(order, is_late):
            # It was committed, and then this process stood still: the account may be somebody else's by now.
            await self._reject(order_id, RejectCode.NEVER_SENT, f"It was not sent: {_AWAY}")
            return
        try:
            taken = await self._submit(order)
        except OutcomeUnknown as error:
            await self._tell_unknown(order, error)
            self._wake()  # if the broker is gone for all, that is to be known soon
            await self._look_up(order, f"{error.what}")
        except (BrokerRefused, RateLimited) as error:
            # A refusal has been seen of an order that was executed: whether it is there is asked, not guessed.
            if isinstance(error, BrokerRefused) and error.reason == RefusalReason.CLIENT_ORDER_ID_TAKEN:
                await self._look_up(order, error.what)
            else:
                await self._after_refusal(order, error)
        except BrokerError as error:
            # Nothing left this machine, or the broker took nothing.
            code = RejectCode.BROKER_REFUSED if isinstance(error, KeysRefused) else RejectCode.NEVER_SENT
            await self._reject(order_id, code, f"It was not sent: {error.what}")
            self._wake()  # whether anything can be asked is known at once: keys that are refused end the desk
        else:
            await self._hear(order_id, taken)

    async def _may_leave(self, order: Order, is_late: bool) -> bool:
        if order.parent_id is not None:
            return self._state.may_send() or await self._state.still_holds()
        return not is_late and not self._is_old(self._begun_ns[order.id]) and self._state.may_send()

    def _is_old(self, begun_ns: int) -> bool:
        """Tell whether what was to leave then is decided anew, if at all: the machine may have slept since. Asked in any thread."""
        return self._state.clock.elapsed_ns() - begun_ns > LATE_NS

    async def _submit(self, order: Order) -> BrokerOrder:
        """Send it, asking again just before it leaves: between `_may_leave` and that this machine may have slept. See `_may_leave`."""
        begun_ns = self._begun_ns[order.id]

        def may_leave() -> bool:
            return self._state.may_send() and (order.parent_id is not None or not self._is_old(begun_ns))

        while True:
            try:
                return await self._broker.desk.submit(self._request(order), may_leave)
            except NotSent:
                if order.parent_id is None or not await self._state.still_holds():
                    raise

    def _request(self, order: Order) -> BrokerOrderRequest:
        others = [self._state.lives[each].order for each in self._state.groups.together.get(order.id, ())]
        if not others:
            return broker_request(order)
        return bracket_request(order, others) if others[0].parent_id == order.id else pair_request(order, others[0])

    async def change(self, order_id: str, number: int, terms: OrderTerms, *, is_late: bool = False) -> None:
        """Send a change that is committed, take the answer, and return when the broker has made it or said no. `is_late`: see `send`."""
        state = self._state
        life = state.lives[order_id]
        order, client_id, begun_ns = life.order, change_id(order_id, number), state.clock.elapsed_ns()
        # Alpaca makes the new order over the whole quantity again when nothing is said: what is filled would be bought twice.
        # Of a pair it keeps what the other has left, which is less than either was over when the other has sold a part.
        is_named = life.known_qty or (terms.qty is not None and order_id not in state.groups.pairs)
        qty = life.changes[number - 1].qty - life.known_qty if is_named else None
        if is_late or not state.may_send():
            await self._refuse_change(order_id, number, RejectCode.NEVER_SENT, f"The change was not sent: {_AWAY}")
            return
        state.in_flight.add(client_id)
        try:
            change = OrderChange(
                client_order_id=client_id, qty=qty, limit_price=terms.limit_price, stop_price=terms.stop_price, trail=terms.trail
            )
            taken = await self._broker.desk.replace(order.broker_id or "", change, lambda: state.may_send() and not self._is_old(begun_ns))
        except OutcomeUnknown as error:
            await self._tell_unknown(order, error)
            await self._look_up_change(order_id, number, error.what)
        except BrokerRefused as error:
            if await self._find_change(order_id, number) is not True:
                await self._refuse_change(order_id, number, RejectCode.BROKER_REFUSED, error.what)
            self._wake()  # the order may have been faster
        except BrokerError as error:
            await self._refuse_change(order_id, number, RejectCode.NEVER_SENT, f"The change was not sent: {error.what}")
        else:
            await self._hear(order_id, taken)
        finally:
            state.landed(client_id)
        if not self._is_over(order_id, number):
            self._missing(order_id)  # until the order before it is heard to be replaced it may still fill
        await state.until(lambda: state.has_ended or self._is_over(order_id, number))

    def _is_over(self, order_id: str, number: int) -> bool:
        life = self._state.lives[order_id]
        return life.order.status.is_final or life.changing != number

    async def cancel(self, order_id: str) -> None:
        """Ask for a cancel, until the broker takes it or the order is over. It is over when the broker says so, not before.

        It is asked for at once, also while the order is being changed; what a change made of it meanwhile is cancelled, too.
        Whoever asks while it is being asked for already is done.
        """
        if order_id in self._cancelling:
            return
        self._cancelling.add(order_id)
        try:
            await self._cancel(order_id)
        finally:
            self._cancelling.discard(order_id)

    def again(self) -> None:
        """Ask at once for the cancels that the broker has not taken: it is back."""
        self._returns += 1
        self._state.look_again()

    async def _cancel(self, order_id: str) -> None:
        state = self._state
        await state.until(lambda: state.lives[order_id].order.broker_id is not None or state.lives[order_id].order.status.is_final)
        while True:
            order = state.lives[order_id].order
            if order.status.is_final or order.broker_id is None:
                return
            await self._cancel_part(order, order.broker_id)
            await state.until(lambda: state.has_ended or self._is_unchanging(order_id))
            if state.has_ended or state.lives[order_id].order.broker_id == order.broker_id:
                return

    def _is_unchanging(self, order_id: str) -> bool:
        life = self._state.lives[order_id]
        return life.order.status.is_final or life.changing is None

    async def _cancel_part(self, order: Order, broker_id: str) -> None:
        """Ask for the cancel of one of the broker's orders until it takes it, or it is known that there is nothing left to cancel.

        That the broker calls it over is not enough: it does so too of an order that is being changed, and then refuses the change.
        """
        pause_s, said = CANCEL_PAUSE_S, ""
        fault = await self._ask_cancel(order, broker_id)
        while fault is not None:
            if fault.what != said and not _says_it_is_over(fault):
                said = fault.what
                await self._told(order, OrderCancelRefused(order_id=order.id, reason=said))
            if isinstance(fault, RateLimited):
                wait_s = pause_s if fault.retry_after_s is None else max(fault.retry_after_s, CANCEL_PAUSE_S)
                self._quiet_until_s = max(self._quiet_until_s, _now_s() + wait_s)
                is_gone, fault = await self._asked_in_turn(order, broker_id)
            else:
                is_gone = await self._is_gone(order.id, broker_id, pause_s)
                fault = None if is_gone else await self._ask_cancel(order, broker_id)
            if is_gone:
                return
            pause_s = min(2 * pause_s, LONGEST_CANCEL_PAUSE_S)

    async def _asked_in_turn(self, order: Order, broker_id: str) -> tuple[bool, BrokerError | None]:
        """Ask where too much was asked for: all wait for the same instant, and then one asks at a time, until one is refused again.

        Returns whether nothing is left to ask for, and what went wrong.
        """
        while True:
            if await self._is_gone(order.id, broker_id, max(0.0, self._quiet_until_s - _now_s())):
                return True, None
            async with self._crowd:
                if _now_s() >= self._quiet_until_s:
                    return False, await self._ask_cancel(order, broker_id)

    async def _ask_cancel(self, order: Order, broker_id: str) -> BrokerError | None:
        """Ask once; return what went wrong, None: the broker took it."""
        try:
            await self._broker.desk.cancel(broker_id)
        except BrokerError as error:
            self._wake()  # what became of the order is asked for
            return error
        await self._told(order, OrderCancelAsked(order_id=order.id))
        self._missing(order.id)
        return None

    async def _is_gone(self, order_id: str, broker_id: str, wait_s: float) -> bool:
        """Wait a while; tell whether there is nothing left to ask for: the order is over, or another one has taken its place."""
        state, returns = self._state, self._returns

        def is_so() -> bool:
            order = state.lives[order_id].order
            return state.has_ended or order.status.is_final or order.broker_id != broker_id

        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await state.until(lambda: is_so() or returns != self._returns)
        return is_so()

    async def _told(self, order: Order, payload: Payload) -> None:
        """Commit what was said of a cancel. The broker was asked, whether that can be stored or not."""
        try:
            async with self._state.turn:
                entry = self._state.entry()
                entry.tell_of(order, payload)
                await self._state.apply(entry)
        except StoreError as error:
            _log.warning("%s of order %s was not stored: %s", payload.wire, order.id, error)

    # --- answers ---

    async def _find_change(self, order_id: str, number: int) -> bool | None:
        """Hear what the broker has under a change's id; False when it has nothing, None when it does not answer."""
        try:
            found = await self._broker.orders.order_by_client_id(change_id(order_id, number))
        except BrokerError:
            return None
        if found is None:
            return False
        await self._hear(order_id, found)
        self._wake()
        return True

    async def _look_up_change(self, order_id: str, number: int, why: str) -> None:
        """Ask for a change by its id until the broker has answered often enough that it never came."""
        missed = 0
        while missed < len(self._look_ups_s):
            await asyncio.sleep(self._look_ups_s[missed])
            found = await self._find_change(order_id, number)
            if found or self._is_over(order_id, number):
                return
            missed += found is not None
        await self._refuse_change(order_id, number, RejectCode.NEVER_SENT, f"{why} The broker never had the change.")

    async def _refuse_change(self, order_id: str, number: int, code: RejectCode, reason: str) -> None:
        state = self._state
        async with state.turn:
            entry = state.entry()
            entry.take(change_refused(state.lives[order_id], number, code, reason, state.clock.now_ns()))
            await state.apply(entry)

    async def _hear(self, order_id: str, said: BrokerOrder) -> None:
        state = self._state
        async with state.turn:
            entry = state.entry()
            told = [(order_id, said)]
            others = [state.lives[each].order for each in state.groups.together.get(order_id, ())]
            told += [(own_id(leg.client_order_id), leg) for leg in legs_as_ours(said, others)]
            if others and not said.legs:
                self._wake()  # the list of orders has them
            steps = [heard(state.lives[own], one, state.clock.now_ns()) for own, one in told]
            for step in steps:
                entry.take(step)
            await state.apply(entry)
        for step in steps:
            if step.life.missing_qty:
                self._missing(step.life.order.id)

    async def _reject(self, order_id: str, code: RejectCode, reason: str, error: BrokerRefused | None = None) -> None:
        state = self._state
        async with state.turn:
            entry = state.entry()
            broker_code, words = (None, "") if error is None else (error.broker_code, error.words)
            for own in (order_id, *state.groups.together.get(order_id, ())):
                entry.take(refused(state.lives[own], code, reason, state.clock.now_ns(), broker_code=broker_code, words=words))
            await state.apply(entry)

    async def _tell_unknown(self, order: Order, error: OutcomeUnknown) -> None:
        async with self._state.turn:
            entry = self._state.entry()
            entry.tell_of(order, OrderOutcomeUnknown(order_id=order.id, reason=error.what))
            await self._state.apply(entry)

    async def _after_refusal(self, order: Order, error: BrokerRefused | RateLimited) -> None:
        try:
            found = await self._broker.orders.order_by_client_id(order.id)
        except BrokerError:
            found = None  # the refusal stands; reconciliation finds the order if it is there all the same
        if found is not None:
            await self._hear(order.id, found)
            self._wake()
        elif isinstance(error, BrokerRefused):
            await self._reject(order.id, RejectCode.BROKER_REFUSED, error.what, error)
        else:  # there were too many requests: it took nothing
            await self._reject(order.id, RejectCode.NEVER_SENT, f"It was not sent: {error.what}")

    async def _look_up(self, order: Order, why: str) -> None:
        """Ask for the order by our id until the broker has answered often enough that it never came."""
        missed = 0
        while missed < len(self._look_ups_s):
            await asyncio.sleep(self._look_ups_s[missed])
            try:
                found = await self._broker.orders.order_by_client_id(order.id)
            except BrokerError:
                continue  # that says nothing of the order
            if found is not None:
                await self._hear(order.id, found)
                self._wake()
                return
            if self._state.lives[order.id].order.broker_id is not None:
                return  # the stream was faster
            missed += 1
        await self._reject(order.id, RejectCode.NEVER_SENT, f"{why} The broker never had it.")


def _says_it_is_over(fault: BrokerError) -> bool:
    return isinstance(fault, BrokerRefused) and fault.reason in _GONE


def _now_s() -> float:
    return asyncio.get_running_loop().time()
