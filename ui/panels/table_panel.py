"""A panel around a table: how many rows, a filter, and what to do while there are none."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QMenu, QStackedLayout, QVBoxLayout, QWidget

from ui.dialogs.empty_state import EmptyState
from ui.format import number
from ui.models.look import Look
from ui.models.table_model import TableModel
from ui.panels.dense_table import DenseTable
from ui.services import LayoutMemory
from ui.slices import in_slices
from ui.tasks import TaskScope


class StillPlace(QWidget):
    """Holds a label whose text may change thirty times a second: its size is no matter of the layouts around it.

    A label that grows by a digit would have every dock of the window measured anew.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.label = QLabel(self)
        self.setMinimumWidth(self.fontMetrics().horizontalAdvance("00 000 of 00 000"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.label.setGeometry(self.rect())


class TablePanel(QWidget):
    """One table with its filter. `name` is the plural noun (`orders`) that its widgets are named after."""

    row_chosen = Signal(object)

    def __init__(
        self,
        model: TableModel,
        *,
        name: str,
        title: str,
        empty: tuple[str, str],
        tasks: TaskScope,
        memory: LayoutMemory,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.name = name
        self.setObjectName(f"panel-{name}")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._tasks = tasks
        self._memory = memory
        self._menu_actions: Callable[[], Sequence[QAction | None]] = lambda: ()
        self.model = model
        model.on_big_sort = self._start_sort
        self.table = DenseTable(model, f"table-{name}", title, self)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._show_menu)
        self.table.row_chosen.connect(self.row_chosen)
        self._count_place = StillPlace(self)
        self.count = self._count_place.label
        self.count.setObjectName(f"label-count-{name}")
        self.count.setProperty("role", "muted")
        self.filter = QLineEdit(self)
        self.filter.setObjectName(f"field-filter-{name}")
        self.filter.setAccessibleName(f"Filter {name}")
        self.filter.setPlaceholderText("Filter")
        self.filter.setToolTip("Show rows that contain all of these words (Ctrl+F)")
        self.filter.setClearButtonEnabled(True)
        self.filter.setMaximumWidth(200)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(120)
        self._pause.timeout.connect(self._start_filter)
        self.filter.textChanged.connect(lambda _text: self._pause.start())
        find = QAction(f"Filter {name}", self)
        find.setObjectName(f"action-filter-{name}")
        find.setShortcut(QKeySequence.StandardKey.Find)
        find.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.triggered.connect(self.focus_filter)
        self.addAction(find)
        leave = QAction(self)
        leave.setShortcut(QKeySequence(Qt.Key.Key_Escape))
        leave.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        leave.triggered.connect(self._leave_filter)
        self.filter.addAction(leave)
        self._lay_out(EmptyState(*empty, model.look.sizes, self))
        saved = memory.load(f"columns-{name}")
        if saved is not None:
            self.table.restore_columns(saved)
        model.rows_published.connect(self._count_rows)
        model.modelReset.connect(self._count_rows)
        self._count_rows()

    def _lay_out(self, empty: EmptyState) -> None:
        self.empty_state = empty
        empty.setObjectName(f"empty-{self.name}")
        self.strip = QHBoxLayout()
        self.strip.setContentsMargins(8, 2, 6, 2)
        self.strip.addWidget(self._count_place, 1)
        self.strip.addWidget(self.filter)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.table)
        self._stack.addWidget(empty)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(self.strip)
        outer.addLayout(self._stack, 1)
        self.first_focus: QWidget = self.table
        self.setTabOrder(self.filter, self.table)

    def set_look(self, look: Look) -> None:
        """Take over theme, sizes and zone."""
        self.model.set_look(look)
        self.table.set_look(look)

    def set_menu(self, actions: Callable[[], Sequence[QAction | None]]) -> None:
        """Set what the context menu offers for the selected rows, above copying; None is a separator."""
        self._menu_actions = actions

    def remember(self) -> None:
        """Keep order and widths of the columns for the next start."""
        self._memory.save(f"columns-{self.name}", self.table.columns_state())

    def forget(self) -> None:
        """Return to the columns of the first start."""
        self._memory.forget(f"columns-{self.name}")
        self.table.reset_columns()

    def focus_filter(self) -> None:
        """Put the cursor into the filter."""
        self.filter.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter.selectAll()

    def _leave_filter(self) -> None:
        self.filter.clear()
        self.table.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _start_filter(self) -> None:
        if not self._tasks.is_closed:
            self._tasks.start(self._filter(self.filter.text()), what=f"filtering {self.name}", latest=f"filter-{self.name}")

    def _start_sort(self) -> None:
        if not self._tasks.is_closed:
            self._tasks.start(self.model.sort_in_slices(), what=f"sorting {self.name}", latest=f"sort-{self.name}")

    async def _filter(self, text: str) -> None:
        await in_slices(self.model.filter_in_slices(text))

    def _count_rows(self) -> None:
        shown, all_rows = self.model.rowCount(), len(self.model.table.rows)
        if self.model.is_filtered:
            self.count.setText(f"{number(shown)} of {number(all_rows)} {_noun(self.name)}")
        else:
            self.count.setText(f"{number(all_rows)} {_noun(self.name, all_rows)}" if all_rows else "")
        self._stack.setCurrentIndex(0 if all_rows else 1)
        self.filter.setVisible(bool(all_rows))

    def _show_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setObjectName(f"menu-{self.name}")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for action in self._menu_actions():
            if action is None:
                menu.addSeparator()
            else:
                menu.addAction(action)
        menu.addAction(self.table.copy_action)
        self.table.fill_columns_menu(menu.addMenu("Columns"))
        menu.popup(self.table.viewport().mapToGlobal(at))


_PLURALS = {"activity": "events", "working": "working orders", "holdings": "positions", "watchlist": "symbols", "by-hand": "fills"}


def _noun(name: str, count: int = 2) -> str:
    plural = _PLURALS.get(name, name)
    return plural.removesuffix("s") if count == 1 else plural
