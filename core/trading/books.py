"""What the orders and fills of an account come to: positions and money, run by run and together."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, localcontext

import msgspec

from core.events.payloads import DividendPaid, InterestCharged, SplitApplied
from core.matching.holding import Holding
from core.matching.ledger import Ledger
from core.model.corporate_action import price_after, units_after
from core.model.instants import MINUTE_NS, SECOND_NS
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Fill, OrderRequest, OrderStatus
from core.model.position import Position
from core.model.risk import RiskLimits
from core.model.run import AccountTerms
from core.trading.losses import Losses
from core.trading.order_fold import OrderLife
from core.trading.risk import Sent

BookChange = SplitApplied | DividendPaid | InterestCharged
"""What changes a run's money or units without a fill."""


class RunBook:
    """The part of an account that one run owns: its fills, at average cost, and the money they left of its own.

    `terms`: by which that money and those positions must bear each new order; None: all that is in the account may be used.
    """

    def __init__(self, cash: Decimal, limits: RiskLimits, terms: AccountTerms | None = None) -> None:
        self.cash = self.start_cash = cash
        self.losses = Losses(cash)
        self.limits = limits
        self.terms = terms
        self.holdings: dict[str, Holding] = {}
        self.fees = ZERO
        self.sent: deque[Sent] = deque()
        self.splits: dict[str, list[tuple[int, Decimal]]] = {}
        """What split of each symbol, and when, UTC ns, oldest first."""

    def go_on_with(self, earlier: "RunBook") -> None:
        """Take what an earlier book of the same run has come to."""
        self.cash, self.holdings, self.fees = earlier.cash, earlier.holdings, earlier.fees
        self.splits = earlier.splits

    def book(self, fill: Fill) -> None:
        """Take a fill that was not taken before."""
        with localcontext(MONEY_CONTEXT):
            signed = fill.qty * fill.side.sign
            self.holdings.setdefault(fill.symbol, Holding()).trade(signed, fill.price)
            self.cash -= signed * fill.price + fill.fee
            self.fees += fill.fee

    def charge(self, symbol: str, qty: Decimal, price: Decimal) -> None:
        """Take off units that the broker kept as a fee; what is left keeps its average cost. Below zero: give them back."""
        holding = self.holdings.setdefault(symbol, Holding())
        with localcontext(MONEY_CONTEXT):
            average = holding.cost / holding.qty if holding.qty else price
            holding.qty -= qty
            holding.cost = average * holding.qty
            self.fees += qty * price

    def take(self, change: "Fill | BookChange", time_ns: int) -> None:
        """Take what changed money or units at an instant, UTC ns, and was not taken before."""
        if isinstance(change, Fill):
            self.book(change)
        elif isinstance(change, SplitApplied):
            self._split(change)
            self.splits.setdefault(change.symbol, []).append((time_ns, change.ratio))
        else:
            self._receive(change.cash if isinstance(change, DividendPaid) else -change.amount)

    def _receive(self, cash: Decimal) -> None:
        with localcontext(MONEY_CONTEXT):
            self.cash += cash

    def _split(self, change: SplitApplied) -> None:
        """Take what a split left; the fraction that was paid is realised."""
        holding = self.holdings.setdefault(change.symbol, Holding())
        with localcontext(MONEY_CONTEXT):
            exact = units_after(holding.qty, change.ratio)
            if change.cash and exact:
                given_up = holding.cost * (exact - change.qty) / exact
                holding.realised += change.cash - given_up
                holding.cost -= given_up
            holding.qty = change.qty
        self._receive(change.cash)

    def price_now(self, symbol: str, price: Decimal, time_ns: int) -> Decimal:
        """Return a price of that instant in the units of now: a close of before a split is of other shares than are held."""
        with localcontext(MONEY_CONTEXT):
            for split_ns, ratio in self.splits.get(symbol, ()):
                if split_ns >= time_ns:
                    price = price_after(price, ratio)
        return price

    def held(self, symbol: str) -> Decimal:
        """Return the units held, signed."""
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.qty

    def position(self, symbol: str) -> Position:
        """Return the holding at average cost."""
        holding = self.holdings.get(symbol)
        if holding is None:
            return Position(symbol=symbol)
        with localcontext(MONEY_CONTEXT):
            average = holding.cost / holding.qty if holding.qty else ZERO
        return Position(symbol=symbol, qty=holding.qty, avg_price=average, realised_pnl=holding.realised)

    def positions(self) -> dict[str, Decimal]:
        """Return what is held, by symbol."""
        return {symbol: holding.qty for symbol, holding in self.holdings.items() if holding.qty}

    def unpriced(self, prices: Mapping[str, Decimal]) -> tuple[str, ...]:
        """Return what is held and has no price: until it has one the equity is a guess, and nobody counts losses from that."""
        return tuple(sorted(symbol for symbol in self.positions() if symbol not in prices))

    def equity(self, prices: Mapping[str, Decimal]) -> Decimal:
        """Return cash and positions at `prices`; what has no price counts at its cost."""
        with localcontext(MONEY_CONTEXT):
            return self.cash + sum(
                (prices[symbol] * one.qty if symbol in prices else one.cost for symbol, one in self.holdings.items()), ZERO
            )

    def own_account(self, prices: Mapping[str, Decimal]) -> Ledger | None:
        """Return the run's part as an account of its own, to try an order on; None where it has no terms."""
        if self.terms is None:
            return None
        ledger = Ledger(self.cash, self.terms)
        ledger.holdings = {symbol: Holding(one.qty, one.cost, one.realised) for symbol, one in self.holdings.items()}
        with localcontext(MONEY_CONTEXT):  # what has no price yet counts at its cost
            ledger.marks = {
                symbol: prices[symbol] if symbol in prices else one.cost / one.qty
                for symbol, one in self.holdings.items()
                if symbol in prices or one.qty
            }
        return ledger

    def left(self, request: OrderRequest, now_ns: int) -> None:
        """Note that an order leaves; what is too old to matter is forgotten."""
        kept_ns = max(MINUTE_NS, int((self.limits.duplicate_window_s or 0) * SECOND_NS))
        note_sent(self.sent, Sent(request, now_ns), kept_ns)


def note_sent(sent: deque[Sent], newest: Sent, kept_ns: int) -> None:
    """Add an order that leaves to those of late, and forget what left more than `kept_ns` before it."""
    while sent and sent[0].time_ns <= newest.time_ns - kept_ns:
        sent.popleft()
    sent.append(newest)


def still_open(life: OrderLife) -> OrderRequest | None:
    """Return an order that can still fill, over what it has left, with what filled and is not booked; None of one that cannot."""
    order = life.order
    rest = life.left_qty + life.missing_qty
    if order.status.is_final or order.status is OrderStatus.CREATED or not rest:
        return None
    return order.request if rest == order.request.qty else msgspec.structs.replace(order.request, qty=rest)


def merged(fills: Iterable[Fill], changes: Iterable[tuple[int, BookChange]]) -> Iterator[tuple[int, Fill | BookChange]]:
    """Return both with their instants, oldest first; `changes` with when each was booked, UTC ns: after the fills of that instant."""
    waiting = deque(sorted(fills, key=lambda fill: fill.time_ns))
    for time_ns, change in changes:
        while waiting and waiting[0].time_ns <= time_ns:
            yield waiting[0].time_ns, waiting.popleft()
        yield time_ns, change
    yield from ((fill.time_ns, fill) for fill in waiting)
