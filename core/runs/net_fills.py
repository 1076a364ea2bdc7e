"""A run's fills as what they left of bought coins, from the store alone: its account need not be open."""

from decimal import Decimal

from core.events.live_payloads import CoinFee
from core.model.money import ZERO
from core.model.order import Fill
from core.ports import Store
from core.trading.coin_fees import net_of_fees

_PAGE = 1_000


async def net_fills(run_id: str, store: Store) -> list[Fill]:
    """Return them, oldest first, without the units that the broker kept as fees."""
    fees: dict[str, Decimal] = {}
    after = 0
    while page := await store.log.read(after_seq=after, run_id=run_id, pattern=CoinFee.wire, limit=_PAGE):
        after = page[-1].seq
        for event in page:
            if isinstance(event.payload, CoinFee):
                fees[event.payload.fill_id] = fees.get(event.payload.fill_id, ZERO) + event.payload.qty
    return net_of_fees(await store.runs.fills(run_id), fees)
