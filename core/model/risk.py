"""What keeps orders from leaving: the kill switch and the limits of an account or a run."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from core.errors import InputError, InvalidValue, UnknownName

_SHARES: Final = ("max_order_share", "max_price_distance", "max_drawdown")
_AMOUNTS: Final = ("max_order_qty", "max_order_value", "max_position_value", "max_gross_exposure", "max_daily_loss", *_SHARES)


class SwitchLevel(StrEnum):
    """How far the kill switch is thrown."""

    OFF = "off"
    REDUCE_ONLY = "reduce_only"
    """Only what takes off a position may leave."""
    HALT = "halt"
    """Nothing new may leave; working orders stay."""
    CANCEL_ALL = "cancel_all"
    """Nothing new, and working orders are cancelled."""
    FLATTEN = "flatten"
    """Nothing new, working orders are cancelled, and positions are closed."""

    @property
    def halts(self) -> bool:
        """Whether nothing of a strategy or a person may leave."""
        return self in _HALTING


_HALTING: Final = frozenset({SwitchLevel.HALT, SwitchLevel.CANCEL_ALL, SwitchLevel.FLATTEN})


class OnSilence(StrEnum):
    """What the dead man's switch does."""

    HALT = "halt"
    """Nothing new may leave."""
    CANCEL = "cancel"
    """And working orders are cancelled, as soon as the broker can be reached."""


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The limits of an account or a run; None, or False, is off. Checks itself. A share is a fraction: 0.05 is five percent."""

    max_order_qty: Decimal | None = None
    """Units in one order."""
    max_order_value: Decimal | None = None
    """Money in one order, at its price or the last one."""
    max_order_share: Decimal | None = None
    """The same as a share of the equity."""
    max_price_distance: Decimal | None = None
    """How far an order's price may lie from the last price, as a share of it, on either side."""
    max_position_value: Decimal | None = None
    """Worth of one symbol's position after the order and all that works on its side, long or short."""
    max_gross_exposure: Decimal | None = None
    """Worth of all positions after it, longs and shorts added."""
    max_orders_per_minute: int | None = None
    max_open_orders: int | None = None
    duplicate_window_s: float | None = None
    """Seconds within which the same order again is taken for a mistake."""
    max_daily_loss: Decimal | None = None
    """Money lost since the day began at which nothing but closing leaves."""
    max_drawdown: Decimal | None = None
    """The same for the share lost since the highest equity."""
    max_silence_s: float | None = None
    """Seconds that the broker may not have been heard of: its stream of orders is cut, or it answers no question."""
    max_price_age_s: float | None = None
    """Seconds, by the market's clock, since the symbol's last price."""
    halt_silence_s: float | None = None
    """Seconds without a word of the broker, or of the stream of a run's market, that throw the switch of the runs concerned."""
    halt_feed_s: float | None = None
    """The same for seconds without a price of any of a run's symbols while one of their markets is open."""
    on_silence: OnSilence = OnSilence.HALT
    symbols: tuple[str, ...] | None = None
    """What may be traded."""
    regular_hours_only: bool = False
    """Whether an order may leave only while its market is in its regular session."""

    def __post_init__(self) -> None:
        for field in _AMOUNTS:
            amount: Decimal | None = getattr(self, field)
            if amount is not None and (not amount.is_finite() or amount <= 0):
                raise InvalidValue(field, amount, "a limit is above zero; leave it out to switch it off.")
        for field in ("max_orders_per_minute", "max_open_orders"):
            count: int | None = getattr(self, field)
            if count is not None and count < 1:
                raise InvalidValue(field, count, "a limit is at least 1; leave it out to switch it off.")
        for field in ("max_silence_s", "max_price_age_s", "halt_silence_s", "halt_feed_s"):
            seconds: float | None = getattr(self, field)
            if seconds is not None and not 0 < seconds < 86_400:
                raise InvalidValue(field, seconds, "it is above zero and shorter than a day; leave it out to switch it off.")
        if self.duplicate_window_s is not None and not 0 < self.duplicate_window_s < 86_400:
            raise InvalidValue("duplicate_window_s", self.duplicate_window_s, "it is above zero and shorter than a day.")


SILENCE_S: Final = 60.0
"""How long the broker of an account may be silent where nobody says otherwise: after that no order leaves."""
HALT_SILENCE_S: Final = 180.0
"""And after how long the dead man's switch is thrown."""


def parse_limits(words: Iterable[str], where: str) -> RiskLimits:
    """Return limits from words such as `max_order_value=5000` and `symbols=SPY,QQQ`; `where`: what gave them. Raises InputError."""
    fields: dict[str, Any] = {}
    for text in words:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not value.strip():
            raise InputError(f"{where} {text} is not a name and a value.", f"Write it like {where} max_order_value=5000.")
        if name not in RiskLimits.__struct_fields__:
            raise UnknownName("risk limit", name, RiskLimits.__struct_fields__)
        fields[name] = value.strip().upper().split(",") if name == "symbols" else value.strip()
    try:
        return msgspec.convert(fields, RiskLimits, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"A risk limit cannot be read: {error}.", "Write a number, or for symbols a list like SPY,QQQ.") from error


def account_limits(text: str, where: str) -> RiskLimits:
    """Return the limits of an account from a line of such words, blanks between them. Raises InputError."""
    limits = parse_limits(text.split(), where)
    silence_s, halt_s = limits.max_silence_s or SILENCE_S, limits.halt_silence_s or HALT_SILENCE_S
    return msgspec.structs.replace(limits, max_silence_s=silence_s, halt_silence_s=halt_s)


class EquityMark(msgspec.Struct, frozen=True, kw_only=True):
    """What losses are counted from, as of the event `seq`: the highest equity, and that with which the day began.

    `owner`: a run's id, or the key of an account, `BROKER:NUMBER`. `day`: days since 1970. Money in account currency.
    """

    owner: str
    peak: Decimal
    day: int
    day_start: Decimal
    seq: int = 0
