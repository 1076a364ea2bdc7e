"""Every act of the window, declared once: name, words, shortcut, icon. Menus, toolbar and command palette are made from these."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QWidget

from ui.style import icon
from ui.theme import Theme


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """`name` without the leading `action-`; `group` is the menu it stands in; `tip` says what it does, a sentence."""

    name: str
    text: str
    group: str
    tip: str
    shortcut: str = ""
    icon: str = ""
    choice: str = ""
    """Acts of the same choice exclude each other and show which one holds."""


ACTS: Final = (
    Act(name="new-run", text="New run", group="Run", tip="Choose a strategy, bars and parameters", shortcut="Ctrl+N", icon="new-run"),
    Act(name="start-run", text="Start", group="Run", tip="Start the selected run", shortcut="F5", icon="start"),
    Act(name="stop-run", text="Stop", group="Run", tip="Stop the selected run", shortcut="Shift+F5", icon="stop"),
    Act(name="run-again", text="Run again", group="Run", tip="Start a new run with the same settings", shortcut="Ctrl+R", icon="again"),
    Act(name="verify-run", text="Verify", group="Run", tip="Run the selected run again and compare it bit for bit"),
    Act(name="export-report", text="Export report", group="Run", tip="Write the report that is shown as one page"),
    Act(name="export-report-files", text="Export report as files", group="Run", tip="Write page, CSV and JSON files into a folder"),
    Act(name="delete-run", text="Delete run", group="Run", tip="Remove the selected run with its orders, fills and result", icon="delete"),
    Act(name="resume-run", text="Resume run", group="Run", tip="Go on with an interrupted paper or live run, its orders reconciled first"),
    Act(name="close-run", text="Close run", group="Run", tip="End an interrupted paper or live run and cancel its orders"),
    Act(
        name="close-run-flatten",
        text="Close run and flatten",
        group="Run",
        tip="End it, cancel its orders, close its positions",
    ),
    Act(name="offer-run", text="Offer run to a desk", group="Run", tip="Let another desk take over the selected paper or live run"),
    Act(name="take-over-run", text="Take over run", group="Run", tip="Take the selected run from a desk that is gone or has offered it"),
    Act(
        name="kill-switch",
        text="HALT",
        group="Run",
        tip="Stop every run here; where any trades, at whichever desk, cancel all orders and let nothing new leave",
        shortcut="Ctrl+Shift+H",
        icon="halt",
    ),
    *(
        Act(name=f"switch-{name}", text=text, group="Halt", tip=tip)
        for name, text, tip in (
            ("reduce-only", "Kill switch of all: reduce only", "Let only what takes off a position leave, of every run and account"),
            ("halt", "Kill switch of all: halt", "Let nothing new leave; working orders stay"),
            ("cancel-all", "Kill switch of all: cancel all", "Let nothing new leave and cancel every working order"),
            ("flatten", "Kill switch of all: flatten", "Cancel every working order and close every position at market"),
            ("off", "Kill switch of all: off", "Take the kill switch back: orders may leave again"),
            ("run-reduce-only", "Kill switch of this run: reduce only", "Let only what takes off a position leave, of the selected run"),
            ("run-halt", "Kill switch of this run: halt", "Let nothing new of the selected run leave; its working orders stay"),
            ("run-cancel-all", "Kill switch of this run: cancel all", "Let nothing new of the selected run leave and cancel its orders"),
            ("run-flatten", "Kill switch of this run: flatten", "Cancel the selected run's orders and close its positions at market"),
            ("run-off", "Kill switch of this run: off", "Take the selected run's own switch back"),
        )
    ),
    Act(name="order-ticket", text="Order ticket", group="Trade", tip="Go to the order ticket", shortcut="F9"),
    Act(name="connect-account", text="Connect", group="Trade", tip="Connect the account that is chosen in the panel Account"),
    Act(name="disconnect-account", text="Disconnect", group="Trade", tip="Let the account go; its orders work on"),
    Act(name="account-keys", text="Keys", group="Trade", tip="Store the keys of an account in the system's keyring"),
    Act(name="reconcile", text="Reconcile", group="Trade", tip="Compare our books with the broker's, now"),
    Act(
        name="accept-difference",
        text="Accept difference",
        group="Trade",
        tip="Take what differs and nothing heals, as a split does, as the broker has it, for a reason that is kept",
    ),
    Act(name="change-order", text="Change order", group="Trade", tip="Give the selected working order another quantity or price"),
    Act(name="cancel-order", text="Cancel order", group="Trade", tip="Cancel the selected working orders"),
    Act(name="cancel-all", text="Cancel all orders", group="Trade", tip="Cancel every working order of ours", shortcut="Ctrl+Shift+X"),
    Act(name="close-position", text="Close position", group="Trade", tip="Close the selected position at market"),
    Act(name="protect-position", text="Exits", group="Trade", tip="Give the selected position a target, a stop loss, or both"),
    Act(name="reverse-position", text="Reverse position", group="Trade", tip="Turn the selected position around at market"),
    Act(name="import-data", text="Import data", group="Data", tip="Read a price file", shortcut="Ctrl+I", icon="import"),
    Act(name="download-data", text="Download data", group="Data", tip="Fetch bars from a broker"),
    Act(name="corporate-actions", text="Splits and dividends", group="Data", tip="Import, list and delete splits and dividends"),
    Act(name="open-demo", text="Open the demo", group="Data", tip="Make the simulated market and run a strategy on it", icon="demo"),
    Act(name="command-palette", text="Commands", group="View", tip="Find any command by name", shortcut="Ctrl+K", icon="commands"),
    Act(
        name="reset-layout", text="Reset layout", group="View", tip="Put panels and columns back to where they were at first", icon="layout"
    ),
    Act(name="next-panel", text="Next panel", group="View", tip="Move the focus to the next panel", shortcut="F6"),
    Act(name="previous-panel", text="Previous panel", group="View", tip="Move the focus to the panel before", shortcut="Shift+F6"),
    Act(name="theme-system", text="Theme of the desktop", group="View", tip="Follow the desktop's colours", choice="theme"),
    Act(name="theme-dark", text="Dark theme", group="View", tip="Use the dark colours", choice="theme"),
    Act(name="theme-light", text="Light theme", group="View", tip="Use the light colours", choice="theme"),
    Act(
        name="settings", text="Settings", group="Program", tip="Change how the program looks and works", shortcut="Ctrl+,", icon="settings"
    ),
    Act(name="about", text="About", group="Program", tip="Version, parts and where the data is kept"),
    Act(name="quit", text="Quit", group="Program", tip="Stop all runs and close", shortcut="Ctrl+Q"),
)

TOOLBAR: Final = ("new-run", "start-run", "stop-run", "", "import-data", "", "account", "", "command-palette")
"""What stands on the toolbar, left to right; empty is a separator, `account` the choice of accounts."""


class Actions(QObject):
    """The window's QActions by name. `bind` says what one does; an act nobody bound cannot be used."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self._icons: dict[str, str] = {}
        self._groups: dict[str, QActionGroup] = {}
        self._by_name: dict[str, QAction] = {}
        self._menus: dict[str, list[QAction]] = {}
        self._tips = {act.name: act.tip for act in ACTS}
        for act in ACTS:
            self._add(act)
        self.set_theme(theme)

    def _add(self, act: Act) -> None:
        action = QAction(act.text, self._window)
        action.setObjectName(f"action-{act.name}")
        if act.shortcut:
            action.setShortcut(QKeySequence(act.shortcut))
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        _set_tip(action, act.tip)
        action.setIconVisibleInMenu(False)
        if act.choice:
            action.setCheckable(True)
            self._groups.setdefault(act.choice, QActionGroup(self)).addAction(action)
        if act.icon:
            self._icons[act.name] = act.icon
        action.setEnabled(False)
        self._window.addAction(action)
        self._by_name[act.name] = action
        self._menus.setdefault(act.group, []).append(action)

    def __getitem__(self, name: str) -> QAction:
        return self._by_name[name]

    def bind(self, name: str, do: Callable[[], object], *, enabled: bool = True) -> None:
        """Say what an act does."""
        action = self._by_name[name]
        action.triggered.connect(lambda _checked=False: do())
        action.setEnabled(enabled)

    def offer(self, name: str, *, enabled: bool, why_not: str = "") -> None:
        """Enable or disable an act; `why_not` is a sentence in place of its tip while it cannot be used."""
        action = self._by_name[name]
        action.setEnabled(enabled)
        _set_tip(action, why_not or self._tips[name])

    def add(self, group: str, actions: Iterable[QAction]) -> None:
        """Take actions made elsewhere (showing a panel) into a group."""
        self._menus.setdefault(group, []).extend(actions)

    def menus(self) -> dict[str, list[QAction]]:
        """Return the actions by group, in the order of the menus."""
        return self._menus

    def all(self) -> list[QAction]:
        """Return every action, for the command palette."""
        return [action for actions in self._menus.values() for action in actions]

    def set_theme(self, theme: Theme) -> None:
        """Draw the icons in the theme's colours."""
        for name, icon_name in self._icons.items():
            self._by_name[name].setIcon(icon(icon_name, theme, "danger" if name == "kill-switch" else "muted"))


def _set_tip(action: QAction, tip: str) -> None:
    keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
    action.setToolTip(f"{tip} ({keys})" if keys else tip)
    action.setStatusTip(tip)
