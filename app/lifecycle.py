"""The life of the window's process: start, one window per database, the demonstration, pictures, and a stop in good order."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QMessageLogContext, Qt, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox

from app.call import Call, signals_call
from app.compose import compose_accounts, compose_engine, compose_store, compose_window
from app.config import MEMORY, SettingsFile
from app.database_answers import copy_to_database, look_at_database, prepare_database
from app.demo import demo_run
from app.garbage import collected_in_this_thread
from app.layout_files import LayoutFiles
from app.logs import FaultReporter, print_bug, start_logging
from app.start import WindowOptions
from app.turns import served_soon
from app.window_loop import WindowLoop
from app.window_report import export_report
from core import ENGINE_VERSION
from core.brokers.credentials import Credentials
from core.clock.realtime import SystemClock
from core.errors import AlreadyOpen, KnownError, NoDisplay, StoreError, StoreReadOnly, UnknownName
from core.settings import Settings
from core.store.location import database_path
from core.values import ParamValue
from ui.docks import TITLES
from ui.services import MemoryLayout, OnProgress, Services

if TYPE_CHECKING:
    from core.brokers.accounts import Accounts
    from core.engine import Engine
    from core.model.broker import AccountName
    from core.model.download import Downloaded, DownloadPlan
    from ui.window import MainWindow

STEP_DEADLINE_S: Final = 10.0
"""How long each part may take to stop before the program ends without it."""

UNSEEN_PLATFORMS: Final = ("offscreen", "minimal")
"""Platforms of Qt on which nobody can press a button."""

_log = logging.getLogger(__name__)


def run_window(call: Call, options: WindowOptions) -> int:
    """Run the window, or take its picture, and return the exit code. Raises KnownError when it cannot be opened."""
    _check_picture(options)
    reporter = FaultReporter(call.paths.logs, SystemClock())
    call.make_directories()
    start_logging(call.paths.logs, verbose=call.verbose)
    reporter.watch_process()
    qInstallMessageHandler(log_qt_message)
    application = make_application()
    lifecycle = Lifecycle(call, options, reporter)
    with (
        collected_in_this_thread(application),
        served_soon(),
        asyncio.Runner(loop_factory=lambda: WindowLoop(application, lifecycle.leave)) as runner,
    ):
        runner.get_loop().set_exception_handler(reporter.on_loop_exception)
        runner.run(lifecycle.run())
        if lifecycle.late:
            # A thread that does not end would keep the process for ever; what is committed is safe.
            logging.shutdown()
            sys.stderr.flush()
            os._exit(1)
    if lifecycle.left:
        raise NoDisplay("The display has gone away, and the window with it.", "What was running was stopped; all that was done is stored.")
    return 0


def _check_picture(options: WindowOptions) -> None:
    """Refuse at once what could only fail after the demonstration has run."""
    if options.panel is not None and options.panel not in TITLES:
        raise UnknownName("panel", options.panel, TITLES)
    if options.screenshot is not None and not os.access(options.screenshot.parent, os.W_OK):
        raise StoreReadOnly(f"{options.screenshot.parent} is no folder that can be written to.", "Choose another place for the picture.")


def log_qt_message(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    """Send what Qt has to say to the log. Without a screen there are no size hints to pass on: that is no warning."""
    # That the server of the display is gone is repeated at every turn until the end; `run_window` says it once.
    known = "propagateSizeHints" in message or "The X11 connection broke" in message
    quiet = kind in {QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg} or known
    logging.getLogger("qt").log(logging.DEBUG if quiet else logging.WARNING, "%s", message)


def make_application() -> QApplication:
    """Return the process's QApplication, the same style on every system."""
    existing = QApplication.instance()
    application = existing if isinstance(existing, QApplication) else QApplication(["weaver"])
    application.setApplicationName("Weaver")
    application.setApplicationVersion(ENGINE_VERSION)
    application.setDesktopFileName("weaver")
    application.setStyle("Fusion")
    # The program ends when its lifecycle is done, not when the last widget is gone.
    application.setQuitOnLastWindowClosed(False)
    return application


class Lifecycle:
    """One window from start to stop. `late` names what did not stop within its deadline; `left` says that Qt gave up first."""

    def __init__(self, call: Call, options: WindowOptions, reporter: FaultReporter) -> None:
        self._call = call
        self._options = options
        self._reporter = reporter
        self._quit = asyncio.Event()
        environment = dict(call.environment)
        if options.theme is not None:
            environment["WEAVER_WINDOW_THEME"] = options.theme  # like the variable: for this start, never stored
        self._file = SettingsFile(call.paths.settings, environment)
        self._settings = self._file.load()
        self.late: list[str] = []
        self.left = False

    def leave(self) -> None:
        """Stop, because Qt shows nothing any more."""
        self.left = True
        self._quit.set()

    async def run(self) -> None:
        """Open everything, wait until it is to stop, and stop it."""
        for warning in self._file.warnings:
            _log.warning("%s", warning)
        store = compose_store(self._url(), self._call.paths, self._settings)
        speed = self._settings.number("sim.speed")
        strategies = self._call.paths.strategies
        engine = compose_engine(store, strategies, self._settings, self._reporter.report, accounts=self._accounts(), speed=speed)
        with signals_call(self._quit.set):
            try:
                await self._open(engine)
                await self._live(engine)
            finally:
                await self._stop("the engine", engine.close())

    def _url(self) -> str:
        """A picture of the demonstration touches no one's data unless it is named; one of a desk that is not there yet makes none."""
        if self._options.screenshot is not None and not self._call.database_given:
            path = database_path(self._call.database_url)
            if self._options.demo or path is None or not path.exists():
                return MEMORY
        return self._call.database_url

    async def _open(self, engine: "Engine") -> None:
        is_picture = self._options.screenshot is not None
        try:
            await engine.open(recover=not is_picture)  # who only looks leaves what a crash cut off as it is
            if not is_picture:
                engine.claim_window()
        except (AlreadyOpen, StoreError) as error:
            if QGuiApplication.platformName() not in UNSEEN_PLATFORMS and not sys.stderr.isatty():
                await tell_in_box(error, self._quit)  # started from the desktop: nobody reads stderr
            raise

    async def _live(self, engine: "Engine") -> None:
        window = compose_window(engine, self._settings, self._services(engine))
        self._reporter.tell_by(lambda sentence: window.errors.said.emit(sentence, "error", ""))
        try:
            if self._options.screenshot is not None:
                await self._take_picture(engine, window)
            else:
                await window.open()
                _fit(window, self._options.size)
                window.show()
                _log.info("The window is open.")
                gc.freeze()  # what the start made stays: a collection that walked over it again would hold up the loop
                if self._options.demo:
                    window.commands.open_demo()
                await self._quit.wait()
        finally:
            self._reporter.tell_by(print_bug)
            self.late += await window.shut_down(STEP_DEADLINE_S)
            window.close_now()
            window.deleteLater()

    async def _take_picture(self, engine: "Engine", window: "MainWindow") -> None:
        assert self._options.screenshot is not None
        run = await demo_run(engine, lambda _: None) if self._options.demo else None
        await window.open()
        if run is not None:
            window.show_run(run.id)
        # Never on the person's screen; without one the platform is offscreen anyway.
        window.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
        window.show()
        await window.grab_to(self._options.screenshot, self._options.size, self._options.panel)

    def _services(self, engine: "Engine") -> Services:
        unkept = self._options.screenshot is not None
        return Services(
            layout=MemoryLayout() if unkept else LayoutFiles(self._call.paths.layout),
            change_setting=self._change_setting,
            request_quit=self._quit.set,
            report_bug=lambda error, doing: print_bug(self._reporter.sentence(error, doing)),  # the window itself tells the person
            make_demo=lambda on_progress: demo_run(engine, on_progress),
            export_report=lambda run_id, path: export_report(engine, run_id, path),
            look_at_database=look_at_database,
            prepare_database=prepare_database,
            copy_to_database=lambda url, on_progress: copy_to_database(engine, url, on_progress),
            fetch_bars=lambda plan, account, on_progress: self._fetch_bars(engine, plan, account, on_progress),
            account_setups=lambda: self._accounts().setups(),
            store_keys=lambda account, key, secret: self._accounts().store_keys(account, Credentials(key, secret)),
            forget_keys=lambda account: self._accounts().forget_keys(account),
            version=ENGINE_VERSION,
            desk_name=self._call.paths.profile or "",
        )

    def _accounts(self) -> "Accounts":
        return compose_accounts(self._call.paths, self._call.environment, self._settings)

    async def _fetch_bars(
        self, engine: "Engine", plan: "DownloadPlan", account: "AccountName", on_progress: OnProgress
    ) -> "list[Downloaded]":
        """Download bars with the keys of the account; the connection is for this download alone."""
        async with self._accounts().open(account) as broker:
            return await engine.download_bars(plan, broker.history, on_progress)

    def _change_setting(self, key: str, value: ParamValue) -> Settings:
        try:
            self._settings = self._file.change(self._settings, key, value)
        except StoreError as error:
            self._settings = self._settings.with_value(key, value)
            _log.warning("The setting holds until the program ends, but it is not stored. %s", error)
        return self._settings

    async def _stop(self, part: str, stopping: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(STEP_DEADLINE_S):
                await stopping
        except TimeoutError:
            self.late.append(part)
        if self.late:
            _log.error("Did not stop within %g s: %s.", STEP_DEADLINE_S, ", ".join(self.late))


def _fit(window: "MainWindow", size: tuple[int, int] | None) -> None:
    """Give the window the size that was asked for; a window larger than the screen would hide its own edges."""
    if size is not None:
        window.resize(*size)
    if not window.isMaximized():
        window.resize(window.size().boundedTo(window.screen().availableSize()))


async def tell_in_box(error: KnownError, quit_: asyncio.Event) -> None:
    """Show the error in a small box and wait until it is closed, or the program is told to end."""
    box = QMessageBox(QMessageBox.Icon.Warning, "Weaver", error.what)
    box.setObjectName("dialog-cannot-open")
    box.setInformativeText(error.todo)
    box.finished.connect(lambda _: quit_.set())
    box.open()
    await quit_.wait()
    box.close()
    box.deleteLater()
