"""A dock with two tables of one noun: those of the run that is looked at, and those of the account that is connected."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QStackedLayout, QToolButton, QVBoxLayout, QWidget

from ui.models.look import Look
from ui.panels.table_panel import TablePanel


class TwoSided(QWidget):
    """While no account is connected it is the run's table and nothing else. `acts` stand over the account's table."""

    def __init__(
        self,
        of_run: TablePanel,
        of_account: TablePanel,
        acts: Sequence[QAction],
        look: Look,
        parent: QWidget,
        *,
        side: tuple[str, str] = ("Account", "Those of the account that is connected"),
    ) -> None:
        """`side`: the name of the account's side, and what is there."""
        super().__init__(parent)
        name = of_run.name
        self.setObjectName(f"panel-{name}-two-sided")
        self.setProperty("panel", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.of_run, self.of_account = of_run, of_account
        step = look.sizes.step
        self._bar = QWidget(self)
        line = QHBoxLayout(self._bar)
        line.setContentsMargins(step, step // 2, step, 0)
        line.setSpacing(step)
        group = QButtonGroup(self)
        self.run_button = self._button(f"button-{name}-of-run", "Run", "Those of the selected run")
        self.account_button = self._button(f"button-{name}-of-account", *side)
        for button in (self.run_button, self.account_button):
            button.setCheckable(True)
            group.addButton(button)
            line.addWidget(button)
        self.run_button.setChecked(True)
        line.addStretch(1)
        self._acts: list[QToolButton] = []
        for action in acts:
            button = self._button(f"button-{action.objectName()}", action.text(), "")
            button.setDefaultAction(action)
            line.addWidget(button)
            self._acts.append(button)
        self._stack = QStackedLayout()
        self._stack.addWidget(of_run)
        self._stack.addWidget(of_account)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(self._bar)
        outer.addLayout(self._stack, 1)
        group.buttonToggled.connect(lambda _button, _on: self._turn())
        self.show_account(connected=False)

    def _button(self, name: str, text: str, tip: str) -> QToolButton:
        button = QToolButton(self._bar)
        button.setObjectName(name)
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def show_account(self, *, connected: bool, turns: bool = True) -> None:
        """Offer the account's side when one is connected, with `turns` turn to it, and back when it is let go."""
        self.is_connected = connected
        self._bar.setVisible(connected)
        (self.account_button if connected and turns else self.run_button).setChecked(True)
        self._turn()

    @property
    def is_of_account(self) -> bool:
        """Whether the account's side is in front."""
        return self.account_button.isChecked()

    def _turn(self) -> None:
        front = self.of_account if self.is_of_account else self.of_run
        self._stack.setCurrentWidget(front)
        self.first_focus = front
        for button in self._acts:
            button.setVisible(self.is_of_account)
