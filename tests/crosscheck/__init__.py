"""The simulator against backtesting.py, an engine that others wrote, on real bars."""
