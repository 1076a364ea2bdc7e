"""One message over the window, not modal: what happened, what to do, and a fold with the details."""

from collections.abc import Iterable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QToolButton, QVBoxLayout, QWidget

from ui.style import icon
from ui.theme import Theme

_LEVEL_TOKENS = {"error": "danger", "warning": "warning", "info": "accent"}


class MessageBanner(QWidget):
    """Lies over the lower edge of its parent and moves nothing. A further message replaces the one that shows."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("banner-message")
        self.setAccessibleName("Message")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._host = parent
        self._below: tuple[QWidget, ...] = ()
        self.sign = QLabel(self)
        self.text = QLabel(self)
        self.text.setObjectName("label-banner-text")
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard)
        self.details_button = QToolButton(self)
        self.details_button.setObjectName("button-banner-details")
        self.details_button.setText("Details")
        self.details_button.setAccessibleName("Show details of the message")
        self.details_button.setCheckable(True)
        self.details_button.toggled.connect(self._fold)
        self.close_button = QToolButton(self)
        self.close_button.setObjectName("button-banner-close")
        self.close_button.setAccessibleName("Dismiss the message")
        self.close_button.setText("Dismiss")
        self.close_button.clicked.connect(self.hide)
        self.details = QPlainTextEdit(self)
        self.details.setObjectName("field-banner-details")
        self.details.setAccessibleName("Details")
        self.details.setReadOnly(True)
        self.details.setFixedHeight(140)
        self.details.hide()
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.sign, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self.text, 1)
        top.addWidget(self.details_button, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(12, 8, 8, 8)
        outer.addLayout(top)
        outer.addWidget(self.details)
        self.hide()
        parent.installEventFilter(self)

    def say(self, text: str, *, level: str = "error", details: str = "") -> None:
        """Show a message. `level`: error, warning or info. Without `details` there is no fold."""
        self.setProperty("level", level)
        self.style().unpolish(self)
        self.style().polish(self)
        token = _LEVEL_TOKENS[level]
        self.sign.setPixmap(icon(level, self._theme, token).pixmap(18, 18))
        self.text.setText(text)
        self.setAccessibleDescription(text)
        self.details.setPlainText(details)
        self.details_button.setChecked(False)
        self.details_button.setVisible(bool(details))
        self.show()
        self.raise_()
        self.place()

    def withdraw(self, text: str) -> None:
        """Take a message away that does not hold any more, if it is the one that shows."""
        if text and self.text.text() == text:
            self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Draw the sign in the theme's colours from the next message on."""
        self._theme = theme

    def stay_above(self, widgets: Iterable[QWidget]) -> None:
        """Stay in front of these when one of them comes to the front: a panel whose tab was chosen."""
        self._below = tuple(widgets)
        for widget in self._below:
            widget.installEventFilter(self)

    def place(self) -> None:
        """Lie at the lower edge, in the middle."""
        host = self._host
        width = min(host.width() - 48, 760)
        layout = self.layout()
        height = layout.totalHeightForWidth(width) if layout is not None else self.sizeHint().height()
        self.setGeometry((host.width() - width) // 2, host.height() - height - 40, width, height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize and watched is self._host and self.isVisible():
            self.place()
        if event.type() is QEvent.Type.ZOrderChange and watched in self._below and self.isVisible():
            QTimer.singleShot(0, self.raise_)  # after it: a dock's tab follows only a dock that is on top of all
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
            return
        super().keyPressEvent(event)

    def _fold(self, opened: bool) -> None:
        self.details.setVisible(opened)
        self.place()
