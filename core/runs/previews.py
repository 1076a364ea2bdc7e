"""What an order of a person's would come to, were it placed now: its cost, what is held after it, and what would keep it from leaving."""

from collections.abc import Callable
from decimal import Decimal, localcontext

from core.model.broker import Account
from core.model.hand import HandOrder, OrderPreview
from core.model.market import asset_class_of, parse_symbol
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Order, OrderSide
from core.runs.closing import Make
from core.runs.exits import exits_of
from core.runs.valuation import Valuation
from core.trading.brackets import fits_as_one
from core.trading.service import AccountDesk


class Previews:
    """Of one account. `run_id`: the person's own run; `money` returns the account's. Raises BrokerError."""

    def __init__(self, desk: AccountDesk, run_id: str, valuation: Valuation, make: Make, money: Callable[[], Account]) -> None:
        self._desk = desk
        self._run_id = run_id
        self._valuation = valuation
        self._make = make
        self._money = money

    async def preview(self, order: HandOrder) -> OrderPreview:
        """Return what an order would come to. Sends, commits and counts nothing. Raises InputError for what is no order."""
        symbol = parse_symbol(order.symbol)
        price, source = await self._valuation.valued(symbol, order)
        qty = self._valuation.units(order, price)
        buying_power = self._buying_power(symbol)
        if qty is None or price is None:
            verdicts = () if qty is None else self._desk.verdicts(self._make(order.request(symbol, qty), self._run_id))
            after = None if qty is None else self._desk.state.books[self._run_id].held(symbol) + qty * order.side.sign
            return OrderPreview(
                order=order,
                qty=qty,
                price=price,
                price_source=source,
                cost=None,
                position_after=after,
                buying_power=buying_power,
                buying_power_after=None,
                verdicts=verdicts,
            )
        made = self._make(order.request(symbol, qty), self._run_id)
        with localcontext(MONEY_CONTEXT):
            cost = price * qty
            held = self._desk.state.books[self._run_id].held(symbol)
            return OrderPreview(
                order=order,
                qty=qty,
                price=price,
                price_source=source,
                cost=cost,
                position_after=held + qty * order.side.sign,
                buying_power=buying_power,
                buying_power_after=buying_power - self._opens(symbol, order.side, qty) * price,
                verdicts=self._desk.verdicts(made),
                exits_leave=self._exits_leave(made),
            )

    def _exits_leave(self, order: Order) -> str:
        """Return when the exits of an order would leave; see `OrderPreview`."""
        exits, state = exits_of(order, order.created_ns), self._desk.state
        if not exits:
            return ""
        return "with it" if fits_as_one(order, exits, state.held_before(order), state.features) else "after it"

    def _buying_power(self, symbol: str) -> Decimal:
        money = self._money()
        return money.buying_power if asset_class_of(symbol).has_sessions else money.non_marginable_buying_power

    def _opens(self, symbol: str, side: OrderSide, qty: Decimal) -> Decimal:
        """Return by how many units an order makes what the whole account holds larger; below zero where it makes it smaller."""
        state = self._desk.state
        held = state.positions().get(symbol, ZERO) + state.outside.get(symbol, ZERO)
        return abs(held + qty * side.sign) - abs(held)
