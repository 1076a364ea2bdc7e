"""Two runs trade while companies and the broker do what they do, in any order, over restarts; a model of two lines says what each has."""

import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from core.model.order import OrderStatus
from tests.broker.bench import fake_broker
from tests.broker.desk import WireScene, wired
from tests.broker.server import FakeBroker
from tests.integration.trading.booked import Later, assert_at_rest, bought, cash, day_of, held

D, S = Decimal, OrderStatus
RUNS = ("one", "two")
OPS = ("trade", "trade", "trade", "split", "dividend", "money", "shares", "look", "restart", "restart")


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
def server(clock: Later) -> Iterator[FakeBroker]:
    with fake_broker(clock.now_ns) as running:
        running.book.forbids_wash_trades = False
        running.book.cash = D(100_000_000)
        yield running


class Model:
    """What each run should have: units, and what dividends brought; and what the account holds that is nobody's."""

    def __init__(self) -> None:
        self.units = dict.fromkeys(RUNS, D(0))
        self.paid = dict.fromkeys(RUNS, D(0))
        self.outside = D(0)

    @property
    def total(self) -> Decimal:
        return sum(self.units.values(), self.outside)


class Acts:
    """Does one thing after another, at the broker and in the model."""

    def __init__(self, seed: int, folder: Path, server: FakeBroker, clock: Later) -> None:
        self.chance = random.Random(seed)
        self.model = Model()
        self.server, self.clock, self.folder = server, clock, folder
        self.program = AsyncExitStack()
        self.count = 0
        self.spent = dict.fromkeys(RUNS, D(0))

    async def start(self) -> None:
        self.scene: WireScene = await self.program.enter_async_context(wired(self.folder, self.server, clock=self.clock, settle_ns=0))
        self.scene.count = self.count
        for run_id in RUNS:
            await self.scene.run(run_id)

    async def end(self) -> None:
        self.count = self.scene.count
        await self.program.aclose()
        self.program = AsyncExitStack()

    async def trade(self) -> None:
        run_id, qty = self.chance.choice(RUNS), self.chance.randint(1, 9) * 8
        side = "sell" if self.model.units[run_id] > qty and self.chance.random() < 0.4 else "buy"
        before = cash(self.scene, run_id)
        await bought(self.scene, run_id, qty, side=side)
        self.spent[run_id] += before - cash(self.scene, run_id)
        self.model.units[run_id] += qty if side == "buy" else -qty

    async def split(self) -> None:
        if not self.model.total:
            return
        is_dear = self.server.book.quotes["SPY"][0] > 300
        new, old = self.chance.choice([(2, 1), (3, 2)] if is_dear else [(1, 2), (3, 4)])
        ratio = D(new) / old
        self.server.do(lambda: self.server.activities.split("SPY", new, old))
        self.model.units = {run_id: qty * ratio for run_id, qty in self.model.units.items()}
        self.model.outside *= ratio
        if self.chance.random() < 0.5:
            await self.scene.desk.reconcile()
        self.clock.pass_days(1)

    async def dividend(self) -> None:
        """The day of record, then something else, then the payment."""
        self.clock.pass_days(1)
        record, then, total = day_of(self.server), dict(self.model.units), self.model.total
        self.clock.pass_days(1)
        for name in self.chance.choices(["trade", "split", "restart", "look"], k=2):
            await getattr(self, name)()
        self.clock.pass_days(self.chance.randint(1, 9))
        rate = D(self.chance.randint(1, 99)) / 100
        self.server.do(lambda: self.server.activities.dividend("SPY", str(rate), record=record, units=str(total)))
        for run_id, qty in then.items():
            self.model.paid[run_id] += qty * rate

    async def money(self) -> None:
        kind, amount = self.chance.choice([("CSD", "50"), ("CSW", "-5"), ("FEE", "-0.01"), ("INT", "-1"), ("JNLC", "3")])
        self.server.do(lambda: self.server.activities.money(kind, amount))

    async def shares(self) -> None:
        qty = self.chance.choice([4, 8])
        self.server.do(lambda: self.server.activities.units("JNLS", "SPY", str(qty)))
        self.model.outside += qty

    async def look(self) -> None:
        await self.scene.desk.reconcile()

    async def restart(self) -> None:
        await self.end()
        if self.chance.random() < 0.5:
            await self.money()
        self.clock.pass_days(self.chance.randint(0, 3))
        await self.start()

    async def check(self) -> None:
        await self.look()
        await assert_at_rest(self.scene)
        state = self.scene.desk.state
        assert {run_id: held(self.scene, run_id) for run_id in RUNS} == self.model.units
        assert state.outside.get("SPY", D(0)) == self.model.outside
        for run_id in RUNS:
            paid = cash(self.scene, run_id) - self.scene.desk.state.books[run_id].start_cash + self.spent[run_id]
            assert abs(paid - self.model.paid[run_id]) < D("0.10"), run_id  # what is paid is rounded to the cent


@pytest.mark.parametrize("seed", range(8))
async def test_each_run_has_what_is_its_own(tmp_path: Path, server: FakeBroker, clock: Later, seed: int) -> None:
    acts = Acts(seed, tmp_path, server, clock)
    await acts.start()
    try:
        for _ in range(14):
            await getattr(acts, acts.chance.choice(OPS))()
        await acts.check()
        await acts.restart()
        await acts.check()
    finally:
        await acts.end()
