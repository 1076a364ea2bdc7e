"""The program, in the time of a test: `python -m tests.broker.fast_weaver trade …` with WEAVER_TEST_CLOCK naming a clock's file."""

import os
import sys
from pathlib import Path

import app.compose
from app.cli import main
from tests.broker.shared_clock import SharedClock

if __name__ == "__main__":
    clock = SharedClock(Path(os.environ["WEAVER_TEST_CLOCK"]))
    vars(app.compose)["SystemClock"] = lambda: clock
    sys.exit(main(sys.argv[1:]))
