"""What a run's losses are counted from outlives the program, on every store."""

from decimal import Decimal

from core.events.envelope import Envelope, envelope
from core.events.live_payloads import EquityMarked
from core.model.risk import EquityMark
from core.ports import Store
from core.runs.equity_marks import CONSUMER, EquityMarks, MarkTeller
from core.runs.journal import RunJournal
from core.trading.losses import Losses, LossMark
from tests.contract.samples import NOW_NS, run


def marked(number: int, peak: str, day: int = 5, day_start: str = "100", run_id: str = "run-1") -> Envelope:
    payload = EquityMarked(peak=Decimal(peak), day=day, day_start=Decimal(day_start))
    return envelope(payload, id=f"m{number}", ts=NOW_NS, producer="live", run_id=run_id)


async def recalled(store: Store, run_id: str = "run-1") -> LossMark:
    losses = Losses(Decimal(100))
    await EquityMarks(store.log, store.runs).recall(run_id, losses)
    return losses.mark


async def test_a_run_goes_on_from_its_newest_mark(store: Store) -> None:
    await store.log.append([marked(1, "110"), marked(2, "120.50", day=6, day_start="115"), marked(3, "900", run_id="another")])
    assert await recalled(store) == (Decimal("120.50"), 6, Decimal(115))
    await store.log.append([marked(4, "130", day=7, day_start="125")])
    assert await recalled(store) == (Decimal(130), 7, Decimal(125))
    assert await store.runs.equity_mark("run-1") == EquityMark(owner="run-1", peak=Decimal(130), day=7, day_start=Decimal(125), seq=4)
    assert await store.log.offset(CONSUMER) == 4


async def test_a_run_that_is_new_counts_from_its_cash(store: Store) -> None:
    await store.log.append([marked(1, "900", run_id="another")])
    assert await recalled(store) == (Decimal(100), -1, Decimal(100))
    assert await store.runs.equity_mark("run-1") is None


async def test_the_mark_is_there_when_its_events_are_not_any_more_and_goes_with_its_run(store: Store) -> None:
    async with store.runs.begin() as work:
        work.put_run(run())
        work.append([marked(1, "110")])
    await recalled(store)
    async with store.runs.begin() as work:
        work.put_equity_mark(EquityMark(owner="run-1", peak=Decimal(140), day=5, day_start=Decimal(100), seq=9))
    assert (await recalled(store)).peak == Decimal(140)
    async with store.runs.begin() as work:
        work.delete_run("run-1")
    assert await store.runs.equity_mark("run-1") is None


def test_a_mark_is_told_when_it_moves() -> None:
    losses, journal = Losses(Decimal(100)), RunJournal("run-1", "live")
    teller = MarkTeller(losses, journal)
    for equity, day in (("100", 5), ("100", 5), ("90", 5), ("101", 5), ("95", 6)):
        losses.watch(Decimal(equity), day)
        teller.tell(NOW_NS)
    told = [event.payload for event in journal.events]
    assert told == [
        EquityMarked(peak=Decimal(100), day=5, day_start=Decimal(100)),
        EquityMarked(peak=Decimal(101), day=5, day_start=Decimal(100)),
        EquityMarked(peak=Decimal(101), day=6, day_start=Decimal(95)),
    ]
