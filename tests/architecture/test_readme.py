"""What the README shows works: its commands exist with their options, and its strategy is one."""

import re
from pathlib import Path

import pytest

from app.cli import main
from core.strategy.loader import StrategyLoader
from tests.architecture.tree import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    line.split(" > ")[0].split() for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line.startswith("weaver ")
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_command_exists(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = command[1:]
    verb = words[:2] if words[0] in {"data", "strategies", "runs", "events"} else words[:1]
    assert main([*verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert [word for word in words if word.startswith("--") and word not in shown] == []


def test_there_are_commands_to_check() -> None:
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("script", re.findall(r"python3 (scripts/\w+\.py)", TEXT))
def test_the_script_is_there(script: str) -> None:
    assert (ROOT / script).is_file()


def test_the_strategy_can_be_run(tmp_path: Path) -> None:
    code = next(block for kind, block in BLOCKS if kind == "python")
    (tmp_path / "above_average.py").write_text(code, encoding="utf-8")
    loader = StrategyLoader((tmp_path,))
    info = loader.find_all()["above-average"]
    assert info.error is None
    assert [spec.name for spec in info.params] == ["length", "qty"]
    assert loader.load(info).__name__ == "AboveAverage"
