"""Strategies whose orders wait, or leave a position, within bars longer than a minute; each begins with `HEAD`."""

HEAD = """
from core.strategy.api import Bar, BarStrategy


class Strategy(BarStrategy):
    id = "larger"
    warmup = 2
    symbols = 0
    bars = 0
"""
BODIES = {
    "trails": """
    def on_bar(self, bar: Bar) -> None:
        held = self.held(bar.symbol)
        if not held:
            self.buy(1, symbol=bar.symbol)
        elif not self.account.working():
            self.sell(1, symbol=bar.symbol, trail=round(bar.close * 0.0008, 2), time_in_force="gtc")
""",
    "brackets": """
    def on_bar(self, bar: Bar) -> None:
        if not self.account.working() and not self.held():
            self.buy(1, target=round(bar.close * 1.0008, 2), stop_loss=round(bar.close * 0.9992, 2))
""",
    "pairs": """
    def on_bar(self, bar: Bar) -> None:
        if not self.held():
            self.buy(1)
        elif not self.account.working():
            self.oco("sell", 1, limit=round(bar.close * 1.0007, 2), stop=round(bar.close * 0.9993, 2), time_in_force="gtc")
""",
    "limits": """
    def on_bar(self, bar: Bar) -> None:
        if not self.account.working():
            side, price = (self.sell, 1.0006) if self.held() else (self.buy, 0.9994)
            side(1, limit=round(bar.close * price, 2), time_in_force="gtc")
""",
    "shorts": """
    def on_bar(self, bar: Bar) -> None:
        if not self.account.working() and not self.held():
            self.sell(1, target=round(bar.close * 0.9992, 2), stop_loss=round(bar.close * 1.0008, 2), time_in_force="gtc")
""",
}
AT_RANDOM = """
    def setup(self):
        self.mine = {symbol: [] for symbol in self.config.symbols}
        self.shorts = {shorts}

    def on_bars(self, bars) -> None:
        for symbol, bar in bars.items():
            mine = [ref for ref in self.account.working() if ref in self.mine[symbol]]
            if mine:
                self.look_at(mine, bar)
            elif self.held(symbol):
                self.mine[symbol] = self.leave(symbol, bar, self.held(symbol))
            else:
                self.mine[symbol] = self.enter(symbol, bar)

    def near(self, bar, by):
        return round(bar.close * (1 + by), 2)

    def look_at(self, mine, bar):
        if self.random.random() < 0.15:
            self.cancel(mine[int(self.random.integers(0, len(mine)))])

    def enter(self, symbol, bar):
        sells = self.shorts and "/" not in symbol and self.random.random() < 0.5
        side, way = (self.sell, -1) if sells else (self.buy, 1)
        far, wide = float(self.random.uniform(0.0002, 0.001)), float(self.random.uniform(0.0012, 0.0025))
        terms = [
            {},
            {"limit": self.near(bar, -way * far)},
            {"stop": self.near(bar, way * far)},
            {"stop": self.near(bar, way * far), "limit": self.near(bar, way * far * 1.3)},
            {"trail": round(bar.close * far, 2)},
        ][int(self.random.integers(0, 5))]
        terms["time_in_force"] = "gtc"
        has_legs = self.random.random() < 0.7 and "trail" not in terms
        if has_legs:
            terms |= {"target": self.near(bar, way * (1.3 * far + wide)), "stop_loss": self.near(bar, -way * (1.3 * far + wide))}
        ref = side(int(self.random.integers(1, 5)), symbol=symbol, **terms)
        return [ref, f"{ref}.target", f"{ref}.stop"] if has_legs else [ref]

    def leave(self, symbol, bar, held):
        side, way = (self.sell, 1) if held > 0 else (self.buy, -1)
        qty = abs(held) if self.random.random() < 0.6 else 1
        far = float(self.random.uniform(0.0002, 0.001))
        what = int(self.random.integers(0, 5))
        if what == 0:
            return [side(qty, symbol=symbol)]
        if what == 1:
            return [side(qty, symbol=symbol, limit=self.near(bar, way * far), time_in_force="gtc")]
        if what == 2:
            return [side(qty, symbol=symbol, stop=self.near(bar, -way * far), time_in_force="gtc")]
        if what == 3:
            return [side(qty, symbol=symbol, trail=round(bar.close * far, 2), time_in_force="gtc")]
        prices = {"limit": self.near(bar, way * far), "stop": self.near(bar, -way * far)}
        return list(self.oco("sell" if held > 0 else "buy", qty, symbol=symbol, time_in_force="gtc", **prices))
"""
