"""A chain of causes as steps for a person: what each is called, and its figures in a sentence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.events import live_payloads as live
from core.events import payloads as p
from core.events.envelope import Envelope, Payload
from core.model.instants import iso
from core.model.money import plain
from core.model.order import Order
from core.views.words import FindOrder, request_words, short_id, words


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainStep:
    """One step. `seq` is None for a tick that was not stored. `time_ns` UTC."""

    title: str
    time_ns: int
    sentence: str
    seq: int | None
    type: str


NOT_STORED: Final = "its tick and window are stored by runs with a trace"


def chain_steps(chain: Sequence[Envelope]) -> list[ChainStep]:
    """Return the steps of a chain, oldest first; a tick that a run without a trace did not store is told from its id."""
    orders = {event.payload.order.id: event.payload.order for event in chain if isinstance(event.payload, p.OrderCreated)}
    known = {event.id for event in chain}
    steps: list[ChainStep] = []
    told: set[str] = set()
    for event in chain:
        cause = event.causation_id
        if cause is not None and cause not in known and cause not in told:
            told.add(cause)
            tick = _untold_tick(cause, event.run_id)
            if tick is not None:
                steps.append(tick)
        steps.append(
            ChainStep(
                title=_title(event, orders), time_ns=event.ts, sentence=_sentence(event, orders.get), seq=event.seq or None, type=event.type
            )
        )
    return steps


def _untold_tick(cause: str, run_id: str | None) -> ChainStep | None:
    prefix = f"{run_id}@"
    instant = cause.removeprefix(prefix)
    if not cause.startswith(prefix) or not instant.lstrip("-").isdigit():
        return None
    time_ns = int(instant)
    return ChainStep(
        title="Tick", time_ns=time_ns, sentence=f"A decision at {iso(time_ns)}; {NOT_STORED}.", seq=None, type=p.ClockTick.wire
    )


_TITLES: Final[Mapping[type[Payload], str]] = {
    p.ClockTick: "Tick",
    p.FetchWindow: "Asked for bars",
    p.BacktestFetchWindow: "Routed",
    p.WindowReady: "Window",
    p.PlaceRequest: "Decision",
    p.ReplaceRequest: "Decision",
    p.CancelRequest: "Decision",
    p.StrategyNoted: "Note",
    p.BacktestPlaceOrder: "Routed",
    p.BacktestReplaceOrder: "Routed",
    p.BacktestCancelOrder: "Routed",
    p.OrderCreated: "Order",
    p.OrderAccepted: "Accepted",
    p.OrderReplaced: "Changed",
    p.OrderReplaceRefused: "Not changed",
    p.OrderPartiallyFilled: "Part filled",
    p.OrderFilled: "Filled",
    p.OrderCancelled: "Cancelled",
    p.OrderCompleted: "Filled",
    p.OrderExpired: "Expired",
    p.OrderRejected: "Rejected",
    p.MarginCall: "Margin call",
    live.OrderAskedByHand: "By hand",
    live.ExitsOwed: "Makes way",
    live.OrderChangeSent: "Change sent",
    live.OrdersLeftTogether: "As one order",
}


def _title(event: Envelope, orders: Mapping[str, Order]) -> str:
    title = _TITLES.get(type(event.payload), event.type)
    if isinstance(event.payload, p.OrderCreated) and event.payload.order.parent_id is not None:
        return "Exit leg"
    return title


def _sentence(event: Envelope, find: FindOrder) -> str:
    say = _SAY.get(type(event.payload))
    return say(event.payload, find) if say is not None else words(event, find)


def _window(e: p.WindowReady) -> str:
    if not e.bars or e.first_ns is None or e.last_ns is None or e.last_close is None:
        return f"There are no {e.timeframe} bars of {e.symbol} yet."
    count = f"{e.bars:,} {e.timeframe} bar{'' if e.bars == 1 else 's'} of {e.symbol}"
    return f"{count} from {iso(e.first_ns)} to {iso(e.last_ns)}; the last close is {e.last_close:g}."


def _decision(e: p.PlaceRequest) -> str:
    size = f", asked for as {e.size}" if e.size else ""
    note = f" Its note: “{e.request.note}”." if e.request.note else ""
    seen = (
        f" The newest bar was that of {iso(e.bar_start_ns)}, its close {e.close:g}."
        if e.bar_start_ns is not None and e.close is not None
        else ""
    )
    return f"Decided to {request_words(e.request)}{size}.{note}{seen}"


def _fill(e: p.OrderFilled | p.OrderPartiallyFilled, find: FindOrder) -> str:
    order = find(e.order_id)
    done = "Filled" if order is None else ("Bought" if order.request.side.sign > 0 else "Sold")
    symbol = "" if order is None else f" {order.request.symbol}"
    left = (
        f"; {plain(e.filled_qty)} of {plain(order.request.qty)} so far"
        if isinstance(e, p.OrderPartiallyFilled) and order is not None
        else ""
    )
    figures = [f"fee {plain(e.fee)}"]
    if e.slippage:
        figures.append(f"slippage {plain(e.slippage)}")
    why = {"margin_call": " It closes a position after the margin call.", "end_of_run": " The run ended: what was held was closed."}
    path = " Another path inside the bar would have filled it otherwise." if e.path_dependent else ""
    reason = why.get(e.reason or "", f" {e.reason}" if e.reason else "")
    return f"{done} {plain(e.qty)}{symbol} at {plain(e.price)} in the bar of {iso(e.time_ns)}, {', '.join(figures)}{left}.{reason}{path}"


def _created(e: p.OrderCreated) -> str:
    order = e.order
    terms = f"{request_words(order.request)}, {order.time_in_force}"
    if order.parent_id is not None:
        return f"Order {short_id(order.id)} waits for order {short_id(order.parent_id)} to fill: {terms}."
    return f"Order {short_id(order.id)} was made: {terms}."


def _accepted(e: p.OrderAccepted, find: FindOrder) -> str:
    order = find(e.order_id)
    if order is not None and order.parent_id is not None and order.account is not None:
        return f"The broker has order {short_id(e.order_id)}; it works once order {short_id(order.parent_id)} has filled."
    if order is not None and order.parent_id is not None:
        return f"Order {short_id(e.order_id)} works now, because order {short_id(order.parent_id)} has filled."
    return f"The venue works order {short_id(e.order_id)}."


_SAY: Final[Mapping[type[Payload], Callable[[Any, FindOrder], str]]] = {
    p.ClockTick: lambda e, _: f"A bar of {', '.join(e.symbols) or 'a larger timeframe'} ended at {iso(e.time_ns)}.",
    p.FetchWindow: lambda e, _: f"The strategy asked for the last {e.bars:,} bar{'' if e.bars == 1 else 's'} of {e.symbol}.",
    p.BacktestFetchWindow: lambda e, _: f"Passed to the stored bars of {e.symbol}.",
    p.WindowReady: lambda e, _: _window(e),
    p.PlaceRequest: lambda e, _: _decision(e),
    p.BacktestPlaceOrder: lambda e, _: f"Order {short_id(e.order_id)} passed to the simulator.",
    p.BacktestReplaceOrder: lambda e, _: f"The change of order {short_id(e.order_id)} passed to the simulator.",
    p.BacktestCancelOrder: lambda e, _: f"The cancel of order {short_id(e.order_id)} passed to the simulator.",
    p.OrderCreated: lambda e, _: _created(e),
    p.OrderAccepted: _accepted,
    p.OrderFilled: _fill,
    p.OrderPartiallyFilled: _fill,
}
