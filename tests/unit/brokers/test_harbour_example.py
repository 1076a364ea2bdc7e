"""The documents' whole adapter: what they say of it is so, and it needs nothing that they do not name."""

import ast
import dataclasses
import re
import sys
from pathlib import Path

import pytest

from core.brokers.api import Link
from core.brokers.credentials import Credentials
from core.brokers.loader import AdapterLoader
from core.clock.realtime import SystemClock
from core.errors import InvalidValue
from core.model.broker import AccountName
from tests.broker.harbour.bench import EXAMPLES

HARBOUR = EXAMPLES / "harbour"
DOCUMENT = (EXAMPLES.parent / "adapters.md").read_text(encoding="utf-8")
OURS = {"core.brokers.api", "core.model", "core.ports"}
LIBRARIES = {"numpy", "httpx", "websockets"}


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return named | {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}


def test_the_document_names_each_of_its_files() -> None:
    named = set(re.findall(r"^\| `(\w+\.py)` \|", DOCUMENT, re.MULTILINE))
    assert named == {path.name for path in HARBOUR.glob("*.py")}


def test_it_imports_what_the_document_allows() -> None:
    for path in HARBOUR.glob("*.py"):
        for name in imported(path):
            is_ours = any(name == ours or name.startswith(f"{ours}.") for ours in OURS)
            assert is_ours or name.partition(".")[0] in LIBRARIES | sys.stdlib_module_names, f"{path.name} imports {name}"


def test_it_is_found_without_being_run() -> None:
    before = set(sys.modules)
    found = AdapterLoader((EXAMPLES,)).find_all()["harbour"]
    assert (found.error, found.class_name, found.features.accounts) == (None, "Harbour", (AccountName.PAPER,))
    assert not any(name.startswith("weaver_adapter_harbour") for name in set(sys.modules) - before)


async def test_its_keys_go_over_tls_only_but_to_this_machine() -> None:
    _, adapter = AdapterLoader((EXAMPLES,)).load("harbour")
    link = Link(
        account=AccountName.PAPER, credentials=Credentials("k", "s"), addresses={"HARBOUR_URL": "http://h.example"}, clock=SystemClock()
    )
    with pytest.raises(InvalidValue, match="keys go over https:// only"):
        adapter.connect(link)
    await adapter.connect(dataclasses.replace(link, addresses={"HARBOUR_URL": "http://127.0.0.1:1"})).close()
