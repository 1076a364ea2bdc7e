"""Orders that meet finer bars than their strategy sees fill as in a run over the finer bars that decides at the ends of the larger ones."""

from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.clock.resample import resampled
from core.model.corporate_action import CorporateAction, Dividend, Split
from core.model.instants import DAY_NS
from core.model.market import Bar, Timeframe, asset_class_of
from core.model.run import AccountKind, AccountTerms
from core.strategy.bar_strategy import BarStrategy
from tests.backtests import Backtest, backtest
from tests.examples import examples
from tests.property.test_lookahead import FIRST_NS, days

SYMBOLS = ("SPY", "QQQ")


class AtRandom(BarStrategy):
    """Asks at the end of a bar for what its instant and its symbol say, whoever calls it."""

    symbols = 0
    warmup = 0
    seed = 0

    def ask(self, bar: Bar) -> None:
        chance = np.random.Generator(np.random.PCG64([self.seed, ord(bar.symbol[0]), bar.start_ns // 1_000_000_000]))
        mine = [ref for ref in self.account.working() if ref.startswith(bar.symbol)]
        side = self.buy if chance.random() < 0.5 else self.sell
        way = 1 if side == self.buy else -1
        near, far = (round(bar.close * (1 + by), 2) for by in chance.uniform(0.001, 0.01, 2) * (-way, way))
        terms: Any = [
            {},
            {"limit": near},
            {"stop": far},
            {"trail": 0.3},
            {"target": round(far + way, 2), "stop_loss": round(near - way, 2)},
            {"limit": near, "target": far, "stop_loss": round(near - way, 2)},
            {"limit": near, "extended_hours": True},
            {"time_in_force": "cls"},
        ][int(chance.integers(0, 8))]
        if len(mine) > 6:
            self.cancel(mine[0])
        elif chance.random() < 0.7:
            life = {} if "extended_hours" in terms else {"time_in_force": str(chance.choice(["day", "gtc"]))}
            ref = f"{bar.symbol}-{bar.start_ns}"
            side(int(chance.integers(1, 5)), symbol=bar.symbol, ref=ref, **(life | terms))


class OnOwnBars(AtRandom):
    def on_bars(self, bars: Any) -> None:
        for bar in bars.values():
            self.ask(bar)


class OnLargerBars(AtRandom):
    def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
        self.ask(bar)


def happened(run: Backtest) -> tuple[Any, ...]:
    fills = [(fill.order_id, fill.qty, fill.price, fill.time_ns, fill.path_dependent) for fill in run.fills]
    orders = [(order.id, order.created_ns, order.request, order.status, order.reason) for order in run.orders.values()]
    return fills, orders, run.rejections, run.position_changes


@examples(25)
@given(st.integers(0, 2**32), st.sampled_from(("5m", "15m", "30m", "1h", "1d")), st.booleans(), st.booleans())
def test_orders_fill_as_where_the_finer_bars_are_the_runs_own(seed: int, timeframe: str, acts: bool, is_margin: bool) -> None:
    minutes = [days(symbol, seed + at, 4) for at, symbol in enumerate(SYMBOLS)]
    larger = [resampled(bars, Timeframe.parse(timeframe), asset_class_of(bars.symbol))[0] for bars in minutes]
    day = FIRST_NS // DAY_NS + 1
    split = Split(symbol="SPY", day=day, ratio=Decimal(2))
    actions: dict[str, list[CorporateAction]] = {"SPY": [split, Dividend(symbol="SPY", day=day + 1, amount=Decimal(1))]}
    terms: dict[str, Any] = {"actions": actions if acts else {}, "start_ns": FIRST_NS}
    terms["account"] = AccountTerms(kind=AccountKind.MARGIN) if is_margin else None

    own: BarStrategy = type("Own", (OnOwnBars,), {"seed": seed})()
    over: BarStrategy = type("Over", (OnLargerBars,), {"seed": seed, "timeframes": (timeframe,)})()
    one, other = backtest(own, larger, finer=minutes, **terms), backtest(over, minutes, **terms)
    assert happened(one) == happened(other)
    known = np.isin(one.times_ns, other.times_ns)
    assert one.equity[known].tolist() == other.equity.tolist()
