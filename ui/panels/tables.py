"""The six tables of the window, and what each says while it is empty."""

from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from core.views.desk import DeskViews
from core.views.table import RowTable
from ui.models.look import Look
from ui.models.table_model import TableModel
from ui.panels.table_panel import TablePanel
from ui.services import LayoutMemory
from ui.tasks import TaskScope


@dataclass(frozen=True, slots=True)
class TableSpec:
    """`natural` is the column in whose order rows come."""

    name: str
    title: str
    natural: str
    empty: tuple[str, str]


TABLES: Final = (
    TableSpec("runs", "Runs", "created", ("No runs yet", "A run is one strategy on one stretch of bars. New run (Ctrl+N) makes one.")),
    TableSpec("orders", "Orders", "created", ("No orders", "The orders of the selected run will be here, with what became of them.")),
    TableSpec("fills", "Fills", "time", ("No fills", "Each execution of the selected run will be here, with price, fee and slippage.")),
    TableSpec("positions", "Positions", "symbol", ("No positions", "What the selected run holds will be here, symbol by symbol.")),
    TableSpec(
        "trades", "Trades", "exit", ("No trades", "Round trips of the selected run will be here: click one and the chart goes there.")
    ),
    TableSpec("activity", "Activity", "time", ("Nothing has happened yet", "What happens will be here in words: runs, orders, imports.")),
)


def make_table_panels(views: DeskViews, look: Look, tasks: TaskScope, memory: LayoutMemory, parent: QWidget) -> dict[str, TablePanel]:
    """Return the panels by name."""
    tables: dict[str, RowTable[Any]] = {
        "runs": views.runs,
        "orders": views.orders,
        "fills": views.fills,
        "positions": views.positions,
        "trades": views.trades,
        "activity": views.activity,
    }
    panels: dict[str, TablePanel] = {}
    for spec in TABLES:
        owner: QObject = parent
        model = TableModel(tables[spec.name], look, natural=spec.natural, parent=owner)
        panels[spec.name] = TablePanel(model, name=spec.name, title=spec.title, empty=spec.empty, tasks=tasks, memory=memory, parent=parent)
    return panels
