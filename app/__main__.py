"""Entry point of `weaver` and of `python -m app`."""

import multiprocessing
import sys


def main() -> None:
    """Run the call in `sys.argv` and end the process with its exit code."""
    multiprocessing.freeze_support()  # in a packaged program a worker process starts here too
    from app.cli import main as run_call

    sys.exit(run_call())


if __name__ == "__main__":
    main()
