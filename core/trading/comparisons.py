"""When an account is compared with its broker: at the beginning, when something asks for it, at intervals; and what is told of that."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from core.errors import BrokerError, BugError, KeysRefused, KnownError, StoreError
from core.events.live_payloads import ComparisonFailed, StreamChanged
from core.trading.desk_tasks import OnBug
from core.trading.reconcile import Difference
from core.trading.reconciler import Reconciler
from core.trading.state import AccountState

RECONCILE_S: Final = 120.0
SOON_S: Final = 2.0
"""When to look again at what may be the broker's lag, and at a broker that did not answer."""
FEE_S: Final = 1.1
"""The same while the fee of a bought coin is to come."""
_log = logging.getLogger(__name__)


class Comparisons:
    """Of one account. `on_reached`: called when the broker answers again; `on_compared`: each time that a comparison came to its end."""

    def __init__(
        self,
        state: AccountState,
        *,
        on_reached: Callable[[], None],
        on_compared: Callable[[], None],
        on_bug: OnBug,
        reconcile_s: float = RECONCILE_S,
        soon_s: float = SOON_S,
    ) -> None:
        self._state = state
        self._on_reached = on_reached
        self._on_compared = on_compared
        self._on_bug = on_bug
        self._reconcile_s = reconcile_s
        self._soon_s = soon_s
        self._reconciler: Reconciler | None = None
        self._wake = asyncio.Event()
        self._is_unreached = False
        self._is_unhealed = False
        self._cut_off_by = ""
        """The bug by which the last comparison was, in words."""
        self.ready: Final = asyncio.Event()
        """Set once the account was met and looked at, or its broker did not answer."""
        self.count = 0
        """How many came to their end."""
        self.newest_ns: int | None = None
        """When the last one did."""

    def begin(self, reconciler: Reconciler) -> None:
        """Take who compares, once it is known what was stored of the account."""
        self._reconciler = reconciler

    def _begun(self) -> Reconciler:
        if self._reconciler is None:
            raise BugError("The desk is not open.")
        return self._reconciler

    @property
    def is_reached(self) -> bool:
        """Whether the broker answers, as far as was asked."""
        return self.count > 0 and not self._is_unreached

    def wake(self) -> None:
        """Let the next one come now."""
        self._wake.set()

    async def compare(self, *, accepts: str | None = None) -> tuple[Difference, ...]:
        """Compare with the broker and heal, now. Raises BrokerError. `accepts`: see `core.trading.reconciler`."""
        reconciler = self._begun()
        try:
            found = await reconciler.reconcile(accepts=accepts)
        except KnownError:
            raise
        except Exception as error:
            await self._not_compared(error)
            raise
        await self._not_compared(None)
        self.count += 1
        self.newest_ns = self._state.clock.now_ns()
        return found

    async def go_on(self) -> None:
        """Compare whenever it is time. Raises what no second attempt would change."""
        reconciler = self._begun()
        while True:
            self._wake.clear()  # before: what is asked for meanwhile is asked for again
            asked_ns = self._state.clock.monotonic_ns()
            try:
                await self.compare()
                await self._reached(None, asked_ns)
            except BrokerError as error:
                if isinstance(error, KeysRefused) or reconciler.gives_up:
                    raise
                await self._reached(error, asked_ns)
            except StoreError as error:
                # What differs is healed when the store takes it; until then the books are as they were.
                _log.warning("%s was not reconciled: %s", self._state.key, error)
                self._is_unhealed = True
            except KnownError:
                raise  # the account is another desk's
            except Exception as error:
                if not reconciler.has_met:
                    raise  # nothing is open there yet, and nothing may be
                await self._not_compared(error)
            else:
                self._is_unhealed = False
                self._on_compared()
            if reconciler.has_met:
                self.ready.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._next_in_s()):
                    await self._wake.wait()

    async def take_entries(self) -> None:
        """Book what moved the account without an execution, now, before what comes next. Where that fails it is asked for again."""
        reconciler = self._begun()
        try:
            await reconciler.take_entries()
        except KnownError as error:
            _log.warning("What %s booked is asked for again: %s", self._state.key, error)
            self.wake()
        except Exception as error:
            await self._not_compared(error)
            self.wake()

    async def _not_compared(self, error: Exception | None) -> None:
        """Report a bug that cut a comparison off, once, and let nothing open until one has come to its end; None: this one has."""
        reason = "" if error is None else f"{type(error).__name__}: {error}"
        if reason == self._cut_off_by:
            return
        self._cut_off_by, self._state.is_compared = reason, error is None
        if error is not None:
            self._on_bug(error, f"reconciling {self._state.key}")
        try:
            await self._state.tell(ComparisonFailed(account=self._state.key, reason=reason))
        except KnownError:
            raise
        except Exception as bug:
            self._on_bug(bug, f"telling of {self._state.key}")

    async def _reached(self, error: BrokerError | None, asked_ns: int) -> None:
        """Tell once that questions are not answered, and once that they are again."""
        self._state.lines.note("requests", is_heard=error is None, since_ns=asked_ns)
        if (error is None) is not self._is_unreached:
            return
        self._is_unreached = error is not None
        if error is None:
            self._on_reached()
        state, said = ("listening", "") if error is None else ("lost", str(error))
        await self._state.tell(StreamChanged(account=self._state.key, stream="requests", state=state, said=said))

    def _next_in_s(self) -> float:
        if self._state.coins.awaits_fee():
            return FEE_S
        if self._is_unreached or self._is_unhealed or (self._reconciler is not None and self._reconciler.is_waiting):
            return min(self._reconcile_s, self._soon_s)
        limits = [self._state.limits, *(self._state.books[run_id].limits for run_id in self._state.seats)]
        # A broker that is gone must be found out well before the dead man's limit.
        return min([self._reconcile_s, *(one.halt_silence_s / 3 for one in limits if one.halt_silence_s is not None)])
