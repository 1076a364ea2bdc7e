"""What the window's acts on runs and data do: each reads what is selected and makes one call to the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from core.model.broker import AccountName
from core.model.money import plain
from core.model.order import Fill, Order
from core.model.position import Trade
from core.model.run import RunMode, RunStatus
from core.views.runs import RunRow
from core.views.verdict import verdict
from core.views.words import Level, request_words
from ui.format import percent

if TYPE_CHECKING:
    from core.engine import Engine
    from core.events.envelope import Envelope
    from core.model.result import Progress
    from core.model.run import Run
    from core.views.desk import DeskViews
    from ui.actions import Actions
    from ui.bridge import EventBridge
    from ui.dialogs.desk import Dialogs
    from ui.services import Services
    from ui.tasks import TaskScope


class RunCommands(QObject):
    """Binds the acts. Says what it did by `said`; asks to look at a run by `run_wanted`."""

    said = Signal(str, str)
    """A sentence, and its level: info or warning."""
    run_wanted = Signal(str)
    progressed = Signal(str)
    """What a long job is doing, in words; empty when it is over."""

    def __init__(
        self,
        *,
        engine: Engine,
        views: DeskViews,
        bridge: EventBridge,
        acts: Actions,
        dialogs: Dialogs,
        services: Services,
        tasks: TaskScope,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._engine, self._views, self._bridge = engine, views, bridge
        self._acts, self._dialogs, self._services, self._tasks = acts, dialogs, services, tasks
        acts.bind("new-run", self.new_run)
        acts.bind("start-run", self.start, enabled=False)
        acts.bind("stop-run", self.stop, enabled=False)
        acts.bind("run-again", self.again, enabled=False)
        acts.bind("verify-run", self.verify, enabled=False)
        acts.bind("resume-run", self.resume, enabled=False)
        acts.bind("close-run", lambda: self.ask_close(flatten=False), enabled=False)
        acts.bind("close-run-flatten", lambda: self.ask_close(flatten=True), enabled=False)
        acts.bind("offer-run", self.ask_offer, enabled=False)
        acts.bind("take-over-run", self.ask_take_over, enabled=False)
        acts.bind("delete-run", self.ask_delete, enabled=False)
        acts.bind("kill-switch", self.halt)
        acts.bind("import-data", self.import_data)
        acts.bind("download-data", self.download_data)
        acts.bind("corporate-actions", self.corporate_actions)
        acts.bind("open-demo", self.open_demo)

    def offer(self) -> None:
        """Enable what the selected run allows."""
        row = self._selected()
        status = row.run.status if row is not None else None
        why_not = self._why_not(row)
        self._acts.offer("start-run", enabled=status is RunStatus.PENDING, why_not=why_not)
        self._acts.offer("stop-run", enabled=status is RunStatus.RUNNING and not why_not, why_not=why_not)
        self._acts["run-again"].setEnabled(status is not None and status.is_final)
        self._acts["verify-run"].setEnabled(status is not None and status.is_final and row is not None and row.run.manifest is not None)
        is_left = status is RunStatus.INTERRUPTED and row is not None and row.mode is not None
        for name in ("resume-run", "close-run", "close-run-flatten"):
            self._acts.offer(name, enabled=is_left, why_not="" if is_left else "Select an interrupted paper or live run.")
        is_trading = status is RunStatus.RUNNING and row is not None and row.mode is not None
        is_elsewhere = row is not None and bool(row.desk) and bool(why_not)
        why = "" if is_trading and not why_not else "Select a paper or live run that goes on at this desk."
        self._acts.offer("offer-run", enabled=is_trading and not why_not, why_not=why)
        why = "" if is_elsewhere else "Select a run that goes on at another desk."
        self._acts.offer("take-over-run", enabled=is_elsewhere, why_not=why)
        self._acts.offer("delete-run", enabled=status is not None and status is not RunStatus.RUNNING, why_not=why_not)

    def _why_not(self, row: RunRow | None) -> str:
        """Return why this desk cannot touch a run that goes on, a sentence; empty when it goes on at this desk, or does not."""
        if row is None or row.run.status is not RunStatus.RUNNING or not row.desk:
            return ""
        return f"This run goes on at the desk {row.desk}; stop it there."

    def _selected(self) -> RunRow | None:
        return self._views.runs.get(self._views.selected) if self._views.selected else None

    # --- runs ---

    def new_run(self) -> None:
        """Open the new-run dialog."""
        dialog = self._dialogs.new_run()
        dialog.run_created.connect(self.run_wanted)
        dialog.import_requested.connect(self.import_data)
        dialog.demo_requested.connect(self.open_demo)

    def start(self) -> None:
        """Start the selected run."""
        row = self._selected()
        if row is None:
            return
        if row.run.config.mode is RunMode.LIVE:
            self._tasks.start(self._confirm_start(row.run.id, row.run.config.broker, row.title), what=f"starting {row.title}")
        else:
            self._tasks.start(self._engine.start_run(row.run.id), what=f"starting {row.title}")

    async def _ask_real(self, broker_id: str, what: str, verb: str, then: Callable[[str], object]) -> None:
        """Ask for the name of a live account before a run on it does anything; `then` is called with what was typed."""
        name = await self._engine.account_name(broker_id, AccountName.LIVE)
        self._dialogs.confirm_live(f"{what} {broker_id} {name}?", name, verb, then)

    async def _confirm_start(self, run_id: str, broker_id: str, title: str) -> None:
        """Ask for the name of the account before a run trades real money."""

        def start(typed: str) -> None:
            self._tasks.start(self._engine.start_run(run_id, confirm=typed), what=f"starting {title}")

        await self._ask_real(broker_id, f"Start {title} at", "Start live", start)

    def stop(self) -> None:
        """Stop the selected run, in whichever window or terminal of this desk it goes on."""
        row = self._selected()
        if row is None:
            return
        is_here = self._engine.is_here(row.run)
        stopping = self._engine.stop_run(row.run.id) if is_here else self._stop_elsewhere(row.run.id, row.title)
        self._tasks.start(stopping, what=f"stopping {row.title}")

    async def _stop_elsewhere(self, run_id: str, title: str) -> None:
        self.progressed.emit(f"stopping {title}, in another window or terminal")
        try:
            await self._engine.stop_run(run_id)
        finally:
            self.progressed.emit("")

    def again(self) -> None:
        """Run the selected one again and look at the new one."""
        row = self._selected()
        if row is not None:
            self._tasks.start(self._again(row.run), what=f"running {row.title} again")

    async def _again(self, old: Run) -> None:
        if old.config.mode is RunMode.LIVE:
            run = await self._engine.create_run(old.config)  # it starts when the name of its account was typed
            self.run_wanted.emit(run.id)
            await self._confirm_start(run.id, old.config.broker, RunRow(run=run).title)
            return
        run = await self._engine.run_again(old.id)
        self.run_wanted.emit(run.id)

    def resume(self) -> None:
        """Let the selected interrupted run go on; one of real money only when the name of its account was typed."""
        row = self._selected()
        if row is None:
            return
        run_id, title = row.run.id, row.title

        def resume(typed: str = "") -> None:
            self._tasks.start(self._resume(run_id, title, typed), what=f"resuming {title}")

        if row.run.config.mode is RunMode.LIVE:
            asking = self._ask_real(row.run.config.broker, f"Resume {title} at", "Resume live", resume)
            self._tasks.start(asking, what=f"resuming {title}")
        else:
            resume()

    async def _resume(self, run_id: str, title: str, typed: str) -> None:
        await self._engine.resume_run(run_id, typed)
        self.say(f"{title} goes on with its own positions and cash.")

    def ask_close(self, *, flatten: bool) -> None:
        """Ask, then end the selected interrupted run."""
        row = self._selected()
        if row is None:
            return
        run_id, title = row.run.id, row.title
        positions = "its positions are closed at market" if flatten else "its positions stay at the account"
        self._dialogs.confirm(
            f"Close the run {title}{' and its positions' if flatten else ''}?",
            f"Its orders are reconciled with the broker and cancelled; {positions}. It cannot be resumed afterwards.",
            "Close and flatten" if flatten else "Close run",
            lambda: self._tasks.start(self._close(run_id, title, flatten=flatten), what=f"closing {title}"),
        )

    async def _close(self, run_id: str, title: str, *, flatten: bool) -> None:
        run = await self._engine.close_run(run_id, flatten=flatten)
        self.say(f"{title} is closed. {run.error or ''}".strip())

    def ask_offer(self) -> None:
        """Ask which desk may take the selected run over."""
        row = self._selected()
        if row is not None:
            self._tasks.start(self._ask_offer(row.run.id, row.title), what=f"offering {row.title}")

    async def _ask_offer(self, run_id: str, title: str) -> None:
        desks = [seen for seen in await self._engine.desks() if not seen.is_here]

        def offer(desk_id: str | None) -> None:
            self._tasks.start(self._offer(run_id, title, desk_id), what=f"offering {title}")

        self._dialogs.offer_run(title, desks, offer)

    async def _offer(self, run_id: str, title: str, desk_id: str | None) -> None:
        to = await self._engine.offer_run(run_id, desk_id)
        if to is None:
            self.say(f"{title} stays here: no desk may take it over.")
        else:
            self.say(f"{title} goes on here until the desk {to.words} takes it over.")

    def ask_take_over(self) -> None:
        """Ask, then take the selected run from the desk that has it; of real money only when the name of its account was typed."""
        row = self._selected()
        if row is None:
            return
        run_id, title, desk = row.run.id, row.title, row.desk

        def take(typed: str = "") -> None:
            self._tasks.start(self._take_over(run_id, title, typed), what=f"taking over {title}")

        if row.run.config.mode is RunMode.LIVE:
            what = f"Take over {title} from the desk {desk} at"
            self._tasks.start(self._ask_real(row.run.config.broker, what, "Take over live", take), what=f"taking over {title}")
            return
        self._dialogs.confirm(
            f"Take over the run {title}?",
            f"It ends at the desk {desk}, where that desk has offered it or is gone. Its account is opened here and compared with the "
            "broker; its orders work on. Then it is interrupted: let it go on here, or close it.",
            "Take over",
            take,
        )

    async def _take_over(self, run_id: str, title: str, typed: str) -> None:
        run = await self._engine.take_over_run(run_id, typed)
        self.say(f"{title} is here. {run.error or ''}".strip())

    def verify(self) -> None:
        """Run the selected run again, compare, and say what came of it."""
        row = self._selected()
        if row is not None:
            self._tasks.start(self._verify(row.run.id), what=f"verifying {row.title}", latest="verify")

    async def _verify(self, run_id: str) -> None:
        try:
            found = await self._engine.verify_run(run_id, self._show_progress)
        finally:
            self.progressed.emit("")
        self.say(verdict(found), "info" if found.is_same else "warning")
        if not found.is_same:
            details = "\n".join(item.sentence for item in (*found.causes, *found.differences))
            self._dialogs.error(verdict(found), "Run it again to get a result of what is there now.", details)

    def ask_delete(self) -> None:
        """Ask, then remove the selected run."""
        row = self._selected()
        if row is None:
            return
        consequence = "Its orders, fills, report and events are removed for good. The bars stay."
        run_id, title = row.run.id, row.title

        def delete() -> None:
            self._tasks.start(self._engine.delete_run(run_id), what=f"deleting {title}")

        self._dialogs.confirm(f"Delete the run {title}?", consequence, "Delete run", delete)

    def halt(self) -> None:
        """Stop every run here, throw the switch of all where one trades anywhere, and say how many there were."""
        self._tasks.start(self._halt(), what="stopping every run")

    async def _halt(self) -> None:
        stopped, is_thrown = await self._engine.halt()
        said = f"HALT stopped {_runs(stopped)}." if stopped else "HALT: no run was going on."
        on = [row for row in self._views.runs.rows if row.run.status is RunStatus.RUNNING and not self._engine.is_here(row.run)]
        elsewhere, beside = sum(bool(row.desk) for row in on), sum(not row.desk for row in on)
        if elsewhere:
            said += f" {_runs(elsewhere).capitalize()} elsewhere {_go(elsewhere)} on: stop what runs at another desk there."
        if beside:
            said += f" {_runs(beside).capitalize()} in another window or terminal {_go(beside)} on: select what is to end and press Stop."
        if is_thrown:
            said += " The kill switch is thrown, here and elsewhere: orders are cancelled, and nothing new leaves until it is taken back."
        self.say(said, "warning" if stopped or on or is_thrown else "info")

    # --- why ---

    def why(self, row: Fill | Order | Trade) -> None:
        """Open the dialog that says what led to a fill, an order or a trade of the run that is looked at."""
        self._dialogs.chain(_subject(row), lambda: self._chain(row, self._views.selected or ""))

    async def _chain(self, row: Fill | Order | Trade, run_id: str) -> list[Envelope]:
        if isinstance(row, Fill):
            return await self._engine.chain_of_fill(row.run_id, row.id)
        if isinstance(row, Order):
            return await self._engine.chain_of_order(row.run_id, row.id)
        entry = await self._engine.chain_of_order(run_id, row.entry_order_id)
        both = {event.seq: event for event in (*entry, *await self._engine.chain_of_order(run_id, row.exit_order_id))}
        return [both[seq] for seq in sorted(both)]

    # --- data ---

    def import_data(self, path: str | None = None) -> None:
        """Open the import dialog, on a file if there is one."""
        self._dialogs.import_data(path)

    def download_data(self) -> None:
        """Open the download dialog."""
        self._dialogs.download_data()

    def corporate_actions(self) -> None:
        """Open the dialog of splits and dividends."""
        self._dialogs.corporate_actions()

    def open_demo(self) -> None:
        """Make the simulated market and a run on it, and look at the run."""
        self._acts["open-demo"].setEnabled(False)
        self._tasks.start(self._open_demo(), what="opening the demo")

    async def _open_demo(self) -> None:
        try:
            run = await self._services.make_demo(self._show_progress)
        finally:
            self._acts["open-demo"].setEnabled(True)
            self.progressed.emit("")
        self.run_wanted.emit(run.id)

    def _show_progress(self, progress: Progress) -> None:
        share = f" {percent(progress.done / progress.total, 0)}" if progress.total else ""
        self.progressed.emit(f"{progress.what}{share}")

    # --- words ---

    def say(self, text: str, level: str = "info") -> None:
        """Say what was done, on the screen and in the journal."""
        self._views.activity.say(text, time_ns=self._engine.now_ns(), level=Level(level))
        self._bridge.schedule()
        self.said.emit(text, level)


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def _go(number: int) -> str:
    return "goes" if number == 1 else "go"


def _subject(row: Fill | Order | Trade) -> str:
    """Return what a chain is about, in words."""
    if isinstance(row, Fill):
        done = "bought" if row.side.sign > 0 else "sold"
        return f"Why was {plain(row.qty)} {row.symbol} {done} at {plain(row.price)}?"
    if isinstance(row, Order):
        return f"How did the order to {request_words(row.request)} come to be {row.status.replace('_', ' ')}?"
    return f"Why was {plain(row.qty)} {row.symbol} traded, in at {plain(row.entry_price)} and out at {plain(row.exit_price)}?"
