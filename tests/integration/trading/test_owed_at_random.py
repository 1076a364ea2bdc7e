"""Whatever comes between closing a position and its exits: in the end exits are over all that is held, or it is said why not."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.errors import KnownError
from core.runs import covers
from core.runs.hand_account import HandAccount
from tests.broker.bench import fake_broker
from tests.broker.book import Document
from tests.broker.faults import Fault, Way
from tests.broker.server import FakeBroker
from tests.integration.trading.hand_over_http import by_hand
from tests.integration.trading.test_owed_exits_over_http import POST, REFUSED, end_cancels
from tests.integration.trading.test_partial_close_over_http import held_with
from tests.strictness.log_guard import AllowLog

D = Decimal
OPEN = {"new", "partially_filled", "held"}
WISHES = (
    *("close", "close", "close", "away", "slow", "done", "fill", "fill", "hold", "end"),
    *("refuse", "refuse", "busy", "lost", "restart"),
)


def over(server: FakeBroker, kind: str) -> Decimal:
    """Over how many units sales of a type work at the broker, or will until it takes them back."""

    def left() -> Decimal:
        found = [one for one in server.book.orders.values() if (one["side"], one["type"]) == ("sell", kind)]
        return sum((D(one["qty"]) - D(one["filled_qty"]) for one in found if one["status"] in OPEN | {"pending_cancel"}), D(0))

    return server.do(left)


def sold_at_most(server: FakeBroker) -> Decimal:
    """How many units all sales that work come to, whichever of a pair fills: with several pairs over parts of a position, too."""

    def most() -> Decimal:
        of_group: dict[str, Decimal] = {}
        for one in server.book.orders.values():
            if one["side"] == "sell" and one["status"] in OPEN | {"pending_cancel"}:
                lead = server.book._group_of(one)[0]["id"]
                of_group[lead] = max(of_group.get(lead, D(0)), D(one["qty"]) - D(one["filled_qty"]))
        return sum(of_group.values(), D(0))

    return server.do(most)


class World:
    """An account at a broker that misbehaves, which is let go and opened again."""

    def __init__(self, folder: Path, server: FakeBroker, chance: random.Random) -> None:
        self.folder, self.server, self.chance = folder, server, chance
        self.account: HandAccount | None = None
        self.did: list[str] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[HandAccount]:
        async with by_hand(self.folder, self.server, busy_timeout_s=0.05) as account:
            self.account = account
            yield account

    @property
    def held(self) -> Decimal:
        return self.server.do(lambda: D(0) if "SPY" not in self.server.book.holdings else self.server.book.holdings["SPY"].qty)

    async def act(self, account: HandAccount) -> bool:
        """Let something happen; False: the account is to be let go, and opened again."""
        what = self.chance.choice(WISHES)
        self.did.append(what)
        if what == "restart":
            return False
        await getattr(self, f"_{what}")(account)
        return True

    async def _close(self, account: HandAccount) -> None:
        qty = self.chance.choice((D(1), D(2), D(3), None))
        with suppress(KnownError):
            await account.close("SPY", account.run.id, qty)

    async def _away(self, account: HandAccount) -> None:
        """Close a part while the store goes away in between, and let it come back a moment later."""
        place, count = account.desk.place, self.chance.choice((1, 2))
        sent: list[int] = []
        with closing(sqlite3.connect(self.folder / "desk.db", isolation_level=None)) as other:

            async def placing(*args: Any, **options: Any) -> None:
                sent.append(1)
                if len(sent) == count and not other.in_transaction:
                    other.execute("BEGIN IMMEDIATE")
                await place(*args, **options)

            account.desk.place = placing  # type: ignore[method-assign]
            try:
                await self._close(account)
            finally:
                account.desk.place = place  # type: ignore[method-assign]
                if other.in_transaction:
                    other.execute("ROLLBACK")

    async def _slow(self, _: HandAccount) -> None:
        self.server.book.cancel_slowly = True

    async def _done(self, _: HandAccount) -> None:
        self.server.book.cancel_slowly = False
        self.server.do(lambda: end_cancels(self.server))

    async def _refuse(self, _: HandAccount) -> None:
        self.server.fail(REFUSED)

    async def _busy(self, _: HandAccount) -> None:
        self.server.fail(Fault(POST, Way.STATUS, 429))

    async def _lost(self, _: HandAccount) -> None:
        self.server.fail(Fault(POST, Way.RESET_AFTER))

    async def _hold(self, _: HandAccount) -> None:
        self.server.book.holds_sales = not self.server.book.holds_sales

    async def _fill(self, account: HandAccount) -> None:
        """Let the market take one unit of a sale that works, and the program hear of it."""

        def take() -> None:
            found = [one for one in self.server.book.orders.values() if one["side"] == "sell" and one["status"] in OPEN]
            if found and D(0) < self.server.book.holdings["SPY"].qty:
                order: Document = self.chance.choice(found)
                if D(order["filled_qty"]) < D(order["qty"]):
                    self.server.book.fill(order["id"], "1", "400")

        self.server.do(take)
        await self.until(account, lambda: account.desk.state.books[account.run.id].held("SPY") == self.held)

    async def _end(self, account: HandAccount) -> None:
        """Take back the sale that works."""
        for life in account.desk.state.working():
            if life.order.request.type == "market":
                with suppress(KnownError):
                    await account.cancel(life.order.id)

    async def until(self, account: HandAccount, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not is_so():
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await account.desk.state.moved()


@pytest.mark.parametrize("seed", range(8))
async def test_in_the_end_exits_are_over_all_that_is_held_or_it_is_said_why_not(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog
) -> None:
    for line in ("store", "was not", "were not", "is not cancelled", "cancel-", "send-", "line for"):
        allow_log(line)
    monkeypatch.setattr(covers, "PATIENCE_S", 0.3)
    with fake_broker() as server:
        world = World(tmp_path, server, random.Random(seed))
        async with world.opened() as account:
            await held_with(account, stop_loss_price=D(380), target_price=D(420))
        for _ in range(3):
            async with world.opened() as account:
                for _ in range(7):
                    if not await world.act(account):
                        break
                    assert max(over(server, "limit"), over(server, "stop")) <= world.held, world.did  # never one too many
                    assert sold_at_most(server) <= world.held, world.did
        server.do(server.faults.clear)
        async with world.opened() as account:
            await world._done(account)
            server.book.holds_sales = False
            await world._end(account)
            state = account.desk.state

            def bare_qty() -> Decimal:
                return D((account._owed.bare(account.run.id, "SPY") or "0").split()[0])

            def is_settled() -> bool:
                book = state.books[account.run.id]
                if book.held("SPY") != world.held or any(life.order.request.type == "market" for life in state.working()):
                    return False
                is_covered = (over(server, "limit"), over(server, "stop")) == (world.held - bare_qty(),) * 2
                return is_covered and (not account._owed.owes or bool(bare_qty()))

            with suppress(TimeoutError):
                await world.until(account, is_settled)
            found = (over(server, "limit"), over(server, "stop"), account._owed.bare(account.run.id, "SPY"))
            assert is_settled(), (world.did, world.held, found)
            assert world.held >= 0, world.did
