"""Checks the rows of runs, orders, fills and results: that they can be read, say the same as their columns, and belong to each other."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Table, func, select

from core.events.payloads import RunDeleted
from core.model.findings import Findings
from core.model.order import Fill, Order
from core.model.run import Run
from core.store import rows
from core.store.arrays import DamagedArrays
from core.store.long_work import LongWork
from core.store.tables import FILLS, ORDERS, OUTBOX, RESULTS, RUNS

PAGE: Final = 2_000


def check_rows(connection: Connection, found: Findings, job: LongWork) -> None:
    """Look at every row of a run."""
    _check_runs(connection, found, job)
    _check_orders(connection, found, job)
    _check_fills(connection, found, job)
    _check_results(connection, found, job)
    _check_references(connection, found)


def _pages(connection: Connection, table: Table, what: str, found: Findings, job: LongWork) -> Iterator[Any]:
    total = connection.execute(select(func.count()).select_from(table)).scalar_one()
    after, done = 0, 0
    while True:
        job.step(done, total, f"Reading {what}")
        page = connection.execute(select(table).where(table.c.ordinal > after).order_by(table.c.ordinal).limit(PAGE)).all()
        yield from page
        done += len(page)
        found.count(what, len(page))
        if len(page) < PAGE:
            return
        after = page[-1].ordinal


def _check_runs(connection: Connection, found: Findings, job: LongWork) -> None:
    for row in _pages(connection, RUNS, "runs", found, job):
        run = _decoded(row.body, Run, f"Run {row.id}", "runs", found)
        if run is not None:
            said = {"id": run.id, "status": run.status.value, "strategy_id": run.config.strategy_id, "mode": run.config.mode.value}
            _compare(row, said, f"Run {row.id}", "runs", found)


def _check_orders(connection: Connection, found: Findings, job: LongWork) -> None:
    for row in _pages(connection, ORDERS, "orders", found, job):
        order = _decoded(row.body, Order, f"Order {row.id}", "orders", found)
        if order is not None:
            said = {"id": order.id, "run_id": order.run_id, "symbol": order.request.symbol, "status": order.status.value}
            _compare(row, said, f"Order {row.id}", "orders", found)


def _check_fills(connection: Connection, found: Findings, job: LongWork) -> None:
    for row in _pages(connection, FILLS, "fills", found, job):
        fill = _decoded(row.body, Fill, f"Fill {row.id}", "fills", found)
        if fill is not None:
            said = {"id": fill.id, "run_id": fill.run_id, "order_id": fill.order_id, "symbol": fill.symbol, "time_ns": fill.time_ns}
            _compare(row, said, f"Fill {row.id}", "fills", found)


def _check_results(connection: Connection, found: Findings, job: LongWork) -> None:
    run_ids = connection.execute(select(RESULTS.c.run_id).order_by(RESULTS.c.run_id)).scalars().all()
    for done, run_id in enumerate(run_ids):
        job.step(done, len(run_ids), "Reading results")
        found.count("results")
        try:
            result = rows.read_result(connection, run_id)
        except (DamagedArrays, msgspec.MsgspecError, ValueError) as error:
            found.add("results", f"The result of run {run_id} cannot be read: {error}.")
            continue
        if result is not None and len(result.equity) != len(result.equity_ns):
            points, times = len(result.equity), len(result.equity_ns)
            found.add("results", f"The result of run {run_id} has {points:,} points of equity at {times:,} times.")


def _decoded(body: str, kind: Any, name: str, what: str, found: Findings) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        found.add(what, f"{name} cannot be read: {error}.")
        return None


def _compare(row: Any, said: dict[str, Any], name: str, what: str, found: Findings) -> None:
    for column, value in said.items():
        if getattr(row, column) != value:
            found.add(what, f"{name} says {column} {value}, and its column says {getattr(row, column)}.")


def _check_references(connection: Connection, found: Findings) -> None:
    no_run = select(RUNS.c.id)
    for table, what, name in ((ORDERS, "orders", "Order"), (FILLS, "fills", "Fill")):
        for row in connection.execute(select(table.c.id, table.c.run_id).where(table.c.run_id.not_in(no_run))):
            found.add(what, f"{name} {row.id} belongs to run {row.run_id}, which is not there.")
    for run_id in connection.execute(select(RESULTS.c.run_id).where(RESULTS.c.run_id.not_in(no_run))).scalars():
        found.add("results", f"There is a result of run {run_id}, which is not there.")
    for row in connection.execute(select(FILLS.c.id, FILLS.c.order_id).where(FILLS.c.order_id.not_in(select(ORDERS.c.id)))):
        found.add("fills", f"Fill {row.id} belongs to order {row.order_id}, which is not there.")
    of_no_run = (
        select(OUTBOX.c.run_id, func.min(OUTBOX.c.seq).label("first"), func.count().label("number"))
        # That a run was deleted is told after it is gone.
        .where(OUTBOX.c.run_id.is_not(None), OUTBOX.c.type != RunDeleted.wire, OUTBOX.c.run_id.not_in(no_run))
        .group_by(OUTBOX.c.run_id)
    )
    for row in connection.execute(of_no_run):
        found.add("events", f"{row.number:,} events from {row.first} on belong to run {row.run_id}, which is not there.")
