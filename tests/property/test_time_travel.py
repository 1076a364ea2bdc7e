"""A run at any of its events: going on from a snapshot gives what folding from the start gives."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.events.envelope import Envelope
from core.events.payloads import DividendPaid, InterestCharged, OrderReplaced, RunCreated, SplitApplied
from core.model.money import ZERO
from core.model.order import OrderRequest, OrderSide
from core.model.round_trips import round_trips
from core.views.run_at import RunFold, RunHistory
from tests.unit.views.events import CONFIG, Events

SYMBOLS = st.sampled_from(["BTC/USD", "SPY"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "accept", "part", "fill", "cancel", "reject", "replace", "split", "dividend", "interest", "elsewhere"]),
        st.integers(0, 8),
        st.integers(1, 9),
        st.integers(90, 110),
        SYMBOLS,
    ),
    max_size=80,
)


def story(steps: list[tuple[str, int, int, int, str]]) -> list[Envelope]:
    """Events in any order the types allow: what they say of an order need not be legal, only about an order that exists."""
    events, made, filled = Events(), list[str](), dict[str, int]()
    told = [events.wrap(RunCreated(config=CONFIG))]
    for what, which, qty, price, symbol in steps:
        name = made[which % len(made)] if made else ""
        payload: Any = None
        if what == "order" or not made:
            made.append(f"o{len(made)}")
            told.append(events.order(made[-1], OrderSide.BUY if which % 2 else OrderSide.SELL, str(qty), symbol))
        elif what == "accept":
            told.append(events.accepted(name))
        elif what in {"part", "fill"}:
            filled[name] = filled.get(name, 0) + qty
            tell = events.part if what == "part" else events.filled
            told.append(tell(name, str(qty), str(price), str(filled[name])))
        elif what == "cancel":
            told.append(events.cancelled(name))
        elif what == "reject":
            told.append(events.rejected(name))
        elif what == "replace":
            payload = OrderReplaced(
                order_id=name, request=OrderRequest(symbol=symbol, side=OrderSide.BUY, qty=Decimal(qty)), reason="asked"
            )
        elif what == "split":
            payload = SplitApplied(symbol=symbol, ratio=Decimal(2), qty_before=Decimal(qty), qty=Decimal(2 * qty), cash=Decimal("0.5"))
        elif what == "dividend":
            payload = DividendPaid(symbol=symbol, per_share=Decimal("0.1"), qty=Decimal(qty), cash=Decimal(qty) / 10)
        elif what == "interest":
            payload = InterestCharged(amount=Decimal(qty) / 100)
        else:
            events.order("of another run", symbol=symbol)  # takes a number of the log
        if payload is not None:
            told.append(events.wrap(payload))
    return told


def folded(events: list[Envelope]) -> RunFold:
    fold = RunFold()
    for event in events:
        fold.fold(event)
    return fold


@given(STEPS, st.integers(1, 12))
def test_from_a_snapshot_and_from_the_start_are_the_same_at_every_event(steps: list[tuple[str, int, int, int, str]], every: int) -> None:
    events = story(steps)
    history = RunHistory(every)
    history.extend(events)
    last = events[-1].seq
    for seq in range(1, last + 2):
        from_start = folded([event for event in events if event.seq <= seq])
        fold = history.before(seq)
        assert fold.seq <= seq
        assert from_start.events - fold.events < every
        for event in events:
            if fold.seq < event.seq <= seq:
                fold.fold(event)
        assert fold.view() == from_start.view()


@given(STEPS, st.integers(1, 7), st.lists(st.integers(1, 9), max_size=30))
def test_how_the_events_come_in_changes_nothing(steps: list[tuple[str, int, int, int, str]], every: int, parts: list[int]) -> None:
    events = story(steps)
    whole, bit_by_bit = RunHistory(every), RunHistory(every)
    whole.extend(events)
    rest = list(events)
    for part in [*parts, len(events)]:
        bit_by_bit.extend(rest[:part])
        rest = rest[part:]
    for seq in range(1, events[-1].seq + 1):
        one, other = whole.before(seq), bit_by_bit.before(seq)
        assert (one.seq, one.orders, one.fills, one.positions, one.account) == (
            other.seq,
            other.orders,
            other.fills,
            other.positions,
            other.account,
        )


@given(STEPS)
def test_looking_back_leaves_the_present_as_it_was(steps: list[tuple[str, int, int, int, str]]) -> None:
    events = story(steps)
    history = RunHistory(3)
    history.extend(events[:10])
    for event in events[:10]:
        history.before(event.seq).fold(events[-1]) if events[-1].type.startswith("account.") else None
    history.extend(events[10:])
    fold = history.before(events[-1].seq)
    for event in events:
        if event.seq > fold.seq:
            fold.fold(event)
    assert fold.view() == folded(events).view()


@given(STEPS)
def test_trades_are_the_round_trips_of_the_fills(steps: list[tuple[str, int, int, int, str]]) -> None:
    events = story([step for step in steps if step[0] != "split"])
    view = folded(events).view()
    assert list(view.trades) == round_trips(view.fills)


@given(STEPS)
def test_money_is_conserved(steps: list[tuple[str, int, int, int, str]]) -> None:
    events = story(steps)
    view = folded(events).view()
    traded = sum((-fill.price * fill.qty * fill.side.sign - fill.fee for fill in view.fills), ZERO)
    split = sum((event.payload.cash for event in events if isinstance(event.payload, SplitApplied)), ZERO)
    account = view.account
    assert account.cash == CONFIG.cash + traded + split + account.dividends - account.interest
