"""What of the table of trades never gives way fits into its panel in a small window with large text."""

from core.views.positions import TradeTable

PANEL = 840
"""Pixels beside the scroll bar, in a window of 1280 × 800."""


def test_what_stays_fits_at_125_percent() -> None:
    staying = [column for column in TradeTable.columns if not column.hidden and not column.gives_way]
    assert [column.key for column in staying] == ["exit", "symbol", "side", "qty", "entry_price", "exit_price", "pnl", "return"]
    assert sum(round(column.width * 15 / 12) for column in staying) <= PANEL
