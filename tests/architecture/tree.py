"""The tree as the architecture tests look at it, and a copy of it to break."""

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("app", "core", "ui", "migrations")
ALL_PYTHON = (*PRODUCT, "resources", "scripts", "benchmarks", "tests")


def pyproject() -> dict[str, Any]:
    """The project file."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def contract(name: str) -> dict[str, Any]:
    """An import-linter contract by its name."""
    found: dict[str, Any] = next(item for item in pyproject()["tool"]["importlinter"]["contracts"] if item["name"] == name)
    return found


def modules_of_core() -> set[str]:
    """Every module and package right under core, as `core.name`."""
    found = {f"core.{path.stem}" for path in (ROOT / "core").glob("*.py") if path.stem != "__init__"}
    return found | {f"core.{path.parent.name}" for path in (ROOT / "core").glob("*/__init__.py")}


def python_files(*folders: str) -> Iterator[Path]:
    """Every Python file under the folders."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def calls(*folders: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call in the folders, with where it is."""
    for path in python_files(*folders):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield f"{path.relative_to(ROOT).as_posix()}:{node.lineno}", node


def tracked_files() -> list[Path]:
    """Every file under version control; none where this is no checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@dataclass(frozen=True)
class TreeCopy:
    """A copy of the product that a test may break."""

    root: Path

    def plant(self, path: str, text: str) -> None:
        """Add `text` to the end of a file, made where it is missing."""
        target = self.root / path
        before = target.read_text(encoding="utf-8") if target.exists() else '"""Planted."""\n'
        target.write_text(before + "\n" + text + "\n", encoding="utf-8")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a Python command line in the copy."""
        return subprocess.run([sys.executable, *command], cwd=self.root, capture_output=True, text=True, check=False, encoding="utf-8")

    def lint_imports(self) -> subprocess.CompletedProcess[str]:
        """Check the contracts of the copy."""
        start = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command; lint_imports_command()"
        return self.run("-X", "utf8", "-c", start, "--no-cache", "--no-logo")


def copy_tree(target: Path) -> TreeCopy:
    """Copy the product and its tool configuration."""
    for folder in PRODUCT:
        shutil.copytree(ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", target)
    return TreeCopy(target)
