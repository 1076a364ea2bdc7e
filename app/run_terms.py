"""The options of a backtest that say what trading costs and what the account may do, and their words in a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.words import one_of
from core.errors import InputError, UnknownName

if TYPE_CHECKING:
    from core.model.run import AccountTerms, RunConfig

Fees = Annotated[str, typer.Option(help="none, bps:N[:min], per-share:X[:min[:max]], per-trade:X, alpaca or plugin.", metavar="MODEL")]
Slippage = Annotated[str, typer.Option(help="none, bps:N, spread:N, volume[:K] or plugin.", metavar="MODEL")]
BarPath = Annotated[str, typer.Option("--path", help="Path in a bar: adaptive, ohlc, olhc, pessimistic or optimistic.", metavar="PATH")]
Account = Annotated[str, typer.Option(help="Kind of account: cash, or margin (Reg T: shorts and credit).", metavar="KIND")]
BorrowRate = Annotated[str | None, typer.Option(help="What shorts pay, a fraction a year; 0.05 is 5 %.", metavar="RATE")]
DebitRate = Annotated[str | None, typer.Option(help="What negative cash pays, a fraction a year.", metavar="RATE")]
CreditRate = Annotated[str | None, typer.Option(help="What positive cash earns, a fraction a year.", metavar="RATE")]
HardToBorrow = Annotated[list[str] | None, typer.Option(help="Symbol that cannot be sold short; repeat it.", metavar="S")]
VolumeCap = Annotated[str | None, typer.Option(help="Share of a bar's volume that fills may take, like 0.1.", metavar="X")]
TradeThrough = Annotated[bool, typer.Option("--trade-through", help="Limits fill only where the price goes beyond them.")]
CloseAtEnd = Annotated[bool, typer.Option("--close-at-end", help="Close open positions at the last close.")]
NoActions = Annotated[bool, typer.Option("--no-actions", help="Leave stored splits and dividends out.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TermWords:
    """What a call says of costs and account, as its words."""

    fees: str = "none"
    slippage: str = "none"
    path: str = "adaptive"
    account: str = "cash"
    borrow_rate: str | None = None
    debit_rate: str | None = None
    credit_rate: str | None = None
    hard_to_borrow: Sequence[str] = ()
    volume_cap: str | None = None
    trade_through: bool = False
    close_at_end: bool = False
    no_actions: bool = False

    def fields(self, symbols: Sequence[str]) -> dict[str, Any]:
        """Return these words as fields of a RunConfig. Raises InputError. The models of costs are checked where the run is created."""
        from core.model.money import parse_money
        from core.model.run import PathModel

        return {
            "fees": self.fees.strip().lower(),
            "slippage": self.slippage.strip().lower(),
            "path": PathModel(one_of("path", self.path, PathModel)),
            "account": self._account(symbols),
            "volume_cap": None if self.volume_cap is None else parse_money(self.volume_cap, field="--volume-cap"),
            "trade_through": self.trade_through,
            "close_at_end": self.close_at_end,
            "corporate_actions": not self.no_actions,
        }

    def _account(self, symbols: Sequence[str]) -> "AccountTerms":
        from core.model.market import parse_symbol
        from core.model.money import parse_money
        from core.model.run import AccountKind, AccountTerms

        kind = AccountKind(one_of("account", self.account, AccountKind))
        if kind is AccountKind.CASH:
            of_margin = {
                "--borrow-rate": self.borrow_rate,
                "--debit-rate": self.debit_rate,
                "--hard-to-borrow": self.hard_to_borrow or None,
            }
            for option, value in of_margin.items():
                if value is not None:
                    raise InputError(f"{option} is for a margin account.", "Add --account margin, or leave it out.")
        named = tuple(dict.fromkeys(parse_symbol(text) for text in self.hard_to_borrow))
        for symbol in named:
            if symbol not in symbols:
                raise UnknownName("symbol of this run", symbol, symbols)
        rates = {"borrow_rate": self.borrow_rate, "debit_rate": self.debit_rate, "credit_rate": self.credit_rate}
        given = {name: parse_money(text, field=f"--{name.replace('_', '-')}") for name, text in rates.items() if text is not None}
        return AccountTerms(kind=kind, hard_to_borrow=named, **given)


def terms_document(config: "RunConfig") -> dict[str, Any]:
    """Return the costs and the account of a run for its JSON document: rates and shares are fractions."""
    from core.model.money import plain

    account = config.account
    return {
        "fees": config.fees,
        "slippage": config.slippage,
        "path": str(config.path),
        "account": {
            "kind": str(account.kind),
            "borrow_rate": plain(account.borrow_rate),
            "debit_rate": plain(account.debit_rate),
            "credit_rate": plain(account.credit_rate),
            "hard_to_borrow": list(account.hard_to_borrow),
        },
        "volume_cap": None if config.volume_cap is None else plain(config.volume_cap),
        "trade_through": config.trade_through,
        "close_at_end": config.close_at_end,
        "corporate_actions": config.corporate_actions,
    }


def settings_text(config: "RunConfig") -> str:
    """Return the settings that differ from the default, costs apart; empty when none does."""
    from core.model.money import plain
    from core.model.run import AccountKind, PathModel

    account = config.account
    rates = ((account.borrow_rate, "shorts pay"), (account.debit_rate, "debit pays"), (account.credit_rate, "cash earns"))
    of_account = ["margin account"] if account.kind is AccountKind.MARGIN else []
    of_account += [f"{what} {plain(rate * 100)} % a year" for rate, what in rates if rate]
    parts = [", ".join(of_account)] if of_account else []
    if account.hard_to_borrow:
        parts.append(f"not shortable: {', '.join(account.hard_to_borrow)}")
    if config.volume_cap is not None:
        parts.append(f"at most {plain(config.volume_cap * 100)} % of a bar's volume")
    if config.path is not PathModel.ADAPTIVE:
        parts.append(f"path {config.path}")
    if config.trade_through:
        parts.append("limits fill only when traded through")
    if config.close_at_end:
        parts.append("positions closed at the end")
    if not config.corporate_actions:
        parts.append("without splits and dividends")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""
