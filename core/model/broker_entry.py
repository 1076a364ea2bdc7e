"""What moves an account's money or units without an execution, as its broker tells it."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from core.model.money import ZERO


class BrokerEntryKind(StrEnum):
    """What it is. Stable: it is stored."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRANSFER = "transfer"
    """Money or units from or to another account of the owner, or of the broker's."""
    FEE = "fee"
    COIN_FEE = "coin_fee"
    """Units that were kept of a coin. What is held tells of them first: it is only told, and moves nothing."""
    SPLIT = "split"
    DIVIDEND = "dividend"
    DIVIDEND_TAX = "dividend_tax"
    """What was kept of a dividend: tax, or a fee for it."""
    INTEREST = "interest"
    MARGIN_CALL = "margin_call"
    """It moves nothing by itself: working orders are cancelled, and positions closed by orders of the broker's own."""
    CORPORATE_ACTION = "corporate_action"
    """A merger, a spin-off, another name …: what it does to units is not known well enough to be booked, and is left to a person."""
    OTHER = "other"


class BrokerEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Such a movement: `cash` that came in (minus: went), `qty` units of `symbol` that came (minus: went).

    `time_ns`: UTC, from when on it counts: of interest the midnight, of a dividend the morning before which one must have held, of a
    split an instant that no execution shares. Where a broker can tell, a split or a dividend is there for a symbol of which nothing is
    held, too: what several hold of it may come to nothing. A split without `rate` is half told: the rest of it comes.
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
    booked_ns: int | None = None
    """When the broker booked it, UTC, where that is another instant than from when on it counts."""
    reverses: str = ""
    """The entry that the broker took back by it: it is nothing where that one was never taken."""
    said: str = ""
    """What the broker says of it, in a few words for a person."""

    @property
    def known_ns(self) -> int:
        """When it was in the account's figures, UTC."""
        return self.time_ns if self.booked_ns is None else self.booked_ns

    @property
    def is_half_told(self) -> bool:
        """Whether the broker books it in parts, and one is missing yet."""
        return self.kind is BrokerEntryKind.SPLIT and self.rate is None

    @property
    def is_of_the_account(self) -> bool:
        """Whether no run has a part of it, whatever it holds: it is told, and moves nothing of theirs."""
        kinds = BrokerEntryKind
        if self.kind is kinds.INTEREST:
            return not self.symbol
        if self.kind is kinds.TRANSFER:
            return not self.symbol or not self.qty
        return self.kind not in {kinds.SPLIT, kinds.DIVIDEND, kinds.DIVIDEND_TAX, kinds.MARGIN_CALL}
