"""Options and words that several verbs share."""

from typing import Annotated, Final

import typer

EVERYWHERE: Final = "Anywhere on the line: --db URL|memory, --profile NAME, --verbose, --debug."
"""Closes the help of every verb."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
WithEquity = Annotated[bool, typer.Option("--equity", help="With --json: the equity curve too; it is long.")]
Symbol = Annotated[str | None, typer.Option(help="Symbol, like SPY or BTC/USD.", metavar="S")]
TimeframeText = Annotated[str | None, typer.Option(help="Length of a bar, like 1m, 1h, 1d.", metavar="T")]
Source = Annotated[str | None, typer.Option(help="Source of the bars.", metavar="NAME")]
AdjustmentText = Annotated[str | None, typer.Option(help="raw, split or all.", metavar="A")]
OnBadWay = Annotated[str, typer.Option("--on-bad", help="Rows that contradict themselves: fail or skip.", metavar="WAY")]
KeptAt = Annotated[str | None, typer.Option("--broker", help="paper: the account that is kept in the database.", metavar="ID")]
AccountText = Annotated[str, typer.Option("--account", help="Which account: paper or live.", metavar="NAME")]
RunId = Annotated[str, typer.Argument(help="Id of the run, or its beginning.", metavar="RUN")]
