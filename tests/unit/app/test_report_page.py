"""The page of a report: whole, self-contained, escaped, and small however long the run was."""

import re
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import msgspec
import numpy as np
import pytest

from app.report_html import GENERATOR, report_page
from app.report_svg import HALF, Line, bar_plot, histogram_plot, nice_ticks, scatter_plot, time_plot, time_ticks
from app.report_tables import TRADES_SHOWN, trade_table
from app.report_words import axis_money, axis_percent, command_of, duration, instant
from core.backtest.report.report import make_report
from core.backtest.stats import compute_statistics
from core.backtest.stats_trades import with_excursions
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, parse_instant
from core.model.market import Adjustment, AssetClass, BarSeries, Timeframe
from core.model.money import plain
from core.model.order import Fill, OrderSide, RejectCode, Rejection
from core.model.position import Position
from core.model.report import AccountEntry, EntryKind, Report
from core.model.result import RunResult
from core.model.round_trips import round_trips
from core.model.run import AccountKind, AccountTerms, Manifest, Run, RunConfig, RunStatus
from core.model.statistics import STATISTICS

START_NS = parse_instant("2024-01-01")
VOID = {"meta", "br", "img", "input", "hr", "link"}


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def made(
    *,
    points: int = 60,
    pairs: int = 10,
    symbols: tuple[str, ...] = ("BTC/USD",),
    step_ns: int = HOUR_NS,
    strategy: str = "sma-cross",
    account: tuple[AccountEntry, ...] = (),
    **more: Any,
) -> tuple[Run, Report]:
    """Return a run over random bars that buys and sells `pairs` times, and its report."""
    generator = np.random.default_rng(1)
    series = {}
    for symbol in symbols:
        close = np.round(100 * np.exp(np.cumsum(generator.normal(0, 0.002, points))), 2)
        opens = np.concatenate((close[:1], close[:-1]))
        starts = START_NS + step_ns * np.arange(points)
        series[symbol] = BarSeries(
            symbol=symbol, timeframe=Timeframe(step_ns), start_ns=starts, open=opens, high=np.maximum(opens, close) + 0.1,
            low=np.minimum(opens, close) - 0.1, close=close, volume=np.ones(points),
        )  # fmt: skip
    first = series[symbols[0]]
    places = np.sort(generator.choice(points, 2 * pairs, replace=False)).tolist()
    fills = [
        Fill(
            id=str(at), run_id="r", order_id=f"o{at}", symbol=symbols[0], side=OrderSide.SELL if at % 2 else OrderSide.BUY, qty=Decimal(2),
            price=Decimal(repr(float(first.open[place]))), fee=Decimal("0.1"), slippage=Decimal(0), time_ns=int(first.start_ns[place]),
        )
        for at, place in enumerate(places)
    ]  # fmt: skip
    trades = with_excursions(round_trips(fills), series)
    equity_ns = np.concatenate((first.start_ns[:1], first.start_ns + step_ns))
    equity = 1_000.0 + np.concatenate(([0.0], np.cumsum(generator.normal(0.02, 1.0, points))))
    stats = compute_statistics(
        equity_ns=equity_ns,
        equity=equity,
        trades=trades,
        fills=fills,
        asset_class=AssetClass.CRYPTO,
        bars=series,
        exposure=np.ones(points + 1),
    )
    config = RunConfig(strategy_id=strategy, symbols=symbols, timeframe=str(Timeframe(step_ns)), params={"fast": 5, "name": "a b"})
    run = Run(
        id="r1", config=msgspec.structs.replace(config, **more.pop("config", {})), status=RunStatus.COMPLETED, created_ns=START_NS,
        bars=points,
        bars_total=points, elapsed_s=0.1, manifest=Manifest(strategy_sha256="ab" * 32, bars_sha256="cd" * 32, engine="0.1.0"),
    )  # fmt: skip
    result = RunResult(run_id="r1", stats=stats, equity_ns=equity_ns, equity=equity, trades=tuple(trades), **more)
    return run, make_report(run, result, bars=series, fills=fills, account=account)


def test_the_page_is_whole_and_needs_nothing_from_outside() -> None:
    run, report = made()
    text = report_page(run, report, beside=False)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert not [value for name, value in page.attributes if name in {"src", "href", "srcset"} or name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    assert re.findall(r"https?://", text) == []
    assert GENERATOR in text[:400]
    assert page.tags.count("svg") == 9
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_every_statistic_stands_on_the_page_with_its_formula_on_hover() -> None:
    text = "\n".join(value or "" for name, value in Page(report_page(*made(), beside=False)).attributes if name == "title")
    for spec in STATISTICS:
        assert f"{spec.key}: {spec.formula}" in text


def test_the_page_links_what_lies_beside_it_and_nothing_else() -> None:
    run, report = made()
    links = [value for name, value in Page(report_page(run, report, beside=True)).attributes if name == "href"]
    assert links == ["trades.csv", "equity.csv", "account.csv", "stats.json"]


def test_what_others_wrote_is_escaped() -> None:
    evil = "<script>alert('x')</script>&\""
    refused = (Rejection(time_ns=START_NS, order_id="1", code=RejectCode.INVALID_ORDER, reason=evil),)
    run, report = made(strategy=evil, rejections=refused, config={"params": {evil: evil}, "source": evil, "fees": evil})
    text = report_page(msgspec.structs.replace(run, error=evil), report, beside=True)
    page = Page(text)
    assert "script" not in page.tags
    assert "<script" not in text
    assert sum(evil in part for part in page.text) >= 5


@pytest.mark.parametrize("step_ns", [MINUTE_NS, DAY_NS])
def test_the_page_of_a_long_run_is_small(step_ns: int) -> None:
    run, report = made(points=300_000 if step_ns == MINUTE_NS else 4_000, pairs=20_000 if step_ns == MINUTE_NS else 1_500, step_ns=step_ns)
    text = report_page(run, report, beside=True)
    assert len(text) < 1_000_000
    assert f"The first and the last {TRADES_SHOWN // 2} of {len(report.trades):,} trades; all are in" in re.sub(r"<[^>]+>", "", text)
    lines = re.findall(r'class="line [^"]*" d="([^"]+)"', text)
    assert max(len(line) for line in lines) < 90_000
    # The curve goes on to the right edge: 1,120 less the margin.
    assert max(float(line.rpartition("L")[2].split()[0]) for line in lines) > 1_090


def test_a_run_without_trades_or_bars_makes_a_page() -> None:
    run, report = made(pairs=0)
    assert "No round trip was closed" in report_page(run, report, beside=False)
    empty = Report(
        run_id="r", asset_class=AssetClass.CRYPTO, stats={}, equity_ns=np.empty(0, np.int64), equity=np.empty(0), drawdown=np.empty(0)
    )
    Page(report_page(msgspec.structs.replace(run, manifest=None), empty, beside=False))


def test_what_is_open_and_refused_is_told() -> None:
    refused = tuple(
        Rejection(time_ns=START_NS, order_id=str(at), code=RejectCode.INSUFFICIENT_CASH, reason=f"No {at}.") for at in range(25)
    )
    held = (Position(symbol="BTC/USD", qty=Decimal("1.50"), avg_price=Decimal("99.5")),)
    text = report_page(*made(rejections=refused, open_positions=held), beside=False)
    assert "… and 5 more." in text
    assert "<td>1.5</td><td>99.5000</td>" in text


def entries(symbol: str = "SPY") -> tuple[AccountEntry, ...]:
    """Return entries of three kinds over two months."""
    kinds: tuple[tuple[EntryKind, str | None, str | None, dict[str, Decimal]], ...] = (
        (EntryKind.DIVIDEND_RECEIVED, symbol, "1250.50", {"qty": Decimal(1_000), "per_share": Decimal("1.2505")}),
        (EntryKind.BORROW_CHARGED, symbol, "-3.25", {}),
        (EntryKind.MARGIN_CALL, None, None, {"equity": Decimal(10), "required": Decimal(25), "exposure": Decimal(100)}),
    )
    return tuple(
        AccountEntry(
            time_ns=START_NS + at * DAY_NS, kind=kind, symbol=name, amount=None if amount is None else Decimal(amount), figures=figures
        )
        for at, (kind, name, amount, figures) in enumerate(kinds)
    )


def test_dividends_interest_and_charges_have_a_table() -> None:
    text = report_page(*made(account=entries("<SPY>")), beside=False)
    Page(text)
    part = re.findall(r"<h2>Dividends, interest and charges</h2>(.*?)</section>", text)[0]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in re.findall(r"<tr>(.*?)</tr>", part)]
    assert [row for row in cells if row] == [
        ["&lt;SPY&gt;", "Dividend received", "1", "1,250.50"],
        ["&lt;SPY&gt;", "Borrow charged", "1", "−3.25"],
        ["account", "Margin call", "1", "–"],
        ["all", "", "3", "1,247.25"],
        ["2024-01-01", "1", "1,250.50", "–", "1,250.50"],
        ["2024-01-02", "1", "–", "−3.25", "−3.25"],
        ["2024-01-03", "1", "–", "–", "0.00"],
    ]
    assert "Dividends, interest and charges" not in report_page(*made(), beside=False)


def test_the_run_can_be_repeated_from_the_page() -> None:
    run, _ = made(
        symbols=("BTC/USD", "ETH/USD"),
        config={
            "start_ns": START_NS, "end_ns": START_NS + DAY_NS, "fees": "bps:5", "source": "my file", "adjustment": Adjustment.RAW,
        },
    )  # fmt: skip
    assert command_of(run) == (
        "weaver backtest sma-cross --symbol BTC/USD --symbol ETH/USD --timeframe 1h --start 2024-01-01T00:00:00Z "
        "--end 2024-01-02T00:00:00Z --param fast=5 --param 'name=a b' --cash 100000 --fees bps:5 --slippage none "
        "--path adaptive --source 'my file' --adjustment raw"
    )
    account = AccountTerms(kind=AccountKind.MARGIN, borrow_rate=Decimal("0.03"), hard_to_borrow=("GME",))
    terms = {
        "account": account,
        "volume_cap": Decimal("0.1"),
        "trade_through": True,
        "close_at_end": True,
        "corporate_actions": False,
        "seed": 7,
    }
    assert command_of(made(config=terms)[0]).endswith(
        "--account margin --borrow-rate 0.03 --hard-to-borrow GME --volume-cap 0.1 --trade-through --close-at-end --no-actions --seed 7"
    )
    text = report_page(*made(), beside=False)
    assert "ab" * 32 in text
    assert "cd" * 32 in text


def test_trades_tell_their_excursions() -> None:
    run, report = made(pairs=1)
    (trade,) = report.trades
    assert trade.mae is not None
    table = trade_table(report, daily=False, several=False)
    assert f"{100 * trade.mae:.2f} %".replace("-", "−") in table
    assert len(re.findall("<th>", table)) == len(re.findall("<td", table)) == 13
    # Prices line up by a fixed number of decimals; as they were, they stand on hover.
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table)
    assert (cells[4], cells[5], cells[6]) == ("2", f"{trade.entry_price:.2f}", f"{trade.exit_price:.2f}")
    assert f'title="2: in at {plain(trade.entry_price)}, out at {plain(trade.exit_price)}"' in table
    several = trade_table(report, daily=False, several=True)
    assert len(re.findall("<th>", several)) == len(re.findall("<td", several)) == 14
    assert run.bars == 60


# --- plots ---


def test_ticks_are_round_and_inside() -> None:
    assert nice_ticks(0, 1, 5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert nice_ticks(-7, 93, 5) == pytest.approx([0, 20, 40, 60, 80])
    assert nice_ticks(3, 3, 5) == [3]


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2008-01-01", "2017-12-29", ["2008", "2010", "2012", "2014", "2016"]),
        ("2024-01-15", "2024-05-02", ["2024-02", "2024-03", "2024-04", "2024-05"]),
        ("2024-01-01T10:10", "2024-01-01T10:40", ["10:10", "10:15", "10:20", "10:25", "10:30", "10:35", "10:40"]),
        ("2024-01-01", "2024-01-03", ["01-01 00:00", "01-01 06:00", "01-01 12:00", "01-01 18:00", "01-02 00:00"]),
        ("2024-01-01", "2024-01-01", ["00:00:00"]),
    ],
)
def test_ticks_of_time(first: str, last: str, words: list[str]) -> None:
    told = [text for _, text in time_ticks((parse_instant(first), parse_instant(last)))]
    assert told[: len(words)] == words
    assert len(told) <= 10


def test_a_line_keeps_its_extremes_when_it_is_reduced() -> None:
    values = np.zeros(200_000)
    values[123_456], values[77_777] = 5.0, -5.0
    when = START_NS + MINUTE_NS * np.arange(200_000)
    drawn = time_plot("x", [Line("x", "equity", when, values)], axis_money, span=(int(when[0]), int(when[-1])), height=200)
    path = re.findall(r'class="line equity" d="M([^"]+)"', drawn)[0]
    heights = [float(point.split()[1]) for point in path.split("L")]
    assert [min(heights), max(heights)] == pytest.approx([10 + 166 * 0.03 / 1.06, 176 - 166 * 0.03 / 1.06], abs=0.2)
    assert len(heights) < 5_000


def test_undefined_points_are_left_out() -> None:
    when = START_NS + DAY_NS * np.arange(4)
    drawn = time_plot("x", [Line("x", "second", when, np.array([np.nan, 1, np.nan, 2]))], axis_money, span=(int(when[0]), int(when[-1])))
    assert "nan" not in drawn
    assert "<svg" in time_plot("x", [Line("x", "second", when, np.full(4, np.nan))], axis_money, span=(0, 0))


def test_a_wide_plot_can_be_scrolled_where_the_screen_is_narrow() -> None:
    when = START_NS + DAY_NS * np.arange(2)
    line = Line("x", "second", when, np.array([1.0, 2.0]))
    span = (int(when[0]), int(when[-1]))
    assert time_plot("x", [line], axis_money, span=span).startswith('<div class="scroll wide"><svg')
    assert time_plot("x", [line], axis_money, span=span, width=HALF).startswith("<svg")


def test_bars_and_marks() -> None:
    bars = bar_plot("profit", ["a", "b"], [1.0, -2.0], ["a: 1", "b: <2>"], axis_money)
    assert re.findall(r'class="bar (\w+)"', bars) == ["up", "down"]
    assert "b: &lt;2&gt;" in bars
    found = histogram_plot("h", np.array([-0.1, 0.0, 0.1]), np.array([3, 0]), axis_percent)
    assert "−10 % to 0 %: 3" in found
    assert found.count("<rect") == 1
    generator = np.random.default_rng(0)
    marks = scatter_plot("s", generator.normal(0, 1, 40_000), generator.normal(0, 1, 40_000), axis_percent, names=("a", "b"))
    assert len(marks) < 250_000
    assert scatter_plot("s", np.zeros(1), np.zeros(1), axis_percent, names=("a", "b")).count("h0") == 1


# --- words ---


def test_words_of_a_page() -> None:
    assert [duration(value) for value in (None, 40, 3_900, 90_000, 86_400 * 150 + 5)] == ["–", "40 s", "1 h 5 min", "1 d 1 h", "150 d"]
    assert duration(86_400 * 3 + 3_600, daily=True) == "3 d"
    assert (instant(START_NS, daily=True), instant(START_NS, daily=False), instant(None, daily=True)) == (
        "2024-01-01",
        "2024-01-01 00:00",
        "–",
    )
    assert [axis_percent(value) for value in (0.1, -0.005, 0.0, 0.00001)] == ["10 %", "−0.5 %", "0 %", "0.001 %"]
    assert [axis_money(value) for value in (150_000, 0.5, -20)] == ["150,000", "0.50", "−20"]
