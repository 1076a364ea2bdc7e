"""Checks the accounts inside the program: that rows can be read and belong to each other, and that everything adds up."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, select

from core.model.broker import Execution
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.corporate_action import units_after
from core.model.findings import Findings
from core.model.money import MONEY_CONTEXT, ZERO, plain
from core.model.paper import AccountBooks, PaperAccount
from core.store.long_work import LongWork
from core.store.paper import KINDS
from core.store.tables import PAPER_ACCOUNTS, PAPER_ENTRIES, PAPER_EXECUTIONS, PAPER_ORDERS

_WHAT: Final = "paper"


def check_paper(connection: Connection, found: Findings, job: LongWork) -> None:
    """Look at every account inside the program."""
    rows = connection.execute(select(PAPER_ACCOUNTS).order_by(PAPER_ACCOUNTS.c.id)).all()
    for done, row in enumerate(rows):
        job.step(done, len(rows), "Adding up paper accounts")
        found.count("paper_accounts")
        books = _books(connection, row, found)
        if books is not None:
            with localcontext(MONEY_CONTEXT):
                _add_up(books, found)


def _books(connection: Connection, row: Any, found: Findings) -> AccountBooks | None:
    """Return an account's books; None where a row of it cannot be read."""
    name = f"Paper account {row.id}"
    try:
        account = msgspec.json.decode(row.body, type=PaperAccount)
        of_table = {table.name: _bodies(connection, table, row.id) for table in (PAPER_ORDERS, PAPER_EXECUTIONS, PAPER_ENTRIES)}
    except msgspec.MsgspecError as error:
        found.add(_WHAT, f"{name} cannot be read: {error}.")
        return None
    if (account.id, account.revision) != (row.id, row.revision):
        found.add(_WHAT, f"{name} says that it is {account.id} at revision {account.revision}, and its columns say {row.revision}.")
    return AccountBooks(
        account=account,
        orders=of_table[PAPER_ORDERS.name],
        executions=of_table[PAPER_EXECUTIONS.name],
        entries=of_table[PAPER_ENTRIES.name],
    )


def _bodies(connection: Connection, table: Table, account_id: str) -> tuple[Any, ...]:
    query = select(table.c.body).where(table.c.account_id == account_id).order_by(table.c.ordinal)
    return tuple(msgspec.json.decode(body, type=KINDS[table.name]) for body in connection.execute(query).scalars())


def _add_up(books: AccountBooks, found: Findings) -> None:
    """Compare what the account says it has with the sum of all that happened in it, and each order with its executions."""
    name = f"Paper account {books.account.id}"
    cash, units = ZERO, defaultdict[str, Decimal](Decimal)
    filled = defaultdict[str, list[Execution]](list)
    for entry in books.entries:
        cash += entry.cash
        units[entry.symbol] += entry.qty
    for execution in books.executions:
        signed = execution.qty * execution.side.sign
        cash -= signed * execution.price + execution.fee
        units[execution.symbol] += signed
        filled[execution.order_id].append(execution)
    if cash != books.account.cash:
        found.add(_WHAT, f"{name} says that it has {plain(books.account.cash)}, and all that happened in it makes {plain(cash)}.")
    held = {one.symbol: one.qty for one in books.account.holdings}
    for symbol in sorted({*held, *units}):
        if held.get(symbol, ZERO) != units[symbol]:
            has, makes = plain(held.get(symbol, ZERO)), plain(units[symbol])
            found.add(_WHAT, f"{name} says that it holds {has} {symbol}, and all that happened in it makes {makes}.")
    orders = {one.order.id: one for one in books.orders}
    for order_id in sorted(filled.keys() - orders.keys()):
        found.add(_WHAT, f"{name} has executions of order {order_id}, which is not there.")
    for order_id, one in orders.items():
        sums = _sums(filled[order_id], [entry for entry in books.entries if entry.symbol == one.order.symbol])
        if one.order.filled_qty not in sums:
            says, makes = plain(one.order.filled_qty), plain(sums[0])
            found.add(
                _WHAT, f"Order {order_id} of {name[0].lower()}{name[1:]} says that {says} are filled, and its executions make {makes}."
            )


def _sums(executions: Sequence[Execution], entries: Sequence[BrokerEntry]) -> list[Decimal]:
    """Return what executions come to: as they are, and in the units of after each split that their order may have worked through."""
    parts = [(one.time_ns, one.qty) for one in executions]
    sums = [sum((qty for _, qty in parts), ZERO)]
    for entry in entries if parts else ():
        if entry.kind is BrokerEntryKind.SPLIT and entry.rate is not None:
            parts = [(time_ns, units_after(qty, entry.rate) if time_ns < entry.time_ns else qty) for time_ns, qty in parts]
            sums.append(sum((qty for _, qty in parts), ZERO))
    return sums
