"""The chart: candles, volume, indicators, trades, equity and drawdown."""
