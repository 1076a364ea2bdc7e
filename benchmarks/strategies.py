"""Backtests of other kinds than W1: the base contract, ten symbols, brackets; memory and time over the number of bars.

`python -m benchmarks.strategies KIND BARS REPEATS [DATABASE]` measures one kind in a process of its own.
"""

import asyncio
import json
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.bars import KEY, random_walk, renamed
from benchmarks.engine import CONFIG, desk, run_once, stored
from benchmarks.measuring import Row, Table, in_process, peak_memory_mb, rate
from core.model.run import RunConfig

BARS = 1_000_000
SYMBOLS = 10
SCALE = (10_000, 100_000, 1_000_000, 10_000_000)
PLUGINS = Path(__file__).resolve().parent / "plugins"
KINDS = {
    "on_bar": "`on_bar`, two declared averages, market orders (W1's rule)",
    "window": "`on_tick` and `on_data`, a window of 30 at each bar",
    "ten": f"{SYMBOLS} symbols, W1's rule on each",
    "bracket": "a bracket working at each bar",
}


def config(kind: str) -> RunConfig:
    """What the run of a kind is asked to do."""
    if kind == "on_bar":
        return CONFIG
    names = {"window": "window-every-bar", "ten": "cross-of-each", "one": "cross-of-each", "bracket": "bracket-always"}
    symbols = tuple(f"S{number}/USD" for number in range(SYMBOLS)) if kind == "ten" else (KEY.symbol,)
    return RunConfig(strategy_id=names[kind], symbols=symbols, timeframe=KEY.timeframe, source=KEY.source)


async def measured(kind: str, count: int, repeats: int, database: str | None) -> dict[str, float]:
    """Seconds of the simulation alone; with `repeats` 0 the bars are only stored."""
    async with desk(None if database is None else f"sqlite:///{database}", PLUGINS) as (engine, store):
        if database is None or repeats == 0:
            for symbol in config(kind).symbols:
                await stored(store, renamed(random_walk(count // len(config(kind).symbols)), symbol))
        runs = [await run_once(engine, config(kind)) for _ in range(repeats)]
        fills = len(await engine.fills(runs[-1].id)) if runs else 0
    return {"seconds": median([run.elapsed_s for run in runs]) if runs else 0.0, "fills": fills}


def measure(quick: bool) -> Table:
    """All kinds beside backtesting.py and the single symbol of the same rule, each in a process of its own."""
    bars, repeats = (BARS // 10, "1") if quick else (BARS, "5")
    peer = in_process("benchmarks.backtest", "backtesting", str(bars), "1" if quick else "3")
    speed_of_peer = bars / peer["seconds"]
    speeds, fills = {}, {}
    for kind in [*KINDS, "one"]:
        found = in_process("benchmarks.strategies", kind, str(bars), repeats)
        speeds[kind], fills[kind] = bars / found["seconds"], found["fills"]
    share = speeds["ten"] / speeds["one"]
    goals = {
        "on_bar": ("≥ 5 × backtesting.py", speeds["on_bar"] >= 5 * speed_of_peer),
        "window": ("≥ 1.25 × backtesting.py", speeds["window"] >= 1.25 * speed_of_peer),
        "ten": ("≥ 0.8 of one symbol", share >= 0.8),
        "bracket": ("≥ 1.5 × backtesting.py", speeds["bracket"] >= 1.5 * speed_of_peer),
    }
    rows = [
        Row(
            name=title,
            figures=(rate(speeds[kind]), f"{speeds[kind] / speed_of_peer:.1f}", f"{fills[kind]:,.0f}"),
            goal=goals[kind][0],
            met=goals[kind][1],
        )
        for kind, title in KINDS.items()
    ]
    rows.append(
        Row(
            name="the rule of the ten on one symbol",
            figures=(rate(speeds["one"]), f"{speeds['one'] / speed_of_peer:.1f}", f"{fills['one']:,.0f}"),
        )
    )
    rows.append(Row(name="backtesting.py 0.6.6, W1", figures=(rate(speed_of_peer), "1", f"{peer['fills']:,.0f}")))
    return Table(
        title=f"Backtests of other kinds, {bars:,} bars in all",
        columns=("bars/s", "times the peer", "fills"),
        rows=tuple(rows),
        notes=(f"Ten symbols run at {share:.2f} of one symbol's rate a bar. Medians of {repeats}.", *scale(quick)),
    )


def scale(quick: bool) -> tuple[str, ...]:
    """How time and memory grow with the number of bars: a process stores them, another runs over them."""
    lines, memory = [], {}
    with TemporaryDirectory(prefix="weaver-benchmark-") as folder:
        for count in SCALE[: 3 if quick else 4]:
            database = str(Path(folder) / f"{count}.db")
            in_process("benchmarks.strategies", "on_bar", str(count), "0", database)
            found = in_process("benchmarks.strategies", "on_bar", str(count), "1", database)
            memory[count] = found["memory"]
            lines.append(f"{count:,}: {found['seconds'] / count * 1e6:.2f} µs a bar, peak {found['memory']:.0f} MB")
    small, large = min(memory), max(memory)
    a_bar = (memory[large] - memory[small]) * 1e6 / (large - small)
    return (f"`on_bar` over the number of bars: {'; '.join(lines)}. That is {a_bar - 48:.0f} bytes a bar over its own 48 (goal < 200).",)


if __name__ == "__main__":
    kind_name, bar_count, repeat_count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    answer = asyncio.run(measured(kind_name, bar_count, repeat_count, sys.argv[4] if len(sys.argv) > 4 else None))
    print(json.dumps({**answer, "memory": peak_memory_mb()}))
