"""The JSON document of a run: the outside contract, field by field."""

import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from app.console import print_json
from app.run_document import RunReport, run_document
from core.model.instants import HOUR_NS, parse_instant
from core.model.order import Fill, OrderSide, RejectCode, Rejection
from core.model.position import Position, PositionSide, Trade
from core.model.result import RunResult
from core.model.run import Manifest, ParamValue, Run, RunConfig, RunStatus

START = parse_instant("2024-01-02T00:00:00Z")


def a_report(start_ns: int | None = None, end_ns: int | None = None) -> RunReport:
    params: dict[str, ParamValue] = {"fast": 2, "slow": 3, "qty": 1.5}
    config = RunConfig(strategy_id="sma-cross", symbols=("BTC/USD",), timeframe="1h", params=params, start_ns=start_ns, end_ns=end_ns)
    run = Run(
        id="run-1",
        config=config,
        status=RunStatus.COMPLETED,
        created_ns=START,
        bars=3,
        bars_total=3,
        elapsed_s=0.25,
        first_bar_ns=START,
        last_bar_ns=START + 2 * HOUR_NS,
        manifest=Manifest(strategy_sha256="aa", bars_sha256="bb", engine="0.1.0"),
    )
    fill = Fill(
        id="f1", run_id="run-1", order_id="o1", symbol="BTC/USD", side=OrderSide.BUY, qty=Decimal("1.50"), price=Decimal("1E+3"),
        fee=Decimal("0.00"), slippage=Decimal(0), time_ns=START + HOUR_NS,
    )  # fmt: skip
    trade = Trade(
        symbol="BTC/USD", side=PositionSide.LONG, qty=Decimal(1), entry_ns=START, exit_ns=START + HOUR_NS, entry_price=Decimal("10.10"),
        exit_price=Decimal("9.5"), pnl=Decimal("-0.60"), fees=Decimal("0.02"), entry_order_id="o1", exit_order_id="o2",
    )  # fmt: skip
    result = RunResult(
        run_id="run-1",
        stats={"total_return": -0.006, "sharpe": None, "calmar": float("nan"), "omega": float("inf"), "trades": 1.0},
        equity_ns=np.array([START, START + HOUR_NS, START + 3 * HOUR_NS], np.int64),
        equity=np.array([100_000.0, float("nan"), 99_999.4]),
        trades=(trade,),
        open_positions=(Position(symbol="BTC/USD", qty=Decimal("0.5"), avg_price=Decimal("10.10")),),
        rejections=(Rejection(time_ns=START, order_id="o3", code=RejectCode.INSUFFICIENT_CASH, reason="2 × 90 is more than 100."),),
    )
    return RunReport(run=run, fills=[fill], result=result)


def test_the_document_has_the_contracts_form() -> None:
    assert run_document(a_report(), equity=False) == {
        "run": {
            "id": "run-1", "strategy": "sma-cross", "mode": "backtest", "status": "completed", "params": {"fast": 2, "slow": 3, "qty": 1.5},
            "symbols": ["BTC/USD"], "timeframe": "1h", "start": "2024-01-02T00:00:00Z", "end": "2024-01-02T03:00:00Z", "bars": 3,
            "elapsed_s": 0.25,
            "manifest": {"strategy_sha256": "aa", "bars_sha256": "bb", "engine": "0.1.0", "seed": 0, "actions_sha256": None},
            "cash": "100000", "fees": "none", "slippage": "none", "path": "adaptive",
            "account": {"kind": "cash", "borrow_rate": "0", "debit_rate": "0", "credit_rate": "0", "hard_to_borrow": []},
            "volume_cap": None, "trade_through": False, "close_at_end": False, "corporate_actions": True,
            "created": "2024-01-02T00:00:00Z", "demo": False, "error": None,
        },
        "stats": {"total_return": -0.006, "sharpe": None, "calmar": None, "omega": None, "trades": 1},
        "fills": [{
            "time": "2024-01-02T01:00:00Z", "symbol": "BTC/USD", "side": "buy", "qty": "1.5", "price": "1000", "fee": "0", "slippage": "0",
            "order_id": "o1", "path_dependent": False, "reason": None,
        }],
        "trades": [{
            "symbol": "BTC/USD", "side": "long", "entry_time": "2024-01-02T00:00:00Z", "exit_time": "2024-01-02T01:00:00Z", "qty": "1",
            "entry_price": "10.1", "exit_price": "9.5", "pnl": "-0.6", "fees": "0.02", "mae": None, "mfe": None,
        }],
        "open_positions": [{"symbol": "BTC/USD", "qty": "0.5", "avg_price": "10.1"}],
        "rejections": [{
            "time": "2024-01-02T00:00:00Z", "order_id": "o3", "code": "insufficient_cash", "reason": "2 × 90 is more than 100.",
        }],
    }  # fmt: skip


def test_the_period_that_was_asked_for_stands_in_the_document() -> None:
    asked = a_report(start_ns=START - HOUR_NS, end_ns=START + 9 * HOUR_NS)
    head = run_document(asked, equity=False)["run"]
    assert (head["start"], head["end"]) == ("2024-01-01T23:00:00Z", "2024-01-02T09:00:00Z")


def test_equity_comes_only_when_asked_for() -> None:
    assert "equity" not in run_document(a_report(), equity=False)
    assert run_document(a_report(), equity=True)["equity"] == {
        "time": ["2024-01-02T00:00:00Z", "2024-01-02T01:00:00Z", "2024-01-02T03:00:00Z"],
        "value": [100_000.0, None, 99_999.4],
    }


def test_times_between_the_seconds_are_exact() -> None:
    report = a_report()
    assert report.result is not None
    result = replace(report.result, equity_ns=report.result.equity_ns + 1_500_000)
    times = run_document(RunReport(run=report.run, fills=[], result=result), equity=True)["equity"]["time"]
    assert times[0] == "2024-01-02T00:00:00.001500Z"


def test_a_run_that_failed_before_its_first_bar_has_a_document_too() -> None:
    run = Run(
        id="r", config=a_report().run.config, status=RunStatus.ERROR, created_ns=START, error="It broke.", error_code="strategy_failed"
    )
    document = run_document(RunReport(run=run, fills=[], result=None), equity=True)
    assert document["run"]["error"] == {"code": "strategy_failed", "sentence": "It broke."}
    assert document["run"]["start"] is None
    assert document["run"]["manifest"] is None
    assert document["stats"] == {}
    assert document["equity"] == {"time": [], "value": []}


def test_what_is_printed_is_json_of_any_reader(capsys: pytest.CaptureFixture[str]) -> None:
    print_json(run_document(a_report(), equity=True))
    printed = capsys.readouterr().out

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(printed, parse_constant=refuse) == run_document(a_report(), equity=True)
