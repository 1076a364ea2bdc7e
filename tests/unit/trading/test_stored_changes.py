"""What the log has of the changes of an order, read back after a restart."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from core.events.envelope import Payload, envelope
from core.events.live_payloads import OrderChangeSent
from core.events.payloads import OrderReplaced, OrderReplaceRefused
from core.model.account_snapshot import RunEnd
from core.model.order import RejectCode
from core.ports import RunTail
from core.trading.parts import Change
from core.trading.run_past import RunPast, read_sums, write_sums
from tests.unit.trading.test_changes import order
from tests.unit.trading.test_run_past import RUN

D = Decimal


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


def tail(told: Sequence[Payload], after: int = 0) -> RunTail:
    row = msgspec.structs.replace(order(), account="fake:FAKE")
    events = [
        msgspec.structs.replace(envelope(one, id=f"{number}", ts=number, producer="trading", run_id="run"), seq=number)
        for number, one in enumerate(told, after + 1)
    ]
    return RunTail([(1, row)], [], events, RunEnd(1, 0, after + len(told)))


@pytest.mark.parametrize(("told", "changes", "at"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_they_are_as_they_came_to_be(told: tuple[Payload, ...], changes: tuple[Change, ...], at: int) -> None:
    """From the start, and wherever between them they were folded before."""
    for before in range(len(told) + 1):
        past = RunPast(RUN, "fake:FAKE")
        past.take(tail(told[:before]))
        left = past.sum(past.kept(10**9))
        assert left is not None
        further = RunPast(RUN, "fake:FAKE", read_sums(write_sums([left]))["run"])
        news = tail(told[before:], before)
        assert further.follows(news)
        further.take(news)
        found = further.kept(None)["run-1"]
        assert (found.changes, found.at) == (changes, at)
