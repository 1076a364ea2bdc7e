"""From any fill back to what led to it, however it came about, in traced runs and in others."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from core.events.envelope import Envelope
from core.model.corporate_action import CorporateAction, Split
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.order import Fill
from core.model.risk import SwitchLevel
from core.model.run import AccountKind, AccountTerms, Run, RunConfig, RunStatus
from core.ports import Store
from core.runs import chain as reading
from core.runs.chain import chain_of, chain_of_fill, chain_of_order
from core.runs.checking import check_store
from core.runs.manager import RunManager
from core.views.chain import chain_steps
from tests.unit.runs.live_desk import live
from tests.unit.runs.managed import managed, ran_to_its_end, store_of

COUNT = 2_000
DAY = 1_440


OPENING_NS = 1_572_877_800_000_000_000
"""The opening of the session of 2019-11-04."""


def bars(close: Sequence[float], symbol: str, first_ns: int) -> BarSeries:
    """Return minutes that open where the one before closed, but for leaps of a third and more."""
    last = np.asarray(close, float)
    before = np.concatenate((last[:1], last[:-1]))
    open_ = np.where(np.abs(last / before - 1) > 0.3, last, before)
    high, low = np.maximum(open_, last) + 0.1, np.minimum(open_, last) - 0.1
    starts = np.arange(len(last), dtype=np.int64) * MINUTE_NS + first_ns
    return BarSeries.from_columns(symbol, Timeframe.parse("1m"), starts, open_, high, low, last, np.ones(len(last)))


@dataclass
class Desk:
    manager: RunManager
    store: Store
    plugins: Path

    async def ran(self, body: str, close: Sequence[float], symbol: str = "X/Y", **changes: object) -> tuple[Run, list[Fill]]:
        """Run a strategy whose `on_bar` is `body`, with `at` the bar's number; return the run with its fills."""
        first_ns = 0 if "/" in symbol else OPENING_NS
        lines = "\n".join("        " + line for line in [f"at = (bar.start_ns - {first_ns}) // 60_000_000_000", *body.strip().splitlines()])
        (self.plugins / "trial.py").write_text(
            f'from core.strategy.api import BarStrategy\n\n\nclass Trial(BarStrategy):\n    """A trial."""\n\n    id = "trial"\n\n'
            f"    def on_bar(self, bar):\n{lines}\n"
        )
        await self.store.bars.merge(BarSetKey(symbol=symbol, timeframe="1m", source="test"), bars(close, symbol, first_ns))
        config = RunConfig(strategy_id="trial", symbols=(symbol,), timeframe="1m", **changes)  # type: ignore[arg-type]
        run = await ran_to_its_end(self.manager, config)
        assert run.status is RunStatus.COMPLETED, run.error
        return run, await self.store.runs.fills(run.id)

    async def titles(self, run: Run, fill: Fill) -> list[str]:
        """Return the titles of the steps to a fill, all of which have a sentence."""
        steps = chain_steps(await chain_of_fill(run.id, fill.id, self.store.log))
        assert all(step.sentence and step.sentence != step.type for step in steps)
        return [step.title for step in steps]

    async def sentences(self, run: Run, fill: Fill) -> str:
        return "\n".join(step.sentence for step in chain_steps(await chain_of_fill(run.id, fill.id, self.store.log)))


@pytest.fixture(params=["memory", "sqlite"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Desk]:
    store = store_of(request.param, tmp_path)
    async with managed(store, tmp_path) as (manager, _):
        yield Desk(manager, store, tmp_path)


ORDER = ["Decision", "Routed", "Order", "Accepted"]
FLAT = [100.0] * COUNT


@pytest.mark.parametrize("trace", [False, True])
async def test_a_market_order_leads_back_to_its_bar(desk: Desk, trace: bool) -> None:
    run, fills = await desk.ran("if at == 5: self.buy(2, note='a round number')", FLAT, trace=trace, fees="bps:10")
    window = ["Asked for bars", "Routed", "Window"] if trace else []
    assert await desk.titles(run, fills[0]) == ["Tick", *window, *ORDER, "Filled"]
    told = await desk.sentences(run, fills[0])
    assert (
        "Decided to buy 2 X/Y at market. Its note: “a round number”. The newest bar was that of 1970-01-01T00:05:00Z, its close 100."
        in told
    )
    assert "Bought 2 X/Y at 100 in the bar of 1970-01-01T00:06:00Z, fee 0.2" in told
    assert ("its tick and window are stored by runs with a trace" in told) is not trace
    if trace:
        assert "1 1m bar of X/Y from 1970-01-01T00:05:00Z to 1970-01-01T00:05:00Z; the last close is 100." in told


async def test_an_exit_leg_leads_back_through_the_fill_of_its_entry(desk: Desk) -> None:
    close = [100.0] * 10 + [105.0] * 20
    run, fills = await desk.ran("if at == 5: self.buy(1, target=104, stop_loss=90)", close)
    assert len(fills) == 2
    titles = await desk.titles(run, fills[1])
    assert titles == ["Tick", "Decision", "Routed", "Order", "Exit leg", "Accepted", "Filled", "Accepted", "Filled"]
    told = await desk.sentences(run, fills[1])
    assert "waits for order" in told
    assert "works now, because order" in told
    events = await chain_of_fill(run.id, fills[1].id, desk.store.log)
    by_id = {event.id: event for event in events}
    assert [event.type for event in back(events[-1], by_id)][:4] == ["orders.Filled", "orders.Accepted", "orders.Filled", "orders.Accepted"]


def back(event: Envelope, by_id: dict[str, Envelope]) -> list[Envelope]:
    """Return the causes of an event alone, newest first."""
    found = [event]
    while (cause := by_id.get(found[-1].causation_id or "")) is not None:
        found.append(cause)
    return found


async def test_a_changed_order_leads_back_to_both_decisions(desk: Desk) -> None:
    body = "if at == 5: self.buy(1, limit=50, ref='a')\nif at == 9: self.replace('a', limit=101, note='nearer')"
    run, fills = await desk.ran(body, FLAT)
    titles = await desk.titles(run, fills[0])
    assert titles == ["Tick", *ORDER, "Tick", "Decision", "Routed", "Changed", "Filled"]
    assert "Decided to change limit 101 (nearer)." in await desk.sentences(run, fills[0])


async def test_of_many_changes_the_newest_is_told(desk: Desk) -> None:
    body = "if at == 5: self.buy(1, limit=50, ref='a')\n"
    body += "if 5 < at < 900: self.replace('a', limit=50 + at / 100)\nif at == 900: self.replace('a', limit=101)"
    run, fills = await desk.ran(body, FLAT)
    assert await desk.titles(run, fills[0]) == ["Tick", *ORDER, "Tick", "Decision", "Routed", "Changed", "Filled"]


async def test_a_liquidation_leads_back_to_its_margin_call(desk: Desk) -> None:
    close = [100.0] * 20 + [60.0] * 20
    run, fills = await desk.ran("if at == 5: self.buy(1900)", close, "SPY", account=AccountTerms(kind=AccountKind.MARGIN))
    assert fills[-1].reason == "margin_call"
    assert await desk.titles(run, fills[-1]) == ["Margin call", "Order", "Accepted", "Filled"]
    assert "Margin call: equity" in await desk.sentences(run, fills[-1])


async def test_the_close_at_the_end_says_so(desk: Desk) -> None:
    run, fills = await desk.ran("if at == 5: self.buy(1)", FLAT, close_at_end=True)
    assert await desk.titles(run, fills[-1]) == ["Order", "Accepted", "Filled"]
    assert "The run ended: what was held was closed." in await desk.sentences(run, fills[-1])


async def test_an_order_changed_by_a_split_says_so(desk: Desk) -> None:
    close = [100.0] * DAY + [50.0] * (COUNT - DAY)
    actions: list[CorporateAction] = [Split(symbol="X/Y", day=1, ratio=Decimal(2))]
    await desk.store.actions.put(actions)
    run, fills = await desk.ran(
        "if at == 5: self.buy(1)\nif at == 1_400: self.sell(1, limit=110)\nif at == 1_900: self.replace('o2', limit=49)", close
    )
    assert len(fills) == 2
    assert (await desk.titles(run, fills[1]))[-4:] == ["Decision", "Routed", "Changed", "Filled"]
    run, fills = await desk.ran(
        "if at == 5: self.buy(1)\nif at == 1_400: self.sell(1, stop=98)", [*close[:1_600], *[45.0] * (COUNT - 1_600)]
    )
    assert "A split, 2 for 1." in await desk.sentences(run, fills[1])


async def test_parts_of_an_order_lead_back_one_to_the_other(desk: Desk) -> None:
    run, fills = await desk.ran("if at == 5: self.buy(3)", FLAT, volume_cap=Decimal(1))
    assert len(fills) == 3
    assert await desk.titles(run, fills[2]) == ["Tick", *ORDER, "Part filled", "Part filled", "Filled"]


async def test_an_order_that_came_to_nothing_has_its_chain_too(desk: Desk) -> None:
    run, _ = await desk.ran("if at == 5: self.buy(1, limit=50, ref='a')\nif at == 9: self.cancel('a', 'no longer')", FLAT)
    order = (await desk.store.runs.orders(run.id))[0]
    steps = chain_steps(await chain_of_order(run.id, order.id, desk.store.log))
    assert [step.title for step in steps] == ["Tick", *ORDER, "Tick", "Decision", "Routed", "Cancelled"]


async def test_a_chain_reaches_over_pages_and_other_runs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "if at == 5: self.buy(1, limit=50, ref='a')\nself.note('on')\nif at == 1_500: self.replace('a', limit=101)"
    run, fills = await desk.ran(body, FLAT, trace=True)
    whole = await chain_of_fill(run.id, fills[0].id, desk.store.log)
    monkeypatch.setattr(reading, "_PAGE", 7)
    again = await chain_of_fill(run.id, fills[0].id, desk.store.log)
    assert again == whole
    assert [event.type for event in whole].count("clock.Tick") == 2


async def test_an_event_that_is_not_there_is_refused(desk: Desk) -> None:
    with pytest.raises(InputError, match="There is no event 7"):
        await chain_of(7, desk.store.log)


HOLDER = '''
from core.strategy.api import Bar, BarStrategy


class Holder(BarStrategy):
    """Buys one and keeps it."""

    id = "holder"
    warmup = 2

    def on_bar(self, bar: Bar) -> None:
        if not self.held():
            self.buy(1)
'''


async def test_a_closing_order_leads_back_to_the_kill_switch_of_all(tmp_path: Path) -> None:
    (tmp_path / "holder.py").write_text(HOLDER)
    async with live(tmp_path) as scene:
        run = await scene.start("holder")
        await scene.until("orders.Filled")
        await scene.throw(SwitchLevel.FLATTEN)
        await scene.until("risk.SwitchCarriedOut")
        await scene.runs.stop(run.id)
        (closing,) = [order for order in await scene.store.runs.orders(run.id) if order.request.note == "kill switch"]
        found = await chain_of_order(run.id, closing.id, scene.store.log)
        assert found[0].type == "risk.SwitchThrown"
        assert found[-1].type == "orders.Filled"
        assert (await check_store(scene.store, lambda _: None)).findings == ()
