"""Plays a run of the reference through the product's simulator, with a strategy that only reads the script."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Final

import numpy as np

from core.model.corporate_action import CorporateAction, Dividend, Split
from core.model.market import AssetClass, BarSeries, Instrument, Timeframe
from core.model.money import MONEY_CONTEXT, to_float
from core.model.order import Order as ProductOrder
from core.model.order import OrderLeg, OrderRequest, OrderSide, OrderType, TimeInForce
from core.model.run import AccountKind, AccountTerms, PathModel
from core.strategy.api import Action, Actions, CancelOrder, PlaceOneCancelsOther, PlaceOrder, ReplaceOrder, Strategy, StrategyConfig, Tick
from tests.backtests import Backtest, backtest
from tests.oracle import market
from tests.oracle.orders import Cancel, Order, Place, PlaceOco, Replace, Request, Script
from tests.oracle.outcome import Outcome
from tests.oracle.scenarios import DAY, Scenario
from tests.oracle.wide_scenarios import bars_by_symbol

_RUN_ENDED: Final = "The run ended."


@dataclass(slots=True)
class Played:
    """What the product made of a scenario: its backtest, and what the strategy saw of its account at each decision."""

    run: Backtest
    seen: dict[int, tuple[Decimal, Decimal]] = field(default_factory=dict)
    """Equity and cash by decision time."""


class Scripted(Strategy):
    """Asks for what the script says, when it says so."""

    id = "scripted"
    symbols = 0

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: dict[int, tuple[Decimal, Decimal]] = {}
        self.start_ns = 0

    def initialize(self, config: StrategyConfig) -> Actions:
        return [product_action(request) for request in self.script.get(self.start_ns, [])]

    def on_tick(self, tick: Tick) -> Actions:
        self.seen[tick.time_ns] = (self.account.equity, self.account.cash)
        return [product_action(request) for request in self.script.get(tick.time_ns, [])]


def play(scenario: Scenario, timeframe: str) -> Played:
    """Run the scenario through the product."""
    strategy = Scripted(scenario.script)
    strategy.start_ns = scenario.start_ns
    settings = scenario.settings
    run = backtest(
        strategy,
        [_series(symbol, bars, timeframe) for symbol, bars in bars_by_symbol(scenario).items()],
        cash=str(settings.cash),
        fees=settings.fees,
        slippage=settings.slippage,
        path=PathModel(settings.path),
        start_ns=scenario.start_ns,
        instruments={instrument.symbol: _instrument(instrument) for instrument in scenario.instruments},
        account=AccountTerms(
            kind=AccountKind(settings.account),
            borrow_rate=settings.borrow_rate,
            debit_rate=settings.debit_rate,
            credit_rate=settings.credit_rate,
            hard_to_borrow=tuple(instrument.symbol for instrument in scenario.instruments if instrument.hard_to_borrow),
        ),
        volume_cap=None if settings.volume_cap is None else str(settings.volume_cap),
        trade_through=settings.trade_through,
        close_at_end=settings.close_at_end,
        slices=len(scenario.bars) % 2 == 0,
        actions=_actions(scenario),
    )
    return Played(run, strategy.seen)


def _series(symbol: str, bars: list[market.Bar], timeframe: str) -> BarSeries:
    columns = [np.asarray([to_float(getattr(bar, name)) for bar in bars]) for name in ("open", "high", "low", "close", "volume")]
    starts = np.asarray([bar.start_ns for bar in bars], np.int64)
    return BarSeries.from_columns(symbol, Timeframe.parse(timeframe), starts, *columns)


def _instrument(instrument: market.Instrument) -> Instrument:
    asset_class = AssetClass.CRYPTO if instrument.crypto else AssetClass.EQUITY
    return Instrument(symbol=instrument.symbol, asset_class=asset_class, tick=instrument.tick, lot=instrument.lot)


def _actions(scenario: Scenario) -> dict[str, list[CorporateAction]]:
    found: dict[str, list[CorporateAction]] = {}
    for action in sorted(scenario.actions, key=lambda action: isinstance(action, market.Dividend)):
        # The exchange's day begins some hours after its date's UTC midnight.
        day = action.day_ns // DAY
        made: CorporateAction
        if isinstance(action, market.Split):
            made = Split(symbol=action.symbol, day=day, ratio=action.ratio)
        else:
            made = Dividend(symbol=action.symbol, day=day, amount=action.amount)
        found.setdefault(action.symbol, []).append(made)
    return found


# What a script asks for, in the words of a strategy.


def product_action(request: Request) -> Action:
    """One request as an action. Raises InvalidValue where a strategy cannot even say it."""
    match request:
        case Place(order):
            return PlaceOrder(product_request(order), ref=order.id)
        case PlaceOco(first, second):
            return PlaceOneCancelsOther(product_request(first), product_request(second), first_ref=first.id, second_ref=second.id)
        case Cancel(name):
            return CancelOrder(name)
        case Replace():
            return ReplaceOrder(
                ref=request.id,
                qty=request.qty,
                limit_price=request.limit,
                stop_price=request.stop,
                trail_price=request.trail_price,
                trail_percent=request.trail_percent,
            )


def product_request(order: Order) -> OrderRequest:
    """An order, its reference's name in the note; children by what they are for."""
    targets = [_leg(child) for child in order.children if child.type == "limit"]
    stops = [_leg(child) for child in order.children if child.type != "limit"]
    return OrderRequest(
        symbol=order.symbol,
        side=OrderSide(order.side),
        qty=order.qty,
        type=OrderType(order.type),
        limit_price=order.limit,
        stop_price=order.stop,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
        time_in_force=None if order.time_in_force is None else TimeInForce(order.time_in_force),
        expires_ns=order.gtd_ns,
        reduce_only=order.reduce_only,
        extended_hours=order.extended_hours,
        target=targets[0] if targets else None,
        stop_loss=stops[0] if stops else None,
        note=order.id,
    )


def _leg(order: Order) -> OrderLeg:
    return OrderLeg(
        type=OrderType(order.type),
        limit_price=order.limit,
        stop_price=order.stop,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
        time_in_force=None if order.time_in_force is None else TimeInForce(order.time_in_force),
        expires_ns=order.gtd_ns,
    )


# What came of it, in the words of the reference.


def differences(expected: Outcome, played: Played) -> list[str]:
    """One line for each thing in which the two do not agree, the first in time first as far as that can be told."""
    with localcontext(MONEY_CONTEXT):
        return list(_differences(expected, played))


def _differences(expected: Outcome, played: Played) -> Iterator[str]:
    run = played.run
    names = _names(run)
    fills = [
        (names[fill.order_id], fill.symbol, fill.side.value, fill.qty, fill.price, fill.fee, fill.slippage, fill.time_ns, fill.reason,
         fill.path_dependent)
        for fill in run.fills
    ]  # fmt: skip
    wanted = [
        (fill.order_id, fill.symbol, fill.side, fill.qty, fill.price, fill.fee, fill.slippage, fill.time_ns, fill.reason,
         fill.path_dependent)
        for fill in expected.fills
    ]  # fmt: skip
    yield from _unlike("fill", wanted, fills)
    orders = {
        names[name]: (_status(order, run), order.filled_qty, _code(order), order.path_dependent) for name, order in run.orders.items()
    }
    told = {
        name: ("working" if result.status == "held" else result.status, result.filled, result.code, result.path_dependent)
        for name, result in expected.orders.items()
    }
    if any(fill.reason == "end_of_run" for fill in expected.fills):
        # The product takes everything back before it closes, the reference lets the legs go with the positions.
        told = {name: ("cancelled" if item[0] == "working" else item[0], *item[1:]) for name, item in told.items()}
        orders = {name: ("cancelled" if item[0] == "working" else item[0], *item[1:]) for name, item in orders.items()}
    for name in told | orders:
        if name.startswith("end-of-run"):
            continue
        if told.get(name) != orders.get(name):
            yield f"order {name}: expected {told.get(name)}, got {orders.get(name)}"
    rejected = Counter((item.time_ns, names[item.order_id], item.code.value) for item in run.rejections)
    refused = Counter((item.time_ns, item.order_id, item.code) for item in expected.rejections)
    if rejected != refused:
        yield f"rejections: expected also {refused - rejected}, got also {rejected - refused}"
    calls = [
        (event.ts, event.payload.equity, event.payload.required)  # type: ignore[attr-defined]
        for event in run.events
        if event.type == "account.MarginCall"
    ]
    yield from _unlike("margin call", [(call.time_ns, call.equity, call.required) for call in expected.margin_calls], calls)
    if expected.cash != run.venue.cash:
        yield f"cash: expected {expected.cash}, got {run.venue.cash}"
    positions = {item.symbol: (item.qty, item.avg_price) for item in run.venue.open_positions()}
    held = {symbol: (item.qty, item.average_cost) for symbol, item in expected.positions.items()}
    for symbol in positions | held:
        one, two = held.get(symbol), positions.get(symbol)
        # The average is a quotient: its last of sixty digits depends on when it was divided.
        if one is None or two is None or one[0] != two[0] or abs(one[1] - two[1]) > Decimal("1e-40"):
            yield f"position {symbol}: expected {one}, got {two}"
    yield from _unlike_equity(expected, played)


def _unlike(what: str, expected: Sequence[tuple[object, ...]], got: Sequence[tuple[object, ...]]) -> Iterator[str]:
    for at in range(max(len(expected), len(got))):
        one = expected[at] if at < len(expected) else None
        two = got[at] if at < len(got) else None
        if one != two:
            yield f"{what} {at}: expected {_words(one)}, got {_words(two)}"


def _words(row: tuple[object, ...] | None) -> str:
    return "none" if row is None else " ".join(str(item) for item in row)


def _unlike_equity(expected: Outcome, played: Played) -> Iterator[str]:
    run = played.run
    points = dict(expected.equity)
    for time_ns, (equity, _cash) in played.seen.items():
        if abs(points[time_ns] - equity) > Decimal("1e-40"):
            yield f"equity seen at {time_ns}: expected {points[time_ns]}, got {equity}"
    if len(expected.equity) != len(run.times_ns):
        yield f"equity points: expected {len(expected.equity)}, got {len(run.times_ns)}"
    last = len(expected.equity) - 1
    for at, ((time_ns, equity), got_ns, got) in enumerate(zip(expected.equity, run.times_ns.tolist(), run.equity.tolist(), strict=False)):
        # The product's last point is after the closing at the end.
        equity = expected.end_equity if at == last else equity
        if time_ns != got_ns or abs(to_float(equity) - got) > 1e-6:
            yield f"equity point {at}: expected {time_ns} {equity}, got {got_ns} {got}"


def _names(run: Backtest) -> dict[str, str]:
    """The reference's names of the product's orders: the note, the parent's with the leg's role, or what the venue placed it for."""
    reasons = {fill.order_id: fill.reason for fill in run.fills}
    names = {}
    for name, order in run.orders.items():
        request = order.request
        if order.parent_id is not None:
            role = "target" if request.type is OrderType.LIMIT else "stop"
            names[name] = f"{run.orders[order.parent_id].request.note}.{role}"
        elif request.note is not None:
            names[name] = request.note
        elif reasons.get(name) == "end_of_run":
            names[name] = f"end-of-run-{request.symbol}"
        else:
            names[name] = f"margin-call-{request.symbol}-{order.created_ns}"
    return names


def _status(order: ProductOrder, run: Backtest) -> str:
    """The end of an order; what the end of the run takes back was working until then."""
    if order.status.value != "cancelled":
        return order.status.value
    parent = None if order.parent_id is None else run.orders[order.parent_id]
    went_with_it = parent is not None and parent.reason == _RUN_ENDED and (order.reason or "").startswith("The order it belongs to")
    return "working" if order.reason == _RUN_ENDED or went_with_it else "cancelled"


def _code(order: ProductOrder) -> str | None:
    return None if order.reject_code is None else order.reject_code.value
