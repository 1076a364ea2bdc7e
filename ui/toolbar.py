"""The toolbar: the few acts a hand needs all day, the account, how fresh everything is, and HALT at the right."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QLabel, QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from core.model.run import RunMode
from core.views.pulse import NO_FEED, Pulse
from core.views.stake import Stake
from core.views.words import Level
from ui.actions import TOOLBAR, Actions
from ui.style import repolish
from ui.switch_commands import LEVELS, act_name
from ui.theme import Sizes, Theme

_SHRINKING = ("start-run", "stop-run", "import-data", "command-palette")
_DOTS = {Level.GOOD: "up", Level.WARNING: "warning", Level.ERROR: "danger", None: "faint"}


class MainToolBar(QToolBar):
    """Made from `Actions`; each button is named after its action."""

    def __init__(self, actions: Actions, theme: Theme, sizes: Sizes, parent: QWidget) -> None:
        super().__init__("Toolbar", parent)
        self.setObjectName("toolbar-main")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._actions, self._theme = actions, theme
        self.menu = QMenu(self)
        self.menu.setObjectName("menu-main")
        self.menu.aboutToShow.connect(self._fill_menu)
        self.menu_button = self._menu_button("button-menu", "Menu", "☰", "All commands (F10)", self.menu)
        self.menu_button.setShortcut(QKeySequence(Qt.Key.Key_F10))
        self.addWidget(self.menu_button)
        self.account_menu = QMenu(self)
        self.account_menu.setObjectName("menu-account")
        self.account = self._menu_button("button-account", "Account", "Account ▾", "", self.account_menu)
        for name in TOOLBAR:
            if name == "account":
                self.addWidget(self.account)
            elif name:
                self._add(actions[name])
            else:
                self.addSeparator()
        spring = QWidget(self)
        spring.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(spring)
        self.feed, self.database = self._pulse("label-feed", "Feed"), self._pulse("label-db", "Database state")
        self._feed_pulse = NO_FEED
        self._stake: tuple[Stake, str] | None = None
        self._database_pulse = Pulse(level=None, words="", sentence="")
        self._make_halt()
        self.set_sizes(sizes)
        self.show_stake(Stake())
        self.set_theme(theme)

    def _make_halt(self) -> None:
        self.halt_menu = QMenu(self)
        self.halt_menu.setObjectName("menu-halt")
        for of_run in (False, True):
            self.halt_menu.addActions([self._actions[act_name(level, of_run=of_run)] for level in LEVELS])
            if not of_run:
                self.halt_menu.addSeparator()
        self.switch_state = self._menu_button("button-switch-state", "Kill switch state", "", "", self.halt_menu)
        self.switch_place = self.addWidget(self.switch_state)
        self.switch_place.setVisible(False)
        self._add(self._actions["kill-switch"])
        levels = self._menu_button("button-halt-levels", "Levels of the kill switch", "▾", "Halt by level", self.halt_menu)
        self.addWidget(levels)

    def set_sizes(self, sizes: Sizes) -> None:
        """Take over the size of icons."""
        self.setIconSize(QSize(sizes.icon, sizes.icon))

    def set_theme(self, theme: Theme) -> None:
        """Draw the dots in the theme's colours."""
        self._theme = theme
        self._show(self.feed, "feed", self._feed_pulse)
        self._show(self.database, "db", self._database_pulse)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit(event.size().width())
        super().resizeEvent(event)

    def _fit(self, width: int) -> None:
        """In a narrow window some acts show their icon alone: HALT must never slip behind the edge."""
        for style in (Qt.ToolButtonStyle.ToolButtonTextBesideIcon, Qt.ToolButtonStyle.ToolButtonIconOnly):
            for name in _SHRINKING:
                button = self.widgetForAction(self._actions[name])
                if isinstance(button, QToolButton) and button.toolButtonStyle() is not style:
                    button.setToolButtonStyle(style)
            if self.sizeHint().width() <= width:
                return

    # --- what is told ---

    def show_stake(self, stake: Stake, title: str = "") -> None:
        """Say which account is connected and in which mode; `title` is what a person calls it, empty for none."""
        if (stake, title) == self._stake:
            return  # to lay it out again takes as long as a frame or two
        self._stake = (stake, title)
        is_trading = stake.mode is not RunMode.BACKTEST
        self.account.setText(" ".join((title or "Account", "▾", *((stake.mode.value.upper(),) if is_trading else ()))))
        self.account.setToolTip(stake.words or "Connect an account at a broker, or the simulated market")
        self.account.setProperty("mode", stake.mode.value)
        repolish(self.account)
        self._fit(self.width())

    def show_feed(self, pulse: Pulse) -> None:
        """Say how fresh the feed of the account is."""
        if pulse != self._feed_pulse:
            self._feed_pulse = pulse
            self._show(self.feed, "feed", pulse)

    def show_database(self, pulse: Pulse) -> None:
        """Say whether the database answers."""
        if pulse != self._database_pulse:
            self._database_pulse = pulse
            self._show(self.database, "db", pulse)

    def show_switch(self, words: str, sentences: str) -> None:
        """Say what of the kill switch is thrown; empty words: nothing is."""
        self.switch_state.setText(words)
        self.switch_state.setToolTip(sentences)
        self.switch_state.setAccessibleDescription(sentences)
        self.switch_place.setVisible(bool(words))
        self._fit(self.width())

    def _show(self, label: QLabel, what: str, pulse: Pulse) -> None:
        dot = self._theme.colour(_DOTS[pulse.level]).name()
        label.setText(f'{what} <span style="color: {dot}">●</span> {pulse.words}'.rstrip())
        label.setToolTip(pulse.sentence)
        label.setAccessibleDescription(pulse.sentence)

    # --- parts ---

    def _pulse(self, name: str, title: str) -> QLabel:
        label = QLabel(self)
        label.setObjectName(name)
        label.setAccessibleName(title)
        label.setTextFormat(Qt.TextFormat.RichText)
        label.setProperty("role", "pulse")
        self.addWidget(label)
        return label

    def _menu_button(self, name: str, title: str, text: str, tip: str, menu: QMenu) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(name)
        button.setAccessibleName(title)
        button.setText(text)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setMenu(menu)
        return button

    def _add(self, action: QAction) -> None:
        self.addAction(action)
        button = self.widgetForAction(action)
        button.setObjectName(f"button-{action.objectName()}")
        button.setAccessibleName(action.text())
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _fill_menu(self) -> None:
        if not self.menu.isEmpty():
            return
        for group, actions in self._actions.menus().items():
            part = self.menu.addMenu(group)
            part.setObjectName(f"menu-{group.lower()}")
            part.addActions(actions)
