"""The run: event times in order, each bar whole, then nights, marks, the margin test and the script."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal, localcontext

from tests.oracle.account import Account
from tests.oracle.book import Book
from tests.oracle.costs import Part, order_fee
from tests.oracle.market import Action, Bar, Dividend, Instrument, Split
from tests.oracle.matching import BarWalk
from tests.oracle.orders import Script
from tests.oracle.outcome import Fill, MarginCall, OrderResult, Outcome, PositionResult
from tests.oracle.path import Way, adaptive
from tests.oracle.sessions import DAY_NS
from tests.oracle.settings import Settings

PRECISION = 60
WAYS: tuple[Way, Way] = ("ohlc", "olhc")


def simulate(
    bars: Iterable[Bar],
    script: Script,
    instruments: Iterable[Instrument],
    *,
    start_ns: int,
    settings: Settings | None = None,
    actions: Iterable[Action] = (),
) -> Outcome:
    """Run `script` on `bars`.

    `instruments` stand in the run's order of symbols. `script` maps a decision's time to its requests; `start_ns` is the run's
    start, decided before any bar. A time at which no bar ends is an event of its own.
    """
    with localcontext() as context:
        context.prec = PRECISION
        run = _Run(list(bars), list(instruments), settings or Settings(), list(actions), start_ns)
        return run.play(script)


class _Run:
    def __init__(self, bars: list[Bar], instruments: list[Instrument], settings: Settings, actions: list[Action], start_ns: int) -> None:
        self.settings = settings
        self.start_ns = start_ns
        order_of = {instrument.symbol: at for at, instrument in enumerate(instruments)}
        self.bars = sorted(bars, key=lambda bar: (bar.end_ns, order_of[bar.symbol], bar.start_ns))
        by_symbol = {symbol: sorted((bar for bar in bars if bar.symbol == symbol), key=lambda bar: bar.start_ns) for symbol in order_of}
        self.book = Book(Account(settings, {instrument.symbol: instrument for instrument in instruments}, settings.cash), by_symbol)
        # On one day splits come before dividends.
        self.actions = sorted(actions, key=lambda action: (action.day_ns, isinstance(action, Dividend)))
        self.fills: list[Fill] = []
        self.calls: list[MarginCall] = []
        self.equity: list[tuple[int, Decimal]] = []

    def play(self, script: Script) -> Outcome:
        times = sorted({bar.end_ns for bar in self.bars} | {time_ns for time_ns in script if time_ns != self.start_ns})
        if times and times[0] < self.start_ns:
            raise ValueError("something happens before the run's start")
        self._drop_old_actions()
        self.equity.append((self.start_ns, self.book.account.equity()))
        self._decide(script, self.start_ns)
        before_ns = self.start_ns
        for time_ns in times:
            self._event(before_ns, time_ns, script)
            before_ns = time_ns
        if self.settings.close_at_end:
            self._close_all()
        return self._outcome()

    def _drop_old_actions(self) -> None:
        """What was before the run's start is in its prices already."""
        self.actions = [action for action in self.actions if action.day_ns >= self.start_ns]

    def _event(self, before_ns: int, time_ns: int, script: Script) -> None:
        midnights = range((before_ns // DAY_NS + 1) * DAY_NS, time_ns + 1, DAY_NS)
        for midnight in midnights:
            if midnight < time_ns:
                self.book.account.night()
        self.book.expire(time_ns, before_ns)
        for bar in self.bars:
            if bar.end_ns == time_ns:
                self._bar(bar)
        if time_ns in midnights:
            self.book.account.night()
        self.book.expire(time_ns, time_ns)
        self.equity.append((time_ns, self.book.account.equity()))
        self._margin_test(time_ns)
        self._decide(script, time_ns)

    def _decide(self, script: Script, time_ns: int) -> None:
        for request in script.get(time_ns, []):
            self.book.take(request, time_ns)

    def _margin_test(self, time_ns: int) -> None:
        account = self.book.account
        required, equity = account.maintenance(), account.equity()
        if self.settings.account == "margin" and required > 0 and equity < required and not self.book.liquidating:
            self.calls.append(MarginCall(time_ns, equity, required))
            self.book.liquidate(time_ns)

    def _bar(self, bar: Bar) -> None:
        self._apply_actions(bar)
        trials = {way: BarWalk(self.book.copy(), bar, way) for way in WAYS}
        fills = {way: trial.run() for way, trial in trials.items()}
        chosen = self._choose(bar, {way: trial.book for way, trial in trials.items()})
        other: Way = "olhc" if chosen == "ohlc" else "ohlc"
        self.book = trials[chosen].book
        there = Counter(_same(fill) for fill in fills[other])
        for fill in fills[chosen]:
            depends = there[_same(fill)] == 0
            there[_same(fill)] -= not depends
            self.fills.append(replace(fill, path_dependent=depends))
        filled_here = {fill.order_id for fill in fills[chosen]}
        for fill in fills[other]:
            if fill.order_id not in filled_here:
                self.book.orders[fill.order_id].path_dependent = True

    def _choose(self, bar: Bar, books: dict[Way, Book]) -> Way:
        if self.settings.path in WAYS:
            return "ohlc" if self.settings.path == "ohlc" else "olhc"
        equities = {way: book.account.equity() for way, book in books.items()}
        if self.settings.path == "adaptive" or equities["ohlc"] == equities["olhc"]:
            return adaptive(bar)
        higher: Way = "ohlc" if equities["ohlc"] > equities["olhc"] else "olhc"
        if self.settings.path == "optimistic":
            return higher
        return "olhc" if higher == "ohlc" else "ohlc"

    def _apply_actions(self, bar: Bar) -> None:
        for action in [action for action in self.actions if action.symbol == bar.symbol and action.day_ns <= bar.start_ns]:
            self.actions.remove(action)
            if isinstance(action, Split):
                self.book.split(action.symbol, action.ratio, bar)
            else:
                self.book.account.dividend(action.symbol, action.amount)

    def _close_all(self) -> None:
        account = self.book.account
        for symbol, instrument in account.instruments.items():
            held = account.position(symbol)
            if held == 0:
                continue
            side = "sell" if held > 0 else "buy"
            last = self.book.bars[symbol][-1]
            price, qty = account.last[symbol], abs(held)
            fee = order_fee(self.settings, instrument, "sell" if held > 0 else "buy", (Part(qty, price, maker=False),))
            account.fill(symbol, "sell" if held > 0 else "buy", qty, price, fee, last.start_ns)
            fill = Fill(
                order_id=f"end-of-run-{symbol}",
                symbol=symbol,
                side=side,
                qty=qty,
                price=price,
                fee=fee,
                slippage=Decimal(0),
                time_ns=last.start_ns,
                reason="end_of_run",
            )
            self.fills.append(fill)
            self.book.drop_flat_legs(symbol)

    def _outcome(self) -> Outcome:
        account = self.book.account
        orders = {
            name: OrderResult(status=order.status, filled=order.filled, code=order.code, path_dependent=order.path_dependent)
            for name, order in self.book.orders.items()
        }
        positions = {symbol: PositionResult(qty, account.average_cost[symbol]) for symbol, qty in account.qty.items() if qty}
        return Outcome(
            fills=self.fills,
            orders=orders,
            rejections=self.book.rejections,
            margin_calls=self.calls,
            equity=self.equity,
            cash=account.cash,
            positions=positions,
            trips=list(account.trips.done),
            totals=account.totals,
            end_equity=account.equity(),
        )


def _same(fill: Fill) -> tuple[str, Decimal, Decimal]:
    return fill.order_id, fill.qty, fill.price
