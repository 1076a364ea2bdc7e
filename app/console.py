"""What the verbs say: one JSON document or a plain report on stdout; progress and errors on stderr."""

import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from core.model.result import Progress

PIPED_WIDTH: Final = 80
ROOM: Final = 9
"""Signs in a column of amounts."""

_log = logging.getLogger(__name__)


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout."""
    import msgspec

    # msgspec writes a run of a million bars in a tenth of the time of `json`, and a figure that is not finite as null.
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    sys.stdout.write(text + "\n")


def print_json_line(document: Mapping[str, Any]) -> None:
    """Print one JSON document on one line of stdout."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")


def let_stdout_go() -> None:
    """Send nowhere what is still to be flushed, when nobody reads it any more: the interpreter would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def finite(figure: float | None) -> float | None:
    """Return the figure, or None where it is undefined: JSON has no NaN and no infinity."""
    return figure if figure is not None and math.isfinite(figure) else None


def print_error(code: str, sentence: str) -> None:
    """Print an error as one plain sentence with its code, on stderr."""
    sys.stderr.write(f"error[{code}]: {' '.join(sentence.splitlines())}\n")


def fail(code: str, sentence: str) -> NoReturn:
    """Print an error that is not an exception of this process (a run's own), and end the call with exit code 1."""
    import typer

    sys.stdout.flush()
    print_error(code, sentence)
    raise typer.Exit(1)


def stdout_console() -> "Console":
    """Return the console for people: colours and the terminal's width on a terminal, plain and 80 columns in a pipe."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def show(*parts: "RenderableType") -> None:
    """Print the parts on stdout, one below the other. A sentence is one line: a terminal folds it, a pipe must not get it folded."""
    from rich.text import Text

    console = stdout_console()
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, (str, Text)))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), fold: Sequence[str] = ()
) -> "RenderableType":
    """Return a table of text cells. Columns in `right` are aligned right, those in `fold` give way when it is too wide (else all do)."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name in columns:
        drawn.add_column(name, justify="right" if name in right else "left", overflow="fold", no_wrap=bool(fold) and name not in fold)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


@contextmanager
def progress(shown: bool) -> Iterator[Callable[["Progress"], None]]:
    """Show a progress bar on stderr while the block runs; on no terminal a line in the log for each tenth."""
    if not shown:
        yield lambda _: None
    elif not sys.stderr.isatty():
        yield _TenthsInLog()
    else:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as ProgressBar

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with ProgressBar(*columns, console=Console(stderr=True), transient=True) as bar:
            line = bar.add_task("", total=None)
            yield lambda now: bar.update(line, description=now.what, completed=now.done, total=now.total or None)


class _TenthsInLog:
    def __init__(self) -> None:
        self._said = ("", -1)

    def __call__(self, now: "Progress") -> None:
        tenth = 10 * now.done // now.total if now.total else 0
        if (now.what, tenth) != self._said:
            self._said = (now.what, tenth)
            _log.info("%s: %d of %d", now.what, now.done, now.total)


def figure(value: float | None, decimals: int = 2) -> str:
    """Return a number for a person, with thousands apart and a real minus; `–` where it is undefined."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:,.{decimals}f}"
    if not text.strip("-0.,"):
        text = text.removeprefix("-")  # what rounds to nothing has no sign
    return text.replace("-", "−")


def percent(fraction: float | None, decimals: int = 2) -> str:
    """Return a fraction as a percentage; `–` where it is undefined."""
    return "–" if fraction is None or not math.isfinite(fraction) else figure(100 * fraction, decimals) + " %"


def short(amount: Decimal) -> str:
    """Return an amount in the room of a column: as it is up to nine signs, else rounded to six digits; whole digits are never lost."""
    from core.model.money import plain

    text = plain(amount)
    if len(text) <= ROOM:
        return text
    decimals = max(0, 6 - len(text.lstrip("-").partition(".")[0]))
    return plain(round(amount, decimals))
