"""The page on looking after the data is true: its commands are run one after the other."""

import re
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Weaver
from tests.integration.cli.test_verify import ran

PAGE = Path(__file__).resolve().parents[3] / "docs" / "operations.md"
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL) for line in block.splitlines()]


def test_every_command_does_what_it_says(with_hours: Weaver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(COMMANDS) >= 15
    monkeypatch.chdir(tmp_path)
    run_id = ran(with_hours, "--param", "slow=2", "--trace")
    archive = seq = ""
    for line in COMMANDS:
        program, *words = line.split()
        assert program == "weaver"
        # An age that no run of a test reaches would archive nothing.
        told = {"RUN": run_id, "90d": "0d", "30d": "0d", "SEQ": seq, "archives/ARCHIVE": archive}
        said = with_hours(*(told.get(word, word) for word in words))
        assert said.code == 0, (line, said.err)
        if words[:2] == ["db", "archive"] and not archive:
            (made,) = with_hours("db", "archives", "--json").json()["archives"]
            archive, seq = made["file"], str(made["last_seq"])
