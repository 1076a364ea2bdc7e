"""The settings name a database: it can be looked at and prepared there, before the next start opens it."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QWidget

from core.errors import KnownError
from core.store.inspection import inspect_database, prepare_database
from tests.gui.window.conftest import MakeDesk
from tests.postgres import PostgresServer, name_of


def press(dialog: QWidget, name: str) -> None:
    button = dialog.findChild(QPushButton, name)
    assert button is not None
    button.click()
    assert not button.isEnabled(), "until there is an answer"


def said(dialog: QWidget) -> str:
    label = dialog.findChild(QLabel, "database-message")
    assert label is not None
    return label.text()


async def test_a_servers_database_is_looked_at_and_prepared(
    empty_postgres_url: str, make_desk: MakeDesk, postgres_server: PostgresServer
) -> None:
    desk = await make_desk()
    dialog = desk.window.dialogs.settings()
    address = dialog.findChild(QLineEdit, "setting-database-url")
    assert address is not None
    address.setText(postgres_server.url(name_of(empty_postgres_url), user="postgres:hush"))
    press(dialog, "button-test-database")
    await desk.window.settled()
    assert "It has no tables yet." in said(dialog)
    assert "PostgreSQL" in said(dialog)
    press(dialog, "button-prepare-database")
    await desk.window.settled()
    assert "is ready" in said(dialog)
    assert "hush" not in said(dialog)
    address.setText("postgresql://ann:hush@127.0.0.1:1/weaver")
    press(dialog, "button-test-database")
    await desk.window.settled()
    assert "postgresql://ann@127.0.0.1:1/weaver does not answer" in said(dialog)
    dialog.close()
    await desk.window.settled()


async def test_an_answer_that_comes_after_the_dialog_is_closed_is_dropped(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    dialog = desk.window.dialogs.settings()
    address = dialog.findChild(QLineEdit, "setting-database-url")
    assert address is not None
    address.setText("postgresql://ann@127.0.0.1:1/weaver")
    press(dialog, "button-test-database")
    dialog.close()
    await desk.window.settled()
    assert desk.errors == []


def test_looking_at_a_file_makes_none(tmp_path: Path) -> None:
    path = tmp_path / "new" / "desk.db"
    assert inspect_database(str(path)).sentence == f"{path} can be used. It has no tables yet."
    assert not path.parent.exists()
    assert "is ready" in prepare_database(str(path)).sentence
    assert "is ready" in inspect_database(f"sqlite:///{path}").sentence
    with pytest.raises(KnownError, match="memory"):
        inspect_database("memory")


def test_older_and_newer_tables_are_told_apart(postgres_server: PostgresServer, postgres_url: str) -> None:
    for revision, words in (("0001", "older version of the program (0001;"), ("9999", "newer version of the program")):
        postgres_server.execute(f"UPDATE alembic_version SET version_num = '{revision}'", name_of(postgres_url))
        try:
            found = inspect_database(postgres_url).sentence
        except KnownError as error:
            found = str(error)
        assert words in found


async def test_everything_of_the_desk_is_copied_to_an_empty_server(
    empty_postgres_url: str, make_desk: MakeDesk, postgres_server: PostgresServer
) -> None:
    desk = await make_desk()
    await desk.finished_run()
    dialog = desk.window.dialogs.settings()
    address = dialog.findChild(QLineEdit, "setting-database-url")
    assert address is not None
    address.setText(empty_postgres_url)
    press(dialog, "button-copy-to-database")
    await desk.window.settled()
    assert "1 runs" in said(dialog)
    assert "are copied" in said(dialog)
    (count,) = postgres_server.execute("SELECT count(*) FROM fills", name_of(empty_postgres_url))[0]
    assert count > 0
    press(dialog, "button-copy-to-database")
    await desk.window.settled()
    assert "empty" in said(dialog)


async def test_a_copy_is_stopped_and_leaves_nothing(empty_postgres_url: str, make_desk: MakeDesk, postgres_server: PostgresServer) -> None:
    desk = await make_desk()
    await desk.finished_run()
    dialog = desk.window.dialogs.settings()
    address, stop = dialog.findChild(QLineEdit, "setting-database-url"), dialog.findChild(QPushButton, "button-stop-database")
    assert address is not None
    assert stop is not None
    assert not stop.isEnabled()
    address.setText(empty_postgres_url)
    press(dialog, "button-copy-to-database")
    assert stop.isEnabled()
    stop.click()
    await desk.window.settled()
    assert said(dialog) == "It was stopped. Test the connection to see what is there."
    assert not stop.isEnabled()
    press(dialog, "button-test-database")
    await desk.window.settled()
    assert "no tables yet" in said(dialog)
