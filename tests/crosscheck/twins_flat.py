"""Strategies written twice, for a cash account: each rule once for the product and once for backtesting.py.

The two halves share no arithmetic: ours declare the product's indicators, theirs compute with pandas or bar by bar.
"""

import numpy as np
import pandas as pd

from core.model.market import Floats
from core.strategy.api import Bar, BarStrategy, donchian_upper, leg, rsi, sma
from tests.crosscheck.engines import Theirs
from tests.crosscheck.real_bars import Market

MARGIN_OF_TIES = 1e-9


def pandas_mean(values: Floats, period: int) -> Floats:
    """The simple average, by pandas."""
    return np.asarray(pd.Series(values).rolling(period).mean(), np.float64)


def plain_rsi(close: Floats, period: int) -> Floats:
    """Wilder's index, bar by bar from its definition."""
    found = [float("nan")] * len(close)
    up = down = 0.0
    for at in range(1, len(close)):
        change = float(close[at] - close[at - 1])
        gain, loss = max(change, 0.0), max(-change, 0.0)
        if at <= period:
            up, down = up + gain / period, down + loss / period
        else:
            up, down = (up * (period - 1) + gain) / period, (down * (period - 1) + loss) / period
        if at >= period:
            found[at] = 100.0 * up / (up + down) if up + down > 0.0 else 50.0
    return np.asarray(found, np.float64)


class Ours(BarStrategy):
    """A strategy of the product, with the market it trades."""

    market: Market

    def rounded(self, price: float) -> float:
        return round(price, self.market.digits)

    def paid(self) -> float:
        """Return the price of the open position."""
        return float(self.account.position(self.market.symbol).avg_price)


# --- market orders: two averages cross ---


class CrossOurs(Ours):
    def setup(self) -> None:
        self.fast, self.slow = self.indicator(sma, self.close, 5), self.indicator(sma, self.close, 12)
        self.above: bool | None = None

    def on_bar(self, bar: Bar) -> None:
        gap = self.fast.value - self.slow.value
        if gap != gap:
            return
        above = gap > MARGIN_OF_TIES * self.slow.value
        if self.above is not None and above is not self.above:
            if above:
                self.buy(self.market.qty, time_in_force="gtc")
            elif self.held():
                self.sell(self.held(), time_in_force="gtc")
        self.above = above


class CrossTheirs(Theirs):
    def init(self) -> None:
        self.fast, self.slow = pandas_mean(self.array("Close"), 5), pandas_mean(self.array("Close"), 12)
        self.above: bool | None = None

    def next(self) -> None:
        gap = self.fast[self.at] - self.slow[self.at]
        if gap != gap:
            return
        above = bool(gap > MARGIN_OF_TIES * self.slow[self.at])
        if self.above is not None and above is not self.above:
            if above:
                self.buy(size=self.market.qty)
            elif self.position:
                self.position.close()
        self.above = above


# --- limit entries: a bid under the average that follows it, out at market above it ---


class BidsOurs(Ours):
    def setup(self) -> None:
        self.mean = self.indicator(sma, self.close, 8)
        self.bid = ""

    def on_bar(self, bar: Bar) -> None:
        mean = self.mean.value
        if mean != mean:
            return
        if self.held():
            if bar.close > mean * (1.0 + MARGIN_OF_TIES) and not self.account.working():
                self.sell(self.held(), time_in_force="gtc")
            return
        price = self.rounded(mean * (1.0 - self.market.step))
        if self.bid in self.account.working():
            self.replace(self.bid, limit=price)
        else:
            self.bid = self.buy(self.market.qty, limit=price, time_in_force="gtc")


class BidsTheirs(Theirs):
    def init(self) -> None:
        self.mean = pandas_mean(self.array("Close"), 8)

    def next(self) -> None:
        mean = float(self.mean[self.at])
        if mean != mean:
            return
        if self.position:
            if self.data.Close[-1] > mean * (1.0 + MARGIN_OF_TIES) and not self.orders:
                self.position.close()
            return
        for order in self.orders:
            order.cancel()
        self.buy(size=self.market.qty, limit=round(mean * (1.0 - self.market.step), self.market.digits))


# --- stop entries: a stop at the channel's top; from the bar after the entry a stop loss and a target, one cancels the other ---


class BreakoutOurs(Ours):
    def setup(self) -> None:
        self.top = self.indicator(donchian_upper, self.column("high"), 6)
        self.entry = ""

    def on_bar(self, bar: Bar) -> None:
        working, held = self.account.working(), self.held()
        if held:
            if not working:
                paid, step = self.paid(), self.market.step
                self.oco(
                    "sell",
                    held,
                    limit=self.rounded(paid * (1.0 + 3.0 * step)),
                    stop=self.rounded(paid * (1.0 - 2.0 * step)),
                    time_in_force="gtc",
                    reduce_only=True,
                )
            return
        if self.top.value != self.top.value:
            return
        price = self.rounded(self.top.value)
        if self.entry in working:
            self.replace(self.entry, stop=price)
        else:
            self.entry = self.buy(self.market.qty, stop=price, time_in_force="gtc")


class BreakoutTheirs(Theirs):
    def init(self) -> None:
        self.top = pd.Series(self.array("High")).rolling(6).max().to_numpy()

    def next(self) -> None:
        step, digits = self.market.step, self.market.digits
        if self.trades:
            (trade,) = self.trades
            if trade.sl is None:
                # As a float of Python's: numpy rounds a tie by other digits.
                paid = float(trade.entry_price)
                trade.tp, trade.sl = round(paid * (1.0 + 3.0 * step), digits), round(paid * (1.0 - 2.0 * step), digits)
            return
        top = float(self.top[self.at])
        if top != top:
            return
        for order in self.orders:
            order.cancel()
        self.buy(size=self.market.qty, stop=round(top, digits))


# --- brackets: in at market when oversold, with legs that live from the entry on ---


class BracketOurs(Ours):
    def setup(self) -> None:
        self.strength = self.indicator(rsi, self.close, 3)

    def on_bar(self, bar: Bar) -> None:
        if self.held() or self.account.working() or not self.strength.value < 35.0:
            return
        step = self.market.step
        self.buy(
            self.market.qty,
            time_in_force="gtc",
            target=self.rounded(bar.close * (1.0 + 1.5 * step)),
            stop_loss=leg(stop=self.rounded(bar.close * (1.0 - 1.5 * step))),
        )


class BracketTheirs(Theirs):
    def init(self) -> None:
        self.strength = plain_rsi(self.array("Close"), 3)

    def next(self) -> None:
        if self.position or self.orders or not self.strength[self.at] < 35.0:
            return
        close, step, digits = float(self.data.Close[-1]), self.market.step, self.market.digits
        self.buy(size=self.market.qty, tp=round(close * (1.0 + 1.5 * step), digits), sl=round(close * (1.0 - 1.5 * step), digits))


# --- limit exits: in at market when weak, an offer that comes down every bar, out at market after ten ---


class OffersOurs(Ours):
    def setup(self) -> None:
        self.strength = self.indicator(rsi, self.close, 5)
        self.offer = ""
        self.waited = 0

    def on_bar(self, bar: Bar) -> None:
        working, held = self.account.working(), self.held()
        if not held:
            self.waited = 0
            if self.strength.value < 45.0 and not working:
                self.buy(self.market.qty, time_in_force="gtc")
            return
        self.waited += 1
        if self.waited == 10:
            self.cancel_all()
            self.sell(held, time_in_force="gtc")
            return
        price = self.rounded(self.paid() * (1.0 + self.market.step * (1.5 - 0.1 * self.waited)))
        if self.offer in working:
            self.replace(self.offer, limit=price)
        elif self.waited < 10:
            self.offer = self.sell(held, limit=price, time_in_force="gtc")


class OffersTheirs(Theirs):
    def init(self) -> None:
        self.strength = plain_rsi(self.array("Close"), 5)
        self.waited = 0

    def next(self) -> None:
        if not self.trades:
            self.waited = 0
            if self.strength[self.at] < 45.0 and not self.orders:
                self.buy(size=self.market.qty)
            return
        self.waited += 1
        (trade,) = self.trades
        for order in self.orders:
            order.cancel()
        if self.waited == 10:
            trade.close()
            return
        price = float(trade.entry_price) * (1.0 + self.market.step * (1.5 - 0.1 * self.waited))
        self.sell(size=trade.size, limit=round(price, self.market.digits))
