"""The data directory, the stored settings, and what names the database."""

import json
from pathlib import Path

import pytest

from app.config import MEMORY, Paths, SettingsFile, database_url, write_whole
from core.errors import InvalidValue, StoreReadOnly
from core.settings import Settings


def test_home_comes_from_the_environment(tmp_path: Path) -> None:
    paths = Paths.of({"WEAVER_HOME": str(tmp_path / "here")})
    assert paths.data == tmp_path / "here"
    assert paths.database == tmp_path / "here" / "weaver.db"
    assert not paths.data.exists()


def test_without_it_the_system_says_where() -> None:
    assert Paths.of({}).home.is_absolute()
    assert "weaver" in str(Paths.of({}).home).lower()


def test_a_profile_has_its_own_files_but_not_its_own_strategies(tmp_path: Path) -> None:
    desk, plain = Paths.of({"WEAVER_HOME": str(tmp_path)}, "desk-2"), Paths.of({"WEAVER_HOME": str(tmp_path)})
    assert desk.database == tmp_path / "profiles" / "desk-2" / "weaver.db"
    assert desk.settings != plain.settings
    assert desk.logs != plain.logs
    assert desk.strategies == plain.strategies


@pytest.mark.parametrize("name", ["", "../up", "a/b", "-x", "a b", "x" * 41])
def test_a_profile_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValue, match="--profile"):
        Paths.of({"WEAVER_HOME": str(tmp_path)}, name)


def test_make_creates_an_empty_folder_for_strategies(tmp_path: Path) -> None:
    paths = Paths.of({"WEAVER_HOME": str(tmp_path / "new")})
    paths.make()
    assert paths.strategies.is_dir()
    assert list(paths.strategies.iterdir()) == []
    paths.make()


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreReadOnly, match="WEAVER_HOME"):
        Paths.of({"WEAVER_HOME": str(tmp_path / "file" / "below")}).make()


def test_settings_go_through_the_file(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "settings.json", {})
    changed = file.change(file.load(), "window.theme", "light")
    assert changed.text("window.theme") == "light"
    assert json.loads((tmp_path / "settings.json").read_text()) == {"window.theme": "light"}
    assert SettingsFile(tmp_path / "settings.json", {}).load().text("window.theme") == "light"
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]


def test_the_environment_overrides_and_is_not_stored(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"window.theme": "light"}')
    file = SettingsFile(path, {"WEAVER_WINDOW_THEME": "dark"})
    settings = file.load()
    assert settings.text("window.theme") == "dark"
    file.change(settings, "window.flash", "no")
    assert json.loads(path.read_text()) == {"window.theme": "light", "window.flash": False}


def test_what_a_person_chooses_is_stored_although_the_environment_had_said_something(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path / "settings.json", {"WEAVER_WINDOW_THEME": "dark"})
    assert file.change(file.load(), "window.theme", "light").text("window.theme") == "light"
    assert json.loads((tmp_path / "settings.json").read_text()) == {"window.theme": "light"}


def test_settings_of_a_newer_version_survive(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"future.thing": [1, 2]}')
    file = SettingsFile(path, {})
    file.change(file.load(), "window.theme", "dark")
    assert json.loads(path.read_text()) == {"future.thing": [1, 2], "window.theme": "dark"}


@pytest.mark.parametrize("text", ["{broken", "[1]", "\x00\x01", ""])
def test_a_broken_file_falls_back_and_is_kept_aside(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text)
    file = SettingsFile(path, {})
    settings = file.load()
    assert settings.text("window.theme") == "system"
    assert len(file.warnings) == 1
    assert str(path) in file.warnings[0]
    file.change(settings, "window.theme", "dark")
    assert (tmp_path / "settings.broken.json").read_text() == text
    assert json.loads(path.read_text()) == {"window.theme": "dark"}


def test_a_value_out_of_bounds_is_named(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"window.scale_percent": 9000}')
    file = SettingsFile(tmp_path / "settings.json", {})
    assert file.load().number("window.scale_percent") == 100
    assert "window.scale_percent" in file.warnings[0]


def test_settings_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreReadOnly):
        SettingsFile(tmp_path / "file" / "settings.json", {}).save(Settings({}, {}).with_value("window.theme", "dark"))


def test_a_failed_write_leaves_the_old_text(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half \ud800")
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["settings.json"]


def test_the_option_goes_before_the_variable_before_the_default(tmp_path: Path) -> None:
    paths = Paths.of({"WEAVER_HOME": str(tmp_path)})
    assert database_url(None, {}, paths) == str(tmp_path / "weaver.db")
    assert database_url(None, {"WEAVER_DB": "sqlite:///a.db"}, paths) == "sqlite:///a.db"
    assert database_url("sqlite:///b.db", {"WEAVER_DB": "sqlite:///a.db"}, paths) == "sqlite:///b.db"
    assert database_url("Memory", {}, paths) == MEMORY


@pytest.mark.parametrize("url", ["", "  ", "memmory"])
def test_a_database_that_cannot_be_meant_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidValue, match="memory"):
        database_url(url, {}, Paths.of({"WEAVER_HOME": str(tmp_path)}))
