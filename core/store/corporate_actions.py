"""Splits and dividends in the database."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from sqlalchemy import Connection, delete, select

from core.errors import InvalidValue
from core.model.corporate_action import ActionKind, ActionMerge, CorporateAction, identity_of, in_order, make_action, value_of
from core.store.arrays import DamagedArrays
from core.store.dialect import database_of
from core.store.merging import merge_actions
from core.store.sql import BulkInsert
from core.store.tables import CORPORATE_ACTIONS
from core.store.threads import Threads

_PUT_ACTIONS: Final = BulkInsert(CORPORATE_ACTIONS, ("symbol", "day", "kind", "value"), key="symbol, day, kind", update=("value",))


class DatabaseCorporateActionStore:
    """A `CorporateActionStore` in the table `corporate_actions`."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def put(self, actions: Sequence[CorporateAction]) -> ActionMerge:
        """See `core.ports.CorporateActionStore`."""
        return await self._threads.write_and_wait(lambda connection: _put(connection, actions))

    async def read(self, symbol: str) -> tuple[CorporateAction, ...]:
        """See `core.ports.CorporateActionStore`."""
        return await self._threads.read(lambda connection: _read(connection, symbol))

    async def read_all(self) -> tuple[CorporateAction, ...]:
        """See `core.ports.CorporateActionStore`."""
        return await self._threads.read(lambda connection: _read(connection, None))

    async def delete(self, symbol: str) -> int:
        """See `core.ports.CorporateActionStore`."""
        statement = delete(CORPORATE_ACTIONS).where(CORPORATE_ACTIONS.c.symbol == symbol)
        return await self._threads.write_and_wait(lambda connection: connection.execute(statement).rowcount)


def _put(connection: Connection, actions: Sequence[CorporateAction]) -> ActionMerge:
    database_of(connection).sql.lock(connection, "corporate actions")
    held = {identity_of(action): action for symbol in {action.symbol for action in actions} for action in _read(connection, symbol)}
    to_write, report = merge_actions(held, actions)
    _PUT_ACTIONS.run(
        connection, [cell for (symbol, day, kind), action in to_write.items() for cell in (symbol, day, kind.value, str(value_of(action)))]
    )
    return report


def _read(connection: Connection, symbol: str | None) -> tuple[CorporateAction, ...]:
    query = select(CORPORATE_ACTIONS)
    if symbol is not None:
        query = query.where(CORPORATE_ACTIONS.c.symbol == symbol)
    try:
        return in_order(make_action(ActionKind(row.kind), row.symbol, row.day, Decimal(row.value)) for row in connection.execute(query))
    except (ValueError, InvalidOperation, InvalidValue) as error:
        raise DamagedArrays(str(error)) from error
