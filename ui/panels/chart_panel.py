"""The chart with its heading: which bars, of which run; or, with nothing to draw, what to do about it."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QStackedLayout, QToolButton, QVBoxLayout, QWidget

from core.model.market import BarSetKey
from ui.charts.widget import ChartWidget
from ui.dialogs.empty_state import EmptyState
from ui.theme import Sizes, Theme


class ChartPanel(QWidget):
    """Hosts the chart. Loading is done by `ChartFeed`; this shows what it is told."""

    set_chosen = Signal(object)
    """BarSetKey that the person chose."""
    demo_requested = Signal()
    import_requested = Signal()
    account_requested = Signal()

    def __init__(self, theme: Theme, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel-chart")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.chart = ChartWidget(self, theme, sizes)
        self.choice = QComboBox(self)
        self.choice.setObjectName("field-chart-symbol")
        self.choice.setAccessibleName("Bars of the chart")
        self.choice.setToolTip("Choose which bars are shown")
        self.choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.choice.activated.connect(self._choose)
        self.about = QLabel(self)
        self.about.setObjectName("label-chart-about")
        self.about.setProperty("role", "muted")
        self.about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.latest = self._button("button-chart-latest", "Latest", "Show the newest bars (End)")
        self.latest.clicked.connect(self.chart.show_latest)
        self.fit = self._button("button-chart-fit", "All", "Show every bar")
        self.fit.clicked.connect(self.chart.fit)
        self.log = self._button("button-chart-log", "Log", "Equal ratios of price equally far apart")
        self.log.setCheckable(True)
        self.log.toggled.connect(self.chart.set_log_scale)
        self.chart.log_scale_changed.connect(self.log.setChecked)  # the chart's own menu changes it too
        strip = QHBoxLayout()
        strip.setContentsMargins(sizes.step * 2, sizes.step // 2, sizes.step * 2, sizes.step // 2)
        strip.setSpacing(sizes.step)
        strip.addWidget(self.choice)
        strip.addWidget(self.about, 1)
        for button in (self.latest, self.fit, self.log):
            strip.addWidget(button)
        filled = QWidget(self)
        column = QVBoxLayout(filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(strip)
        column.addWidget(self.chart, 1)
        self.empty = EmptyState(
            "No bars yet",
            "The chart shows price bars, a run's orders and its equity. Start with the simulated market, your own file, or an account.",
            sizes,
        )
        self.empty.setObjectName("empty-chart")
        demo = self.empty.add_button("button-open-demo", "Open the demo", self.demo_requested.emit)
        demo.setProperty("role", "primary")
        self.empty.add_button("button-import-file", "Import a file", self.import_requested.emit)
        self.empty.add_button("button-connect-broker", "Connect a broker", self.account_requested.emit)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(filled)
        self._stack.addWidget(self.empty)
        self.first_focus: QWidget = self.chart
        self._keys: list[BarSetKey] = []

    def _button(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(name)
        button.setText(text)
        button.setAccessibleName(tip)
        button.setToolTip(tip)
        return button

    @property
    def is_empty(self) -> bool:
        """Whether the card with the buttons shows."""
        return self._stack.currentIndex() == 1

    def show_empty(self) -> None:
        """Show the card that says how to begin."""
        self.chart.clear()
        self._stack.setCurrentIndex(1)

    def show_choices(self, keys: Sequence[BarSetKey], chosen: BarSetKey) -> None:
        """Offer these sets, with `chosen` as the one that is shown."""
        self._stack.setCurrentIndex(0)
        if list(keys) != self._keys:
            self._keys = list(keys)
            self.choice.clear()
            several = len({(key.symbol, key.timeframe) for key in keys}) < len(keys)
            for key in keys:
                self.choice.addItem(_title(key, with_source=several))
        self.choice.setCurrentIndex(self._keys.index(chosen))
        self.choice.setVisible(len(self._keys) > 1)

    def set_about(self, text: str) -> None:
        """Say in a few words whose chart it is."""
        self.about.setText(text)
        self.about.setToolTip(text)

    def set_theme(self, theme: Theme, sizes: Sizes) -> None:
        """Draw with other colours and sizes."""
        self.chart.set_theme(theme, sizes)

    def _choose(self, place: int) -> None:
        self.set_chosen.emit(self._keys[place])


def _title(key: BarSetKey, *, with_source: bool) -> str:
    title = f"{key.symbol} · {key.timeframe}"
    return f"{title} · {key.source}" if with_source else title
