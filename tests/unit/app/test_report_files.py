"""Files of a report: where they may go, and that they appear whole or not at all."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from app.report_files import BESIDE, ENTRY_FIGURES, PAGE, ReportTarget, _put, account_csv, equity_csv, stats_json, trades_csv
from app.report_html import GENERATOR, report_page
from core.backtest.report import account
from core.errors import InputError, InvalidValue
from core.model.instants import iso
from core.model.money import plain
from core.model.report import Report
from core.model.run import Run
from core.model.statistics import STATISTICS
from tests.unit.app.test_report_page import entries, made


@pytest.fixture(scope="module")
def run_and_report() -> tuple[Run, Report]:
    return made()


def test_a_name_with_html_is_a_page_and_another_without_ending_a_folder(tmp_path: Path) -> None:
    page = tmp_path / "a.HTML"
    assert ReportTarget.of(page).files == (page,)
    folder = tmp_path / "out"
    assert ReportTarget.of(folder).files == (folder / PAGE, *(folder / name for name in BESIDE))
    (tmp_path / "with.dot").mkdir()
    assert ReportTarget.of(tmp_path / "with.dot").page == tmp_path / "with.dot" / PAGE
    with pytest.raises(InvalidValue, match=r"--report cannot be a\.pdf: name a file that ends in \.html, or a folder\."):
        ReportTarget.of(tmp_path / "a.pdf")


def test_a_report_of_ours_is_replaced_and_other_files_are_left_alone(tmp_path: Path, run_and_report: tuple[Run, Report]) -> None:
    page = tmp_path / "a.html"
    page.write_text("<p>mine</p>", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.html exists and is not a report of Weaver\. Name another place, or move it away\."):
        ReportTarget.of(page).check()
    page.write_text(report_page(*run_and_report, beside=False), encoding="utf-8")
    ReportTarget.of(page).check()
    (tmp_path / "trades.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"trades\.csv exists"):
        ReportTarget.of(tmp_path).check()
    # A folder that holds a report holds its files too.
    page.rename(tmp_path / PAGE)
    ReportTarget.of(tmp_path).check()


def test_a_place_that_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*nowhere for the report\. Make it, or name another place\."):
        ReportTarget.of(tmp_path / "nowhere" / "a.html").check()
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="is a file, not a folder"):
        ReportTarget.of(tmp_path / "file").check()
    (tmp_path / "out" / PAGE).mkdir(parents=True)
    with pytest.raises(InputError, match="exists and is not a report"):
        ReportTarget.of(tmp_path / "out").check()
    ReportTarget.of(tmp_path / "new" / "deep").check()


def test_what_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        _put(tmp_path / "a", "new \ud800")
    assert [(file.name, file.read_text(encoding="utf-8")) for file in tmp_path.iterdir()] == [("a", "old")]


def test_the_page_is_known_by_its_head(run_and_report: tuple[Run, Report]) -> None:
    assert GENERATOR in report_page(*run_and_report, beside=True)[:400]


def test_the_tables_read_back(run_and_report: tuple[Run, Report]) -> None:
    run, report = run_and_report
    rows = list(csv.DictReader(io.StringIO(trades_csv(report))))
    assert len(rows) == len(report.trades) == 10
    first = report.trades[0]
    assert (rows[0]["pnl"], rows[0]["mae"], rows[0]["entry_time"]) == (plain(first.pnl), repr(first.mae), iso(first.entry_ns))
    points = list(csv.DictReader(io.StringIO(equity_csv(report))))
    assert len(points) == len(report.equity)
    assert points[0]["time"] == "2024-01-01T00:00:00Z"
    np.testing.assert_array_equal([float(point["equity"]) for point in points], report.equity)
    assert set(points[0]) == {"time", "equity", "drawdown", "gross_exposure", "net_exposure", "benchmark"}
    document = json.loads(stats_json(run, report))
    assert set(document["stats"]) == {spec.key for spec in STATISTICS}
    assert document["by_symbol"][0]["trades"] == 10
    assert document["findings"][0]["code"] == report.findings[0].code
    assert document["benchmark"]["symbol"] == "BTC/USD"
    assert document["run"]["id"] == "r1"


def test_the_events_of_the_account_read_back() -> None:
    run, report = made(account=entries())
    rows = list(csv.DictReader(io.StringIO(account_csv(report))))
    assert [(row["time"], row["kind"], row["symbol"], row["amount"]) for row in rows] == [
        ("2024-01-01T00:00:00Z", "dividend_received", "SPY", "1250.5"),
        ("2024-01-02T00:00:00Z", "borrow_charged", "SPY", "-3.25"),
        ("2024-01-03T00:00:00Z", "margin_call", "", ""),
    ]
    assert (rows[0]["qty"], rows[0]["per_share"], rows[0]["equity"], rows[2]["required"]) == ("1000", "1.2505", "", "25")
    document = json.loads(stats_json(run, report))["account"]
    assert document["totals"][0] == {"symbol": "SPY", "kind": "dividend_received", "count": 1, "amount": "1250.5"}
    assert document["totals"][2] == {"symbol": None, "kind": "margin_call", "count": 1, "amount": None}
    assert document["periods"][1] == {"period": "2024-01-02", "count": 1, "amount": "-3.25", "amounts": {"borrow_charged": "-3.25"}}
    # A run in which nothing happened to the account has the head of the table.
    assert list(csv.DictReader(io.StringIO(account_csv(made()[1])))) == []


def test_what_is_written_in_pieces_is_whole(tmp_path: Path) -> None:
    _, report = made(points=45_000, pairs=1_200)
    rows = list(csv.DictReader(io.StringIO(trades_csv(report))))
    assert [row["pnl"] for row in rows] == [plain(trade.pnl) for trade in report.trades]
    text = equity_csv(report)
    points = list(csv.DictReader(io.StringIO(text)))
    np.testing.assert_array_equal([float(point["equity"]) for point in points], report.equity)
    assert text.count("time,equity") == 1
    assert len(text) > 2_000_000
    _put(tmp_path / "equity.csv", text)
    assert (tmp_path / "equity.csv").read_text(encoding="utf-8") == text


def test_every_figure_of_an_entry_has_its_column() -> None:
    assert account._FIGURES == ENTRY_FIGURES
