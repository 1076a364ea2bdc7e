#!/usr/bin/env python3
"""Write requirements.txt and requirements-dev.txt anew from pyproject.toml: every version, every file's hash.

One file serves every system and Python 3.11 to 3.13. No index host is written, so a mirror works as well. Needs the development environment
(`python3 scripts/test.py` makes it). `--upgrade` takes the newest versions that pyproject allows; without it only what must change changes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from setup_environment import ENVIRONMENT, ROOT

RUN_FILE = ROOT / "requirements.txt"
DEV_FILE = ROOT / "requirements-dev.txt"


def compile_requirements(output: Path, groups: list[str], extra: list[str]) -> None:
    """Resolve the project's dependencies with `groups` into `output`. Raises CalledProcessError when they do not fit together."""
    command = [str(_uv()), "pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11", "--generate-hashes"]
    command += ["--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "python3 scripts/lock.py"]
    for group in groups:
        command += ["--group", group]
    command += ["--output-file", output.name, "--quiet", *extra]
    # The hashes are the public registry's, whatever mirror this machine prefers.
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("UV_INDEX", "UV_EXTRA_INDEX", "UV_FIND_LINKS", "UV_DEFAULT_INDEX"))
    }
    subprocess.run([*command, "--no-config"], check=True, cwd=ROOT, env=environment)


def _uv() -> Path:
    folder = "Scripts" if os.name == "nt" else "bin"
    return ENVIRONMENT / folder / ("uv.exe" if os.name == "nt" else "uv")


def main(arguments: list[str]) -> int:
    """Compile both files; the development one takes the versions of the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    upgrade = ["--upgrade"] if parser.parse_args(arguments).upgrade else []
    if not _uv().exists():
        print("uv is missing. Run python3 scripts/test.py once: it sets up the development environment.")
        return 1
    compile_requirements(RUN_FILE, ["build"], upgrade)
    compile_requirements(DEV_FILE, ["build", "dev"], [*upgrade, "--constraint", RUN_FILE.name])
    print(f"Wrote {RUN_FILE.name} and {DEV_FILE.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
