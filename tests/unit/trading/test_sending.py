"""What leaves for a broker, and what does not."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.brokers.loader import AdapterLoader
from core.brokers.paper.source import INFO as PAPER
from core.brokers.sim import INFO as SIM
from core.model.broker import Features
from core.model.order import Order, OrderLeg, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce
from core.trading.sending import broker_request, what_cannot_be_sent

UNTIL = OrderRequest(
    symbol="SPY",
    side=OrderSide.BUY,
    qty=Decimal(1),
    type=OrderType.LIMIT,
    limit_price=Decimal(5),
    time_in_force=TimeInForce.GTD,
    expires_ns=9,
)


@pytest.mark.parametrize(("features", "why"), [(SIM.features, "The broker takes no gtd; use gtc, and cancel it."), (PAPER.features, None)])
def test_gtd_goes_where_it_is_taken(features: Features, why: str | None) -> None:
    assert what_cannot_be_sent(UNTIL, TimeInForce.GTD, features) == why


@pytest.mark.parametrize(("in_force", "expires_ns"), [(TimeInForce.GTD, 9), (TimeInForce.GTC, None)])
def test_its_end_leaves_with_it(in_force: TimeInForce, expires_ns: int | None) -> None:
    order = Order(
        id="o",
        run_id="r",
        request=UNTIL if expires_ns else msgspec.structs.replace(UNTIL, time_in_force=in_force, expires_ns=None),
        time_in_force=in_force,
        status=OrderStatus.SUBMITTING,
        created_ns=1,
        updated_ns=1,
    )
    assert broker_request(order).expires_ns == expires_ns


ALPACA = AdapterLoader(()).find_all()["alpaca"].features
CRYPTO = "The broker takes crypto as gtc or ioc, not as {}."
FRACTION = "The broker takes fractions of a share as day, not as {}."
TIMES = ("day", "gtc", "ioc", "fok", "opg", "cls")
CENTS = "The broker takes prices of shares in whole cents, below a dollar in hundredths of one, not {}."


def asked(symbol: str = "SPY", qty: str = "1", **terms: Any) -> OrderRequest:
    return OrderRequest(symbol=symbol, side=OrderSide.BUY, qty=Decimal(qty), **terms)


def limited(price: str, **terms: Any) -> OrderRequest:
    return asked(type=OrderType.LIMIT, limit_price=Decimal(price), **terms)


@pytest.mark.parametrize(
    ("request_", "in_force", "why"),
    [
        *[(asked("BTC/USD", "0.1"), one, None if one in "gtc ioc" else CRYPTO.format(one)) for one in TIMES],
        *[(asked(qty="0.5"), one, None if one == "day" else FRACTION.format(one)) for one in TIMES],
        *[(asked(), one, None) for one in TIMES],
        (asked(), "gtd", "The broker takes no gtd; use gtc, and cancel it."),
        (asked("EUR/USD"), "gtc", "The broker does not trade EUR/USD."),
        (asked(qty="0.0000000001"), "day", "The broker takes at most nine decimals of a quantity, not 0.0000000001."),
        (asked("BTC/USD", "0.000000001"), "gtc", None),
        (limited("390.12"), "day", None),
        (limited("390.123"), "day", CENTS.format("390.123")),
        (limited("0.1234"), "day", None),
        (limited("0.12345"), "day", CENTS.format("0.12345")),
        (asked("BTC/USD", type=OrderType.LIMIT, limit_price=Decimal("0.123456")), "gtc", None),
        (asked(type=OrderType.STOP_LIMIT, limit_price=Decimal(5), stop_price=Decimal("4.999")), "day", CENTS.format("4.999")),
        (limited("390", target=OrderLeg(type=OrderType.LIMIT, limit_price=Decimal("400.005"))), "day", CENTS.format("400.005")),
        (limited("390", stop_loss=OrderLeg(type=OrderType.STOP, stop_price=Decimal("380.001"))), "day", CENTS.format("380.001")),
    ],
)  # fmt: skip
def test_what_alpaca_refuses_is_refused_before_it_leaves(request_: OrderRequest, in_force: str, why: str | None) -> None:
    assert what_cannot_be_sent(request_, TimeInForce(in_force), ALPACA) == why


@pytest.mark.parametrize("features", [SIM.features, PAPER.features])
def test_other_brokers_take_crypto_by_the_day_and_prices_by_themselves(features: Features) -> None:
    assert what_cannot_be_sent(asked("DEMO/USD", "0.1"), TimeInForce.DAY, features) is None
    assert what_cannot_be_sent(limited("390.123"), TimeInForce.DAY, features) is None
