"""The window's layout memory on disk."""

from pathlib import Path

import pytest

from app.layout_files import LayoutFiles
from tests.strictness.log_guard import AllowLog


def test_what_is_saved_is_loaded_until_it_is_forgotten(tmp_path: Path) -> None:
    layout = LayoutFiles(tmp_path / "layout")
    assert layout.load("columns-runs") is None
    layout.save("columns-runs", b"\x00one")
    layout.save("columns-runs", b"\x00two")
    layout.save("window", b"w")
    assert LayoutFiles(tmp_path / "layout").load("columns-runs") == b"\x00two"
    layout.forget("columns-runs")
    layout.forget("columns-runs")
    assert layout.load("columns-runs") is None
    assert layout.load("window") == b"w"
    assert [path.name for path in (tmp_path / "layout").iterdir()] == ["window.layout"]


def test_a_folder_that_cannot_be_written_never_stops_the_program(tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("The layout window cannot be")
    (tmp_path / "file").write_text("in the way")
    layout = LayoutFiles(tmp_path / "file" / "layout")
    layout.save("window", b"w")
    assert layout.load("window") is None
    layout.forget("window")


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "a/b"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a layout"):
        LayoutFiles(tmp_path).save(name, b"")
