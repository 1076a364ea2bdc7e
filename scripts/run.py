#!/usr/bin/env python3
"""Set everything up and open the workstation with its demonstration; where there is no display, run the demonstration in the terminal.

python3 scripts/run.py                     the demonstration
python3 scripts/run.py data list           any other call of `weaver`, in the same environment
"""

from __future__ import annotations

import os
import subprocess
import sys

from setup_environment import SetupFailed, prepare


def main(arguments: list[str]) -> int:
    """Return the program's own exit code; 1 when the environment cannot be made."""
    try:
        # A verb such as `data list` needs no window.
        python = prepare(development=False, window=not arguments or arguments[0].startswith("-"))
    except SetupFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    command = [str(python), "-m", "app", *(arguments or ["--demo"])]
    if os.name == "posix":
        # The program takes this process's place: signals reach it, and its exit code is this one's.
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
