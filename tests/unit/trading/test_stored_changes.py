"""What the log has of the changes of an order, read back after a restart."""

from decimal import Decimal

import msgspec
import pytest

from core.clock.realtime import SystemClock
from core.events.codec import EventCodec
from core.events.envelope import Payload, envelope
from core.events.live_payloads import OrderChangeSent
from core.events.memory import MemoryEventLog
from core.events.payloads import OrderReplaced, OrderReplaceRefused
from core.model.order import RejectCode
from core.trading.history import _remember_changes
from core.trading.parts import Change
from tests.unit.trading.test_changes import order

D, CLOCK = Decimal, SystemClock()


def sent(number: int, qty: int) -> OrderChangeSent:
    return OrderChangeSent(order_id="run-1", client_order_id=f"run-1.r{number}", qty=D(qty))


def made(number: int | None, qty: int, filled: int | None = None) -> OrderReplaced:
    """A change that was made; without a number: a split."""
    request = msgspec.structs.replace(order().request, qty=D(qty))
    part_id = None if number is None else f"run-1.r{number}"
    return OrderReplaced(
        order_id="run-1", request=request, reason="", client_order_id=part_id, filled_qty=None if filled is None else D(filled)
    )


def refused(number: int) -> OrderReplaceRefused:
    return OrderReplaceRefused(order_id="run-1", code=RejectCode.NEVER_SENT, reason="", client_order_id=f"run-1.r{number}")


CASES: tuple[tuple[str, tuple[Payload, ...], tuple[Change, ...], int], ...] = (
    ("one is made", (sent(1, 8), made(1, 8)), (Change(qty=D(8)),), 1),
    ("one is refused", (sent(1, 8), refused(1)), (Change(qty=D(8), is_refused=True),), 0),
    ("one that was given up is made after all", (sent(1, 8), refused(1), made(1, 8)), (Change(qty=D(8)),), 1),
    ("a split comes after one that is made", (sent(1, 8), made(1, 8), made(None, 16, 0)), (Change(qty=D(16)),), 1),
    ("what it is over too much stays so", (sent(1, 8), made(1, 12), made(None, 24, 8)), (Change(qty=D(16)),), 1),
    (
        "one is sent after a split",
        (sent(1, 8), made(1, 8), made(None, 16, 0), sent(2, 20), made(2, 20)),
        (Change(qty=D(16)), Change(qty=D(20))),
        2,
    ),
)


@pytest.mark.parametrize(("told", "changes", "at"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_they_are_as_they_came_to_be(told: tuple[Payload, ...], changes: tuple[Change, ...], at: int) -> None:
    log = MemoryEventLog(now_ns=CLOCK.now_ns, monotonic_ns=CLOCK.monotonic_ns, codec=EventCodec())
    await log.append([envelope(one, id=f"{number}", ts=number, producer="trading", run_id="run") for number, one in enumerate(told)])
    found = (await _remember_changes(log))["run-1"]
    assert (tuple(found.changes), found.at) == (changes, at)
