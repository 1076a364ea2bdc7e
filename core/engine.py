"""GLaDOS: the one door to the engine. The window and the command line call this and nothing else of core.

Commands are async methods with domain types; what changed comes back as events.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from core.clock import calendar
from core.data.desk import DataDesk
from core.events.envelope import Envelope, envelope
from core.events.live_payloads import SwitchThrown
from core.model.broker import Account, AccountName, Print
from core.model.care import Archive, ChainReport, CheckReport, Transfer, Vacuum
from core.model.corporate_action import ActionImport, CorporateAction
from core.model.desk import Desk, DeskSeen
from core.model.download import Downloaded, DownloadPlan
from core.model.hand import AccountView, ExitsPreview, HandExits, HandOrder, OrderPreview, OrderTerms, TradingAccount
from core.model.market import AssetClass, BarSeries, BarSet, BarSetKey, Floats, Gap, Instants
from core.model.order import Fill, Order
from core.model.parity import Parity
from core.model.plugin import StrategyInfo
from core.model.price_file import FileFormat, FileGuess, ImportPlan, ImportReport, OnBad
from core.model.reconciliation import Reconciliation
from core.model.report import Report
from core.model.result import Progress, RunResult
from core.model.retention import EventClass
from core.model.risk import SwitchLevel
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.model.verification import RunComparison, Verification
from core.ports import BarHistory, Callback, Clock, OnProgress, Store, StrategySource
from core.ports import Subscription as Subscription
from core.runs.chain import chain_of, chain_of_fill, chain_of_order
from core.runs.checking import check_store
from core.runs.comparing import compare_runs
from core.runs.equity_marks import EquityMarks
from core.runs.equity_so_far import equity_so_far
from core.runs.history import RunHistories
from core.runs.manager import RunManager
from core.runs.parity import parity_of
from core.runs.reporting import report_of
from core.runs.verify import verify_run
from core.trading.history import read_switches
from core.views.run_at import RunView


class Engine:
    """The engine as a whole. `open` before anything else, `close` at the end; both are safe to repeat."""

    def __init__(
        self, *, clock: Clock, store: Store, strategies: StrategySource, runs: RunManager, data: DataDesk, histories: RunHistories
    ) -> None:
        self._clock = clock
        self._store = store
        self._strategies = strategies
        self._runs = runs
        self._data = data
        self._histories = histories
        self._recovers = True

    async def open(self, *, recover: bool = True) -> None:
        """Connect, migrate, and with `recover` mark runs that an earlier crash interrupted. Raises StoreError.

        Without `recover` they stay as they are stored, and are shown as interrupted all the same.
        """
        await self._store.open()
        self._recovers = recover
        if recover:
            await self._runs.recover()

    def claim_window(self) -> None:
        """Become the one window of this database until it is closed. Raises AlreadyOpen. Call it after `open`."""
        self._store.claim_window()

    async def close(self) -> None:
        """Stop every run, finish writing, and let go of everything."""
        await self._runs.close()
        await self._store.close()

    @property
    def where(self) -> str:
        """Where the data is kept, in words for a person."""
        return self._store.where

    @property
    def desk(self) -> Desk:
        """The workstation that this is."""
        return self._store.desk

    @property
    def is_shared(self) -> bool:
        """Whether other machines may have the data open too."""
        return self._store.is_shared

    async def facts(self) -> Sequence[tuple[str, str]]:
        """Return what there is to know about where the data is kept, for a person: pairs of a name and a sentence."""
        return await self._store.facts()

    async def desks(self) -> Sequence[DeskSeen]:
        """Return the desks that share the data, by name, this one among them."""
        return await self._store.leases.desks()

    def now_ns(self) -> int:
        """The present instant, UTC ns."""
        return self._clock.now_ns()

    def market_now_ns(self, broker_id: str) -> int:
        """The present instant at a broker's market: real time, but at a simulated one. Raises UnknownName."""
        return self._runs.market_now_ns(broker_id)

    def market_speed(self, broker_id: str) -> float:
        """How many times as fast as real time a broker's market goes. Raises UnknownName."""
        return self._runs.market_speed(broker_id)

    async def exchange_hours(self) -> tuple[bool, int]:
        """Return whether New York's regular session goes on now, and when that changes next, UTC ns."""
        await calendar.load(AssetClass.EQUITY)
        return calendar.session_now(self.now_ns())

    # --- events ---

    def subscribe(self, pattern: str, callback: Callback, *, owner: str, run_id: str | None = None) -> Subscription:
        """Call `callback` in the loop's thread for each later event whose type fits `pattern`."""
        return self._store.log.subscribe(pattern, callback, owner=owner, run_id=run_id)

    async def events(self, *, after_seq: int = 0, run_id: str | None = None, pattern: str = "*", limit: int = 1_000) -> list[Envelope]:
        """Return stored events after `after_seq`, oldest first."""
        return await self._store.log.read(after_seq=after_seq, run_id=run_id, pattern=pattern, limit=limit)

    async def events_back(
        self, *, before_seq: int | None = None, run_id: str | None = None, pattern: str = "*", limit: int = 1_000
    ) -> list[Envelope]:
        """Return the newest stored events before `before_seq`, or of all, oldest first."""
        return await self._store.log.read_back(before_seq=before_seq, run_id=run_id, pattern=pattern, limit=limit)

    async def chain(self, seq: int) -> list[Envelope]:
        """Return what led to a stored event, oldest first, itself last. Raises InputError."""
        return await chain_of(seq, self._store.log)

    async def chain_of_fill(self, run_id: str, fill_id: str) -> list[Envelope]:
        """Return what led to a fill of a run, from its decision on. Raises UnknownName."""
        return await chain_of_fill(run_id, fill_id, self._store.log)

    async def chain_of_order(self, run_id: str, order_id: str) -> list[Envelope]:
        """Return what led to where an order stands. Raises UnknownName."""
        return await chain_of_order(run_id, order_id, self._store.log)

    # --- care ---

    async def check(self, on_progress: OnProgress) -> CheckReport:
        """Look at everything that is stored and return what is not as it must be. Changes nothing."""
        return await check_store(self._store, on_progress)

    async def verify_chain(self, run_id: str, on_progress: OnProgress) -> ChainReport:
        """Compare a run's events with the chain of their hashes. Raises UnknownName."""
        return await self._store.care.verify_chain((await self._runs.get(run_id)).id, on_progress)

    async def export_everything(self, path: Path, on_progress: OnProgress) -> Transfer:
        """Write everything to one portable file, all of it or nothing. Cancelling the caller's task cancels it."""
        return await self._store.care.export_to(path, on_progress)

    async def import_everything(self, path: Path, on_progress: OnProgress) -> Transfer:
        """Read everything from such a file into a store that holds nothing. Cancelling the caller's task cancels it."""
        return await self._store.care.import_from(path, on_progress)

    async def archive(self, kind: EventClass, age_ns: int, folder: Path, on_progress: OnProgress) -> Archive | None:
        """Move events of a class that are older than `age_ns` to a file in `folder`, and return it; None when there are none."""
        await EquityMarks(self._store.log, self._store.runs).catch_up()  # what the table does not have yet must not leave the log
        return await self._store.care.archive(kind, self._clock.now_ns() - age_ns, folder, on_progress)

    async def restore_archive(self, path: Path, on_progress: OnProgress) -> Archive:
        """Put archived events back into the log, all of them or nothing. Raises UnreadableFile, InputError, StoreError."""
        return await self._store.care.restore_archive(path, on_progress)

    async def archives(self) -> list[Archive]:
        """Return the files that events were moved to, oldest first."""
        return await self._store.care.archives()

    async def vacuum(self) -> Vacuum:
        """Give unused space of the database back."""
        return await self._store.care.vacuum()

    # --- strategies ---

    def strategies(self) -> Mapping[str, StrategyInfo]:
        """Return every plug-in on disk by id, broken ones too; the files are read anew, none is imported."""
        return self._strategies.find_all()

    # --- data ---

    async def bar_sets(self) -> list[BarSet]:
        """Return what bars are stored."""
        return await self._store.bars.sets()

    async def bars(self, key: BarSetKey, start_ns: int | None = None, end_ns: int | None = None) -> BarSeries:
        """Return stored bars that start in `[start_ns, end_ns)`."""
        return await self._store.bars.read(key, start_ns, end_ns)

    async def gaps(self, key: BarSetKey) -> list[Gap]:
        """Return the holes of a set against its calendar."""
        return await self._data.gaps(key)

    async def inspect_file(self, path: Path, file_format: FileFormat | None = None, symbol: str | None = None) -> FileGuess:
        """Return what a price file looks like; with `file_format`, as that format reads it. Raises UnreadableFile."""
        return await self._data.inspect(path, file_format, symbol)

    async def import_file(self, plan: ImportPlan, on_progress: OnProgress) -> ImportReport:
        """Import a price file, all of it or nothing. Cancelling the caller's task cancels the import."""
        return await self._data.import_file(plan, on_progress)

    async def download_bars(self, plan: DownloadPlan, history: BarHistory, on_progress: OnProgress) -> list[Downloaded]:
        """Fetch bars from a broker's `history`: what is missing, page by page. Cancelling the caller's task keeps what was stored."""
        return await self._data.download(plan, history, on_progress)

    async def export_bars(self, key: BarSetKey, path: Path) -> int:
        """Write a set as CSV (also .gz) or Parquet by the path's ending; return the number of bars."""
        return await self._data.export(key, path)

    async def delete_bars(self, key: BarSetKey) -> bool:
        """Remove a bar set; False when there was none."""
        return await self._data.delete(key)

    async def seal_bars(self, key: BarSetKey, *, sealed: bool = True) -> BarSet:
        """Make a set immutable, or open it again, and return it as it is then. Raises NoBars."""
        return await self._data.seal(key, sealed=sealed)

    async def corporate_actions(self, symbol: str | None = None) -> tuple[CorporateAction, ...]:
        """Return stored splits and dividends by symbol and day; of all symbols when none is named."""
        return await (self._store.actions.read_all() if symbol is None else self._store.actions.read(symbol))

    async def import_corporate_actions(
        self, path: Path, on_progress: OnProgress, *, symbol: str | None = None, on_bad: OnBad = OnBad.FAIL
    ) -> ActionImport:
        """Import a CSV file of splits and dividends, all of it or nothing. `symbol`: of all rows, where the file does not say."""
        return await self._data.import_actions(path, symbol, on_bad, on_progress)

    async def delete_corporate_actions(self, symbol: str) -> int:
        """Remove a symbol's splits and dividends; return how many there were."""
        return await self._data.delete_actions(symbol)

    async def ensure_demo_market(self, on_progress: OnProgress) -> list[BarSet]:
        """Make the simulated market's bar sets if they are not there yet, and return them."""
        return await self._data.ensure_demo_market(on_progress)

    # --- runs ---

    async def create_run(self, config: RunConfig, *, demo: bool = False) -> Run:
        """Check `config` against the strategies and the stored bars, and create a pending run. Raises InputError, NoBars."""
        return await self._runs.create(config, demo=demo)

    async def check_symbols(self, config: RunConfig) -> None:
        """Ask the broker of a paper or live run whether it trades its symbols. Raises UnknownName or InvalidValue where it says no."""
        await self._runs.check_symbols(config)

    def holding_account(self, config: RunConfig) -> AbstractAsyncContextManager[None]:
        """Have the account that a run of `config` would trade on, for the length of the block: `create_run` and `start_run` go in it.

        Entering raises InputError, HeldElsewhere and BrokerError, before anything of the run is there; of symbols as `check_symbols`.
        """
        return self._runs.holding_account(config)

    async def start_run(self, run_id: str, confirm: str = "") -> Run:
        """Start a pending run; it goes on by itself. Raises RunNotStartable.

        `confirm`: for a live run, the account's name as a person typed it. Raises NotArmed, HeldElsewhere, BrokerError: it is pending then.
        """
        return await self._runs.start(run_id, confirm)

    async def resume_run(self, run_id: str, confirm: str = "") -> Run:
        """Let an interrupted paper or live run go on with its own positions and cash; its orders are reconciled first.

        `confirm`: as for `start_run`. Raises RunNotStartable, StrategyBroken, NotArmed, BrokerError.
        """
        return await self._runs.resume(run_id, confirm)

    async def close_run(self, run_id: str, flatten: bool = False) -> Run:
        """End an interrupted run: its orders are reconciled and cancelled, with `flatten` its positions closed at the market.

        Raises RunNotStoppable, BrokerError.
        """
        return await self._runs.close_interrupted(run_id, flatten=flatten)

    async def stop_run(self, run_id: str) -> Run:
        """Stop a running run of this desk, in whichever process, and return it once it is over. Raises RunNotStoppable, StillRunning."""
        return await self._runs.stop(run_id)

    async def stop_all_runs(self) -> int:
        """Stop every running run; return how many there were."""
        return await self._runs.stop_all()

    def is_here(self, run: Run) -> bool:
        """Tell whether a run goes on in this process."""
        return self._runs.is_here(run)

    async def take_over_run(self, run_id: str, confirm: str = "") -> Run:
        """Take a run from a desk that is gone or has offered it: its account is compared with the broker, and it ends as interrupted.

        Then it can be resumed here, or closed. `confirm`: as for `start_run`. Raises HeldElsewhere while that desk has it, NotArmed,
        RunError, BrokerError.
        """
        return await self._runs.take_over(run_id, confirm=confirm)

    async def offer_run(self, run_id: str, desk: str | None) -> DeskSeen | None:
        """Let the desk of that name or id take over a run of this one; None takes the offer back. Returns the desk.

        Its account goes with it. Raises InputError, UnknownName; RunError where something else trades on the account.
        """
        return await self._runs.offer(run_id, desk)

    async def run_again(self, run_id: str, confirm: str = "") -> Run:
        """Create and start a new run with the same config; `confirm` as for `start_run`."""
        return await self._runs.again(run_id, confirm)

    async def delete_run(self, run_id: str) -> None:
        """Remove a run that is over, with its orders, fills, result and events."""
        await self._runs.delete(run_id)

    async def wait_for_run(self, run_id: str) -> Run:
        """Return the run once it is over."""
        return await self._runs.wait(run_id)

    async def runs(self) -> list[Run]:
        """Return all runs, newest first; running ones as they are now."""
        runs = await self._runs.all()
        return runs if self._recovers else await self._runs.as_found(runs)

    async def trading_runs(self) -> list[Run]:
        """Return the paper and live runs that go on, in whichever process, and the books of accounts that are open for a person."""
        return [
            run
            for run in await self._runs.all(by_hand=True)
            if run.config.mode is not RunMode.BACKTEST
            and run.status is RunStatus.RUNNING
            and (not run.config.is_by_hand or run.owner is not None)
        ]

    async def run(self, run_id: str) -> Run:
        """Return one run. An id may be shortened to any unambiguous beginning. Raises UnknownName."""
        run = await self._runs.get(run_id)
        return run if self._recovers else (await self._runs.as_found([run]))[0]

    async def run_bar_sets(self, run_id: str) -> list[BarSetKey]:
        """Return the stored sets a run reads, in the order of its symbols."""
        return await self._runs.bar_sets(run_id)

    async def orders(self, run_id: str) -> list[Order]:
        """Return a run's orders, oldest first."""
        return await self._store.runs.orders(run_id)

    async def fills(self, run_id: str) -> list[Fill]:
        """Return a run's fills, oldest first."""
        return await self._store.runs.fills(run_id)

    async def result(self, run_id: str) -> RunResult | None:
        """Return what a finished run left; None while it goes on or when it failed before its first bar."""
        return await self._store.runs.result(run_id)

    async def equity_so_far(self, run_id: str) -> tuple[Instants, Floats]:
        """Return times, UTC ns, and equity of a paper or live run that goes on, here or elsewhere, from what is stored of it."""
        return await equity_so_far(await self._runs.get(run_id), self._store)

    async def view_at(self, run_id: str, seq: int) -> RunView:
        """Return a run as it was when the event `seq` had happened: orders, fills, positions and account. Raises UnknownName, RunError."""
        return await self._histories.view_at((await self._runs.get(run_id)).id, seq)

    async def report(self, run_id: str, *, benchmark: str | None = None) -> Report:
        """Return the report of a run that has ended, compared with `benchmark` or the run's first symbol. Raises RunError, NoBars."""
        return await report_of(run_id, runs=self._runs, store=self._store, benchmark=benchmark)

    async def verify_run(self, run_id: str, on_progress: OnProgress | None = None) -> Verification:
        """Run a run that is over again, from its manifest, and compare it bit for bit; nothing is stored. Raises RunError.

        Cancelling the caller's task ends it.
        """

        def tell(done: int, total: int) -> None:
            if on_progress is not None:
                on_progress(Progress(done=done, total=total, what="bars"))

        return await verify_run(run_id, runs=self._runs, store=self._store, on_bars=tell)

    async def parity_of_run(self, run_id: str) -> Parity:
        """Replay a paper or live run's own bars through Greta and compare its decisions and fills. Raises RunError."""
        return await parity_of(run_id, runs=self._runs, store=self._store)

    # --- by hand ---

    async def trading_accounts(self) -> list[TradingAccount]:
        """Return the accounts that a person can trade at, with what keeps one from being used; nothing is connected."""
        return list(await self._runs.by_hand.accounts())

    async def connect_account(self, broker_id: str, account: AccountName, confirm: str = "") -> AccountView:
        """Open an account for a person until `disconnect_account` or `close`. `confirm`: of real money, its number.

        Raises NotArmed, BrokerError, UnknownName, HeldElsewhere.
        """
        return await (await self._runs.connect_by_hand(broker_id, account, confirm)).view()

    async def account_name(self, broker_id: str, account: AccountName) -> str:
        """Return what a person types to confirm an account of real money: its number at the broker. Raises BrokerError, UnknownName."""
        return await self._runs.account_name(broker_id, account)

    async def disconnect_account(self, broker_id: str, account: AccountName) -> None:
        """Let an account go; harmless when it is not open. Its orders work on."""
        await self._runs.by_hand.disconnect(broker_id, account)

    async def account_view(self, broker_id: str, account: AccountName) -> AccountView:
        """Return an account that is open as it is now. Raises NotConnected."""
        return await self._runs.by_hand.at(broker_id, account).view()

    async def last_trades(self, broker_id: str, account: AccountName, symbols: Sequence[str]) -> dict[str, Print]:
        """Return the market's newest trades as an account is told of them. Raises NotConnected, BrokerError."""
        return await self._runs.by_hand.at(broker_id, account).last_trades(symbols)

    async def preview_order(self, broker_id: str, account: AccountName, order: HandOrder) -> OrderPreview:
        """Return what an order would come to; sends nothing. Raises NotConnected, InputError."""
        return await self._runs.by_hand.at(broker_id, account).preview(order)

    async def place_order(self, broker_id: str, account: AccountName, order: HandOrder, run_id: str | None = None) -> Order:
        """Commit and send an order and return its row; `run_id`: the run in whose name. Raises NotConnected, InputError, StoreError."""
        return await self._runs.by_hand.at(broker_id, account).place(order, run_id)

    async def change_order(self, broker_id: str, account: AccountName, order_id: str, terms: OrderTerms) -> None:
        """Ask the broker for other terms of a working order of ours; what comes of it is an event. Raises NotConnected, InputError."""
        await self._runs.by_hand.at(broker_id, account).change(order_id, terms)

    async def cancel_order(self, broker_id: str, account: AccountName, order_id: str) -> None:
        """Ask the broker to cancel an order of ours; one that is over is left alone. Raises NotConnected, UnknownName."""
        await self._runs.by_hand.at(broker_id, account).cancel(order_id)

    async def cancel_all_orders(self, broker_id: str, account: AccountName) -> int:
        """Ask the broker to cancel every working order of ours; return how many. Raises NotConnected."""
        return await self._runs.by_hand.at(broker_id, account).cancel_all()

    async def close_position(self, broker_id: str, account: AccountName, symbol: str, owner_id: str, qty: Decimal | None = None) -> Order:
        """Close a position of an owner, or `qty` of it, at the market, and return the order. Raises NotConnected, InputError."""
        return await self._runs.by_hand.at(broker_id, account).close(symbol, owner_id, qty)

    async def preview_exits(self, broker_id: str, account: AccountName, exits: HandExits) -> ExitsPreview:
        """Return what exits of a position that is held would be; nothing is sent. Raises InputError, NotConnected."""
        return await self._runs.by_hand.at(broker_id, account).preview_exits(exits)

    async def protect_position(self, broker_id: str, account: AccountName, exits: HandExits) -> tuple[Order, ...]:
        """Send exits of a position that is held, and return their rows. Raises InputError, NotConnected, StoreError."""
        return await self._runs.by_hand.at(broker_id, account).protect(exits)

    async def reverse_position(self, broker_id: str, account: AccountName, symbol: str, owner_id: str) -> Order:
        """Turn a position around and return the order that leaves now. Raises NotConnected, InputError."""
        return await self._runs.by_hand.at(broker_id, account).reverse(symbol, owner_id)

    async def count_losses_anew(self, broker_id: str, account: AccountName) -> Account:
        """Let the limits on an account's losses count from its present money, and return that. Raises NotConnected, BrokerError."""
        return await self._runs.by_hand.at(broker_id, account).count_losses_anew()

    # --- the kill switch ---

    async def throw_switch(self, level: SwitchLevel, reason: str, run_id: str | None = None) -> tuple[Envelope, list[str]]:
        """Set the kill switch, for one run or for all, in whichever process they go on; it stays so. Raises UnknownName.

        Returns its event, and the accounts (`BROKER:NUMBER`) that carry out what it asks for: each acknowledges with
        `risk.SwitchCarriedOut`, or `risk.SwitchUnreached`, caused by it. Those that nobody has open are opened for that here.
        """
        now_ns = self._clock.now_ns()
        run = None if run_id is None else (await self._runs.get(run_id)).id
        thrown = envelope(SwitchThrown(level=level, reason=reason), id=uuid4().hex, ts=now_ns, producer="engine", run_id=run)
        (thrown,) = await self._store.log.append([thrown])
        return thrown, await self._runs.switch_reach.reach(thrown)

    async def halt(self) -> tuple[int, bool]:
        """Stop every run of this process; where a paper run goes on, here or elsewhere, throw the kill switch of all first.

        Returns how many runs were stopped here, and whether the switch was thrown.
        """
        goes_on = await self.trading_runs()
        if goes_on:
            await self.throw_switch(SwitchLevel.CANCEL_ALL, "HALT was pressed.")
        return await self._runs.stop_all(), bool(goes_on)

    async def switches(self) -> dict[str | None, SwitchLevel]:
        """Return how the kill switch stands, by run; None is for all. What was never thrown is not in it."""
        return {thrown.run_id: thrown.level for thrown in (await read_switches(self._store.log))[0]}

    async def reconcile_account(self, broker_id: str, account: AccountName, accepts: str | None = None) -> Reconciliation:
        """Compare an account with its broker, heal what differs, and return it; no order is sent. Raises BrokerError, HeldElsewhere.

        `accepts`: why a person takes what nothing else heals as the broker has it; None: it is left as it is.
        """
        return await self._runs.reconcile_account(broker_id, account, accepts)

    async def compare_runs(self, run_ids: Sequence[str]) -> RunComparison:
        """Return two runs or more side by side. Raises InputError."""
        return await compare_runs(run_ids, runs=self._runs, store=self._store)
