"""The account: cash and positions at average cost. Exact decimals; nothing is rounded.

The thread that books must have entered `MONEY_CONTEXT`.
"""

from decimal import Decimal

from core.model.money import ZERO, plain
from core.model.order import OrderSide, RejectCode
from core.model.position import Position

_BUY = OrderSide.BUY


class Refusal(Exception):
    """A fill that the account cannot bear, with the figures."""

    def __init__(self, code: RejectCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Holding:
    """What is held of one symbol: signed units, and what they cost in total without fees."""

    __slots__ = ("cost", "qty", "realised")

    def __init__(self, qty: Decimal = ZERO, cost: Decimal = ZERO, realised: Decimal = ZERO) -> None:
        self.qty = qty
        self.cost = cost
        self.realised = realised


class Ledger:
    """A cash account: cash never goes below zero, and a sell needs the position."""

    __slots__ = ("cash", "holdings")

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.holdings: dict[str, Holding] = {}

    def copy(self) -> "Ledger":
        """Return an independent copy, to try a path on."""
        twin = Ledger(self.cash)
        twin.holdings = {symbol: Holding(held.qty, held.cost, held.realised) for symbol, held in self.holdings.items()}
        return twin

    def held(self, symbol: str) -> Decimal:
        """Return the units held, signed."""
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.qty

    def book(self, symbol: str, side: OrderSide, qty: Decimal, price: Decimal, fee: Decimal) -> None:
        """Book a fill of `qty` units at `price`. Raises Refusal, and then nothing has changed."""
        money = qty * price
        holding = self.holdings.get(symbol)
        if side is _BUY:
            left = self.cash - money - fee
            if left < 0:
                needed = plain(money + fee)
                reason = f"Buying {plain(qty)} {symbol} at {plain(price)} takes {needed} with fees; the account has {plain(self.cash)}."
                raise Refusal(RejectCode.INSUFFICIENT_CASH, reason)
            self.cash = left
            if holding is None:
                self.holdings[symbol] = Holding(qty, money)
            else:
                holding.qty += qty
                holding.cost += money
            return
        if holding is None or holding.qty < qty:
            has = ZERO if holding is None else holding.qty
            raise Refusal(RejectCode.INSUFFICIENT_POSITION, f"Selling {plain(qty)} {symbol} needs as many; the account holds {plain(has)}.")
        left = self.cash + money - fee
        if left < 0:
            raise Refusal(
                RejectCode.INSUFFICIENT_CASH,
                f"Selling {plain(qty)} {symbol} at {plain(price)} brings {plain(money)} and costs {plain(fee)} in fees; "
                f"the account has {plain(self.cash)}.",
            )
        self.cash = left
        if holding.qty == qty:
            holding.realised += money - holding.cost
            holding.qty = holding.cost = ZERO
        else:
            given_up = holding.cost * qty / holding.qty
            holding.realised += money - given_up
            holding.cost -= given_up
            holding.qty -= qty

    def position(self, symbol: str) -> Position:
        """Return the holding of `symbol` at average cost; flat when there is none."""
        holding = self.holdings.get(symbol)
        if holding is None:
            return Position(symbol=symbol)
        average = holding.cost / holding.qty if holding.qty else ZERO
        return Position(symbol=symbol, qty=holding.qty, avg_price=average, realised_pnl=holding.realised)

    def open_positions(self) -> tuple[Position, ...]:
        """Return what is held now, by symbol."""
        return tuple(self.position(symbol) for symbol in sorted(self.holdings) if self.holdings[symbol].qty)
