"""A bug cuts a comparison with the broker off: it is reported, nothing opens until one came to its end, and the desk lives."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from core.brokers.fake import FakeBroker
from core.clock.realtime import SystemClock
from core.errors import BugError
from core.model.broker import BrokerPosition
from core.model.order import OrderStatus, RejectCode
from tests.unit.trading.desk import Scene, opened

D = Decimal
S = OrderStatus


class Bugs:
    """What was reported, and positions that cannot be read while `cause` is there."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.cause: Exception | None = None
        self.looks = 0

    def report(self, error: BaseException, where: str) -> None:
        self.told.append(f"{where}: {error}")

    @contextmanager
    def at(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let the adapter fail as the test says."""
        read = scene.broker.account.positions

        async def positions() -> list[BrokerPosition]:
            self.looks += 1
            if self.cause is not None:
                raise self.cause
            return await read()

        with monkeypatch.context() as patched:
            patched.setattr(scene.broker.account, "positions", positions)
            yield

    async def met_again(self, scene: Scene) -> None:
        """Return when the desk has looked at the broker twice more: the first look may have begun before."""
        for _ in range(2):
            wanted = self.looks + 1
            scene.desk.comparisons.wake()
            async with asyncio.timeout(20):
                while self.looks < wanted:  # noqa: ASYNC110 - the desk's task gets its turn
                    await asyncio.sleep(0)


@pytest.mark.parametrize("bug", [BugError("The books are upside down."), KeyError("symbol")], ids=["a broken invariant", "another one"])
async def test_nothing_opens_after_a_bug_and_the_desk_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: Exception) -> None:
    bugs = Bugs()
    async with opened(tmp_path, on_bug=bugs.report) as scene:
        await scene.run()
        scene.broker.exchange.show("DEMO", D(100))
        scene.desk.state.note_price("DEMO", D(100), 1)
        await scene.until_status(await scene.place(), S.FILLED)
        with bugs.at(scene, monkeypatch):
            bugs.cause = bug
            scene.desk.comparisons.wake()
            told = await scene.until_told("live.ComparisonFailed")
            assert told.reason == f"{type(bug).__name__}: {bug}"
            refused = await scene.until_status(await scene.place(qty=1), S.REJECTED)
            assert refused.reject_code is RejectCode.RISK_UNCOMPARED
            await scene.until_status(await scene.place("sell", qty=1), S.FILLED)
            await bugs.met_again(scene)
            assert bugs.told == [f"reconciling fake:FAKE: {bug}"]  # once, however often it is met
            bugs.cause = None
            await bugs.met_again(scene)
            await scene.until(lambda: scene.desk.state.is_compared)
        await scene.until_status(await scene.place(qty=1), S.FILLED)
        failed = [event.payload for event in await scene.store.log.read(pattern="live.ComparisonFailed")]
        assert [getattr(one, "reason", None) for one in failed] == [told.reason, ""]
        assert scene.stopped == []
        await scene.desk.reconcile()
        await scene.assert_books_equal()


async def test_a_bug_where_an_account_is_met_for_the_first_time_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = FakeBroker(SystemClock().now_ns)

    async def broken() -> list[BrokerPosition]:
        raise BugError("The books are upside down.")

    monkeypatch.setattr(broker.account, "positions", broken)
    bugs = Bugs()
    with pytest.raises(BugError, match="upside down"):
        async with opened(tmp_path, broker, on_bug=bugs.report):
            raise AssertionError
    assert bugs.told == ["reconciling fake:FAKE: The books are upside down."]


async def test_a_bug_of_a_task_of_the_desk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bugs = Bugs()
    async with opened(tmp_path, on_bug=bugs.report) as scene:
        await scene.run()
        scene.broker.exchange.show("DEMO", D(100))

        async def broken(*_: object) -> None:
            raise BugError("The request is upside down.")

        monkeypatch.setattr(scene.broker.desk, "submit", broken)
        order_id = await scene.place()
        await scene.until(lambda: bool(bugs.told))
        assert bugs.told == [f"send-{order_id}: The request is upside down."]
