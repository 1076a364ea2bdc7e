"""Runs a run again from its manifest and compares what comes out, bit for bit. Nothing of the second run is stored."""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from core.errors import (
    InputError,
    KnownError,
    LookAhead,
    NoBars,
    NonsenseAction,
    NotRepeatable,
    RunError,
    StrategyBroken,
    StrategyFailed,
    StrategyTooSlow,
    UnknownName,
)
from core.model.instants import iso
from core.model.order import Fill, Order
from core.model.result import RunResult
from core.model.run import Manifest, Run, RunMode, RunStatus
from core.model.verification import Difference, Verification
from core.ports import Store
from core.runs.backtest import BacktestWork
from core.runs.kept_rows import KeptRows
from core.runs.manager import RunManager

_SHOWN: Final = 5
"""Differences of one kind that are named one by one."""
_STOPPED_FROM_OUTSIDE: Final = "It was stopped."

_FOUND_OUT: Final = frozenset({LookAhead.code, NotRepeatable.code})
_ENDED_BY_ITSELF: Final = frozenset({StrategyFailed.code, NonsenseAction.code, *_FOUND_OUT})

OnBars = Callable[[int, int], None]
"""Told how many bars of how many are done."""


async def verify_run(run_id: str, *, runs: RunManager, store: Store, on_bars: OnBars | None = None) -> Verification:
    """Run a run again and compare. Raises RunError for one that goes on, or that never began."""
    run = await runs.get(run_id)
    manifest = run.manifest
    if not run.status.is_final:
        raise RunError(f"Run {run.id} is {run.status}.", "Only a run that is over can be verified.")
    if run.config.mode is not RunMode.BACKTEST:
        raise RunError(
            f"Run {run.id} traded in real time, and that is not repeated.", f"Compare it with Greta: weaver runs parity {run.id}."
        )
    if manifest is None:
        raise RunError(f"Run {run.id} ended before it began, so there is nothing to repeat.", "Run it again.")
    fills, orders = await store.runs.fills(run.id), await store.runs.orders(run.id)
    is_whole = _is_whole(run)
    told = Verification(run_id=run.id, status=run.status, is_whole=is_whole, fills=len(fills), orders=len(orders), bars=run.bars)
    rows = KeptRows()
    try:
        changed = _changed_strategy(run, manifest, runs)
        if changed is not None:
            return msgspec.structs.replace(told, causes=(changed,))
        work = await runs.works.again(run, rows)
    except (InputError, NoBars, StrategyBroken) as error:
        return msgspec.structs.replace(told, causes=(_gone(error),))
    try:
        try:
            again = await work.load()
        except (NoBars, StrategyBroken) as error:
            return msgspec.structs.replace(told, causes=(_gone(error),))
        causes = _causes(manifest, again)
        if any(cause.what != "engine" for cause in causes):
            return msgspec.structs.replace(told, causes=causes)
        ended, result = await _to_the_end(work, rows, on_bars)
        elapsed_s = work.elapsed_s
    finally:
        await work.close()
    differences = _compare_fills(fills, rows.fills, is_whole=is_whole)
    if is_whole:
        differences += _compare_end(run, ended)
        differences += _compare_orders(orders, rows.orders)
        differences += _compare_results(await store.runs.result(run.id), result)
    return msgspec.structs.replace(told, causes=causes, differences=tuple(differences), was_repeated=True, elapsed_s=elapsed_s)


async def _to_the_end(work: BacktestWork, rows: KeptRows, on_bars: OnBars | None) -> tuple[str | None, RunResult | None]:
    """Drive the second run to its end; return why it ended early, and its result."""
    ended: str | None

    def tell() -> None:
        if on_bars is not None:
            on_bars(work.bars_done, work.bars_total)

    try:
        await work.drive(tell, lambda _work: None)
        ended, left_result = work.stopped, True
    except KnownError as error:
        if isinstance(error, StrategyTooSlow):
            raise
        ended, left_result = str(error), bool(work.bars_done)
    result = await work.result() if left_result else None
    if ended is not None:
        work.cancel_working(f"The run ended: {ended}")
    work.journal.make_batch(work.orders)
    work.journal.write(rows)
    return ended, result


def _is_whole(run: Run) -> bool:
    """Whether the run ended by itself, at a place that only its bars and its strategy decide."""
    if run.status is RunStatus.STOPPED:
        return run.error != _STOPPED_FROM_OUTSIDE
    if run.status is RunStatus.ERROR:
        # A run that the store or the clock ended did not end there by itself; nor, perhaps, one that looked ahead and was stopped.
        return run.error_code in _ENDED_BY_ITSELF and (run.bars == run.bars_total or run.error_code not in _FOUND_OUT)
    return run.status is RunStatus.COMPLETED


# --- what it was made from ---


def _changed_strategy(run: Run, manifest: Manifest, runs: RunManager) -> Difference | None:
    info = runs.strategy_of(run)
    if info.sha256 == manifest.strategy_sha256:
        return None
    return Difference(
        what="strategy",
        then=manifest.strategy_sha256,
        now=info.sha256,
        sentence=f"The strategy's file has changed since: {run.config.strategy_id} is no longer the code that was run.",
    )


def _gone(error: KnownError) -> Difference:
    what = "strategy" if isinstance(error, StrategyBroken) or (isinstance(error, UnknownName) and "strategy" in str(error)) else "bars"
    return Difference(what=what, then="there", now="not there", sentence=str(error))


def _causes(then: Manifest, now: Manifest) -> tuple[Difference, ...]:
    """Return what is no longer as the manifest has it."""
    sentences = {
        "strategy_sha256": ("strategy", "The strategy's file has changed since."),
        "bars_sha256": ("bars", "The stored bars have changed since."),
        "actions_sha256": ("actions", "The stored splits and dividends have changed since."),
        "seed": ("seed", "The seed is another."),
        "engine": ("engine", f"The run was made by version {then.engine} of the program; this is {now.engine}."),
    }
    return tuple(
        Difference(what=what, then=str(getattr(then, field)), now=str(getattr(now, field)), sentence=sentence)
        for field, (what, sentence) in sentences.items()
        if getattr(then, field) != getattr(now, field)
    )


# --- what came out ---


def _compare_fills(then: Sequence[Fill], now: Sequence[Fill], *, is_whole: bool) -> list[Difference]:
    found = []
    for number, (old, new) in enumerate(zip(then, now, strict=False), 1):
        fields = [field for field in Fill.__struct_fields__ if getattr(old, field) != getattr(new, field)]
        if fields:
            found.append(_fill_difference(number, fields, old, new))
            if len(found) == _SHOWN:
                break
    if len(then) > len(now) or (is_whole and len(then) != len(now)):
        found.append(_count("fills", len(then), len(now)))
    return found


def _fill_difference(number: int, fields: Sequence[str], old: Fill, new: Fill) -> Difference:
    then, now = (", ".join(f"{field} {getattr(fill, field)}" for field in fields) for fill in (old, new))
    return Difference(
        what="fill",
        then=then,
        now=now,
        sentence=f"Fill {number}, of {old.symbol} in the bar of {iso(old.time_ns)}, had {then}; it has {now}.",
    )


def _count(what: str, then: int, now: int) -> Difference:
    return Difference(what=what, then=str(then), now=str(now), sentence=f"There were {then:,} {what}; there are {now:,}.")


def _compare_end(run: Run, ended: str | None) -> list[Difference]:
    then, now = run.error or "completed", ended or "completed"
    if then == now:
        return []
    return [Difference(what="end", then=then, now=now, sentence=f"The run ended: {then} It now ends: {now}")]


def _compare_orders(then: Sequence[Order], now: dict[str, Order]) -> list[Difference]:
    found = []
    for order in then:
        again = now.get(order.id)
        if again is None:
            sentence = f"Order {order.id} was made; it is not made again."
            found.append(Difference(what="order", then=str(order.status), now="not made", sentence=sentence))
            continue
        fields = [field for field in Order.__struct_fields__ if getattr(order, field) != getattr(again, field)]
        if fields:
            was, now_is = (", ".join(f"{field} {getattr(item, field)}" for field in fields) for item in (order, again))
            found.append(Difference(what="order", then=was, now=now_is, sentence=f"Order {order.id} had {was}; it has {now_is}."))
    more = len(found) - _SHOWN
    found = found[:_SHOWN]
    if more > 0:
        found.append(Difference(what="orders", then="", now="", sentence=f"{more:,} more orders differ."))
    if len(then) != len(now):
        found.append(_count("orders", len(then), len(now)))
    return found


def _compare_results(then: RunResult | None, now: RunResult | None) -> list[Difference]:
    if then is None or now is None:
        if then is now:
            return []
        was, is_now = ("a result" if item is not None else "no result" for item in (then, now))
        return [Difference(what="result", then=was, now=is_now, sentence=f"The run left {was}; it leaves {is_now}.")]
    found = []
    if not np.array_equal(then.equity_ns, now.equity_ns):
        found.append(_count("points of equity", len(then.equity_ns), len(now.equity_ns)))
    elif not np.array_equal(then.equity, now.equity):
        at = int(np.flatnonzero(then.equity != now.equity)[0])
        old, new = repr(float(then.equity[at])), repr(float(now.equity[at]))
        sentence = f"The equity at {iso(int(then.equity_ns[at]))} was {old}; it is {new}."
        found.append(Difference(what="equity", then=old, now=new, sentence=sentence))
    for key in sorted({*then.stats, *now.stats}):
        old_figure, new_figure = then.stats.get(key), now.stats.get(key)
        if old_figure != new_figure:
            sentence = f"The statistic {key} was {old_figure}; it is {new_figure}."
            found.append(Difference(what="statistic", then=str(old_figure), now=str(new_figure), sentence=sentence))
    for what, old_rows, new_rows in (
        ("trades", then.trades, now.trades),
        ("open positions", then.open_positions, now.open_positions),
        ("rejections", then.rejections, now.rejections),
    ):
        if old_rows != new_rows:
            sentence = f"The {what} are others: {len(old_rows):,} then, {len(new_rows):,} now."
            found.append(Difference(what=what, then=str(len(old_rows)), now=str(len(new_rows)), sentence=sentence))
    return found
