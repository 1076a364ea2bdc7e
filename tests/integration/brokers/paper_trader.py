"""A process that trades on a paper account until it is killed: it says on stdout what was acknowledged to it, a line each."""

import asyncio
import json
import random
import sys
from decimal import Decimal
from pathlib import Path

from core.clock.realtime import SystemClock
from core.errors import BrokerRefused
from core.model.broker import AccountName, BrokerOrderRequest, OrderChange, OrderUpdate, StreamStatus
from core.model.order import OrderSide, OrderType, TimeInForce
from core.ports import Broker
from core.store.database import DatabaseStore
from tests.broker.inside_bench import HandClock, HandMarket, hand_source

SYMBOL = "BTC/USD"


def say(**what: object) -> None:
    """Tell the one who watches; what is said was acknowledged before."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def trade(broker: Broker, market: HandMarket, chance: random.Random, life: int) -> None:
    """Send, change and cancel orders while the market moves, for ever."""
    working: list[str] = []
    number = 0
    while True:
        price = Decimal(chance.randrange(90_00, 110_00)) / 100
        market.quote(SYMBOL, str(price), str(price + Decimal("0.02")), size="0.5")
        number += 1
        id_ = f"{life}-{number}"
        try:
            if working and chance.random() < 0.2:
                await broker.desk.cancel(working.pop(chance.randrange(len(working))))
            elif working and chance.random() < 0.2:
                new = await broker.desk.replace(working.pop(), OrderChange(client_order_id=id_, limit_price=price))
                say(order=new.client_order_id)
            else:
                request = BrokerOrderRequest(
                    client_order_id=id_,
                    symbol=SYMBOL,
                    side=chance.choice(list(OrderSide)),
                    qty=Decimal(chance.randrange(1, 20)) / 10,
                    type=OrderType.LIMIT,
                    limit_price=price + Decimal(chance.randrange(-300, 300)) / 100,
                    time_in_force=TimeInForce.GTC,
                )
                taken = await broker.desk.submit(request)
                say(order=taken.client_order_id)
                if not taken.status.is_final:
                    working.append(taken.id)
        except BrokerRefused:
            pass
        await asyncio.sleep(0)


async def main(path: Path, life: int) -> None:
    """Open the account of the database at `path` and trade on it."""
    store = DatabaseStore(path, SystemClock())
    await store.open()
    clock = HandClock()
    clock.now += life * 10**15
    market = HandMarket(clock)
    market.quote(SYMBOL, "100", "100.02")

    def on_update(update: OrderUpdate) -> None:
        if update.execution is not None:
            say(execution=update.execution.id, qty=str(update.execution.qty))

    def on_status(status: StreamStatus) -> None:
        say(status=status.state)

    source = hand_source(market, clock, store.paper, fees="bps:10:1")
    async with source.open("paper", AccountName.PAPER) as broker, asyncio.TaskGroup() as group:
        group.create_task(broker.streams.order_updates(on_update, on_status))
        group.create_task(trade(broker, market, random.Random(life), life))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
