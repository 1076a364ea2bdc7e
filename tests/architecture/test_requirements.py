"""The lock files hold every dependency, each with its hash, and name no place to get them from."""

import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, pyproject

LOCKS = ("requirements.txt", "requirements-dev.txt")


def locked(name: str) -> dict[str, list[str]]:
    """The versions by normalised name; several where systems or Pythons need different ones."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        match = re.match(r"([A-Za-z0-9_.\-]+)(?:\[[^\]]*\])?==(\S+)", line)
        if match:
            found.setdefault(normal(match.group(1)), []).append(match.group(2))
    return found


def normal(name: str) -> str:
    """A package name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(specifications: list[str]) -> set[str]:
    """The package names of requirement specifications."""
    return {normal(re.split(r"[\[<>=!~; ]", item, maxsplit=1)[0]) for item in specifications}


@pytest.mark.parametrize("name", LOCKS)
def test_no_place_is_named(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?://|file:|--(?:index|extra-index|find|trusted)|^-[if]\b| @ ", text, re.MULTILINE)


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_has_a_hash(name: str) -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", Path(ROOT / name).read_text(encoding="utf-8"))[1:]
    assert len(entries) > 20
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry or "==" not in entry.splitlines()[0]] == []


def test_every_dependency_is_locked() -> None:
    project = pyproject()
    run = wanted(project["project"]["dependencies"]) | wanted(project["dependency-groups"]["build"])
    assert run - set(locked("requirements.txt")) == set()
    assert (run | wanted(project["dependency-groups"]["dev"])) - set(locked("requirements-dev.txt")) == set()


def test_both_files_agree() -> None:
    development = locked("requirements-dev.txt")
    assert {name: versions for name, versions in locked("requirements.txt").items() if development.get(name) != versions} == {}
