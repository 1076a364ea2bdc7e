"""Sends exits again that made way for a closing which did not come to its end, for whosever position, as long as an account is open.

Whoever closes a position holds its `closing` meanwhile: then nothing is sent of it but what that asks for. Everything is stored before
anything is taken back, so that whoever opens the account next goes on. Source: docs/adr/0033.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from functools import partial
from typing import Final

from core.errors import StoreError, WeaverError
from core.events.envelope import Envelope
from core.events.live_payloads import ExitsOwed, ExitsOwedNoMore, LeftBare
from core.model.market import AssetClass, asset_class_of
from core.model.money import ZERO, plain
from core.model.order import Order, RejectCode
from core.model.risk import SwitchLevel
from core.model.run import RunStatus
from core.ports import EventLog, RunStore
from core.runs.closing_side import ClosingSide
from core.runs.exits import read_fates
from core.runs.holdings import Holdings
from core.runs.owed import Debt, Key, base_id, is_back, is_owed_back, there_is
from core.trading.entries import Entry
from core.trading.order_fold import OrderLife
from core.trading.service import AccountDesk, Intent

SOON_S: Final = 1.0
"""How often it is looked at what is owed though nothing happens: a pause may be over, or a rule let it through."""
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
"""Between two attempts while the store does not answer; each pause is twice the one before."""
_OVER: Final = frozenset({RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.ERROR})
_TAKES_BACK: Final = frozenset({SwitchLevel.CANCEL_ALL, SwitchLevel.FLATTEN})
_log = logging.getLogger(__name__)


class OwedExits:
    """Those of one account. `recall` what an earlier program left, let `keep` go on, and `give_up` at the end."""

    def __init__(self, desk: AccountDesk, on_bug: Callable[[BaseException, str], None]) -> None:
        self._desk = desk
        self._state = desk.state
        self._on_bug = on_bug
        self._side = ClosingSide(desk.state)
        self._holdings = Holdings(desk.state)
        self._debts: list[Debt] = []
        self._closing: dict[Key, asyncio.Lock] = {}
        self._closers: Counter[tuple[str, str]] = Counter()
        """How many close a position, or wait for their turn, by run and symbol."""
        self._woken = asyncio.Event()

    # --- who closes a position ---

    @asynccontextmanager
    async def closing(self, key: Key) -> AsyncGenerator[None]:
        """Close a position, or a part of it, within the block: nothing is sent for it meanwhile but by `restore`."""
        self._closers[key[:2]] += 1
        try:
            async with self._closing.setdefault(key, asyncio.Lock()):
                yield
        finally:
            self._closers[key[:2]] -= 1
            self._woken.set()
            self._state.look_again()

    def is_closing(self, key: Key) -> bool:
        """Tell whether somebody closes a position, on whichever side, or waits for their turn."""
        return self._closers[key[:2]] > 0

    async def make_way(self, groups: Sequence[tuple[Sequence[OrderLife], Decimal]], closing: Order, allowed: Decimal) -> None:
        """Commit that orders are to make way, before they do; each group with the units that it is to be over. Raises StoreError."""
        for run_id in {life.order.run_id for group, _ in groups for life in group}:
            await self._desk.absent.bring_back(run_id)  # what filled in their place before counts
        async with self._state.turn:
            entry = self._state.entry()
            for group, wanted in groups:
                owed = [life.order for life in group if is_owed_back(life.order)]
                if not owed or any(order.id in self._state.taken_back and not self._is_owed(order.id) for order in owed):
                    continue  # what was to be cancelled anyway does not come again
                ids = tuple(order.id for order in owed)
                qty, filled_qty = there_is(ids, self._state, self._side)
                told = ExitsOwed(
                    order_ids=ids,
                    symbol=closing.request.symbol,
                    qty=qty,
                    filled_qty=filled_qty,
                    left_qty=wanted,
                    closing_id=closing.id,
                    closing_qty=closing.request.qty,
                    allowed_qty=allowed,
                )
                event_id = entry.tell_of(owed[0], told)
                for order in owed[1:]:
                    entry.caused(order.id, event_id)
                entry.afterwards.append(partial(self._take, told))
            await self._state.apply(entry)

    def _is_owed(self, order_id: str) -> bool:
        return any(debt.concerns(order_id) for debt in self._debts)

    def asked(self, order_id: str) -> None:
        """Take that the broker is asked to take an order back, or to make it smaller."""
        for debt in self._debts:
            debt.is_asked = debt.is_asked or debt.concerns(order_id)

    async def restore(self, key: Key, reserved: Decimal) -> list[str]:
        """Send what is owed over all that is held but `reserved` units, and return the ids. Raises StoreError.

        Only within `closing`.
        """
        async with self._state.turn:
            pass  # what became of the last commit is known then
        return await self._send(self._due(key, reserved))

    # --- who takes them back ---

    def let_go(self, order_id: str) -> Sequence[Debt]:
        """Owe nothing more where an order is, or was, concerned, and return what was owed: `tell_end` stores that."""
        debts = [debt for debt in self._debts if debt.concerns(order_id)]
        self._debts = [debt for debt in self._debts if debt not in debts]
        return debts

    async def forget(self, run_id: str | None, reason: str) -> None:
        """Let nothing be owed any more to a run, or to anybody (None). Raises StoreError."""
        debts = [debt for debt in self._debts if run_id in {None, debt.key.run_id}]
        if debts:
            await self.tell_end(debts, reason)

    async def run_is_over(self, run_id: str) -> None:
        """Let nothing be owed to a run that takes its orders back as it ends. What the store does not take, its end in the store says."""
        with suppress(StoreError):
            await self.forget(run_id, "Its run is over, and takes its orders back.")

    # --- what there is to see ---

    def bare(self, run_id: str, symbol: str) -> str:
        """Return in words what of a position stands without the exits that it had, and why; empty where nothing does."""
        found = [debt for debt in self._debts if debt.key[:2] == (run_id, symbol) and debt.reason and debt.bare_qty]
        qty = sum((debt.bare_qty for debt in found), ZERO)
        return f"{plain(qty)} of it stand without the exits that they had. {found[-1].reason}" if found else ""

    def owed_qty(self, key: Key) -> Decimal:
        """Return over how many units of a position exits are owed that are not there."""
        return sum((debt.owed_qty(self._state, self._side) for debt in self._of(key)), ZERO)

    @property
    def owes(self) -> bool:
        """Whether anything is owed to any position."""
        return bool(self._debts)

    @property
    def lacks(self) -> bool:
        """Whether something is on its way, or will be as soon as the broker has done what it was asked for."""
        lives = self._state.lives
        due = [one for key in {debt.key: None for debt in self._debts} for one in self._due(key, ZERO)]
        is_under_way = any(debt.is_making_way(lives) or debt.is_leaving(lives) for debt in self._debts)
        return is_under_way or any(qty and not debt.reason for debt, qty in due)

    # --- its life ---

    async def recall(self, log: EventLog, runs: RunStore) -> None:
        """Take what is owed by what is stored. Raises StoreError."""
        told = []
        for wire in (ExitsOwed.wire, ExitsOwedNoMore.wire):
            after = 0
            while page := await log.read(after_seq=after, pattern=wire):
                after = page[-1].seq
                told += page
        told.sort(key=lambda one: one.seq)
        for run_id in _owed_to(told):
            await self._desk.absent.bring_back(run_id)  # they may have made way long ago
        for event in told:
            payload = event.payload
            if isinstance(payload, ExitsOwed) and payload.order_ids[0] in self._state.lives:
                self._take(payload)
            elif isinstance(payload, ExitsOwedNoMore):
                self._drop(payload.order_ids)
        made_way = {each for event in told if isinstance(event.payload, ExitsOwed) for each in event.payload.order_ids}
        for run_id in {debt.key.run_id for debt in self._debts}:
            run, fates = await runs.run(run_id), await read_fates(log, run_id)
            gone = {order_id for order_id, request in fates.items() if request is None and is_back(order_id)} - made_way
            for debt in [one for one in self._debts if one.key.run_id == run_id]:
                debt.is_asked = True
                is_taken_back = any(map(debt.concerns, gone))
                if is_taken_back or run is None or (run.status in _OVER and not run.config.is_by_hand):
                    self._debts.remove(debt)

    async def keep(self) -> None:
        """Send what is owed as soon as it can be, until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            self._woken.clear()
            is_stored = True
            for key in {debt.key: None for debt in self._debts}:
                try:
                    await self._mind(key)
                except StoreError as error:
                    if is_stored and pause_s == FIRST_PAUSE_S:
                        _log.warning("Exits that are owed at %s wait for the store: %s", self._state.key, error)
                    is_stored = False
                except WeaverError as error:
                    _log.warning("Exits that are owed at %s were not sent: %s", self._state.key, error)
                except Exception as error:
                    self._on_bug(error, "owed exits")
            if not is_stored:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S
            with suppress(TimeoutError):
                async with asyncio.timeout(SOON_S if self._debts else None):
                    await (self._state.moved() if self._debts else self._woken.wait())

    async def give_up(self) -> None:
        """Say of what is owed still that it goes on when the account is opened again. Raises StoreError."""
        for key in {debt.key: None for debt in self._debts}:
            due, held = self._due(key, ZERO), self._held(key)
            for debt in self._of(key):
                qty = next((qty for one, qty in due if one is debt), ZERO)
                reason = f"{debt.reason} The account was let go; they are sent when it is open again.".strip()
                if not qty and debt.is_making_way(self._state.lives):
                    qty = min(held, debt.giving_way_qty(self._state, self._side))
                    reason = "Their cancel is under way, and the account was let go."
                if qty:
                    await self._say(debt, qty, "let go", reason)
                held = max(ZERO, held - qty)

    # --- inside ---

    def _take(self, told: ExitsOwed) -> None:
        first = self._state.lives[told.order_ids[0]].order
        for debt in self._debts:
            if any(map(debt.concerns, told.order_ids)):
                debt.take(told)
                break
        else:
            self._debts.append(Debt(told, first, self._state.lives))
        self._woken.set()

    def _drop(self, order_ids: Sequence[str]) -> None:
        self._debts = [debt for debt in self._debts if not any(map(debt.concerns, order_ids))]

    def _of(self, key: Key) -> list[Debt]:
        return [debt for debt in self._debts if debt.key == key]

    async def _mind(self, key: Key) -> None:
        """Do what is to be done for one position now."""
        lock = self._closing.setdefault(key, asyncio.Lock())
        if lock.locked():
            return
        async with lock:
            state = self._state
            if state.turn.is_unsure:
                async with state.turn:
                    pass  # an order that closes it may be stored, and leave
            if state.level(key.run_id) in _TAKES_BACK:
                await self.tell_end(self._of(key), "The kill switch takes back all orders, and so what was owed.")
                return
            over = [debt for debt in self._of(key) if self._is_over(debt)]
            if over:
                words = "Its exits are in order again." if self._held(key) else "The position is closed."
                await self.tell_end(over, words)
            due = self._due(key, ZERO)
            leaving = [(debt, qty) for debt, qty in due if not self._why_not(debt, qty)]
            for debt in self._of(key):
                await self._tell_bare(debt, due)
            if leaving:
                await self._send(leaving)

    def _is_over(self, debt: Debt) -> bool:
        """Whether nothing can be owed any more."""
        state, lives = self._state, self._state.lives
        if debt.is_taken_away(lives):
            return True
        if debt.is_unsure(lives) or self._is_unsure(debt.key) or not debt.closing_is_over(lives):
            return False
        if not self._held(debt.key) or not debt.is_asked:
            return True
        # What is held has its exits though nothing else fills, and what was to make way has done so.
        lacks = self._most(debt.key) - self._side.qty(*debt.key, waiting_only=True)
        is_covered = not debt.owed_qty(state, self._side) or lacks <= 0
        return is_covered and debt.is_there(lives) and not debt.is_making_way(lives)

    def _due(self, key: Key, reserved: Decimal) -> list[tuple[Debt, Decimal]]:
        """Return what is to be sent, and over how many units: the newest has its part first, as the oldest gives way first."""
        found: list[tuple[Debt, Decimal]] = []
        if self._is_unsure(key) or any(debt.is_unsure(self._state.lives) for debt in self._of(key)):
            return found
        needed = max(ZERO, self._needed(key, reserved))
        for debt in reversed(self._of(key)):
            qty = min(needed, debt.owed_qty(self._state, self._side))
            needed -= qty
            if qty or not debt.is_there(self._state.lives):
                found.append((debt, qty))
        return found

    def _needed(self, key: Key, reserved: Decimal) -> Decimal:
        """Return over how many units of a position nothing works that closes it, as far as exits may be over them."""
        return self._most(key) - self._side.qty(*key) - reserved

    def _most(self, key: Key) -> Decimal:
        """Return over how many units of a position exits may be."""
        debts = self._of(key)
        return min(self._held(key), debts[-1].most_qty(self._state.lives)) if debts else self._held(key)

    def _held(self, key: Key) -> Decimal:
        return self._holdings.to_close(*key)

    def _is_unsure(self, key: Key) -> bool:
        """Whether it is not known yet how much is held: executions are missing, or what the broker keeps of a bought coin."""
        state = self._state
        unsettled = (life.order for life in state.unsettled() if life.missing_qty)
        if any((order.run_id, order.request.symbol) == key[:2] for order in unsettled):
            return True
        if asset_class_of(key.symbol) is not AssetClass.CRYPTO:
            return False
        return state.coins.awaits_fee({life.order.id for life in state.lives.values() if life.order.request.symbol == key.symbol})

    def _why_not(self, debt: Debt, qty: Decimal) -> str:
        """Return why it cannot be sent now, for a person; empty: it can."""
        state, lives = self._state, self._state.lives
        debt.bare_qty = qty
        until_ns, failed = debt.pause_ns(lives)
        is_refused = failed is not None and failed.reject_code is not RejectCode.NEVER_SENT
        if failed is not None and state.clock.now_ns() < until_ns and not (is_refused and qty != debt.tried_qty):
            debt.reason = f"They were not taken: {failed.reason} They are sent again after a while."
            return str(failed.reject_code)
        for order in debt.again(lives, qty, state.clock.now_ns()):
            for verdict in self._desk.verdicts(order):
                debt.reason = verdict.sentence
                if verdict.code == RejectCode.RISK_HALTED:
                    debt.reason = "The kill switch lets nothing leave; they are sent when it is off."
                return verdict.code
        debt.reason = ""
        return ""

    async def _tell_bare(self, debt: Debt, due: Sequence[tuple[Debt, Decimal]]) -> None:
        """Say once why something stands bare, and again when there is another reason."""
        qty = next((qty for one, qty in due if one is debt), None)
        if not qty:
            debt.bare_qty, debt.reason, debt.said = ZERO, "", None if qty is None else debt.said
            return
        code = self._why_not(debt, qty)
        if code and code != debt.said:
            await self._say(debt, qty, code, debt.reason)

    async def _say(self, debt: Debt, qty: Decimal, kind: str, reason: str) -> None:
        async with self._state.turn:
            entry = self._state.entry()
            told = LeftBare(order_ids=debt.order_ids, symbol=debt.key.symbol, qty=qty, reason=reason)
            entry.tell_of(self._state.lives[debt.order_ids[0]].order, told)
            await self._state.apply(entry)
        debt.said = kind

    async def _send(self, due: Sequence[tuple[Debt, Decimal]]) -> list[str]:
        state, lives = self._state, self._state.lives
        orders: list[Order] = []
        for debt, qty in due:
            made = debt.again(lives, qty, state.clock.now_ns())
            if not made:
                continue
            debt.tried_qty = qty
            debt.sent()
            orders += made
            waiting = None if (seat := state.seats.get(debt.key.run_id)) is None else seat.waiting
            if waiting is not None:
                for order in made:
                    if order.sibling_id is not None:
                        waiting.pair(order.id, order.sibling_id)
        if orders:
            causes = state.causes.of_order
            await self._desk.place([Intent(order=order, caused_by=self._cause(due, order, causes)) for order in orders])
        return [order.id for order in orders]

    def _cause(self, due: Sequence[tuple[Debt, Decimal]], order: Order, causes: dict[str, str]) -> str | None:
        return next((causes.get(debt.order_ids[0]) for debt, _ in due if debt.concerns(order.id)), None)

    def _end(self, debt: Debt, entry: Entry, reason: str) -> None:
        told = ExitsOwedNoMore(order_ids=debt.order_ids, symbol=debt.key.symbol, reason=reason)
        entry.tell(told, run_id=debt.key.run_id)
        entry.afterwards.append(partial(self._drop, debt.order_ids))

    async def tell_end(self, debts: Sequence[Debt], reason: str) -> None:
        """Commit that nothing is owed any more. Raises StoreError."""
        async with self._state.turn:
            entry = self._state.entry()
            for debt in debts:
                self._end(debt, entry, reason)
            await self._state.apply(entry)


def _owed_to(told: Sequence[Envelope]) -> set[str]:
    """Return the runs to which something is owed still, by what was told, oldest first."""
    owed: dict[str, str] = {}
    for event in told:
        payload = event.payload
        if isinstance(payload, ExitsOwed) and event.run_id is not None:
            owed |= dict.fromkeys(map(base_id, payload.order_ids), event.run_id)
        elif isinstance(payload, ExitsOwedNoMore):
            for each in map(base_id, payload.order_ids):
                owed.pop(each, None)
    return set(owed.values())
