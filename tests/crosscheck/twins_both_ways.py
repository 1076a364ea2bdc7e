"""Strategies written twice that also sell short, and one whose stop moves; see `twins_flat`."""

import pandas as pd

from core.model.market import Floats
from core.strategy.api import Bar, atr, donchian_lower, donchian_upper, leg, rsi
from tests.crosscheck.engines import Theirs
from tests.crosscheck.twins_flat import Ours, plain_rsi

# --- always in the market: long above the channel, short below it, reversed by one order of twice the size ---


class ReverseOurs(Ours):
    def setup(self) -> None:
        self.top = self.indicator(donchian_upper, self.column("high"), 7)
        self.bottom = self.indicator(donchian_lower, self.column("low"), 7)

    def on_bar(self, bar: Bar) -> None:
        held, qty = int(self.held()), self.market.qty
        if bar.close > self.top[-2] and held <= 0:
            self.buy(qty - held, time_in_force="gtc")
        elif bar.close < self.bottom[-2] and held >= 0:
            self.sell(qty + held, time_in_force="gtc")


class ReverseTheirs(Theirs):
    def init(self) -> None:
        self.top = pd.Series(self.array("High")).rolling(7).max().shift(1).to_numpy()
        self.bottom = pd.Series(self.array("Low")).rolling(7).min().shift(1).to_numpy()

    def next(self) -> None:
        close, held, qty = self.data.Close[-1], self.position.size, self.market.qty
        if close > self.top[self.at] and held <= 0:
            self.buy(size=qty - held)
        elif close < self.bottom[self.at] and held >= 0:
            self.sell(size=qty + held)


# --- short by limit or at market, with a bracket that lives from the entry on ---


class ShortBracketOurs(Ours):
    def setup(self) -> None:
        self.strength = self.indicator(rsi, self.close, 3)

    def on_bar(self, bar: Bar) -> None:
        if self.held() or self.account.working() or not self.strength.value > 60.0:
            return
        step = self.market.step
        self.sell(
            self.market.qty,
            time_in_force="gtc",
            target=self.rounded(bar.close * (1.0 - 1.2 * step)),
            stop_loss=leg(stop=self.rounded(bar.close * (1.0 + 1.2 * step))),
        )


class ShortBracketTheirs(Theirs):
    def init(self) -> None:
        self.strength = plain_rsi(self.array("Close"), 3)

    def next(self) -> None:
        if self.position or self.orders or not self.strength[self.at] > 60.0:
            return
        close, step, digits = float(self.data.Close[-1]), self.market.step, self.market.digits
        self.sell(size=self.market.qty, tp=round(close * (1.0 - 1.2 * step), digits), sl=round(close * (1.0 + 1.2 * step), digits))


# --- a stop that is moved up every bar, and short entries by limit above the market when flat ---


class RatchetOurs(Ours):
    """Goes short by a limit one step above the close; a stop above follows the market down."""

    def setup(self) -> None:
        self.range = self.indicator(atr, self.column("high"), self.column("low"), self.close, 5)
        self.stop = self.offer = ""
        self.level = 0.0

    def on_bar(self, bar: Bar) -> None:
        working, held = self.account.working(), self.held()
        if self.range.value != self.range.value:
            return
        if not held:
            price = self.rounded(bar.close * (1.0 + 0.5 * self.market.step))
            if self.offer in working:
                self.replace(self.offer, limit=price)
            else:
                self.offer = self.sell(self.market.qty, limit=price, time_in_force="gtc")
            return
        level = self.rounded(bar.close + 2.0 * self.range.value)
        if self.stop not in working:
            self.level = level
            self.stop = self.buy(-held, stop=level, time_in_force="gtc")
        elif level < self.level:
            self.level = level
            self.replace(self.stop, stop=level)


def plain_atr(high: Floats, low: Floats, close: Floats, period: int) -> list[float]:
    """Wilder's average true range, bar by bar from its definition."""
    found: list[float] = []
    ranges: list[float] = []
    for at in range(len(close)):
        top, bottom = (high[at], low[at]) if not at else (max(high[at], close[at - 1]), min(low[at], close[at - 1]))
        ranges.append(float(top - bottom))
        if at < period - 1:
            found.append(float("nan"))
        elif at == period - 1:
            found.append(sum(ranges) / period)
        else:
            found.append((found[-1] * (period - 1) + ranges[-1]) / period)
    return found


class RatchetTheirs(Theirs):
    def init(self) -> None:
        self.range = plain_atr(self.array("High"), self.array("Low"), self.array("Close"), 5)

    def next(self) -> None:
        if self.range[self.at] != self.range[self.at]:
            return
        close, digits = float(self.data.Close[-1]), self.market.digits
        if not self.trades:
            for order in self.orders:
                order.cancel()
            self.sell(size=self.market.qty, limit=round(close * (1.0 + 0.5 * self.market.step), digits))
            return
        (trade,) = self.trades
        level = round(close + 2.0 * self.range[self.at], digits)
        if trade.sl is None or level < trade.sl:
            trade.sl = level
