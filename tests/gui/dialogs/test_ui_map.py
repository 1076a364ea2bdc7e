"""docs/ui-map.md lists what a person can use: everything the real window and its dialogs have, and nothing else."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from PySide6.QtWidgets import QWidget

from tests.gui.dialogs.desk import BAD_DAILY
from tests.gui.dialogs.usable import mute, nameless, usable_names
from tests.gui.window.conftest import MakeDesk, make_desk

MAP = Path(__file__).parents[3] / "docs" / "ui-map.md"

__all__ = ["make_desk"]


def listed() -> dict[str, set[str]]:
    """Return the names in the map by the window or dialog they stand under."""
    sections: dict[str, set[str]] = {}
    for part in re.split(r"^## ", MAP.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        top = re.search(r"`([a-z-]+)`", heading)
        assert top is not None, heading
        sections[top[1]] = {top[1], *re.findall(r"^- `([^`]+)`", body, flags=re.MULTILINE)}
    return sections


@pytest_asyncio.fixture
async def tops(make_desk: MakeDesk, tmp_path: Path) -> AsyncIterator[dict[str, QWidget]]:
    """The real window with a finished run, and every dialog it opens, in the state that shows the most."""
    desk = await make_desk()
    await desk.finished_run()
    window = desk.window
    path = tmp_path / "abc.csv"
    path.write_text(BAD_DAILY)
    new_run = window.dialogs.new_run()
    importing = window.dialogs.import_data(str(path))
    dialogs: list[QWidget] = [
        new_run,
        importing,
        window.dialogs.download_data(),
        window.dialogs.corporate_actions(),
        window.dialogs.chain("Why was 1 BTC/USD bought at 500?", lambda: desk.engine.chain(3)),
        window.dialogs.settings(),
        window.dialogs.command_palette(window.acts.all()),
        window.dialogs.about(),
        window.dialogs.confirm("Delete it?", "It goes.", "Delete", lambda: None),
        window.dialogs.error("It broke.", "Try again.", "details"),
    ]
    await window.settled()
    new_run.choose_strategy(next(info.id for info in desk.engine.strategies().values() if info.symbols == 2))
    await window.settled()
    yield {top.objectName(): top for top in (window, *dialogs)}
    for dialog in dialogs:
        dialog.close()
    await window.settled()


async def test_the_map_and_the_window_name_the_same(tops: dict[str, QWidget]) -> None:
    found = {name: usable_names(top) for name, top in tops.items()}
    missing = {name: sorted(names - listed().get(name, set())) for name, names in found.items()}
    gone = {name: sorted(names - found.get(name, set())) for name, names in listed().items()}
    assert {name: names for name, names in missing.items() if names} == {}, "not in the map"
    assert {name: names for name, names in gone.items() if names} == {}, "in the map, not on the screen"


async def test_everything_usable_has_a_name(tops: dict[str, QWidget]) -> None:
    assert [line for top in tops.values() for line in nameless(top)] == []


async def test_everything_usable_says_what_it_is(tops: dict[str, QWidget]) -> None:
    assert [line for top in tops.values() for line in mute(top)] == []


async def test_names_are_in_kebab_case(tops: dict[str, QWidget]) -> None:
    names = {name for top in tops.values() for name in usable_names(top)}
    assert [name for name in sorted(names) if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+|-N|-NAME)*", name)] == []
    assert "field-symbols-N" in names
    assert "column-meaning-N" in names


def test_each_name_stands_once_under_its_window() -> None:
    for part in re.split(r"^## ", MAP.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        names = re.findall(r"^- `([^`]+)`", part, flags=re.MULTILINE)
        assert len(names) == len(set(names)), part.partition("\n")[0]
