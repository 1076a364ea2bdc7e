"""Several sources of brokers as one, each of its own id."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from core.errors import UnknownName
from core.model.broker import AccountName, AdapterInfo
from core.ports import Broker, BrokerSource, LiveClock


class SeveralSources:
    """See `core.ports.BrokerSource`."""

    def __init__(self, sources: Mapping[str, BrokerSource]) -> None:
        self._sources = sources

    def info(self, broker_id: str) -> AdapterInfo:
        """See `core.ports.BrokerSource`."""
        return self._of(broker_id).info(broker_id)

    def clock(self, broker_id: str) -> LiveClock:
        """See `core.ports.BrokerSource`."""
        return self._of(broker_id).clock(broker_id)

    def outlives_program(self, broker_id: str) -> bool:
        """See `core.ports.BrokerSource`."""
        return self._of(broker_id).outlives_program(broker_id)

    def open(self, broker_id: str, account: AccountName) -> AbstractAsyncContextManager[Broker]:
        """See `core.ports.BrokerSource`."""
        return self._of(broker_id).open(broker_id, account)

    def _of(self, broker_id: str) -> BrokerSource:
        source = self._sources.get(broker_id)
        if source is None:
            raise UnknownName("broker", broker_id, self._sources)
        return source
