"""The round trips that the window folds while a run goes on."""

from decimal import Decimal

import pytest
from msgspec import structs

from core.events.envelope import Envelope, envelope
from core.events.payloads import SplitApplied
from core.model.order import Fill, OrderSide
from core.model.round_trips import round_trips
from core.views.desk import DeskViews, change_of
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


def _split(qty_before: str, ratio: str, qty: str, cash: str) -> SplitApplied:
    return SplitApplied(symbol="SPY", ratio=Decimal(ratio), qty_before=Decimal(qty_before), qty=Decimal(qty), cash=Decimal(cash))


def _folded(split: SplitApplied, fills: list[Fill], *, at_ns: int) -> tuple[DeskViews, Envelope]:
    views = DeskViews()
    views.select("r")
    event = structs.replace(envelope(split, id="split", ts=at_ns, producer="test", run_id="r"), seq=7)
    for _ in views.loading([], [fill for fill in fills if fill.time_ns < at_ns], None):
        pass
    views.fold(event)
    views.fold(event)
    for fill in (fill for fill in fills if fill.time_ns >= at_ns):
        views.positions.add(fill)
        views.trades.add(fill)
    return views, event


def test_a_split_goes_on_in_new_units_and_is_told_once_however_often_it_comes() -> None:
    fills = [_fill(0, OrderSide.BUY, "10", "400", "0"), _fill(2, OrderSide.SELL, "40", "110", "0")]
    split = _split("10", "4", "40", "0")
    views, event = _folded(split, fills, at_ns=1)
    assert views.trades.rows == round_trips(fills, [change_of(split, 1)])
    assert [(float(trade.qty), float(trade.entry_price), float(trade.pnl)) for trade in views.trades.rows] == [(40.0, 100.0, 400.0)]
    row = views.positions.rows[0]
    assert (float(row.qty), float(row.realised_pnl)) == (0.0, 400.0)
    assert len(views.activity.rows) == 1
    stored = DeskViews()
    stored.select("r")
    for _ in stored.loading([], fills, None, [event]):
        pass
    assert stored.trades.rows == views.trades.rows
    assert stored.positions.rows == views.positions.rows


@pytest.mark.parametrize(("side", "sign"), [(OrderSide.BUY, 1), (OrderSide.SELL, -1)])
def test_the_fraction_that_a_split_pays_in_cash_is_realised(side: OrderSide, sign: int) -> None:
    fills = [_fill(0, side, "5", "100", "0")]
    # Three for two makes 7.5 shares; half a share at 80 is paid in cash.
    views, _ = _folded(_split(str(5 * sign), "1.5", str(7 * sign), str(40 * sign)), fills, at_ns=1)
    row = views.positions.rows[0]
    assert row.qty == 7 * sign
    assert float(row.avg_price) == pytest.approx(100 / 1.5)
    assert float(row.realised_pnl) == pytest.approx(sign * (40 - 0.5 * 100 / 1.5))
    assert [float(trade.pnl) for trade in views.trades.rows] == pytest.approx([float(row.realised_pnl)])
