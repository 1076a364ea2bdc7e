"""Cash, positions, marks: the ledger, and what it can afford."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from tests.oracle.market import Instrument
from tests.oracle.orders import Side
from tests.oracle.outcome import Totals
from tests.oracle.rounding import half_even_cent, toward_zero
from tests.oracle.settings import Settings
from tests.oracle.trips import Trips

DAYS_OF_A_YEAR = 360


@dataclass(slots=True)
class Account:
    """Positions are signed quantities; `last` holds each symbol's last close."""

    settings: Settings
    instruments: dict[str, Instrument]
    cash: Decimal
    qty: dict[str, Decimal] = field(default_factory=dict)
    average_cost: dict[str, Decimal] = field(default_factory=dict)
    last: dict[str, Decimal] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    trips: Trips = field(default_factory=Trips)

    def copy(self) -> "Account":
        return Account(
            self.settings,
            self.instruments,
            self.cash,
            dict(self.qty),
            dict(self.average_cost),
            dict(self.last),
            replace(self.totals),
            self.trips.copy(),
        )

    def position(self, symbol: str) -> Decimal:
        return self.qty.get(symbol, Decimal(0))

    def closable(self, symbol: str, side: Side) -> Decimal:
        """How much an order of `side` can take off the position before it is flat."""
        held = self.position(symbol)
        return max(Decimal(0), held if side == "sell" else -held)

    def equity(self) -> Decimal:
        return self.cash + sum((qty * self.last[symbol] for symbol, qty in self.qty.items() if qty), Decimal(0))

    def maintenance(self) -> Decimal:
        """The equity that the positions ask for, at their last closes."""
        return self._required(self.qty, self.last, self.settings.maintenance_margin)

    def _required(self, held: dict[str, Decimal], prices: dict[str, Decimal], rate: Decimal) -> Decimal:
        total = Decimal(0)
        for symbol, qty in held.items():
            if qty:
                total += abs(qty) * prices[symbol] * (self.settings.unmarginable if self.instruments[symbol].crypto else rate)
        return total

    def refusal(self, symbol: str, side: Side, qty: Decimal, price: Decimal, fee: Decimal) -> str | None:
        """The code with which this fill is refused, or None. What only closes is never refused on a margin account."""
        money = qty * price
        cash_after = self.cash - fee + (money if side == "sell" else -money)
        if self.settings.account == "cash":
            if side == "sell" and qty > self.closable(symbol, side):
                return "insufficient_position"
            return "insufficient_cash" if cash_after < 0 else None
        before = self.position(symbol)
        after = before - qty if side == "sell" else before + qty
        instrument = self.instruments[symbol]
        opens = qty > self.closable(symbol, side)
        if not opens:
            return None
        if after < 0 and (instrument.crypto or instrument.hard_to_borrow):
            return "not_shortable"
        prices = {**self.last, symbol: price}
        held = {**self.qty, symbol: after}
        equity = cash_after + sum((size * prices[name] for name, size in held.items() if size), Decimal(0))
        return "insufficient_margin" if equity < self._required(held, prices, self.settings.initial_margin) else None

    def fill(self, symbol: str, side: Side, qty: Decimal, price: Decimal, fee: Decimal, time_ns: int) -> None:
        """Book a fill: a reversal first closes, then opens at its price."""
        if side == "buy":
            self.cash -= qty * price
            self.totals.bought += qty * price
        else:
            self.cash += qty * price
            self.totals.sold += qty * price
        self.cash -= fee
        self.totals.fees += fee
        signed = qty if side == "buy" else -qty
        before = self.position(symbol)
        after = before + signed
        if before == 0 or (before > 0) != (signed > 0):
            if after != 0 and (before == 0 or (after > 0) != (before > 0)):
                self.average_cost[symbol] = price
        else:
            self.average_cost[symbol] = (abs(before) * self.average_cost[symbol] + qty * price) / abs(after)
        self.qty[symbol] = after
        self.trips.fill(symbol, signed, price, fee, time_ns)

    def night(self) -> None:
        """One midnight's borrow and interest, each rounded by itself, all on what was there before."""
        charges = Decimal(0)
        margin = self.settings.account == "margin"
        for symbol, qty in self.qty.items():
            if qty < 0:
                charges -= _of_a_year(-qty * self.last[symbol], self.settings.borrow_rate)
        if self.cash > 0:
            charges += _of_a_year(self.cash, self.settings.credit_rate)
        elif self.cash < 0 and margin:
            charges -= _of_a_year(-self.cash, self.settings.debit_rate)
        self.cash += charges
        self.totals.interest += charges

    def dividend(self, symbol: str, amount: Decimal) -> None:
        """Paid on a long, charged on a short."""
        self.cash += self.position(symbol) * amount
        self.totals.dividends += self.position(symbol) * amount

    def split(self, symbol: str, ratio: Decimal, open_price: Decimal, time_ns: int) -> None:
        """New units for old; what does not fill a lot is paid in cash at the open."""
        if symbol in self.last:
            self.last[symbol] /= ratio
        exact = self.position(symbol) * ratio
        if exact == 0:
            return
        lot = self.instruments[symbol].lot
        whole = exact if lot is None else toward_zero(exact, lot)
        fraction = exact - whole
        self.average_cost[symbol] /= ratio
        self.trips.split(symbol, ratio)
        self.qty[symbol] = whole
        if fraction:
            self.cash += fraction * open_price
            self.totals.fractions += fraction * open_price
            self.trips.fill(symbol, -fraction, open_price, Decimal(0), time_ns)


def _of_a_year(balance: Decimal, rate: Decimal) -> Decimal:
    return half_even_cent(Fraction(balance) * Fraction(rate) / DAYS_OF_A_YEAR)
