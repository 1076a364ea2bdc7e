"""A broker's account has one writer: two desks on one database, over a real broker's HTTP, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from core.errors import HeldElsewhere, UnknownName
from core.model.broker import AccountName
from core.model.desk import LeaseKind
from core.model.run import RunStatus
from tests.broker.bench import fake_broker
from tests.broker.market import Market
from tests.broker.shared_clock import SharedClock
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.broker_desk import START_NS, BrokerDesk, broker_desk

KEY = "alpaca:PA3FAKE00001"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "desk.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@asynccontextmanager
async def two_desks(url: str, folder: Path) -> AsyncIterator[tuple[BrokerDesk, BrokerDesk]]:
    with fake_broker() as server:
        clock = SharedClock.begin(folder / "clock", START_NS, 120)
        with Market(server, clock, {"BTC/USD": 42_000.0}, days=7).running():
            async with (
                broker_desk(url, folder, server, clock, name="Ann") as ann,
                broker_desk(url, folder, server, clock, name="Ben") as ben,
            ):
                yield ann, ben


async def test_the_second_desk_is_told_which_one_has_the_account(url: str, tmp_path: Path) -> None:
    async with two_desks(url, tmp_path) as (ann, ben):
        run = await ann.runs.start((await ann.create()).id)
        await ann.until("orders.Filled")
        late = await ben.create()
        with pytest.raises(HeldElsewhere) as refused:
            await ben.runs.start(late.id)
        assert str(refused.value) == (
            f"Account {KEY} is in the hands of the desk Ann."
            " That desk has the account open: end what trades there, or let the account go, and try again."
        )
        assert (await ben.runs.get(late.id)).status is RunStatus.PENDING
        before = len(await ben.runs.all())
        with pytest.raises(HeldElsewhere):
            await ben.runs.again(run.id)
        with pytest.raises(HeldElsewhere):
            async with ben.runs.holding_account(late.config):
                raise AssertionError
        with pytest.raises(UnknownName):  # what is no run is told before anybody asks for its account
            async with ben.runs.holding_account(msgspec.structs.replace(late.config, strategy_id="nobody's")):
                raise AssertionError
        assert len(await ben.runs.all()) == before
        assert (await ann.runs.get(run.id)).status is RunStatus.RUNNING
        await ann.runs.stop(run.id)
        await ann.runs.close()  # and with it the account is free
        again = await ben.runs.start((await ben.create(minutes=6)).id)
        assert (await ben.over(again)).status is RunStatus.COMPLETED


async def test_a_desk_that_lost_the_account_sends_nothing_more(url: str, tmp_path: Path) -> None:
    async with two_desks(url, tmp_path) as (ann, ben):
        run = await ann.runs.start((await ann.create()).id)
        await ann.until("orders.Filled")
        (lease,) = await ben.store.leases.held(LeaseKind.ACCOUNT)
        assert (lease.name, lease.desk.name) == (KEY, "Ann")
        await ann.store.leases.offer(lease, "id-Ben")
        taken = asyncio.Event()
        async with ben.runs._desks.open("alpaca", AccountName.PAPER) as account:
            # Ben compares with the broker before anything else is done there; what Ann placed is known by its rows.
            assert account.desk.comparisons.count
            sent = ann.server.requests["POST /v2/orders"]
            over = await ann.over(run)
            assert (over.status, over.error_code) == (RunStatus.ERROR, "account_taken")
            assert ann.server.requests["POST /v2/orders"] == sent
            with pytest.raises(HeldElsewhere, match="desk Ben"):
                async with ann.runs._desks.open("alpaca", AccountName.PAPER):
                    taken.set()
        assert not taken.is_set()


async def test_a_lost_lease_is_noticed_at_its_renewal(url: str, tmp_path: Path) -> None:
    async with two_desks(url, tmp_path) as (ann, ben):
        # A run that decides nothing for an hour: only the renewal of its lease can tell it.
        run = await ann.runs.start((await ann.create(timeframe="1h")).id)
        await ann.until("run.Started")
        (lease,) = await ben.store.leases.held(LeaseKind.ACCOUNT)
        await ann.store.leases.offer(lease, "id-Ben")
        async with ben.runs._desks.open("alpaca", AccountName.PAPER):
            await ann.runs._leases.renew()
            over = await ann.over(run)
            assert (over.status, over.error_code) == (RunStatus.ERROR, "account_taken")


async def test_a_process_that_stood_still_knows_that_its_lease_is_old(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with two_desks(url, tmp_path) as (ann, _ben), ann.runs._desks.open("alpaca", AccountName.PAPER) as account:
        assert account.desk.state.may_send()
        monkeypatch.setattr("core.runs.leases.TTL_S", 0.0)  # all the time that a lease lasts has gone by
        assert not account.desk.state.may_send()


async def test_the_run_of_a_desk_that_is_gone_stays_until_the_broker_can_be_asked(url: str, tmp_path: Path, allow_log: AllowLog) -> None:
    allow_log("Another desk has taken over run")
    async with two_desks(url, tmp_path) as (ann, ben):
        run = await ann.runs.start((await ann.create(timeframe="1h")).id)
        await ann.until("run.Started")
        for kind in (LeaseKind.RUN, LeaseKind.ACCOUNT):
            await ann.store.leases.renew(await ben.store.leases.held(kind), 0.0)  # as though she had not renewed for long
        ben.server.revoked = True
        assert await ben.runs.recover() == []
        await asyncio.wait(ben.runs._recovery._taking)
        assert (await ben.runs.get(run.id)).status is RunStatus.RUNNING
        ben.server.revoked = False
        assert (await ben.runs.take_over(run.id)).status is RunStatus.INTERRUPTED
