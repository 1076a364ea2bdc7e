"""A small market for hand-made cases: hourly bars of X in sessions of four hours, prices on the cent, whole units."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tests.oracle.market import Action, Bar, Instrument, Session
from tests.oracle.orders import Order, Place, Request
from tests.oracle.outcome import Fill, Outcome
from tests.oracle.settings import Settings
from tests.oracle.simulator import simulate

HOUR = 3_600_000_000_000
DAY = 24 * HOUR
# Wednesday, 7 January 2026, 00:00 UTC.
MIDNIGHT = 20_460 * DAY
OPEN = MIDNIGHT + 15 * HOUR
SESSIONS = tuple(Session(OPEN + day * DAY, OPEN + day * DAY + 4 * HOUR) for day in range(10))
X = Instrument(symbol="X", tick=Decimal("0.01"), lot=Decimal(1), sessions=SESSIONS)
COIN = Instrument(symbol="C", asset_class="crypto", tick=Decimal("0.01"), lot=Decimal("0.001"))
Script = Mapping[int, Iterable[Request]]


def d(text: str | int) -> Decimal:
    return Decimal(text)


def at(hour: int, day: int = 0) -> int:
    """The start of the session's bar number `hour`."""
    return OPEN + day * DAY + hour * HOUR


def bar(prices: str, start_ns: int, *, hours: int = 1, symbol: str = "X", volume: str | int = 1000, regular: bool = True) -> Bar:
    """A bar from `open high low close`."""
    first, high, low, last = (Decimal(price) for price in prices.split())
    return Bar(
        symbol=symbol,
        start_ns=start_ns,
        end_ns=start_ns + hours * HOUR,
        open=first,
        high=high,
        low=low,
        close=last,
        volume=Decimal(volume),
        regular=regular,
    )


def hourly(*rows: str, day: int = 0, volume: str | int = 1000, symbol: str = "X") -> list[Bar]:
    """Consecutive bars from the session's open."""
    return [bar(row, at(hour, day), volume=volume, symbol=symbol) for hour, row in enumerate(rows)]


def run(
    bars: list[Bar],
    script: Script | Iterable[Request] | Order,
    *,
    instruments: tuple[Instrument, ...] = (X,),
    start_ns: int = OPEN,
    actions: Iterable[Action] = (),
    **settings: object,
) -> Outcome:
    """`script`: one order, or requests at the start, or requests by decision time. `settings` as of Settings."""
    if isinstance(script, Order):
        script = [Place(script)]
    requests = {time_ns: list(asked) for time_ns, asked in script.items()} if isinstance(script, Mapping) else {start_ns: list(script)}
    return simulate(bars, requests, instruments, start_ns=start_ns, settings=Settings(**settings), actions=actions)  # type: ignore[arg-type]


def told(fills: Iterable[Fill]) -> list[str]:
    """Each fill as `id qty @ price`."""
    return [f"{fill.order_id} {fill.qty.normalize():f} @ {fill.price.normalize():f}" for fill in fills]


def ends(outcome: Outcome) -> dict[str, str]:
    """Each order's last status, with its code where it has one."""
    return {name: order.status if order.code is None else f"{order.status}: {order.code}" for name, order in outcome.orders.items()}
