"""What a paper account comes to at the present prices. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from core.brokers.paper.standing import Standing
from core.matching.ledger import Ledger
from core.matching.margin import INITIAL, MAINTENANCE, weigh
from core.matching.orders import WorkingOrder
from core.model.broker import Account, BrokerPosition
from core.model.market import asset_class_of
from core.model.money import ZERO
from core.model.paper import PaperAccount

_MULTIPLIER: Final = 2


def account_of(account: PaperAccount, ledger: Ledger) -> Account:
    """Return the account's money; holdings at their marks. Within `MONEY_CONTEXT`."""
    weight = weigh(ledger.holdings, ledger.marks, ledger.classes, INITIAL)
    worths = [holding.qty * ledger.marks[symbol] for symbol, holding in ledger.holdings.items() if holding.qty]
    equity = ledger.cash + weight.value
    # What half of new exposure may still be bought with; borrowed money buys no crypto.
    power = (equity - weight.required) * _MULTIPLIER if ledger.is_margin else ledger.cash
    return Account(
        number=account.number,
        status="ACTIVE",
        currency="USD",
        cash=ledger.cash,
        equity=equity,
        last_equity=account.day_start_equity,
        buying_power=max(ZERO, power),
        non_marginable_buying_power=max(ZERO, equity - weight.required if ledger.is_margin else ledger.cash),
        long_value=sum((worth for worth in worths if worth > 0), ZERO),
        short_value=sum((worth for worth in worths if worth < 0), ZERO),
        initial_margin=weight.required if ledger.is_margin else ZERO,
        maintenance_margin=weigh(ledger.holdings, ledger.marks, ledger.classes, MAINTENANCE).required if ledger.is_margin else ZERO,
        multiplier=Decimal(_MULTIPLIER if ledger.is_margin else 1),
        day_trades=0,
        shorting_enabled=ledger.is_margin,
        trading_blocked=False,
    )


def positions_of(ledger: Ledger, standings: Mapping[str, Standing], working: Iterable[WorkingOrder]) -> list[BrokerPosition]:
    """Return what is held, by symbol, and how much of it no working order would take off."""
    orders = list(working)
    found = []
    for position in ledger.open_positions():
        standing = standings.get(position.symbol)
        price = None if standing is None else standing.price
        cost = ledger.holdings[position.symbol].cost
        worth = None if price is None else price * position.qty
        held = min(abs(position.qty), _held_by(orders, position.symbol, is_buy=position.qty < 0))
        found.append(
            BrokerPosition(
                symbol=position.symbol,
                asset_class=asset_class_of(position.symbol),
                qty=position.qty,
                qty_available=position.qty - held if position.qty > 0 else position.qty + held,
                avg_price=position.avg_price,
                cost_basis=cost,
                market_value=worth,
                price=price,
                unrealised_pnl=None if worth is None else worth - cost,
            )
        )
    return found


def _held_by(orders: list[WorkingOrder], symbol: str, *, is_buy: bool) -> Decimal:
    """Return the units that working orders of a side are over; of two of which one cancels the other, those of the larger."""
    total = ZERO
    for order in orders:
        if order.symbol != symbol or order.is_buy is not is_buy or not order.is_live:
            continue
        sibling = order.sibling
        if sibling is not None and not sibling.gone and (sibling.open_qty, sibling.place) > (order.open_qty, order.place):
            continue
        total += order.open_qty
    return total
