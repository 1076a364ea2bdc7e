"""The chart's context menu."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

if TYPE_CHECKING:
    from ui.charts.widget import ChartWidget


class ChartMenu(QMenu):
    """What a chart offers at a right click; opened without waiting for it."""

    def __init__(self, chart: "ChartWidget") -> None:
        super().__init__(chart)
        self._chart = chart
        self.setObjectName("chart-menu")
        self.setAccessibleName("Chart menu")
        self._fit = self._add("Fit all bars", "chart-fit")
        self._fit.triggered.connect(chart.fit)
        self._latest = self._add("Show newest bars", "chart-latest")
        self._latest.triggered.connect(chart.show_latest)
        self.addSeparator()
        self._log = self._add("Logarithmic prices", "chart-log-scale")
        self._log.setCheckable(True)
        self._log.toggled.connect(chart.set_log_scale)
        chart.log_scale_changed.connect(self._log.setChecked)
        self.addSeparator()
        self._copy = self._add("Copy picture", "chart-copy-picture")
        self._copy.triggered.connect(chart.copy_picture)

    def _add(self, text: str, name: str) -> QAction:
        action = self.addAction(text)
        action.setObjectName(name)
        return action

    def open_at(self, place: QPoint) -> None:
        """Show the menu at a place of the screen."""
        for action in (self._fit, self._latest, self._log, self._copy):
            action.setEnabled(not self._chart.scene.is_empty())
        self.popup(place)
