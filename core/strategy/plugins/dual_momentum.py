"""Relative and absolute momentum together, by the base contract."""

from datetime import UTC, datetime

from core.strategy.api import DAY_NS, Action, Actions, FetchWindow, Strategy, StrategyConfig, Tick, Window, buy, equity_share, param, sell

STALE_NS = 10 * DAY_NS


class DualMomentum(Strategy):
    """Dual momentum.

    At the first bar of each month takes the symbol that gained most over the last `lookback` bars (relative momentum).
    If it gained more than `hurdle` it holds that one alone, else nothing (absolute momentum). It sells first and buys
    when that is done. A symbol without a bar in the last ten days is out. Trades two symbols or more. Long only.
    """

    id = "dual-momentum"
    version = "1"
    symbols = 0

    lookback: int = param(252, minimum=2, maximum=10_000, help="Bars over which the gain is taken; 252 days are a year.")
    hurdle: float = param(0.0, minimum=-1.0, maximum=10.0, help="Gain that the best one must exceed; 0.02 is 2 percent.")
    share: float = param(0.9, minimum=0.01, maximum=1.0, help="Share of equity to invest.")

    def warmup_bars(self) -> int:
        return self.lookback + 1

    def initialize(self, config: StrategyConfig) -> Actions:
        self.names = config.symbols
        self.month = self.now_ns = 0
        self.gains: dict[str, float] = {}
        self.traded: set[str] = set()
        self.missing: set[str] = set()
        self.best: str | None = None
        self.why = ""
        return None

    def on_tick(self, tick: Tick) -> Actions:
        month = datetime.fromtimestamp(tick.time_ns // 1_000_000_000, UTC).month
        if month == self.month:
            return self.move()
        self.month, self.now_ns = month, tick.time_ns
        self.gains, self.traded, self.missing = {}, set(), set(self.names)
        return [FetchWindow(symbol, self.lookback + 1) for symbol in self.names]

    def on_data(self, window: Window) -> Actions:
        self.missing.discard(window.symbol)
        if len(window) and self.now_ns - window.newest().end_ns < STALE_NS:
            self.traded.add(window.symbol)
            if window.is_full and window.close[0] > 0:
                self.gains[window.symbol] = float(window.close[-1] / window.close[0]) - 1.0
        if self.missing:
            return None
        self.judge()
        return self.move()

    def judge(self) -> None:
        """Choose what to hold this month."""
        self.best, self.why = None, "nothing has a whole look-back yet"
        if self.gains:
            best = max(self.gains, key=lambda symbol: self.gains[symbol])
            self.why = f"{best} gained most, {self.gains[best]:+.1%}"
            if self.gains[best] > self.hurdle:
                self.best = best

    def move(self) -> list[Action]:
        """Sell what is not the best; buy the best once nothing is held."""
        if self.account.working():
            return []
        held = {symbol: self.account.held(symbol) for symbol in self.names}
        out = [symbol for symbol, qty in held.items() if qty > 0 and symbol != self.best]
        if out:
            return [sell(symbol, held[symbol], reduce_only=True, note=self.why) for symbol in out if symbol in self.traded]
        if self.best is not None and held[self.best] == 0:
            return [buy(self.best, equity_share(self.share), note=self.why)]
        return []
