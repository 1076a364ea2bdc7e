"""Events as sentences for a person."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from core.events import live_payloads as live
from core.events import payloads as p
from core.events.envelope import Envelope, Payload
from core.model.corporate_action import ratio_words
from core.model.instants import iso
from core.model.money import plain
from core.model.order import Order, OrderLeg, OrderRequest, TimeInForce
from core.model.run import RunConfig

FindOrder = Callable[[str], Order | None]


class Level(StrEnum):
    """How much an event asks to be looked at."""

    INFO = "info"
    GOOD = "good"
    WARNING = "warning"
    ERROR = "error"


def short_id(id: str) -> str:
    """Return an id's last six characters, by which a person tells orders apart; short ones whole."""
    return id if len(id) <= 8 else f"…{id[-6:]}"


def request_words(request: OrderRequest) -> str:
    """`buy 1 BTC/USD at market`, `sell 10 SPY limit 410.5 gtd, only to reduce`."""
    parts = [f"{request.side} {plain(request.qty)} {request.symbol} {price_words(request) or 'at market'}"]
    if request.time_in_force in {TimeInForce.OPG, TimeInForce.CLS}:
        parts.append("in the opening auction" if request.time_in_force is TimeInForce.OPG else "in the closing auction")
    if request.reduce_only:
        parts.append("only to reduce")
    if request.target is not None:
        parts.append(f"target {price_words(request.target)}")
    if request.stop_loss is not None:
        parts.append(f"stop loss {price_words(request.stop_loss)}")
    return ", ".join(parts)


def price_words(order: OrderRequest | OrderLeg) -> str:
    """`stop 95 limit 94.5`, `trailing 5 %`; empty for a market order."""
    stop = f"stop {plain(order.stop_price)}" if order.stop_price is not None else ""
    limit = f"limit {plain(order.limit_price)}" if order.limit_price is not None else ""
    trail = f"trailing by {plain(order.trail_price)}" if order.trail_price is not None else ""
    percent = f"trailing by {plain(order.trail_percent)} %" if order.trail_percent is not None else ""
    return " ".join(part for part in (stop, limit, trail, percent) if part)


def _created(config: RunConfig) -> str:
    if config.is_by_hand:
        return f"A book for orders by hand at {config.broker} was made."
    return f"Created {config.strategy_id} on {', '.join(config.symbols)} {config.timeframe}."


def _interest(e: p.InterestCharged) -> str:
    what = "cash" if e.symbol is None else f"the short position in {e.symbol}"
    return f"Interest on {what}: {'paid' if e.amount > 0 else 'earned'} {plain(abs(e.amount))}."


def _passed(e: live.BarsPassed) -> str:
    why = "the run was interrupted" if e.is_restart else "its bars came late"
    return f"Nothing was decided after {iso(e.since_ns)} and up to {iso(e.until_ns)}: {why}."


def _entry(e: live.EntryTaken) -> str:
    of = f" of {e.symbol}" if e.symbol else ""
    moved = [f"{'+' if amount > 0 else ''}{plain(amount)} {what}" for amount, what in ((e.qty, "units"), (e.cash, "in cash")) if amount]
    told = f"{e.account}: {e.what.replace('_', ' ')}{of}" + (f", {', '.join(moved)}." if moved else ".")
    if e.said:
        told += f" {e.said}" + ("" if e.said.endswith(".") else ".")
    if e.what == "coin_fee":
        told += " What is held tells of it and counts."
    return told if e.is_booked else f"{told} It is booked to no run here: what is held is compared with the broker."


def _dividend(e: p.DividendPaid) -> str:
    what = "Kept of a dividend" if e.is_tax else "Dividend"
    return f"{what} of {e.symbol}, {plain(abs(e.per_share) if e.is_tax else e.per_share)} a share on {plain(e.qty)}: {plain(e.cash)}."


def _replaced(e: p.ReplaceRequest, find: FindOrder) -> str:
    changes = [
        f"{name} {plain(value)}"
        for name, value in (
            ("quantity", e.qty),
            ("limit", e.limit_price),
            ("stop", e.stop_price),
            ("trail", e.trail_price),
            ("trail percent", e.trail_percent),
        )
        if value is not None
    ]
    return f"Decided to change {', '.join(changes) or 'nothing'}" + (f" ({e.note})" if e.note else "") + f". {_order(e.order_id, find)}."


def _order(id: str, find: FindOrder) -> str:
    order = find(id)
    return f"Order {short_id(id)}" if order is None else f"Order {short_id(id)} ({request_words(order.request)})"


def _fill(payload: p.OrderFilled | p.OrderPartiallyFilled, find: FindOrder) -> str:
    order = find(payload.order_id)
    fee = f", fee {plain(payload.fee)}" if payload.fee else ""
    if order is None:
        return f"Order {short_id(payload.order_id)} filled {plain(payload.qty)} at {plain(payload.price)}{fee}."
    done = "Bought" if order.request.side.sign > 0 else "Sold"
    left = order.request.qty - payload.filled_qty
    rest = f"; {plain(left)} still open" if isinstance(payload, p.OrderPartiallyFilled) else ""
    return f"{done} {plain(payload.qty)} {order.request.symbol} at {plain(payload.price)}{fee}{rest}."


def _imported(payload: p.BarsImported) -> str:
    return f"Stored {payload.symbol} {payload.timeframe} from {payload.source}: {_merged(payload)} bars."


def _downloaded(payload: p.BarsDownloaded) -> str:
    period = f"{iso(payload.start_ns)[:16]} to {iso(payload.end_ns)[:16]}"
    return f"Fetched {payload.symbol} {payload.timeframe} from {payload.source}, {period}: {_merged(payload)} bars."


def _actions_imported(payload: p.CorporateActionsImported) -> str:
    named = ", ".join(payload.symbols[:5]) + (f" and {len(payload.symbols) - 5:,} more" if len(payload.symbols) > 5 else "")
    return f"Stored splits and dividends of {named}: {_merged(payload)}."


def _merged(payload: p.BarsImported | p.BarsDownloaded | p.CorporateActionsImported) -> str:
    counts = ((payload.added, "new"), (payload.identical, "the same"), (payload.changed, "changed"))
    return ", ".join(f"{count:,} {name}" for count, name in counts if count) or "no"


def _holdings(positions: Iterable[tuple[str, Decimal]]) -> str:
    return ", ".join(f"{plain(qty)} {symbol}" for symbol, qty in positions) or "nothing"


def _carried_out(e: live.SwitchCarriedOut) -> str:
    done = f"{e.cancelled:,} orders cancelled, {e.closed:,} positions closed."
    return f"Kill switch carried out at {e.account}: {done}" + (f" Left: {e.left}" if e.left else "")


HEALED: Final = {
    "book": "It is booked now.",
    "fold": "It is taken over.",
    "close": "It is closed here.",
    "cancel": "It is cancelled at the broker.",
    "adopt": "It is counted as somebody else's.",
    "wait": "It is looked at again.",
    "stop": "The runs concerned are stopped; `weaver reconcile --adopt` takes it as the broker has it.",
    "accept": "It is taken as the broker has it.",
}
"""What was done about a difference, by its word."""

_SAY: Final[Mapping[type[Payload], Callable[[Any, FindOrder], str]]] = {
    p.RunCreated: lambda e, _: _created(e.config),
    p.RunStarted: lambda e, _: f"Started: {e.bars_total:,} bars to go." if e.bars_total else "Started: it goes on in real time.",
    p.RunResumed: lambda e, _: "It goes on, with its own positions and cash.",
    p.StrategyStateSaved: lambda e, _: "The strategy's state is kept.",
    p.RunCompleted: lambda e, _: f"Completed {e.bars:,} bars in {e.elapsed_s:.2f} s; equity {float(e.end_equity):,.2f}.",
    p.RunStopRequested: lambda e, _: "It is asked to stop, from another window or terminal.",
    p.RunStopped: lambda e, _: f"Stopped after {e.bars:,} bars: {e.reason}",
    p.RunError: lambda e, _: f"Failed: {e.error}",
    p.RunInterrupted: lambda e, _: f"Was {e.was} when the program ended; start it again to get a result.",
    p.RunOffered: lambda e, _: (
        f"The desk {e.desk} lets the desk {e.to} take it over." if e.to else f"The desk {e.desk} keeps it: the offer is taken back."
    ),
    p.RunTakenOver: lambda e, _: f"The desk {e.desk} takes it over" + (f" from the desk {e.was_at}." if e.was_at else "."),
    p.RunDeleted: lambda e, _: "Run deleted, with its orders, fills and result.",
    p.BarsImported: lambda e, _: _imported(e),
    p.BarsDownloaded: lambda e, _: _downloaded(e),
    p.BarsDeleted: lambda e, _: f"Deleted the bars of {e.symbol} {e.timeframe} from {e.source}.",
    p.BarsSealed: lambda e, _: f"Sealed the {e.bars:,} {e.timeframe} bars of {e.symbol} from {e.source}, {e.sha256[:8]}.",
    p.BarsUnsealed: lambda e, _: f"Unsealed the {e.timeframe} bars of {e.symbol} from {e.source}.",
    p.CorporateActionsImported: lambda e, _: _actions_imported(e),
    p.CorporateActionsDeleted: lambda e, _: f"Deleted the splits and dividends of {e.symbol}: {e.removed:,}.",
    p.StrategyNoted: lambda e, _: e.text,
    p.PlaceRequest: lambda e, _: f"Decided to {request_words(e.request)}" + (f": {e.request.note}" if e.request.note else "."),
    p.CancelRequest: lambda e, find: f"Decided to cancel. {_order(e.order_id, find)}.",
    p.OrderCreated: lambda e, _: f"Order {short_id(e.order.id)} created: {request_words(e.order.request)}.",
    p.OrderAccepted: lambda e, find: f"{_order(e.order_id, find)} accepted.",
    p.OrderFilled: _fill,
    p.OrderPartiallyFilled: _fill,
    p.OrderCancelled: lambda e, find: f"{_order(e.order_id, find)} cancelled: {e.reason}",
    p.OrderCompleted: lambda e, find: f"{_order(e.order_id, find)} is filled: nothing more belongs to it.",
    p.OrderExpired: lambda e, find: f"{_order(e.order_id, find)} expired: {e.reason}",
    p.ReplaceRequest: _replaced,
    p.OrderReplaced: lambda e, _: f"Order {short_id(e.order_id)} is now: {request_words(e.request)}. {e.reason}",
    p.OrderReplaceRefused: lambda e, find: f"{_order(e.order_id, find)} stays as it was: {e.reason}",
    p.MarginCall: lambda e, _: (
        f"Margin call: equity {plain(e.equity)} is below the {plain(e.required)} that positions of {plain(e.exposure)} need. "
        "All positions are closed at their next opens."
    ),
    p.InterestCharged: lambda e, _: _interest(e),
    p.SplitApplied: lambda e, _: f"Split of {e.symbol}, {ratio_words(e.ratio)}: {plain(e.qty_before)} became {plain(e.qty)}"
    + (f" and {plain(e.cash)} of cash." if e.cash else "."),
    p.DividendPaid: lambda e, _: _dividend(e),
    p.OrderRejected: lambda e, find: f"{_order(e.order_id, find)} rejected: {e.reason}",
    p.OrderSubmitted: lambda e, find: f"{_order(e.order_id, find)} sent to {e.account}.",
    p.OrderOutcomeUnknown: lambda e, find: f"{_order(e.order_id, find)} was sent and no answer came; it is looked up. {e.reason}",
    p.OrderCancelAsked: lambda e, find: f"The broker was asked to cancel. {_order(e.order_id, find)}.",
    p.OrderCancelRefused: lambda e, find: f"{_order(e.order_id, find)} is not cancelled: {e.reason}",
    live.OrdersLeftTogether: lambda e, find: (
        f"{_order(e.order_id, find)} and {' and '.join(short_id(each) for each in e.others)} leave as one order; the broker minds them."
    ),
    live.OrderChangeSent: lambda e, find: f"The broker is asked for a change. {_order(e.order_id, find)}.",
    live.OrderAskedByHand: lambda e, find: f"Asked by hand to {e.what}. {_order(e.order_id, find)}.",
    live.NotReversed: lambda e, _: f"{e.symbol} was not turned around. {e.reason} The order to {e.side} {plain(e.qty)} that was to"
    " follow is not sent; place it if you still want it.",
    live.ExitsOwed: lambda e, find: f"{_order(e.order_ids[0], find)} makes way, so that {plain(e.closing_qty)} {e.symbol} can be closed;"
    " what is left gets its exits again.",
    live.ExitsOwedNoMore: lambda e, _: f"{e.symbol}: {e.reason}",
    live.LeftBare: lambda e, _: f"{plain(e.qty)} {e.symbol} stand without the exits that they had. {e.reason}",
    live.OrderAdopted: lambda e, _: f"{e.account} has an order that is not ours: {e.side} {e.symbol}, {e.status}. It is left alone.",
    live.MarketClosed: lambda e, _: f"The market is closed; it opens {iso(e.opens_ns)}. The run waits.",
    live.FaultsDeclared: lambda e, _: e.words,
    live.StreamChanged: lambda e, _: f"{e.account}: the line for {e.stream} is {e.state}." + (f" {e.said}" if e.said else ""),
    live.AccountAdopted: lambda e, _: f"{e.account} is connected for the first time and holds {_holdings(e.positions)}.",
    live.OutsideFilled: lambda e, _: f"{e.account}: somebody else's order made {plain(e.qty)} {e.symbol} at {plain(e.price)}.",
    live.EntryTaken: lambda e, _: _entry(e),
    live.Differed: lambda e, _: f"{e.account}: {e.reason} {HEALED.get(e.healing, '')}".rstrip(),
    live.ComparisonFailed: lambda e, _: (
        f"{e.account} could not be compared with its broker, by a bug in the program: {e.reason} Orders that open something are refused"
        " until it can; it is tried again."
        if e.reason
        else f"{e.account} was compared with its broker again; orders may open."
    ),
    live.Reconciled: lambda e, _: f"{e.account}: compared with the broker up to {iso(e.until_ns)}.",
    live.BarsPassed: lambda e, _: _passed(e),
    live.MinuteLate: lambda e, _: f"The minute of {e.symbol} from {iso(e.start_ns)} came too late, and is left out.",
    live.DifferenceAccepted: lambda e, _: (
        f"{e.account}: {plain(e.qty)} {e.symbol}{'' if e.order_id is None else ' of an order'} are taken as the broker has them: {e.reason}"
    ),
    live.CoinFee: lambda e, _: f"{e.account}: {plain(abs(e.qty))} {e.symbol} {'kept as a fee' if e.qty > 0 else 'of a fee given back'}.",
    live.RiskApproved: lambda e, find: f"{_order(e.order_id, find)} passes the risk rules.",
    p.ClockLate: lambda e, _: f"The decision of {iso(e.due_ns)} came {e.late_ms:,.0f} ms late.",
    live.RiskRefused: lambda e, find: f"{_order(e.order_id, find)} is not sent: rule {e.rule} of the {e.scope}, {e.limit}"
    + (f"; it is {e.figure}." if e.figure else "."),
    live.Armed: lambda e, _: f"{e.account} is armed at {e.desk}: orders may leave for real money.",
    live.SwitchThrown: lambda e, _: f"Kill switch: {e.level.replace('_', ' ')}. {e.reason}",
    live.SwitchCarriedOut: lambda e, _: _carried_out(e),
    live.SwitchUnreached: lambda e, _: (
        f"Kill switch not carried out at {e.account}: {e.reason} It holds, and is carried out when the account is opened."
    ),
    live.LossesUnjudged: lambda e, _: (
        f"The limits on losses are not watched: no price of {', '.join(e.symbols)}, which is held, is known."
        " Until one comes, orders that open something are refused."
        if e.symbols
        else "Every position has a price: the limits on losses are watched again."
    ),
    live.EquityMarked: lambda e, _: (f"{e.account}: losses" if e.account else "Losses")
    + f" are counted from {plain(e.peak)}, and those of the day from {plain(e.day_start)}.",
    p.StoreAwaited: lambda e, _: f"What is to be stored waits for the database, and is done when it is back. {e.reason}",
    p.StoreBack: lambda e, _: "The database is back; what waited for it is done.",
    p.SubscriberFailed: lambda e, _: f"A part of the program ({e.owner}) failed at {e.event_type}: {e.error}",
}  # fmt: skip

_LEVELS: Final[Mapping[type[Payload], Level]] = {
    p.RunCompleted: Level.GOOD,
    p.RunStopped: Level.WARNING,
    p.RunError: Level.ERROR,
    p.RunInterrupted: Level.WARNING,
    p.RunOffered: Level.WARNING,
    p.RunTakenOver: Level.WARNING,
    p.OrderRejected: Level.WARNING,
    live.NotReversed: Level.WARNING,
    live.LeftBare: Level.ERROR,
    p.OrderExpired: Level.WARNING,
    p.MarginCall: Level.WARNING,
    p.OrderOutcomeUnknown: Level.WARNING,
    p.OrderCancelRefused: Level.WARNING,
    live.OrderAdopted: Level.WARNING,
    live.FaultsDeclared: Level.WARNING,
    live.ComparisonFailed: Level.ERROR,
    live.Differed: Level.WARNING,
    live.RiskRefused: Level.WARNING,
    p.ClockLate: Level.WARNING,
    live.BarsPassed: Level.WARNING,
    live.MinuteLate: Level.WARNING,
    live.Armed: Level.WARNING,
    live.LossesUnjudged: Level.WARNING,
    live.SwitchThrown: Level.WARNING,
    p.StoreAwaited: Level.WARNING,
    p.SubscriberFailed: Level.ERROR,
}


def words(event: Envelope, find_order: FindOrder) -> str:
    """Return what an event says, one sentence; a type without a sentence of its own is named."""
    say = _SAY.get(type(event.payload))
    return say(event.payload, find_order) if say else event.type


def level_of(event: Envelope) -> Level:
    """Return how much an event asks to be looked at."""
    payload = event.payload
    if isinstance(payload, live.EntryTaken) and not payload.is_booked:
        return Level.WARNING
    is_over = (isinstance(payload, live.ComparisonFailed) and not payload.reason) or (
        isinstance(payload, live.LossesUnjudged) and not payload.symbols
    )
    return Level.INFO if is_over else _LEVELS.get(type(payload), Level.INFO)
