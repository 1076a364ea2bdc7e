"""A run's seat at the desk of its account: how it is told of its orders, and what the desk may ask of it."""

from collections.abc import Callable
from typing import Protocol

from core.errors import KnownError
from core.model.desk import Lease
from core.model.order import Order, OrderRequest
from core.trading.feed import Feed

OnChange = Callable[[], None]
OnStop = Callable[[KnownError], None]


class Waiting(Protocol):
    """Orders of a run that have not left yet."""

    def waiting_orders(self) -> list[Order]:
        """Return them."""
        ...

    def change(self, order_id: str, request: OrderRequest) -> None:
        """Give one of them other terms."""
        ...

    def pair(self, first_id: str, second_id: str) -> None:
        """Note that of two orders, which have left, one cancels the other."""
        ...


class Seat:
    """A run that trades here now. `changed` is called when one of its orders did; `stop` ends it with an error.

    `feed`: its market, and `waiting`: its orders that wait, where the run minds them. `lease`: what its desk holds while it has
    the run: without it no order of the run is committed, whoever has the account.
    """

    def __init__(
        self, changed: OnChange, stop: OnStop, feed: Feed | None = None, waiting: Waiting | None = None, lease: Lease | None = None
    ) -> None:
        self.changed = changed
        self.stop = stop
        self.feed = feed
        self.waiting = waiting
        self.lease = lease
