"""What the removal of a run leaves to its account: what it traded stays there, as somebody else's from then on."""

from decimal import Decimal
from uuid import uuid4

import msgspec

from core.errors import RunError
from core.events.envelope import Envelope, envelope
from core.events.live_payloads import CoinFee, OutsideFilled
from core.model.money import ZERO
from core.model.risk import RiskLimits
from core.model.run import Run
from core.ports import Store
from core.trading.books import RunBook, merged
from core.trading.history import read_changes

_PAGE = 1_000


async def left_to_account(run: Run, store: Store, now_ns: int) -> list[Envelope]:
    """Return the events that keep an account's books what they are without the run. Raises RunError while orders of it work.

    Each fill is one, so that the broker's execution is not met again; what splits made of them is one more.
    """
    orders = {order.id: order for order in await store.runs.orders(run.id)}
    working = [order for order in orders.values() if not order.status.is_final]
    if working:
        what = f"Run {run.id} has {len(working)} orders that are not over, and cannot be removed."
        raise RunError(what, f"Close it first: `weaver runs close {run.id}`, or cancel them: `weaver orders cancel`.")
    left: list[OutsideFilled | CoinFee] = []
    fills, book, sums = await store.runs.fills(run.id), RunBook(ZERO, RiskLimits()), dict[tuple[str, str], Decimal]()
    for time_ns, one in merged(fills, await read_changes(store.log, run.id)):
        book.take(one, time_ns)
    for fill in fills:
        account = orders[fill.order_id].account or ""
        execution_id = fill.id.removeprefix(f"{account}/")
        qty = fill.qty * fill.side.sign
        left.append(OutsideFilled(account=account, execution_id=execution_id, symbol=fill.symbol, qty=qty, price=fill.price))
        sums[account, fill.symbol] = sums.get((account, fill.symbol), ZERO) + qty
    for (account, symbol), qty in sums.items():
        by_splits = book.held(symbol) - qty
        if by_splits:
            execution_id, price = f"removed:{run.id}:{symbol}", book.position(symbol).avg_price
            left.append(OutsideFilled(account=account, execution_id=execution_id, symbol=symbol, qty=by_splits, price=price))
    after = 0
    while page := await store.log.read(after_seq=after, run_id=run.id, pattern=CoinFee.wire, limit=_PAGE):
        after = page[-1].seq
        fees = [event.payload for event in page if isinstance(event.payload, CoinFee)]
        left += [msgspec.structs.replace(fee, order_id=None) for fee in fees]
    return [envelope(payload, id=uuid4().hex, ts=now_ns, producer="runs") for payload in left]
