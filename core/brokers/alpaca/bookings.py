"""What Alpaca books without an execution, a row at a time: its kinds, and what of them can be said for certain.

Fields and kinds: https://docs.alpaca.markets/us/docs/account-activities.md and
https://docs.alpaca.markets/us/reference/getaccountactivities. A row that is odd is told, and moves nothing.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from core.brokers.alpaca.fields import Fields, amount_or_none, fields, instant, symbol_of_execution
from core.clock.calendar import day_start
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.corporate_action import day_number
from core.model.market import AssetClass
from core.model.money import ZERO

K = BrokerEntryKind

_KINDS: Final[Mapping[str, tuple[BrokerEntryKind, str]]] = {
    "CSD": (K.DEPOSIT, "Cash deposit"),
    "CSW": (K.WITHDRAWAL, "Cash withdrawal"),
    "CSR": (K.TRANSFER, "Cash receipt"),
    "JNL": (K.TRANSFER, "Journal"),
    "JNLC": (K.TRANSFER, "Journal of cash"),
    "JNLS": (K.TRANSFER, "Journal of shares"),
    "ACATC": (K.TRANSFER, "Cash from or to another broker"),
    "ACATS": (K.TRANSFER, "Shares from or to another broker"),
    "FEE": (K.FEE, "Fee"),
    "CFEE": (K.FEE, "Crypto fee"),
    "PTC": (K.FEE, "Pass-through charge"),
    "DIV": (K.DIVIDEND, "Dividend"),
    "DIVCGL": (K.DIVIDEND, "Long-term capital gain paid out"),
    "DIVCGS": (K.DIVIDEND, "Short-term capital gain paid out"),
    "DIVROC": (K.DIVIDEND, "Return of capital"),
    "DIVTXEX": (K.DIVIDEND, "Tax-exempt dividend"),
    "CGD": (K.DIVIDEND, "Capital gain paid out"),
    "DIVFEE": (K.DIVIDEND_TAX, "Fee for a dividend"),
    "DIVFT": (K.DIVIDEND_TAX, "Foreign tax on a dividend"),
    "DIVNRA": (K.DIVIDEND_TAX, "Tax on a dividend, non-resident"),
    "DIVTW": (K.DIVIDEND_TAX, "Tefra tax on a dividend"),
    "DIVWH": (K.DIVIDEND_TAX, "Tax on a dividend"),
    "INT": (K.INTEREST, "Interest"),
    "INTNRA": (K.INTEREST, "Tax on interest, non-resident"),
    "INTTW": (K.INTEREST, "Tefra tax on interest"),
    "CIL": (K.OTHER, "Cash in lieu of a fraction"),
    "SPLIT": (K.SPLIT, "Split"),
    "MA": (K.CORPORATE_ACTION, "Merger or acquisition"),
    "NC": (K.CORPORATE_ACTION, "Change of name"),
    "SC": (K.CORPORATE_ACTION, "Change of symbol"),
    "REORG": (K.CORPORATE_ACTION, "Reorganisation"),
    "REO": (K.CORPORATE_ACTION, "Reorganisation"),
    "SPIN": (K.CORPORATE_ACTION, "Spin-off"),
    "SSO": (K.CORPORATE_ACTION, "Spin-off"),
    "SSP": (K.CORPORATE_ACTION, "Split"),
    "VOF": (K.CORPORATE_ACTION, "Voluntary offer"),
    "MISC": (K.OTHER, "Miscellaneous"),
}
_EXECUTED: Final = frozenset({"", "executed", "correct"})
_CANCELLED: Final = frozenset({"canceled", "cancelled"})
_PENDING: Final = "pending"
_RECORD_DATE: Final = re.compile(r"Rec Date: *(\d{4}-\d\d-\d\d)")
_HELD: Final = re.compile(r"Pos QTY: *(-?[\d.]+)")
_LONGEST: Final = 200


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """A row as it stands. `created_ns`: when it was made, where it says so; `day_ns`: when its day began in New York."""

    id: str
    kind: BrokerEntryKind
    type: str
    sub_type: str
    status: str
    said: str
    description: str
    group: str = ""
    day_ns: int | None = None
    created_ns: int | None = None
    symbol: str = ""
    cash: Decimal = ZERO
    qty: Decimal = ZERO
    price: Decimal | None = None
    per_share: Decimal | None = None
    is_whole: bool = True
    """Whether all of its amounts could be read."""

    @property
    def is_pending(self) -> bool:
        """Whether it may still come to nothing."""
        return self.status == _PENDING

    @property
    def is_cancelled(self) -> bool:
        """Whether the broker took it back."""
        return self.status in _CANCELLED

    @property
    def known_ns(self) -> int | None:
        """Return when it was in the account's figures, as far as the row tells."""
        return self.day_ns if self.created_ns is None else self.created_ns


def read_booking(document: Any) -> Booking | None:
    """Return a row; None for an execution, and for one without an id: it could not be told from another, and would be booked again."""
    row = fields(document)
    type_ = _text(row, "activity_type").upper()
    if not _text(row, "id") or type_ == "FILL":
        return None
    kind, words = _KINDS.get(type_, (K.OTHER, "Something that this program does not know"))
    description = " ".join(_text(row, "description").split())[:_LONGEST]
    amounts, is_whole = _amounts(row)
    read = Booking(
        id=_text(row, "id"),
        kind=kind,
        type=type_,
        sub_type=(_text(row, "activity_sub_type") or _text(row, "activity_subtype")).upper(),
        status=_text(row, "status").lower(),
        said=f"{words} ({type_ or '?'})" + (f": {description}" if description else ""),
        description=description,
        group=_text(row, "group_id"),
        day_ns=_day_ns(row),
        created_ns=_created_ns(row),
        symbol=symbol_of_execution(_text(row, "symbol").upper()),
        cash=amounts.get("net_amount", ZERO),
        qty=amounts.get("qty", ZERO),
        price=amounts.get("price"),
        per_share=amounts.get("per_share_amount"),
        is_whole=is_whole,
    )
    return msgspec.structs.replace(read, kind=_kind_of(read))


def entry_of(one: Booking, at_ns: int, dividend: Booking | None = None) -> BrokerEntry:
    """Return what one row says by itself. `at_ns`: when it was booked; `dividend`: of tax on one, the row of the dividend."""
    # A split that was taken back is undone by hand: nobody can tell what was done in its units since.
    kind = K.CORPORATE_ACTION if one.kind is K.SPLIT else one.kind
    source = one if dividend is None else dividend
    counts_ns, rate = at_ns, None
    if kind is K.DIVIDEND or kind is K.DIVIDEND_TAX:
        # It is whose that held before the day of record; what it is paid on is said in the description, and in older rows by `qty`.
        record = _RECORD_DATE.search(source.description)
        counts_ns = at_ns if record is None else _start_of(record[1]) or at_ns
        rate = source.per_share if kind is K.DIVIDEND else _per_unit(one.cash, source)
    return BrokerEntry(
        id=one.id,
        kind=kind,
        time_ns=counts_ns,
        booked_ns=None if counts_ns == at_ns else at_ns,
        cash=one.cash,
        symbol=one.symbol,
        # `qty` of a dividend, or of a fee in money, is what it was worked out from.
        qty=one.qty if kind in {K.TRANSFER, K.COIN_FEE, K.CORPORATE_ACTION, K.OTHER} else ZERO,
        rate=rate,
        said=one.said,
    )


def taken_back(entry: BrokerEntry) -> BrokerEntry:
    """Return what undoes an entry that the broker cancelled."""
    return msgspec.structs.replace(
        entry,
        id=f"{entry.id}/cancelled",
        reverses=entry.id,
        cash=-entry.cash,
        qty=-entry.qty,
        said=f"Taken back by the broker: {entry.said}",
    )


def day_of_id(id: str) -> int | None:
    """Return when the day with which an id begins began in New York, UTC ns; None where it begins with none."""
    return _start_of(f"{id[:4]}-{id[4:6]}-{id[6:8]}")


def _kind_of(one: Booking) -> BrokerEntryKind:
    """Return the kind of a row, by what else it says: what is odd, or paid in shares, is left to a person."""
    if not one.is_whole or one.status not in _EXECUTED | _CANCELLED | {_PENDING}:
        return K.OTHER
    if one.type == "CFEE" and not one.cash and one.qty:
        return K.COIN_FEE
    if one.kind is K.DIVIDEND and (one.sub_type == "SDIV" or (one.qty and not one.cash)):
        return K.CORPORATE_ACTION
    if one.kind is K.SPLIT and (one.sub_type == "USPLIT" or not one.qty or not one.symbol):
        return K.CORPORATE_ACTION
    return one.kind


def _per_unit(cash: Decimal, dividend: Booking) -> Decimal | None:
    held = _HELD.search(dividend.description)
    try:
        units = dividend.qty if held is None else Decimal(held[1])
    except InvalidOperation:
        return None
    return cash / units if units else None


def _amounts(row: Fields) -> tuple[dict[str, Decimal], bool]:
    found: dict[str, Decimal] = {}
    is_whole = True
    for name in ("net_amount", "qty", "price", "per_share_amount"):
        try:
            read = amount_or_none(row.get(name))
        except (TypeError, ValueError, InvalidOperation):
            is_whole = False
        else:
            if read is not None:
                found[name] = read
    return found, is_whole


def _created_ns(row: Fields) -> int | None:
    try:
        return instant(row.get("created_at"))
    except ValueError:
        return None


def _day_ns(row: Fields) -> int | None:
    """Return when the day of a row began: of its date, else of its id, which begins with it."""
    return _start_of(_text(row, "date")[:10]) or day_of_id(_text(row, "id"))


def _start_of(day: str) -> int | None:
    try:
        return day_start(day_number(date.fromisoformat(day)), AssetClass.EQUITY)
    except (ValueError, OverflowError):
        return None


def _text(row: Fields, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value).strip()
