"""What findings are made from: figures of a run, gathered once."""

from dataclasses import dataclass, field

from core.model.report import DataCoverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Figures of one run. Money as float in the account's currency, shares as fractions; None where a figure is not known."""

    trades: int = 0
    profit: float = 0.0
    """Net of fees, over all round trips."""
    best_trade: float | None = None
    open_profit: float | None = None
    """Of what is still open at the end, at its last close."""
    closed_at_end_profit: float = 0.0
    """Of the round trips that the end of the run closed."""
    total_return: float | None = None
    buy_hold_return: float | None = None
    gain: float | None = None
    """End equity − start equity."""
    exposure: float | None = None
    fees: float = 0.0
    slippage: float = 0.0
    charges: float = 0.0
    """Interest and borrow charges, without what was earned."""
    income: float = 0.0
    """Dividends and interest earned, less those charged and less what borrowing cost; below 0 where the account paid."""
    fills: int = 0
    path_dependent_fills: int = 0
    margin_call_fills: int = 0
    orders: int = 0
    path_dependent_orders: int = 0
    """Left unfilled only because of the path."""
    rejections: dict[str, int] = field(default_factory=dict)
    """By code."""
    month_gains: tuple[float, ...] = ()
    """What equity gained in each month that has points, oldest first."""
    months: tuple[str, ...] = ()
    """Their names, `2014-03`."""
    coverage: DataCoverage | None = None
    bars_done: int = 0
    bars_total: int = 0
    simulated: bool = False
    splits_without_step: tuple[str, ...] = ()
    """Splits that applied though the prices hold them already, as `AAPL 2014-06-09`."""
