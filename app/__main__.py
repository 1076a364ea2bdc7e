"""Entry point of `weaver` and of `python -m app`."""

import multiprocessing
import signal
import sys
from types import FrameType


class _ToldToEnd(KeyboardInterrupt):
    """As Ctrl+C. Not that class itself: the interpreter ends by the signal, whatever is caught, where it met that within `exec`."""


def _end(_number: int, _frame: FrameType | None) -> None:
    raise _ToldToEnd


def main() -> None:
    """Run the call in `sys.argv` and end the process with its exit code."""
    multiprocessing.freeze_support()  # in a packaged program a worker process starts here too
    # Until a verb has its own handler: being told to end is the same as Ctrl+C, not a silent death.
    signal.signal(signal.SIGTERM, _end)
    try:
        from app.cli import main as run_call

        code = run_call()
    except KeyboardInterrupt:
        code = _told_to_end_early(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # all is done and said: what comes now must not become the exit code
    sys.exit(code)


def _told_to_end_early(arguments: list[str]) -> int:
    from app.early_stop import say_not_begun, trades

    if trades(arguments):
        say_not_begun(as_json="--json" in arguments, log_json="--log-json" in arguments)
        return 0
    sys.stderr.write("error[cancelled]: Stopped on request.\n")
    return 1


if __name__ == "__main__":
    main()
