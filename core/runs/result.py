"""What a run leaves: statistics, equity, trades and the lines it drew, from its venue and its fills."""

from collections.abc import Mapping, Sequence
from decimal import localcontext
from typing import Any

from core.backtest.assembly import Simulation
from core.backtest.stats import compute_statistics
from core.backtest.stats_trades import with_excursions
from core.model.corporate_action import CorporateAction, PositionChange
from core.model.market import BarSeries, asset_class_of
from core.model.money import MONEY_CONTEXT
from core.model.order import Fill, Rejection
from core.model.result import PlotLine, RunResult
from core.model.round_trips import round_trips
from core.strategy.runner import StrategyRunner


def run_result(
    run_id: str,
    simulation: Simulation,
    runner: StrategyRunner,
    bars: Mapping[str, BarSeries],
    *,
    fills: Sequence[Fill],
    changes: Sequence[PositionChange],
    actions: Mapping[str, Sequence[CorporateAction]],
    rejections: Sequence[Rejection],
    state: dict[str, Any] | None,
) -> RunResult:
    """Return the result of what was run so far; it takes a while. `bars`: of the run's own timeframe, by symbol in its order."""
    simulator, venue = simulation.simulator, simulation.venue
    with localcontext(MONEY_CONTEXT):
        times_ns, equity, held = simulator.equity_curve()
        trades = with_excursions(round_trips(fills, changes), bars, actions)
        stats = compute_statistics(
            equity_ns=times_ns,
            equity=equity,
            trades=trades,
            fills=fills,
            asset_class=asset_class_of(next(iter(bars))),
            exposure=held,
            bars=bars,
            actions=actions,
        )
        return RunResult(
            run_id=run_id,
            stats=stats,
            equity_ns=times_ns,
            equity=equity,
            trades=tuple(trades),
            open_positions=venue.open_positions(),
            rejections=tuple(rejections),
            plots=(*_indicator_lines(simulation, runner), *_drawn_lines(simulation, runner)),
            state=state,
        )


def _indicator_lines(simulation: Simulation, runner: StrategyRunner) -> list[PlotLine]:
    return [
        PlotLine(
            name=indicator.name,
            symbol=indicator.symbol,
            pane=indicator.pane,
            start_ns=simulation.simulator.starts_of(indicator.symbol, indicator.timeframe)[: len(indicator.values)],
            values=indicator.values,
        )
        for indicator in runner.indicators
        if indicator.pane
    ]


def _drawn_lines(simulation: Simulation, runner: StrategyRunner) -> list[PlotLine]:
    return [
        PlotLine(
            name=plot.name,
            symbol=plot.symbol,
            pane=plot.pane,
            start_ns=(starts := simulation.simulator.starts_of(plot.symbol, None)),
            values=plot.values[: len(starts)],
        )
        for plot in runner.plots
    ]
