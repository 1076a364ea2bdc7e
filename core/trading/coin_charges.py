"""What a broker keeps of the coins that an account buys: booked by fill, and still to come."""

from collections.abc import Container, Iterable
from decimal import Decimal
from typing import Final

import msgspec

from core.events.live_payloads import CoinFee, OutsideFilled
from core.model.instants import SECOND_NS
from core.model.market import AssetClass, asset_class_of
from core.model.money import ZERO
from core.model.order import Fill, OrderSide
from core.ports import Clock
from core.trading.coin_fees import CoinBuy
from core.trading.order_fold import OrderLife

FEE_COMES_NS: Final = 15 * SECOND_NS
"""How long a fee in coin may take; what is not taken by then is not waited for."""


class CoinCharges:
    """Of one account. `are_taken`: whether its broker keeps any."""

    def __init__(self, clock: Clock, *, are_taken: bool) -> None:
        self._clock = clock
        self._are_taken = are_taken
        self.fees: dict[str, Decimal] = {}
        """Units that the broker kept of a fill, by its id."""
        self._outside_buys: dict[str, list[CoinBuy]] = {}
        self._uncharged_ns: dict[str, tuple[str, int]] = {}
        """Fills whose fee is still to come: their order, and when they were booked, by the clock that never goes back."""

    def note_fill(self, fill: Fill) -> None:
        """Take a fill of ours that is booked."""
        if self._has_coin_fee(fill.symbol, fill.side) and fill.id not in self.fees:
            self._uncharged_ns[fill.id] = (fill.order_id, self._clock.monotonic_ns())

    def charge(self, fee: CoinFee) -> None:
        """Take a fee that is committed."""
        self.fees[fee.fill_id] = self.fees.get(fee.fill_id, ZERO) + fee.qty
        self._uncharged_ns.pop(fee.fill_id, None)

    def forget_outside(self) -> None:
        """Take it that nothing is known of what others bought: the account was met only now."""
        self._outside_buys.clear()

    def note_outside(self, fill_id: str, told: OutsideFilled) -> None:
        """Take somebody else's fill, whose fee may be taken from the coin as well."""
        if self._are_taken and told.qty > 0 and asset_class_of(told.symbol) is AssetClass.CRYPTO:
            buy = CoinBuy(fill_id=fill_id, qty=told.qty, price=told.price)
            self._outside_buys.setdefault(told.symbol, []).append(buy)

    def buys(self, lives: Iterable[OrderLife]) -> dict[str, list[CoinBuy]]:
        """Return by symbol the fills, ours and others', whose fee the broker takes from the coin, oldest first."""
        found: dict[str, list[CoinBuy]] = {}
        if not self._are_taken:
            return found
        for symbol, buys in self._outside_buys.items():
            found[symbol] = [msgspec.structs.replace(buy, fee=self.fees.get(buy.fill_id)) for buy in buys]
        for life in lives:
            if self._has_coin_fee(life.order.request.symbol, life.order.request.side):
                found.setdefault(life.order.request.symbol, []).extend(
                    CoinBuy(fill_id=fill.id, qty=fill.qty, price=fill.price, fee=self.fees.get(fill.id), order_id=life.order.id)
                    for fill in life.fills
                )
        return found

    def awaits_fee(self, order_ids: Container[str] | None = None) -> bool:
        """Tell whether a fee in coin is still to come, of some orders or of any: until then more seems to be held than is."""
        now_ns = self._clock.monotonic_ns()
        return any(
            (order_ids is None or order_id in order_ids) and now_ns - booked_ns < FEE_COMES_NS
            for order_id, booked_ns in self._uncharged_ns.values()
        )

    def net_qty(self, life: OrderLife) -> Decimal:
        """Return what an order's fills left, without what the broker kept of them."""
        return life.order.filled_qty - sum((self.fees.get(fill.id, ZERO) for fill in life.fills), ZERO)

    def _has_coin_fee(self, symbol: str, side: OrderSide) -> bool:
        return self._are_taken and side is OrderSide.BUY and asset_class_of(symbol) is AssetClass.CRYPTO
