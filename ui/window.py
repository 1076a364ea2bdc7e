"""Haro: the main window. It puts the panels together and passes on what they say; what they do is elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QByteArray, QMimeData, QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication, QShowEvent
from PySide6.QtWidgets import QMainWindow, QWidget

from core.errors import StoreReadOnly, UnknownName
from core.model.run import RunMode
from core.views.desk import DeskViews
from core.views.words import Level
from ui.actions import Actions
from ui.bridge import EventBridge
from ui.chart_feed import ChartFeed
from ui.dialogs.desk import Dialogs
from ui.dialogs.look import role_sheet
from ui.docks import TITLES, Docks
from ui.errors import ErrorDesk
from ui.format import desktop_zone_name, number, zone_of
from ui.mode_frame import ModeFrame
from ui.models.look import Look
from ui.panels.banner import MessageBanner
from ui.panels.chart_panel import ChartPanel
from ui.panels.data import DataPanel
from ui.panels.log_panel import LogPanel
from ui.panels.report import ReportPanel
from ui.panels.tables import make_table_panels
from ui.pulse import Heartbeat
from ui.report_export import ReportExport
from ui.run_commands import RunCommands
from ui.run_loader import RunLoader
from ui.run_view import RunView
from ui.status_line import StatusLine
from ui.style import base_font, palette, style_sheet
from ui.switch_commands import SwitchCommands
from ui.tab_round import after
from ui.tasks import TaskScope
from ui.theme import DARK, LIGHT, Sizes, Theme
from ui.toolbar import MainToolBar
from ui.trading_view import TradingView

if TYPE_CHECKING:
    from core.engine import Engine
    from core.settings import Settings
    from ui.services import Services

FIRST_SIZE: Final = QSize(1600, 1000)
_LAYOUT: Final = "window-layout"
_GEOMETRY: Final = "window-geometry"


def theme_of(settings: Settings) -> Theme:
    """Return the theme that the settings ask for; `system` follows the desktop."""
    choice = settings.text("window.theme")
    if choice == "system":
        choice = "light" if QGuiApplication.styleHints().colorScheme() is Qt.ColorScheme.Light else "dark"
    theme = LIGHT if choice == "light" else DARK
    return theme.for_colour_blind() if settings.flag("window.colour_blind") else theme


class MainWindow(QMainWindow):
    """Made in the running loop, then `await open()`, then shown.

    Closing it asks `services.request_quit` and stays open; the program then awaits `shut_down` and calls `close_now`.
    """

    def __init__(self, engine: Engine, settings: Settings, services: Services, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("main-window")
        self.setAccessibleName("Weaver")
        self.setAcceptDrops(True)
        self.setWindowTitle(f"Weaver – {services.desk_name}" if services.desk_name else "Weaver")
        self.engine, self.settings, self.services = engine, settings, services
        self._may_close = False
        self._laid_out = False
        self.sizes: Sizes = Sizes().scaled(settings.number("window.scale_percent"))
        self.theme: Theme = theme_of(settings)
        self.setFont(base_font(self.sizes))
        self.views = DeskViews(engine.desk.name, is_shared=engine.is_shared)
        self.errors = ErrorDesk(services.report_bug, self)
        self.tasks = TaskScope("window", self.errors.handle)
        self.bridge = EventBridge(engine, self.views, self)
        self.loader = RunLoader(engine, self.views, self.bridge, self)
        self.acts = Actions(self.theme, self)
        self.dialogs = Dialogs(
            engine=engine,
            tasks=self.tasks,
            theme=self.theme,
            sizes=self.sizes,
            settings=settings,
            services=services,
            parent=self,
        )
        self.commands = RunCommands(
            engine=engine,
            views=self.views,
            bridge=self.bridge,
            acts=self.acts,
            dialogs=self.dialogs,
            services=services,
            tasks=self.tasks,
            parent=self,
        )
        self.switches = SwitchCommands(engine=engine, views=self.views, acts=self.acts, dialogs=self.dialogs, tasks=self.tasks, parent=self)
        self.heartbeat = Heartbeat(engine, self.tasks, self)
        self.export = ReportExport(acts=self.acts, services=services, tasks=self.tasks, parent=self)
        self._make_panels()
        self._apply_look()
        self._connect()
        self._restore_layout()

    # --- putting together ---

    def _look(self) -> Look:
        zone = zone_of(local=self.settings.flag("window.local_time"))
        return Look(theme=self.theme, sizes=self.sizes, zone=zone, flash=self.settings.flag("window.flash"))

    def _make_panels(self) -> None:
        look = self._look()
        self.tables = make_table_panels(self.views, look, self.tasks, self.services.layout, self)
        for panel in self.tables.values():
            self.bridge.add_model(panel.model)
        self.chart = ChartPanel(self.theme, self.sizes, self)
        gaps = self.settings.flag("chart.gaps_crypto")
        self.feed = ChartFeed(self.engine, self.views, self.chart, show_gaps_crypto=gaps, parent=self)
        self.report = ReportPanel(look, self)
        self.report.offer_acts((self.acts["export-report"], self.acts["export-report-files"]))
        self.log = LogPanel(look, self)
        confirm = self.dialogs.confirm
        self.data = DataPanel(engine=self.engine, tasks=self.tasks, look=look, memory=self.services.layout, confirm=confirm, parent=self)
        self.trading = TradingView(
            engine=self.engine,
            views=self.views,
            bridge=self.bridge,
            acts=self.acts,
            dialogs=self.dialogs,
            tasks=self.tasks,
            look=look,
            memory=self.services.layout,
            tables=self.tables,
            parent=self,
        )
        panels: dict[str, QWidget] = {**self.tables, "chart": self.chart, "report": self.report, "log": self.log, "data": self.data}
        panels |= self.trading.panels
        self.toolbar = MainToolBar(self.acts, self.theme, self.sizes, self)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.toolbar)
        self.status = StatusLine(self.engine.now_ns, self)
        self.setStatusBar(self.status)
        self.docks = Docks(self, panels, self.sizes)
        self.acts.add("View", [dock.toggleViewAction() for dock in self.docks])
        self.banner = MessageBanner(self.theme, self)
        self.banner.stay_above(self.docks)
        self.frame = ModeFrame(self, self.theme, self.sizes)
        self.resize(FIRST_SIZE)

        self.run_view = RunView(
            engine=self.engine,
            views=self.views,
            bridge=self.bridge,
            loader=self.loader,
            feed=self.feed,
            report=self.report,
            tables=self.tables,
            acts=self.acts,
            tasks=self.tasks,
            parent=self,
        )

    def _connect(self) -> None:
        acts, view = self.acts, self.run_view
        view.said.connect(self.status.say)
        view.failed.connect(lambda text: self.banner.say(text, level="error"))
        view.offered.connect(self.commands.offer)
        view.offered.connect(lambda: self.export.offer(view.loaded))
        self.export.said.connect(lambda text: self._show_message(text, "info", ""))
        self.export.progressed.connect(self._show_progress)
        view.why_asked.connect(self.commands.why)
        view.trade_shown.connect(self.docks["trades"].raise_)
        self.bridge.bars_changed.connect(self.data.refresh)
        self.bridge.switches_changed.connect(self.switches.offer)
        view.offered.connect(self.switches.offer)
        self.switches.changed.connect(self._show_switch)
        self.switches.said.connect(self._say_act)
        self.heartbeat.database_heard.connect(self.toolbar.show_database)
        self._connect_trading()
        self.chart.set_chosen.connect(view.choose_set)
        self.chart.demo_requested.connect(self.commands.open_demo)
        self.chart.import_requested.connect(self.commands.import_data)
        self.chart.account_requested.connect(lambda: self.docks.show(self.docks["account"]))
        self.data.import_requested.connect(self.commands.import_data)
        self.data.download_requested.connect(self.commands.download_data)
        self.data.actions_requested.connect(self.commands.corporate_actions)
        self.data.demo_requested.connect(self.commands.open_demo)
        self.data.set_chosen.connect(view.show_set)
        self.commands.run_wanted.connect(self.show_run)
        self.commands.said.connect(self._say_act)
        self.commands.progressed.connect(self._show_progress)
        self.errors.said.connect(self._show_message)
        acts.bind("settings", self._open_settings)
        acts.bind("command-palette", lambda: self.dialogs.command_palette(acts.all()))
        acts.bind("about", self.dialogs.about)
        acts.bind("quit", self.close)
        acts.bind("reset-layout", self.reset_layout)
        acts.bind("next-panel", lambda: self.docks.focus_next(1))
        acts.bind("previous-panel", lambda: self.docks.focus_next(-1))
        for theme in ("system", "dark", "light"):
            acts.bind(f"theme-{theme}", lambda theme=theme: self._choose_theme(theme))  # type: ignore[misc]
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_colour_scheme)

    def _connect_trading(self) -> None:
        trading = self.trading
        self.tables["runs"].model.rows_published.connect(trading.show_stake)
        trading.stake_changed.connect(self._show_stake)
        trading.marks_changed.connect(self.feed.show_account)
        self.chart.chart.order_moved.connect(trading.commands.move_order)
        trading.stake_changed.connect(lambda: trading.show_on(self.toolbar))
        trading.shown.connect(lambda: trading.show_on(self.toolbar))
        trading.commands.said.connect(self._say_act)
        trading.feed.mended.connect(self.banner.withdraw)
        trading.shown.connect(self._show_today)
        self.docks.sight_changed.connect(trading.note_sight)
        trading.stake_changed.connect(self._show_market)
        self.status.market_turned.connect(self._show_market)
        trading.watchlist.symbol_chosen.connect(self._show_symbol)
        self.bridge.bars_changed.connect(trading.watchlist.refresh)
        self.bridge.switches_changed.connect(trading.feed.ask)
        self.toolbar.account_menu.aboutToShow.connect(lambda: trading.fill_menu(self.toolbar.account_menu, self.acts))
        self.acts.bind("order-ticket", lambda: self.docks.show(self.docks["ticket"]))

    def _show_symbol(self, symbol: str) -> None:
        self.trading.ticket.set_symbol(symbol)
        stored = self.trading.watchlist.newest_set(symbol)
        if stored is not None:
            self.run_view.show_set(stored)

    # --- life ---

    async def open(self) -> None:
        """Subscribe, load what is stored and look at the newest run, or at the newest bars."""
        self.log.listen()
        self.status.set_database(self.engine.where)
        self.status.start()
        self.tables["runs"].table.setFocus(Qt.FocusReason.OtherFocusReason)
        self.bridge.open()
        self.heartbeat.start()
        self.data.refresh()
        await self.loader.load_desk()
        if self.views.runs.rows:
            self.show_run(self.views.runs.rows[-1].run.id)
        else:
            await self.feed.load_newest()
        # Last: the system's keyring is slow to answer, and what imports it would compete with the first picture.
        self.tasks.start(self.trading.load(), what="reading which accounts there are")
        self.tasks.start(self.loader.load_equity(), what="reading the equity of earlier runs")

    async def settled(self) -> None:
        """Wait until nothing is being loaded and everything that was told is on the screen."""
        await self.tasks.settled()
        while self.bridge.backlog:
            self.bridge.flush()
            await self.tasks.settled()
        self.bridge.flush()

    async def shut_down(self, deadline_s: float = 5.0) -> list[str]:
        """Keep the layout, end every task, timer and subscription; return what did not end within the deadline."""
        self.remember_layout()
        QGuiApplication.styleHints().colorSchemeChanged.disconnect(self._on_colour_scheme)
        self.docks.freeze()
        self.bridge.close()
        self.heartbeat.stop()
        self.trading.stop()
        self.status.stop()
        self.log.stop()
        late = await self.tasks.close(deadline_s)
        for timer in self.findChildren(QTimer):
            timer.stop()
        return late

    def close_now(self) -> None:
        """Close, now that everything has ended."""
        self._may_close = True
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._may_close:
            super().closeEvent(event)
            return
        event.ignore()
        self.status.showMessage("Closing …")
        self.services.request_quit()

    def focusNextPrevChild(self, next: bool) -> bool:  # Qt's own name of the parameter
        there = after(self, self.focusWidget(), forward=next)
        if there is None:
            return False
        there.setFocus(Qt.FocusReason.TabFocusReason if next else Qt.FocusReason.BacktabFocusReason)
        return True

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped_file(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _dropped_file(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.commands.import_data(path)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._laid_out:
            self._laid_out = True
            self.docks.resize()

    def show_run(self, run_id: str) -> None:
        """Look at a run: its row is selected, its orders, chart and report are loaded."""
        self.run_view.show_run(run_id)

    # --- messages ---

    def _show_progress(self, text: str) -> None:
        if text:
            self.status.showMessage(text)
        else:
            self.status.clearMessage()

    def _show_message(self, text: str, level: str, details: str) -> None:
        self.views.activity.say(text, time_ns=self.engine.now_ns(), level=Level(level))
        self.bridge.schedule()
        self.banner.say(text, level=level, details=details)

    def _say_act(self, text: str, level: str) -> None:
        if level == "warning":
            self.banner.say(text, level=level)
        else:
            self.status.say(text)

    # --- what is at stake ---

    def _show_stake(self) -> None:
        stake = self.trading.stake
        self.frame.show_mode(stake.mode)
        self.setWindowTitle(" – ".join(part for part in (stake.words, "Weaver", self.services.desk_name) if part))

    def _show_today(self) -> None:
        view = self.trading.feed.view
        if view is None:
            self.status.show_today("", "")
            return
        made = view.money.equity - view.money.last_equity
        colour = self.theme.up if made > 0 else self.theme.down if made < 0 else self.theme.text
        self.status.show_today(number(made, 2, signed=True), colour)

    def _show_market(self) -> None:
        """Say when the exchange opens or closes, while something trades: to know it takes a calendar that not everybody needs."""
        if self.trading.stake.mode is RunMode.BACKTEST:
            self.status.show_market(None)
        elif not self.tasks.is_closed:
            self.tasks.start(self._read_market(), what="reading the exchange's hours", latest="exchange-hours")

    async def _read_market(self) -> None:
        hours = await self.engine.exchange_hours()
        self.status.show_market(None if self.trading.stake.mode is RunMode.BACKTEST else hours)

    def _show_switch(self) -> None:
        titles = {row.run.id: row.title for row in self.views.runs.rows if row.run.id in self.views.switches.levels}
        self.toolbar.show_switch(self.views.switches.words, self.views.switches.sentences(titles))

    # --- look ---

    def _open_settings(self) -> None:
        self.dialogs.settings().settings_changed.connect(self.take_settings)

    def _choose_theme(self, theme: str) -> None:
        settings = self.services.change_setting("window.theme", theme)
        self.dialogs.set_settings(settings)
        self.take_settings(settings)

    def take_settings(self, settings: Settings) -> None:
        """Show the window by these settings; the scale takes effect at the next start."""
        self.settings = settings
        self.theme = theme_of(settings)
        self._apply_look()
        if self.feed.show_gaps_crypto is not settings.flag("chart.gaps_crypto"):
            self.feed.show_gaps_crypto = settings.flag("chart.gaps_crypto")
            self.run_view.reload_chart()

    def _on_colour_scheme(self, _scheme: Qt.ColorScheme) -> None:
        if self.settings.text("window.theme") == "system":
            self.theme = theme_of(self.settings)
            self._apply_look()

    def _apply_look(self) -> None:
        look = self._look()
        self.setPalette(palette(self.theme))
        self.setStyleSheet(style_sheet(self.theme, self.sizes) + role_sheet(self.theme, self.sizes))
        for panel in self.tables.values():
            panel.set_look(look)
        self.chart.set_theme(self.theme, self.sizes)
        self.chart.chart.set_time_zone(desktop_zone_name() if self.settings.flag("window.local_time") else None)
        self.report.set_look(look)
        self.data.set_look(look)
        self.trading.set_look(look)
        self.log.set_look(look)
        self.acts.set_theme(self.theme)
        self.docks.set_theme(self.theme)
        self.banner.set_theme(self.theme)
        self.frame.set_theme(self.theme)
        self.toolbar.set_theme(self.theme)
        self.dialogs.set_theme(self.theme)
        self.acts[f"theme-{self.settings.text('window.theme')}"].setChecked(True)

    # --- layout ---

    def _restore_layout(self) -> None:
        geometry, layout = self.services.layout.load(_GEOMETRY), self.services.layout.load(_LAYOUT)
        if geometry is not None:
            self.restoreGeometry(QByteArray(geometry))
        if layout is not None:
            self._laid_out = self.docks.restore(layout)

    def remember_layout(self) -> None:
        """Keep where everything stands for the next start."""
        self.services.layout.save(_GEOMETRY, bytes(self.saveGeometry().data()))
        self.services.layout.save(_LAYOUT, self.docks.state())
        for panel in self.tables.values():
            panel.remember()
        self.data.remember()
        self.trading.remember()

    def reset_layout(self) -> None:
        """Put panels and columns back to where they were at first."""
        self.services.layout.forget(_LAYOUT)
        for panel in self.tables.values():
            panel.forget()
        self.data.forget()
        self.trading.forget()
        self.docks.arrange()

    # --- pictures ---

    async def grab_to(self, path: Path, size: tuple[int, int] | None = None, panel: str | None = None) -> None:
        """Write a picture of the window, or of one dock by its name, as PNG, once nothing is being loaded.

        Raises UnknownName for a panel that is not there, and StoreReadOnly when the file cannot be written.
        """
        if panel is not None and panel not in TITLES:
            raise UnknownName("panel", panel, TITLES)
        if size is not None:
            self.resize(*size)
            self.docks.resize()
        target: QWidget = self
        if panel is not None:
            self.docks.show(self.docks[panel])
            target = self.docks[panel]
        await self.settled()
        self.status.start()  # what it took to open is no measure of the loop
        await _turns(3)
        for widget in (target, *target.findChildren(QWidget)):
            widget.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)  # a picture has no pointer in it
        # From its window: a dock alone is drawn on the ground of the desktop, not on that of the theme.
        window = target.window()
        if not window.grab(QRect(target.mapTo(window, QPoint()), target.size())).save(str(path), "PNG"):
            raise StoreReadOnly(f"The picture {path} cannot be written.", "Choose a folder that exists and that you may write to.")


def _dropped_file(dropped: QMimeData) -> str | None:
    """Return the path when exactly one file of this machine is dropped."""
    urls = dropped.urls()
    return urls[0].toLocalFile() if len(urls) == 1 and urls[0].isLocalFile() else None


async def _turns(count: int) -> None:
    """Let the loop turn, so that delayed layouts and models have settled before a picture is taken."""
    for _ in range(count):
        await asyncio.sleep(0.02)
