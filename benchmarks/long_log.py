"""The start of the program, the opening of a run and reading by sequence, in a short log and in a long one."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import msgspec

from app.compose import compose_engine, compose_store
from benchmarks.engine import CONFIG
from benchmarks.measuring import Row, Table, rate
from benchmarks.time_travel import RUN_ID, story
from core.engine import Engine
from core.events.envelope import Envelope
from core.events.payloads import OrderCreated
from core.model.run import Run, RunStatus
from core.settings import Settings

SHORT, LONG = 10_000, 10_000_000
EVENTS_OF_A_RUN = 10_000
REPEATS = 15
READS = 3
PATTERNS = ("run.*", "data.*", "strategy.Noted", "system.*", "account.MarginCall", "account.SplitApplied", "account.DividendPaid")
"""What the window's journal begins with."""


def engine_at(path: Path) -> Engine:
    """An engine on the file."""

    def on_bug(error: BaseException, doing: str) -> None:
        raise RuntimeError(f"a bug while {doing}") from error

    return compose_engine(compose_store(f"sqlite:///{path}"), path.parent, Settings({}, {}), on_bug)


async def fill(path: Path, events: int, runs: int) -> list[str]:
    """Store `runs` runs, as many as have `events` of ten thousand events each, the others of one; return the ids of the long ones.

    A log that is longer because there were more runs has more to show too. What is asked here is what its length costs.
    """
    store = compose_store(f"sqlite:///{path}")
    await store.open()
    ids = [f"r{number:04}" for number in range(events // EVENTS_OF_A_RUN)]
    template = list(story(EVENTS_OF_A_RUN))
    for number in range(runs):
        run_id = f"r{number:04}"
        told = [of_run(event, run_id) for event in (template if number < len(ids) else template[:1])]
        orders = [event.payload.order for event in told if isinstance(event.payload, OrderCreated)]
        async with store.runs.begin() as work:
            work.put_run(Run(id=run_id, config=CONFIG, status=RunStatus.COMPLETED, created_ns=0))
            work.put_orders(orders)
            work.append(told)
    await store.close()
    return ids


def of_run(event: Envelope, run_id: str) -> Envelope:
    """The event, as one of another run."""
    payload = event.payload
    if isinstance(payload, OrderCreated):
        renamed = msgspec.structs.replace(payload.order, id=payload.order.id.replace(RUN_ID, run_id), run_id=run_id)
        payload = OrderCreated(order=renamed)
    elif hasattr(payload, "order_id"):
        payload = msgspec.structs.replace(payload, order_id=payload.order_id.replace(RUN_ID, run_id))
    return msgspec.structs.replace(event, id=event.id.replace(RUN_ID, run_id), run_id=run_id, corr_id=run_id, payload=payload)


async def start(path: Path) -> None:
    """What the window does until its tables are filled, and what the command line does to show the end of the log."""
    engine = engine_at(path)
    await engine.open()
    await engine.bar_sets()
    for pattern in PATTERNS:
        await engine.events_back(pattern=pattern, limit=500)
    await engine.events_back(limit=50)
    await engine.close()


async def open_run(engine: Engine, run_id: str) -> None:
    """What the window reads of a run that is looked at."""
    await engine.run(run_id)
    await engine.result(run_id)
    await engine.orders(run_id)
    await engine.fills(run_id)
    await engine.events(run_id=run_id, pattern="account.SplitApplied")


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds of a call."""
    began = perf_counter()
    await work()
    return perf_counter() - began


async def opened(path: Path, run_id: str) -> float:
    """Seconds of opening a run, the second time: what is asked is the database, not the imports."""
    engine = engine_at(path)
    await engine.open()
    await open_run(engine, run_id)
    seconds = await timed(lambda: open_run(engine, run_id))
    await engine.close()
    return seconds


async def reading(path: Path) -> float:
    """Events a second read by sequence, a million of them at most."""
    engine = engine_at(path)
    await engine.open()
    began, after, count = perf_counter(), 0, 0
    while page := await engine.events(after_seq=after, limit=20_000):
        after, count = page[-1].seq, count + len(page)
        if count >= 1_000_000:
            break
    seconds = perf_counter() - began
    await engine.close()
    return count / seconds


async def measured(folder: Path, sizes: tuple[int, int], runs: int) -> list[tuple[float, float, float]]:
    """For each size seconds of a start and of opening a run, and events a second read by sequence.

    The two logs take turns, and the least counts: the machine is not always alone.
    """
    paths, ids = [folder / str(events) / "weaver.db" for events in sizes], []
    for path, events in zip(paths, sizes, strict=True):
        path.parent.mkdir()
        ids.append(await fill(path, events, runs))
    starts: list[list[float]] = [[], []]
    opens: list[list[float]] = [[], []]
    reads: list[list[float]] = [[], []]
    for turn in range(REPEATS):
        for at, path in enumerate(paths):
            starts[at].append(await timed(partial(start, path)))
            opens[at].append(await opened(path, ids[at][len(ids[at]) // 2]))
            if turn < READS:
                reads[at].append(await reading(path))
    return [(min(starts[at]), min(opens[at]), max(reads[at])) for at in range(len(sizes))]


def measure(quick: bool) -> Table:
    """A short log and a long one, on files of their own. The long one takes some minutes and 2.5 GB of disk."""
    sizes = (SHORT, LONG // 50 if quick else LONG)
    runs = sizes[1] // EVENTS_OF_A_RUN
    with TemporaryDirectory(prefix="weaver-benchmark-") as folder:
        found = asyncio.run(measured(Path(folder), sizes, runs))
    (short_start, short_open, short_read), (long_start, long_open, long_read) = found
    rows = (
        Row(
            name="start of the program",
            figures=(f"{short_start * 1e3:.0f} ms", f"{long_start * 1e3:.0f} ms"),
            goal="no slower",
            met=long_start < 1.5 * short_start,
        ),
        Row(
            name="opening of a run of 10,000 events",
            figures=(f"{short_open * 1e3:.0f} ms", f"{long_open * 1e3:.0f} ms"),
            goal="no slower",
            met=long_open < 1.5 * short_open,
        ),
        Row(name="reading by sequence, events a second", figures=(rate(short_read), rate(long_read)), goal="≥ 200 k", met=long_read >= 2e5),
    )
    columns = tuple(f"{events:,} events" for events in sizes)
    return Table(
        title="A long log",
        columns=columns,
        rows=rows,
        notes=(f"SQLite, {runs:,} runs in each; the least of {REPEATS} calls, taken in turns.",),
    )
