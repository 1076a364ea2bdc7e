"""The paper account, fed with bars, beside a backtest over the same bars: the same fills, the same money, whatever is asked of both.

Splits, dividends, nights and margin calls included, and with the program started again after any bar.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, Final

import msgspec
import numpy as np
import pytest

from core.brokers.paper.exchange import PaperExchange
from core.brokers.paper.floor import PaperTerms
from core.brokers.paper.hours import ExchangeHours
from core.clock.calendar import exchange_day
from core.errors import BrokerRefused
from core.events.payloads import DividendPaid, InterestCharged, MarginCall, SplitApplied
from core.matching.costs import fee_model
from core.model.broker import BrokerOrderRequest, OrderClass
from core.model.corporate_action import CorporateAction, Dividend, Split
from core.model.instants import DAY_NS, MINUTE_NS, parse_instant
from core.model.market import Bar, BarSeries, Instrument, Timeframe, asset_class_of
from core.model.order import OrderLeg, OrderRequest, OrderSide, OrderType, TimeInForce
from core.model.paper import AccountBooks, PaperAccount
from core.model.run import AccountKind, AccountTerms
from core.store.memory_paper import MemoryPaperBooks
from core.strategy.actions import Actions, CancelOrder, PlaceOrder
from core.strategy.api import Strategy, StrategyConfig, Tick
from tests.backtests import Backtest, backtest

D = Decimal
STOCK, COIN = "SPY", "BTC/USD"
CASH: Final = D(10_000)
DAYS: Final = ("2026-01-07", "2026-01-08", "2026-01-09")
WINDOWS: Final[Mapping[str, tuple[str, ...]]] = {STOCK: ("14:30", "20:55"), COIN: ("14:30", "20:55", "23:56")}
"""Where five minutes of bars begin on each day; those of a coin reach over midnight."""
SEEDS = range(250)
SOAK = range(1_000, 6_000)


@dataclass(frozen=True)
class Case:
    """What both are given. `asked`: by decision, what is placed under which name, or taken back."""

    bars: dict[str, list[Bar]]
    asked: dict[int, list[tuple[str, OrderRequest | None]]]
    terms: AccountTerms
    fees: str
    actions: list[CorporateAction]
    restarts: bool


@dataclass
class Outcome:
    """What came of it: `fills` by the start of their bar; what else moved the account."""

    fills: list[tuple[int, str, str, Decimal, Decimal, Decimal]] = field(default_factory=list)
    interest: list[tuple[int, str, Decimal]] = field(default_factory=list)
    splits: list[tuple[str, Decimal]] = field(default_factory=list)
    dividends: list[tuple[str, Decimal]] = field(default_factory=list)
    calls: list[tuple[Decimal, Decimal, Decimal]] = field(default_factory=list)
    cash: Decimal = CASH
    held: dict[str, Decimal] = field(default_factory=dict)


# --- what is asked ----------------------------------------------------------------------------------------


def case_of(seed: int) -> Case:
    """A market, orders of every kind, and an account, all of one seed."""
    chance = Random(seed)
    symbols = chance.choice([(STOCK,), (COIN,), (STOCK, COIN)])
    bars = {symbol: _bars(symbol, chance) for symbol in symbols}
    decisions = len({bar.end_ns for series in bars.values() for bar in series})
    asked: dict[int, list[tuple[str, OrderRequest | None]]] = {}
    for number in range(chance.randrange(4, 24)):
        at = chance.randrange(decisions)
        asked.setdefault(at, []).append((f"r{number}", _order(chance.choice(symbols), chance)))
        if chance.random() < 0.2:
            asked.setdefault(min(decisions - 1, at + chance.randrange(1, 6)), []).append((f"r{number}", None))
    is_margin = chance.random() < 0.6
    borrow, debit, credit = (D(chance.choice(["0", "0.09", "0.8"])) for _ in range(3))
    days = [exchange_day(parse_instant(f"{day}T15:00:00Z")) for day in DAYS[1:]]
    actions: list[CorporateAction] = []
    if STOCK in symbols and chance.random() < 0.6:
        actions.append(Split(symbol=STOCK, day=chance.choice(days), ratio=D(chance.choice(["2", "4", "0.5", "1.5"]))))
    if STOCK in symbols and chance.random() < 0.5:
        actions.append(Dividend(symbol=STOCK, day=chance.choice(days), amount=D(chance.choice(["0.37", "5"]))))
    return Case(
        bars=bars,
        asked=asked,
        terms=AccountTerms(
            kind=AccountKind.MARGIN if is_margin else AccountKind.CASH, borrow_rate=borrow, debit_rate=debit, credit_rate=credit
        ),
        fees=chance.choice(["none", "bps:10:1", "alpaca", "per-share:0.01:1:3"]),
        actions=actions,
        # What another symbol was worth a moment ago is not kept: of two on margin each would be judged by it.
        restarts=chance.random() < 0.5 and (not is_margin or len(symbols) == 1),
    )


def _bars(symbol: str, chance: Random) -> list[Bar]:
    found, cents = [], 10_000
    for day in DAYS:
        for window in WINDOWS[symbol]:
            first_ns = parse_instant(f"{day}T{window}:00Z")
            for minute in range(8 if window == "23:56" else 5):
                cents = max(500, cents + chance.randrange(-60, 61) + (chance.randrange(-2_500, 2_501) if chance.random() < 0.1 else 0))
                opened = cents
                path = [max(100, opened + chance.randrange(-80, 81)) for _ in range(3)]
                cents = path[-1]
                start_ns = first_ns + minute * MINUTE_NS
                high, low = max(opened, *path), min(opened, *path)
                # A minute without a trade has no bar. That the last one of a session has none is known afterwards only, and a day
                # on which companies do something begins for a backtest with its first bar.
                if chance.random() < 0.9 or window == "20:55" or minute == 0:
                    found.append(Bar(symbol, start_ns, start_ns + MINUTE_NS, opened / 100, high / 100, low / 100, cents / 100, 500.0))
    return found


def _order(symbol: str, chance: Random) -> OrderRequest:
    side, kind = chance.choice(list(OrderSide)), chance.choice(list(OrderType))
    in_force = chance.choice([TimeInForce.GTC] * 4 + [TimeInForce.DAY] * 2 + [TimeInForce.IOC, TimeInForce.FOK])
    if symbol == STOCK and kind in {OrderType.MARKET, OrderType.LIMIT} and chance.random() < 0.15:
        in_force = chance.choice([TimeInForce.OPG, TimeInForce.CLS])

    has_exits = in_force in {TimeInForce.GTC, TimeInForce.DAY} and chance.random() < 0.3

    def price() -> Decimal:
        return D(chance.randrange(9_950, 10_051) if has_exits else chance.randrange(9_500, 10_501)) / 100

    terms: dict[str, Any] = {}
    if kind.has_limit:
        terms["limit_price"] = price()
    if kind.has_stop:
        terms["stop_price"] = price()
    if kind is OrderType.TRAILING_STOP:
        terms[chance.choice(["trail_price", "trail_percent"])] = D(chance.randrange(10, 300)) / 100
    if has_exits:
        upper, lower = D(chance.randrange(10_060, 10_600)) / 100, D(chance.randrange(9_400, 9_940)) / 100
        target, stop = (upper, lower) if side is OrderSide.BUY else (lower, upper)
        terms["target"] = OrderLeg(type=OrderType.LIMIT, limit_price=target)
        terms["stop_loss"] = OrderLeg(type=OrderType.STOP, stop_price=stop)
    qty = D(chance.choice([2, 7, 30, 60, 90, 150]))
    return OrderRequest(symbol=symbol, side=side, qty=qty, type=kind, time_in_force=in_force, **terms)


# --- both -------------------------------------------------------------------------------------------------


class _Asking(Strategy):
    id = "asking"

    def __init__(self, case: Case) -> None:
        ends = sorted({bar.end_ns for series in case.bars.values() for bar in series})
        self.asked = {end_ns: case.asked.get(number, []) for number, end_ns in enumerate(ends)}

    def initialize(self, config: StrategyConfig) -> Actions:
        return None

    def on_tick(self, tick: Tick) -> Actions:
        return [CancelOrder(ref) if request is None else PlaceOrder(request, ref=ref) for ref, request in self.asked.get(tick.time_ns, [])]


def greta(case: Case) -> Outcome:
    """The backtest."""
    series = [_series(symbol, bars) for symbol, bars in case.bars.items()]
    lot = D("0.000000001")
    instruments = {
        symbol: Instrument(symbol=symbol, asset_class=asset_class_of(symbol), tick=D("0.01") if symbol == STOCK else None, lot=lot)
        for symbol in case.bars
    }
    run: Backtest = backtest(
        _Asking(case), series, cash=str(CASH), fees=case.fees, instruments=instruments, account=case.terms,
        actions={STOCK: case.actions} if case.actions else {},
    )  # fmt: skip
    found = Outcome(cash=run.venue.ledger.cash)
    found.fills = [(one.time_ns, one.symbol, one.side.value, one.qty, one.price, one.fee) for one in run.fills]
    for event in run.events:
        payload: Any = event.payload
        if isinstance(payload, InterestCharged):
            found.interest.append((event.ts, payload.symbol or "", -payload.amount))
        elif isinstance(payload, SplitApplied):
            found.splits.append((payload.symbol, payload.qty - payload.qty_before))
        elif isinstance(payload, DividendPaid):
            found.dividends.append((payload.symbol, payload.cash))
        elif isinstance(payload, MarginCall):
            found.calls.append((payload.equity, payload.required, payload.exposure))
    found.held = {one.symbol: one.qty for one in run.venue.ledger.open_positions()}
    return found


def _series(symbol: str, bars: Sequence[Bar]) -> BarSeries:
    columns = [np.asarray([getattr(bar, name) for bar in bars], float) for name in ("open", "high", "low", "close", "volume")]
    return BarSeries.from_columns(symbol, Timeframe(MINUTE_NS), np.asarray([bar.start_ns for bar in bars], np.int64), *columns)


class Paper:
    """The paper account, driven as the program drives it."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.now_ns = min(bars[0].start_ns for bars in case.bars.values() if bars)
        self.books = MemoryPaperBooks()
        account = PaperAccount(
            id="p", number="P", kind=case.terms.kind, cash=CASH, time_ns=self.now_ns, day=self.now_ns // DAY_NS,
            day_start_equity=CASH, actions_day=exchange_day(self.now_ns),
        )  # fmt: skip
        self.kept = AccountBooks(account=account)
        self.exchange = self._on(self.kept)

    def _on(self, books: AccountBooks) -> PaperExchange:
        terms = PaperTerms(account=self.case.terms, fees=fee_model(self.case.fees))
        return PaperExchange(books, lambda: self.now_ns, terms, ExchangeHours())

    def keep(self) -> None:
        """Commit, and where the case says so begin again from that."""
        change = self.exchange.take().change
        if change is not None:
            orders = {one.order.id: one for one in (*self.kept.orders, *change.orders)}
            self.kept = AccountBooks(
                account=change.account, orders=tuple(orders.values()), executions=self.kept.executions + change.executions,
                entries=self.kept.entries + change.entries,
            )  # fmt: skip
        if self.case.restarts:
            self.exchange = self._on(msgspec.json.decode(msgspec.json.encode(self.kept), type=AccountBooks))

    def run(self) -> Outcome:
        by_end: dict[int, list[Bar]] = {}
        for bars in self.case.bars.values():
            for bar in bars:
                by_end.setdefault(bar.end_ns, []).append(bar)
        for number, end_ns in enumerate(sorted(by_end)):
            self._days_begin(by_end[end_ns])
            self.now_ns = end_ns
            self.exchange.pass_time()
            for bar in by_end[end_ns]:
                self.exchange.bar(bar)
            self.exchange.settle()
            self.exchange.pass_time()
            self.keep()
            for ref, request in self.case.asked.get(number, []):
                self._ask(ref, request)
                self.keep()
        return self._outcome()

    def _days_begin(self, bars: Sequence[Bar]) -> None:
        """Let days of the exchange begin: what companies do is applied before the first bar."""
        for day in range(exchange_day(self.now_ns) + 1, exchange_day(bars[0].start_ns) + 1):
            self.now_ns = max(self.now_ns, parse_instant("1970-01-01T05:00:00Z") + day * DAY_NS)
            self.exchange.apply(self.case.actions, day)
            self.keep()

    def _ask(self, ref: str, request: OrderRequest | None) -> None:
        try:
            if request is None:
                order_id = self.exchange.notes.ids.get(ref)
                if order_id in self.exchange.open:
                    self.exchange.cancel(order_id)
                return
            legs: dict[str, Any] = {}
            if request.target is not None and request.stop_loss is not None:
                legs = {
                    "order_class": OrderClass.BRACKET,
                    "target_price": request.target.limit_price,
                    "stop_loss_price": request.stop_loss.stop_price,
                }
            assert request.time_in_force is not None
            self.exchange.submit(
                BrokerOrderRequest(
                    client_order_id=ref,
                    symbol=request.symbol,
                    side=request.side,
                    qty=request.qty,
                    type=request.type,
                    time_in_force=request.time_in_force,
                    limit_price=request.limit_price,
                    stop_price=request.stop_price,
                    trail_price=request.trail_price,
                    trail_percent=request.trail_percent,
                    **legs,
                )
            )
        except BrokerRefused as refused:
            if not self.exchange.ledger.restricted:
                raise AssertionError(f"{ref} was refused") from refused

    def _outcome(self) -> Outcome:
        found = Outcome(cash=self.exchange.account().cash)
        found.fills = [
            (one.time_ns - MINUTE_NS, one.symbol, one.side.value, one.qty, one.price, one.fee) for one in self.exchange.notes.executions
        ]
        for entry in self.exchange.notes.entries:
            if entry.kind.value == "interest":
                found.interest.append((entry.time_ns, entry.symbol, entry.cash))
            elif entry.kind.value == "split" and entry.qty:
                found.splits.append((entry.symbol, entry.qty))
            elif entry.kind.value == "dividend" and entry.cash:
                found.dividends.append((entry.symbol, entry.cash))
            elif entry.kind.value == "margin_call":
                assert entry.equity is not None
                assert entry.required is not None
                assert entry.exposure is not None
                found.calls.append((entry.equity, entry.required, entry.exposure))
        found.held = {one.symbol: one.qty for one in self.exchange.positions()}
        return found


def like(seed: int) -> Outcome:
    """Play a case on both, compare, and return what came of it."""
    case = case_of(seed)
    expected, found = greta(case), Paper(case).run()
    assert found == expected
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_the_paper_account_at_bars_does_what_a_backtest_does(seed: int) -> None:
    like(seed)


@pytest.mark.soak
def test_and_in_thousands_of_cases() -> None:
    for seed in SOAK:
        like(seed)


def test_the_cases_reach_what_they_are_to_compare() -> None:
    """Cases in which nothing happens would agree as well."""
    reached: Counter[str] = Counter()
    for seed in SEEDS:
        found = greta(case_of(seed))
        reached["fills"] += len(found.fills)
        for name in ("interest", "splits", "dividends", "calls"):
            reached[name] += len(getattr(found, name))
    assert reached["fills"] > 500
    assert min(reached[name] for name in ("interest", "splits", "dividends", "calls")) > 5, reached
