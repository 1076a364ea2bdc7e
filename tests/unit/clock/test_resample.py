"""Larger bars: their prices, when they begin, and when they are known."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from core.clock import calendar
from core.clock.resample import larger_timeframe, resampled
from core.errors import InvalidValue
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, iso, to_ns
from core.model.market import AssetClass, BarSeries, Instants, Timeframe

NEW_YORK = ZoneInfo("America/New_York")


def bars(symbol: str, timeframe: str, starts: list[int] | Instants, seed: int = 1) -> BarSeries:
    generator = np.random.default_rng(seed)
    count = len(starts)
    close = np.round(100.0 + np.cumsum(generator.normal(0.0, 0.3, count)), 2)
    opening = np.round(close + generator.normal(0.0, 0.2, count), 2)
    high, low = np.maximum(opening, close) + 0.1, np.minimum(opening, close) - 0.1
    volume = generator.integers(0, 1_000, count).astype(np.float64)
    return BarSeries.from_columns(symbol, Timeframe.parse(timeframe), np.asarray(starts, np.int64), opening, high, low, close, volume)


def every(step_ns: int, first: str, last: str) -> Instants:
    return np.arange(at(first), at(last), step_ns, dtype=np.int64)


def at(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return to_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def local(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK))


def larger(series: BarSeries, timeframe: str, asset_class: AssetClass = AssetClass.EQUITY) -> tuple[list[str], list[str]]:
    built, ends = resampled(series, Timeframe.parse(timeframe), asset_class)
    assert str(built.timeframe) == timeframe
    assert built.symbol == series.symbol
    return [iso(start) for start in built.start_ns.tolist()], [iso(end) for end in ends.tolist()]


# --- values ---


@pytest.mark.parametrize(("timeframe", "rule"), [("5m", "5min"), ("1h", "1h"), ("4h", "4h"), ("1d", "1D"), ("1w", "W-MON")])
def test_crypto_bars_are_those_of_pandas(timeframe: str, rule: str) -> None:
    starts = every(MINUTE_NS, "2024-02-27T22:13", "2024-03-12T07:00")
    kept = np.random.default_rng(3).random(len(starts)) > 0.4  # gaps, some longer than the larger bars
    kept[3_000:3_900] = False
    series = bars("BTC/USD", "1m", starts[kept])
    frame = pd.DataFrame(dict(zip("ohlcv", series.columns(), strict=True)), index=pd.to_datetime(series.start_ns, utc=True))
    expected = frame.resample(rule, closed="left", label="left").agg({"o": "first", "h": "max", "l": "min", "c": "last", "v": "sum"})
    expected = expected[expected["o"].notna()]
    built, ends = resampled(series, Timeframe.parse(timeframe), AssetClass.CRYPTO)
    length_ns = Timeframe.parse(timeframe).ns
    complete = expected[expected.index.as_unit("ns").asi8 + length_ns <= series.start_ns[-1] + MINUTE_NS]
    assert len(built) == len(complete) > 0
    assert built.start_ns.tolist() == complete.index.as_unit("ns").asi8.tolist()
    for column, name in zip(built.columns(), "ohlcv", strict=True):
        assert column.tolist() == complete[name].tolist()
    assert ends.tolist() == (built.start_ns + length_ns).tolist()


def test_a_length_that_does_not_divide_the_day_begins_anew_at_midnight() -> None:
    series = bars("BTC/USD", "1h", every(HOUR_NS, "2024-03-01", "2024-03-03"))
    starts, ends = larger(series, "10h", AssetClass.CRYPTO)
    assert starts == [f"2024-03-{day}T{hour}:00:00Z" for day in ("01", "02") for hour in ("00", "10", "20")]
    assert ends[2] == "2024-03-02T00:00:00Z"


def test_a_week_begins_on_monday() -> None:
    series = bars("BTC/USD", "1d", every(DAY_NS, "2024-03-01", "2024-03-20"))
    assert larger(series, "1w", AssetClass.CRYPTO) == (
        ["2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z", "2024-03-11T00:00:00Z"],
        ["2024-03-04T00:00:00Z", "2024-03-11T00:00:00Z", "2024-03-18T00:00:00Z"],
    )


def test_a_currencys_week_without_weekend_bars_is_known_on_monday() -> None:
    starts = [
        start for start in every(HOUR_NS, "2024-03-04", "2024-03-12").tolist() if datetime.fromtimestamp(start // 10**9, UTC).weekday() < 5
    ]
    assert larger(bars("EUR/USD", "1h", starts), "1w", AssetClass.CURRENCY) == (["2024-03-04T00:00:00Z"], ["2024-03-11T00:00:00Z"])


# --- equities ---


def session(day: str, minutes: int = 390, *, step: int = 1) -> list[int]:
    opening = local(f"{day}T09:30")
    return [opening + minute * MINUTE_NS for minute in range(0, minutes, step)]


def test_four_hours_of_a_session_begin_at_its_open_and_end_at_its_close() -> None:
    series = bars("SPY", "1m", session("2024-07-02"))
    assert larger(series, "4h") == (
        ["2024-07-02T13:30:00Z", "2024-07-02T17:30:00Z"],
        ["2024-07-02T17:30:00Z", "2024-07-02T20:00:00Z"],
    )


def test_a_half_day_ends_early() -> None:
    series = bars("SPY", "1m", session("2024-07-03", 210))
    assert larger(series, "4h") == (["2024-07-03T13:30:00Z"], ["2024-07-03T17:00:00Z"])
    assert larger(series, "1d") == (["2024-07-03T00:00:00Z"], ["2024-07-03T17:00:00Z"])


@pytest.mark.parametrize(
    ("days", "opens"),
    [
        (("2024-03-08", "2024-03-11"), ["2024-03-08T14:30:00Z", "2024-03-11T13:30:00Z"]),
        (("2024-11-01", "2024-11-04"), ["2024-11-01T13:30:00Z", "2024-11-04T14:30:00Z"]),
    ],
)
def test_the_open_follows_daylight_saving(days: tuple[str, str], opens: list[str]) -> None:
    series = bars("SPY", "30m", session(days[0], step=30) + session(days[1], step=30))
    starts, _ = larger(series, "2h")
    assert starts[::4] == opens
    assert len(starts) == 8


def test_daily_and_weekly_bars_are_stamped_and_known_like_stored_ones() -> None:
    days = ["2024-03-25", "2024-03-26", "2024-03-27", "2024-03-28", "2024-04-01", "2024-04-02"]  # Good Friday is no session
    series = bars("SPY", "5m", [start for day in days for start in session(day, step=5)])
    for timeframe in ("1d", "1w"):
        built, ends = resampled(series, Timeframe.parse(timeframe), AssetClass.EQUITY)
        assert ends.tolist() == calendar.bar_ends(built.start_ns, built.timeframe.ns, AssetClass.EQUITY).tolist()
    assert larger(series, "1d")[0] == [f"{day}T00:00:00Z" for day in days]
    assert larger(series, "1w") == (["2024-03-25T00:00:00Z"], ["2024-03-28T20:00:00Z"])


@pytest.mark.parametrize("stamp", ["00:00+00:00", "00:00-04:00"])
def test_weeks_are_built_from_daily_bars_however_stamped(stamp: str) -> None:
    series = bars("SPY", "1d", [at(f"2024-06-{day}T{stamp}") for day in (10, 11, 12, 13, 14, 17)])
    built, ends = resampled(series, Timeframe.parse("1w"), AssetClass.EQUITY)
    assert [iso(start) for start in built.start_ns.tolist()] == ["2024-06-10T00:00:00Z"]
    assert [iso(end) for end in ends.tolist()] == ["2024-06-14T20:00:00Z"]
    assert (built.open[0], built.close[0]) == (series.open[0], series.close[4])
    assert (built.high[0], built.low[0], built.volume[0]) == (series.high[:5].max(), series.low[:5].min(), series.volume[:5].sum())


def test_bars_outside_regular_hours_are_left_out_but_show_that_the_day_is_over() -> None:
    opening = local("2024-07-02T09:30")
    early = [opening - minute * MINUTE_NS for minute in (90, 60, 30)]
    late = [opening + minute * MINUTE_NS for minute in (390, 420)]
    regular = session("2024-07-02", 360, step=30)  # the last bar of the session is missing
    all_day = bars("SPY", "30m", early + regular + late)
    built, ends = resampled(all_day, Timeframe.parse("1d"), AssetClass.EQUITY)
    assert built.open.tolist() == [all_day.open[3]]
    assert built.close.tolist() == [all_day.close[3 + len(regular) - 1]]
    assert iso(int(ends[0])) == "2024-07-02T20:00:00Z"
    assert larger(bars("SPY", "30m", early + regular), "1d") == ([], [])
    assert larger(bars("SPY", "30m", early), "1h") == ([], [])


def test_a_bar_that_reaches_beyond_its_interval_is_not_known_before_it_ends() -> None:
    # Hours on the clock and not on the session: the one from 11:00 to 12:00 starts inside 9:30 to 11:30.
    hours = [local(f"2024-07-02T{hour}:00") for hour in range(10, 16)]
    starts, ends = larger(bars("SPY", "1h", hours), "2h")
    assert starts == ["2024-07-02T13:30:00Z", "2024-07-02T15:30:00Z", "2024-07-02T17:30:00Z"]
    assert ends == ["2024-07-02T16:00:00Z", "2024-07-02T18:00:00Z", "2024-07-02T20:00:00Z"]


# --- when they are known ---


@pytest.mark.parametrize(
    ("symbol", "asset_class", "timeframe"),
    [
        ("BTC/USD", AssetClass.CRYPTO, "1h"),
        ("BTC/USD", AssetClass.CRYPTO, "1d"),
        ("SPY", AssetClass.EQUITY, "4h"),
        ("SPY", AssetClass.EQUITY, "1w"),
    ],
)
def test_on_a_shorter_history_the_larger_bars_are_the_first_ones(symbol: str, asset_class: AssetClass, timeframe: str) -> None:
    starts = every(15 * MINUTE_NS, "2024-06-27T03:00", "2024-07-12")
    series = bars(symbol, "15m", starts[np.random.default_rng(5).random(len(starts)) > 0.3])
    whole, ends = resampled(series, Timeframe.parse(timeframe), asset_class)
    own_ends = calendar.bar_ends(series.start_ns, series.timeframe.ns, asset_class)
    assert (np.diff(ends) > 0).all()
    for cut in range(0, len(series), 37):
        part, part_ends = resampled(series.slice(0, cut), Timeframe.parse(timeframe), asset_class)
        known = int((ends <= own_ends[:cut].max(initial=0)).sum())
        assert part_ends.tolist() == ends[:known].tolist()
        for column, full in zip(part.columns(), whole.columns(), strict=True):
            assert column.tolist() == full[:known].tolist()


def test_the_last_bar_appears_only_when_its_interval_is_over() -> None:
    starts = every(MINUTE_NS, "2024-03-01T10:00", "2024-03-01T12:00")
    assert larger(bars("BTC/USD", "1m", starts), "1h", AssetClass.CRYPTO)[0] == ["2024-03-01T10:00:00Z", "2024-03-01T11:00:00Z"]
    assert larger(bars("BTC/USD", "1m", starts[:-1]), "1h", AssetClass.CRYPTO)[0] == ["2024-03-01T10:00:00Z"]


def test_no_bars_give_no_bars() -> None:
    assert larger(BarSeries.empty("SPY", Timeframe.parse("1m")), "1h") == ([], [])


# --- what cannot be built ---


@pytest.mark.parametrize(
    ("own", "text", "sentence"),
    [
        ("5m", "1m", "smaller than the run's own, 5m; run the strategy on 1m bars"),
        ("5m", "7m", "not a multiple of the run's own, 5m"),
        ("1d", "36h", "not a multiple"),
        ("1h", "2d", "above a day there is 1w only"),
        ("1d", "2w", "above a day there is 1w only"),
        ("1h", "soon", "write it like"),
    ],
)
def test_a_timeframe_that_cannot_be_built_is_refused(own: str, text: str, sentence: str) -> None:
    with pytest.raises(InvalidValue, match=sentence):
        larger_timeframe(text, Timeframe.parse(own))


@pytest.mark.parametrize(
    ("own", "text", "shown"), [("1m", "60m", "1h"), ("1h", "24h", "1d"), ("1d", "7d", "1w"), ("1w", "1w", "1w"), ("3d", "3d", "3d")]
)
def test_a_timeframe_is_written_in_its_largest_unit(own: str, text: str, shown: str) -> None:
    assert str(larger_timeframe(text, Timeframe.parse(own))) == shown
