"""Runs whose orders, fills and statistics are pinned: what is run, and how its outcome is put into a few lines."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from core.backtest.stats import compute_statistics
from core.backtest.stats_returns import Figures
from core.backtest.stats_trades import with_excursions
from core.model.corporate_action import CorporateAction
from core.model.market import BarSeries, asset_class_of, bars_sha256
from core.model.money import MONEY_CONTEXT
from core.model.order import Fill, Order
from core.model.round_trips import round_trips
from core.model.run import AccountKind, AccountTerms, PathModel
from core.strategy.api import Strategy
from core.strategy.plugins.atr_trailing import AtrTrailing
from core.strategy.plugins.bollinger import BollingerBids
from core.strategy.plugins.breakout import Breakout
from core.strategy.plugins.mean_reversion import MeanReversion
from core.strategy.plugins.rsi_reversion import RsiReversion
from core.strategy.plugins.sma_cross import SmaCross
from core.strategy.plugins.trend_pullback import TrendPullback
from tests.backtests import Backtest, backtest
from tests.golden import market_data
from tests.golden.market_data import EXCERPTS, WHOLE, Data
from tests.golden.short_strategies import LongShort, ShortAndHold, ShortBrackets

PINS: Final = Path(__file__).with_name("pins.json")
MARKS: Final = 32
"""In how many places the list of orders is hashed on the way, to tell where two lists part."""

COUNTED: Final = ("bars_sha256", "orders", "fills", "rejections", "path_dependent", "events")

Pin = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Golden:
    """A run: its data, strategy, parameters and settings."""

    data: Callable[[Path], Data]
    file: str
    strategy: type[Strategy]
    params: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)


SHORT_TERMS: Final = AccountTerms(
    kind=AccountKind.MARGIN, borrow_rate=Decimal("0.03"), debit_rate=Decimal("0.06"), credit_rate=Decimal("0.01")
)
SPY, GOOG, EURUSD, AAPL, BTC = "spy-1d-yahoo.csv", "goog-1d.csv", "eurusd-1h.csv", "aapl-1d-yahoo.csv", "btcusd-1m-2014.csv.gz"

RUNS: Final = {
    "spy sma-cross, fees and slippage": Golden(
        market_data.spy, SPY, SmaCross, {"fast": 5, "slow": 15, "qty": 100.0}, {"fees": "bps:5", "slippage": "bps:2"}
    ),
    "spy breakout, brackets, pessimistic, share of the volume": Golden(
        market_data.spy,
        SPY,
        Breakout,
        {"entry_bars": 10, "exit_bars": 5, "range_bars": 10},
        {"fees": "per-share:0.005:1", "slippage": "volume:0.2", "volume_cap": "0.000002", "path": PathModel.PESSIMISTIC},
    ),
    "spy rsi-reversion, broker's fees, dividends": Golden(
        market_data.spy, SPY, RsiReversion, {"trend": 20, "oversold": 35.0}, {"fees": "alpaca", "slippage": "spread:3", "actions": True}
    ),
    "spy long and short on margin, dividends, interest": Golden(
        market_data.spy, SPY, LongShort, {"bars": 8, "share": 1.4}, {"fees": "bps:1", "account": SHORT_TERMS, "actions": True}
    ),
    "goog short brackets on margin, borrowing, optimistic": Golden(
        market_data.goog,
        GOOG,
        ShortBrackets,
        {"share": 0.9},
        {"fees": "per-trade:1", "slippage": "bps:1", "account": SHORT_TERMS, "path": PathModel.OPTIMISTIC, "close_at_end": True},
    ),
    "goog short and held until the margin call": Golden(
        market_data.goog, GOOG, ShortAndHold, {"share": 1.5}, {"slippage": "bps:2", "account": SHORT_TERMS, "volume_cap": "0.00002"}
    ),
    "aapl bollinger-bids over splits and dividends": Golden(
        market_data.apple, AAPL, BollingerBids, {"period": 10, "width": 1.5}, {"fees": "bps:2", "actions": True}
    ),
    "aapl short brackets over splits and dividends": Golden(
        market_data.apple, AAPL, ShortBrackets, {"share": 0.4}, {"account": SHORT_TERMS, "actions": True, "path": PathModel.OHLC}
    ),
    "eurusd trend-pullback, one cancels the other, traded through": Golden(
        market_data.eurusd,
        EURUSD,
        TrendPullback,
        {"trend": 3, "depth": 0.001, "gain": 0.003, "loss": 0.002, "digits": 5},
        {"fees": "bps:0.2", "trade_through": True, "path": PathModel.PESSIMISTIC},
    ),
    "eurusd mean-reversion, closed at the end": Golden(
        market_data.eurusd,
        EURUSD,
        MeanReversion,
        {"lookback": 12, "entry": 0.001, "exit": 0.0005, "qty": 50000.0},
        {"fees": "bps:0.2", "slippage": "spread:1", "close_at_end": True},
    ),
    "btc atr-trailing, least fee, low first": Golden(
        market_data.bitcoin,
        BTC,
        AtrTrailing,
        {"trend": 10, "range_bars": 5, "ranges": 2.0},
        {"fees": "bps:1:0.05", "slippage": "volume", "path": PathModel.OLHC},
    ),
    "btc bollinger-bids, maker and taker, share of the volume": Golden(
        market_data.bitcoin, BTC, BollingerBids, {"period": 10, "width": 1.5, "share": 0.3}, {"fees": "alpaca", "volume_cap": "0.25"}
    ),
}


def folders() -> dict[str, Path]:
    """Return where the bars are, by the name of the pin; the excerpts are always there."""
    return {"excerpt": EXCERPTS, "whole": WHOLE}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run that was made, the bars it went over, and its statistics."""

    run: Backtest
    bars: BarSeries
    stats: Figures
    actions: Mapping[str, Sequence[CorporateAction]]


def outcome_of(golden: Golden, folder: Path) -> Outcome:
    """Run it."""
    data = golden.data(folder)
    settings = dict(golden.settings)
    actions = {data.bars.symbol: data.actions} if settings.pop("actions", False) else {}
    run = backtest(golden.strategy(), data.bars, params=golden.params, actions=actions, **settings)
    bars = {data.bars.symbol: data.bars}
    with localcontext(MONEY_CONTEXT):
        trades = with_excursions(round_trips(run.fills, run.position_changes), bars, actions)
        stats = compute_statistics(
            equity_ns=run.times_ns,
            equity=run.equity,
            trades=trades,
            fills=run.fills,
            asset_class=asset_class_of(data.bars.symbol),
            exposure=run.held,
            bars=bars,
            actions=actions,
        )
    return Outcome(run, data.bars, stats, actions)


def pin_of(golden: Golden, folder: Path) -> Pin:
    """Run it, and return what is pinned of it."""
    outcome = outcome_of(golden, folder)
    run = outcome.run
    lines = order_lines(run.orders, run.fills)
    return {
        "bars_sha256": bars_sha256(outcome.bars),
        "orders_sha256": sha256("\n".join(lines).encode()).hexdigest(),
        "orders": len(run.orders),
        "fills": len(run.fills),
        "rejections": len(run.rejections),
        "path_dependent": sum(fill.path_dependent for fill in run.fills),
        "events": _counts([event.type for event in run.events]),
        "marks": _marks(lines),
        "stats": outcome.stats,
    }


def order_lines(orders: Mapping[str, Order], fills: list[Fill]) -> list[str]:
    """Return orders and fills as canonical JSON, each a line: an order with all its fills behind it, in the order of their making."""
    number = {order_id: at for at, order_id in enumerate(orders)}
    of_order: dict[str, list[Any]] = {}
    for at, fill in enumerate(fills):
        filled = [at, fill.time_ns, fill.side, fill.qty, fill.price, fill.fee, fill.slippage, fill.path_dependent, fill.reason]
        of_order.setdefault(fill.order_id, []).append(filled)
    lines = []
    for order_id, order in orders.items():
        asked = order.request
        said = {
            "asked": [asked.symbol, asked.side, asked.type, asked.qty, order.time_in_force, asked.expires_ns, asked.reduce_only],
            "prices": [asked.limit_price, asked.stop_price, asked.trail_price, asked.trail_percent],
            "family": [number.get(order.parent_id or ""), number.get(order.sibling_id or "")],
            "times": [order.created_ns, order.updated_ns],
            "ended": [order.status, order.filled_qty, order.reject_code, order.path_dependent],
            "fills": of_order.get(order_id, []),
        }
        lines.append(json.dumps(said, default=_plain, sort_keys=True, separators=(",", ":")))
    return lines


def _plain(value: object) -> str:
    """Return a Decimal's value, whatever zeros it carries."""
    assert isinstance(value, Decimal)
    return format(value.normalize(), "f") if value else "0"


def _counts(types: list[str]) -> dict[str, int]:
    return {name: types.count(name) for name in sorted(set(types)) if name.startswith(("account.", "orders."))}


def _marks(lines: list[str]) -> list[str]:
    """Return `number hash` of all orders up to some places: the first that differs tells where two lists part."""
    every = max(1, -(-len(lines) // MARKS))
    running, found = sha256(), []
    for at, line in enumerate(lines, 1):
        running.update(line.encode())
        if at % every == 0 or at == len(lines):
            found.append(f"{at} {running.hexdigest()[:8]}")
    return found


def read_pins() -> dict[str, Pin]:
    """Return what is pinned, by `excerpt/NAME` and `whole/NAME`."""
    pins: dict[str, Pin] = json.loads(PINS.read_text(encoding="utf-8")) if PINS.exists() else {}
    return pins


def differences(old: Pin | None, new: Pin) -> list[str]:
    """Return what is not the same, a line each; statistics may differ in the last places of a float."""
    if old is None:
        return ["it is new"]
    found = [f"{name}: {old.get(name)} → {new[name]}" for name in COUNTED if old.get(name) != new[name]]
    if old.get("orders_sha256") != new["orders_sha256"]:
        parted = next(
            (new_mark for old_mark, new_mark in zip(old.get("marks", []), new["marks"], strict=False) if old_mark != new_mark), "? "
        )
        until = parted.partition(" ")[0]
        found.append(f"orders_sha256: {old.get('orders_sha256')} → {new['orders_sha256']}; they part at order {until} or a little before")
    before, now = old.get("stats", {}), new["stats"]
    differing = [key for key in sorted({*before, *now}) if key not in before or key not in now or not is_same(before[key], now[key])]
    return found + [f"{key}: {before.get(key, 'absent')} → {now.get(key, 'absent')}" for key in differing]


def is_same(old: float | None, new: float | None) -> bool:
    """Tell whether two figures are the same, up to how a processor sums floats."""
    if old is None or new is None:
        return old is new
    return abs(old - new) <= 1e-9 * max(abs(old), abs(new), 1e-6)
