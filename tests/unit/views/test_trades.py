"""The round trips that the window folds while a run goes on."""

from decimal import Decimal

from core.model.order import Fill, OrderSide
from core.model.round_trips import round_trips
from core.views.positions import TradeTable


def _fill(number: int, side: OrderSide, qty: str, price: str, fee: str) -> Fill:
    return Fill(
        id=f"f{number}",
        run_id="r",
        order_id=f"o{number}",
        symbol="SPY",
        side=side,
        qty=Decimal(qty),
        price=Decimal(price),
        fee=Decimal(fee),
        slippage=Decimal(0),
        time_ns=number,
    )


def test_they_are_to_the_last_digit_those_that_the_run_stores() -> None:
    fills = [
        _fill(0, OrderSide.BUY, "3", "1234567890123.456789", "0.1"),
        _fill(1, OrderSide.SELL, "1", "1234567890124.123456789012345", "0.1"),
        _fill(2, OrderSide.SELL, "1", "1234567890125", "0"),
        _fill(3, OrderSide.SELL, "1", "1234567890126", "0.2"),
    ]
    table = TradeTable()
    for fill in fills:
        table.add(fill)
    assert table.rows == round_trips(fills)
    assert [str(trade.fees) for trade in table.rows] == ["0.13333333333", "0.03333333333", "0.23333333334"]
    table.clear()
    table.add(fills[1])
    assert table.rows == []
