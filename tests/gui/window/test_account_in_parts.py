"""An account comes on the screen part by part: what acts on it waits for the last, and nothing of another one stays."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from core.model.broker import AccountName
from core.model.hand import AccountView
from core.model.run import RunMode
from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import Desk, MakeDesk
from tests.gui.window.test_trading import connected, sent
from ui.panels.two_sided import TwoSided
from ui.trading_view import TradingView

TURNS = 20
"""Of the loop, until an account is on the screen: it has nine parts."""
HELD = ("close-position", "reverse-position")
ACTS = (*HELD, "cancel-all", "reconcile")
TWO_SIDED = ("orders", "positions", "fills")


async def with_orders(desk: Desk) -> tuple[TradingView, AccountView]:
    """Connect the simulated market, hold 7 of its DEMO and let an order over 3 work; then nothing asks the account anew."""
    trading = await connected(desk)
    await sent(desk, "DEMO", "7")
    await sent(desk, "DEMO", "3", limit="1")
    trading.feed.stop()
    await desk.window.settled()
    assert trading.feed.view is not None
    return trading, trading.feed.view


def other_than(view: AccountView) -> AccountView:
    """An account of real money, that holds something else and has no orders."""
    (held,) = view.positions
    return msgspec.structs.replace(
        view,
        broker_id="alpaca",
        account=AccountName.LIVE,
        key="alpaca:LV1",
        title="Alpaca live",
        is_real_money=True,
        hand_run_id="hand-of-LV1",
        positions=(msgspec.structs.replace(held, symbol="OTHER", qty=Decimal(9), owner_id="hand-of-LV1"),),
        working=(),
    )


def shown(desk: Desk) -> dict[str, object]:
    """What the panels say of the account, each by itself."""
    trading, chart = desk.window.trading, desk.window.chart.chart
    figures = trading.account.figures
    return {
        "ticket": trading.ticket.mode.text(),
        "panel": trading.account.mode.text() if trading.account.mode.isVisibleTo(trading.account) else "",
        "number": figures.text("number") if figures.isVisibleTo(trading.account) else "",
        "positions": [(row.symbol, row.qty) for row in trading.holdings.model.table.rows],
        "rows of positions": trading.holdings.model.rowCount(),
        "working": len(trading.working.model.table.rows),
        "rows of working": trading.working.model.rowCount(),
        "by hand": trading.by_hand.model.rowCount(),
        "sides": [pair.is_connected for pair in (trading.orders, trading.positions, trading.fills)],
        "on the chart": len(chart.scene.orders) + (chart.scene.by_hand is not None),
        "frame": desk.window.frame.mode,
        "toolbar": desk.window.toolbar.account.text(),
    }


NOTHING = {
    "ticket": "No account",
    "panel": "",
    "number": "",
    "positions": [],
    "rows of positions": 0,
    "working": 0,
    "rows of working": 0,
    "by hand": 0,
    "sides": [False, False, False],
    "on the chart": 0,
    "frame": RunMode.BACKTEST,
    "toolbar": "Account ▾",
}

OTHER = {
    "ticket": "LIVE  Alpaca live",
    "panel": "LIVE  Alpaca live",
    "number": "LV1",
    "positions": [("OTHER", 9)],
    "rows of positions": 1,
    "working": 0,
    "rows of working": 0,
    "by hand": 0,
    "sides": [True, True, True],
    "on the chart": 0,
    "frame": RunMode.LIVE,
    "toolbar": "Alpaca live ▾ LIVE",
}


async def test_all_panels_show_another_account_within_a_few_turns_and_what_is_at_stake_at_once(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    desk.window.docks.show(desk.window.docks["account"])
    trading, view = await with_orders(desk)
    told: list[dict[str, object]] = []
    trading.shown.connect(lambda: told.append(shown(desk)))
    trading.feed._take(other_than(view))
    now = shown(desk)
    assert {name: now[name] for name in ("ticket", "frame", "toolbar")} == {name: OTHER[name] for name in ("ticket", "frame", "toolbar")}
    for _ in range(TURNS):
        if told:
            break
        await asyncio.sleep(0)
    assert told[0] == OTHER
    trading.feed._take(view)
    await desk.quiet()


async def test_nothing_acts_on_an_account_before_all_of_it_is_on_the_screen(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window = desk.window
    trading, view = await with_orders(desk)
    trading.holdings.table.selectRow(0)
    trading.ticket.fields.symbol.setText("DEMO")
    trading.ticket.fields.amount.setText("5")
    await until(trading.ticket.send.isEnabled)
    assert [window.acts[name].isEnabled() for name in ACTS] == [True] * len(ACTS)
    enabled: list[bool] = []
    trading.feed._take(msgspec.structs.replace(other_than(view), working=view.working))
    while trading.is_showing:
        enabled += [window.acts[name].isEnabled() for name in ACTS] + [trading.ticket.send.isEnabled()]
        assert "The account is being shown." in window.acts["close-position"].toolTip()
        await asyncio.sleep(0)
    assert enabled
    assert not any(enabled)
    # What was selected is of the account before, and is not selected any more.
    assert [window.acts[name].isEnabled() for name in ACTS] == [False, False, True, True]
    trading.feed._take(view)
    await desk.quiet()


@pytest.mark.parametrize("turns", [0, 2, *(pytest.param(turns, marks=pytest.mark.soak) for turns in (1, 5))])
async def test_an_account_that_goes_on_its_way_to_the_screen_leaves_nothing_of_it(make_desk: MakeDesk, turns: int) -> None:
    desk = await make_desk()
    desk.window.docks.show(desk.window.docks["account"])
    trading, _ = await with_orders(desk)
    trading.feed.disconnect_now()
    await desk.window.settled()
    assert shown(desk) == NOTHING
    desk.window.acts["connect-account"].trigger()
    await until(lambda: trading.feed.view is not None and not trading.feed.is_busy)
    for _ in range(turns):
        await asyncio.sleep(0)
    trading.feed.disconnect_now()
    await desk.window.settled()
    assert shown(desk) == NOTHING
    assert not any(desk.window.acts[name].isEnabled() for name in ACTS)
    assert desk.window.acts["connect-account"].isEnabled()
    await desk.quiet()


@pytest.mark.parametrize("turns", [0, 2, *(pytest.param(turns, marks=pytest.mark.soak) for turns in (1, 5))])
async def test_one_account_in_place_of_another_on_its_way_to_the_screen_is_shown_alone(make_desk: MakeDesk, turns: int) -> None:
    desk = await make_desk()
    desk.window.docks.show(desk.window.docks["account"])
    trading, view = await with_orders(desk)
    trading.feed._take(msgspec.structs.replace(other_than(view), key="alpaca:PA1", title="Alpaca paper", working=view.working))
    for _ in range(turns):
        await asyncio.sleep(0)
    trading.feed._take(other_than(view))
    await desk.window.settled()
    assert shown(desk) == OTHER
    trading.feed._take(view)
    await desk.quiet()


async def test_the_accounts_panel_is_filled_when_it_comes_into_sight(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    window = desk.window
    assert window.docks["account"].isVisible()  # for Qt: it lies behind a tab
    trading = await connected(desk)
    assert trading.feed.view is not None
    panel, number = trading.account, trading.feed.view.key.partition(":")[2]
    assert panel.hint.isVisibleTo(panel)
    window.docks.show(window.docks["account"])
    assert (panel.mode.text(), panel.figures.text("number")) == ("PAPER  Simulated market", number)
    assert not panel.hint.isVisibleTo(panel)

    window.docks["report"].raise_()
    trading.feed.disconnect_now()
    await window.settled()
    assert panel.figures.isVisibleTo(panel)
    window.docks["account"].raise_()
    assert panel.hint.isVisibleTo(panel)
    assert not panel.figures.isVisibleTo(panel)
    await desk.quiet()


async def test_the_sides_of_the_tables_turn_to_the_account_wherever_they_lie(make_desk: MakeDesk) -> None:
    desk = await make_desk()
    trading = await connected(desk)
    pairs = [trading.panels[name] for name in TWO_SIDED]
    assert [isinstance(pair, TwoSided) and pair.is_of_account for pair in pairs] == [True, True, True]
    await desk.quiet()
