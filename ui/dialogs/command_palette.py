"""The command palette: every action of the window, found by a few letters."""

from collections.abc import Sequence

from PySide6.QtCore import QAbstractListModel, QEvent, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import QDialog, QLabel, QLineEdit, QListView, QStyledItemDelegate, QStyleOptionViewItem, QVBoxLayout, QWidget

from ui.dialogs.fuzzy import score
from ui.dialogs.look import resize_to_screen, role_sheet
from ui.theme import Sizes, Theme

AnyIndex = QModelIndex | QPersistentModelIndex
SHORTCUT_ROLE = int(Qt.ItemDataRole.UserRole) + 1


class ActionList(QAbstractListModel):
    """The actions that fit the query, best first; those that cannot be used now come last."""

    def __init__(self, actions: Sequence[QAction], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all = [action for action in actions if action.text() and not action.isSeparator() and action.menu() is None]
        self._shown: list[QAction] = []
        self.set_query("")

    def set_query(self, query: str) -> None:
        """Show what fits."""
        self.beginResetModel()
        scored = [(score(query, words(action)), action) for action in self._all]
        fitting = [(found, action) for found, action in scored if found is not None]
        fitting.sort(key=lambda pair: (not pair[1].isEnabled(), -pair[0], words(pair[1])))
        self._shown = [action for _, action in fitting]
        self.endResetModel()

    def action(self, index: AnyIndex) -> QAction:
        """Return the action of a row."""
        return self._shown[index.row()]

    def rowCount(self, parent: AnyIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._shown)

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        action = self._shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return words(action)
        if role == SHORTCUT_ROLE:
            return action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        if role == Qt.ItemDataRole.ToolTipRole:
            return action.toolTip()
        if role == Qt.ItemDataRole.AccessibleTextRole:
            shortcut = action.shortcut().toString()
            return f"{words(action)}, {shortcut}" if shortcut else words(action)
        return None

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        if index.isValid() and not self._shown[index.row()].isEnabled():
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


class _CommandDelegate(QStyledItemDelegate):
    """Paints the shortcut at the right of the words."""

    def __init__(self, theme: Theme, sizes: Sizes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._theme, self._sizes = theme, sizes

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        super().paint(painter, option, index)
        shortcut = index.data(SHORTCUT_ROLE)
        if shortcut:
            painter.save()
            painter.setPen(self._theme.colour("muted"))
            where = option.rect.adjusted(0, 0, -self._sizes.step * 3, 0)
            painter.drawText(where, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), shortcut)
            painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        return QSize(super().sizeHint(option, index).width(), self._sizes.row + self._sizes.step)


class CommandPalette(QDialog):
    """Opened with `open()` over the window; Enter runs the chosen action after the palette is closed."""

    def __init__(self, *, actions: Sequence[QAction], theme: Theme, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dialog-command-palette")
        self.setWindowTitle("Commands")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setStyleSheet(role_sheet(theme, sizes))
        self.query = QLineEdit(self)
        self.query.setObjectName("field-command")
        self.query.setAccessibleName("Find a command")
        self.query.setPlaceholderText("Find a command")
        self.query.setClearButtonEnabled(True)
        self.query.installEventFilter(self)
        self.query.textChanged.connect(self._find)
        self._model = ActionList(actions, self)
        self.list = QListView(self)
        self.list.setObjectName("list-commands")
        self.list.setAccessibleName("Commands")
        self.list.setModel(self._model)
        self.list.setItemDelegate(_CommandDelegate(theme, sizes, self.list))
        self.list.setUniformItemSizes(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.clicked.connect(self._run)
        self._nothing = QLabel("No command has these letters in this order.", self)
        self._nothing.setProperty("role", "muted")
        self._nothing.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(sizes.step * 2, sizes.step * 2, sizes.step * 2, sizes.step * 2)
        layout.setSpacing(sizes.step * 2)
        layout.addWidget(self.query)
        layout.addWidget(self._nothing)
        layout.addWidget(self.list, 1)
        resize_to_screen(self, sizes.font * 40, sizes.row * 15)
        self._choose(0)

    def _find(self, query: str) -> None:
        self._model.set_query(query)
        self._nothing.setVisible(self._model.rowCount() == 0)
        self._choose(0)

    def _choose(self, row: int) -> None:
        index = self._model.index(row, 0)
        if index.isValid():
            self.list.setCurrentIndex(index)
            self.list.scrollTo(index)

    def _run(self, index: QModelIndex) -> None:
        if not index.isValid():
            return
        action = self._model.action(index)
        if action.isEnabled():
            self.accept()
            action.trigger()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            rows = self._model.rowCount()
            steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 10, Qt.Key.Key_PageUp: -10}
            if event.key() in steps:
                self._choose(max(0, min(rows - 1, self.list.currentIndex().row() + steps[Qt.Key(event.key())])))
                return True
            if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
                self._run(self.list.currentIndex())
                return True
        return super().eventFilter(watched, event)


def words(action: QAction) -> str:
    """Return an action's text without the sign of its access key."""
    return action.text().replace("&&", "\0").replace("&", "").replace("\0", "&").rstrip("…").strip()
