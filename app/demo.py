"""The demonstration: the simulated market, and a finished run of `sma-cross` on it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from core.errors import BugError
from core.model.market import AssetClass, BarSet, asset_class_of
from core.model.result import Progress
from core.model.run import Run, RunConfig, RunStatus

if TYPE_CHECKING:
    from core.engine import Engine

DEMO_STRATEGY: Final = "sma-cross"


async def demo_run(engine: "Engine", on_progress: Callable[[Progress], None]) -> Run:
    """Return the newest finished demonstration run; make it, and the simulated market, where there is none."""
    sets = await engine.ensure_demo_market(on_progress)
    for run in await engine.runs():
        if run.demo and run.status is RunStatus.COMPLETED:
            return run
    run = await engine.create_run(demo_config(engine, sets), demo=True)
    await engine.start_run(run.id)
    return await engine.wait_for_run(run.id)


def demo_config(engine: "Engine", sets: Sequence[BarSet]) -> RunConfig:
    """Return what the demonstration runs: the equity of the simulated market, where it has one."""
    if not sets:
        raise BugError("The simulated market has no bars.")
    equities = [item for item in sets if asset_class_of(item.key.symbol) is AssetClass.EQUITY]
    key = (equities or sets)[0].key
    info = engine.strategies()[DEMO_STRATEGY]
    return RunConfig(
        strategy_id=DEMO_STRATEGY,
        symbols=(key.symbol,),
        timeframe=key.timeframe,
        params=info.parse_params(DEMO_PARAMS),
        source=key.source,
        adjustment=key.adjustment,
    )


DEMO_PARAMS: Final[dict[str, object]] = {"qty": 100}
