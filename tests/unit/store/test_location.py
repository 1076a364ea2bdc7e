"""The names of a place for data."""

from pathlib import Path

import pytest

from core.errors import InputError
from core.store.database import DatabaseStore
from core.store.location import database_path, store_at
from core.store.memory import MemoryStore
from tests.contract.samples import StillClock


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("desk.db", Path("desk.db")),
        ("some dir/desk.db", Path("some dir/desk.db")),
        ("sqlite:///desk.db", Path("desk.db")),
        ("sqlite:////var/lib/desk.db", Path("/var/lib/desk.db")),
        ("sqlite+aiosqlite:////var/lib/desk.db", Path("/var/lib/desk.db")),
        ("SQLITE:///desk.db", Path("desk.db")),
        ("sqlite:///my%20desk.db", Path("my desk.db")),
        ("./memory", Path("memory")),
        ("memory", None),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        (":memory:", None),
    ],
)
def test_a_name_leads_to_a_file_or_to_memory(url: str, path: Path | None) -> None:
    assert database_path(url) == path


@pytest.mark.parametrize(
    "url", ["postgresql://user:hush@desk/weaver", "postgres://user:hush@desk/weaver", "postgresql+asyncpg://user:hush@desk/weaver"]
)
def test_a_server_is_named_without_its_password(url: str, tmp_path: Path) -> None:
    store = store_at(url, StillClock())
    assert isinstance(store, DatabaseStore)
    assert store.where == "postgresql://user@desk/weaver"


def test_an_address_that_cannot_be_read_is_refused_without_the_password() -> None:
    with pytest.raises(InputError, match="%40") as raised:
        store_at("postgresql://user:hu/sh@desk:port/weaver", StillClock())
    assert "hu" not in raised.value.what
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("url", ["mysql://user:hush@desk/weaver", "http://desk", "", "  "])
def test_what_is_no_database_is_refused(url: str) -> None:
    with pytest.raises(InputError) as raised:
        database_path(url)
    assert "hush" not in str(raised.value)
    assert raised.value.todo


def test_home_is_spelled_out() -> None:
    found = database_path("~/desk.db")
    assert found == Path.home() / "desk.db"


def test_the_store_is_the_one_that_was_named(tmp_path: Path) -> None:
    assert isinstance(store_at("memory", StillClock()), MemoryStore)
    store = store_at(str(tmp_path / "desk.db"), StillClock())
    assert isinstance(store, DatabaseStore)
    assert store.where == str(tmp_path / "desk.db")
