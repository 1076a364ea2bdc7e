"""Short dialogs: a question before something is destroyed, and an error with its details folded away."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from ui.dialogs.look import role_sheet
from ui.theme import Sizes, Theme


class Notice(QDialog):
    """A heading, a sentence and buttons."""

    def __init__(self, name: str, heading: str, sentence: str, theme: Theme, sizes: Sizes, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(heading)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setStyleSheet(role_sheet(theme, sizes))
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(sizes.step * 5, sizes.step * 5, sizes.step * 5, sizes.step * 4)
        self.column.setSpacing(sizes.step * 2)
        for text, role, part in ((heading, "title", "heading"), (sentence, "", "sentence")):
            label = QLabel(text, self)
            label.setObjectName(f"{name.removeprefix('dialog-')}-{part}")
            label.setProperty("role", role)
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            self.column.addWidget(label)
        self.footer = QHBoxLayout()
        self.footer.setSpacing(sizes.step * 2)
        self.setMinimumWidth(sizes.font * 34)

    def add_footer(self, height: int) -> None:
        self.column.addStretch(0)
        self.column.addSpacing(height)
        self.column.addLayout(self.footer)

    def add_button(self, name: str, text: str, slot: Callable[[], object], role: str = "") -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setProperty("role", role)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _checked=False: slot())
        self.footer.addWidget(button)
        return button


class ConfirmDialog(Notice):
    """Asks before something is destroyed; `accepted` when the person says so. Cancel has the focus.

    `heading` names the act and its object (`Delete SPY 1d from yahoo?`), `consequence` says what is lost, `verb` is the button.
    """

    def __init__(self, *, heading: str, consequence: str, verb: str, theme: Theme, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__("dialog-confirm", heading, consequence, theme, sizes, parent)
        self.footer.addStretch(1)
        cancel = self.add_button("button-cancel", "Cancel", self.reject)
        self.add_button("button-confirm", verb, self.accept, "danger")
        self.add_footer(sizes.step * 2)
        cancel.setDefault(True)
        cancel.setFocus(Qt.FocusReason.OtherFocusReason)


class ErrorDialog(Notice):
    """Says what happened and what to do; the details (a traceback, say) are folded away and can be copied."""

    def __init__(
        self,
        *,
        what: str,
        todo: str,
        details: str,
        theme: Theme,
        sizes: Sizes,
        heading: str = "That did not work",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("dialog-error", heading, f"{what} {todo}".strip(), theme, sizes, parent)
        self._details = QPlainTextEdit(details, self)
        self._details.setObjectName("error-details")
        self._details.setAccessibleName("Details")
        self._details.setReadOnly(True)
        self._details.setMinimumHeight(sizes.row * 8)
        self._details.hide()
        self.column.addWidget(self._details, 1)
        self._fold = self.add_button("button-details", "Show details", self._toggle)
        self._copy = self.add_button("button-copy-details", "Copy details", self._copy_details)
        self._fold.setVisible(bool(details))
        self._copy.setVisible(bool(details))
        self.footer.addStretch(1)
        close = self.add_button("button-close", "Close", self.accept, "primary")
        self.add_footer(sizes.step * 2)
        close.setDefault(True)
        close.setFocus(Qt.FocusReason.OtherFocusReason)

    def _toggle(self) -> None:
        shown = self._details.isHidden()
        self._details.setVisible(shown)
        self._fold.setText("Hide details" if shown else "Show details")
        if not shown:
            self.adjustSize()

    def _copy_details(self) -> None:
        QGuiApplication.clipboard().setText(self._details.toPlainText())
