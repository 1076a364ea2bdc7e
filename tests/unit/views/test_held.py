"""What an account is worth at newer prices than its broker's: positions and money of one moment."""

from decimal import Decimal

import msgspec

from core.model.hand import AccountView, HeldPosition
from core.model.order import OrderRequest, OrderSide, OrderType
from core.views.held import TRAILS, WorkingTable, account_figures, revalued, working_rows
from tests.unit.views.accounts import account_view
from tests.unit.views.events import order


def held(symbol: str, qty: str, price: str | None, owner: str = "run-1", avg: str | None = None) -> HeldPosition:
    value = None if price is None else Decimal(price) * Decimal(qty)
    return HeldPosition(
        symbol=symbol,
        owner_id=owner,
        owner=owner,
        qty=Decimal(qty),
        avg_price=None if avg is None else Decimal(avg),
        price=None if price is None else Decimal(price),
        value=value,
    )


def worth(*positions: HeldPosition, cash: str = "1000") -> AccountView:
    """An account as its broker counts it."""
    values = [one.value for one in positions if one.value is not None]
    view = account_view()
    money = msgspec.structs.replace(
        view.money,
        equity=Decimal(cash) + sum(values),
        last_equity=Decimal(900),
        long_value=sum((value for value in values if value > 0), Decimal(0)),
        short_value=sum((value for value in values if value < 0), Decimal(0)),
    )
    return msgspec.structs.replace(view, positions=positions, money=money)


def test_equity_and_today_move_with_what_is_held() -> None:
    view = worth(held("SPY", "10", "400", avg="390"), held("QQQ", "-2", "300"))
    assert [view.money.equity, view.money.long_value, view.money.short_value] == [4_400, 4_000, -600]
    now = revalued(view, {"SPY": Decimal("401.5"), "QQQ": Decimal(310)})
    assert [now.money.equity, now.money.long_value, now.money.short_value] == [4_395, 4_015, -620]
    assert now.positions[0].open_pnl == Decimal(115)
    figures = {one.name: one.value for one in account_figures(now)}
    assert figures["equity"] - sum(one.value or 0 for one in now.positions) == 1_000
    assert figures["day"] == Decimal(3_495)
    assert now.money.buying_power == view.money.buying_power


def test_newer_prices_on_top_of_new_ones_count_once() -> None:
    view = worth(held("SPY", "10", "400"))
    once = revalued(view, {"SPY": Decimal(410)})
    assert revalued(once, {"SPY": Decimal(410)}) == once
    assert revalued(once, {"SPY": Decimal(395)}).money == revalued(view, {"SPY": Decimal(395)}).money


def test_what_several_hold_of_a_symbol_is_long_or_short_as_a_whole() -> None:
    view = worth(held("SPY", "5", "400"), held("SPY", "-3", "400", owner="run-2"))
    now = revalued(msgspec.structs.replace(view, money=msgspec.structs.replace(view.money, short_value=Decimal(0))), {"SPY": Decimal(402)})
    assert now.money.equity - view.money.equity == 4
    assert now.money.short_value == 0


def test_what_had_no_value_changes_no_equity() -> None:
    view = worth(held("SPY", "5", None), held("QQQ", "1", "300"))
    now = revalued(view, {"SPY": Decimal(402)})
    assert now.positions[0].value == Decimal(2_010)
    assert now.money == view.money
    assert revalued(view, {}) == view


def test_a_trailing_stop_stands_where_the_broker_says() -> None:
    request = OrderRequest(symbol="SPY", side=OrderSide.SELL, qty=Decimal(1), type=OrderType.TRAILING_STOP, trail_price=Decimal(5))
    trailing, other = msgspec.structs.replace(order("o1"), request=request), order("o2")
    rows = list(working_rows(account_view(working=(trailing, other), triggers={"o1": Decimal("395.5")}), {}))
    (column,) = [one for one in WorkingTable.columns if one.key == "stop"]
    assert [column.value(row) for row in rows] == [Decimal("395.5"), None]
    assert [WorkingTable().tip_of(column, row) for row in rows] == [TRAILS, None]
    (unsaid,) = working_rows(account_view(working=(trailing,)), {})
    assert column.value(unsaid) is None
