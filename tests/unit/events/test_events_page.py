"""The page on events says what the program has, no more and no less."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from core.events.registry import event_types

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "events.md"


@pytest.fixture
def events_doc(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import events_doc

    return events_doc


def test_the_page_is_what_the_code_gives(events_doc: ModuleType) -> None:
    assert PAGE.read_text(encoding="utf-8") == events_doc.document(), "run `python -m scripts.events_doc`"


def test_every_type_is_described_with_each_field() -> None:
    text = PAGE.read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]}
    ours = {wire: cls for wire, cls in event_types().items() if cls.__module__.startswith("core.")}
    assert len(ours) > 30
    for wire, cls in ours.items():
        row = re.search(rf"^\| \[`{re.escape(wire)}`\]\(#\w+\) \| (\d+) \| `(\w+)` \| ([\w ]+) \| (.+) \|$", text, flags=re.MULTILINE)
        assert row is not None, wire
        assert (int(row[1]), row[2], row[3] == "always") == (cls.version, cls.kind.value, cls.durable)
        assert re.findall(r"^\| `(\w+)` \|", sections[wire], flags=re.MULTILINE) == list(cls.__struct_fields__)


def test_no_field_is_without_a_meaning(events_doc: ModuleType) -> None:
    assert events_doc.without_meaning() == []
