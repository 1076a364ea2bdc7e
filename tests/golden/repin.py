"""`python -m tests.golden.repin`: pin the golden runs anew, and print what changed. With `--check` it only prints.

Pins of whole files are left as they are where those files do not lie beside the checkout.
"""

import json
import sys
from collections.abc import Sequence

from tests.golden.runs import PINS, RUNS, differences, folders, pin_of, read_pins


def repin(*, write: bool) -> int:
    """Run all; return how many are not as they were pinned."""
    old = read_pins()
    new = {}
    changed = 0
    for which, folder in folders().items():
        for name, golden in RUNS.items():
            key = f"{which}/{name}"
            if not (folder / golden.file).is_file():
                if key in old:
                    new[key] = old[key]
                _say(f"{key}: left alone, {golden.file} is not here")
                continue
            new[key] = pin = pin_of(golden, folder)
            found = differences(old.get(key), pin)
            changed += bool(found)
            _say(f"{key}: {'changed' if found else 'as it was'} ({pin['orders']:,} orders, {pin['fills']:,} fills)")
            for line in found:
                _say(f"    {line}")
            if not found:
                new[key] = old[key]
    for key in old.keys() - new.keys():
        changed += 1
        _say(f"{key}: gone")
    if write and changed:
        PINS.write_text(json.dumps(new, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        _say(f"{changed} of {len(new)} were pinned anew.")
    elif not changed:
        _say("Nothing changed.")
    return changed


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main(arguments: Sequence[str]) -> int:
    """With `--check` the exit code tells whether anything changed."""
    check = "--check" in arguments
    changed = repin(write=not check)
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
