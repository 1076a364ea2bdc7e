"""A run goes from one desk to another, with its account at a real broker's HTTP: by consent, or because its desk is gone."""

from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import HeldElsewhere, InputError, NotArmed, RunError, UnknownName
from core.events.payloads import RunOffered, RunTakenOver
from core.model.broker import AccountName
from core.model.desk import LeaseKind
from core.model.order import OrderStatus
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.runs.leases import LeaseKeeper
from tests.integration.runs.test_account_lease import KEY, two_desks
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.broker_desk import LIVE, BrokerDesk

REST = '''
from core.strategy.api import Bar, BarStrategy


class Rest(BarStrategy):
    """Buys once, and leaves an order far below the market for ever."""

    id = "rest"
    warmup = 0

    def on_bar(self, bar: Bar) -> None:
        if not self.held():
            self.buy(0.5)
            self.buy(0.25, limit=1000)
'''


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    (tmp_path / "rest.py").write_text(REST)
    return str(tmp_path / "desk.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


async def begun(desk: BrokerDesk) -> Run:
    """A run that holds a position and has an order at the broker."""
    run = await desk.runs.start((await desk.create(strategy_id="rest")).id)
    await desk.until("orders.Filled")
    await desk.until("orders.Accepted", 2)
    return run


async def met(*desks: BrokerDesk) -> None:
    """Let desks be known to each other."""
    for desk in desks:
        await desk.runs._leases.renew()


async def working_at_broker(desk: BrokerDesk, run: Run) -> list[str]:
    orders = await desk.store.runs.orders(run.id)
    mine = {order.id for order in orders}
    open_ones = desk.server.do(
        lambda: [one["client_order_id"] for one in desk.server.book.orders.values() if one["status"] in {"new", "accepted"}]
    )
    return [name for name in open_ones if name in mine]


async def test_a_run_is_offered_taken_over_with_its_account_and_goes_on_at_the_other_desk(
    url: str, tmp_path: Path, allow_log: AllowLog
) -> None:
    allow_log("Another desk has taken over run")
    async with two_desks(url, tmp_path) as (ann, ben):
        await met(ann, ben)
        run = await begun(ann)
        to = await ann.runs.offer(run.id, "ben")
        assert to is not None
        assert to.desk.name == "Ben"
        sent, cancelled = ann.server.requests["POST /v2/orders"], ann.server.requests["DELETE /v2/orders/{id}"]
        taken = await ben.runs.take_over(run.id)
        assert taken.status is RunStatus.INTERRUPTED
        assert taken.error == (
            "The desk Ben took it over from the desk Ann and compared it with the broker: 1 of its orders works on. "
            "Let it go on, or close it."
        )
        assert await ann.over(run) == taken
        # Its order works on: it goes with the run, and nobody sent or took back anything.
        assert len(await working_at_broker(ben, run)) == 1
        assert (ann.server.requests["POST /v2/orders"], ann.server.requests["DELETE /v2/orders/{id}"]) == (sent, cancelled)
        told = [event.payload for event in await ben.store.log.read(run_id=run.id, pattern="run.*")][-3:]
        assert told[:2] == [RunOffered(desk="Ann", to="Ben"), RunTakenOver(desk="Ben", was_at="Ann")]
        going = await ben.runs.resume(run.id)
        assert going.desk == "Ben"
        (account,) = await ben.store.leases.held(LeaseKind.ACCOUNT)
        assert (account.name, account.desk.name) == (KEY, "Ben")
        await ben.until("run.Resumed")
        over = await ben.runs.stop(run.id)
        assert over.status is RunStatus.STOPPED
        orders = await ben.store.runs.orders(run.id)
        assert [order.status for order in orders] == [OrderStatus.FILLED, OrderStatus.CANCELLED]
        assert len(await ben.store.runs.fills(run.id)) == 1
        held = ann.server.do(lambda: {one["symbol"]: Decimal(one["qty"]) for one in ann.server.book.positions()})
        assert list(held) == ["BTCUSD"]
        assert ann.bugs == ben.bugs == []


async def test_a_live_run_is_taken_over_by_who_types_the_number_of_its_account(url: str, tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("Another desk has taken over run")
    async with two_desks(url, tmp_path) as (ann, ben):
        await met(ann, ben)
        ann.server.number = LIVE
        run = await ann.runs.start((await ann.create(RunMode.LIVE, strategy_id="rest")).id, LIVE)
        await ann.until("orders.Accepted", 2)
        with pytest.raises(HeldElsewhere):  # what cannot be done asks for nothing
            await ben.runs.take_over(run.id, confirm="")
        await ann.runs.offer(run.id, "Ben")
        with pytest.raises(NotArmed, match=r"This would trade real money\.") as refused:
            await ben.runs.take_over(run.id, confirm="")
        assert refused.value.todo == f"Type the account's name to confirm it: {LIVE}"
        with pytest.raises(NotArmed, match="'PA3FAKE00001' is not the name of the live account"):
            await ben.runs.take_over(run.id, confirm="PA3FAKE00001")
        assert (await ann.runs.get(run.id)).status is RunStatus.RUNNING
        assert ann.runs.is_here(await ann.runs.get(run.id))
        assert (await ben.runs.take_over(run.id, confirm=f" {LIVE} ")).status is RunStatus.INTERRUPTED


async def test_without_consent_it_stays_and_says_how_to_ask(url: str, tmp_path: Path) -> None:
    async with two_desks(url, tmp_path) as (ann, ben):
        await met(ann, ben)
        run = await begun(ann)
        with pytest.raises(HeldElsewhere, match=f"desk Ann. It can be offered there: weaver runs offer {run.id} --to 'Ben'"):
            await ben.runs.take_over(run.id)
        with pytest.raises(HeldElsewhere, match=r"desk Ann. Offer it there\."):
            await ben.runs.offer(run.id, "Ben")
        with pytest.raises(UnknownName, match=r"no desk named 'Benn'\. Did you mean Ben"):
            await ann.runs.offer(run.id, "Benn")
        await ann.runs.offer(run.id, "Ben")
        await ann.runs.offer(run.id, None)  # she has thought better of it
        with pytest.raises(HeldElsewhere):
            await ben.runs.take_over(run.id)
        assert (await ann.runs.get(run.id)).status is RunStatus.RUNNING
        await ann.runs.stop(run.id)
        with pytest.raises(RunError, match="is stopped; only one that goes on is offered"):
            await ann.runs.offer(run.id, "Ben")
        with pytest.raises(RunError, match="is stopped; there is nothing to take over"):
            await ben.runs.take_over(run.id)


async def test_an_account_that_something_else_trades_on_stays_and_so_does_the_run(url: str, tmp_path: Path) -> None:
    async with two_desks(url, tmp_path) as (ann, ben):
        await met(ann, ben)
        run = await begun(ann)
        other = await ann.runs.start((await ann.create(timeframe="1h")).id)
        stays = "The paper account of alpaca stays at the desk Ann: run {} \\(turn\\) trades on it too. An account has one desk"
        with pytest.raises(RunError, match=stays.format(other.id)):
            await ann.runs.offer(run.id, "Ben")
        await ann.runs.stop(other.id)
        await ann.runs.offer(run.id, "Ben")
        # Offered, and then a person opened the account.
        await ann.runs.connect_by_hand("alpaca", AccountName.PAPER, "")
        with pytest.raises(RunError, match="stays at the desk Ann: it is open by hand there too"):
            await ben.runs.take_over(run.id)
        assert (await ann.runs.get(run.id)).status is RunStatus.RUNNING
        assert len(await working_at_broker(ann, run)) == 1


async def test_a_backtest_is_not_offered(url: str, tmp_path: Path) -> None:
    async with two_desks(url, tmp_path) as (ann, ben):
        await met(ann, ben)
        run = Run(id="b1", config=RunConfig(strategy_id="rest", symbols=("X/Y",), timeframe="1m"), status=RunStatus.PENDING, created_ns=1)
        async with ann.store.runs.begin() as work:
            work.put_run(run)
        with pytest.raises(InputError, match="Only a paper or live run goes from desk to desk"):
            await ann.runs.offer(run.id, "Ben")


async def test_what_the_old_desk_still_decides_is_not_sent(
    url: str, tmp_path: Path, allow_log: AllowLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_log("Another desk has taken over run")
    monkeypatch.setattr(LeaseKeeper, "look", lambda _self: None)  # Ann is not told, and renews much later
    async with two_desks(url, tmp_path) as (ann, ben):
        await met(ann, ben)
        run = await ann.runs.start((await ann.create()).id)  # it places an order at each bar
        await ann.until("orders.Filled")
        await ann.runs.offer(run.id, "Ben")
        lease = await ben.store.leases.acquire(LeaseKind.RUN, run.id, 30.0)
        orders = {order.id for order in await ben.store.runs.orders(run.id)}
        # The account is Ann's still, and so the lease of the run alone refuses her next order.
        await ann.over(run)
        assert {order.id for order in await ben.store.runs.orders(run.id)} == orders
        at_broker = ann.server.do(lambda: {one["client_order_id"] for one in ann.server.book.orders.values()})
        assert at_broker <= orders
        assert (await ben.store.leases.held(LeaseKind.RUN))[0].epoch == lease.epoch
        assert ann.bugs == []


async def test_a_desk_that_is_gone_is_followed_after_its_lease(url: str, tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("Another desk has taken over run")
    async with two_desks(url, tmp_path) as (ann, ben):
        await met(ann, ben)
        run = await begun(ann)
        for kind in LeaseKind:
            for lease in await ann.store.leases.held(kind):
                await ann.store.leases.renew([lease], 0.0)  # as though she had not renewed for long
        sent = ann.server.requests["POST /v2/orders"]
        taken = await ben.runs.take_over(run.id)
        assert taken.status is RunStatus.INTERRUPTED
        assert (await ann.over(run)).status is RunStatus.INTERRUPTED
        closed = await ben.runs.close_interrupted(run.id, flatten=False)
        assert closed.status is RunStatus.STOPPED
        assert ann.server.requests["POST /v2/orders"] == sent
        assert await working_at_broker(ben, run) == []
        assert len(await ben.store.runs.fills(run.id)) == 1
        assert ann.bugs == ben.bugs == []


async def test_orders_at_another_account_keep_it_where_it_is(url: str, tmp_path: Path) -> None:
    async with two_desks(url, tmp_path) as (ann, ben):
        await met(ann, ben)
        run = await begun(ann)
        await ann.runs.offer(run.id, "Ben")
        ann.server.number = "PA3ANOTHER01"
        with pytest.raises(RunError, match=f"are at the account {KEY}, and this desk's is alpaca:PA3ANOTHER01"):
            await ben.runs.take_over(run.id)
        ann.server.number = KEY.partition(":")[2]
        assert (await ann.runs.get(run.id)).status is RunStatus.RUNNING


async def test_a_run_whose_account_is_elsewhere_stays_interrupted_when_it_is_to_go_on(
    url: str, tmp_path: Path, allow_log: AllowLog
) -> None:
    allow_log("Another desk has taken over run")
    async with two_desks(url, tmp_path) as (ann, ben):
        await met(ann, ben)
        run = await begun(ann)
        await ann.runs.offer(run.id, "Ben")
        await ben.runs.take_over(run.id)
        await ann.over(run)
        async with ann.runs._desks.open("alpaca", AccountName.PAPER):
            with pytest.raises(HeldElsewhere, match="desk Ann"):
                await ben.runs.resume(run.id)
        assert (await ben.runs.get(run.id)).status is RunStatus.INTERRUPTED
