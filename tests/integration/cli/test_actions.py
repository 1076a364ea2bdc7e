"""`weaver data actions` on a real database."""

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Weaver

ACTIONS = "symbol,date,type,value\nAAPL,2020-08-31,split,4:1\nAAPL,2020-11-06,dividend,0.205\nTSLA,2020-08-31,split,5\n"


@pytest.fixture
def actions(tmp_path: Path) -> Path:
    """A file of splits and dividends."""
    path = tmp_path / "actions.csv"
    path.write_text(ACTIONS)
    return path


def test_a_file_comes_in_is_listed_and_goes(weaver: Weaver, actions: Path) -> None:
    assert weaver("data", "actions", "list").out.startswith("No splits and dividends are stored yet.")
    first = weaver("data", "actions", "import", actions, "--json")
    assert first.code == 0, first.err
    assert first.json() == {
        "symbols": ["AAPL", "TSLA"], "rows": 3, "taken": 3, "refused": 0, "refused_by_reason": {}, "bad_rows": [],
        "added": 3, "identical": 0, "changed": 0, "said": [],
    }  # fmt: skip
    again = weaver("data", "actions", "import", actions)
    assert "AAPL, TSLA: 3 of 3 rows taken." in again.out
    assert "0 splits and dividends are new, 3 were there before, 0 changed." in again.out
    assert weaver("data", "actions", "list", "--symbol", "aapl", "--json").json() == {
        "actions": [
            {"symbol": "AAPL", "date": "2020-08-31", "type": "split", "value": "4"},
            {"symbol": "AAPL", "date": "2020-11-06", "type": "dividend", "value": "0.205"},
        ]
    }
    assert "2020-11-06" in weaver("data", "actions", "list").out
    assert weaver("data", "actions", "delete", "--symbol", "AAPL", "--json").json() == {"symbol": "AAPL", "deleted": 2}
    assert len(weaver("data", "actions", "list", "--json").json()["actions"]) == 1
    told = [event["type"] for event in weaver("events", "tail", "--type", "data.*", "--json").json()["events"]]
    assert told == ["data.CorporateActionsImported", "data.CorporateActionsImported", "data.CorporateActionsDeleted"]


def test_a_symbol_may_be_said_beside_the_file(weaver: Weaver, tmp_path: Path) -> None:
    path = tmp_path / "splits.csv"
    path.write_text("date,splits\n2020-08-31,4\n")
    wrong = weaver("data", "actions", "import", path)
    assert (wrong.code, wrong.out) == (1, "")
    assert "does not name the symbols" in wrong.err
    assert weaver("data", "actions", "import", path, "--symbol", "AAPL").code == 0


def test_bad_rows_stop_the_import_or_are_skipped(weaver: Weaver, actions: Path) -> None:
    actions.write_text(ACTIONS + "MSFT,2020-08-31,merger,1\n")
    stopped = weaver("data", "actions", "import", actions)
    assert stopped.code == 1
    assert "error[bad_rows]" in stopped.err
    assert "Line 5: The type, 'merger'" in stopped.err
    assert "--on-bad skip" in stopped.err
    assert weaver("data", "actions", "list", "--json").json() == {"actions": []}
    skipped = weaver("data", "actions", "import", actions, "--on-bad", "skip")
    assert skipped.code == 0
    assert "1 rows refused: 1 unknown_type." in skipped.out
    assert "merger" in skipped.out


def test_wrong_calls_are_told_so(weaver: Weaver, actions: Path) -> None:
    assert weaver("data", "actions", "import", actions, "--on-bad", "skipp").code == 2
    assert weaver("data", "actions", "delete").code == 2
    assert weaver("data", "actions", "delete", "--symbol", "AAPL").code == 2
    weaver("data", "actions", "import", actions)
    near = weaver("data", "actions", "delete", "--symbol", "TSLE")
    assert near.code == 2
    assert "Did you mean TSLA?" in near.err
    assert "Did you mean import?" in weaver("data", "actions", "imprt").err
