"""The database is locked by another program in the moment in which an exit is to leave: it leaves when the database is free."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from core.clock.realtime import SystemClock
from core.events.envelope import Envelope
from core.model.order import OrderStatus
from core.store.database import DatabaseStore
from tests.heard import heard
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.test_hand import buy, by_hand


async def test_an_exit_waits_for_the_database_and_leaves(tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("waits for the store")
    allow_log("was not reconciled")
    store = DatabaseStore(tmp_path / "desk.db", SystemClock(), busy_timeout_s=0.1)
    async with by_hand(tmp_path, store=store) as hand:
        with closing(sqlite3.connect(tmp_path / "desk.db", isolation_level=None)) as other:

            def lock(_: Envelope) -> None:
                if not other.in_transaction:
                    other.execute("BEGIN IMMEDIATE")

            with heard("core.runs.store_away", "waits for the store") as waits:
                with store.log.subscribe("orders.Filled", lock, owner="test"):
                    entry = await hand.account.place(buy(1, stop_loss_price=Decimal(1000)))
                    await waits.wait()
                other.execute("ROLLBACK")
            lives = hand.account.desk.state.lives
            await hand.moved(
                lambda: [one.order.status for one in lives.values() if one.order.parent_id == entry.id] == [OrderStatus.ACCEPTED]
            )
