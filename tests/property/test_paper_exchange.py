"""Random orders, quotes, trades, splits, nights: all is conserved, no fill is outside the quote, restarts change nothing."""

from collections import defaultdict
from decimal import Decimal, localcontext
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from core.clock.calendar import exchange_day
from core.errors import BrokerRefused
from core.model.broker import OrderChange, OrderClass, Print
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.corporate_action import Dividend, Split, units_after
from core.model.findings import Findings
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.money import MONEY_CONTEXT
from core.model.order import OrderSide, OrderType, TimeInForce
from core.model.paper import AccountBooks
from core.model.run import AccountKind, AccountTerms
from core.store.paper_check import _add_up
from tests.examples import examples
from tests.unit.brokers.paper.bench import PaperBench

D = Decimal
SYMBOLS = ("SPY", "BTC/USD")
START_AT = "2023-11-14T20:40:00Z"
"""Twenty minutes before a close, so that days end within a few steps."""

prices = st.integers(95_00, 105_00).map(lambda cents: D(cents) / 100)
sides = st.sampled_from(list(OrderSide))
symbols = st.sampled_from(SYMBOLS)
quantities = st.sampled_from(["1", "2", "7", "0.5", "60", "150"])


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    """An order of any kind; not each of them can be."""
    kind = draw(st.sampled_from(list(OrderType)))
    terms: dict[str, Any] = {
        "symbol": draw(symbols),
        "side": draw(sides),
        "qty": draw(quantities),
        "type": kind,
        "time_in_force": draw(st.sampled_from([force for force in TimeInForce if force is not TimeInForce.GTD])),
        "extended_hours": draw(st.booleans()) if kind is OrderType.LIMIT else False,
    }
    if kind.has_limit:
        terms["limit_price"] = draw(prices)
    if kind.has_stop:
        terms["stop_price"] = draw(prices)
    if kind is OrderType.TRAILING_STOP:
        terms["trail_price"] = D(draw(st.integers(1, 300))) / 100
    what = draw(st.sampled_from(["plain", "plain", "notional", "bracket", "oco"]))
    if what == "notional":
        return {**terms, "qty": None, "notional": D(draw(st.integers(1, 2_000)))}
    if what == "bracket":
        upper, lower = D(draw(st.integers(100_00, 107_00))) / 100, D(draw(st.integers(93_00, 99_99))) / 100
        is_buy = terms["side"] is OrderSide.BUY
        legs = {"target_price": upper if is_buy else lower, "stop_loss_price": lower if is_buy else upper}
        return {**terms, "extended_hours": False, "order_class": OrderClass.BRACKET, **legs}
    if what == "oco":
        pair = {"target_price": draw(prices), "stop_loss_price": draw(prices)}
        terms = {name: terms[name] for name in ("symbol", "side", "qty", "time_in_force")}
        return {**terms, "type": OrderType.LIMIT, "order_class": OrderClass.OCO, **pair}
    return terms


quotes = st.tuples(st.just("quote"), symbols, prices, st.integers(0, 30), st.sampled_from(["0", "3", "100"]))
steps = st.one_of(
    st.tuples(st.just("send"), orders()),
    quotes,
    quotes,
    st.tuples(st.just("trade"), symbols, prices),
    st.tuples(st.just("cancel"), st.integers(0, 40)),
    st.tuples(st.just("replace"), st.integers(0, 40), prices),
    st.tuples(st.just("wait"), st.integers(1, 12)),
    st.tuples(st.just("split"), st.sampled_from(["2", "0.5", "1.5", "0.3333333333333333333333333333"]), st.integers(1, 3)),
    st.tuples(st.just("dividend"), st.sampled_from(["0.77", "20"]), st.integers(1, 3)),
)
accounts = st.sampled_from(
    [
        AccountTerms(),
        AccountTerms(credit_rate=D("0.5")),
        AccountTerms(kind=AccountKind.MARGIN),
        AccountTerms(kind=AccountKind.MARGIN, borrow_rate=D("0.3"), debit_rate=D("0.7"), credit_rate=D("0.1")),
    ]
)


class World:
    """A bench on which the steps are done, and the quotes that stood."""

    def __init__(self, account: AccountTerms, fees: str, *, caps: bool, restarts: bool) -> None:
        self.bench = PaperBench(account=account, fees=fees, caps=caps, at=START_AT)
        self.restarts = restarts
        self.quotes: dict[str, tuple[Decimal, Decimal]] = {}
        self.since_ns: dict[str, int] = {}
        self.last: dict[str, Decimal] = {}
        """The newest trades; a split makes them worthless."""
        self.seen = 0
        self.sent = 0

    def do(self, step: tuple[Any, ...]) -> None:
        bench = self.bench
        if self.restarts:
            bench.restart()
            self._hear()
        name, *given = step
        try:
            if name == "send":
                self.sent += 1
                (terms,) = given
                bench.send(f"c{self.sent}", **terms)
            elif name == "quote":
                symbol, bid, spread, size = given
                self.quotes[symbol], self.since_ns[symbol] = (bid, bid + D(spread) / 100), bench.now_ns
                bench.quote(str(bid), str(self.quotes[symbol][1]), symbol, sizes=(size, size))
            elif name == "trade":
                symbol, self.last[symbol] = given
                bench.trade(str(self.last[symbol]), symbol)
            elif name == "wait":
                bench.now_ns += given[0] * MINUTE_NS
                bench.exchange.pass_time()
            elif name in {"split", "dividend"}:
                self._act(name, D(given[0]), given[1])
            else:
                self._change(name, given)
        except BrokerRefused:
            pass
        bench.keep()

    def _act(self, name: str, value: Decimal, days: int) -> None:
        """Let days go by, and on the last of them a company do something; the quotes of its shares stand no more."""
        bench = self.bench
        bench.now_ns += days * DAY_NS
        day = exchange_day(bench.now_ns)
        action = Split(symbol="SPY", day=day, ratio=value) if name == "split" else Dividend(symbol="SPY", day=day, amount=value)
        held = bench.held()
        bench.exchange.apply([action], day)
        if name == "split":
            assert abs(units_after(held, value) - bench.held()) < D("0.000000001")
            self.quotes.pop("SPY", None)
            self.last.pop("SPY", None)

    def _hear(self) -> None:
        """Learn what the market said last, as the program does that begins: it asks, for none of it is written down."""
        exchange = self.bench.exchange
        for symbol, price in self.last.items():
            exchange.standing(symbol).take_trade(Print(symbol=symbol, time_ns=self.bench.now_ns, price=price, size=D(1)))
            exchange.mark(symbol)
        for symbol, (bid, ask) in self.quotes.items():
            self.bench.quote(str(bid), str(ask), symbol, time_ns=self.since_ns[symbol])

    def _change(self, name: str, given: list[Any]) -> None:
        working = self.bench.exchange.working()
        if not working:
            return
        id_ = working[given[0] % len(working)]
        if name == "cancel":
            self.bench.exchange.cancel(id_)
        else:
            self.sent += 1
            self.bench.exchange.replace(id_, OrderChange(client_order_id=f"c{self.sent}", limit_price=given[1]))

    def check(self) -> None:
        """What holds after each step."""
        bench = self.bench
        notes = bench.exchange.notes
        for execution in notes.executions[self.seen :]:
            bid, ask = self.quotes[execution.symbol]
            assert execution.price == (ask if execution.side is OrderSide.BUY else bid)
            order = notes.orders[execution.order_id].order
            if order.limit_price is not None:
                worse = execution.price - order.limit_price
                assert worse * execution.side.sign <= 0
        self.seen = len(notes.executions)
        add_up(bench)


def add_up(bench: PaperBench) -> None:
    """All executions together make the money and the holdings, in memory and as kept."""
    notes = bench.exchange.notes
    cash, units, filled = D(10_000), defaultdict[str, Decimal](Decimal), defaultdict[str, Decimal](Decimal)
    split = set()
    for entry in notes.entries:
        cash += entry.cash
        units[entry.symbol] += entry.qty
        split |= {entry.symbol} if entry.kind is BrokerEntryKind.SPLIT else set()
    for one in notes.executions:
        cash -= one.qty * one.price * one.side.sign + one.fee
        units[one.symbol] += one.qty * one.side.sign
        filled[one.order_id] += one.qty
    account = bench.exchange.account()
    assert account.cash == cash
    assert {one.symbol: one.qty for one in bench.exchange.positions()} == {symbol: qty for symbol, qty in units.items() if qty}
    for id_, row in notes.orders.items():
        assert row.order.filled_qty == filled[id_] or row.order.symbol in split
        assert row.order.qty is None or row.order.filled_qty <= row.order.qty
        assert (id_ in bench.exchange.working()) is not row.order.status.is_final
    for kept in bench.books.contents():
        assert kept.account.cash == cash
        assert len(kept.executions) == len(notes.executions)
        assert len(kept.entries) == len(notes.entries)
        found = Findings()
        deposit = BrokerEntry(id="d", kind=BrokerEntryKind.DEPOSIT, time_ns=0, cash=D(10_000))
        with localcontext(MONEY_CONTEXT):
            _add_up(msgspec.structs.replace(kept, entries=(deposit, *kept.entries)), found)  # as `weaver db check` does
        assert found.report().findings == ()
    assert len({one.id for one in notes.executions}) == len(notes.executions)


def final(world: World) -> AccountBooks | None:
    held = world.bench.books.contents()
    return held[0] if held else None


@examples(150)
@given(st.lists(steps, max_size=40), accounts, st.sampled_from(["none", "bps:10:1", "alpaca"]), st.booleans())
def test_everything_is_conserved_and_no_fill_is_outside_the_quote(
    todo: list[tuple[Any, ...]], account: AccountTerms, fees: str, caps: bool
) -> None:
    world = World(account, fees, caps=caps, restarts=False)
    for step in todo:
        world.do(step)
        world.check()


ONE_SHARE: dict[str, Any] = {"symbol": "SPY", "side": OrderSide.BUY, "qty": "1", "type": OrderType.MARKET, "time_in_force": TimeInForce.DAY}


@examples(100)
@given(st.lists(steps, max_size=40), accounts, st.sampled_from(["none", "bps:10:1", "alpaca"]))
@example([("send", ONE_SHARE), ("quote", "SPY", D(95), 0, "0"), ("dividend", "0.77", 1), ("send", ONE_SHARE)], AccountTerms(), "none").via(
    "a quote of yesterday's session does not stand today"
)
def test_a_restart_after_each_step_changes_nothing(todo: list[tuple[Any, ...]], account: AccountTerms, fees: str) -> None:
    through, again = (World(account, fees, caps=False, restarts=restarts) for restarts in (False, True))
    for step in todo:
        through.do(step)
        again.do(step)
        again.check()
    one, other = final(through), final(again)
    if one is None or other is None:
        assert one is other
        return
    assert (other.orders, other.executions, other.entries) == (one.orders, one.executions, one.entries)
    assert (other.account.cash, other.account.holdings) == (one.account.cash, one.account.holdings)
