"""Symbols in file names."""

import pytest

from core.data.file_name import symbol_in


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("spy-1d-yahoo.csv", "SPY"),
        ("AAPL.csv", "AAPL"),
        ("btcusd-1m-2014.csv.gz", "BTC/USD"),
        ("eurusd-1h.csv", "EUR/USD"),
        ("BTC-USD.csv", "BTC/USD"),
        ("Binance_BTCUSDT_1h.csv", "BTC/USDT"),
        ("EURUSD_Candlestick_1_M_BID.csv", "EUR/USD"),
        ("sp500-1m-nov2019.csv", "SP500"),
        ("2019.csv", None),
        ("...", None),
        ("", None),
    ],
)
def test_a_file_name_suggests_a_symbol(name: str, symbol: str | None) -> None:
    assert symbol_in(name) == symbol
