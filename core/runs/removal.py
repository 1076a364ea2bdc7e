"""What keeps a run from being removed: its rows are all that tells its orders and positions at a broker from those of strangers."""

from decimal import Decimal

from core.errors import RunError
from core.events.payloads import SplitApplied
from core.model.money import ZERO, plain
from core.model.run import Run, RunStatus
from core.ports import Store
from core.runs.net_fills import net_fills


async def check_removable(run: Run, store: Store) -> None:
    """Raise RunError where orders of a run at a broker may work on, or where an interrupted one has positions there."""
    working = sum(not order.status.is_final for order in await store.runs.orders(run.id))
    is_left = run.status is RunStatus.INTERRUPTED
    held = await _held(run, store) if is_left else {}
    parts = [f"{working} order{'s' if working > 1 else ''} that may work at the broker"] if working else []
    parts += [f"{plain(qty)} {symbol}" for symbol, qty in held.items()]
    if not parts:
        return
    first = f"Close it first: weaver runs close {run.id} (--flatten closes its positions too), or let it go on."
    todo = first if is_left else f"Reconcile the account first: weaver reconcile --broker {run.config.broker}."
    raise RunError(f"Run {run.id} has {' and '.join(parts)}: without its rows nobody would mind them.", todo)


async def _held(run: Run, store: Store) -> dict[str, Decimal]:
    if await store.log.read(run_id=run.id, pattern=SplitApplied.wire, limit=1):
        return {}  # sums of fills are no positions then; working orders are looked at all the same
    held: dict[str, Decimal] = {}
    for fill in await net_fills(run.id, store):
        held[fill.symbol] = held.get(fill.symbol, ZERO) + fill.side.sign * fill.qty
    return {symbol: qty for symbol, qty in sorted(held.items()) if qty}
