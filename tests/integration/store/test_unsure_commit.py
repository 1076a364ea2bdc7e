"""A commit that nobody answers, and that nothing can be learned of: it is told as that, and never made again."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from core.errors import DatabaseUnreachable
from core.store import database
from core.store.database import DatabaseStore
from core.store.dialect import Begun
from core.store.sqlite import SqliteDatabase
from tests.contract.samples import StillClock, note, run


class SilentDatabase(SqliteDatabase):
    """Makes so many additions to the log last without an answer; of what became of them it says nothing either."""

    silent = 0

    def reading_engine(self) -> Engine:
        """Only who writes is in haste here; who listens for other desks waits for a lock as ever."""
        return SqliteDatabase(self.path).reading_engine()

    def commit(self, connection: Connection, begun: Begun, head: int | None, late: Sequence[Any]) -> None:
        super().commit(connection, begun, head, late)
        if head is not None:
            self._be_silent()

    def append(self, connection: Connection, mark: str, cells: Sequence[Any]) -> int:
        last = super().append(connection, mark, cells)
        self._be_silent()
        return last

    def _be_silent(self) -> None:
        if self.silent:
            self.silent -= 1
            raise DatabaseUnreachable("The server does not answer.")


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SilentDatabase:
    made = SilentDatabase(tmp_path / "desk.db", 0.0)
    monkeypatch.setattr(database, "database_at", lambda url, patience_s: made)
    return made


@pytest.fixture
async def store(silent: SilentDatabase) -> AsyncIterator[DatabaseStore]:
    store = DatabaseStore(silent.path, StillClock())
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def append_together(store: DatabaseStore, texts: Sequence[str], *, is_plain: bool) -> list[str]:
    """Append while the writer is busy, so that all is committed at once; return what each was told. Not plain: with a row of a run."""
    loop, began, goes_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def keep_busy(_: Connection) -> None:
        loop.call_soon_threadsafe(began.set)
        assert goes_on.wait(20)

    async def append(text: str) -> str:
        try:
            if is_plain:
                await store.log.append([note(text)])
            else:
                async with store.runs.begin() as work:
                    work.put_run(run(text))
                    work.append([note(text)])
        except DatabaseUnreachable as error:
            return str(error)
        return "done"

    async with asyncio.TaskGroup() as group:
        group.create_task(store._threads.write_and_wait(keep_busy))
        await began.wait()
        asked = [group.create_task(append(text)) for text in texts]
        await asyncio.sleep(0)  # each is with the writer now
        goes_on.set()
    return [one.result() for one in asked]


@pytest.mark.parametrize("is_plain", [True, False])
async def test_each_of_a_group_is_told_and_none_is_made_again(silent: SilentDatabase, store: DatabaseStore, is_plain: bool) -> None:
    silent.silent = 1
    told = await append_together(store, ["a", "b"], is_plain=is_plain)
    assert all("Whether the last change was made is not known" in one for one in told)
    assert [event.payload for event in await store.log.read()] == [note(text).payload for text in ("a", "b")]
    assert await append_together(store, ["c", "d"], is_plain=is_plain) == ["done", "done"]
    assert [event.payload for event in await store.log.read(after_seq=2)] == [note(text).payload for text in ("c", "d")]
