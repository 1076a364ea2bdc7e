"""Options that the verbs of trading by hand share."""

from decimal import Decimal
from typing import Annotated

import typer

BrokerId = Annotated[str | None, typer.Option("--broker", help="Id of the broker; else the adapter of the account.", metavar="ID")]
Confirm = Annotated[str, typer.Option("--confirm", help="For real money: the account's name, typed.", metavar="NAME")]
Owner = Annotated[str | None, typer.Option("--owner", help="Whose: a run's id, or outside; else the one there is.", metavar="ID")]
SymbolArgument = Annotated[str, typer.Argument(help="Symbol, like SPY or BTC/USD.", metavar="SYMBOL")]
Price = Annotated[str | None, typer.Option(metavar="P")]


def amount(field: str, text: str | None) -> Decimal | None:
    """Return an option's figure. Raises InvalidValue with its name."""
    from core.model.money import parse_money

    return None if text is None else parse_money(text, field=field)
