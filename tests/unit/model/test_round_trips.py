"""Round trips worked out by hand."""

from decimal import Decimal

import pytest

from core.model.order import Fill, OrderSide
from core.model.position import PositionSide, Trade
from core.model.round_trips import RoundTrips, round_trips


def fills(*rows: str) -> list[Fill]:
    """Return fills of rows like `buy 2 @ 10 fee 0.1`, a second apart; a symbol may stand at the end."""
    made = []
    for number, row in enumerate(rows):
        side, qty, _, price, *rest = row.split()
        fee = rest[1] if rest[:1] == ["fee"] else "0"
        symbol = rest[-1] if rest and rest[-1].isupper() else "SPY"
        made.append(
            Fill(
                id=f"f{number}",
                run_id="r",
                order_id=f"o{number}",
                symbol=symbol,
                side=OrderSide(side),
                qty=Decimal(qty),
                price=Decimal(price),
                fee=Decimal(fee),
                slippage=Decimal(0),
                time_ns=number,
            )
        )
    return made


def told(trade: Trade) -> tuple[str, ...]:
    return (trade.side.value, str(trade.qty), str(trade.entry_price), str(trade.exit_price), str(trade.pnl), str(trade.fees))


CASES: list[tuple[str, list[str], list[tuple[str, ...]], list[tuple[str, str]]]] = [
    ("nothing", [], [], []),
    ("still open", ["buy 2 @ 10 fee 1"], [], [("2", "1")]),
    ("long", ["buy 2 @ 10 fee 1", "sell 2 @ 13 fee 0.5"], [("long", "2", "10", "13", "4.5", "1.5")], []),
    ("short", ["sell 2 @ 10 fee 1", "buy 2 @ 13 fee 0.5"], [("short", "2", "10", "13", "-7.5", "1.5")], []),
    (
        "two entries, one exit",
        ["buy 1 @ 10 fee 1", "buy 3 @ 12 fee 1", "sell 4 @ 11 fee 2"],
        [("long", "1", "10", "11", "-0.50000000000", "1.50000000000"), ("long", "3", "12", "11", "-5.50000000000", "2.50000000000")],
        [],
    ),
    (
        "one entry, two exits, a third of a fee each",
        ["buy 3 @ 10 fee 1", "sell 1 @ 11", "sell 1 @ 11", "sell 1 @ 11"],
        [
            ("long", "1", "10", "11", "0.6666666667", "0.3333333333"),
            ("long", "1", "10", "11", "0.6666666667", "0.3333333333"),
            ("long", "1", "10", "11", "0.6666666666", "0.3333333334"),
        ],
        [],
    ),
    (
        "a reversal closes, then opens with its rest",
        ["buy 1 @ 10 fee 1", "sell 3 @ 12 fee 3", "buy 2 @ 11 fee 1"],
        [("long", "1", "10", "12", "0.0000000000", "2.0000000000"), ("short", "2", "12", "11", "-1.0000000000", "3.0000000000")],
        [],
    ),
    (
        "first in, first out, and a rest",
        ["buy 1 @ 10", "buy 1 @ 20", "sell 1 @ 15", "buy 1 @ 30"],
        [("long", "1", "10", "15", "5", "0")],
        [("1", "0"), ("1", "0")],
    ),
    (
        "symbols do not mix",
        ["buy 1 @ 10", "sell 1 @ 20 fee 0 QQQ", "sell 1 @ 11", "buy 1 @ 19 fee 0 QQQ"],
        [("long", "1", "10", "11", "1", "0"), ("short", "1", "20", "19", "1", "0")],
        [],
    ),
]


@pytest.mark.parametrize(("rows", "expected", "rest"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_worked_cases(rows: list[str], expected: list[tuple[str, ...]], rest: list[tuple[str, str]]) -> None:
    matched = RoundTrips()
    trades = [trade for fill in fills(*rows) for trade in matched.add(fill)]
    left = matched.open_lots()
    same = [tuple(map(Decimal, row[1:])) for row in expected]
    assert [tuple(map(Decimal, told(trade)[1:])) for trade in trades] == same
    assert [told(trade)[0] for trade in trades] == [row[0] for row in expected]
    assert [(lot.qty, lot.fee) for lot in left] == [(Decimal(qty), Decimal(fee)) for qty, fee in rest]


def test_a_trade_names_its_orders_and_times() -> None:
    (trade,) = round_trips(fills("buy 1 @ 10", "sell 1 @ 9"))
    assert (trade.symbol, trade.entry_ns, trade.exit_ns, trade.entry_order_id, trade.exit_order_id) == ("SPY", 0, 1, "o0", "o1")
    matched = RoundTrips()
    assert matched.add(*fills("sell 2 @ 7")) == []
    (lot,) = matched.open_lots()
    assert (lot.symbol, lot.side, lot.price, lot.time_ns, lot.order_id) == ("SPY", PositionSide.SHORT, Decimal(7), 0, "o0")


def test_any_iterable_of_fills_will_do() -> None:
    assert len(round_trips(iter(fills("buy 1 @ 10", "sell 1 @ 9")))) == 1
