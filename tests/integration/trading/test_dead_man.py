"""The dead man's switch, at a broker over HTTP and websockets: who hears nothing for too long sends nothing, until a person says so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.clock.realtime import SystemClock
from core.model.order import OrderStatus, RejectCode
from core.model.risk import OnSilence, RiskLimits, SwitchLevel
from core.trading.feed import Feed
from tests.broker.bench import fake_broker
from tests.broker.desk import WireScene, wired
from tests.broker.faults import Fault, StreamMood, Way
from tests.broker.server import FakeBroker

S = OrderStatus
HALT = RiskLimits(halt_silence_s=0.1)
QUICK: dict[str, Any] = {"look_s": 0.02, "soon_s": 0.05, "reconcile_s": 0.1}


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker(SystemClock().now_ns) as running:
        yield running


def stream_is_shut(server: FakeBroker) -> None:
    """Let nobody into the stream of orders; what is asked by REST is answered."""
    server.fail(*[Fault("GET /stream", Way.STATUS, 503)] * 1_000)
    server.drop_streams()


def stream_opens(server: FakeBroker) -> None:
    server.do(server.faults.clear)


async def halted(scene: WireScene, run_id: str = "run") -> None:
    await scene.until(lambda: scene.desk.level(run_id).halts)


async def assert_halted(scene: WireScene, run_id: str = "run") -> None:
    order = await scene.until_status(await scene.place(run_id=run_id, limit="390"), S.REJECTED)
    assert order.reject_code is RejectCode.RISK_HALTED


async def test_a_lost_stream_halts_the_runs_and_a_person_takes_it_back(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server, HALT, **QUICK) as scene:
        await scene.run()
        working = await scene.working()
        stream_is_shut(server)
        await halted(scene)
        assert scene.desk.level("run") is SwitchLevel.HALT
        await assert_halted(scene)
        told = await scene.told()
        assert "Kill switch: halt. Nothing came of the broker's line for orders for " in told
        assert "the limit is 0.1 s. It holds until you take it back." in told
        stream_opens(server)
        await scene.until_said("the line for orders is listening")
        await assert_halted(scene)  # it is heard of again, and nothing leaves all the same
        assert scene.status(working) is S.ACCEPTED
    async with wired(tmp_path, server, HALT, **QUICK) as scene:  # over a restart too
        await scene.run()
        scene.count = 10
        await assert_halted(scene)
        await scene.throw(SwitchLevel.OFF, "run")
        await scene.until(lambda: scene.desk.level("run") is SwitchLevel.OFF)
        await scene.working()
        await scene.assert_books_equal()


@pytest.mark.parametrize("way", ["503", "silent", "reset", "gone"])
async def test_questions_that_are_not_answered_halt_the_runs(tmp_path: Path, server: FakeBroker, way: str) -> None:
    async with wired(tmp_path, server, HALT, **QUICK) as scene:
        await scene.run()
        fault = {
            "503": Fault("GET /v2/", Way.STATUS, 503),
            "silent": Fault("GET /v2/", Way.SILENT),
            "reset": Fault("GET /v2/", Way.RESET_BEFORE),
            "gone": Fault("GET /v2/", Way.STATUS, 429, headers={"Retry-After": "3600"}),
        }[way]
        server.fail(*[fault] * 1_000)
        await halted(scene)
        assert "Nothing came of the broker's line for requests for " in await scene.told()
        await assert_halted(scene)
        server.do(server.faults.clear)


async def test_it_can_cancel_what_works_as_soon_as_the_broker_is_back(tmp_path: Path, server: FakeBroker) -> None:
    limits = RiskLimits(halt_silence_s=0.1, on_silence=OnSilence.CANCEL)
    async with wired(tmp_path, server, limits, **QUICK) as scene:
        await scene.run()
        working, filled = await scene.working(), await scene.working()
        scene.fill(filled, 10)
        await scene.until_status(filled, S.FILLED)
        with server.unreachable():
            await halted(scene)
            assert scene.desk.level("run") is SwitchLevel.CANCEL_ALL
            await scene.until_said("is not cancelled: ")  # it was tried at once, and in vain
            assert scene.status(working) is S.ACCEPTED
        await scene.until_status(working, S.CANCELLED)
        await scene.until_said("cancelled")
        assert scene.desk.state.books["run"].held("SPY") == 10  # positions are left alone
        await assert_halted(scene)
        await scene.assert_books_equal()


async def test_what_was_to_be_cancelled_is_cancelled_after_a_restart(tmp_path: Path, server: FakeBroker) -> None:
    limits = RiskLimits(halt_silence_s=0.1, on_silence=OnSilence.CANCEL)
    async with wired(tmp_path, server, limits, **QUICK) as scene:
        await scene.run()
        working = await scene.working()
        server.fail(*[Fault("DELETE", Way.STATUS, 503)] * 100)
        stream_is_shut(server)
        await halted(scene)
        await scene.until_said("is not cancelled: ")
    stream_opens(server)
    async with wired(tmp_path, server, limits, **QUICK) as scene:
        await scene.run()
        await scene.until_status(working, S.CANCELLED)
        await scene.assert_books_equal()


async def test_a_run_with_a_limit_of_its_own_is_halted_alone(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server, **QUICK) as scene:
        await scene.run("careful", HALT)
        await scene.run("bold")
        stream_is_shut(server)
        await halted(scene, "careful")
        assert scene.desk.level("bold") is SwitchLevel.OFF
        await scene.until_status(await scene.place(run_id="bold", limit="390"), S.ACCEPTED)
        await assert_halted(scene, "careful")


async def test_a_person_who_takes_it_back_in_the_dark_is_not_contradicted(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server, HALT, **QUICK) as scene:
        await scene.run()
        stream_is_shut(server)
        await halted(scene)
        await scene.throw(SwitchLevel.OFF, "run")
        await scene.until(lambda: scene.desk.level("run") is SwitchLevel.OFF)
        await scene.until_silent(scene.desk.state.lines.silent_s + 0.2)
        assert scene.desk.level("run") is SwitchLevel.OFF
        stream_opens(server)
        await scene.until(lambda: not scene.desk.state.lines.silent_s)
        stream_is_shut(server)  # another silence is another one
        await halted(scene)


async def test_a_short_silence_halts_nothing(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server, RiskLimits(halt_silence_s=30), **QUICK) as scene:
        await scene.run()
        for _ in range(5):
            server.drop_streams()
            await scene.working(qty=1)
        assert scene.desk.level("run") is SwitchLevel.OFF
        assert await scene.types("risk.SwitchThrown") == []


# --- the market of a run ---


def sit(scene: WireScene, symbols: tuple[str, ...] = ("SPY",)) -> Feed:
    """Give the run at the desk a market to mind."""
    feed = Feed(symbols, SystemClock().monotonic_ns())
    scene.desk.state.seats["run"].feed = feed
    return feed


async def test_a_market_stream_that_is_lost_halts_its_run(tmp_path: Path, server: FakeBroker) -> None:
    async with wired(tmp_path, server, HALT, **QUICK) as scene:
        await scene.run()
        async with scene.market(sit(scene)) as market:
            await market.until_listening()
            server.do(lambda: setattr(server, "mood", StreamMood.SAYS_NOTHING))
            server.drop_market()
            await halted(scene)
            assert "Nothing came of the market's line for equity for " in await scene.told()
            server.do(lambda: setattr(server, "mood", StreamMood.WELL))
            await market.until_listening()
            await assert_halted(scene)


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_market_without_prices_halts_its_run_in_its_hours_only(tmp_path: Path, server: FakeBroker, is_open: bool) -> None:
    limits = RiskLimits(halt_feed_s=0.2)
    async with wired(tmp_path, server, limits, **QUICK, is_open=lambda _symbol, _now: is_open) as scene:
        await scene.run()
        feed = sit(scene)
        async with scene.market(feed) as market:
            await market.until_listening()
            began_ns = feed.heard_ns
            for _ in range(5):
                server.send_ticks({"T": "q", "S": "SPY", "t": "2023-11-14T15:00:01Z", "bp": 399.99, "bs": 1, "ap": 400.01, "as": 1})
                await market.until_heard()
            assert feed.heard_ns > began_ns
            assert scene.desk.level("run") is SwitchLevel.OFF
            if is_open:
                await halted(scene)
                assert "Nothing came of a price of SPY for " in await scene.told()
            else:
                heard_ns = feed.heard_ns
                await scene.until_looked(lambda: feed.heard_ns - heard_ns > 400_000_000)
                assert scene.desk.level("run") is SwitchLevel.OFF
