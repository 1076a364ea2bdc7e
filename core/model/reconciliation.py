"""What a comparison with a broker found, and what became of it."""

import msgspec


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A difference between our books and the broker's, in a sentence. `what` and `healing` are stable words."""

    what: str
    healing: str
    symbol: str
    reason: str
    order_id: str | None = None


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """An account after it was compared. `is_new`: it was met for the first time, and what it held is nobody's of ours."""

    account: str
    differences: tuple[Found, ...]
    unhealed: tuple[Found, ...]
    """Those of them that nothing healed."""
    is_new: bool
    orders: int
    """Of ours that work there."""
