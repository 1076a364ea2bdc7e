"""Order behaviour as a table of cases: request, bar, expected fill."""

from decimal import Decimal
from typing import Any

import pytest

from core.matching.costs import fee_model, slippage_model
from core.matching.fill import Filling
from core.matching.ledger import Ledger
from core.matching.matcher import Matching
from core.matching.orders import WorkingOrder
from core.matching.outcomes import Execution, Refused
from core.matching.walk import Legs
from core.model.market import Bar
from core.model.money import plain
from core.model.order import OrderRequest, OrderSide, OrderType, RejectCode
from core.model.run import PathModel

B, S = OrderSide.BUY, OrderSide.SELL
MARKET, LIMIT, STOP, STOP_LIMIT = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT


def bar(open_: float, high: float, low: float, close: float) -> Bar:
    return Bar("X/Y", 0, 60, open_, high, low, close, 1.0)


def order(
    number: int, side: OrderSide, type_: OrderType, *, limit: str | None = None, stop: str | None = None, qty: str = "1"
) -> WorkingOrder:
    request = OrderRequest(
        symbol="X/Y",
        side=side,
        qty=Decimal(qty),
        type=type_,
        limit_price=None if limit is None else Decimal(limit),
        stop_price=None if stop is None else Decimal(stop),
    )
    return WorkingOrder(f"o{number}", f"r{number}", request, 0, None)


def matching(**changes: Any) -> Matching:
    path = changes.pop("path", PathModel.ADAPTIVE)
    settled: dict[str, Any] = {"slippage": slippage_model("none"), "fees": fee_model("none"), "ticks": {}}
    return Matching(path=path, filling=Filling(**(settled | changes)))


def ledger(cash: str = "100000", held: str = "100") -> Ledger:
    account = Ledger(Decimal(cash) + Decimal(held))
    if Decimal(held):
        account.book("X/Y", B, Decimal(held), Decimal(1), Decimal(0))
    return account


def fills(orders: list[WorkingOrder], at: Bar, model: Matching | None = None, account: Ledger | None = None) -> dict[str, str]:
    outcomes = (model or matching()).meet(orders, Legs(), at, account or ledger())
    return {item.order.id: plain(item.price) for item in outcomes if isinstance(item, Execution)}


# The bar of most cases: it opens nearer its low, so the adaptive path is O-L-H-C: 100 → 98 → 110 → 105.
UP = bar(100, 110, 98, 105)
# It opens nearer its high: O-H-L-C: 100 → 102 → 90 → 95.
DOWN = bar(100, 102, 90, 95)


@pytest.mark.parametrize(
    ("side", "type_", "limit", "stop", "at", "price"),
    [
        (B, MARKET, None, None, UP, "100"),
        (S, MARKET, None, None, UP, "100"),
        # limit: the open when it is already through, else the limit where the path reaches it
        (B, LIMIT, "101", None, UP, "100"),
        (B, LIMIT, "100", None, UP, "100"),
        (B, LIMIT, "99", None, UP, "99"),
        (B, LIMIT, "98", None, UP, "98"),
        (B, LIMIT, "97.99", None, UP, None),
        (S, LIMIT, "99", None, UP, "100"),
        (S, LIMIT, "109.5", None, UP, "109.5"),
        (S, LIMIT, "110", None, UP, "110"),
        (S, LIMIT, "110.01", None, UP, None),
        # stop: the open when the market gapped through it, else the stop
        (B, STOP, None, "99", UP, "100"),
        (B, STOP, None, "100", UP, "100"),
        (B, STOP, None, "104", UP, "104"),
        (B, STOP, None, "110.5", UP, None),
        (S, STOP, None, "101", UP, "100"),
        (S, STOP, None, "98.5", UP, "98.5"),
        (S, STOP, None, "97", UP, None),
        (S, STOP, None, "95", bar(90, 96, 89, 91), "90"),
        # stop-limit: triggered at the stop, filled there when the limit allows it, else it waits at the limit
        (B, STOP_LIMIT, "105", "104", UP, "104"),
        (B, STOP_LIMIT, "99", "104", UP, None),
        (B, STOP_LIMIT, "104.5", "106", UP, None),
        (B, STOP_LIMIT, "105", "106", UP, "105"),
        (B, STOP_LIMIT, "105", "95", UP, "100"),
        (B, STOP_LIMIT, "99", "95", UP, "99"),
        (S, STOP_LIMIT, "90.5", "99", DOWN, "99"),
        (S, STOP_LIMIT, "94", "92", DOWN, "94"),
        (S, STOP_LIMIT, "95.5", "92", DOWN, None),
    ],
)
def test_one_order_meets_a_bar(side: OrderSide, type_: OrderType, limit: str | None, stop: str | None, at: Bar, price: str | None) -> None:
    found = fills([order(1, side, type_, limit=limit, stop=stop)], at)
    assert found == ({} if price is None else {"o1": price})


@pytest.mark.parametrize(
    ("model", "open_", "first_high"),
    [
        (PathModel.OHLC, 100, True),
        (PathModel.OLHC, 100, False),
        (PathModel.ADAPTIVE, 106, True),
        (PathModel.ADAPTIVE, 94, False),
        (PathModel.ADAPTIVE, 100, False),  # a tie goes to the low
    ],
)
def test_path_decides_which_of_two_exits_fills(model: PathModel, open_: float, first_high: bool) -> None:
    both = [order(1, S, LIMIT, limit="108", qty="100"), order(2, S, STOP, stop="92", qty="100")]
    outcomes = matching(path=model).meet(both, Legs(), bar(open_, 110, 90, 100), ledger())
    filled = [item for item in outcomes if isinstance(item, Execution)]
    assert [item.order.id for item in filled] == (["o1"] if first_high else ["o2"])
    assert filled[0].path_dependent
    refused = [item for item in outcomes if isinstance(item, Refused)]
    assert [item.code for item in refused] == [RejectCode.INSUFFICIENT_POSITION]


def test_a_tie_is_judged_on_exact_decimals() -> None:
    # 0.3 − 0.2 and 0.2 − 0.1 differ as floats; as decimals they are equal, so the low comes first.
    exits = [order(1, S, LIMIT, limit="0.3", qty="100"), order(2, S, STOP, stop="0.1", qty="100")]
    assert fills(exits, bar(0.2, 0.3, 0.1, 0.2)) == {"o2": "0.1"}


def test_what_the_path_reaches_first_happens_first_whatever_was_submitted_first() -> None:
    later_but_nearer = [order(1, B, LIMIT, limit="98.5", qty="900"), order(2, B, LIMIT, limit="99.5", qty="900")]
    outcomes = matching().meet(later_but_nearer, Legs(), UP, ledger(cash="100000"))
    assert [(item.order.id, type(item).__name__) for item in outcomes] == [("o2", "Execution"), ("o1", "Refused")]


def test_at_the_same_point_submission_order_decides() -> None:
    same = [order(1, B, MARKET, qty="900"), order(2, B, LIMIT, limit="101", qty="900")]
    outcomes = matching().meet(same, Legs(), UP, ledger(cash="100000"))
    assert [(item.order.id, type(item).__name__) for item in outcomes] == [("o1", "Execution"), ("o2", "Refused")]


def test_a_triggered_stop_limit_stays_triggered() -> None:
    waiting = order(1, B, STOP_LIMIT, limit="99", stop="104")
    outcomes = matching().meet([waiting], Legs(), UP, ledger())
    assert outcomes == []
    assert waiting.triggered
    waiting.triggered = True
    assert fills([waiting], bar(103, 103, 98.5, 100)) == {"o1": "99"}


@pytest.mark.parametrize(
    ("orders", "dependent"),
    [
        ([order(1, B, LIMIT, limit="99")], [False]),  # one plain order fills alike on both paths
        ([order(1, B, MARKET), order(2, B, LIMIT, limit="99")], [False, False]),
        ([order(1, B, LIMIT, limit="99"), order(2, S, LIMIT, limit="108")], [False, False]),  # independent of each other
        ([order(1, B, STOP_LIMIT, limit="99", stop="104")], []),  # fills only on O-H-L-C; here the path is O-L-H-C
    ],
)
def test_path_dependence_is_flagged_only_where_the_paths_differ(orders: list[WorkingOrder], dependent: list[bool]) -> None:
    outcomes = matching().meet(orders, Legs(), UP, ledger())
    assert [item.path_dependent for item in outcomes if isinstance(item, Execution)] == dependent
    if not dependent:
        assert orders[0].path_dependent


@pytest.mark.parametrize(
    ("side", "type_", "level", "slippage", "tick", "price"),
    [
        (B, MARKET, None, "bps:10", None, "100.1"),
        (S, MARKET, None, "bps:10", None, "99.9"),
        (B, MARKET, None, "bps:7", "0.05", "100.1"),  # to the tick against the trader
        (S, MARKET, None, "bps:7", "0.05", "99.9"),
        (B, MARKET, None, "bps:2000", None, "110"),  # clipped to the bar
        (S, MARKET, None, "bps:2000", None, "98"),
        (B, STOP, "104", "bps:10", None, "104.104"),
        (B, LIMIT, "99", "bps:10", None, "99"),  # never through a limit
        (S, LIMIT, "108", "bps:10", None, "108"),
    ],
)
def test_slippage(side: OrderSide, type_: OrderType, level: str | None, slippage: str, tick: str | None, price: str) -> None:
    placed = order(1, side, type_, limit=level if type_ is LIMIT else None, stop=level if type_ is STOP else None)
    model = matching(slippage=slippage_model(slippage), ticks={"X/Y": None if tick is None else Decimal(tick)})
    assert fills([placed], UP, model) == {"o1": price}


def test_fees_are_exact_and_counted_against_cash() -> None:
    model = matching(fees=fee_model("bps:10"))
    account = ledger(cash="100.10", held="0")
    (bought,) = model.meet([order(1, B, MARKET)], Legs(), UP, account)
    assert isinstance(bought, Execution)
    assert bought.fee == Decimal("0.1000")
    assert account.cash == 0
    account = ledger(cash="100.09", held="0")
    (refused,) = model.meet([order(1, B, MARKET)], Legs(), UP, account)
    assert isinstance(refused, Refused)
    assert refused.code is RejectCode.INSUFFICIENT_CASH
    assert "100.1" in refused.reason
    assert "100.09" in refused.reason
    assert account.cash == Decimal("100.09")


def test_an_order_is_refused_whole_never_cut_down() -> None:
    outcomes = matching().meet([order(1, S, MARKET, qty="101")], Legs(), UP, ledger(held="100"))
    assert [type(item) for item in outcomes] == [Refused]
