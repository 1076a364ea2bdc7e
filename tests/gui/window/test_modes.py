"""Whether money is at stake is seen at once: the frame, the title, the word in the list; and what of the kill switch is thrown."""

import asyncio
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QLabel

from app.compose import compose_engine, compose_store
from core.events.payloads import RunStarted
from core.model.desk import LeaseKind
from core.model.market import BarSetKey
from core.model.risk import SwitchLevel
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.settings import Settings
from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import KEY, Desk, MakeDesk
from ui.theme import DARK


async def paper_run(desk: Desk) -> Run:
    """Start a paper run on the simulated market and look at it."""
    config = RunConfig(strategy_id="sma-cross", symbols=("DEMO/USD",), timeframe="1m", mode=RunMode.PAPER, broker="sim")
    run = await desk.engine.create_run(config)
    began = asyncio.Event()
    with desk.engine.subscribe(RunStarted.wire, lambda _: began.set(), owner="test"):
        await desk.engine.start_run(run.id)
        await began.wait()
    desk.window.show_run(run.id)
    await desk.window.settled()
    return run


async def test_a_paper_run_frames_the_window_in_its_own_colour_while_it_goes_on(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window = desk.window
    assert not window.frame.isVisible()
    title = window.windowTitle()
    run = await paper_run(desk)
    assert window.frame.isVisible()
    assert window.frame.colour == DARK.paper
    assert window.contentsMargins().left() == window.frame.width_px > 0
    assert window.windowTitle().startswith("PAPER – sim paper – Weaver")
    assert window.toolbar.account.text().endswith("PAPER")
    picture = window.grab().toImage()
    assert picture.pixelColor(0, picture.height() // 2).name() == DARK.paper
    model = window.tables["runs"].model
    mode = next(place for place, column in enumerate(model.columns) if column.key == "mode")
    assert model.index(0, mode).data() == "Paper"
    assert model.index(0, mode).data(Qt.ItemDataRole.ForegroundRole).color().name() == DARK.paper
    await desk.engine.stop_run(run.id)
    await window.settled()
    assert not window.frame.isVisible()
    assert window.contentsMargins().left() == 0
    assert window.windowTitle() == title


async def test_a_backtest_has_no_mode_in_the_list_and_no_frame(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    await desk.finished_run()
    row = desk.window.views.runs.rows[0]
    assert row.mode is None
    assert not desk.window.frame.isVisible()


async def test_a_level_of_the_kill_switch_is_thrown_shown_and_taken_back(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window = desk.window
    assert not window.acts["switch-off"].isEnabled()
    assert not window.acts["switch-run-halt"].isEnabled()
    window.acts["switch-halt"].trigger()
    await window.settled()
    assert await desk.engine.switches() == {None: SwitchLevel.HALT}
    assert window.toolbar.switch_place.isVisible()
    assert window.toolbar.switch_state.text() == "Kill switch: halt"
    assert "Kill switch: halt. A person threw it in the window." in [row.text for row in window.views.activity.rows]
    window.acts["switch-off"].trigger()
    dialog = window.findChild(QDialog, "dialog-confirm")
    assert dialog is not None
    assert (await desk.engine.switches())[None] is SwitchLevel.HALT
    dialog.accept()
    await window.settled()
    assert (await desk.engine.switches())[None] is SwitchLevel.OFF
    assert not window.toolbar.switch_place.isVisible()


async def test_the_switch_of_one_run_is_its_own_and_each_step_is_told(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window = desk.window
    run = await paper_run(desk)
    carried_out = asyncio.Event()
    with desk.engine.subscribe("risk.SwitchCarriedOut", lambda _: carried_out.set(), owner="test"):
        window.acts["switch-run-cancel-all"].trigger()
        await carried_out.wait()
    await window.settled()
    assert await desk.engine.switches() == {run.id: SwitchLevel.CANCEL_ALL}
    assert window.toolbar.switch_state.text() == "Kill switch: 1 run"
    assert window.toolbar.switch_state.toolTip().startswith("sma-cross · DEMO/USD · 1m: cancel all.")
    assert any(row.text.startswith("Kill switch carried out at sim:") for row in window.views.activity.rows)
    window.acts["switch-run-flatten"].trigger()
    dialog = window.findChild(QDialog, "dialog-confirm")
    assert dialog is not None
    heading = dialog.findChild(QLabel, "confirm-heading")
    assert heading is not None
    assert heading.text() == "Flatten the run sma-cross · DEMO/USD · 1m?"
    dialog.reject()
    await window.settled()
    assert (await desk.engine.switches())[run.id] is SwitchLevel.CANCEL_ALL
    await desk.quiet()


async def test_a_switch_that_was_thrown_before_is_shown_at_the_start(make_desk: MakeDesk, tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'weaver.db'}"
    first = await make_desk(database=database)
    await first.engine.throw_switch(SwitchLevel.FLATTEN, "before")
    later = await make_desk(database=database, with_bars=False)
    assert later.window.toolbar.switch_state.text() == "Kill switch: flatten"
    texts = [row.text for row in later.window.views.activity.rows]
    assert "Kill switch: flatten. before" in texts


async def test_the_toolbar_says_whether_the_database_answers(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    toolbar = desk.window.toolbar
    assert DARK.up in toolbar.database.text()
    assert "answers in" in toolbar.database.toolTip()
    assert toolbar.feed.toolTip() == "No account is connected."


async def test_a_seal_is_shown_set_and_taken_back(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    data = desk.window.data
    text = "BTC/USD 1m from test, raw"
    states = {column.key: place for place, column in enumerate(data.sets.model.columns)}

    def state() -> str:
        display = data.sets.model.display_of(text)
        assert display is not None
        return str(data.sets.model.index(display, states["state"]).data())

    assert data.sets.table.select_key(text)
    assert (state(), data.seal_action.text(), data.delete_action.isEnabled()) == ("raw", "Seal", True)
    data.seal_action.trigger()
    await desk.window.settled()
    assert (state(), data.seal_action.text(), data.delete_action.isEnabled()) == ("sealed", "Unseal", False)
    data.seal_action.trigger()
    await desk.window.settled()
    sets: dict[BarSetKey, bool] = {item.key: item.sealed for item in await desk.engine.bar_sets()}
    assert (state(), sets[KEY]) == ("raw", False)


async def test_who_only_looks_sees_what_a_crash_cut_off_as_interrupted(tmp_path: Path) -> None:
    settings = Settings({}, {})
    database = f"sqlite:///{tmp_path / 'weaver.db'}"
    config = RunConfig(strategy_id="sma-cross", symbols=("BTC/USD",), timeframe="1m")
    left = Run(id="abc", config=config, status=RunStatus.RUNNING, created_ns=1, owner="12345-gone")
    writer = compose_engine(store := compose_store(database), tmp_path, settings, lambda _error, _what: None)
    await writer.open()
    async with store.runs.begin() as work:
        work.put_run(left)
    looker = compose_engine(other := compose_store(database), tmp_path, settings, lambda _error, _what: None)
    await looker.open(recover=False)
    assert [run.status for run in await looker.runs()] == [RunStatus.INTERRUPTED]
    assert (await looker.run("abc")).status is RunStatus.INTERRUPTED
    stored = await other.runs.run("abc")
    assert stored is not None
    assert stored.status is RunStatus.RUNNING
    await store.leases.acquire(LeaseKind.RUN, "abc", 60.0)
    assert [run.status for run in await looker.runs()] == [RunStatus.RUNNING]  # somebody runs it
    await writer.close()
    assert [run.status for run in await looker.runs()] == [RunStatus.INTERRUPTED]  # and is gone, though the lease would last
    await looker.close()


async def test_the_message_stays_in_front_of_a_panel_whose_tab_is_chosen(make_desk: MakeDesk) -> None:
    window = (await make_desk()).window
    window.banner.say("Something happened.", level="warning")
    window.docks["activity"].raise_()
    await until(lambda: window.children()[-1] is window.banner)
    assert not window.tables["activity"].visibleRegion().isEmpty()


async def test_the_chart_follows_a_paper_run_with_its_bars_and_fills(make_desk: MakeDesk) -> None:
    desk = await make_desk(speed=600.0)
    window = desk.window
    run = await paper_run(desk)
    chart = window.chart.chart

    def bars_shown() -> int:
        return 0 if chart.scene.data is None else len(chart.scene.data)

    await until(lambda: bars_shown() > 1)
    first = bars_shown()
    await until(lambda: bars_shown() > first)
    assert chart.scene.title == "DEMO/USD · 1m"
    assert chart.scene.view.right >= bars_shown()
    await desk.engine.stop_run(run.id)
    await window.settled()
    (key,) = await desk.engine.run_bar_sets(run.id)
    assert bars_shown() == len(await desk.engine.bars(key))
    await desk.quiet()
