"""The data panel on the real engine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtWidgets import QLabel

from tests.gui.dialogs.desk import DAILY, LOOK, Desk, child
from ui.panels.data import DataPanel
from ui.services import MemoryLayout

HOLED = DAILY.replace("2024-01-04,11.0,12.0,10.5,11.5,1200\n", "").replace("2024-01-05,11.5,12.5,11.0,12.0,1300\n", "")
"""Without the sessions of 4 and 5 January."""


@dataclass
class Questions:
    """Takes the questions; `answer` says yes to the last."""

    asked: list[tuple[str, str, str]] = field(default_factory=list)
    then: list[Callable[[], object]] = field(default_factory=list)

    def confirm(self, heading: str, consequence: str, verb: str, then: Callable[[], object]) -> None:
        self.asked.append((heading, consequence, verb))
        self.then.append(then)

    def answer(self) -> None:
        self.then[-1]()


async def opened(desk: Desk, questions: Questions | None = None) -> DataPanel:
    panel = DataPanel(engine=desk.engine, tasks=desk.tasks, look=LOOK, memory=MemoryLayout(), confirm=(questions or Questions()).confirm)
    panel.resize(420, 600)
    panel.show()
    panel.refresh()
    await desk.idle()
    return panel


def closed(panel: DataPanel) -> None:
    panel.close()
    panel.deleteLater()


def rows(panel: DataPanel, name: str) -> list[list[str]]:
    model = (panel.sets if name == "sets" else panel.gaps).model
    return [[model.index(row, column).data() for column in range(model.columnCount())] for row in range(model.rowCount())]


def said(panel: DataPanel, name: str) -> str:
    label = child(panel, name)
    assert isinstance(label, QLabel)
    return label.text()


async def test_lists_what_is_stored_by_symbol(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path, "XYZ")
    await desk.store(tmp_path, "ABC", source="yahoo")
    panel = await opened(desk)
    assert [row[:8] for row in rows(panel, "sets")] == [
        ["ABC", "1d", "yahoo", "6", "2024-01", "raw", "2024-01-02", "2024-01-09"],
        ["XYZ", "1d", "file", "6", "2024-01", "raw", "2024-01-02", "2024-01-09"],
    ]
    assert rows(panel, "sets")[0][-1] == "real"
    closed(panel)


async def test_simulated_bars_are_called_so(desk: Desk) -> None:
    await desk.engine.ensure_demo_market(lambda _progress: None)
    panel = await opened(desk)
    assert {row[-1] for row in rows(panel, "sets")} == {"simulated"}
    closed(panel)


async def test_the_gaps_of_the_selected_bars_are_counted_and_listed(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path, text=HOLED)
    panel = await opened(desk)
    panel.sets.table.selectRow(0)
    await desk.idle()
    assert "1 gap, 2 bars missing" in said(panel, "label-gaps")
    assert [row[2] for row in rows(panel, "gaps")] == ["2"]
    closed(panel)


async def test_whole_bars_have_no_gaps(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    panel = await opened(desk)
    panel.sets.table.selectRow(0)
    await desk.idle()
    assert said(panel, "label-gaps").endswith("no gaps against its calendar.")
    assert not panel.gaps.isVisible()
    closed(panel)


async def test_delete_asks_first_and_names_what_goes(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    questions = Questions()
    panel = await opened(desk, questions)
    assert not panel.delete_action.isEnabled()
    panel.sets.table.selectRow(0)
    panel.delete_action.trigger()
    await desk.idle()
    assert questions.asked[0][0] == "Delete ABC 1d from file, raw?"
    assert questions.asked[0][1].startswith("6 bars")
    assert len(await desk.engine.bar_sets()) == 1
    questions.answer()
    await desk.idle()
    assert await desk.engine.bar_sets() == []
    assert rows(panel, "sets") == []
    assert not panel.delete_action.isEnabled()
    closed(panel)


async def test_export_writes_the_file_and_says_so(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    panel = await opened(desk)
    panel.sets.table.selectRow(0)
    target = tmp_path / "out"
    chosen = panel.selected()
    assert chosen is not None
    panel.export_to(chosen, str(target))
    await desk.idle()
    assert (tmp_path / "out.csv").read_text().count("\n") == 7
    assert said(panel, "data-message").startswith("6 bars are in ")
    closed(panel)


async def test_an_export_that_fails_is_said_in_place(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path)
    panel = await opened(desk)
    panel.sets.table.selectRow(0)
    chosen = panel.selected()
    assert chosen is not None
    panel.export_to(chosen, str(tmp_path / "bars.doc"))
    await desk.idle()
    assert "must end in one of" in said(panel, "data-message")
    closed(panel)


async def test_without_bars_it_offers_the_ways_to_get_some(desk: Desk) -> None:
    panel = await opened(desk)
    asked: list[str] = []
    panel.import_requested.connect(lambda: asked.append("import"))
    panel.demo_requested.connect(lambda: asked.append("demo"))
    for name in ("button-empty-data-import", "button-empty-data-demo"):
        button = child(panel, name)
        assert button.isVisible()
        button.click()  # type: ignore[attr-defined]
    assert asked == ["import", "demo"]
    closed(panel)


async def test_a_selection_survives_a_refresh(desk: Desk, tmp_path: Path) -> None:
    await desk.store(tmp_path, "ABC")
    await desk.store(tmp_path, "XYZ")
    panel = await opened(desk)
    panel.sets.table.selectRow(1)
    await desk.idle()
    await desk.store(tmp_path, "MNO")
    panel.refresh()
    await desk.idle()
    chosen = panel.selected()
    assert chosen is not None
    assert chosen.key.symbol == "XYZ"
    closed(panel)


async def test_of_many_gaps_the_longest_are_listed(desk: Desk, tmp_path: Path) -> None:
    # Every fourth minute is missing, and once five in a row.
    minutes = [minute for minute in range(24_000) if minute % 4 != 3 and not 12_000 <= minute < 12_004]
    rows_of_file = [f"{1_704_067_200 + minute * 60},10,11,9,10,1" for minute in minutes]
    await desk.store(tmp_path, "BTC/USD", "\n".join(["time,open,high,low,close,volume", *rows_of_file]) + "\n")
    panel = await opened(desk)
    panel.sets.table.selectRow(0)
    await desk.idle()
    listed = rows(panel, "gaps")
    assert len(listed) == 5_000
    assert "5" in {row[2] for row in listed}
    assert said(panel, "label-gaps").endswith("The longest 5\u2009000 are listed.")
    assert listed == sorted(listed, key=lambda row: row[0])
    closed(panel)
