"""A run's past is gone on with only where that comes to what all of it comes to."""

from decimal import Decimal

import msgspec
import pytest

from core.errors import BugError
from core.events.envelope import Payload, envelope
from core.events.live_payloads import OrderChangeSent, OrdersLeftTogether
from core.events.payloads import OrderFilled, SplitApplied
from core.model.account_snapshot import RunEnd
from core.model.order import Fill, Order, OrderRequest, OrderSide, OrderStatus, TimeInForce
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.ports import RunTail
from core.trading.run_past import RunPast, RunSum, check_remembered, read_sums, write_sums

D = Decimal
ACCOUNT = "fake:FAKE"
CONFIG = RunConfig(strategy_id="s", symbols=("AAA",), timeframe="1m", mode=RunMode.PAPER, cash=D(1_000), broker="fake")
RUN = Run(id="run", config=CONFIG, status=RunStatus.STOPPED, created_ns=1)


def order(number: int, status: OrderStatus = OrderStatus.FILLED, **terms: object) -> tuple[int, Order]:
    request = OrderRequest(symbol="AAA", side=OrderSide.BUY, qty=D(10))
    made = Order(
        id=f"run-{number}", run_id="run", request=request, time_in_force=TimeInForce.DAY, status=status, created_ns=number,
        updated_ns=number, account=ACCOUNT,
    )  # fmt: skip
    return number, msgspec.structs.replace(made, **terms)


def fill(number: int, time_ns: int, price: int, side: OrderSide = OrderSide.BUY, of: int = 1) -> tuple[int, Fill]:
    return number, Fill(f"{ACCOUNT}/e{number}", "run", f"run-{of}", "AAA", side, D(10), D(price), D(0), D(0), time_ns)


def tail(orders: list[tuple[int, Order]], fills: list[tuple[int, Fill]], payloads: tuple[Payload, ...] = (), seq: int = 1) -> RunTail:
    events = [envelope(one, id=f"e{seq + at}", ts=seq + at, producer="test", run_id="run") for at, one in enumerate(payloads)]
    last_order, last_fill = max((number for number, _ in orders), default=0), max((number for number, _ in fills), default=0)
    return RunTail(orders, fills, events, RunEnd(last_order, last_fill, seq + len(payloads)))


def summed(first: RunTail, near_ns: int = 100) -> RunSum:
    past = RunPast(RUN, ACCOUNT)
    past.take(first)
    left = past.sum(past.kept(near_ns))
    assert left is not None
    again = read_sums(write_sums([left]))["run"]
    assert again == left
    return again


FIRST = tail([order(1), order(2)], [fill(1, 10, 100), fill(2, 30, 110, OrderSide.SELL, of=2)])


@pytest.mark.parametrize("time_ns", [30, 31])
def test_what_comes_after_is_taken(time_ns: int) -> None:
    news = tail([order(3)], [fill(3, time_ns, 90, of=3)])
    past = RunPast(RUN, ACCOUNT, summed(FIRST))
    assert past.follows(news)
    past.take(news)
    assert past.book.position("AAA").realised_pnl == D(100)
    assert past.book.cash == D(1_000) + 100 - 900


def test_what_was_executed_before_and_is_learnt_of_late_is_not_put_at_the_end() -> None:
    """In its place it makes the average cost of what was sold another."""
    assert not RunPast(RUN, ACCOUNT, summed(FIRST)).follows(tail([order(3)], [fill(3, 20, 90, of=3)]))


@pytest.mark.parametrize(("happened_ns", "follows"), [(29, False), (30, True), (40, True)])
def test_a_split_that_is_learnt_of_late_is_not_put_at_the_end(happened_ns: int, follows: bool) -> None:
    split = SplitApplied(symbol="AAA", ratio=D(2), qty_before=D(0), qty=D(0), time_ns=happened_ns)
    news = tail([*FIRST.orders], [*FIRST.fills], (split,))._replace(orders=[], fills=[])
    assert RunPast(RUN, ACCOUNT, summed(FIRST)).follows(news) is follows


def test_a_fill_of_the_instant_of_a_split_comes_before_it() -> None:
    split = SplitApplied(symbol="AAA", ratio=D(2), qty_before=D(0), qty=D(0), time_ns=40)
    before = summed(tail([*FIRST.orders], [*FIRST.fills], (split,)))
    assert not RunPast(RUN, ACCOUNT, before).follows(tail([order(3)], [fill(3, 40, 90, of=3)]))
    assert RunPast(RUN, ACCOUNT, before).follows(tail([order(3)], [fill(3, 41, 90, of=3)]))


def test_rows_of_another_account_or_that_are_gone_are_not_gone_on_with() -> None:
    before = summed(FIRST)
    assert not RunPast(RUN, ACCOUNT, before).follows(tail([order(3, account="fake:ANOTHER")], [fill(2, 30, 1)]))
    assert not RunPast(RUN, ACCOUNT, before).follows(tail([], [fill(2, 30, 1)]))
    assert not RunPast(RUN, ACCOUNT, before).follows(tail([order(2)], []))
    working = summed(tail([order(1, OrderStatus.ACCEPTED)], []))
    assert not RunPast(RUN, ACCOUNT, working).follows(tail([order(2)], []))


def test_a_run_on_two_accounts_is_kept_whole() -> None:
    past = RunPast(RUN, ACCOUNT)
    past.take(tail([order(1), order(2, account="fake:ANOTHER")], [fill(1, 10, 100), fill(2, 20, 100, of=2)]))
    assert past.book.held("AAA") == 10
    assert past.sum(past.kept(100)) is None


def test_a_run_of_another_account_has_no_book_until_it_trades_here() -> None:
    before = summed(tail([order(1, account="fake:ANOTHER")], [fill(1, 10, 100)]))
    past = RunPast(RUN, ACCOUNT, before)
    assert (before.book, past.has_orders) == (None, False)
    assert past.follows(tail([order(2, account="fake:ANOTHER")], [fill(1, 10, 100)]))
    assert not past.follows(tail([order(2)], [fill(1, 10, 100)]))


def test_kept_is_what_works_what_is_near_and_what_hangs_together_with_it() -> None:
    rows = [order(1), order(2), order(3, OrderStatus.ACCEPTED), order(4), order(5, parent_id="run-2"), order(6), order(100)]
    rows[4] = order(5, OrderStatus.ACCEPTED, parent_id="run-2")
    changed = OrderChangeSent(order_id="run-6", client_order_id="run-6.r1", qty=D(9))
    past = RunPast(RUN, ACCOUNT)
    past.take(tail(rows, [fill(1, 10, 100)], (OrdersLeftTogether(order_id="run-3", others=("run-4",)), changed)))
    assert set(past.kept(100)) == {"run-2", "run-3", "run-4", "run-5", "run-6", "run-100"}
    assert past.kept(100)["run-6"].changing == 1
    assert set(past.kept(None)) == {order.id for _, order in rows}
    left = past.sum(past.kept(100))
    assert left is not None
    assert (left.is_partial, left.together, set(left.changes)) == (True, (("run-3", "run-4"),), {"run-6"})


def test_a_past_is_not_made_of_what_may_be_archived() -> None:
    with pytest.raises(BugError, match="may have been archived"):
        check_remembered((OrderFilled.wire,))
