"""`python -m benchmarks`: measure, print the tables, and write them with `--write`.

python -m benchmarks                     everything; some minutes
python -m benchmarks backtest events     these cases
python -m benchmarks --quick             smaller, to see that it works
python -m benchmarks --write             also to benchmarks/RESULTS.md
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from benchmarks.measuring import ROOT, Table, day_of_commit, machine

CASES = (
    "backtest",
    "strategies",
    "loop",
    "data",
    "window",
    "panning",
    "events",
    "postgres",
    "time_travel",
    "long_log",
    "account_log",
    "orders",
    "streams",
)
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
DIFFERENCE = ROOT / "benchmarks" / "difference.md"


def main(arguments: Sequence[str]) -> int:
    """Return 1 when a case could not be measured; a goal that was missed is a figure, not a failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Weaver beside other programs.")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help=f"which of {', '.join(CASES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="smaller, to see that it works")
    parser.add_argument("--write", action="store_true", help="also write benchmarks/RESULTS.md")
    parser.add_argument("--date", default=None, help="day to write down; that of the newest commit by default")
    options = parser.parse_args(arguments)
    head = f"Measured on: {machine(options.date or day_of_commit())}."
    print(head, flush=True)
    tables, failed = [], []
    for case in options.cases or CASES:
        try:
            table: Table = importlib.import_module(f"benchmarks.{case}").measure(options.quick)
        except Exception as error:  # one case that cannot be measured must not take the others with it
            failed.append(case)
            print(f"\n{case} could not be measured: {type(error).__name__}: {error}", flush=True)
            continue
        tables.append(table)
        print("\n" + table.markdown(), flush=True)
    if options.write and tables:
        text = "# Results\n\nMade by `python -m benchmarks --write`. What counts is the ratio to the peers measured in the same run.\n\n"
        text += "\n\n".join([head, *(table.markdown() for table in tables), DIFFERENCE.read_text(encoding="utf-8")])
        RESULTS.write_text(text, encoding="utf-8")
        print(f"\nWrote {RESULTS.relative_to(ROOT)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
