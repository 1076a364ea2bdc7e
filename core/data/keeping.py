"""Tells the log what became of stored bars."""

import uuid
from typing import Final

from core.events.envelope import Payload, envelope
from core.events.payloads import BarsImported
from core.model.market import BarSeries, BarSetKey, MergeReport
from core.ports import Clock, Store

_PRODUCER: Final = "data"


class BarKeeper:
    """Stores bars, and appends the events of the data desk."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def keep(self, key: BarSetKey, bars: BarSeries, *, simulated: bool) -> MergeReport:
        """Merge bars into a set and tell what that did."""
        merge = await self._store.bars.merge(key, bars, simulated=simulated)
        await self.tell_merged(key, merge)
        return merge

    async def tell_merged(self, key: BarSetKey, merge: MergeReport) -> None:
        """Tell that bars are stored."""
        await self.tell(
            BarsImported(
                symbol=key.symbol,
                timeframe=key.timeframe,
                source=key.source,
                adjustment=key.adjustment,
                added=merge.added,
                identical=merge.identical,
                changed=merge.changed,
            )
        )

    async def tell(self, payload: Payload) -> None:
        """Append an event of the data desk."""
        event = envelope(payload, id=uuid.uuid4().hex, ts=self._clock.now_ns(), producer=_PRODUCER)
        await self._store.log.append([event])
