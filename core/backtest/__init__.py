"""Greta: the backtest simulator and its statistics."""
