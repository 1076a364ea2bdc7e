"""What a run's strategy may know now: its account, and the bars that ended."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from core.backtest.feeds import Feed
from core.clock.simulated import SimulatedClock
from core.errors import NonsenseAction
from core.matching.ledger import Ledger
from core.model.money import ZERO, exact, floor_to
from core.model.position import Position
from core.strategy.actions import CashSize, EquityShare, FetchWindow
from core.strategy.windows import Window

_NINE_DECIMALS: Final = Decimal("0.000000001")


class RunView:
    """Account and market of a run at the clock's instant. `feeds` may grow by larger timeframes before the first bar."""

    def __init__(self, feeds: Sequence[Feed], ledger: Ledger, clock: SimulatedClock) -> None:
        self._feeds = feeds
        self._own = [feed for feed in feeds if feed.is_own]
        self._by_symbol = {feed.symbol: feed for feed in self._own}
        self._clock = clock
        self.ledger = ledger
        self.start_cash = ledger.cash

    @property
    def now_ns(self) -> int:
        return self._clock.instant_ns

    @property
    def cash(self) -> Decimal:
        return self.ledger.cash

    @property
    def equity(self) -> Decimal:
        total = self.ledger.cash
        for feed in self._own:
            held = self.ledger.held(feed.symbol)
            if held and feed.cursor.now >= 0:
                total += held * exact(feed.market.bars.close[feed.cursor.now])
        return total

    def position(self, symbol: str) -> Position:
        return self.ledger.position(symbol)

    def held(self, symbol: str) -> Decimal:
        return self.ledger.held(symbol)

    def units(self, symbol: str, size: CashSize | EquityShare) -> Decimal:
        """Return how many units a size is at the newest close, rounded down to the lot (without one to nine decimals).

        0 before the first bar.
        """
        feed = self._by_symbol[symbol]
        if feed.cursor.now < 0:
            return ZERO
        close = exact(feed.market.bars.close[feed.cursor.now])
        money = size.amount if isinstance(size, CashSize) else size.share * self.equity
        return max(ZERO, floor_to(money / close, feed.market.instrument.lot or _NINE_DECIMALS))

    def newest(self, symbol: str) -> tuple[int, float] | None:
        """Return start and close of the symbol's newest bar known now, or None before its first."""
        bar = self._by_symbol[symbol].newest
        return None if bar is None else (bar.start_ns, bar.close)

    def window(self, asked: FetchWindow) -> Window:
        """Return the last bars of a symbol known now. Raises NonsenseAction for more than the run can ever have."""
        feed = self._by_symbol[asked.symbol] if asked.timeframe is None else self._feed(asked)
        market, cursor, count = feed.market, feed.cursor, asked.bars
        if count > cursor.bars:
            bars = market.bars
            raise NonsenseAction(
                f"The strategy asked for a window of {asked.bars:,} bars of {asked.symbol}, but the run has only {len(bars):,}.",
                "Ask for a shorter window, or run it over more bars.",
            )
        last = cursor.block + cursor.in_block + 1
        first = last - count
        return Window(market.bars, market.end_ns, max(0, first), last, count)

    def _feed(self, asked: FetchWindow) -> Feed:
        own = self._by_symbol[asked.symbol]
        if asked.timeframe is None or asked.timeframe == own.timeframe:
            return own
        for feed in self._feeds:
            if feed.symbol == asked.symbol and feed.timeframe == asked.timeframe:
                return feed
        raise NonsenseAction(
            f"The strategy asked for {asked.timeframe} bars of {asked.symbol}, which it did not declare.",
            f'Add timeframes = ("{asked.timeframe}",) to its class.',
        )
