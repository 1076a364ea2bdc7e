"""Each fault that can be asked of the simulated market: one order for one intent, each fill once, positions equal afterwards."""

import asyncio
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from core.brokers.chance import KINDS, ChanceFaults, FaultPlan, parse_faults
from core.brokers.sim import ID
from core.errors import InvalidValue, UnknownName
from core.events.live_payloads import FaultsDeclared
from core.model.broker import AccountName
from core.model.run import RunStatus
from core.runs.desks import OpenAccount
from tests.strictness.log_guard import AllowLog
from tests.unit.runs.live_desk import LiveScene, live

USUAL = {name: name for name in KINDS} | {
    "slow": "slow=0.2",
    "drops": "drops=240",
    "mute": "mute=240",
    "flood": "flood=20",
    "revoked": "revoked=200",
}
SHARES = ("server-errors", "rate-limits", "lost-requests", "lost-answers", "nonsense", "rejects", "missing", "doubled", "reordered", "lag")


def positions(signed: list[tuple[str, Decimal]]) -> dict[str, Decimal]:
    held: Counter[str] = Counter()
    for symbol, qty in signed:
        held[symbol] += qty  # type: ignore[assignment]
    return {symbol: Decimal(qty) for symbol, qty in held.items() if qty}


async def assert_equal(scene: LiveScene, account: OpenAccount, run_id: str) -> None:
    """What is stored comes to what the broker has, as soon as all is well there again."""
    exchange = scene.broker.exchange
    async with asyncio.timeout(60):
        while True:
            await account.desk.reconcile()
            fills = await scene.store.runs.fills(run_id)
            orders = {order.id: order for order in await scene.store.runs.orders(run_id)}
            theirs = {order.client_order_id: order for order in exchange.orders()}
            same = all((one.status, one.filled_qty) == (orders[name].status, orders[name].filled_qty) for name, one in theirs.items())
            # One that never arrived is over as soon as it is known not to be there.
            if same and all(order.status.is_final for name, order in orders.items() if name not in theirs):
                break
            await asyncio.sleep(0)
    assert Counter(fill.id.rpartition("/")[2] for fill in fills) == Counter(one.id for one in exchange.executions())
    assert len(theirs) == len(exchange.orders())
    ours = positions([(fill.symbol, fill.side.sign * fill.qty) for fill in fills])
    assert ours == {one.symbol: one.qty for one in exchange.positions() if one.qty}


@pytest.mark.parametrize("name", KINDS)
async def test_a_run_goes_through_it(tmp_path: Path, name: str, allow_log: AllowLog) -> None:
    for line in ("send-", "cancel-", "core.trading", "reconcil"):
        allow_log(line)
    await traded(tmp_path, (USUAL[name],))


async def test_a_run_goes_through_all_that_end_nothing_at_once(tmp_path: Path, allow_log: AllowLog) -> None:
    for line in ("send-", "cancel-", "core.trading", "reconcil"):
        allow_log(line)
    await traded(tmp_path, [f"{name}=0.08" for name in SHARES] + ["pieces=3", "drops=300", "clock-off=3"])


async def traded(folder: Path, words: tuple[str, ...] | list[str]) -> None:
    plan = parse_faults(words, "--fault")
    async with live(folder, speed=600.0) as scene:
        scene.source._plan = lambda: plan
        scene.strategy()
        async with scene.runs._desks.open(ID, AccountName.PAPER) as account:
            run = await scene.over(await scene.start(minutes=16))
            told = [event.payload for event in await scene.store.log.read(run_id=run.id, pattern=FaultsDeclared.wire)]
            assert told == [FaultsDeclared(account=account.desk.state.key, words=plan.words)]
            if "revoked" in plan.values:
                assert (run.status, run.error_code) == (RunStatus.ERROR, "keys_refused")
                return
            assert run.status is RunStatus.COMPLETED, run.error
            assert await scene.store.runs.orders(run.id)
            faults = scene.broker.faults
            assert isinstance(faults, ChanceFaults)
            faults._plan = FaultPlan({})
            faults._is_mute = False
            faults.answer_delay_s = 0.0
            faults.silent_positions = False
            if faults.is_cut:
                faults.mend()
            await assert_equal(scene, account, run.id)


def test_they_are_said_in_words() -> None:
    plan = parse_faults(["slow=2", "lost-answers=0.05", "doubled"], "--fault")
    assert plan.words == (
        "This market misbehaves on purpose, from the first order on: each answer takes 2 s; "
        "5 % of the orders are taken, and their answer is lost; 30 % of the news of orders are told twice."
    )
    assert parse_faults([], "--fault").words == ""


@pytest.mark.parametrize("word", ["slow=fast", "doubled=2", "pieces=0", "clock-off=61", "slow="])
def test_a_value_that_cannot_be_is_refused(word: str) -> None:
    with pytest.raises(InvalidValue):
        parse_faults([word], "--fault")


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(UnknownName, match="Did you mean doubled"):
        parse_faults(["dobled"], "--fault")


def test_the_same_seed_makes_the_same_faults() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = ChanceFaults(parse_faults(["missing=0.5"], "--fault"), seed)
        faults.begun = True
        return [faults._happens("missing") for _ in range(50)]

    assert drawn(3) == drawn(3) != drawn(4)


def test_the_page_lists_all_of_them() -> None:
    text = (Path(__file__).parents[3] / "docs" / "live-trading.md").read_text(encoding="utf-8")
    listed = re.findall(
        r"^\| `([a-z-]+)` \|.*\| `([-0-9.]+)` \|", text.partition("### Faults on purpose")[2].partition("## ")[0], flags=re.MULTILINE
    )
    assert listed == [(name, f"{kind.default:g}") for name, kind in KINDS.items()]
