"""Books of a paper account, by steps."""

from decimal import Decimal

from core.model.broker import BrokerOrder, Execution
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.order import OrderSide, OrderStatus, OrderType, TimeInForce
from core.model.paper import AccountBooks, PaperAccount, PaperChange, PaperHolding, PaperOrder
from core.model.run import AccountKind

D = Decimal
OPENED = PaperAccount(id="sim", number="P1", kind=AccountKind.CASH, cash=D(1000), time_ns=5, revision=1)
BOUGHT = PaperAccount(
    id="sim",
    number="P1",
    kind=AccountKind.CASH,
    cash=D("799.5"),
    time_ns=7,
    revision=2,
    holdings=(PaperHolding(symbol="SPY", qty=D(2), cost=D(200)),),
)
DEPOSIT = BrokerEntry(id="P1-e1", kind=BrokerEntryKind.DEPOSIT, time_ns=5, cash=D(1000))
EXECUTION = Execution(
    id="P1-x1", order_id="P1-o1", symbol="SPY", side=OrderSide.BUY, qty=D(2), price=D(100), cum_qty=D(2), time_ns=7, fee=D("0.5")
)


def order(status: OrderStatus = OrderStatus.ACCEPTED, number: int = 1, filled: str = "0") -> PaperOrder:
    """An order for 2 SPY."""
    return PaperOrder(
        order=BrokerOrder(
            id=f"P1-o{number}",
            client_order_id=f"mine-{number}",
            symbol="SPY",
            side=OrderSide.BUY,
            type=OrderType.TRAILING_STOP,
            broker_type="trailing_stop",
            time_in_force=TimeInForce.DAY,
            broker_time_in_force="day",
            status=status,
            broker_status="new",
            filled_qty=D(filled),
            submitted_ns=5,
            updated_ns=6,
            qty=D(2),
            trail_price=D("0.10"),
        ),
        number=number,
        qty=D(2),
        live_from_ns=5,
        dead_from_ns=99,
        mark=D("101.50"),
        sibling_id="P1-o9",
    )


OPENING = PaperChange(account=OPENED, orders=(order(number=1), order(number=2)), entries=(DEPOSIT,))
BUYING = PaperChange(account=BOUGHT, orders=(order(OrderStatus.FILLED, filled="2"),), executions=(EXECUTION,))
AFTERWARDS = AccountBooks(
    account=BOUGHT, orders=(order(OrderStatus.FILLED, filled="2"), order(number=2)), executions=(EXECUTION,), entries=(DEPOSIT,)
)
