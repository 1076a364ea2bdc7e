"""Always holds a position with a target and a stop around it."""

from core.strategy.api import Bar, BarStrategy


class BracketAlways(BarStrategy):
    """Buys when flat, with a bracket of one percent."""

    id = "bracket-always"

    def setup(self) -> None:
        self.last = ""

    def on_bar(self, bar: Bar) -> None:
        if not self.held():
            self.buy(1, target=round(bar.close * 1.01, 2), stop_loss=round(bar.close * 0.99, 2))
