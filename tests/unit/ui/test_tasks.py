import asyncio

import pytest

from core.errors import BugError, NoBars
from ui.tasks import TaskScope


class Handler:
    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def __call__(self, error: Exception, what: str) -> None:
        self.said.append((str(error), what))


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    raise NoBars("There are no bars of SPY.", "Import some.")


async def test_an_error_goes_to_the_one_handler() -> None:
    handler = Handler()
    scope = TaskScope("window", handler)
    scope.start(fail(), what="loading SPY")
    await scope.settled()
    assert handler.said == [("There are no bars of SPY. Import some.", "loading SPY")]
    assert scope.pending == ()


async def test_close_cancels_all_and_names_what_missed_the_deadline() -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    scope = TaskScope("window", Handler())
    scope.start(wait_for_ever(), what="waiting")
    task = scope.start(stubborn(), what="being stubborn")
    await asyncio.sleep(0)
    assert await scope.close(deadline_s=0.05) == ["being stubborn"]
    release.set()
    await task


async def test_nothing_starts_in_a_closed_scope() -> None:
    scope = TaskScope("window", Handler())
    await scope.close()
    with pytest.raises(BugError, match="closed"):
        scope.start(wait_for_ever(), what="waiting")


async def test_only_the_newest_of_a_kind_counts() -> None:
    scope = TaskScope("window", Handler())
    first = scope.start(wait_for_ever(), what="first", latest="run")
    second = scope.start(asyncio.sleep(0), what="second", latest="run")
    await scope.settled()
    assert first.cancelled()
    assert second.done()
    assert not second.cancelled()


async def test_a_failing_handler_reaches_the_loop() -> None:
    def broken(error: Exception, what: str) -> None:
        raise RuntimeError("the handler broke")

    seen: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: seen.append(context))
    scope = TaskScope("window", broken)
    scope.start(fail(), what="loading")
    await scope.settled()
    await asyncio.sleep(0)
    assert [context["message"] for context in seen] == ["window: the error handler failed"]


async def test_the_closing_task_is_not_cancelled_by_its_own_close() -> None:
    scope = TaskScope("window", Handler())
    ended: list[list[str]] = []

    async def close() -> None:
        ended.append(await scope.close())

    await scope.start(close(), what="closing")
    assert ended == [[]]
