"""A run of the new-run dialog and one of the command line, on the same stored bars, fill the same."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QSpinBox, QWidget

from app.cli import main
from core.model.instants import iso
from core.model.run import RunMode, RunStatus
from tests.gui.window.conftest import Desk, MakeDesk
from ui.dialogs.new_run import NewRunDialog

DATA = Path(__file__).resolve().parents[2] / "data"
FILES = (
    ("spy-1d-yahoo.csv", "SPY", "1d"),
    ("eurusd-1h.csv", "EUR/USD", "1h"),
    ("btcusd-1m-2014.csv.gz", "BTC/USD", "1m"),
    ("aapl-1d-yahoo.csv", "AAPL", "1d"),
    ("goog-1d.csv", "GOOG", "1d"),
)
SMA = {"fast": "3", "slow": "9"}
RUNS = (
    pytest.param("sma-cross", ("SPY",), "1d", SMA, {}, id="sma-cross-SPY"),
    pytest.param("sma-cross", ("EUR/USD",), "1h", {**SMA, "qty": "1000.5"}, {}, id="sma-cross-EUR/USD"),
    pytest.param("sma-cross", ("BTC/USD",), "1m", {**SMA, "qty": "0.25"}, {"path": "ohlc"}, id="sma-cross-BTC/USD"),
    pytest.param("mean-reversion", ("SPY",), "1d", {"lookback": "10", "entry": "0.01"}, {}, id="mean-reversion-SPY"),
    pytest.param(
        "mean-reversion", ("EUR/USD",), "1h", {"lookback": "10", "entry": "0.001", "qty": "1000"}, {}, id="mean-reversion-EUR/USD"
    ),
    pytest.param("mean-reversion", ("BTC/USD",), "1m", {"lookback": "10", "entry": "0.001"}, {}, id="mean-reversion-BTC/USD"),
    pytest.param("pair-spread", ("AAPL", "GOOG"), "1d", {"lookback": "20", "entry": "1"}, {"cash": "25000"}, id="pair-spread"),
)
COSTS = {"fees": "bps:10", "slippage": "bps:5"}

FillRow = tuple[str, str, str, Decimal, Decimal, Decimal]
"""Time, symbol, side, qty, price and fee."""

W = TypeVar("W", bound=QWidget)


@pytest.fixture
def weaver(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`weaver("data", "list")` on the test's database: the document it prints."""
    import logging

    factory, level = logging.getLogRecordFactory(), logging.getLogger("alembic").level

    def call(*words: str) -> Any:
        code = main(["--db", str(tmp_path / "weaver.db"), *words, "--json"])
        said = capsys.readouterr()
        assert code == 0, said.err
        return json.loads(said.out)

    yield call
    logging.setLogRecordFactory(factory)
    logging.getLogger("alembic").setLevel(level)


@pytest.fixture
def by_command(
    weaver: Callable[..., Any], strategy: str, symbols: tuple[str, ...], timeframe: str, params: dict[str, str], more: dict[str, str]
) -> list[FillRow]:
    """What the command line fills, with all files imported before."""
    for name, symbol, length in FILES:
        weaver("data", "import", str(DATA / name), "--symbol", symbol, "--timeframe", length, "--on-bad", "skip")
    words = ["backtest", strategy, "--timeframe", timeframe]
    for symbol in symbols:
        words += ["--symbol", symbol]
    for name, value in params.items():
        words += ["--param", f"{name}={value}"]
    for name, value in (COSTS | more).items():
        words += [f"--{name}", value]
    return [
        (fill["time"], fill["symbol"], fill["side"], Decimal(fill["qty"]), Decimal(fill["price"]), Decimal(fill["fee"]))
        for fill in weaver(*words)["fills"]
    ]


def find(dialog: NewRunDialog, name: str, kind: type[W]) -> W:
    found = dialog.findChild(kind, name)
    assert found is not None, name
    assert found.isEnabled(), name
    return found


def enter(dialog: NewRunDialog, name: str, value: str) -> None:
    """Type or choose a value in the field of this name."""
    control = find(dialog, name, QWidget)
    if isinstance(control, QComboBox) and not control.isEditable():
        rows = [row for row in range(control.count()) if value in (control.itemText(row), control.itemData(row))]
        assert len(rows) == 1, (name, value)
        control.setCurrentIndex(rows[0])
        return
    line = control.lineEdit() if isinstance(control, QComboBox | QSpinBox) else control
    assert isinstance(line, QLineEdit), name
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, value)
    if isinstance(control, QSpinBox):
        QTest.keyClick(control, Qt.Key.Key_Tab)


async def run_of_window(
    desk: Desk, strategy: str, symbols: tuple[str, ...], timeframe: str, params: dict[str, str], more: dict[str, str]
) -> str:
    """Create and start a run as a person does; return its id when it has ended."""
    window = desk.window
    action = window.findChild(QAction, "action-new-run")
    assert action is not None
    action.trigger()
    await window.settled()
    dialog = window.findChild(NewRunDialog, "dialog-new-run")
    assert dialog is not None
    enter(dialog, "field-strategy", strategy)
    enter(dialog, "field-mode", RunMode.BACKTEST.value)
    for position, symbol in enumerate(symbols):
        enter(dialog, "field-symbols" if position == 0 else f"field-symbols-{position + 1}", symbol)
    enter(dialog, "field-timeframe", timeframe)
    for name, value in params.items():
        enter(dialog, f"param-{name}", value)
    for name, value in (COSTS | more).items():
        enter(dialog, f"field-{name}", value)
    created: list[str] = []
    dialog.run_created.connect(created.append)
    QTest.mouseClick(find(dialog, "button-create-and-start", QAbstractButton), Qt.MouseButton.LeftButton)
    await window.settled()
    assert len(created) == 1
    run = await desk.engine.wait_for_run(created[0])
    assert run.status is RunStatus.COMPLETED, run.error
    await window.settled()
    return run.id


@pytest.mark.parametrize(("strategy", "symbols", "timeframe", "params", "more"), RUNS)
async def test_the_window_and_the_command_line_fill_the_same(
    by_command: list[FillRow],
    make_desk: MakeDesk,
    tmp_path: Path,
    strategy: str,
    symbols: tuple[str, ...],
    timeframe: str,
    params: dict[str, str],
    more: dict[str, str],
) -> None:
    desk = await make_desk(database=str(tmp_path / "weaver.db"), with_bars=False)
    run_id = await run_of_window(desk, strategy, symbols, timeframe, params, more)
    by_window = [
        (iso(fill.time_ns), fill.symbol, fill.side.value, fill.qty, fill.price, fill.fee) for fill in await desk.engine.fills(run_id)
    ]
    assert len(by_window) > 1
    assert {symbol for _time, symbol, *_rest in by_window} <= set(symbols)
    assert by_window == by_command
    assert desk.window.tables["fills"].model.rowCount() == len(by_command)
