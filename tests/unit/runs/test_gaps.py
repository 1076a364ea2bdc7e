"""Gaps of several symbols: what follows on them, what fills them, and that none holds up another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.errors import AnswerUnreadable, BrokerUnreachable
from core.model.instants import MINUTE_NS
from core.model.market import Bar
from core.runs.gaps import Gaps


def minute(symbol: str, number: int) -> Bar:
    return Bar(symbol, number * MINUTE_NS, (number + 1) * MINUTE_NS, 1.0, 1.0, 1.0, 1.0, 1.0)


class Scene:
    """Gaps of A, B and C. `wrong`: what the history says to a symbol's question; `hanging`: whose question it does not answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.followed: list[tuple[str, int]] = []
        self.failed: list[str] = []
        self.wrong: dict[str, Exception] = {}
        self.hanging: dict[str, asyncio.Event] = {}
        self.gaps = Gaps(
            ("A", "B", "C"),
            fill=self._fill,
            follow=lambda bar: self.followed.append((bar.symbol, bar.start_ns // MINUTE_NS)),
            failed=self.failed.append,
        )

    async def _fill(self, symbol: str) -> None:
        self.asked.append(symbol)
        if symbol in self.hanging:
            await self.hanging[symbol].wait()
        if symbol in self.wrong:
            raise self.wrong[symbol]


@asynccontextmanager
async def filling() -> AsyncIterator[Scene]:
    scene = Scene()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(scene.gaps.keep_filling())
        yield scene
        task.cancel()


async def test_at_the_beginning_each_has_one_and_what_comes_follows_on_what_fills_it() -> None:
    async with filling() as scene:
        assert scene.gaps.is_everywhere
        assert scene.gaps.holds(minute("A", 5))
        scene.gaps.release(None)
        assert scene.followed == []
        await scene.gaps.fill(0.0)
        assert (scene.asked, scene.gaps.unfilled, scene.gaps.symbols) == (["A", "B", "C"], set(), {"A"})
        assert scene.gaps.holds(minute("A", 6))  # nothing overtakes what is held
        scene.gaps.release(6 * MINUTE_NS)
        assert scene.followed == [("A", 5)]
        scene.gaps.release(None)
        assert scene.followed == [("A", 5), ("A", 6)]
        assert not scene.gaps.holds(minute("A", 7))
        assert scene.gaps.symbols == set()


async def test_one_whose_history_hangs_holds_up_no_other() -> None:
    async with filling() as scene:
        await scene.gaps.fill(0.0)
        scene.gaps.release(None)
        scene.hanging["A"] = asyncio.Event()
        scene.gaps.begin(("A",))
        assert not scene.gaps.holds(minute("B", 1))
        assert scene.gaps.holds(minute("A", 1))
        await scene.gaps.fill(0.0)  # it is back at once
        scene.gaps.release(None)
        assert (scene.followed, scene.gaps.unfilled) == ([], {"A"})
        scene.hanging["A"].set()
        await scene.gaps.fill(60.0)
        scene.gaps.release(None)
        assert (scene.followed, scene.gaps.symbols) == ([("A", 1)], set())


async def test_what_is_missed_while_one_is_filled_is_another() -> None:
    async with filling() as scene:
        await scene.gaps.fill(0.0)
        scene.gaps.release(None)
        scene.hanging["A"] = asyncio.Event()
        scene.gaps.begin(("A",))
        await scene.gaps.fill(0.0)
        scene.gaps.begin(("A",))
        scene.hanging["A"].set()
        await scene.gaps.fill(60.0)
        assert scene.asked.count("A") == 3


async def test_one_that_cannot_be_read_stays_and_comes_last() -> None:
    async with filling() as scene:
        scene.wrong["A"] = AnswerUnreadable("The answer makes no sense.")
        await scene.gaps.fill(0.0)
        assert (scene.asked, scene.gaps.unfilled, scene.failed) == (["A", "B", "C"], {"A"}, ["The answer makes no sense."])


async def test_a_broker_that_cannot_be_reached_is_asked_once_and_for_another_the_next_time() -> None:
    async with filling() as scene:
        scene.wrong["A"] = BrokerUnreachable("The broker cannot be reached.")
        await scene.gaps.fill(0.0)
        assert (scene.asked, scene.gaps.is_everywhere) == (["A"], True)
        await scene.gaps.fill(0.0)
        assert scene.asked == ["A", "B", "C", "A"]
        assert scene.gaps.unfilled == {"A"}
