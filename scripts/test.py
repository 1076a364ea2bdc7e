#!/usr/bin/env python3
"""Set everything up and run every check: style, types, layers, tests. The exit code is 0 only when all of them pass.

python3 scripts/test.py                     everything
python3 scripts/test.py --soak              with the long tests
python3 scripts/test.py tests/unit -k fill  other arguments go to pytest; the whole suite runs on all cores
python3 scripts/test.py --no-checks …       the tests alone
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from setup_environment import ROOT, SetupFailed, prepare, say

CHECKS = {
    "ruff check": ["-m", "ruff", "check", "."],
    "ruff format": ["-m", "ruff", "format", "--check", "."],
    "mypy": ["-m", "mypy"],
    "lint-imports": [
        "-c",
        "import sys; from importlinter.cli import lint_imports_command; sys.argv = ['lint-imports', '--no-logo']; lint_imports_command()",
    ],
}


# Some of the tools draw boxes and signs that an old Windows code page does not have.
CHILD_ENVIRONMENT = {**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
# Workers and the programs that tests start would compile every module anew, each for itself.
CHILD_ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)

# Tests wait for processes, servers and patience that is meant to run out: meanwhile another worker has the core.
WORKERS = max(2, (os.cpu_count() or 1) * 3 // 2)


def run_checks(python: Path) -> list[str]:
    """Run the static checks, all of them, and return the names of those that failed."""
    failed = []
    for name, command in CHECKS.items():
        say(f"--- {name}")
        if subprocess.run([str(python), *command], cwd=ROOT, env=CHILD_ENVIRONMENT, check=False).returncode != 0:
            failed.append(name)
    return failed


def run_pytest(python: Path, arguments: list[str]) -> tuple[int, str]:
    """Run the tests, showing what they print; return their exit code and pytest's closing line, which is held back."""
    say("--- pytest")
    is_whole = not any(item == "-n" or not item.startswith("-") for item in arguments)
    workers = ["-n", str(WORKERS), "--dist", "worksteal"] if is_whole else []  # for a few tests, starting workers takes longer than they do
    command = [str(python), "-m", "pytest", *(["--color=yes"] if sys.stdout.isatty() else []), *workers, *arguments]
    closing: str | None = None
    with subprocess.Popen(
        command, cwd=ROOT, env=CHILD_ENVIRONMENT, stdout=subprocess.PIPE, text=True, encoding="utf-8", errors="replace"
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if closing is not None:
                say(closing)
            closing = line.rstrip("\n")
    return child.returncode, closing or ""


def main(arguments: list[str]) -> int:
    """Print pytest's closing line last; a failed check is named above it."""
    if arguments[:1] in (["--help"], ["-h"]):
        print(__doc__)
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        python = prepare(development=True)
    except SetupFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    with_checks = "--no-checks" not in arguments
    failed_checks = run_checks(python) if with_checks else []
    code, closing = run_pytest(python, [item for item in arguments if item != "--no-checks"])
    if failed_checks:
        say(f"Failed checks: {', '.join(failed_checks)}. What they found stands above.")
    elif with_checks:
        say(f"Passed checks: {', '.join(CHECKS)}.")
    say(closing)
    return code or (1 if failed_checks else 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
