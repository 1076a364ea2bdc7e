"""Nonsense for every argument and every option of every verb: one plain sentence, an exit code of the contract, and nothing changed."""

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from app.cli import build
from tests.integration.cli.conftest import Weaver

ODD: Final = ("", "1e400", "~nobody/x", "💥[/b]%s" + "x" * 300, "\udcff")
"""Nothing; a number without end; a home of nobody; signs of other systems, markup and a name too long; a byte that is no text."""
NEEDED: Final = {
    "backtest": ["sma-cross", "--symbol", "BTC/USD", "--timeframe", "1h"],
    "data download": ["--symbol", "BTC/USD", "--timeframe", "1h", "--start", "2024-01-01"],
    "trade": ["nothing-such", "--symbol", "DEMO", "--timeframe", "1m"],
    "orders place": ["SPY", "hold", "1"],
    "events tail": [],
}
"""What a call needs before an option can be the one thing that is wrong with it; without this: words that fit nowhere."""


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from leaves(below, (*path, name))
    else:
        yield path, command


VERBS: Final = dict(leaves(typer.main.get_command(build())))


def calls_of(path: tuple[str, ...]) -> Iterator[list[str]]:
    parameters = VERBS[path].params
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    needed = NEEDED.get(" ".join(path), ["nowhere"] * sum(one.required for one in arguments))
    for odd in ODD:
        for at in range(len(arguments)):
            words = [*needed[:at], odd, *needed[at + 1 :]]
            yield [*words[:at], "--", *words[at:]] if odd.startswith("-") else words
        for option in parameters:
            if option.param_type_name == "option" and not option.is_flag:
                yield [*needed, f"{max(option.opts, key=len)}={odd}"]


def newest(home: Path) -> int:
    """The newest event of the log: what changes anything tells of it."""
    with closing(sqlite3.connect(home / "weaver.db")) as database:
        return int(database.execute("select coalesce(max(seq), 0) from outbox").fetchone()[0])


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_nonsense_is_refused_in_one_sentence(
    with_hours: Weaver, weaver_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    before = newest(weaver_home)
    wrong = []
    for call in calls_of(path):
        said = with_hours(*path, *call)
        after = newest(weaver_home)
        lines = said.err.splitlines()
        is_told = len(lines) == 1 and lines[0].startswith("error[") and "error[bug]" not in lines[0] and len(lines[0]) < 2_000
        is_right = said.code in {0, 1, 2} and (said.code == 0 or is_told)
        if said.code == 2:
            is_right = is_right and said.out == "" and after == before
        if not is_right:
            wrong.append((call, said.code, said.err[:300], after - before))
        before = after
    assert wrong == []


def test_a_set_is_not_deleted_for_want_of_a_name(with_hours: Weaver) -> None:
    for option in ("--symbol", "--timeframe", "--source", "--adjustment"):
        said = with_hours("data", "delete", "--symbol", "BTC/USD", f"{option}=")
        assert (said.code, said.out) == (2, ""), option
    assert [item["bars"] for item in with_hours("data", "list", "--json").json()["sets"]] == [8]


@pytest.mark.parametrize("cash", ["1e400", "1e-400", "0", "-1", "nan"])
def test_an_account_without_figures_is_not_opened(with_hours: Weaver, cash: str) -> None:
    said = with_hours("backtest", "sma-cross", "--symbol", "BTC/USD", "--timeframe", "1h", "--cash", cash)
    assert (said.code, said.out) == (2, "")
    assert "cash cannot be" in said.err
    assert with_hours("runs", "list", "--json").json()["runs"] == []
