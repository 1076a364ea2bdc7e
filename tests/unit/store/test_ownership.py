"""Who has a database open."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import AlreadyOpen
from core.store.ownership import Owners

_HOLD = """
import sys
from pathlib import Path
from core.store.ownership import Owners
owners = Owners(Path(sys.argv[1] + ".owners"), sys.argv[1])
owners.enter()
if "window" in sys.argv:
    owners.claim_window()
print(owners.name, flush=True)
sys.stdin.read()
"""


class _Holder:
    """Another process that holds its locks until it is killed."""

    def __init__(self, database: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(database), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.name = self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def _owners(database: Path) -> Owners:
    return Owners(Path(f"{database}.owners"), str(database))


def test_an_owner_is_alive_until_it_leaves(tmp_path: Path) -> None:
    one, other = _owners(tmp_path / "desk.db"), _owners(tmp_path / "desk.db")
    one.enter()
    other.enter()
    assert one.is_alive(one.name)
    assert one.is_alive(other.name)
    other.leave()
    assert not one.is_alive(other.name)
    assert one.is_alive(one.name)
    one.leave()
    assert list((tmp_path / "desk.db.owners").iterdir()) == []


def test_a_killed_process_is_dead_and_its_file_is_swept_up(tmp_path: Path) -> None:
    holder = _Holder(tmp_path / "desk.db")
    owners = _owners(tmp_path / "desk.db")
    try:
        assert owners.is_alive(holder.name)
    finally:
        holder.kill()
    left = tmp_path / "desk.db.owners" / f"{holder.name}.lock"
    assert left.exists()
    owners.enter()
    assert not left.exists()
    assert not owners.is_alive(holder.name)
    owners.leave()


def test_there_is_one_window_of_a_database(tmp_path: Path) -> None:
    holder = _Holder(tmp_path / "desk.db", "window")
    owners, elsewhere = _owners(tmp_path / "desk.db"), _owners(tmp_path / "other.db")
    owners.enter()
    elsewhere.enter()
    try:
        elsewhere.claim_window()
        with pytest.raises(AlreadyOpen, match=r"Another window has .*desk\.db open\. .*--db") as raised:
            owners.claim_window()
        assert raised.value.todo
    finally:
        holder.kill()
    owners.claim_window()
    owners.leave()
    elsewhere.leave()
