"""Who waits pays the maker's fee, who takes what is there the taker's."""

from decimal import Decimal
from typing import Any

import pytest

from core.model.broker import OrderChange, OrderClass
from core.model.order import OrderType, TimeInForce
from tests.unit.brokers.paper.bench import PaperBench

D = Decimal
T = TimeInForce
STOP_LIMIT = OrderType.STOP_LIMIT

MAKER, TAKER = D("0.0015"), D("0.0025")
COIN_CASES: list[tuple[str, dict[str, Any], list[str], Decimal]] = [
    ("a market order", {}, [], TAKER),
    ("a limit that takes what is offered when it comes", {"limit_price": "42000"}, [], TAKER),
    ("a limit that waits for the market", {"limit_price": "41000"}, ["41500", "41000"], MAKER),
    ("a limit that waits, and that the market jumps over", {"limit_price": "41000"}, ["40000"], MAKER),
    ("a stop", {"stop_price": "43000"}, ["43000"], TAKER),
    ("a stop limit that is at its limit when it triggers", {"stop_price": "43000", "limit_price": "43100"}, ["43000"], TAKER),
    ("a stop limit that waits after its trigger", {"stop_price": "43000", "limit_price": "42500"}, ["43000", "42500"], MAKER),
    ("immediate or cancel", {"limit_price": "42000", "time_in_force": T.IOC}, [], TAKER),
]
"""What is bought with the ask at 42,000, where the ask goes then, and the share that Alpaca takes of it."""


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("terms", "asks", "rate"), [case[1:] for case in COIN_CASES], ids=[case[0] for case in COIN_CASES])
def test_who_waits_pays_the_makers_fee_and_who_takes_the_takers(
    terms: dict[str, Any], asks: list[str], rate: Decimal, *, restarts: bool
) -> None:
    bench = PaperBench(fees="alpaca")
    bench.quote("41999", "42000", "BTC/USD")
    if len([name for name in terms if name.endswith("price")]) == 2:
        terms = {**terms, "type": STOP_LIMIT}
    bench.send("a", qty="0.1", symbol="BTC/USD", **terms)
    for ask in asks:
        assert bench.exchange.notes.executions == []
        if restarts:
            bench.restart()
        bench.quote(str(int(ask) - 1), ask, "BTC/USD")
    (execution,) = bench.exchange.notes.executions
    assert execution.price == D(asks[-1] if asks else "42000")
    assert execution.fee == execution.price * D("0.1") * rate


def test_what_a_quote_leaves_of_an_order_that_took_it_waits() -> None:
    bench = PaperBench(fees="alpaca", caps=True)
    bench.quote("41999", "42000", "BTC/USD", sizes=("1", "0.04"))
    bench.send("a", qty="0.1", symbol="BTC/USD", limit_price="42000")
    bench.restart()
    bench.quote("41999", "42000", "BTC/USD", sizes=("1", "1"))
    assert [one.fee / (one.qty * one.price) for one in bench.exchange.notes.executions] == [TAKER, MAKER]


def test_an_order_on_other_terms_comes_anew() -> None:
    bench = PaperBench(fees="alpaca")
    bench.quote("41999", "42000", "BTC/USD")
    waiting = bench.send("a", qty="0.1", symbol="BTC/USD", limit_price="41000")
    bench.exchange.replace(waiting.id, OrderChange(client_order_id="b", limit_price=D("42000")))
    (execution,) = bench.exchange.notes.executions
    assert execution.fee == D("4200") * TAKER


def test_an_exit_that_is_through_when_its_entry_fills_takes_the_quote() -> None:
    bench = PaperBench(fees="alpaca")
    bench.quote("41999", "42000", "BTC/USD")
    bench.send("a", qty="0.1", symbol="BTC/USD", order_class=OrderClass.BRACKET, target_price="41990", stop_loss_price="41000")
    entry, target = bench.exchange.notes.executions
    assert (entry.fee, target.fee) == (D("4200") * TAKER, D("4199.9") * TAKER)
