"""Exporting the report from the window: what is offered, where it is written, and what is said."""

import json
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog, QToolButton

from app.report_files import BESIDE, PAGE
from core.model.run import Run
from tests.gui.window.conftest import Desk, MakeDesk
from ui.report_export import file_name


def chooser(desk: Desk, name: str) -> QFileDialog:
    found = desk.window.findChild(QFileDialog, name)
    assert found is not None
    return found


async def export(desk: Desk, act: str, dialog: str, path: Path) -> str:
    """Export as a person does, and return what the banner says."""
    desk.window.banner.hide()
    desk.window.acts[act].trigger()
    asked = chooser(desk, dialog)
    assert asked.isVisible()
    asked.selectFile(str(path))
    asked.accept()
    await desk.window.settled()
    assert desk.window.banner.isVisible()
    return desk.window.banner.text.text()


async def finished(make_desk: MakeDesk) -> tuple[Desk, Run]:
    desk = await make_desk()
    return desk, await desk.finished_run()


async def test_one_page_is_written_where_the_person_chooses(make_desk: MakeDesk, tmp_path: Path) -> None:
    desk, run = await finished(make_desk)
    page = tmp_path / "a.html"
    said = await export(desk, "export-report", "dialog-export-report", page)
    assert said == f"The report of sma-cross on BTC/USD is written to {page}."
    assert run.id in page.read_text(encoding="utf-8")
    assert not any((tmp_path / name).exists() for name in BESIDE)
    assert desk.window.banner.property("level") == "info"
    # It is told in the journal, and an earlier report of ours is replaced.
    assert desk.window.views.activity.rows[-1].text == said
    page.write_text(page.read_text(encoding="utf-8")[:400], encoding="utf-8")
    assert await export(desk, "export-report", "dialog-export-report", page) == said
    assert len(page.read_text(encoding="utf-8")) > 10_000


async def test_a_folder_gets_the_page_and_all_tables(make_desk: MakeDesk, tmp_path: Path) -> None:
    desk, run = await finished(make_desk)
    folder = tmp_path / "out"
    folder.mkdir()
    said = await export(desk, "export-report-files", "dialog-export-report-files", folder)
    assert said == f"The report of sma-cross on BTC/USD is written: 5 files in {folder}."
    assert sorted(file.name for file in folder.iterdir()) == sorted((PAGE, *BESIDE))
    kept = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    result = await desk.engine.result(run.id)
    assert result is not None
    assert kept["stats"]["end_equity"] == result.stats["end_equity"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("mine.html", "mine.html exists and is not a report of Weaver. Name another place, or move it away."),
        ("a.pdf", "the name cannot be a.pdf: name a file that ends in .html, or a folder."),
        ("no/a.html", "for the report. Make it, or name another place."),
    ],
)
async def test_what_cannot_be_written_is_told_in_plain_words(make_desk: MakeDesk, tmp_path: Path, name: str, sentence: str) -> None:
    desk, _ = await finished(make_desk)
    (tmp_path / "mine.html").write_text("mine", encoding="utf-8")
    said = await export(desk, "export-report", "dialog-export-report", tmp_path / name)
    assert said.endswith(sentence)
    assert desk.window.banner.property("level") == "error"
    assert (tmp_path / "mine.html").read_text(encoding="utf-8") == "mine"
    assert desk.errors.pop() == said


async def test_a_full_disk_is_told(make_desk: MakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    desk, _ = await finished(make_desk)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        said = await export(desk, "export-report", "dialog-export-report", tmp_path / "a.html")
    assert said.endswith("a.html cannot be written: No space left on device. Choose another place, or make room.")
    assert desk.errors.pop() == said


async def test_only_a_run_with_a_result_can_be_exported(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    acts = [desk.window.acts[name] for name in ("export-report", "export-report-files")]
    button = desk.window.report.findChild(QToolButton, "button-export-report")
    assert button is not None
    assert [act.isEnabled() for act in acts] == [False, False]
    await desk.pending_run()
    assert [act.isEnabled() for act in acts] == [False, False]
    assert button.isHidden()
    run = await desk.finished_run()
    assert [act.isEnabled() for act in acts] == [True, True]
    assert not button.isHidden()
    menu = button.menu()
    assert menu is not None
    assert menu.actions() == acts
    assert set(acts) <= set(desk.window.acts.all())
    await desk.engine.delete_run(run.id)
    await desk.window.settled()
    assert [act.isEnabled() for act in acts] == [False, False]


async def test_the_dialogs_ask_without_nesting_the_loop_and_suggest_a_name(make_desk: MakeDesk) -> None:
    desk, run = await finished(make_desk)
    desk.window.acts["export-report"].trigger()
    asked = chooser(desk, "dialog-export-report")
    assert Path(asked.selectedFiles()[0]).name == file_name(run) == f"sma-cross-btc-usd-1m-{run.id[-6:].lower()}.html"
    assert asked.defaultSuffix() == "html"
    assert asked.testOption(QFileDialog.Option.DontConfirmOverwrite)
    asked.reject()
    desk.window.acts["export-report-files"].trigger()
    assert chooser(desk, "dialog-export-report-files").fileMode() is QFileDialog.FileMode.Directory
    chooser(desk, "dialog-export-report-files").reject()
    await desk.window.settled()
