"""Random runs of minutes, hours and days, narrowed to what a strategy of the product can say."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from tests.oracle.market import Bar, Instrument
from tests.oracle.orders import Cancel, Order, Place, PlaceOco, Replace, Request, Side, TimeInForce
from tests.oracle.scenarios import DAY, HOUR, MONDAY, TICK, Dice, Scenario, Span
from tests.oracle.settings import AlpacaFees

MINUTE: Final = 60_000_000_000
TIMEFRAMES: Final = {"1m": MINUTE, "1h": HOUR, "1d": DAY}
# What the product charges; the reference's own figures are those of another year.
ALPACA: Final = AlpacaFees(
    sec_rate=Decimal("0.0000206"), taf_per_share=Decimal("0.000195"), taf_maximum=Decimal("9.79"), round_up_to_cent=True
)


def wide_scenario(seed: int, timeframe: str) -> Scenario:
    """One to three symbols; brackets with every kind of leg, pairs, replacements; some without tick and lot."""
    return _WideDice(seed, TIMEFRAMES[timeframe]).scenario(8 if timeframe == "1d" else 3, with_actions=True)


class _WideDice(Dice):
    def __init__(self, seed: int, step_ns: int) -> None:
        super().__init__(seed)
        self.step_ns = step_ns
        if step_ns == DAY:
            # A day's bar may be stamped with the midnight of its date.
            self.day_begins = 0
        self.placed: dict[str, Order] = {}
        self.made: dict[str, list[Bar]] = {}

    def scenario(self, days: int, with_actions: bool) -> Scenario:
        made = super().scenario(days, with_actions)
        settings = replace(made.settings, alpaca=ALPACA)
        if self.chance(0.5):
            # An account without nights, and without actions: the product goes through a single symbol in a shorter loop.
            nothing = Decimal(0)
            settings = replace(settings, borrow_rate=nothing, debit_rate=nothing, credit_rate=nothing)
            made = replace(made, actions=[])
        return replace(made, settings=settings)

    def spans(self, instrument: Instrument, days: int, *, late: bool) -> list[Span]:
        if self.step_ns == HOUR:
            return super().spans(instrument, days, late=late)
        if self.step_ns == DAY:
            return self._daily(instrument, days)
        return self._minutes(instrument, days, late=late)

    def bars(self, instrument: Instrument, days: int, *, late: bool) -> list[Bar]:
        made = super().bars(instrument, days, late=late)
        if self.chance(0.15):
            # Prices between two ticks, as adjusted data have them.
            made = [replace(bar, **{name: getattr(bar, name) + TICK / 5 for name in ("open", "high", "low", "close")}) for bar in made]
        self.made[instrument.symbol] = made
        return made

    def _off_centre(self, symbol: str, time_ns: int) -> Decimal:
        """How far, in whole ticks, the symbol is from where orders are drawn: most should be near the market."""
        known = [bar for bar in self.made[symbol] if bar.end_ns <= time_ns]
        return (known[-1].close // TICK - 400) * TICK if known and self.chance(0.7) else Decimal(0)

    def _daily(self, instrument: Instrument, days: int) -> list[Span]:
        if instrument.crypto:
            return [(MONDAY + day * DAY, MONDAY + (day + 1) * DAY, True) for day in range(days)]
        # Some sources stamp a day with its UTC midnight, some with its exchange's.
        stamp = self.random.choice((0, 5 * HOUR))
        return [(session.open_ns // DAY * DAY + stamp, session.close_ns, True) for session in instrument.sessions[:days]]

    def _minutes(self, instrument: Instrument, days: int, *, late: bool) -> list[Span]:
        starts: list[tuple[int, bool]] = []
        if instrument.crypto:
            for day in range(days):
                midnight = MONDAY + (day + 1) * DAY
                starts += [(midnight + at * MINUTE, True) for at in range(-8, 8)]
        for session in instrument.sessions[:days]:
            if late:
                starts += [(session.open_ns + at * MINUTE, False) for at in range(-3, 0)]
            starts += [(session.open_ns + at * MINUTE, True) for at in range(8)]
            starts += [(session.close_ns + at * MINUTE, True) for at in range(-6, 0)]
            if late:
                starts += [(session.close_ns + at * MINUTE, False) for at in range(3)]
        return [(start, start + MINUTE, regular) for start, regular in starts]

    def instruments(self) -> list[Instrument]:
        found = super().instruments()
        if self.chance(0.2):
            return [replace(instrument, tick=None, lot=None) for instrument in found]
        return found

    def request(self, instruments: list[Instrument], time_ns: int, *, late: bool) -> Request | None:
        asked = super().request(instruments, time_ns, late=late)
        match asked:
            case Cancel(name):
                return asked if name in self.placed else None
            case Replace():
                return self._replacement(asked, time_ns)
            case PlaceOco(first, second):
                # A strategy's pair is of one symbol, side and quantity, and for no auction.
                first, second = (self._unauctioned(order) for order in (first, second))
                asked = PlaceOco(first, replace(second, symbol=first.symbol, side=first.side, qty=first.qty))
                self.placed |= {asked.first.id: asked.first, asked.second.id: asked.second}
            case Place(order):
                self.placed |= {each.id: each for each in (order, *order.children)}
        return asked

    def _unauctioned(self, order: Order) -> Order:
        return replace(order, time_in_force="ioc") if order.time_in_force in ("opg", "cls") else order

    def _replacement(self, asked: Replace, time_ns: int) -> Replace | None:
        """A replacement whose figures belong to its order's type; others cannot be asked for."""
        order = self.placed.get(asked.id)
        if order is None:
            return None
        if asked.qty is not None:
            return asked
        if order.type == "trailing_stop":
            return Replace(id=asked.id, trail_price=TICK * self.random.randint(1, 12)) if order.trail_price is not None else None
        wanted = {"limit": ("limit",), "stop": ("stop",), "stop_limit": ("limit", "stop"), "market": ()}[order.type]
        given = "limit" if asked.limit is not None else "stop"
        if given not in wanted:
            return None
        off = self._off_centre(order.symbol, time_ns)
        return replace(asked, limit=_moved(asked.limit, off), stop=_moved(asked.stop, off))

    def gtd_ns(self, time_ns: int) -> int:
        return time_ns + self.random.randint(1, 60) * self.step_ns // 2

    def order(self, instrument: Instrument, time_ns: int, *, late: bool) -> Order:
        made = super().order(instrument, time_ns, late=late)
        if made.extended_hours and made.time_in_force in ("ioc", "fok"):
            made = replace(made, extended_hours=False)
        if instrument.lot is None and self.chance(0.3):
            made = replace(made, qty=made.qty / 8)
        off = self._off_centre(instrument.symbol, time_ns)
        return replace(made, limit=_moved(made.limit, off), stop=_moved(made.stop, off))

    def family(self, order: Order, time_ns: int) -> Order:
        """An entry with a target, a stop or both on their right sides of its own price."""
        side: Side = "sell" if order.side == "buy" else "buy"
        order = replace(order, reduce_only=False)
        entry = order.stop if order.type == "stop" else order.limit
        middle = int((TICK * 400 + self._off_centre(order.symbol, time_ns) if entry is None else entry) / TICK)
        upper, lower = middle + self.random.randint(1, 14), middle - self.random.randint(1, 14)
        target_at, stop_at = (upper, lower) if order.side == "buy" else (lower, upper)
        target = Order(id=f"{order.id}.target", symbol=order.symbol, side=side, type="limit", limit=TICK * target_at)
        stop = Order(id=f"{order.id}.stop", symbol=order.symbol, side=side, type="stop", stop=TICK * stop_at)
        draw = self.random.random()
        if draw < 0.25:
            stop = replace(stop, type="stop_limit", limit=TICK * (stop_at + self.random.randint(-3, 3)))
        elif draw < 0.5:
            stop = replace(stop, type="trailing_stop", stop=None, trail_price=TICK * self.random.randint(1, 10))
        elif draw < 0.6:
            stop = replace(stop, type="trailing_stop", stop=None, trail_percent=Decimal(self.random.randint(1, 3)))
        legs = self.random.choice(((target, stop), (target, stop), (target, stop), (target,), (stop,)))
        return replace(order, children=tuple(self._leg_life(leg, time_ns) for leg in legs))

    def _leg_life(self, leg: Order, time_ns: int) -> Order:
        lives: tuple[TimeInForce | None, ...] = (None, None, None, "day", "gtc", "gtd")
        life = self.random.choice(lives)
        return replace(leg, time_in_force=life, gtd_ns=self.gtd_ns(time_ns) if life == "gtd" else None)


def _moved(price: Decimal | None, off: Decimal) -> Decimal | None:
    return None if price is None else max(TICK, price + off)


def bars_by_symbol(scenario: Scenario) -> dict[str, list[Bar]]:
    """Each symbol's bars, oldest first, in the run's order of symbols; a symbol may have none."""
    found: dict[str, list[Bar]] = {instrument.symbol: [] for instrument in scenario.instruments}
    for bar in sorted(scenario.bars, key=lambda bar: bar.start_ns):
        found[bar.symbol].append(bar)
    return found
