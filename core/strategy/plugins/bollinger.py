"""A bid at the lower Bollinger band, an offer at the middle one."""

from core.strategy.api import Bar, BarStrategy, bollinger_lower, bollinger_middle, equity_share, param


class BollingerBids(BarStrategy):
    """Bollinger bids.

    Keeps a limit order to buy at the lower Bollinger band while it is flat, and one to sell all at the middle band while
    it holds something; both follow their bands from bar to bar. It gives up `patience` bars after it bought, at the
    next open. Long only.
    """

    id = "bollinger-bids"
    version = "1"

    period: int = param(20, minimum=2, maximum=5_000, help="Bars in the bands.")
    width: float = param(2.0, minimum=0.1, maximum=10.0, help="Standard deviations from the middle band to the lower one.")
    patience: int = param(20, minimum=1, maximum=10_000, help="Bars to wait for the middle band.")
    share: float = param(0.8, minimum=0.01, maximum=1.0, help="Share of equity to bid for.")
    digits: int = param(2, minimum=0, maximum=8, help="Decimals of the prices it asks for.")

    def warmup_bars(self) -> int:
        return self.period

    def setup(self) -> None:
        self.lower = self.indicator(bollinger_lower, self.close, self.period, self.width, name="lower band")
        self.middle = self.indicator(bollinger_middle, self.close, self.period, name="middle band")
        self.bid = self.offer = ""
        self.asked = self.began = 0.0
        self.waited = 0

    def on_bar(self, bar: Bar) -> None:
        if not self.lower.value > 0:  # below zero, or nan while there are too few bars
            return
        working = self.account.working()
        held = self.held()
        if held == 0:
            self.waited = 0
            price = round(self.lower.value, self.digits)
            if self.bid in working and price > 1.05 * self.began:
                self.cancel(self.bid, note=f"the band rose to {price:g}: another bid for fewer units")
            elif self.bid in working:
                self.follow(self.bid, price, "lower")
            elif price > 0:
                self.asked = self.began = price
                self.bid = self.buy(equity_share(self.share), limit=price, time_in_force="gtc", note=f"bid at the lower band, {price:g}")
            return
        if self.bid in working:
            self.cancel(self.bid, note="a part of it is bought")
        self.waited += 1
        price = round(self.middle.value, self.digits)
        if self.waited == self.patience + 1:
            self.cancel_all(note="the middle band did not come")
            self.close_position(note=f"held for {self.patience} bars")
        elif self.waited <= self.patience and self.offer in working:
            self.follow(self.offer, price, "middle")
        elif self.waited <= self.patience:
            self.asked = price
            note = f"offer at the middle band, {price:g}"
            self.offer = self.sell(held, limit=price, time_in_force="gtc", reduce_only=True, note=note)

    def follow(self, ref: str, price: float, band: str) -> None:
        """Move a working order to its band, if that moved."""
        if price != self.asked and price > 0:
            self.asked = price
            self.replace(ref, limit=price, note=f"the {band} band is at {price:g}")
