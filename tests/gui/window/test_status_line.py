"""What the status line says while something trades: today's profit or loss, and when the exchange opens or closes."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from core.clock import calendar
from core.engine import Engine
from core.model.instants import to_ns
from core.model.market import AssetClass
from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import MakeDesk
from tests.gui.window.test_trading import connected, sent
from ui.theme import DARK

THANKSGIVING_FRIDAY = datetime(2023, 11, 24, 17, 30, tzinfo=UTC)
"""A half day: New York closes at 18:00 UTC."""


async def test_today_and_the_exchange_stand_there_while_an_account_is_connected(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    status, trading = desk.window.status, desk.window.trading
    assert (status.today.isHidden(), status.market.isHidden()) == (True, True)
    await connected(desk)
    await until(lambda: not status.market.isHidden())
    assert status.market.text().startswith(("Market open, closes in ", "Market closed, opens in "))
    assert trading.feed.view is not None
    assert not status.today.isHidden()
    trading.feed._timer.stop()
    for made, text, colour in ((-1234, "−1\u2009234.00", DARK.down), (5, "+5.00", DARK.up), (0, "0.00", DARK.text)):
        money = msgspec.structs.replace(trading.feed.view.money, equity=trading.feed.view.money.last_equity + made)
        trading.feed._take(msgspec.structs.replace(trading.feed.view, money=money))
        assert status.today.text() == f'Today <span style="color: {colour}">{text}</span>'
    desk.window.acts["disconnect-account"].trigger()
    await until(lambda: status.today.isHidden() and status.market.isHidden())
    await desk.quiet()


async def test_equity_and_today_go_with_the_prices_of_what_is_held(make_desk: MakeDesk) -> None:
    desk = await make_desk(speed=60)
    trading = await connected(desk)
    await sent(desk, "DEMO/USD", "2")

    def beside_cash() -> Decimal:
        """What the equity has beside cash and positions: nothing at this market, once the broker has counted the fill."""
        assert trading.feed.view is not None
        money = trading.feed.view.money
        return money.equity - money.cash - sum(one.value or 0 for one in trading.feed.view.positions)

    await until(lambda: bool(trading.feed._prices) and not beside_cash())
    seen: dict[Decimal, Decimal] = {}
    trading.feed.changed.connect(lambda: seen.update({trading.feed.view.money.equity: beside_cash()} if trading.feed.view else {}))
    await until(lambda: len(seen) >= 3)
    assert set(seen.values()) == {0}
    await desk.quiet()


async def test_the_hours_are_those_of_the_exchange_and_are_asked_for_again_when_it_turns(
    make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [to_ns(THANKSGIVING_FRIDAY)]
    monkeypatch.setattr(Engine, "now_ns", lambda engine: now[0])
    desk = await make_desk()
    status = desk.window.status
    status._now_ns = lambda: now[0]
    await connected(desk)
    await until(lambda: status.market.text() == "Market open, closes in 30 min")
    now[0] += 31 * 60 * 1_000_000_000
    status._tick()
    await until(lambda: status.market.text().startswith("Market closed, opens in 2 d 20 h"))
    await desk.quiet()


async def test_a_session_is_told_by_its_own_hours() -> None:
    await calendar.load(AssetClass.EQUITY)
    opens = to_ns(datetime(2023, 11, 24, 14, 30, tzinfo=UTC))
    closes = to_ns(datetime(2023, 11, 24, 18, 0, tzinfo=UTC))
    monday = to_ns(datetime(2023, 11, 27, 14, 30, tzinfo=UTC))
    at = [calendar.session_now(now) for now in (opens - 1, opens, closes - 1, closes)]
    assert at == [(False, opens), (True, closes), (True, closes), (False, monday)]
