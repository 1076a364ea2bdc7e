"""The money of one run, folded from its events."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Any

from core.events.live_payloads import CoinFee
from core.events.payloads import DividendPaid, InterestCharged, SplitApplied
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Fill
from core.views.positions import PositionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Cash and what changed it, account currency. `interest` above zero was paid, `dividends` above zero were received."""

    cash: Decimal = ZERO
    fees: Decimal = ZERO
    slippage: Decimal = ZERO
    interest: Decimal = ZERO
    dividends: Decimal = ZERO

    def after_fill(self, fill: Fill) -> "Account":
        """Return the account after a fill was paid for."""
        with localcontext(MONEY_CONTEXT):
            paid = fill.price * fill.qty * fill.side.sign + fill.fee
            return replace(self, cash=self.cash - paid, fees=self.fees + fill.fee, slippage=self.slippage + fill.slippage)

    def after(self, payload: Any) -> "Account":
        """Return the account after an `account.*` event."""
        with localcontext(MONEY_CONTEXT):
            if isinstance(payload, InterestCharged):
                return replace(self, cash=self.cash - payload.amount, interest=self.interest + payload.amount)
            if isinstance(payload, DividendPaid):
                return replace(self, cash=self.cash + payload.cash, dividends=self.dividends + payload.cash)
            if isinstance(payload, CoinFee):
                return replace(self, fees=self.fees + payload.qty * payload.price)
            if isinstance(payload, SplitApplied):
                return replace(self, cash=self.cash + payload.cash)
        return self

    def equity(self, positions: Iterable[PositionRow]) -> float:
        """Return cash and what is held at its last known price; at its average cost where none is known."""
        held = (float(row.avg_price * row.qty) if (value := row.value) is None else value for row in positions if row.qty)
        return float(self.cash) + sum(held)
