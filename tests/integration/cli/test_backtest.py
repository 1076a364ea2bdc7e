"""`weaver backtest`, `runs`, `events` and `strategies` on a real database."""

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Weaver

CROSS = ("backtest", "sma-cross", "--symbol", "BTC/USD", "--timeframe", "1h", "--param", "fast=1", "--param", "slow=2")


def test_the_document_holds_the_run(with_hours: Weaver) -> None:
    said = with_hours(*CROSS, "--param", "qty=2", "--fees", "bps:10", "--equity", "--json")
    assert (said.code, said.err) == (0, "")
    document = said.json()
    run = document["run"]
    assert run["params"] == {"fast": 1, "slow": 2, "qty": 2.0}
    assert (run["status"], run["mode"], run["bars"], run["symbols"], run["timeframe"]) == ("completed", "backtest", 8, ["BTC/USD"], "1h")
    assert (run["start"], run["end"]) == ("2024-01-01T00:00:00Z", "2024-01-01T08:00:00Z")
    assert set(run["manifest"]) >= {"strategy_sha256", "bars_sha256", "engine"}
    told = [(fill["time"], fill["side"], fill["qty"], fill["price"], fill["fee"]) for fill in document["fills"]]
    # The close of 04:00 rose above the one before, so it buys at the open of 05:00; the close of 05:00 fell.
    assert told == [("2024-01-01T05:00:00Z", "buy", "2", "10.25", "0.0205"), ("2024-01-01T06:00:00Z", "sell", "2", "9.75", "0.0195")]
    (trade,) = document["trades"]
    assert (trade["side"], trade["pnl"], trade["fees"]) == ("long", "-1.04", "0.04")
    assert document["open_positions"] == []
    assert document["stats"]["end_equity"] == pytest.approx(99_998.96)
    assert document["stats"]["trades"] == 1
    assert document["equity"]["time"][0] == run["start"]
    assert document["equity"]["time"][-1] == run["end"]
    assert len(document["equity"]["value"]) == 9


def test_the_report_for_people_fits_eighty_columns(with_hours: Weaver) -> None:
    said = with_hours(*CROSS)
    assert said.code == 0
    assert "sma-cross on BTC/USD, 1h: completed" in said.out
    assert max(len(line) for line in said.out.splitlines()) <= 80
    assert "\x1b" not in said.out


def test_the_report_of_two_symbols_fits_eighty_columns(with_hours: Weaver, tmp_path: Path) -> None:
    rows = ["time,open,high,low,close,volume"]
    rows += [f"{1_704_067_200 + 3600 * hour},{100 + hour % 7},110,90,{100 + (hour * 5) % 9}.123456,1" for hour in range(300)]
    for name, digit in (("ETH/USD", "1"), ("SOL/USD", "2")):
        (tmp_path / "two.csv").write_text("\n".join(row.replace(".123456", f".{digit}23456") for row in rows[:: int(digit)]) + "\n")
        assert with_hours("data", "import", tmp_path / "two.csv", "--symbol", name, "--timeframe", "1h").code == 0
    said = with_hours(
        "backtest", "pair-spread", "--symbol", "ETH/USD", "--symbol", "SOL/USD", "--timeframe", "1h", "--param", "lookback=10"
    )
    assert said.code == 0, said.err
    assert "pair-spread on ETH/USD, SOL/USD" in said.out
    tables = [line for line in said.out.splitlines() if not line.startswith("Parameters")]
    assert max(len(line) for line in tables) <= 80


def test_the_start_cash_is_the_setting_unless_it_is_said(with_hours: Weaver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_hours(*CROSS, "--json").json()["run"]["cash"] == "100000"
    monkeypatch.setenv("WEAVER_RUN_CASH", "2500.5")
    assert with_hours(*CROSS, "--json").json()["run"]["cash"] == "2500.5"
    assert with_hours(*CROSS, "--json", "--cash", "1e4").json()["run"]["cash"] == "10000"


def test_a_period_is_kept_to(with_hours: Weaver) -> None:
    run = with_hours(*CROSS, "--start", "2024-01-01T04:00:00Z", "--end", "2024-01-02", "--json").json()["run"]
    assert (run["start"], run["end"], run["bars"]) == ("2024-01-01T04:00:00Z", "2024-01-02T00:00:00Z", 4)


def test_what_cannot_be_paid_is_listed_with_its_figures(with_hours: Weaver) -> None:
    document = with_hours(*CROSS, "--cash", "5", "--json").json()
    assert document["fills"] == []
    (refused,) = document["rejections"]
    assert refused["code"] == "insufficient_cash"
    assert "10.25" in refused["reason"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["sma-cros", "--symbol", "BTC/USD", "--timeframe", "1h"], "no strategy named 'sma-cros'. Did you mean sma-cross?"),
        (["sma-cross", "--symbol", "BTC/USDT", "--timeframe", "1h"], "Did you mean BTC/USD?"),
        (["sma-cross", "--symbol", "BTC/USD", "--timeframe", "1d"], "Did you mean 1h?"),
        (["sma-cross", "--symbol", "BTC/USD", "--timeframe", "hour"], "There is no timeframe named 'hour'"),
        ([*CROSS[1:], "--param", "qyt=1"], "Did you mean qty?"),
        ([*CROSS[1:6], "--param", "fast"], "--param fast is not a name and a value."),
        ([*CROSS[1:], "--param", "fast=3"], "--param fast is given twice."),
        ([*CROSS[1:6], "--param", "fast=0"], "fast cannot be 0: it must be at least 1."),
        ([*CROSS[1:6], "--param", "fast=many"], "fast cannot be 'many': it is not a number."),
        ([*CROSS[1:6], "--param", "qty=0"], "qty cannot be 0"),
        ([*CROSS[1:6], "--param", "qty=-1"], "qty cannot be -1"),
        ([*CROSS[1:], "--cash", "0"], "cash cannot be 0: it must be above zero."),
        ([*CROSS[1:], "--cash", "-100"], "cash cannot be -100: it must be above zero."),
        ([*CROSS[1:], "--cash", "nan"], "--cash cannot be nan: it must be a finite number."),
        ([*CROSS[1:], "--cash", "lots"], "--cash cannot be 'lots': it is not a number."),
        ([*CROSS[1:], "--start", "2024-02-01", "--end", "2024-01-01"], "it must be after the start, 2024-02-01T00:00:00Z."),
        ([*CROSS[1:], "--start", "01/02/2024"], "--start cannot be '01/02/2024': write it as 2024-01-31"),
        ([*CROSS[1:], "--path", "olch"], "Did you mean olhc?"),
        ([*CROSS[1:], "--fees", "bsp:1"], "Did you mean bps?"),
        ([*CROSS[1:], "--fees", "bps:x"], "fees cannot be 'bps:x': the number of basis points is 'x', which is not a number."),
        ([*CROSS[1:], "--slippage", "bps:-1"], "slippage cannot be"),
        ([*CROSS[1:], "--fees", "pershare:1"], "Did you mean per-share?"),
        ([*CROSS[1:], "--slippage", "spred:1"], "Did you mean spread?"),
        ([*CROSS[1:], "--path", "pesimistic"], "Did you mean pessimistic?"),
        ([*CROSS[1:], "--account", "mrgin"], "There is no account named 'mrgin'. Did you mean margin?"),
        ([*CROSS[1:], "--borrow-rate", "0.05"], "--borrow-rate is for a margin account. Add --account margin, or leave it out."),
        ([*CROSS[1:], "--hard-to-borrow", "BTC/USD"], "--hard-to-borrow is for a margin account."),
        ([*CROSS[1:], "--account", "margin", "--hard-to-borrow", "BTC/USDT"], "Did you mean BTC/USD?"),
        ([*CROSS[1:], "--account", "margin", "--debit-rate", "5%"], "--debit-rate cannot be '5%': it is not a number."),
        ([*CROSS[1:], "--credit-rate", "-0.01"], "credit_rate cannot be -0.01: a rate is a fraction a year"),
        ([*CROSS[1:], "--volume-cap", "10"], "volume_cap cannot be 10: it is a share of the bar's volume, above 0 and at most 1."),
        ([*CROSS[1:], "--volume-cap", "some"], "--volume-cap cannot be 'some': it is not a number."),
        ([*CROSS[1:], "--symbol", "BTC/USD"], "symbols cannot be BTC/USD, BTC/USD: one is named twice."),
        ([*CROSS[1:], "--source", "fil"], "Did you mean file?"),
        ([*CROSS[1:], "--adjustment", "rw"], "Did you mean raw?"),
    ],
)
def test_a_wrong_call_makes_no_run(with_hours: Weaver, words: list[str], part: str) -> None:
    said = with_hours("backtest", *words, "--json")
    assert (said.code, said.out) == (2, "")
    assert part in said.err
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    assert with_hours("runs", "list", "--json").json() == {"runs": []}


TERMS = (
    "--account", "margin", "--borrow-rate", "0.03", "--debit-rate", "5e-2", "--credit-rate", "0.01", "--hard-to-borrow", "btc/usd",
    "--volume-cap", "0.10", "--path", "pessimistic", "--fees", "bps:10:1", "--slippage", "spread:4", "--trade-through",
    "--close-at-end", "--no-actions",
)  # fmt: skip


def test_costs_and_account_are_kept_with_the_run_and_shown_where_they_differ(with_hours: Weaver) -> None:
    run = with_hours(*CROSS, *TERMS, "--json").json()["run"]
    assert run["account"] == {
        "kind": "margin", "borrow_rate": "0.03", "debit_rate": "0.05", "credit_rate": "0.01", "hard_to_borrow": ["BTC/USD"],
    }  # fmt: skip
    assert (run["fees"], run["slippage"], run["path"], run["volume_cap"]) == ("bps:10:1", "spread:4", "pessimistic", "0.1")
    assert (run["trade_through"], run["close_at_end"], run["corporate_actions"]) == (True, True, False)
    shown = with_hours("runs", "show", run["id"]).out
    assert "fees bps:10:1, slippage spread:4." in shown
    assert (
        "Margin account, shorts pay 3 % a year, debit pays 5 % a year, cash earns 1 % a year; not shortable: BTC/USD; "
        "at most 10 % of a bar's volume; path pessimistic; limits fill only when traded through; positions closed at the end; "
        "without splits and dividends."
    ) in shown


def test_a_run_without_such_words_has_the_defaults(with_hours: Weaver) -> None:
    run = with_hours(*CROSS, "--json").json()["run"]
    assert run["account"] == {"kind": "cash", "borrow_rate": "0", "debit_rate": "0", "credit_rate": "0", "hard_to_borrow": []}
    assert (run["volume_cap"], run["trade_through"], run["close_at_end"], run["corporate_actions"]) == (None, False, False, True)
    lines = with_hours("runs", "show", run["id"]).out.splitlines()
    assert lines[2].startswith("Parameters: ")
    assert lines[3].strip() == ""


def test_a_period_without_bars_is_no_wrong_call(with_hours: Weaver) -> None:
    said = with_hours(*CROSS, "--start", "2030-01-01")
    assert said.code == 1
    assert said.err.startswith("error[no_bars]: ")
    assert "2024-01-01T07:00:00Z" in said.err


BROKEN = {
    "raises in setup": ("def setup(self):\n        raise ValueError('of the strategy')", "strategy_failed", "of the strategy"),
    "raises in a bar": ("def on_bar(self, bar):\n        return 1 / 0", "strategy_failed", "division by zero"),
    "is nonsense": ("def on_tick(self, tick):\n        return 'buy everything'", "nonsense_action", ""),
    "too slow": ("def on_bar(self, bar):\n        while True:\n            pass", "strategy_too_slow", ""),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_strategy_that_fails_ends_its_run_in_words(
    how: str, with_hours: Weaver, weaver_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, code, part = BROKEN[how]
    monkeypatch.setenv("WEAVER_RUN_CALLBACK_LIMIT_S", "0.3")
    base = "Strategy" if "on_tick" in method else "BarStrategy"
    source = f'from core.strategy.api import {base}\n\n\nclass Bad({base}):\n    """Fails."""\n\n    id = "bad"\n\n    {method}\n'
    (weaver_home / "strategies" / "bad.py").write_text(source)
    said = with_hours("backtest", "bad", "--symbol", "BTC/USD", "--timeframe", "1h", "--json")
    assert said.code == 1
    assert said.err.startswith(f"error[{code}]: ")
    assert part in said.err
    assert "Traceback" not in said.err
    document = said.json()
    assert document["run"]["status"] == "error"
    assert document["run"]["error"]["code"] == code
    assert with_hours("runs", "list", "--json").json()["runs"][0]["status"] == "error"


def test_a_strategy_that_stops_its_run_has_not_failed(with_hours: Weaver, weaver_home: Path) -> None:
    source = 'from core.strategy.api import BarStrategy\n\n\nclass Short(BarStrategy):\n    """Stops."""\n\n    id = "short"\n\n'
    (weaver_home / "strategies" / "short.py").write_text(source + "    def on_bar(self, bar):\n        self.stop_run('enough')\n")
    said = with_hours("backtest", "short", "--symbol", "BTC/USD", "--timeframe", "1h", "--json")
    assert (said.code, said.err) == (0, "")
    assert said.json()["run"]["status"] == "stopped"


def test_runs_are_kept_shown_and_removed(with_hours: Weaver) -> None:
    document = with_hours(*CROSS, "--json").json()
    run_id = document["run"]["id"]
    assert with_hours("runs", "show", run_id[:6], "--json").json() == document
    assert run_id in with_hours("runs", "list").out
    assert with_hours("runs", "show", run_id).out == with_hours("runs", "show", run_id[:8]).out
    assert with_hours("runs", "stop", run_id).err.startswith("error[run_not_stoppable]: ")
    assert with_hours("runs", "delete", run_id).code == 0
    gone = with_hours("runs", "show", run_id)
    assert (gone.code, gone.out) == (2, "")
    assert with_hours("runs", "list", "--json").json() == {"runs": []}


@pytest.mark.parametrize("verb", [("runs", "delete"), ("runs", "stop"), ("runs", "close"), ("kill", "--run")])
def test_what_ends_or_removes_a_run_wants_enough_of_its_id(with_hours: Weaver, verb: tuple[str, ...]) -> None:
    run_id = with_hours(*CROSS, "--json").json()["run"]["id"]
    for count in (1, 5):
        said = with_hours(*verb, run_id[:count])
        assert (said.code, said.out) == (2, "")
        sentence = f"run cannot be {run_id[:count]}: to end, change or remove one takes 6 signs of its id at least. {run_id} begins so."
        assert said.err == f"error[invalid_value]: {sentence}\n"
    assert [run["id"] for run in with_hours("runs", "list", "--json").json()["runs"]] == [run_id]
    assert with_hours("events", "tail", "--type", "risk.*", "--json").json()["events"] == []
    assert with_hours(*verb, run_id[:6]).code == (1 if verb[1] in {"stop", "close"} else 0)


def test_runs_of_one_database_are_not_in_another(with_hours: Weaver, tmp_path: Path) -> None:
    with_hours(*CROSS)
    assert with_hours("runs", "list", "--json", "--db", f"sqlite:///{tmp_path / 'other.db'}").json() == {"runs": []}
    assert with_hours("--profile", "desk", "runs", "list", "--json").json() == {"runs": []}
    assert with_hours("runs", "list", "--json", "--db", "memory").json() == {"runs": []}
    assert len(with_hours("runs", "list", "--json").json()["runs"]) == 1


def test_from_a_fill_one_walks_back_to_the_decision(with_hours: Weaver) -> None:
    with_hours(*CROSS, "--trace")
    (bought, _) = with_hours("events", "tail", "--type", "orders.Filled", "--json").json()["events"]
    chain = with_hours("events", "show", str(bought["seq"]), "--json").json()
    types = [event["type"] for event in chain["chain"]]
    assert types[-1] == "orders.Filled"
    assert "strategy.PlaceRequest" in types
    assert types[0] == "clock.Tick"
    assert chain["cause_not_stored"] is None
    assert "orders.Filled" in with_hours("events", "show", str(bought["seq"])).out


def test_events_are_filtered_and_counted_from_the_end(with_hours: Weaver) -> None:
    run_id = with_hours(*CROSS, "--json").json()["run"]["id"]
    last = with_hours("events", "tail", "--run", run_id, "--limit", "1", "--json").json()["events"]
    assert [event["type"] for event in last] == ["run.Completed"]
    unknown = with_hours("events", "tail", "--type", "order.*")
    assert unknown.code == 2
    assert "Did you mean orders.*?" in unknown.err
    assert with_hours("events", "show", "99999").code == 2


def test_strategies_are_listed_and_a_broken_one_stops_nothing(weaver: Weaver, weaver_home: Path) -> None:
    assert weaver("strategies", "list").code == 0
    assert list((weaver_home / "strategies").iterdir()) == []
    (weaver_home / "strategies" / "oops.py").write_text("class Broken(:\n")
    found = {item["id"]: item for item in weaver("strategies", "list", "--json").json()["strategies"]}
    assert {"sma-cross", "mean-reversion", "oops"} <= set(found)
    assert found["sma-cross"]["error"] is None
    assert found["oops"]["error"]
    assert "oops.py" in weaver("strategies", "list").out
    schema = weaver("strategies", "show", "sma-cross", "--json").json()["params"]
    assert schema["properties"]["fast"] == {
        "type": "integer", "default": 10, "description": "Bars in the fast average.", "minimum": 1, "maximum": 10_000,
    }  # fmt: skip
    assert "slow" in weaver("strategies", "show", "sma-cross").out
    assert "0.00000001" in weaver("strategies", "show", "sma-cross").out
    said = weaver("strategies", "show", "oops").out
    assert said.startswith("oops\n")
    assert "It cannot be loaded: oops.py, line 1" in said.replace("\n", " ")
    assert weaver("strategies", "show", "sma-crss").err.endswith("Did you mean sma-cross?\n")
    broken = weaver("backtest", "oops", "--symbol", "S", "--timeframe", "1d")
    assert broken.code == 1
    assert broken.err.startswith("error[strategy_broken]: ")


def test_what_a_plugin_prints_does_not_get_into_the_document(with_hours: Weaver, weaver_home: Path) -> None:
    body = 'class Loud(BarStrategy):\n    """Prints."""\n\n    id = "loud"\n\n'
    body += '    def on_bar(self, bar):\n        print("heard at the bar")\n'
    (weaver_home / "strategies").mkdir(exist_ok=True)
    (weaver_home / "strategies" / "loud.py").write_text("from core.strategy.api import BarStrategy\n\n\n" + body)
    said = with_hours("backtest", "loud", "--symbol", "BTC/USD", "--timeframe", "1h", "--json")
    assert said.json()["run"]["status"] == "completed"
    assert "heard at the bar" in said.err
