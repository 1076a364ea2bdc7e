"""What an account holds, by owner: the person, each run, and what no order of ours bought."""

import hashlib
from decimal import Decimal

from core.errors import UnknownName
from core.model.hand import OUTSIDE
from core.model.money import ZERO
from core.model.order import OrderSide
from core.model.run import BY_HAND
from core.trading.state import AccountState


class Holdings:
    """Those of one account. `hand_run_id` holds a person's own."""

    def __init__(self, state: AccountState) -> None:
        self._state = state

    @property
    def hand_run_id(self) -> str:
        """The run that holds a person's orders here, whether the account is open for one or not."""
        return self._state.hand_run_id or run_id_of(self._state.key)

    def outside(self) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """Return what is held outside and by hand, by symbol, where a person who closed an outside position has closed it."""
        book = self._state.books.get(self.hand_run_id)
        outside, by_hand = dict(self._state.outside), {} if book is None else dict(book.positions())
        for symbol in outside.keys() & by_hand.keys():
            one, other = outside[symbol], by_hand[symbol]
            if one * other < 0:
                both = min(abs(one), abs(other))
                outside[symbol] = one - both if one > 0 else one + both
                by_hand[symbol] = other - both if other > 0 else other + both
        return outside, by_hand

    def of(self, symbol: str, owner_id: str) -> Decimal:
        """Return what an owner holds, signed. Raises UnknownName."""
        outside, by_hand = self.outside()
        if owner_id == OUTSIDE:
            return outside.get(symbol, ZERO)
        if owner_id == self.hand_run_id:
            return by_hand.get(symbol, ZERO)
        if owner_id not in self._state.books:
            raise UnknownName("owner of a position", owner_id, (OUTSIDE, *self._state.books))
        return self._state.to_close().get((owner_id, symbol), ZERO)

    def to_close(self, run_id: str, symbol: str, side: OrderSide) -> Decimal:
        """Return how many units orders of a run on a side can close; a person closes what is held outside, too."""
        owners = (run_id, OUTSIDE) if run_id == self.hand_run_id else (run_id,)
        return max(ZERO, -side.sign * sum((self.of(symbol, one) for one in owners), ZERO))


def run_id_of(account_key: str) -> str:
    """Return the id of the run that holds a person's orders at an account: always the same, so that there is one."""
    return hashlib.sha256(f"{BY_HAND} {account_key}".encode()).hexdigest()[:12]
