"""The list of runs shows the equity of runs that were there before the window."""

from pathlib import Path

from tests.gui.window.conftest import MakeDesk


async def test_runs_from_the_store_have_their_equity(make_desk: MakeDesk, tmp_path: Path) -> None:
    url = str(tmp_path / "desk.db")
    desk = await make_desk(database=url)
    for fast in (5, 7, 9):
        await desk.finished_run(params={"fast": fast})
    told = {row.run.id: (row.equity, row.spark[-1]) for row in desk.window.views.runs.rows}
    assert await desk.window.shut_down() == []

    again = await make_desk(database=url, with_bars=False)
    await again.window.settled()
    rows = again.window.views.runs.rows
    assert {row.run.id: (row.equity, row.spark[-1]) for row in rows} == told
    assert all(2 < len(row.spark) <= 64 for row in rows)
