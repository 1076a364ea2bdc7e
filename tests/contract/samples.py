"""Domain objects and events for the suites of the ports."""

from decimal import Decimal
from typing import ClassVar

import numpy as np

from core.events.envelope import REGISTRY, Envelope, Payload, envelope
from core.events.payloads import OrderCreated, OrderFilled, RunCreated, StrategyNoted
from core.model.market import BarSeries, BarSetKey, Timeframe
from core.model.order import Fill, Order, OrderRequest, OrderSide, OrderStatus, RejectCode, Rejection, TimeInForce
from core.model.position import Position, PositionSide, Trade
from core.model.result import PlotLine, RunResult
from core.model.run import Run, RunConfig, RunStatus

NOW_NS = 1_700_000_000_000_000_000
MINUTE_NS = 60_000_000_000


class StillClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW_NS
        self.ticking_ns = 0

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        self.now += self.ticking_ns
        return self.now

    def elapsed_ns(self) -> int:
        return self.now


class Odd(Payload, frozen=True, kw_only=True):
    """A type that nobody registered: its definition did, and the line below took it out again."""

    wire: ClassVar[str] = "strategy.OddOneOfATest"
    text: str


REGISTRY.pop(Odd.wire)


def note(text: str, *, run_id: str | None = "run-1", event_id: str = "", cause: Envelope | None = None) -> Envelope:
    return envelope(
        StrategyNoted(text=text),
        id=event_id or f"note-{text}",
        ts=NOW_NS,
        producer="strategy",
        run_id=run_id,
        corr_id=cause.corr_id if cause else None,
        causation_id=cause.id if cause else None,
        trace_id="tick-1",
    )


def created(run_id: str = "run-1") -> Envelope:
    return envelope(RunCreated(config=config()), id=f"created-{run_id}", ts=NOW_NS, producer="runs", run_id=run_id)


def ordered(order_id: str, run_id: str = "run-1") -> Envelope:
    return envelope(OrderCreated(order=order(order_id, run_id)), id=f"e-{order_id}", ts=NOW_NS, producer="trading", run_id=run_id)


def filled(order_id: str, run_id: str = "run-1") -> Envelope:
    payload = OrderFilled(
        order_id=order_id,
        fill_id=f"{order_id}-f",
        qty=Decimal("1.50"),
        price=Decimal("745.10"),
        fee=Decimal("0.745"),
        filled_qty=Decimal("1.50"),
        time_ns=NOW_NS,
    )
    return envelope(payload, id=f"filled-{order_id}", ts=NOW_NS, producer="trading", run_id=run_id)


def config() -> RunConfig:
    return RunConfig(
        strategy_id="sma-cross", symbols=("BTC/USD",), timeframe="1m", params={"fast": 10, "slow": 30}, cash=Decimal("1000.50")
    )


def run(run_id: str = "run-1", *, created_ns: int = NOW_NS, status: RunStatus = RunStatus.PENDING) -> Run:
    return Run(id=run_id, config=config(), status=status, created_ns=created_ns)


def order(order_id: str, run_id: str = "run-1", status: OrderStatus = OrderStatus.ACCEPTED) -> Order:
    return Order(
        id=order_id,
        run_id=run_id,
        request=OrderRequest(symbol="BTC/USD", side=OrderSide.BUY, qty=Decimal("1.50"), note="crossed\nabove “slow”, 'quoted'"),
        time_in_force=TimeInForce.GTC,
        status=status,
        created_ns=NOW_NS,
        updated_ns=NOW_NS,
    )


def fill(fill_id: str, run_id: str = "run-1", time_ns: int = NOW_NS) -> Fill:
    return Fill(
        id=fill_id,
        run_id=run_id,
        order_id="order-1",
        symbol="BTC/USD",
        side=OrderSide.BUY,
        qty=Decimal("1.50"),
        price=Decimal("745.10"),
        fee=Decimal("0.745"),
        slippage=Decimal(0),
        time_ns=time_ns,
    )


def result(run_id: str = "run-1", points: int = 5, trades: int = 2) -> RunResult:
    equity_ns = NOW_NS + np.arange(points, dtype=np.int64) * MINUTE_NS
    equity = 1_000 + np.sin(np.arange(points, dtype=np.float64))
    values = np.where(np.arange(points) < 2, np.nan, equity)
    trade = Trade(
        symbol="BTC/USD",
        side=PositionSide.LONG,
        qty=Decimal("1.50"),
        entry_ns=NOW_NS,
        exit_ns=NOW_NS + MINUTE_NS,
        entry_price=Decimal("745.10"),
        exit_price=Decimal("745.20"),
        pnl=Decimal("0.15"),
        fees=Decimal(0),
        entry_order_id="order-1",
        exit_order_id="order-2",
    )
    return RunResult(
        run_id=run_id,
        stats={"end_equity": 1_000.25, "sharpe": None},
        equity_ns=equity_ns,
        equity=equity,
        trades=(trade,) * trades,
        open_positions=(Position(symbol="BTC/USD", qty=Decimal(1), avg_price=Decimal("745.1")),),
        rejections=(Rejection(time_ns=NOW_NS, order_id="order-3", code=RejectCode.INSUFFICIENT_CASH, reason="It costs 745.10."),),
        plots=(PlotLine(name="fast", symbol="BTC/USD", pane="price", start_ns=equity_ns, values=values),),
        state={"entries": [1, 2.5], "paid": "745.10", "open": None},
    )


def same_result(one: RunResult, other: RunResult) -> bool:
    arrays = [(one.equity_ns, other.equity_ns), (one.equity, other.equity)]
    for line, like in zip(one.plots, other.plots, strict=True):
        assert (line.name, line.symbol, line.pane) == (like.name, like.symbol, like.pane)
        arrays += [(line.start_ns, like.start_ns), (line.values, like.values)]
    fields = ("run_id", "stats", "trades", "open_positions", "rejections", "state")
    plain = all(getattr(one, name) == getattr(other, name) for name in fields)
    return plain and all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in arrays)


KEY = BarSetKey(symbol="BTC/USD", timeframe="1m", source="file")


def bars(minutes: list[int], price: float | list[float] = 100.0, *, key: BarSetKey = KEY) -> BarSeries:
    """Bars that start in these minutes since 1970; all prices of a bar are its `price`."""
    starts = np.array(minutes, np.int64) * MINUTE_NS
    prices = np.broadcast_to(np.asarray(price, np.float64), starts.shape).copy()
    return BarSeries.from_columns(key.symbol, Timeframe.parse(key.timeframe), starts, *(prices.copy() for _ in range(5)))


def same_bars(one: BarSeries, other: BarSeries) -> bool:
    arrays = zip((one.start_ns, *one.columns()), (other.start_ns, *other.columns()), strict=True)
    return (one.symbol, one.timeframe) == (other.symbol, other.timeframe) and all(a.tobytes() == b.tobytes() for a, b in arrays)
