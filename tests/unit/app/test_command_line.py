"""Parsing of the line: common options, near names, and what this version refuses."""

from pathlib import Path

import pytest

from app.cli import main
from app.common_options import common_options_first
from app.start import WindowOptions
from core.errors import InputError


@pytest.mark.parametrize(
    ("line", "sorted_line"),
    [
        ("backtest x --db memory --json", "--db memory backtest x --json"),
        ("backtest x --db=memory", "--db=memory backtest x"),
        ("data list --debug --profile a --verbose", "--debug --profile a --verbose data list"),
        ("strategies show -- --db", "strategies show -- --db"),
        ("data import f.csv --symbol S", "data import f.csv --symbol S"),
        ("runs list --debugger", "runs list --debugger"),
    ],
)
def test_common_options_may_stand_anywhere(line: str, sorted_line: str) -> None:
    assert common_options_first(line.split()) == sorted_line.split()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("backtst", "error[unknown_name]: There is no verb named 'backtst'. Did you mean backtest?"),
        ("data lst", "error[unknown_name]: There is no verb of weaver data named 'lst'. Did you mean list?"),
        ("backtest x --symbl S", "error[input_error]: weaver backtest has no option --symbl. Did you mean --symbol?"),
        ("runs list --vebose", "error[input_error]: weaver runs list has no option --vebose. Did you mean --verbose?"),
        ("backtest", "error[input_error]: Missing argument 'strategy'. `weaver backtest --help` shows how it is called."),
        ("data", "error[input_error]: Missing command. `weaver data --help` shows how it is called."),
        (
            "backtest x --timeframe 1m",
            "error[input_error]: backtest does not know what to trade. Name it with --symbol, like --symbol SPY.",
        ),
        (
            "backtest x --symbol S",
            "error[input_error]: backtest does not know which bars to take. Name their length with --timeframe, like --timeframe 1m.",
        ),
        ("backtest x --equity", "error[input_error]: --equity is for --json. Add --json, or leave it out."),
        ("--demo runs list", "error[input_error]: --demo is for the window. Leave out --demo, or the verb runs."),
        ("--panel chart", "error[input_error]: --panel is for --screenshot. Add --screenshot FILE, or leave it out."),
        ("--theme drak", "error[unknown_name]: There is no theme named 'drak'. Did you mean dark?"),
        ("--screenshot a.jpg", "error[invalid_value]: --screenshot cannot be a.jpg: the file must end in .png."),
        ("--screenshot a.png --size big", "error[invalid_value]: --size cannot be 'big': write it like 1600x1000."),
        ("--profile ../x runs list", "error[invalid_value]: --profile cannot be '../x': use letters, digits, - and _, at most 40."),
        ("runs list --db", "error[input_error]: --db is followed by nothing. `weaver --help` shows what it takes."),
        (
            "events tail --limit x",
            "error[input_error]: Invalid value for '--limit': it must be a whole number."
            " `weaver events tail --help` shows how it is called.",
        ),
        (
            "trade sma-cross --speed fast",
            "error[input_error]: Invalid value for '--speed': it must be a number. `weaver trade --help` shows how it is called.",
        ),
        ("events tail --limit 0", "error[invalid_value]: --limit cannot be 0: it must be at least 1."),
        ("events tail --follow --limit -1", "error[invalid_value]: --limit cannot be -1: it must be at least 0."),
        ("events tail --follow --archive a.zst", "error[input_error]: Nothing is appended to an archive. Leave out --archive or --follow."),
    ],
)
def test_a_wrong_call_ends_in_one_sentence_and_exit_code_2(line: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    said = capsys.readouterr()
    assert said.err == sentence + "\n"
    assert said.out == ""


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "lst", "--debug"]) == 2
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("Did you mean list?\n")


def test_a_bug_is_told_with_the_place_of_its_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, weaver_home: Path
) -> None:
    def broken(call: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("app.doctor.examine", broken)
    assert main(["doctor"]) == 1
    said = capsys.readouterr()
    (kept,) = (weaver_home / "logs").glob("bug-*.txt")
    assert said.err == f"error[bug]: This is a bug in Weaver: ZeroDivisionError: of ours. Its traceback is kept in {kept}.\n"
    assert "of ours" in kept.read_text()


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "weaver 0.1.0\n"


@pytest.mark.parametrize("line", ["--help", "data --help", "data import --help", "backtest --help", "runs show --help"])
def test_help_fits_eighty_columns(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 0
    assert max(len(text) for text in capsys.readouterr().out.splitlines()) <= 80


def test_window_options_are_read() -> None:
    options = WindowOptions.parse(demo=True, theme="Dark", screenshot=Path("a.PNG"), size="1280X800", panel="dock-Chart")
    assert options.theme == "dark"
    assert options.size == (1280, 800)
    assert options.panel == "chart"
    assert options.screenshot is not None
    assert options.screenshot.is_absolute()


@pytest.mark.parametrize("size", ["10x10", "1600", "1600x", "99999x99999", "-5x400"])
def test_a_size_no_screen_has_is_refused(size: str) -> None:
    with pytest.raises(InputError, match="--size"):
        WindowOptions.parse(demo=False, theme=None, screenshot=None, size=size, panel=None)
