"""What happened to the account beside its fills: from its events to the report's tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from core.events.envelope import Envelope, Payload
from core.events.payloads import DividendPaid, InterestCharged, MarginCall, SplitApplied
from core.model.instants import day_of
from core.model.report import AccountEntry, AccountPeriod, AccountTotal, EntryKind

_FIGURES: Final = ("qty", "per_share", "ratio", "qty_before", "equity", "required", "exposure")

MOST_DAYS: Final = 12
MOST_MONTHS: Final = 24
"""Rows of the list over time: by the day up to `MOST_DAYS` of them, by the month up to `MOST_MONTHS`, else by the year."""


def _dividend(paid: DividendPaid) -> tuple[EntryKind, str | None, Decimal | None]:
    return EntryKind.DIVIDEND_CHARGED if paid.cash < 0 else EntryKind.DIVIDEND_RECEIVED, paid.symbol, paid.cash


def _interest(charged: InterestCharged) -> tuple[EntryKind, str | None, Decimal | None]:
    if charged.symbol is not None:
        kind = EntryKind.BORROW_CHARGED
    else:
        kind = EntryKind.INTEREST_EARNED if charged.amount < 0 else EntryKind.INTEREST_CHARGED
    return kind, charged.symbol, -charged.amount


_READ: Final[Mapping[type[Payload], Callable[[Any], tuple[EntryKind, str | None, Decimal | None]]]] = {
    DividendPaid: _dividend,
    InterestCharged: _interest,
    SplitApplied: lambda applied: (EntryKind.SPLIT, applied.symbol, applied.cash),
    MarginCall: lambda _: (EntryKind.MARGIN_CALL, None, None),
}


def account_entries(events: Iterable[Envelope]) -> tuple[AccountEntry, ...]:
    """Return the entries that events of the account are, in their order; events of other kinds are none."""
    entries = []
    for event in events:
        payload = event.payload
        read = _READ.get(type(payload))
        if read is not None:
            kind, symbol, amount = read(payload)
            figures = {name: value for name in _FIGURES if (value := getattr(payload, name, None)) is not None}
            entries.append(AccountEntry(time_ns=event.ts, kind=kind, symbol=symbol, amount=amount, figures=figures))
    return tuple(entries)


def account_totals(entries: Sequence[AccountEntry], symbols: Sequence[str]) -> tuple[AccountTotal, ...]:
    """Return how many entries each symbol and kind has, and what they come to. `symbols`: the run's, in its order."""
    groups: dict[tuple[str | None, EntryKind], list[AccountEntry]] = {}
    for entry in entries:
        groups.setdefault((entry.symbol, entry.kind), []).append(entry)
    places = {symbol: at for at, symbol in enumerate(symbols)}
    kinds = list(EntryKind)

    def place(key: tuple[str | None, EntryKind]) -> tuple[bool, int, str, int]:
        symbol, kind = key
        return symbol is None, places.get(symbol or "", len(places)), symbol or "", kinds.index(kind)

    return tuple(
        AccountTotal(symbol=key[0], kind=key[1], count=len(groups[key]), amount=_sum(groups[key])) for key in sorted(groups, key=place)
    )


def account_periods(entries: Sequence[AccountEntry]) -> tuple[AccountPeriod, ...]:
    """Return the entries by day, where these are few, else by month or by year; UTC, oldest first."""
    days = [str(day_of(entry.time_ns)) for entry in entries]
    length = 10 if len(set(days)) <= MOST_DAYS else 7 if len({day[:7] for day in days}) <= MOST_MONTHS else 4
    groups: dict[str, dict[EntryKind, list[AccountEntry]]] = {}
    for day, entry in zip(days, entries, strict=True):
        groups.setdefault(day[:length], {}).setdefault(entry.kind, []).append(entry)
    return tuple(
        AccountPeriod(
            name=name,
            count=sum(len(own) for own in kinds.values()),
            amounts={kind: amount for kind, own in kinds.items() if (amount := _sum(own)) is not None},
        )
        for name, kinds in sorted(groups.items())
    )


def _sum(entries: Sequence[AccountEntry]) -> Decimal | None:
    amounts = [entry.amount for entry in entries if entry.amount is not None]
    return sum(amounts, Decimal(0)) if amounts else None
