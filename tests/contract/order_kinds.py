"""Orders of every kind that a broker may take."""

from decimal import Decimal

from core.model.broker import BrokerOrderRequest, OrderClass
from core.model.order import OrderSide, OrderType, TimeInForce

BUY = OrderSide.BUY
LIMIT = OrderType.LIMIT
D = Decimal


def market(id: str, symbol: str = "SPY", side: OrderSide = BUY, qty: str | None = "10", **more: object) -> BrokerOrderRequest:
    """A market order, or what `more` makes of it."""
    return BrokerOrderRequest(client_order_id=id, symbol=symbol, side=side, qty=None if qty is None else D(qty), **more)  # type: ignore[arg-type]


def limit(id: str, price: str, qty: str = "10", side: OrderSide = BUY, symbol: str = "SPY", **more: object) -> BrokerOrderRequest:
    """A limit order."""
    return market(id, symbol, side, qty, type=LIMIT, limit_price=D(price), **more)


EVERY_KIND = [
    market("m"),
    market("m-opg", time_in_force=TimeInForce.OPG),
    market("m-cls", time_in_force=TimeInForce.CLS),
    market("m-notional", qty=None, notional=D("250.55")),
    market("m-fraction", qty="0.123456789"),
    limit("l", "390"),
    limit("l-gtc", "390", time_in_force=TimeInForce.GTC),
    limit("l-ioc", "390", time_in_force=TimeInForce.IOC),
    limit("l-fok", "390", time_in_force=TimeInForce.FOK),
    limit("l-extended", "390.1", extended_hours=True),
    market("s", type=OrderType.STOP, stop_price=D("410")),
    market("sl", type=OrderType.STOP_LIMIT, stop_price=D("410"), limit_price=D("411")),
    market("ts-price", type=OrderType.TRAILING_STOP, trail_price=D("5")),
    market("ts-percent", type=OrderType.TRAILING_STOP, trail_percent=D("1.5"), time_in_force=TimeInForce.GTC),
    limit("bracket", "390", order_class=OrderClass.BRACKET, target_price=D("420"), stop_loss_price=D("380")),
    limit("bracket-sl", "390", order_class=OrderClass.BRACKET, target_price=D("420"), stop_loss_price=D("380"), stop_loss_limit=D("379")),
    limit("oto", "390", order_class=OrderClass.OTO, stop_loss_price=D("380")),
    market("crypto", "BTC/USD", qty="0.001", time_in_force=TimeInForce.GTC),
    limit("crypto-ioc", "41000.5", qty="0.001", symbol="BTC/USD", time_in_force=TimeInForce.IOC),
]
