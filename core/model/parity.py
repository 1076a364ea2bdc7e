"""How a paper or live run compares with a backtest over the very bars it saw."""

import msgspec

from core.model.verification import Difference


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """Decision by decision, then fill by fill. Times in seconds, slippage in basis points, above zero when it cost money.

    `causes`: why it could not be replayed; `divergence`: the first decision that is not the same. `same`: decisions before it.
    """

    run_id: str
    causes: tuple[Difference, ...] = ()
    decisions: int = 0
    replayed: int = 0
    same: int = 0
    divergence: Difference | None = None
    matched_on: str = ""
    """Timeframe of the bars that Greta's orders met: the minutes that the run was told, where they were recorded."""
    fills: int = 0
    replayed_fills: int = 0
    fill_divergence: Difference | None = None
    """The first order of the run of which Greta fills another quantity."""
    compared_fills: int = 0
    """Orders that filled in both."""
    slippage_bps: float | None = None
    """Mean over the compared fills: the run's price against Greta's."""
    worst_slippage_bps: float | None = None
    delay_s: float | None = None
    """Mean over the market orders among them, from the decision to the last fill: other orders wait for their price."""
    worst_delay_s: float | None = None

    @property
    def is_same(self) -> bool:
        """Whether it was replayed, and every decision is the same."""
        return not self.causes and self.divergence is None
