"""Backtest of one symbol, `sma-cross` 10/30: bars a second, memory, and whether all engines agree.

`python -m benchmarks.backtest ENGINE BARS REPEATS` measures one engine in a process of its own.
"""

import asyncio
import json
import sys
from statistics import median
from time import perf_counter

from benchmarks.bars import random_walk
from benchmarks.measuring import Row, Table, in_process, peak_memory_mb, rate

SIZES = (10_000, 100_000, 1_000_000)
ENGINES = {"weaver": "**Weaver**, orders, events and equity kept", "bare": "bare Python loop", "backtesting": "backtesting.py 0.6.6"}


async def weaver(count: int, repeats: int) -> dict[str, float]:
    """Our engine: seconds of the simulation alone, and of the whole run with its commits and statistics."""
    from benchmarks.engine import desk, run_once, stored

    simulated, whole = [], []
    async with desk() as (engine, store):
        await stored(store, random_walk(count))
        for _ in range(repeats):
            began = perf_counter()
            run = await run_once(engine)
            whole.append(perf_counter() - began)
            simulated.append(run.elapsed_s)
        result = await engine.result(run.id)
        fills = await engine.fills(run.id)
    assert result is not None
    return {"fills": len(fills), "equity": float(result.equity[-1]), "seconds": median(simulated), "whole": median(whole)}


def peer(name: str, count: int, repeats: int) -> dict[str, float]:
    """Another engine on the same bars."""
    from benchmarks.peers import backtesting_py, bare_loop

    bars = random_walk(count)
    results = [{"bare": bare_loop, "backtesting": backtesting_py}[name](bars) for _ in range(repeats)]
    fills, equity, _ = results[-1]
    return {"fills": fills, "equity": equity, "seconds": median(item[2] for item in results)}


REPEATS = 5
"""Every figure is the median of so many runs."""


def measure(quick: bool) -> Table:
    """All engines at all sizes, each in a process of its own; memory from a run of its own that runs once."""
    sizes = SIZES[:2] if quick else SIZES
    found = {
        name: {size: in_process("benchmarks.backtest", name, str(size), "1" if quick else str(REPEATS)) for size in sizes}
        for name in ENGINES
    }
    memory = {name: in_process("benchmarks.backtest", name, str(sizes[-1]), "1")["memory"] for name in ENGINES}
    rows = []
    for name, title in ENGINES.items():
        at = found[name]
        figures = (*(rate(size / at[size]["seconds"]) for size in sizes), f"{memory[name]:.0f} MB")
        speed = sizes[-1] / at[sizes[-1]]["seconds"]
        peer_speed = sizes[-1] / found["backtesting"][sizes[-1]]["seconds"]
        met = speed >= max(1e6, 5 * peer_speed) and memory[name] <= 600 if name == "weaver" else None
        goal = "≥ 1 M at a million and 5 × backtesting.py, ≤ 600 MB" if name == "weaver" else ""
        rows.append(Row(name=title, figures=figures, goal=goal, met=met))
    whole = tuple(rate(size / found["weaver"][size]["whole"]) for size in sizes)
    rows.insert(1, Row(name="the same with reading bars, statistics and every commit", figures=(*whole, "")))
    notes = []
    for size in sizes:
        answers = {name: (found[name][size]["fills"], round(found[name][size]["equity"], 2)) for name in ENGINES}
        fills, equity = answers["weaver"]
        agree = "all three agree" if len(set(answers.values())) == 1 else f"**they differ: {answers}**"
        notes.append(f"{size:,} bars: {fills:,.0f} fills, end equity {equity:,.2f}; {agree}.")
    columns = (*(f"bars/s at {size:,}" for size in sizes), f"memory at {sizes[-1]:,}")
    return Table(title="Backtest, one symbol (W1)", columns=columns, rows=tuple(rows), notes=tuple(notes))


if __name__ == "__main__":
    engine_name, bar_count, repeat_count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    answer = asyncio.run(weaver(bar_count, repeat_count)) if engine_name == "weaver" else peer(engine_name, bar_count, repeat_count)
    print(json.dumps({**answer, "memory": peak_memory_mb()}))
