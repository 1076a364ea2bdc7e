"""What a run's losses are counted from, and whether they can be judged: not while something it holds has no price.

What has no price counts at its cost, and a highest equity or a day's beginning that was taken from that would be false for as long as
it stands. Source: docs/adr/0034.
"""

from collections.abc import Mapping
from decimal import Decimal

from core.clock import calendar
from core.errors import BrokerError, NotInThisVersion
from core.events.live_payloads import LossesUnjudged
from core.model.instants import DAY_NS
from core.model.market import BarSeries, asset_class_of
from core.model.money import exact
from core.ports import BrokerMarket
from core.runs.equity_marks import MarkTeller
from core.runs.journal import RunJournal
from core.trading.books import RunBook
from core.trading.state import AccountState


class LossWatch:
    """Of one run. Its limits on losses are the gate's to judge, by the same prices: those of the account's state."""

    def __init__(self, book: RunBook, journal: RunJournal) -> None:
        self._book = book
        self._journal = journal
        self._mark = MarkTeller(book.losses, journal)
        self._unpriced: tuple[str, ...] = ()

    def know(self, state: AccountState, bars: BarSeries) -> None:
        """Let the account know a symbol's price by the newest bar of the history, unless it knows a newer one."""
        if not len(bars):
            return
        end_ns = int(calendar.bar_ends(bars.start_ns[-1:], bars.timeframe.ns, asset_class_of(bars.symbol))[0])
        if end_ns > state.priced_ns(bars.symbol):
            close = exact(float(bars.close[-1]))
            state.note_price(bars.symbol, self._book.price_now(bars.symbol, close, end_ns), end_ns)

    async def ask(self, state: AccountState, market: BrokerMarket, feed: str | None, now_ns: int) -> None:
        """Ask for the last trade of what is held and was not in the history; tell where nobody knows a price."""
        for symbol in self._book.unpriced(state.prices):
            own_feed = feed if asset_class_of(symbol).has_sessions else None
            try:
                found = (await market.latest_trades([symbol], own_feed)).get(symbol)
            except (BrokerError, NotInThisVersion):
                continue  # the next bar brings one
            if found is not None and symbol not in state.prices:
                state.note_price(symbol, self._book.price_now(symbol, found.price, found.time_ns), found.time_ns)
        self._tell(state, now_ns)

    def note(self, state: AccountState, equity: Decimal, closes: Mapping[str, Decimal], now_ns: int) -> None:
        """Take the equity at `closes`, and tell what has changed."""
        self._tell(state, now_ns)
        if not self._book.unpriced(closes):
            self._book.losses.watch(equity, now_ns // DAY_NS)
        self._mark.tell(now_ns)

    def _tell(self, state: AccountState, now_ns: int) -> None:
        limits, unpriced = self._book.limits, self._book.unpriced(state.prices)
        if unpriced != self._unpriced and (limits.max_daily_loss is not None or limits.max_drawdown is not None):
            self._journal.record(LossesUnjudged(symbols=unpriced), now_ns, None, None)
            self._unpriced = unpriced
