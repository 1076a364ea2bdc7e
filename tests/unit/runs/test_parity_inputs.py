"""What an account booked, as a replay of a run on it is told."""

from decimal import Decimal
from typing import Any

import pytest

from core.clock.calendar import exchange_day
from core.clock.realtime import SystemClock
from core.events.envelope import envelope
from core.events.live_payloads import EntryTaken
from core.model.corporate_action import CorporateAction, Dividend, Split
from core.model.instants import HOUR_NS, parse_instant
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, TimeInForce
from core.model.run import Run, RunConfig, RunMode, RunStatus
from core.runs.run_inputs import inputs_of
from core.store.memory import MemoryStore

D = Decimal
BEGINS_NS = parse_instant("2026-03-02T15:00:00Z")
DAY = exchange_day(BEGINS_NS)


def entry(what: str, rate: str | None, **fields: Any) -> EntryTaken:
    of = {"entry_id": "1", "symbol": "SPY", "qty": D(0), "cash": D(0), "time_ns": BEGINS_NS + HOUR_NS, "account": "alpaca:PA1"}
    return EntryTaken(what=what, rate=None if rate is None else D(rate), **{**of, **fields})


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ([entry("split", "1.5")], [Split(symbol="SPY", day=DAY, ratio=D("1.5"))]),
        ([entry("split", "1.5", is_booked=False)], []),  # a person had accepted it before
        ([entry("split", None)], []),
        ([entry("dividend", "0.5"), entry("dividend", "0.25")], [Dividend(symbol="SPY", day=DAY, amount=D("0.75"))]),
        ([entry("dividend", "0"), entry("dividend", "-1"), entry("dividend_tax", "-0.1")], []),
        ([entry("deposit", None, symbol=""), entry("corporate_action", None), entry("whatever", "3")], []),
        ([entry("dividend", "0.5", account="alpaca:PA2")], []),
        ([entry("dividend", "0.5", symbol="AAPL")], []),
        ([entry("dividend", "0.5", time_ns=BEGINS_NS - HOUR_NS)], []),
    ],
)
async def test_splits_and_dividends_are_told_and_nothing_else(entries: list[EntryTaken], told: list[CorporateAction]) -> None:
    store = MemoryStore(SystemClock())
    await store.open()
    config = RunConfig(strategy_id="x", symbols=("SPY",), timeframe="1m", mode=RunMode.PAPER, cash=D(1_000), broker="alpaca")
    run = Run(id="run", config=config, status=RunStatus.STOPPED, created_ns=1, first_bar_ns=BEGINS_NS, last_bar_ns=BEGINS_NS + 9 * HOUR_NS)
    order = Order(
        id="run-1", run_id="run", request=OrderRequest(symbol="SPY", side=OrderSide.BUY, qty=D(1)), time_in_force=TimeInForce.DAY,
        status=OrderStatus.FILLED, created_ns=1, updated_ns=1, account="alpaca:PA1",
    )  # fmt: skip
    async with store.runs.begin() as work:
        work.put_run(run)
        work.put_orders([order])
        work.append([envelope(one, id=f"{at}", ts=1, producer="trading") for at, one in enumerate(entries)])
    try:
        assert (await inputs_of(run, store, always_open=False)).actions == ({"SPY": tuple(told)} if told else {})
    finally:
        await store.close()
