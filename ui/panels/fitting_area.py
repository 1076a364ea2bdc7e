"""A scroll area as high as its content while there is room: what stands below it follows at once, and is never scrolled away."""

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QWidget


class FittingArea(QScrollArea):
    """Scrolls up and down only; the content takes the width there is."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def fit(self, content: QWidget) -> None:
        """Show this content."""
        self.setWidget(content)
        content.installEventFilter(self)

    def sizeHint(self) -> QSize:
        content = self.widget()
        return super().sizeHint() if content is None else QSize(content.minimumSizeHint().width(), content.sizeHint().height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)
