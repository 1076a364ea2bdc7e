"""Going live: a deliberate act, recorded, checked by the gate; and accounts that are not what they should be."""

from pathlib import Path

import pytest

from core.errors import KeysRefused, NotArmed
from core.events.live_payloads import Armed
from core.model.desk import LeaseKind
from core.model.run import RunMode, RunStatus
from tests.unit.runs.broker_desk import LIVE, at_broker


@pytest.mark.parametrize("typed", ["", "PA3FAKE00001", "alpaca"])
async def test_a_live_run_starts_only_when_the_accounts_name_was_typed(tmp_path: Path, typed: str) -> None:
    async with at_broker(tmp_path, number=LIVE) as desk:
        run = await desk.create(RunMode.LIVE)
        with pytest.raises(NotArmed, match=LIVE) as refused:
            await desk.runs.start(run.id, typed)
        assert refused.value.todo == f"Type the account's name to confirm it: {LIVE}"
        assert (await desk.runs.get(run.id)).status is RunStatus.PENDING
        assert await desk.store.log.read(pattern=Armed.wire) == []
        assert not [name for name in desk.server.requests if name.startswith(("POST", "DELETE", "PATCH"))]
        # The account was let go of.
        assert await desk.store.leases.held(LeaseKind.ACCOUNT) == []
        assert await desk.store.leases.held(LeaseKind.RUN) == []


async def test_a_live_run_trades_once_it_was(tmp_path: Path) -> None:
    async with at_broker(tmp_path, number=LIVE) as desk:
        run = await desk.create(RunMode.LIVE)
        await desk.runs.start(run.id, f" {LIVE} ")
        await desk.until("orders.Filled")
        (armed,) = await desk.store.log.read(pattern=Armed.wire)
        assert armed.payload == Armed(account=f"alpaca:{LIVE}", desk="Ann")
        assert armed.run_id == run.id
        started = (await desk.store.log.read(pattern="run.Started"))[0]
        assert armed.seq < started.seq
        stopped = await desk.runs.stop(run.id)
        assert (stopped.status, stopped.config.mode) == (RunStatus.STOPPED, RunMode.LIVE)


async def test_another_run_on_it_is_another_act(tmp_path: Path) -> None:
    async with at_broker(tmp_path, number=LIVE) as desk:
        run = await desk.create(RunMode.LIVE)
        await desk.runs.start(run.id, LIVE)
        with pytest.raises(NotArmed):
            await desk.runs.again(run.id)
        assert [one.id for one in await desk.runs.all()] == [run.id]
        again = await desk.runs.again(run.id, LIVE)
        assert again.status is RunStatus.RUNNING
        assert len(await desk.store.log.read(pattern=Armed.wire)) == 2


@pytest.mark.parametrize(("mode", "number", "other"), [(RunMode.LIVE, "PA3FAKE00001", "paper"), (RunMode.PAPER, LIVE, "live")])
async def test_keys_of_the_other_kind_of_account_trade_nothing(tmp_path: Path, mode: RunMode, number: str, other: str) -> None:
    async with at_broker(tmp_path, number=number) as desk:
        run = await desk.create(mode)
        with pytest.raises(KeysRefused, match=f"are those of a {other} account, {number}"):
            await desk.runs.start(run.id, number)
        assert (await desk.runs.get(run.id)).status is RunStatus.PENDING
        assert not [name for name in desk.server.requests if name.startswith("POST")]
