"""What is at stake, and how the kill switch stands."""

import msgspec

from core.events.envelope import envelope
from core.events.live_payloads import SwitchThrown
from core.model.risk import SwitchLevel
from core.model.run import RunMode, RunStatus
from core.views.desk import DeskViews
from core.views.pulse import database_pulse, feed_pulse
from core.views.runs import RunRow
from core.views.stake import Stake, stake_of
from core.views.switches import SwitchView
from core.views.words import Level
from tests.unit.views.events import CONFIG, Events, run


def row(mode: RunMode, status: RunStatus = RunStatus.RUNNING, desk: str = "") -> RunRow:
    config = msgspec.structs.replace(CONFIG, mode=mode, broker="sim")
    return RunRow(run=msgspec.structs.replace(run(status=status), config=config), desk=desk)


def test_the_most_serious_mode_that_goes_on_here_counts() -> None:
    assert stake_of([row(RunMode.BACKTEST)], ()) == Stake()
    assert stake_of([row(RunMode.PAPER)], ()) == Stake(mode=RunMode.PAPER, accounts=("sim paper",))
    assert stake_of([row(RunMode.PAPER), row(RunMode.LIVE)], ()).mode is RunMode.LIVE
    assert stake_of([row(RunMode.LIVE, RunStatus.INTERRUPTED)], ()) == Stake()
    assert stake_of([row(RunMode.LIVE, desk="other")], ()) == Stake()


def test_a_connected_account_is_named_by_what_a_person_calls_it() -> None:
    accounts = [("Alpaca paper PA1", RunMode.PAPER), ("Alpaca live 123", RunMode.LIVE)]
    assert stake_of([], accounts) == Stake(mode=RunMode.LIVE, accounts=("Alpaca live 123",))
    assert stake_of([], accounts).words == "LIVE – Alpaca live 123"
    assert Stake().words == ""


def test_the_switch_is_folded_from_its_events_each_once() -> None:
    events, view = Events(), SwitchView()
    assert view.words == ""
    of_all = envelope(SwitchThrown(level=SwitchLevel.CANCEL_ALL, reason="x"), id="e0", ts=0, producer="test", run_id=None)
    own = events.wrap(SwitchThrown(level=SwitchLevel.HALT, reason="x"), run_id="r1")
    view.fold(of_all)
    view.fold(own)
    assert view.words == "Kill switch: cancel all, 1 run of their own"
    assert view.sentences({"r1": "sma-cross"}).splitlines()[1] == "sma-cross: halt. Nothing new leaves; working orders stay."
    view.fold(events.wrap(SwitchThrown(level=SwitchLevel.OFF, reason="x"), run_id="r1"))
    view.fold(own)
    assert (view.level("r1"), view.level()) == (SwitchLevel.OFF, SwitchLevel.CANCEL_ALL)
    assert view.words == "Kill switch: cancel all"


def test_the_desk_folds_the_switch_and_tells_of_it() -> None:
    views = DeskViews()
    views.fold(Events().wrap(SwitchThrown(level=SwitchLevel.FLATTEN, reason="x"), run_id="r1"))
    assert views.switches.words == "Kill switch: 1 run"
    assert views.activity.rows[-1].text == "Kill switch: flatten. x"


def test_how_fresh_the_feed_and_the_database_are() -> None:
    assert (feed_pulse(0.31, "A").words, feed_pulse(0.31, "A").level) == ("0.3 s", Level.GOOD)
    assert (feed_pulse(42, "A").words, feed_pulse(42, "A").level) == ("42 s", Level.WARNING)
    assert feed_pulse(61, "A").level is Level.ERROR
    assert database_pulse("weaver.db", 0.2).sentence == "weaver.db answers in 1 ms."
    assert database_pulse("weaver.db", 3.0, "It is locked.").level is Level.ERROR
