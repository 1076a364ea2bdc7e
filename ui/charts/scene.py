"""Everything a chart shows and how it is looked at, without a widget."""

from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from ui.charts.curve import EquityCurve
from ui.charts.data import ChartData, DrawnLine, FillMarks, OrderLine, TradeMarks, panes_of
from ui.charts.layout import DRAWDOWN, EQUITY, PRICE
from ui.charts.marks import FillIndex, TradeIndex
from ui.charts.viewport import TimeView


@dataclass(slots=True, kw_only=True)
class Scene:
    """The state a picture is made from. `manual`: value ranges that the reader set, by pane; the others fit what is in view."""

    data: ChartData | None = None
    title: str = ""
    decimals: int = 2
    lines: list[DrawnLine] = field(default_factory=list)
    trades: TradeIndex | None = None
    fills: FillIndex | None = None
    by_hand: FillIndex | None = None
    """A person's own fills."""
    orders: tuple[OrderLine, ...] = ()
    """What waits for a price."""
    equity: EquityCurve | None = None
    view: TimeView = field(default_factory=lambda: TimeView(0.0, 100.0, 100))
    manual: dict[str, tuple[float, float]] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    log: bool = False
    zone: tzinfo = UTC
    highlight: tuple[int, int] | None = None
    """First and last slot of a trade that is pointed out."""

    def is_empty(self) -> bool:
        """Whether there is no bar to draw."""
        return self.data is None or len(self.data) == 0

    def pane_names(self) -> list[str]:
        """Return the panes from top to bottom."""
        own = [name for name in panes_of(self.lines) if name not in {EQUITY, DRAWDOWN}]
        return [PRICE, *own, *([EQUITY, DRAWDOWN] if self.equity is not None else [])]

    def set_trades(self, trades: TradeMarks) -> None:
        """Show these round trips."""
        self.trades = TradeIndex(trades, self.data.timeline) if self.data is not None and len(trades) else None
        self.highlight = None

    def set_fills(self, fills: FillMarks) -> None:
        """Show these single fills."""
        self.fills = FillIndex(fills, self.data.timeline) if self.data is not None and len(fills) else None

    def set_by_hand(self, fills: FillMarks) -> None:
        """Show these fills of a person's own orders."""
        self.by_hand = FillIndex(fills, self.data.timeline) if self.data is not None and len(fills) else None
