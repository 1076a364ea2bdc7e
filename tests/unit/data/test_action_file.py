"""Files of splits and dividends: what is guessed, what is taken, what is refused and why."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from core.data.action_file import REASONS, ActionReading, read_actions
from core.errors import BadRows, UnreadableFile
from core.model.corporate_action import CorporateAction, Dividend, Split, day_number
from core.model.price_file import OnBad
from tests.unit.data.jobs import PlainJob


def split(day: str, ratio: str, symbol: str = "AAPL") -> CorporateAction:
    return Split(symbol=symbol, day=day_number(date.fromisoformat(day)), ratio=Decimal(ratio))


def dividend(day: str, amount: str, symbol: str = "AAPL") -> CorporateAction:
    return Dividend(symbol=symbol, day=day_number(date.fromisoformat(day)), amount=Decimal(amount))


def read(folder: Path, text: str, symbol: str | None = None, on_bad: OnBad = OnBad.FAIL) -> ActionReading:
    path = folder / "actions.csv"
    path.write_text(text, encoding="utf-8")
    return read_actions(path, symbol, on_bad, PlainJob())


BOTH = (split("2020-08-31", "4"), dividend("2020-11-06", "0.205"))


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("symbol,date,type,value\nAAPL,2020-08-31,split,4\nAAPL,2020-11-06,dividend,0.205\n", None),
        ("Ticker;Ex-Date;Action;Amount\naapl;31.08.2020;Stock Split;4:1\naapl;06.11.2020;Cash Dividend;0,205\n", None),
        ("date\ttype\tvalue\n11/06/2020\tdiv\t$0.205\n8/31/2020\tSPLIT\t4-for-1\n", "AAPL"),
        ("2020-08-31,split,4/1\n2020-11-06,dividend,.205\n", "AAPL"),
        ("AAPL,split,20200831,4 for 1\nAAPL,dividend,20201106,0.2050\n", None),
        ("# actions of a year\n\nvalue,type,date,symbol\n8:2,split,2020/08/31,AAPL\n0.205,dividend,2020/11/06,AAPL,\n", None),
        (
            "Date,Dividends,Stock Splits\n2020-08-31 00:00:00-04:00,0.0,4.0\n2020-11-06 00:00:00-05:00,0.205,0.0\n2020-11-09,0,\n",
            "AAPL",
        ),
        (",dividend,split\n2020-08-31,,4\n2020-11-06,0.205,\n", "AAPL"),
    ],
    ids=[
        "plain",
        "semicolons and decimal commas",
        "tabs",
        "no header",
        "no header, with symbol",
        "odd order",
        "wide",
        "wide with an index",
    ],
)
def test_a_file_is_read_however_it_is_written(tmp_path: Path, text: str, symbol: str | None) -> None:
    assert read(tmp_path, text, symbol).actions == BOTH


def test_a_row_may_hold_a_split_and_a_dividend(tmp_path: Path) -> None:
    reading = read(tmp_path, "date,dividends,splits\n2020-08-31,0.2,4\n", "AAPL")
    assert reading.actions == (split("2020-08-31", "4"), dividend("2020-08-31", "0.2"))
    assert (reading.rows, reading.refused) == (1, 0)


@pytest.mark.parametrize(("text", "ratio"), [("1:10", "0.1"), ("3:2", "1.5"), ("1/3", "0.3333333333333333333333333333"), ("1.05", "1.05")])
def test_a_ratio_is_new_shares_for_each_old_one(tmp_path: Path, text: str, ratio: str) -> None:
    assert read(tmp_path, f"symbol,date,type,value\nAAPL,2020-08-31,split,{text}\n").actions == (split("2020-08-31", ratio),)


@pytest.mark.parametrize(
    ("row", "reason", "figure"),
    [
        ("AAPL,2020-08-31,split", "missing_column", "3 cells"),
        ("AAPL,2020-08-31,split,4,5", "extra_column", "5 cells"),
        ("AA PL,2020-08-31,split,4", "bad_symbol", "'AA PL'"),
        ("AAPL,2020-02-30,split,4", "bad_date", "'2020-02-30'"),
        ("AAPL,0202-02-03,split,4", "bad_date", "'0202-02-03'"),
        ("AAPL,2020-08-31,spinoff,4", "unknown_type", "'spinoff'"),
        ("AAPL,2020-08-31,split,four", "not_a_number", "4:1"),
        ("AAPL,2020-08-31,split,4:0", "not_a_number", "'4:0'"),
        ("AAPL,2020-08-31,dividend,1:2", "not_a_number", "cash per share"),
        ('AAPL,2020-08-31,dividend,"1,234"', "not_a_number", "'1,234'"),
        ("AAPL,2020-08-31,dividend,1e5", "not_a_number", "'1e5'"),
        ("AAPL,2020-08-31,dividend,nan", "not_a_number", "'nan'"),
        ("AAPL,2020-08-31,dividend,", "not_a_number", "''"),
        ("AAPL,2020-08-31,dividend,-0.2", "not_positive", "-0.2"),
        ("AAPL,2020-08-31,split,0", "not_positive", "0"),
        ("AAPL,2020-01-02,dividend,0.3", "duplicate", "line 2"),
    ],
)
def test_a_bad_row_is_refused_with_its_line_and_reason(tmp_path: Path, row: str, reason: str, figure: str) -> None:
    text = f"symbol,date,type,value\nAAPL,2020-01-02,dividend,0.3\n\n{row}\nAAPL,2020-09-01,dividend,0.1\n"
    with pytest.raises(BadRows, match=r"nothing was imported\. Line 4: ") as refused:
        read(tmp_path, text)
    assert refused.value.refused_by_reason == {reason: 1}
    assert reason in REASONS
    reading = read(tmp_path, text, on_bad=OnBad.SKIP)
    assert reading.actions == (dividend("2020-01-02", "0.3"), dividend("2020-09-01", "0.1"))
    assert (reading.rows, reading.refused) == (3, 1)
    (bad,) = reading.bad_rows
    assert (bad.line, bad.reason) == (4, reason)
    assert figure in bad.detail


def test_of_a_named_symbol_only_its_own_rows_are_taken(tmp_path: Path) -> None:
    text = "symbol,date,type,value\nAAPL,2020-08-31,split,4\nTSLA,2020-08-31,split,5\n"
    reading = read(tmp_path, text, "TSLA", OnBad.SKIP)
    assert reading.actions == (split("2020-08-31", "5", "TSLA"),)
    assert dict(reading.refused_by_reason) == {"other_symbol": 1}


def test_a_month_first_that_is_only_supposed_is_said(tmp_path: Path) -> None:
    reading = read(tmp_path, "symbol,date,type,value\nAAPL,03/04/2020,split,4\n")
    assert reading.actions == (split("2020-03-04", "4"),)
    assert reading.said == ["Dates like 03/04/2020 were read with the month first."]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is empty"),
        ("symbol,date,type,value\n", "no rows below it"),
        ("Date,Open,High,Low,Close\n2020-01-02,1,2,0.5,1\n", "does not look like splits and dividends"),
        ("hello\nworld\n", "does not look like splits and dividends"),
        ("date,type,value\n2020-01-02,split,2\n", "does not name the symbols"),
        ("2020-01-02,split,2\n", "does not name the symbols"),
        ("symbol,date,type,value\nAAPL,x,split,4\n", "None of the 1 rows"),
        ("symbol,date,dividends\nAAPL,2020-01-02,0\n", "holds no action"),
    ],
)
def test_what_is_no_file_of_actions_is_told_so(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(UnreadableFile, match=what):
        read(tmp_path, text, on_bad=OnBad.SKIP)


def test_at_most_a_thousand_bad_rows_are_listed_and_all_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"AAPL,x{number},split,4\n" for number in range(1_500))
    reading = read(tmp_path, f"symbol,date,type,value\nAAPL,2020-01-02,split,2\n{rows}", on_bad=OnBad.SKIP)
    assert (reading.refused, len(reading.bad_rows)) == (1_500, 1_000)
