"""Options and words that several verbs share."""

from typing import Annotated, Final

import typer

EVERYWHERE: Final = "Anywhere on the line: --db URL|memory, --profile NAME, --verbose, --debug."
"""Closes the help of every verb."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
WithEquity = Annotated[bool, typer.Option("--equity", help="With --json: the equity curve too; it is long.")]
