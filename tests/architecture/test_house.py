"""What the house asks of files, packages and documents."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.tree import ALL_PYTHON, ROOT, python_files, tracked_files

CODE_NAMES = {
    "core/engine.py": "GLaDOS",
    "core/runs/__init__.py": "GLaDOS",
    "core/clock/__init__.py": "GLaDOS",
    "core/trading/__init__.py": "Veda",
    "core/brokers/__init__.py": "Veda",
    "core/matching/__init__.py": "Greta",
    "core/backtest/__init__.py": "Greta",
    "core/strategy/__init__.py": "Marvin",
    "core/store/__init__.py": "WallE",
    "core/events/__init__.py": "Events",
    "ui/__init__.py": "Haro",
    "core/views/__init__.py": "Haro",
}
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/README.md",
    "docs/simulation.md",
    "docs/statistics.md",
    "docs/strategies.md",
    "docs/ui-map.md",
    "docs/adr/0001-record-decisions.md",
)
LONGEST_FILE = 600
# In two halves, so that this file does not hold what it looks for.
FOREIGN = (
    "--index" + "-url",
    "--extra-index" + "-url",
    "--find" + "-links",
    "pypi" + ".org",
    "python" + "hosted",
    "/work" + "/main",
    "/opt" + "/wheels",
)
PERSONAL_PATH = re.compile(r"(?<![\w.])/(?:home|Users)/[a-z]\w+/|(?<![\w.])/root/\w|[A-Z]:\\Users\\")


@pytest.mark.parametrize(("path", "name"), CODE_NAMES.items())
def test_a_part_says_its_code_name_first(path: str, name: str) -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) or ""
    assert re.match(rf"{name}\b", docstring), f"{path} begins with {docstring[:40]!r}"


@pytest.mark.parametrize("name", sorted(set(CODE_NAMES.values())))
def test_architecture_has_the_code_name(name: str) -> None:
    assert name in (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def test_no_file_is_too_long() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(*ALL_PYTHON)}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_a_file_is_named_for_what_is_in_it() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "stuff"}
    assert [path for path in python_files(*ALL_PYTHON) if path.stem in vague or path.parent.name in vague] == []


def test_nothing_is_left_for_later() -> None:
    word = re.compile(r"#\s*(?:TO" + r"DO|FIX" + r"ME|XXX)\b|raise NotImplemented" + "Error")
    found = [f"{path.relative_to(ROOT)}:{number}" for path in python_files(*ALL_PYTHON)
             for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if word.search(line)]  # fmt: skip
    assert found == []


@pytest.mark.parametrize("path", DOCUMENTS)
def test_the_document_is_there(path: str) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").split()) > 50


def _links() -> list[tuple[str, str]]:
    documents = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    documents += sorted((ROOT / "docs").rglob("*.md"))
    pattern = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)|<img[^>]*src=\"([^\"]+)\"|srcset=\"([^\"]+)\"")
    found = []
    for path in documents:
        for match in pattern.finditer(path.read_text(encoding="utf-8")):
            target = next(group for group in match.groups() if group)
            if not target.startswith(("http:", "https:", "mailto:")):
                found.append((path.relative_to(ROOT).as_posix(), target))
    return found


def test_links_between_documents_lead_somewhere() -> None:
    assert [(source, target) for source, target in _links() if not ((ROOT / source).parent / target).exists()] == []


def test_every_document_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "README.md" and f"({path.name})" not in index] == []


def test_decisions_are_numbered_one_by_one() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    headings = [path.read_text(encoding="utf-8").splitlines()[0] for path in records]
    assert [heading for at, heading in enumerate(headings, 1) if not re.match(rf"# {at}\. \w", heading)] == []


def test_no_machine_or_index_is_named() -> None:
    found = []
    for path in tracked_files():
        text = _text(path)
        words = [word for word in FOREIGN if word in text]
        # Tests make paths of people up.
        personal = None if path.is_relative_to(ROOT / "tests") else PERSONAL_PATH.search(text)
        if path.name not in ("test_house.py", "test_requirements.py", "lock.py") and (words or personal):
            found.append((path.relative_to(ROOT).as_posix(), words, personal.group() if personal else ""))
    assert found == []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""
