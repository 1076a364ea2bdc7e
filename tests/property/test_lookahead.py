"""No built-in strategy and no indicator of the library is ever taken for one that looks ahead, whatever the bars."""

import asyncio
import inspect
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.brokers.sim import SimSource
from core.clock.realtime import SystemClock
from core.model.instants import MINUTE_NS
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.run import Run, RunConfig, RunStatus
from core.runs.manager import RunManager
from core.store.memory import MemoryStore
from core.strategy.loader import StrategyLoader
from tests.examples import examples
from tests.unit.strategy.indicator_cases import COLUMN_NAMES, FORMULAS, NAMES, columns_of

BUILT_IN = {name: info for name, info in StrategyLoader([]).find_all().items() if info.builtin}
SYMBOLS = ("SPY", "QQQ", "IWM")
FIRST_NS = 1_572_870_600_000_000_000
"""A Monday's opening, 2019-11-04 at 12:30 UTC: an hour before the session's."""


def days(symbol: str, seed: int, count: int) -> BarSeries:
    """Return minutes of `count` weekdays from before the session to after it, with holes, on cents."""
    rng = np.random.default_rng(seed)
    minutes = np.concatenate([np.arange(540, dtype=np.int64) + (day + day // 5 * 2) * 1_440 for day in range(count)])
    minutes = minutes[rng.random(len(minutes)) > 0.03]
    close = (100 + np.cumsum(rng.normal(0, 0.06, len(minutes)))).round(2)
    open_ = np.concatenate(([close[0]], close[:-1]))
    high, low = np.maximum(open_, close) + 0.02, np.minimum(open_, close) - 0.02
    volume = rng.integers(0, 100, len(minutes)).astype(float)
    return BarSeries.from_columns(symbol, Timeframe.parse("1m"), FIRST_NS + minutes * MINUTE_NS, open_, high, low, close, volume)


async def ran(strategy: str, symbols: tuple[str, ...], seed: int, plugins: Path, **changes: object) -> Run:
    clock, bugs = SystemClock(), list[BaseException]()
    store = MemoryStore(clock)
    await store.open()
    for at, symbol in enumerate(symbols):
        await store.bars.merge(BarSetKey(symbol=symbol, timeframe="1m", source="test"), days(symbol, seed + at, 7))
    manager = RunManager(
        brokers=SimSource(0),
        store=store,
        strategies=StrategyLoader([plugins]),
        clock=clock,
        callback_limit_s=10.0,
        on_bug=lambda error, _where: bugs.append(error),
    )
    config = RunConfig(strategy_id=strategy, symbols=symbols, timeframe="1m", **changes)  # type: ignore[arg-type]
    run = await manager.create(config)
    await manager.start(run.id)
    run = await manager.wait(run.id)
    await manager.close()
    await store.close()
    assert bugs == []
    return run


@pytest.mark.parametrize("strategy", sorted(BUILT_IN))
@examples(4)
@given(seed=st.integers(0, 10_000), starts_late=st.booleans())
def test_no_built_in_strategy_looks_ahead(strategy: str, seed: int, starts_late: bool) -> None:
    symbols = SYMBOLS[: BUILT_IN[strategy].symbols or 3]
    start_ns = FIRST_NS + 2 * 1_440 * MINUTE_NS if starts_late else None
    with TemporaryDirectory() as plugins:
        run = asyncio.run(ran(strategy, symbols, seed, Path(plugins), start_ns=start_ns))
    assert (run.status, run.error) == (RunStatus.COMPLETED, None)


def every_indicator() -> str:
    """Return a strategy that declares all of the library, some over hours, and orders by what each of them says."""
    lines = []
    for at, name in enumerate(NAMES):
        larger = ', timeframe="1h"' if at % 3 == 0 else ""
        columns = [f'self.column("{"close" if column == "values" else column}"{larger})' for column in columns_of(name)]
        wanted = ["5"] * _without_default(name)
        lines.append(f"        self.lines.append(self.indicator({', '.join([name, *columns, *wanted])}))")
    return (
        f"from core.strategy.api import BarStrategy, {', '.join(NAMES)}\n\n"
        'class All(BarStrategy):\n    """All of them."""\n\n    id = "all-of-them"\n\n'
        "    def setup(self):\n        self.lines = []\n" + "\n".join(lines) + "\n\n"
        "    def on_bar(self, bar):\n"
        "        for at, line in enumerate(self.lines):\n"
        "            if str(line.value)[-1] == '7':\n"
        "                self.buy('0.001', note=f'{at} {line.value!r} {line[-2]!r}')\n"
    )


def _without_default(name: str) -> int:
    found = inspect.signature(FORMULAS[name]).parameters.values()
    return sum(item.name not in COLUMN_NAMES and item.default is item.empty for item in found)


@examples(3)
@given(seed=st.integers(0, 10_000))
def test_no_indicator_of_the_library_looks_ahead(seed: int) -> None:
    with TemporaryDirectory() as plugins:
        (Path(plugins) / "all_of_them.py").write_text(every_indicator())
        run = asyncio.run(ran("all-of-them", SYMBOLS[:1], seed, Path(plugins)))
    assert (run.status, run.error) == (RunStatus.COMPLETED, None)
