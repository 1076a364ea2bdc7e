"""The simulated market: the same everywhere, consistent, and like a real one where it matters."""

import hashlib

import numpy as np
import pytest

from core.clock.calendar import regular_bars, sessions
from core.data.checks import Table, check_order, check_prices
from core.data.simulated import MARKETS, SIMULATED, SimulatedMarket
from core.model.instants import MINUTE_NS, parse_instant
from core.model.market import AssetClass, BarSeries, asset_class_of

MADE = {market.key.symbol: market.make() for market in MARKETS}
DIGESTS = {
    "DEMO": "bb575ee7feb0ee030867767f509ed129442206d60c5dd65f7e48ce5174dab955",
    "DEMO-B": "b4d706113e98078aa970731bf95cf121539e3b40f2dbf543d13cf898a2c5fe8f",
    "DEMO/USD": "57b2de321afec702e56a08b29382a738c6d6691467f3cc66a49cd33df48e22b1",
}


def digest(bars: BarSeries) -> str:
    return hashlib.sha256(b"".join(column.tobytes() for column in (bars.start_ns, *bars.columns()))).hexdigest()


def test_it_is_the_same_on_every_machine() -> None:
    assert {symbol: digest(bars) for symbol, bars in MADE.items()} == DIGESTS


@pytest.mark.parametrize("market", MARKETS, ids=list(MADE))
def test_its_bars_are_consistent(market: SimulatedMarket) -> None:
    bars = MADE[market.key.symbol]
    names = ("open", "high", "low", "close", "volume")
    columns = dict(zip(names, bars.columns(), strict=True))
    table = Table(lines=np.arange(len(bars)), time_ns=bars.start_ns, reason=np.zeros(len(bars), np.uint8), details={}, **columns)
    check_prices(table)
    check_order(table)
    assert not table.reason.any()
    assert (bars.volume > 0).all()
    assert (np.rint(bars.close * 100) / 100 == bars.close).all()


def test_it_is_labelled_as_simulated() -> None:
    assert all(market.key.source == SIMULATED == "simulated" for market in MARKETS)
    assert all(market.key.symbol.startswith("DEMO") for market in MARKETS)
    assert [asset_class_of(symbol) for symbol in MADE] == [AssetClass.EQUITY, AssetClass.EQUITY, AssetClass.CRYPTO]


def test_shares_trade_in_the_sessions_of_the_exchange() -> None:
    bars = MADE["DEMO"]
    assert regular_bars(bars.start_ns, MINUTE_NS, AssetClass.EQUITY).all()
    table = sessions()
    first, last = parse_instant("2025-09-02"), parse_instant("2026-01-01")
    opens = table.opens[(table.opens >= first) & (table.opens < last)]
    # Every session begins with its first minute, half days and winter time included.
    assert np.isin(opens, bars.start_ns).all()
    assert len(opens) == 85
    assert ((table.closes - table.opens)[(table.opens >= first) & (table.opens < last)] == 210 * MINUTE_NS).sum() == 2


def test_it_has_what_strategies_meet_in_real_markets() -> None:
    for symbol, bars in MADE.items():
        moves = np.diff(np.log(bars.close))[np.diff(bars.start_ns) == MINUTE_NS]
        size = np.abs(moves)
        assert ((moves - moves.mean()) ** 4).mean() / moves.var() ** 2 > 5, f"{symbol} has no fat tails"
        assert np.corrcoef(size[:-30], size[30:])[0, 1] > 0.08, f"{symbol} has no clusters"
        assert (np.diff(bars.start_ns) > MINUTE_NS).any(), f"{symbol} has no gaps"
        assert bars.close.max() < 2 * bars.close.min(), f"{symbol} runs away"
    demo, pair = MADE["DEMO"], MADE["DEMO-B"]
    both, mine, theirs = np.intersect1d(demo.start_ns, pair.start_ns, return_indices=True)
    together = np.corrcoef(np.diff(demo.close[mine]), np.diff(pair.close[theirs]))[0, 1]
    assert len(both) > 30_000
    assert together > 0.8


def test_volume_is_high_at_the_open_and_the_close() -> None:
    bars = MADE["DEMO"]
    minute = (bars.start_ns - parse_instant("2025-09-02T13:30")) % (24 * 60 * MINUTE_NS) // MINUTE_NS
    summer = bars.start_ns < parse_instant("2025-11-02")
    mean = [bars.volume[summer & (minute >= first) & (minute < first + 30)].mean() for first in (0, 180, 360)]
    assert mean[0] > 2 * mean[1]
    assert mean[2] > 2 * mean[1]
