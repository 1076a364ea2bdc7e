"""What every verb prints with `--json`: one document, its keys, and what kind of value each is."""

import json
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from tests.broker.bench import environment_of, fake_broker
from tests.broker.keyring_memory import memory_keyring
from tests.broker.server import FakeBroker
from tests.integration.cli.conftest import Weaver

AMOUNTS: Final = frozenset(
    "qty price fee slippage entry_price exit_price pnl fees avg_price cash equity last_equity buying_power non_marginable_buying_power"
    " long_value short_value initial_margin maintenance_margin multiplier cost position_after buying_power_after qty_available"
    " market_value unrealised_pnl filled_qty limit_price stop_price end_equity".split()
)
"""Money, quantities and prices: decimals as text."""
TIMES: Final = frozenset("time entry_time exit_time start end created first last updated submitted".split())
STATS: Final = frozenset(
    "start_equity end_equity peak_equity total_return cagr volatility_ann sharpe sortino calmar omega max_drawdown max_drawdown_duration_s"
    " avg_drawdown ulcer_index exposure buy_hold_return alpha beta value_at_risk_95 cvar_95 skew kurtosis trades win_rate profit_factor"
    " expectancy avg_win avg_loss best_trade worst_trade avg_trade_duration_s sqn kelly fees slippage turnover long_trades short_trades"
    " mae mfe best_day worst_day max_consecutive_losses".split()
)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
HEAD: Final = "id strategy mode status params symbols timeframe start end bars elapsed_s manifest"
SET: Final = "symbol timeframe source adjustment bars first last updated simulated sha256 sealed"
EVENT: Final = "seq id type version kind run_id time causation_id corr_id trace_id producer payload"
RUN: Final = "run stats fills trades open_positions rejections"

DOCUMENTS: Final = {
    "runs list": ("runs", HEAD),
    "runs show RUN": (RUN, ""),
    "runs show RUN --equity": (f"{RUN} equity", ""),
    "runs verify RUN": ("run status same repeated whole sentence fills orders bars causes differences", ""),
    "runs delete RUN": ("deleted", ""),
    "events tail --limit 3": ("events", EVENT),
    "events show 3": ("chain cause_not_stored", f"{EVENT} step sentence"),
    "data list": ("sets", SET),
    "data gaps": ("sets", "symbol timeframe source adjustment missing gaps"),
    "data export FILE.csv --symbol BTC/USD": ("symbol timeframe source adjustment file bars", ""),
    "data seal --symbol BTC/USD": (SET, ""),
    "data unseal --symbol BTC/USD": (SET, ""),
    "data delete --symbol BTC/USD": ("deleted", ""),
    "data actions list": ("actions", ""),
    "strategies list": ("strategies", "id name version description params error"),
    "strategies show sma-cross": ("id name version description params", ""),
    "db upgrade": ("database", ""),
    "db check": ("clean looked_at findings", ""),
    "db export FILE.weaver": ("file rows", ""),
    "db vacuum": ("before after", ""),
    "db archives": ("archives", ""),
    "doctor": ("version state checks", "name state said"),
    "accounts list": ("accounts", "name adapter keys kept error"),
    "accounts adapters": ("folder adapters", "id name version description features error"),
    "account": ("account number status currency cash equity buying_power kind trading_blocked", ""),
    "orders list": ("account orders", ""),
    "positions": ("account positions", ""),
    "reconcile": ("account differences unhealed is_new orders", ""),
    "kill": ("level run_id seq trading carried_out", ""),
    "kill --flatten": ("level run_id seq trading carried_out", ""),
    "orders place SPY buy 1 --preview": ("qty price price_source cost position_after buying_power_after is_allowed verdicts", ""),
    "orders place SPY buy 1 --type limit --limit 1": ("", ""),
}  # fmt: skip
"""Call → keys of the document, and of each item of its first list."""
REFUSED: Final = {
    "runs show nowhere": 2,
    "runs parity RUN": 1,  # a backtest
    "runs stop RUN": 1,  # it is over
    "runs compare RUN RUN": 2,
    "orders cancel nothing": 2,
    "positions close AAPL": 2,
    "data export FILE.xyz --symbol BTC/USD": 2,
    "data import nowhere.csv --symbol S --timeframe 1m": 1,
    "events show 99999": 2,
    "strategies show nothing": 2,
    "backtest nothing --symbol BTC/USD --timeframe 1h": 2,
}


@pytest.fixture
def desk(with_hours: Weaver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Weaver]:
    """A `weaver` with a finished backtest, and an account at the fake broker that holds something and has an order working."""
    with memory_keyring(), fake_broker() as server:
        for name, value in environment_of(server).items():
            monkeypatch.setenv(name, value)
        _trade(server)
        done = with_hours(*"backtest sma-cross --symbol BTC/USD --timeframe 1h --param fast=1 --param slow=2 --json".split())
        assert done.code == 0, done.err
        monkeypatch.setenv("TEST_RUN", done.json()["run"]["id"])
        yield with_hours


def _trade(server: FakeBroker) -> None:
    filled = {"client_order_id": "a", "symbol": "SPY", "side": "buy", "type": "market", "qty": "3", "time_in_force": "day"}
    waiting = {**filled, "client_order_id": "b", "symbol": "SPY", "type": "limit", "limit_price": "1.5", "time_in_force": "gtc"}
    for body in (filled, waiting):
        server.do(lambda body=body: server.book.settle(server.book.place(body)))  # type: ignore[misc]


def call_of(line: str, run: str, folder: Path) -> list[str]:
    return [word.replace("RUN", run).replace("FILE", str(folder / "out")) for word in line.split()]


def no_constant(text: str) -> NoReturn:
    raise AssertionError(f"{text} is no JSON")


def assert_kinds(value: Any, key: str = "", *, of_figures: bool = False) -> None:
    if isinstance(value, dict):
        for name, below in value.items():
            assert re.fullmatch(r"[a-z0-9_]+", name) or key in {"params", "properties", "refused_by_reason", "rows"}, name
            assert_kinds(below, name, of_figures=of_figures or name in {"stats", "params", "payload", "run", "runs"})
    elif isinstance(value, list):
        for item in value:
            assert_kinds(item, key, of_figures=of_figures)
    elif key in TIMES and value is not None:
        assert isinstance(value, str), key
        assert _TIME.fullmatch(value), f"{key}: {value}"
    elif key in AMOUNTS and value is not None and not of_figures:
        assert isinstance(value, str), key
        assert Decimal(value).is_finite(), key
        assert "E" not in value.upper(), key


@pytest.mark.parametrize("line", DOCUMENTS)
def test_a_verb_prints_one_document_with_its_keys(desk: Weaver, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys, of_items = DOCUMENTS[line]
    said = desk(*call_of(line, os.environ["TEST_RUN"], tmp_path), "--json")
    assert (said.code, said.err) == (0, "")
    document = json.loads(said.out, parse_constant=no_constant)
    assert said.out.endswith("}\n")
    assert set(keys.split()) <= set(document)
    if of_items:
        lists = [value for value in document.values() if isinstance(value, list)]
        assert lists[0]
        for item in lists[0]:
            assert set(of_items.split()) <= set(item)
    if "stats" in document:
        assert set(document["stats"]) >= STATS
        assert all(figure is None or isinstance(figure, int | float) for figure in document["stats"].values())
    assert_kinds({name: value for name, value in document.items() if name != "equity"})


@pytest.mark.parametrize("line", REFUSED)
def test_a_refused_call_prints_nothing_on_stdout(desk: Weaver, line: str, tmp_path: Path) -> None:
    said = desk(*call_of(line, os.environ["TEST_RUN"], tmp_path), "--json")
    assert (said.code, said.out) == (REFUSED[line], "")
    assert re.fullmatch(r"error\[[a-z_]+\]: .+\n", said.err)
