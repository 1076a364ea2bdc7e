"""The account: cash, positions at average cost, and what they may be. Exact decimals; only interest is rounded.

The thread that books must have entered `MONEY_CONTEXT`. Source: docs/simulation.md, "Account".
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from core.matching.holding import Holding
from core.matching.margin import INITIAL, MAINTENANCE, Shortfall, is_crypto, weigh
from core.matching.nights import NightCharge, has_rates, night_charges
from core.model.corporate_action import price_after, units_after
from core.model.market import AssetClass
from core.model.money import ZERO, floor_to, plain
from core.model.order import OrderSide, RejectCode
from core.model.position import Position
from core.model.run import AccountKind, AccountTerms

_BUY = OrderSide.BUY
_CASH_ACCOUNT: Final = AccountTerms()


class Refusal(Exception):
    """A fill that the account cannot bear, with the figures."""

    def __init__(self, code: RejectCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class PositionSplit(msgspec.Struct, frozen=True, kw_only=True):
    """What a split did to a position: signed units before and after, and the cash for the fraction of a lot (minus: paid)."""

    qty_before: Decimal
    qty_after: Decimal
    cash: Decimal


class Ledger:
    """Books fills, nights, splits and dividends; refuses what the account's kind does not allow.

    A cash account: cash never goes below zero, and a sell needs the position. A margin account (Regulation T): a fill
    that raises exposure must leave equity of half of it, crypto paid in full and never short. `marks`: the last close of
    each symbol, a fill's price until there is one. `restricted`: after a margin call nothing may raise exposure.
    `classes`: of the run's symbols; one that is not named is what its form tells.
    """

    __slots__ = ("cash", "classes", "holdings", "is_margin", "marks", "restricted", "terms")

    def __init__(self, cash: Decimal, terms: AccountTerms = _CASH_ACCOUNT, classes: Mapping[str, AssetClass] | None = None) -> None:
        self.cash = cash
        self.terms = terms
        self.classes: Mapping[str, AssetClass] = classes or {}
        self.holdings: dict[str, Holding] = {}
        self.marks: dict[str, Decimal] = {}
        self.restricted = False
        self.is_margin = terms.kind is AccountKind.MARGIN

    def copy(self) -> "Ledger":
        """Return an independent copy, to try a path on."""
        twin = Ledger.__new__(Ledger)
        twin.cash = self.cash
        twin.terms = self.terms
        twin.classes = self.classes
        twin.holdings = {symbol: Holding(held.qty, held.cost, held.realised) for symbol, held in self.holdings.items()}
        twin.marks = self.marks.copy()
        twin.restricted = self.restricted
        twin.is_margin = self.is_margin
        return twin

    # What there is

    def held(self, symbol: str) -> Decimal:
        """Return the units held, signed."""
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.qty

    def closing_part(self, symbol: str, side: OrderSide, qty: Decimal) -> Decimal:
        """Return how many of `qty` units only take off the position; 0 when the order would not reduce it."""
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.closing_part(qty if side is _BUY else -qty)

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

    def mark(self, symbol: str, price: Decimal) -> None:
        """Set the last close of `symbol`."""
        self.marks[symbol] = price

    @property
    def exposure(self) -> Decimal:
        """Gross worth of all positions at their marks, longs and shorts added."""
        return weigh(self.holdings, self.marks, self.classes, INITIAL).exposure

    @property
    def equity(self) -> Decimal:
        """Cash and the signed worth of all positions at their marks."""
        return self.cash + weigh(self.holdings, self.marks, self.classes, INITIAL).value

    # Fills

    def book(self, symbol: str, side: OrderSide, qty: Decimal, price: Decimal, fee: Decimal) -> None:
        """Book a fill of `qty` units at `price`. Raises Refusal, and then nothing has changed."""
        if self.is_margin:
            self._book_on_margin(symbol, side, qty, price, fee)
            return
        money = qty * price
        holding = self.holdings.get(symbol)
        if side is _BUY:
            left = self.cash - money - fee
            if left < ZERO:
                needed = plain(money + fee)
                reason = f"Buying {plain(qty)} {symbol} at {plain(price)} takes {needed} with fees; the account has {plain(self.cash)}."
                raise Refusal(RejectCode.INSUFFICIENT_CASH, reason)
            self.cash = left
            if holding is None:
                self.holdings[symbol] = Holding(qty, money)
                self.marks.setdefault(symbol, price)
            else:
                holding.qty += qty
                holding.cost += money
            return
        if holding is None or holding.qty < qty:
            has = ZERO if holding is None else holding.qty
            raise Refusal(RejectCode.INSUFFICIENT_POSITION, f"Selling {plain(qty)} {symbol} needs as many; the account holds {plain(has)}.")
        left = self.cash + money - fee
        if left < ZERO:
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

    def take(self, symbol: str, side: OrderSide, qty: Decimal, price: Decimal, fee: Decimal) -> None:
        """Book a fill that happened at a broker, whatever it leaves."""
        signed = qty if side is _BUY else -qty
        self.cash -= signed * price + fee
        holding = self.holdings.get(symbol)
        if holding is None:
            holding = self.holdings[symbol] = Holding()
            self.marks.setdefault(symbol, price)
        holding.trade(signed, price)

    def _book_on_margin(self, symbol: str, side: OrderSide, qty: Decimal, price: Decimal, fee: Decimal) -> None:
        signed = qty if side is _BUY else -qty
        cash = self.cash - signed * price - fee
        holding = self.holdings.get(symbol)
        if holding is None or holding.closing_part(signed) != qty:
            self._judge(symbol, signed, price, fee, cash)
            self.restricted = False  # or it would have been refused
        self.cash = cash
        if holding is None:
            holding = self.holdings[symbol] = Holding()
            self.marks.setdefault(symbol, price)
        holding.trade(signed, price)

    def _judge(self, symbol: str, signed: Decimal, price: Decimal, fee: Decimal, cash: Decimal) -> None:
        """Raise Refusal unless a margin account bears `signed` units more, which leave `cash`. Raises exposure, in part at least."""
        before = self.held(symbol)
        after = before + signed
        what = f"{'Buying' if signed > 0 else 'Selling'} {plain(abs(signed))} {symbol} at {plain(price)}"
        if after < ZERO:
            crypto = is_crypto(symbol, self.classes)
            if crypto or symbol in self.terms.hard_to_borrow:
                why = "crypto cannot be sold short" if crypto else "the symbol is hard to borrow and cannot be sold short"
                raise Refusal(RejectCode.NOT_SHORTABLE, f"{what} would leave {plain(after)}: {why}; the account holds {plain(before)}.")
        # Positions that are closed inside a bar end the restriction there and then.
        restricted = self.restricted and any(holding.qty for holding in self.holdings.values())
        if after >= ZERO and not restricted and self._owes_nothing(cash):
            return
        weight = weigh(self.holdings, self.marks, self.classes, INITIAL, (symbol, after, price))
        equity = cash + weight.value
        if restricted:
            raise Refusal(
                RejectCode.INSUFFICIENT_MARGIN,
                f"{what} would raise exposure to {plain(weight.exposure)} with equity of {plain(equity)}; "
                "after a margin call nothing may until all positions are closed.",
            )
        if equity < weight.required:
            raise Refusal(
                RejectCode.INSUFFICIENT_MARGIN,
                f"{what} with {plain(fee)} in fees would leave equity of {plain(equity)}; "
                f"an exposure of {plain(weight.exposure)} requires {plain(weight.required)}.",
            )

    def maintenance(self) -> Shortfall | None:
        """Return by how much a margin account misses its maintenance margin; None when it does not, or holds nothing."""
        if not self.is_margin or self._owes_nothing(self.cash):
            return None
        weight = weigh(self.holdings, self.marks, self.classes, MAINTENANCE)
        equity = self.cash + weight.value
        if not weight.exposure or equity >= weight.required:
            return None
        return Shortfall(equity=equity, required=weight.required, exposure=weight.exposure)

    def _owes_nothing(self, cash: Decimal) -> bool:
        """Tell whether nothing is borrowed: then equity is at least the whole exposure, and nobody needs to work it out."""
        if cash < ZERO:
            return False
        for holding in self.holdings.values():  # noqa: SIM110 - a generator takes twice as long, at each time of the run
            if holding.qty < ZERO:
                return False
        return True

    # Nights, splits, dividends

    @property
    def has_rates(self) -> bool:
        """Whether a night can cost or earn anything."""
        return has_rates(self.terms)

    def charge_night(self) -> list[NightCharge]:
        """Book one UTC midnight's interest and return what was paid and earned."""
        charges = night_charges(self.terms, self.cash, self.holdings, self.marks)
        for charge in charges:
            self.cash -= charge.amount
        return charges

    def split(self, symbol: str, ratio: Decimal, open_price: Decimal, lot: Decimal | None) -> PositionSplit | None:
        """Give `ratio` new units for each old one, down to the lot (None: no lot); None when flat.

        The fraction is sold (a short's: bought) at `open_price`, which is after the split. The mark is divided.
        """
        if symbol in self.marks:
            self.marks[symbol] = price_after(self.marks[symbol], ratio)
        holding = self.holdings.get(symbol)
        if holding is None or not holding.qty:
            return None
        before = holding.qty
        holding.qty = units_after(before, ratio)
        whole = floor_to(abs(holding.qty), lot)
        fraction = holding.qty - (whole if before > 0 else -whole)
        money = fraction * open_price
        if fraction:
            self.cash += money
            holding.trade(-fraction, open_price)
        return PositionSplit(qty_before=before, qty_after=holding.qty, cash=money)

    def dividend(self, symbol: str, amount: Decimal) -> Decimal | None:
        """Pay `amount` per unit on a long, charge it on a short; return the cash (minus: charged), None when flat."""
        held = self.held(symbol)
        if not held:
            return None
        money = held * amount
        self.cash += money
        return money
