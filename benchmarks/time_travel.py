"""A run of a hundred thousand events as it was at any of them: the first question, and one more anywhere."""

import asyncio
import random
from collections.abc import Iterator
from decimal import Decimal
from time import perf_counter

from benchmarks.engine import CONFIG, desk
from benchmarks.measuring import Row, Table
from core.events.envelope import Envelope, Payload, envelope
from core.events.payloads import BacktestPlaceOrder, OrderAccepted, OrderCreated, OrderFilled, PlaceRequest, RunCreated
from core.model.order import Order, OrderRequest, OrderSide, OrderStatus, TimeInForce
from core.model.run import Run, RunStatus

EVENTS = 100_000
QUESTIONS = 200
RUN_ID = "run-1"
PAYLOADS_OF_AN_ORDER = 5


def story(events: int) -> Iterator[Envelope]:
    """A run that buys and sells one unit, five events an order."""
    made: list[Payload] = [RunCreated(config=CONFIG)]
    for number in range(events // PAYLOADS_OF_AN_ORDER):
        order_id = f"{RUN_ID}-{number}"
        side = OrderSide.SELL if number % 2 else OrderSide.BUY
        request = OrderRequest(symbol="BTC/USD", side=side, qty=Decimal(1))
        order = Order(
            id=order_id, run_id=RUN_ID, request=request, time_in_force=TimeInForce.GTC,
            status=OrderStatus.CREATED, created_ns=number, updated_ns=number,
        )  # fmt: skip
        made += (
            PlaceRequest(order_id=order_id, request=request, bar_start_ns=number, close=745.1),
            BacktestPlaceOrder(order_id=order_id),
            OrderCreated(order=order),
            OrderAccepted(order_id=order_id),
            OrderFilled(
                order_id=order_id, fill_id=f"{order_id}-f", qty=Decimal(1), price=Decimal("745.10"), fee=Decimal("0.7451"),
                filled_qty=Decimal(1), time_ns=number,
            ),
        )  # fmt: skip
    for number, payload in enumerate(made):
        yield envelope(payload, id=f"{RUN_ID}.{number}", ts=number, producer="benchmark", run_id=RUN_ID, corr_id=RUN_ID)


async def questions(events: int) -> tuple[float, list[float]]:
    """Seconds of the first question, about the end, and of others at random."""
    async with desk() as (engine, store):
        async with store.runs.begin() as work:
            work.put_run(Run(id=RUN_ID, config=CONFIG, status=RunStatus.PENDING, created_ns=0))
        batch: list[Envelope] = []
        for event in story(events):
            batch.append(event)
            if len(batch) == 10_000:
                await store.log.append(batch)
                batch = []
        if batch:
            await store.log.append(batch)
        chance = random.Random(1)
        began = perf_counter()
        await engine.view_at(RUN_ID, events)
        first, taken = perf_counter() - began, []
        for _ in range(QUESTIONS):
            seq = chance.randint(1, events)
            began = perf_counter()
            await engine.view_at(RUN_ID, seq)
            taken.append(perf_counter() - began)
        return first, sorted(taken)


def measure(quick: bool) -> Table:
    """Median and worst of many questions at random points of one run."""
    events = EVENTS // 10 if quick else EVENTS
    first, taken = asyncio.run(questions(events))
    middle, worst = taken[len(taken) // 2], taken[-1]
    rows = (
        Row(name="first question, about the end", figures=(f"{first:.2f} s", "")),
        Row(
            name="**one more**, anywhere in the run",
            figures=(f"{middle * 1e3:.0f} ms", f"{worst * 1e3:.0f} ms"),
            goal="< 100 ms",
            met=worst < 0.1,
        ),
    )
    title = f"A run of {events:,} events at any of them"
    return Table(title=title, columns=("median", "worst"), rows=rows, notes=(f"{QUESTIONS} questions; `Engine.view_at`, SQLite.",))
