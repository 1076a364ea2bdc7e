"""`weaver trade --broker paper`: an account in the database that outlives the program, on the simulated market and on a broker's quotes."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.clock.realtime import SystemClock
from core.model.money import plain
from core.model.paper import AccountBooks
from core.store.database import DatabaseStore
from tests.broker.bench import environment_of, fake_broker
from tests.broker.server import SECRET
from tests.integration.cli.conftest import Weaver, read_until

Begin = Callable[..., "subprocess.Popen[str]"]
on_unix = pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
HOLDER = '''
from core.strategy.api import BarStrategy


class Holder(BarStrategy):
    """Buys at the start and holds."""

    id = "holder"

    def setup(self):
        self.buy(0.5)
'''


@pytest.fixture
def trade(weaver_home: Path) -> tuple[str, ...]:
    """The call that lets the strategy trade on the paper account."""
    folder = weaver_home / "strategies"
    folder.mkdir(parents=True)
    (folder / "holder.py").write_text(HOLDER)
    return ("trade", "holder", "--broker", "paper", "--timeframe", "1m", "--json")


def books_of(home: Path, feed: str) -> AccountBooks:
    """What the account holds."""

    async def load() -> AccountBooks | None:
        store = DatabaseStore(home / "weaver.db", SystemClock())
        await store.open()
        try:
            return await store.paper.load(feed)
        finally:
            await store.close()

    books = asyncio.run(load())
    assert books is not None
    return books


def events_of(weaver: Weaver, kind: str) -> list[Any]:
    found: list[Any] = weaver("events", "tail", "--type", kind, "--json").json()["events"]
    return found


@on_unix
def test_the_account_outlives_the_program_and_a_kill(
    begin: Begin, weaver_process: Weaver, weaver: Weaver, weaver_home: Path, trade: tuple[str, ...]
) -> None:
    quick = (*trade, "--symbol", "DEMO/USD", "--speed", "600")
    killed = begin(*quick, "--log-json")
    read_until(killed, '"orders.Filled"')
    killed.kill()
    killed.communicate()
    first = books_of(weaver_home, "sim")
    assert [(one.symbol, str(one.qty)) for one in first.account.holdings] == [("DEMO/USD", "0.5")]
    said = weaver_process(*quick, "--minutes", "3", WEAVER_PAPER_FEES="bps:10")
    assert said.code == 0, said.err
    document = said.json()
    (fill,) = document["fills"]
    assert float(fill["fee"]) == pytest.approx(0.5 * float(fill["price"]) / 1_000)
    second = books_of(weaver_home, "sim")
    assert second.account.number == first.account.number
    assert [str(one.qty) for one in second.account.holdings] == ["1.0"]
    assert second.executions[: len(first.executions)] == first.executions
    assert events_of(weaver, "live.Differed") == []
    assert "is connected for the first time" not in said.err
    (held,) = weaver("positions", "--broker", "paper", "--json").json()["positions"]
    assert (held["symbol"], float(held["qty"])) == ("DEMO/USD", 1.0)
    shown = weaver("account", "--broker", "paper", "--json").json()
    assert (shown["number"], shown["cash"]) == (second.account.number, plain(second.account.cash))
    assert weaver("orders", "list", "--broker", "paper").out.startswith("The paper account has no open orders.")
    (older, newer) = weaver("orders", "list", "--broker", "paper", "--since", "2020-01-01", "--json").json()["orders"]
    assert {older["status"], newer["status"]} == {"filled"}
    assert books_of(weaver_home, "sim") == second  # looking changes nothing
    checked = weaver("db", "check")
    assert checked.code == 0, checked.out


@on_unix
def test_a_second_program_is_told_who_has_the_account_and_leaves_nothing(
    begin: Begin, weaver_process: Weaver, weaver: Weaver, trade: tuple[str, ...]
) -> None:
    quick = (*trade, "--symbol", "DEMO/USD", "--speed", "600")
    first = begin(*quick, "--log-json")
    read_until(first, '"orders.Filled"')
    second = weaver_process(*quick)
    assert second.code == 1
    assert "error[held_elsewhere]: Account paper:" in second.err
    assert "Another program of this desk has the account open: end what trades there, or let the account go, and try again." in second.err
    assert [run["status"] for run in weaver("runs", "list", "--json").json()["runs"]] == ["running"]
    assert len(events_of(weaver, "run.Created")) == 1
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=60)


@pytest.mark.soak
@on_unix
def test_it_fills_at_a_brokers_quotes_and_no_order_reaches_that_broker(begin: Begin, weaver_home: Path, trade: tuple[str, ...]) -> None:
    with fake_broker() as server:
        environment = {**environment_of(server), "WEAVER_PAPER_FEED": "alpaca"}
        process = begin(*trade, "--symbol", "BTC/USD", "--log-json", **environment)
        read_until(process, '"orders.Filled"')  # the run begins with the next minute, up to a minute from now
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert not [name for name in server.requests if name.startswith(("POST", "DELETE", "PATCH", "GET /v2/account"))]
        assert SECRET not in out + err
    assert [fill["price"] for fill in json.loads(out)["fills"]] == ["42001.5"]
    books = books_of(weaver_home, "alpaca")
    assert [(one.symbol, str(one.qty)) for one in books.account.holdings] == [("BTC/USD", "0.5")]


@pytest.mark.parametrize(
    ("environment", "error"),
    [
        ({"WEAVER_PAPER_FEES": "bps"}, "error[invalid_value]: fees cannot be 'bps': write it as bps:N[:min]."),
        ({"WEAVER_PAPER_FEED": "alpaca"}, "error[no_keys]"),
        ({"WEAVER_PAPER_FEED": "alpacca"}, "error[unknown_name]: There is no adapter named 'alpacca'. Did you mean alpaca?"),
    ],
)
def test_settings_that_cannot_be_are_told(weaver_process: Weaver, trade: tuple[str, ...], environment: dict[str, str], error: str) -> None:
    said = weaver_process(*trade, "--symbol", "BTC/USD", **environment)
    assert said.code != 0
    assert error in said.err


def test_an_account_that_was_never_opened_is_not_there(weaver: Weaver) -> None:
    said = weaver("account", "--broker", "paper")
    assert (said.code, said.err.split(".")[0]) == (2, "error[input_error]: There is no paper account of this feed in the database yet")
    assert "Did you mean paper?" in weaver("positions", "--broker", "papr").err


def test_a_broker_goes_in_real_time(weaver_process: Weaver, trade: tuple[str, ...]) -> None:
    said = weaver_process(*trade, "--symbol", "BTC/USD", "--speed", "60", WEAVER_PAPER_FEED="alpaca")
    assert (said.code, said.err) == (
        2,
        "error[input_error]: --speed is of the simulated market, and paper goes in real time. Leave it out.\n",
    )
