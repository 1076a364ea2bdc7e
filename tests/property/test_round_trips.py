"""Round trips reconcile with cash, to the last digit."""

from decimal import Decimal, localcontext

from hypothesis import given
from hypothesis import strategies as st

from core.model.money import MONEY_CONTEXT
from core.model.order import Fill, OrderSide
from core.model.position import PositionSide, Trade
from core.model.round_trips import OpenLot, RoundTrips


@st.composite
def histories(draw: st.DrawFn) -> list[Fill]:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["SPY", "BTC/USD"]),
                st.sampled_from(OrderSide),
                st.decimals("0.0001", 1_000, places=4),
                st.decimals("0.01", 100_000, places=2),
                st.decimals(0, 50, places=6),
            ),
            max_size=30,
        )
    )
    return [_fill(at, *row) for at, row in enumerate(rows)]


def matched(history: list[Fill]) -> tuple[list[Trade], list[OpenLot]]:
    trips = RoundTrips()
    return [trade for fill in history for trade in trips.add(fill)], trips.open_lots()


def _fill(at: int, symbol: str, side: OrderSide, qty: Decimal, price: Decimal, fee: Decimal) -> Fill:
    name = str(at)
    return Fill(
        id=name, run_id="r", order_id=name, symbol=symbol, side=side, qty=qty, price=price, fee=fee, slippage=Decimal(0), time_ns=at
    )


@given(history=histories())
def test_profit_and_what_is_open_add_up_to_the_cash_that_moved(history: list[Fill]) -> None:
    trades, left = matched(history)
    with localcontext(MONEY_CONTEXT):
        cash = sum((-fill.side.sign * fill.qty * fill.price - fill.fee for fill in history), Decimal(0))
        profit = sum((trade.pnl for trade in trades), Decimal(0))
        paid = sum((lot.qty * lot.price * (1 if lot.side is PositionSide.LONG else -1) + lot.fee for lot in left), Decimal(0))
        assert profit - paid == cash


@given(history=histories())
def test_every_fee_and_every_unit_is_in_one_place(history: list[Fill]) -> None:
    trades, left = matched(history)
    with localcontext(MONEY_CONTEXT):
        fees = sum((fill.fee for fill in history), Decimal(0))
        assert sum((trade.fees for trade in trades), Decimal(0)) + sum((lot.fee for lot in left), Decimal(0)) == fees
        assert 2 * sum((trade.qty for trade in trades), Decimal(0)) + sum((lot.qty for lot in left), Decimal(0)) == sum(
            (fill.qty for fill in history), Decimal(0)
        )
    for symbol in {fill.symbol for fill in history}:
        net = sum((fill.side.sign * fill.qty for fill in history if fill.symbol == symbol), Decimal(0))
        lots = [lot for lot in left if lot.symbol == symbol]
        assert sum((lot.qty for lot in lots), Decimal(0)) == abs(net)
        assert {lot.side for lot in lots} <= {PositionSide.LONG if net > 0 else PositionSide.SHORT}
    assert all(trade.qty > 0 and trade.fees >= 0 and trade.entry_ns <= trade.exit_ns for trade in trades)
    assert [trade.exit_ns for trade in trades] == sorted(trade.exit_ns for trade in trades)
