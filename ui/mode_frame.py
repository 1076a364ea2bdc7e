"""The frame around the window while money is at stake: of the mode's colour, on every side, over nothing."""

from PySide6.QtCore import QEvent, QObject, QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QRegion
from PySide6.QtWidgets import QMainWindow, QWidget

from core.model.run import RunMode
from ui.theme import Sizes, Theme


class ModeFrame(QWidget):
    """Takes a strip of the window's edges while the mode is paper or live; a backtest has none."""

    def __init__(self, window: QMainWindow, theme: Theme, sizes: Sizes) -> None:
        super().__init__(window)
        self.setObjectName("frame-mode")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._window, self._theme, self._sizes = window, theme, sizes
        self.mode = RunMode.BACKTEST
        self.hide()
        window.installEventFilter(self)

    @property
    def width_px(self) -> int:
        """How wide a side is; real money's is twice as wide."""
        return self._sizes.step if self.mode is RunMode.LIVE else self._sizes.step // 2

    @property
    def colour(self) -> str:
        """The colour of the mode, `#rrggbb`."""
        return str(getattr(self._theme, self.mode.value))

    def show_mode(self, mode: RunMode) -> None:
        """Frame the window for a mode, or not at all."""
        if mode is self.mode:
            return
        self.mode = mode
        framed = mode is not RunMode.BACKTEST
        side = self.width_px if framed else 0
        self._window.setContentsMargins(side, side, side, side)
        self.setAccessibleName(f"{mode.value.capitalize()} mode" if framed else "")
        self.setVisible(framed)
        self._place()

    def set_theme(self, theme: Theme) -> None:
        """Draw in the theme's colours."""
        self._theme = theme
        self.update()

    def _place(self) -> None:
        whole = self._window.rect()
        self.setGeometry(whole)
        side = self.width_px
        # A mask: what lies inside is painted without this widget being asked.
        self.setMask(QRegion(whole) - QRegion(QRect(whole).adjusted(side, side, -side, -side)))
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), self._theme.colour(self.mode.value))
        painter.end()
