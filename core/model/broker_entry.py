"""What moves an account's money or units without an execution, as its broker tells it."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from core.model.money import ZERO


class BrokerEntryKind(StrEnum):
    """What it is. Stable: it is stored."""

    DEPOSIT = "deposit"
    SPLIT = "split"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    MARGIN_CALL = "margin_call"
    """It moves nothing by itself: working orders are cancelled, and positions closed by orders of the broker's own."""


class BrokerEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Such a movement: `cash` that came in (minus: went), `qty` units of `symbol` that came (minus: went).

    `time_ns`: UTC; of interest the midnight, of a split an instant that no execution shares. A split or a dividend is there
    for a symbol of which nothing is held, too: what several hold of it may come to nothing.
    """

    id: str
    kind: BrokerEntryKind
    time_ns: int
    cash: Decimal = ZERO
    symbol: str = ""
    """Empty: it is of the money."""
    qty: Decimal = ZERO
    rate: Decimal | None = None
    """New units for an old one, of a split; money for a unit, of a dividend."""
    price: Decimal | None = None
    """What the fraction of a unit was paid at, of a split; None where nothing was ever held."""
    equity: Decimal | None = None
    """Of a margin call, with the two that follow: what there was, what had to be, and against which exposure."""
    required: Decimal | None = None
    exposure: Decimal | None = None
