"""What a run that was interrupted left behind, so that it can go on: its orders, its names for them, and its strategy's state."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from core.events.payloads import PlaceRequest, StrategyStateSaved
from core.model.order import Order, OrderRequest
from core.ports import EventLog, Store
from core.runs.exits import exits_of, read_fates

_COUNTED: Final = re.compile(r".*-(\d+)")


class Past(NamedTuple):
    """What is stored of a run. `refs`: the strategy's names of its orders, exits included, with their ids; `fates`: see `read_fates`."""

    orders: Sequence[Order]
    refs: Mapping[str, str]
    fates: Mapping[str, OrderRequest | None]
    order_count: int
    """How many orders were made: the next one's number is higher."""
    event_count: int
    """The same of the run's own events."""
    state: dict[str, Any] | None


async def read_past(run_id: str, store: Store) -> Past:
    """Return what is stored of a run, to go on with it."""
    orders = await store.runs.orders(run_id)
    names = await _names(store.log, run_id)
    known = {order.id for order in orders}
    refs = {name: "" for order_id, name in names.items() if name is not None and order_id not in known}
    numbers = [0, *map(_number, names)]  # also of what waited for exits to make way, and was never made
    for order in orders:
        number = _number(order.id)
        name = names.get(order.id) or (f"#{number}" if number else None)
        if name is None or order.parent_id is not None:
            continue  # by hand or by the kill switch: the strategy has no name for it
        refs[name] = order.id
        for leg, role in zip(exits_of(order, 0), _roles(order), strict=True):
            refs[f"{name}.{role}"] = leg.id
            numbers.append(_number(leg.id))
        numbers.append(number)
    return Past(
        orders=orders,
        refs=refs,
        fates=await read_fates(store.log, run_id),
        order_count=max(numbers),
        event_count=await _event_count(store.log, run_id),
        state=await _state(store.log, run_id),
    )


def _roles(order: Order) -> list[str]:
    legs = (("stop", order.request.stop_loss), ("target", order.request.target))
    return [role for role, leg in legs if leg is not None]


def _number(order_id: str) -> int:
    counted = _COUNTED.fullmatch(order_id)
    return 0 if counted is None else int(counted[1])


async def _names(log: EventLog, run_id: str) -> dict[str, str | None]:
    """Return the strategy's names of its orders, by id."""
    names: dict[str, str | None] = {}
    after = 0
    while page := await log.read(after_seq=after, run_id=run_id, pattern=PlaceRequest.wire):
        after = page[-1].seq
        names |= {event.payload.order_id: event.payload.ref for event in page if isinstance(event.payload, PlaceRequest)}
    return names


async def _state(log: EventLog, run_id: str) -> dict[str, Any] | None:
    for event in await log.read_back(run_id=run_id, pattern=StrategyStateSaved.wire, limit=1):
        if isinstance(event.payload, StrategyStateSaved):
            state: dict[str, Any] = msgspec.json.decode(event.payload.state)
            return state
    return None


async def _event_count(log: EventLog, run_id: str) -> int:
    """Return the number of the newest event of the run's own; they are numbered in the order in which they are stored."""
    own, before = re.compile(re.escape(run_id) + r"\.(\d+)"), None
    while page := await log.read_back(before_seq=before, run_id=run_id):
        for event in reversed(page):
            numbered = own.fullmatch(event.id)
            if numbered is not None:
                return int(numbered[1])
        before = page[0].seq
    return 0
