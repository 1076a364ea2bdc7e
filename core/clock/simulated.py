"""The clock of a backtest: its time is the end of the newest bar."""


class SimulatedClock:
    """Tells the simulated instant, UTC ns. Whoever drives the run sets `instant_ns`; it never goes back."""

    __slots__ = ("instant_ns",)

    def __init__(self, start_ns: int) -> None:
        self.instant_ns = start_ns

    def now_ns(self) -> int:
        """Return the simulated instant."""
        return self.instant_ns
