"""A server whose certificate nobody vouches for gets no request and no key, whatever is asked of it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from core.brokers.alpaca.addresses import Addresses
from core.brokers.alpaca.connection import AlpacaBroker
from core.brokers.credentials import Credentials
from core.clock.realtime import SystemClock
from core.errors import BrokerUnreachable
from core.model.broker import AccountName, BrokerOrderRequest, StreamState, StreamStatus, Watch
from core.model.order import OrderSide
from tests.broker.bench import QUICK, QUICK_STREAM
from tests.broker.server import KEY, SECRET

SELF_SIGNED = Path(__file__).parents[2] / "broker" / "self_signed.pem"


@asynccontextmanager
async def stranger(heard: list[bytes]) -> AsyncIterator[AlpacaBroker]:
    """A connection to a server that speaks TLS with a certificate of its own making, and notes what it is told."""

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            heard.append(await reader.read(10_000))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context)
    host = f"localhost:{server.sockets[0].getsockname()[1]}"
    addresses = Addresses.of(
        AccountName.PAPER,
        {
            "ALPACA_PAPER_BASE_URL": f"https://{host}",
            "ALPACA_DATA_BASE_URL": f"https://{host}",
            "ALPACA_STREAM_URL": f"wss://{host}",
            "ALPACA_DATA_STREAM_URL": f"wss://{host}",
        },
    )
    broker = AlpacaBroker(addresses, Credentials(KEY, SECRET), SystemClock(), QUICK, QUICK_STREAM)
    try:
        yield broker
    finally:
        await broker.close()
        server.close()
        await server.wait_closed()


async def test_no_question_and_no_order_reaches_it() -> None:
    heard: list[bytes] = []
    async with stranger(heard) as broker:
        with pytest.raises(BrokerUnreachable, match="certificate"):
            await broker.account.account()
        with pytest.raises(BrokerUnreachable, match=r"certificate.*Nothing was sent"):
            await broker.desk.submit(BrokerOrderRequest(client_order_id="a", symbol="SPY", side=OrderSide.BUY, qty=Decimal(1)))
        with pytest.raises(BrokerUnreachable, match="certificate"):
            await broker.market.latest_quotes(["SPY"])
    assert b"".join(heard) == b""


@pytest.mark.parametrize("of_orders", [True, False], ids=["orders", "market"])
async def test_no_stream_says_its_keys_to_it(of_orders: bool) -> None:
    heard: list[bytes] = []
    lost = asyncio.Event()
    said: list[str] = []

    def on_status(status: StreamStatus) -> None:
        said.append(status.said)
        if status.state is StreamState.LOST:
            lost.set()

    async with stranger(heard) as broker, asyncio.TaskGroup() as group:
        streams = broker.streams
        watch = Watch(quotes=("SPY",))
        listen = streams.order_updates(lambda _: None, on_status) if of_orders else streams.market(watch, lambda _: None, on_status)
        task = group.create_task(listen)
        async with asyncio.timeout(10):
            await lost.wait()
        task.cancel()
    assert any("certificate" in sentence for sentence in said)
    assert b"".join(heard) == b""
