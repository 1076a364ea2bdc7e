"""Where a run puts what it did."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from core.ports import UnitOfWork


class Rows(Protocol):
    """The store's runs, as far as the desk holds the run; or somebody who only looks at what is put."""

    def begin(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """Open a unit of work."""
        ...
