"""What every adapter does of its market and by itself: cases 7 and 8 of the contract. See `test_broker.py`."""

import asyncio
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from core.errors import InvalidValue
from core.model.broker import BarKind, LiveBar, OrderUpdate, Print, Quote, Watch
from core.model.instants import MINUTE_NS, SECOND_NS, iso, parse_instant
from core.model.market import Adjustment, AssetClass, Bar, Timeframe
from tests.broker.bench import Bench, listening
from tests.contract.order_kinds import limit

D = Decimal
MINUTE = Timeframe(MINUTE_NS)

# --- 7. the market ----------------------------------------------------------------------------------------


async def test_7_1_assets_say_how_they_trade(bench: Bench) -> None:
    by_symbol = {asset.symbol: asset for asset in await bench.broker.market.assets(AssetClass.CRYPTO)}
    if AssetClass.CRYPTO in bench.features.assets:
        coin = by_symbol["BTC/USD"]
        assert (coin.lot, coin.tick, coin.min_qty, coin.shortable) == (*bench.coin_grid, False)
    else:
        assert by_symbol == {}
    assert sorted(asset.symbol for asset in await bench.broker.market.assets(AssetClass.EQUITY)) == ["AAPL", "SPY"]


async def test_7_2_sessions_are_new_yorks_clock_half_days_and_all(bench: Bench) -> None:
    if not bench.has_sessions:
        (day,) = await bench.broker.market.sessions(date(2023, 11, 23), date(2023, 11, 23))
        assert (iso(day.open_ns), iso(day.close_ns)) == ("2023-11-23T00:00:00Z", "2023-11-24T00:00:00Z")
        return
    whole, half = await bench.broker.market.sessions(date(2023, 11, 22), date(2023, 11, 24))
    assert (iso(whole.open_ns), iso(whole.close_ns)) == ("2023-11-22T14:30:00Z", "2023-11-22T21:00:00Z")
    assert (half.day, iso(half.close_ns)) == (date(2023, 11, 24), "2023-11-24T18:00:00Z")


async def test_7_3_the_brokers_clock_is_read_in_any_zone(bench: Bench) -> None:
    clock = await bench.broker.market.clock()
    assert clock.is_open
    if bench.clock_says is not None:
        assert (iso(clock.now_ns), iso(clock.next_close_ns)) == bench.clock_says
    else:
        assert clock.now_ns < clock.next_close_ns


async def test_7_4_quotes_are_exact_and_a_symbol_without_one_is_missing(bench: Bench) -> None:
    bench.quote("SPY", bench.finest_bid, "400.01")
    quotes = await bench.broker.market.latest_quotes(["SPY", "NOPE", "BTC/USD"])
    assert set(quotes) == ({"SPY", "BTC/USD"} if AssetClass.CRYPTO in bench.features.assets else {"SPY"})
    assert quotes["SPY"].ask == D("400.01")
    if bench.has_spread:
        assert quotes["SPY"].bid == D(bench.finest_bid)
    trades = await bench.broker.market.latest_trades(["SPY", "NOPE"])
    assert {symbol: trade.price for symbol, trade in trades.items()} == {"SPY": bench.last_trade}


async def test_7_5_the_history_has_the_bars_that_begin_in_a_time_oldest_first(bench: Bench) -> None:
    first = parse_instant("2023-11-14T14:40:00Z")
    starts = [first + number * MINUTE_NS for number in (0, 1, 3, 4, 5)]  # in a minute nothing was traded
    bench.past(*(Bar("SPY", at, at + MINUTE_NS, 400.0, 401.25, 399.5, 400.75, 100.0 + at // MINUTE_NS % 7) for at in starts))
    history = bench.broker.history
    assert history.source_of("SPY", None)
    if bench.features.feeds:
        assert len({history.source_of("SPY", feed) for feed in bench.features.feeds}) == len(bench.features.feeds)
    # An edge between two instants that the broker can tell is no reason for a bar too many.
    pages = history.pages("SPY", MINUTE, first + 1, first + 5 * MINUTE_NS, adjustment=Adjustment.RAW, feed=None)
    found = [page async for page in pages]
    assert [start for page in found for start in page.start_ns] == starts[1:4]
    assert [page.high.tolist() for page in found if len(page)] == [[401.25] * 3]
    assert [volume for page in found for volume in page.volume] == [100.0 + at // MINUTE_NS % 7 for at in starts[1:4]]
    with pytest.raises(InvalidValue):
        async for _ in history.pages("SPY", Timeframe(7 * SECOND_NS), first, first + MINUTE_NS, adjustment=Adjustment.RAW, feed=None):
            pass


# --- 8. streams -------------------------------------------------------------------------------------------


async def test_8_1_the_life_of_an_order_is_told(bench: Bench) -> None:
    async with listening(bench.broker.streams.order_updates) as ear:
        bench.hold()
        order = await bench.broker.desk.submit(limit("a", "400.01"))
        bench.fill(order.id, "4", "400.00")
        bench.fill(order.id, "6", "400.01")
        told = [await ear.next() for _ in range(3)]
    updates = [update for update in told if isinstance(update, OrderUpdate)]
    assert tuple(update.event for update in updates) == bench.words.told
    part, whole = updates[1].execution, updates[2].execution
    assert part is not None
    assert whole is not None
    assert [(part.qty, part.cum_qty, part.price), (whole.qty, whole.cum_qty, whole.price)] == [
        (D(4), D(4), D(400)),
        (D(6), D(10), D("400.01")),
    ]
    assert {update.order.client_order_id for update in updates} == {"a"}
    assert [execution.id for execution in await bench.broker.account.executions()] == [part.id, whole.id]


async def test_8_2_bars_quotes_and_trades_are_told_and_what_nobody_knows_is_passed_over(bench: Bench) -> None:
    watch = Watch(bars=("SPY",), quotes=("SPY",), trades=("SPY",))
    async with listening(lambda on_tick, on_status: bench.broker.streams.market(watch, on_tick, on_status)) as ear:
        start_ns = parse_instant("2023-11-14T15:00:00Z")
        bar = Bar("SPY", start_ns, start_ns + MINUTE_NS, 1.0, 2.5, 0.5, 2.0, 100.0)
        bench.tell(
            LiveBar(bar=bar, kind=BarKind.FINAL),
            LiveBar(bar=msgspec.structs.replace(bar, volume=120.0), kind=BarKind.CORRECTED),
            Quote(symbol="SPY", time_ns=start_ns + 1_123_456_789, bid=D("399.99"), bid_size=D(2), ask=D("400.01"), ask_size=D(1)),
            Print(symbol="SPY", time_ns=start_ns + 2 * 10**9, price=D(400), size=D(5)),
        )
        final, corrected, quote, traded = [await ear.next() for _ in range(4)]
    assert isinstance(final, LiveBar)
    assert isinstance(corrected, LiveBar)
    assert [str(final.kind), str(corrected.kind)] == ["final", "corrected"]
    assert (final.bar.start_ns, final.bar.end_ns, final.bar.high) == (start_ns, start_ns + 60_000_000_000, 2.5)
    assert (quote.time_ns % 10**9, quote.bid) == (123_456_789 // bench.instants_ns * bench.instants_ns, D("399.99"))
    assert traded.price == 400


async def test_8_3_a_watch_is_of_one_kind(bench: Bench) -> None:
    for watch in (Watch(bars=("SPY", "BTC/USD")), Watch()):
        with pytest.raises(InvalidValue):
            async with asyncio.timeout(10):
                await bench.broker.streams.market(watch, lambda _: None, lambda _: None)
