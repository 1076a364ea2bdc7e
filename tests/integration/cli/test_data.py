"""`weaver data` on a real database."""

import gzip
from pathlib import Path

import pytest

from tests.integration.cli.conftest import HOURS, Weaver


def test_a_file_comes_in_and_is_listed(weaver: Weaver, hours: Path) -> None:
    first = weaver("data", "import", hours, "--symbol", "btc/usd", "--timeframe", "60m", "--json")
    assert first.code == 0, first.err
    document = first.json()
    assert (document["symbol"], document["timeframe"], document["source"], document["adjustment"]) == ("BTC/USD", "1h", "file", "raw")
    assert (document["rows"], document["taken"], document["refused"], document["added"]) == (8, 8, 0, 8)
    assert (document["first"], document["last"]) == ("2024-01-01T00:00:00Z", "2024-01-01T07:00:00Z")
    again = weaver("data", "import", hours, "--symbol", "BTC/USD", "--timeframe", "1h", "--json").json()
    assert (again["added"], again["identical"], again["changed"]) == (0, 8, 0)
    (stored,) = weaver("data", "list", "--json").json()["sets"]
    assert (stored["symbol"], stored["bars"], stored["simulated"]) == ("BTC/USD", 8, False)
    assert "BTC/USD" in weaver("data", "list").out


def test_changed_bars_are_counted(with_hours: Weaver, hours: Path) -> None:
    hours.write_text(hours.read_text().replace("9.75,10.5,8.5,9,7", "9.80,10.5,8.5,9,7"))
    report = with_hours("data", "import", hours, "--symbol", "BTC/USD", "--timeframe", "1h", "--json").json()
    assert (report["added"], report["identical"], report["changed"]) == (0, 7, 1)
    assert report["changed_examples"] == ["2024-01-01T06:00:00Z"]


def test_every_word_about_the_format_is_heard(weaver: Weaver, tmp_path: Path) -> None:
    path = tmp_path / "odd.txt.gz"
    lines = ["1704150000000;10;10.5;11;9;1", "1704150060000;10.5;10;11;9;2"]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    columns = "time,open,close,high,low,volume"
    said = weaver(
        "data", "import", path, "--symbol", "ETH/USD", "--timeframe", "1m", "--no-header", "--delimiter", ";", "--columns", columns,
        "--time-unit", "ms", "--source", "desk", "--adjustment", "split", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert (said.json()["source"], said.json()["adjustment"], said.json()["first"]) == ("desk", "split", "2024-01-01T23:00:00Z")
    out = tmp_path / "out.csv"
    assert weaver("data", "export", out, "--symbol", "ETH/USD").code == 0
    assert out.read_text().count("\n") == 3


def test_what_cannot_be_guessed_may_be_said(weaver: Weaver, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("2024-01-01~1~2~0.5~1.5\n2024-01-02~1~2~0.5~1.5\n")
    call = ("data", "import", path, "--symbol", "X", "--timeframe", "1d")
    assert weaver(*call).code == 1
    said = weaver(*call, "--columns", "time,open,high,low,close", "--delimiter", "~", "--no-header", "--json")
    assert said.code == 0, said.err
    assert said.json()["taken"] == 2


def test_a_zone_is_heard(weaver: Weaver, tmp_path: Path) -> None:
    path = tmp_path / "spx.csv"
    path.write_text("Date,Open,Close,High,Low\n11/05/2019 09:30,10,10,10,10\n11/05/2019 09:31,10,10,10,10\n")
    said = weaver(
        "data",
        "import",
        path,
        "--symbol",
        "SPX",
        "--timeframe",
        "1m",
        "--tz",
        "America/New_York",
        "--time-format",
        "%m/%d/%Y %H:%M",
        "--json",
    )
    assert said.code == 0, said.err
    assert said.json()["first"] == "2019-11-05T14:30:00Z"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--columns", "time,open,clse,high,low,volume"], "error[unknown_name]: There is no column named 'clse'. Did you mean close?"),
        (
            ["--columns", "time,open"],
            "error[input_error]: --columns names 2 columns and the file has 6. Name them all; - is a column that is not read.",
        ),
        (
            ["--tz", "America/New_Yrok"],
            "error[unknown_name]: There is no time zone named 'America/New_Yrok'. Did you mean America/New_York?",
        ),
        (["--on-bad", "skp"], "error[unknown_name]: There is no way with bad rows named 'skp'. Did you mean skip?"),
        (["--adjustment", "splt"], "error[unknown_name]: There is no adjustment named 'splt'. Did you mean split?"),
        (["--time-unit", "mss"], "error[unknown_name]: There is no time unit named 'mss'. Did you mean ms?"),
        (["--timeframe", "1hour"], "error[unknown_name]: There is no timeframe named '1hour'. Did you mean 1h?"),
        (["--symbol", "B T C"], "error[invalid_value]: symbol cannot be 'B T C': write it like SPY, BRK.B or BTC/USD."),
        (["--source", " "], "error[input_error]: --source is empty. Give the source a name, or leave the option out."),
        (
            ["--time-unit", "s", "--time-format", "%Y"],
            "error[input_error]: --time-unit and --time-format exclude each other. Times are numbers or text: give one of the two.",
        ),
    ],
)
def test_a_wrong_word_is_refused_with_the_near_one(weaver: Weaver, hours: Path, words: list[str], sentence: str) -> None:
    given = ["--symbol", "BTC/USD"] if "--symbol" not in words else []
    said = weaver("data", "import", hours, *given, *words)
    assert (said.code, said.out) == (2, "")
    assert said.err == sentence + "\n"
    assert weaver("data", "list", "--json").json() == {"sets": []}


def test_rows_that_contradict_themselves_stop_it_or_are_skipped(weaver: Weaver, hours: Path) -> None:
    hours.write_text(hours.read_text().replace("12,12.5,8.5,9,4", "12,8,8.5,9,4"))
    stopped = weaver("data", "import", hours, "--symbol", "BTC/USD", "--timeframe", "1h")
    assert stopped.code == 1
    assert stopped.err.startswith("error[bad_rows]: ")
    assert "Line 5" in stopped.err
    assert "--on-bad skip" in stopped.err
    assert weaver("data", "list", "--json").json() == {"sets": []}
    skipped = weaver("data", "import", hours, "--symbol", "BTC/USD", "--timeframe", "1h", "--on-bad", "skip", "--json").json()
    assert (skipped["taken"], skipped["refused"]) == (7, 1)
    assert skipped["bad_rows"][0]["line"] == 5
    assert sum(skipped["refused_by_reason"].values()) == 1


@pytest.mark.parametrize(("name", "content"), [("empty.csv", b""), ("binary.csv", bytes(range(256)) * 40), ("not-there.csv", None)])
def test_a_file_that_is_no_price_file_is_told(weaver: Weaver, tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    said = weaver("data", "import", tmp_path / name, "--symbol", "S", "--timeframe", "1d")
    assert said.code == 1
    assert said.err.startswith("error[unreadable_file]: ")
    assert name in said.err


def test_gaps_are_found(weaver: Weaver, hours: Path) -> None:
    hours.write_text("\n".join(line for line in hours.read_text().splitlines() if "T03:" not in line) + "\n")
    weaver("data", "import", hours, "--symbol", "BTC/USD", "--timeframe", "1h")
    (found,) = weaver("data", "gaps", "--symbol", "BTC/USD", "--json").json()["sets"]
    assert found["missing"] == 1
    assert found["gaps"] == [{"start": "2024-01-01T03:00:00Z", "end": "2024-01-01T04:00:00Z", "missing": 1}]
    assert "1 gaps, 1 bars missing" in weaver("data", "gaps").out


def test_what_is_exported_comes_in_again(with_hours: Weaver, tmp_path: Path) -> None:
    for ending in ("csv", "csv.gz", "parquet"):
        path = tmp_path / f"out.{ending}"
        assert with_hours("data", "export", path, "--symbol", "BTC/USD", "--json").json()["bars"] == len(HOURS)
        report = with_hours("data", "import", path, "--symbol", "BTC/USD", "--timeframe", "1h", "--json").json()
        assert (report["identical"], report["added"], report["changed"]) == (len(HOURS), 0, 0), ending


def test_sets_are_told_apart(with_hours: Weaver, hours: Path) -> None:
    assert with_hours("data", "import", hours, "--symbol", "BTC/USD", "--timeframe", "1h", "--source", "desk").code == 0
    unclear = with_hours("data", "delete", "--symbol", "BTC/USD")
    assert unclear.code == 2
    assert "2 stored sets fit" in unclear.err
    assert with_hours("data", "delete", "--symbol", "BTC/USD", "--source", "dsk").err.endswith("Did you mean desk?\n")
    assert with_hours("data", "delete", "--symbol", "BTC/USD", "--source", "desk").code == 0
    assert [item["source"] for item in with_hours("data", "list", "--json").json()["sets"]] == ["file"]
    assert with_hours("data", "delete").code == 2


def test_without_bars_the_next_step_is_named(weaver: Weaver) -> None:
    assert "weaver data import" in weaver("data", "list").out
    nothing = weaver("data", "gaps")
    assert nothing.code == 1
    assert nothing.err.startswith("error[no_bars]: No bars are stored yet.")
