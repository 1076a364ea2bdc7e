"""What happens to an account beside its fills: nights, splits and dividends, and the maintenance margin.

Source: docs/simulation.md, "Account".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

from core.backtest.feeds import Feed
from core.backtest.venue import SimulatedVenue
from core.events.envelope import Cause
from core.matching.orders import WorkingOrder
from core.matching.splits import Dissolved, split_order
from core.model.corporate_action import CorporateAction, Split
from core.model.instants import DAY_NS
from core.model.market import Bar
from core.model.money import exact, plain
from core.model.order import OrderRequest

MARGIN_CALL: Final = "margin_call"


class AccountReports(Protocol):
    """Who is told what happened to the account. Money in account currency, times UTC ns."""

    def margin_call(self, *, equity: Decimal, required: Decimal, exposure: Decimal, now_ns: int) -> Cause:
        """Returns the id of the event it became."""
        ...

    def interest(self, *, amount: Decimal, symbol: str | None, now_ns: int) -> None: ...
    def split(self, *, symbol: str, ratio: Decimal, qty_before: Decimal, qty: Decimal, cash: Decimal, now_ns: int) -> None: ...
    def dividend(self, *, symbol: str, per_share: Decimal, qty: Decimal, cash: Decimal, now_ns: int) -> None: ...


class OrderReplaced(Protocol):
    """Who is told that an order's terms changed."""

    def replace(self, order_id: str, request: OrderRequest, reason: str, *, now_ns: int, filled_qty: Decimal | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class DatedAction:
    """A split or dividend, and which of its symbol's bars is the first that starts on its day or after."""

    action: CorporateAction
    bar: int


class Upkeep:
    """Looks after the account between bars. `before` each bar is met, `after` all bars of a decision time."""

    def __init__(
        self,
        venue: SimulatedVenue,
        *,
        actions: Mapping[str, Sequence[DatedAction]],
        orders: OrderReplaced,
        account: AccountReports,
        charges_nights: bool,
        is_margin: bool,
        start_ns: int,
    ) -> None:
        self._venue = venue
        self._orders = orders
        self._account = account
        self._actions = {symbol: list(reversed(dated)) for symbol, dated in actions.items()}
        self._charges_nights = charges_nights
        self._is_margin = is_margin
        self._next_midnight_ns = (start_ns // DAY_NS + 1) * DAY_NS

    def before(self, feed: Feed, at: int, bar: Bar) -> None:
        """Charge the nights before the end of `bar`, the symbol's number `at`; apply what happens before it starts; mark its close."""
        if self._charges_nights and bar.end_ns > self._next_midnight_ns:
            self._nights_before(bar.end_ns)
        dated = self._actions.get(feed.symbol)
        while dated and dated[-1].bar <= at:
            self._apply(feed, dated.pop().action, bar)
        # A fill of this bar is judged with its own price and the others' marks: nothing in the bar sees this one.
        if self._is_margin and (feed.book.working or self._venue.ledger.held(feed.symbol)):
            self._venue.ledger.mark(feed.symbol, exact(bar.close))

    def after(self, now_ns: int) -> None:
        """Charge a midnight that is now; close everything when equity is below the maintenance margin."""
        if self._charges_nights and now_ns >= self._next_midnight_ns:
            self._nights_before(now_ns + 1)
        if not self._is_margin:
            return
        ledger = self._venue.ledger
        if ledger.restricted:
            if not ledger.open_positions():
                ledger.restricted = False
            return
        shortfall = ledger.maintenance()
        if shortfall is None:
            return
        venue = self._venue
        called = self._account.margin_call(
            equity=shortfall.equity, required=shortfall.required, exposure=shortfall.exposure, now_ns=venue.now_ns
        )
        venue.cancel_all("Margin call: all working orders are cancelled.")
        ledger.restricted = True
        for position in ledger.open_positions():
            venue.liquidate(position.symbol, MARGIN_CALL, called)

    def _nights_before(self, end_ns: int) -> None:
        """Charge each 00:00 UTC that lies before `end_ns`; bars that end at midnight come before its charges."""
        venue = self._venue
        while self._next_midnight_ns < end_ns:
            midnight_ns = self._next_midnight_ns
            self._next_midnight_ns += DAY_NS
            for charge in venue.ledger.charge_night():
                self._account.interest(amount=charge.amount, symbol=charge.symbol, now_ns=midnight_ns)
                venue.step_cash()

    def _apply(self, feed: Feed, action: CorporateAction, bar: Bar) -> None:
        venue, symbol = self._venue, action.symbol
        ledger = venue.ledger
        if isinstance(action, Split):
            lot = feed.market.instrument.lot
            change = ledger.split(symbol, action.ratio, exact(bar.open), lot)
            for order in venue.orders_of(symbol):
                is_over = order.gone or (order.dead_from_ns is not None and order.dead_from_ns <= bar.start_ns)
                if not is_over:
                    self._adjust(venue, order, action.ratio, feed, bar.start_ns)
            venue.drop_idle(symbol)
            if change is not None:
                self._account.split(
                    symbol=symbol,
                    ratio=action.ratio,
                    qty_before=change.qty_before,
                    qty=change.qty_after,
                    cash=change.cash,
                    now_ns=bar.start_ns,
                )
        else:
            qty = ledger.held(symbol)
            cash = ledger.dividend(symbol, action.amount)
            if cash is not None:
                self._account.dividend(symbol=symbol, per_share=action.amount, qty=qty, cash=cash, now_ns=bar.start_ns)
        venue.step(feed)

    def _adjust(self, venue: SimulatedVenue, order: WorkingOrder, ratio: Decimal, feed: Feed, now_ns: int) -> None:
        instrument = feed.market.instrument
        try:
            request = split_order(order, ratio, instrument.tick, instrument.lot)
        except Dissolved as dissolved:
            venue.cancel_alone(order, str(dissolved))
            return
        feed.book.rebuild()
        self._orders.replace(order.id, request, f"A split, {plain(ratio)} for 1.", now_ns=now_ns, filled_qty=order.filled)
