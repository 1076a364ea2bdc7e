"""Random runs that can be repeated from their seed: coarse prices, so that much happens at one point."""

from dataclasses import dataclass
from decimal import Decimal
from random import Random

from tests.oracle.market import Action, Bar, Dividend, Instrument, Session, Split
from tests.oracle.orders import Cancel, Order, OrderType, Place, PlaceOco, Replace, Request, Script, Side, TimeInForce, bracket
from tests.oracle.settings import Settings

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
# Monday, 5 January 2026, 00:00 UTC. New York is UTC-5: sessions from 14:30 to 21:00.
MONDAY = 20_458 * DAY
OPENING = 14 * HOUR + HOUR // 2
CLOSING = 21 * HOUR
SESSIONS = tuple(Session(MONDAY + day * DAY + OPENING, MONDAY + day * DAY + CLOSING) for day in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11))
TICK = Decimal("0.25")
Span = tuple[int, int, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What `simulate` takes."""

    bars: list[Bar]
    script: Script
    instruments: list[Instrument]
    settings: Settings
    actions: list[Action]
    start_ns: int


def scenario(seed: int, *, days: int = 3, with_actions: bool = True) -> Scenario:
    """One to three symbols over some days of hourly bars, an order or two at most times."""
    return Dice(seed).scenario(days, with_actions)


class Dice:
    """Draws one run; what a wider kind of run draws otherwise, it overrides."""

    # Where the exchange's day begins, after midnight UTC.
    day_begins = 5 * HOUR

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.number = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, *choices: str) -> str:
        return self.random.choice(choices)

    def scenario(self, days: int, with_actions: bool) -> Scenario:
        instruments = self.instruments()
        late = self.chance(0.3)
        bars = [bar for instrument in instruments for bar in self.bars(instrument, days, late=late)]
        times = sorted({MONDAY} | {bar.end_ns for bar in bars})
        script: Script = {}
        for time_ns in times:
            if self.chance(0.5):
                asked = [self.request(instruments, time_ns, late=late) for _ in range(self.random.choice((1, 1, 2, 3)))]
                script[time_ns] = [request for request in asked if request is not None]
        stocks = [instrument for instrument in instruments if not instrument.crypto]
        actions = self._actions(stocks, days) if with_actions and self.chance(0.3) else []
        return Scenario(bars=bars, script=script, instruments=instruments, settings=self._settings(), actions=actions, start_ns=MONDAY)

    def instruments(self) -> list[Instrument]:
        """One or two stocks, sometimes a coin."""
        stocks = [
            Instrument(symbol=name, tick=TICK, lot=Decimal(1), sessions=SESSIONS, hard_to_borrow=self.chance(0.1))
            for name in ("AAA", "BBB")[: self.random.choice((1, 1, 2))]
        ]
        coins = [Instrument(symbol="COIN/USD", asset_class="crypto", tick=TICK, lot=Decimal("0.5"))] if self.chance(0.3) else []
        return stocks + coins

    def _settings(self) -> Settings:
        return Settings(
            cash=Decimal(self.random.choice((1_000, 5_000, 100_000))),
            account=self.random.choice(("cash", "margin")),
            path=self.random.choice(("adaptive", "ohlc", "olhc", "pessimistic", "optimistic")),
            slippage=self.pick("none", "none", "bps:20", "spread:30", "volume:0.1"),
            fees=self.pick("none", "bps:10", "bps:10:1", "per-share:0.05:1:2", "per-trade:1", "alpaca"),
            volume_cap=self.random.choice((None, None, Decimal("0.1"))),
            trade_through=self.chance(0.2),
            borrow_rate=Decimal("0.05"),
            debit_rate=Decimal("0.08"),
            credit_rate=Decimal("0.03"),
            close_at_end=self.chance(0.3),
        )

    def spans(self, instrument: Instrument, days: int, *, late: bool) -> list[Span]:
        """Start, end and regularity of the bars that may exist, oldest first."""
        spans: list[Span] = []
        if instrument.crypto:
            spans = [(MONDAY + hour * HOUR, MONDAY + (hour + 1) * HOUR, True) for hour in range(days * 24)]
        for session in instrument.sessions[:days]:
            if late:
                spans.append((session.open_ns - HOUR, session.open_ns, False))
            hours = range(session.open_ns, session.close_ns, HOUR)
            spans += [(start, min(start + HOUR, session.close_ns), True) for start in hours]
            if late:
                spans.append((session.close_ns, session.close_ns + HOUR, False))
        return spans

    def bars(self, instrument: Instrument, days: int, *, late: bool) -> list[Bar]:
        """The bars of one symbol, oldest first."""
        level = 400
        # Wild markets are for margin calls.
        reach = self.random.choice((12, 12, 80))
        bars = []
        for start_ns, end_ns, regular in self.spans(instrument, days, late=late):
            first = max(100, level + self.random.choice((0, 0, 0, -reach // 2, reach // 2)))
            high = first + self.random.randint(0, reach)
            low = max(60, first - self.random.randint(0, reach))
            level = self.random.randint(low, high)
            if self.chance(0.1):
                continue
            prices = {"open": TICK * first, "high": TICK * high, "low": TICK * low, "close": TICK * level}
            volume = Decimal(self.random.choice((0, 40, 100, 155, 1000)))
            bars.append(Bar(symbol=instrument.symbol, start_ns=start_ns, end_ns=end_ns, volume=volume, regular=regular, **prices))
        return bars

    def _actions(self, stocks: list[Instrument], days: int) -> list[Action]:
        actions: list[Action] = []
        for stock in stocks:
            day_ns = MONDAY + self.random.randrange(-1, days) * DAY + self.day_begins
            if self.chance(0.5):
                actions.append(Dividend(symbol=stock.symbol, day_ns=day_ns, amount=Decimal("0.35")))
            if self.chance(0.5):
                actions.append(Split(symbol=stock.symbol, day_ns=day_ns, ratio=self.random.choice((Decimal(2), Decimal("0.25")))))
        return actions

    def request(self, instruments: list[Instrument], time_ns: int, *, late: bool) -> Request | None:
        """One thing asked for at a decision; None: nothing after all."""
        draw = self.random.random()
        if draw < 0.08 and self.number:
            return Cancel(self._earlier())
        if draw < 0.16 and self.number:
            price = self._price()
            return self.random.choice(
                (
                    Replace(id=self._earlier(), qty=Decimal(self.random.randint(1, 12))),
                    Replace(id=self._earlier(), limit=price),
                    Replace(id=self._earlier(), stop=price),
                )
            )
        instrument = self.random.choice(instruments)
        order = self.order(instrument, time_ns, late=late)
        if draw < 0.36 and not order.extended_hours:
            return Place(self.family(order, time_ns))
        if draw < 0.44:
            return PlaceOco(order, self.order(instrument, time_ns, late=late))
        return Place(order)

    def _earlier(self) -> str:
        return f"o{self.random.randint(max(1, self.number - 6), self.number)}" + self.pick("", "", ".target", ".stop")

    def _price(self) -> Decimal:
        return TICK * (400 + self.random.randint(-24, 24))

    def gtd_ns(self, time_ns: int) -> int:
        """When an order decided now, good till a date, ends."""
        return time_ns + self.random.randint(1, 30) * HOUR

    def order(self, instrument: Instrument, time_ns: int, *, late: bool) -> Order:
        """One order of any kind, without a family."""
        self.number += 1
        side: Side = self.random.choice(("buy", "buy", "sell"))
        kinds: tuple[OrderType, ...] = ("market", "market", "limit", "limit", "stop", "stop_limit", "trailing_stop")
        kind = self.random.choice(kinds)
        lives: tuple[TimeInForce | None, ...] = (None, None, "day", "gtc", "gtc", "ioc", "fok", "gtd")
        if kind in ("market", "limit") and not instrument.crypto:
            lives = (*lives, "opg", "cls")
        life = self.random.choice(lives)
        by_price = self.chance(0.5)
        trailing = kind == "trailing_stop"
        return Order(
            id=f"o{self.number}",
            symbol=instrument.symbol,
            side=side,
            qty=Decimal(self.random.randint(1, 20)),
            type=kind,
            limit=self._price() if kind in ("limit", "stop_limit") else None,
            stop=self._price() if kind in ("stop", "stop_limit") else None,
            trail_price=TICK * self.random.randint(1, 12) if trailing and by_price else None,
            trail_percent=Decimal(self.random.randint(1, 3)) if trailing and not by_price else None,
            time_in_force=life,
            gtd_ns=self.gtd_ns(time_ns) if life == "gtd" else None,
            reduce_only=self.chance(0.1),
            extended_hours=late and kind == "limit" and life not in ("opg", "cls") and self.chance(0.3),
        )

    def family(self, order: Order, time_ns: int) -> Order:
        """The order as the parent of a bracket."""
        low, high = sorted(self.random.sample(range(380, 421), 2))
        target, stop = (high, low) if order.side == "buy" else (low, high)
        stop_limit = TICK * (stop + self.random.randint(-3, 3)) if self.chance(0.3) else None
        return bracket(order, take_profit=TICK * target, stop_loss=TICK * stop, stop_loss_limit=stop_limit)
