"""Words and figures of the terminal."""

from decimal import Decimal

import pytest
from rich.console import Console

from app.console import figure, percent, progress, short, table
from core.model.result import Progress


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234.50"), (-0.5, "−0.50"), (0.0, "0.00"), (None, "–"), (float("nan"), "–"), (float("inf"), "–")]
)
def test_a_figure_for_a_person(value: float | None, text: str) -> None:
    assert figure(value) == text


def test_a_fraction_is_shown_as_percent() -> None:
    assert percent(0.12345) == "12.35 %" or percent(0.12345) == "12.34 %"
    assert percent(-0.01) == "−1.00 %"
    assert percent(None) == "–"


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1", "1"), ("745.10", "745.1"), ("360.88051", "360.88051"), ("2245.24271111", "2245.24"), ("-3476.3576222", "-3476.36"),
     ("123456789.123", "123456789"), ("0.000123456789", "0.00012"), ("1E+3", "1000")],
)  # fmt: skip
def test_an_amount_takes_its_room_and_loses_no_whole_digit(amount: str, text: str) -> None:
    assert short(Decimal(amount)) == text


def test_a_table_gives_way_where_it_may_and_loses_no_letter(capsys: pytest.CaptureFixture[str]) -> None:
    long = "a sentence that is much longer than the terminal is wide, and that nobody wants to lose"
    Console(width=40).print(table(("key", "said"), [("figures", long), ("[bold]", "markup is text")], fold=("said",)))
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= 40
    assert "figures" in out
    assert "[bold]" in out
    assert [word for word in long.split() if word not in out] == []


def test_progress_is_silent_unless_it_is_wished_for(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(False) as tell:
        tell(Progress(done=1, total=2, what="bars"))
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_progress_is_a_line_for_each_tenth(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with progress(True) as tell:
        for done in range(0, 101, 5):
            tell(Progress(done=done, total=100, what="bars"))
        tell(Progress(done=3, total=0, what="of unknown length"))
    assert len(caplog.records) == 12
    assert caplog.records[-2].getMessage() == "bars: 100 of 100"
