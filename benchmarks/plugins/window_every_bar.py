"""Asks for a window at each bar and does nothing with it: what the base contract itself costs."""

from core.strategy.api import Actions, FetchWindow, Strategy, Tick, Window


class WindowEveryBar(Strategy):
    """Never trades."""

    id = "window-every-bar"

    def on_tick(self, tick: Tick) -> Actions:
        return FetchWindow(tick.symbols[0], 30)

    def on_data(self, window: Window) -> Actions:
        return None
