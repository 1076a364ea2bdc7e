"""The report of a run: its tables, curves and findings, made from the result, the bars and the fills. Words: docs/statistics.md."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from core.model.market import AssetClass, Floats, Instants
from core.model.order import Fill, Rejection
from core.model.position import Position, Trade


class Severity(StrEnum):
    """How much a finding should weigh."""

    NOTE = "note"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about a run that a person should know before believing it. `figures`: what the sentence is made of."""

    code: str
    severity: Severity
    sentence: str
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class YearReturns:
    """Returns of one year as fractions: January to December, None where there is no equity, and the whole year."""

    year: int
    months: tuple[float | None, ...]
    total: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """A fall from a peak until equity is back at it. `depth` is a fraction below 0; times UTC ns."""

    start_ns: int
    """The peak."""
    trough_ns: int
    recovery_ns: int | None
    """The first point back at the peak; None when that did not happen."""
    depth: float
    fall_s: float
    """From the peak to the trough."""
    recovery_s: float | None
    """From the trough to the recovery."""
    duration_s: float
    """From the peak to the recovery, or to the end of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling:
    """Figures over a moving window of `window` returns, annualised. Arrays of shape (n,); nan where undefined."""

    window: int
    ends_ns: Instants
    sharpe: Floats
    volatility: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How often values fall between `edges` (bins + 1 of them, ascending); 0 is an edge.

    The first and the last bin also count what lies beyond them: `below` and `above` values do. Values of exactly 0 are
    in no bin: they are `unchanged`.
    """

    edges: Floats
    counts: Instants
    below: int
    above: int
    unchanged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What was held at each point of the equity curve, as fractions of equity there: shape (n,), nan where equity is not above 0.

    `gross`: |long| + |short|; `net`: long − short.
    """

    gross: Floats
    net: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeGroup:
    """Trades that have something in common: a symbol, a side, the hour or the weekday of their entry. Money as float."""

    name: str
    trades: int
    wins: int
    win_rate: float | None
    profit: float
    """Net of fees."""
    mean_profit: float | None
    profit_factor: float | None
    fees: float
    best: float | None
    worst: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkComparison:
    """Buying `symbol` at its first open with all the cash and holding it, and the run measured against that.

    `equity`: float64, shape of the run's own equity curve, at the same instants.
    """

    symbol: str
    equity: Floats
    total_return: float
    cagr: float | None
    volatility_ann: float | None
    sharpe: float | None
    max_drawdown: float
    alpha: float | None
    beta: float | None
    correlation: float | None
    tracking_error: float | None
    information_ratio: float | None
    up_capture: float | None
    down_capture: float | None


class EntryKind(StrEnum):
    """What happened to an account beside its fills."""

    DIVIDEND_RECEIVED = "dividend_received"
    """On a long position."""
    DIVIDEND_CHARGED = "dividend_charged"
    """On a short one."""
    SPLIT = "split"
    INTEREST_EARNED = "interest_earned"
    INTEREST_CHARGED = "interest_charged"
    BORROW_CHARGED = "borrow_charged"
    """For a short position, each night."""
    MARGIN_CALL = "margin_call"

    @property
    def words(self) -> str:
        """`Dividend received`."""
        return self.value.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEntry:
    """One event of a run's account. `amount` is what came into it, below zero what went out; None where no cash moves.

    `figures`: the other figures of the event by name, such as `qty` and `per_share`.
    """

    time_ns: int
    kind: EntryKind
    symbol: str | None
    """None: of the account as a whole."""
    amount: Decimal | None
    figures: dict[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTotal:
    """All entries of one symbol and kind."""

    symbol: str | None
    kind: EntryKind
    count: int
    amount: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPeriod:
    """The entries of a day, a month or a year, named `2014-03-21`, `2014-03` or `2014`: how many, and the sum of each kind that has one."""

    name: str
    count: int
    amounts: dict[EntryKind, Decimal]

    @property
    def amount(self) -> Decimal:
        """The sum of them all."""
        return sum(self.amounts.values(), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCoverage:
    """How complete the bars of a run are against the calendar. Counts are bars."""

    present: int
    missing: int
    holes: int
    longest: int
    """Bars missing in the longest hole."""

    @property
    def share_missing(self) -> float:
        """Missing ÷ expected; 0 where nothing was expected."""
        expected = self.present + self.missing
        return self.missing / expected if expected else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a report shows of one run. `equity_ns`, `equity`, `drawdown`: shape (n,), oldest first; times UTC ns."""

    run_id: str
    asset_class: AssetClass
    """Of the first symbol."""
    stats: dict[str, float | None]
    equity_ns: Instants
    equity: Floats
    drawdown: Floats
    """Equity ÷ its running peak − 1; empty when equity did not start above 0."""
    years: tuple[YearReturns, ...] = ()
    drawdowns: tuple[Drawdown, ...] = ()
    """The deepest first."""
    rolling: Rolling | None = None
    returns: Histogram | None = None
    returns_are_daily: bool = True
    """Whether `returns` and `rolling` are made of daily returns, or of those from point to point in a run within a day."""
    trade_returns: Histogram | None = None
    """Of profit ÷ value at entry."""
    exposure: Exposure | None = None
    trades: tuple[Trade, ...] = ()
    """With `mae` and `mfe`, where there are bars."""
    by_symbol: tuple[TradeGroup, ...] = ()
    by_side: tuple[TradeGroup, ...] = ()
    by_hour: tuple[TradeGroup, ...] = ()
    """Hour of day 0 to 23 in which the entry's bar starts; empty for bars of a day or more."""
    by_weekday: tuple[TradeGroup, ...] = ()
    zone: str = "UTC"
    """The zone of those hours and weekdays, in words."""
    benchmark: BenchmarkComparison | None = None
    fills: tuple[Fill, ...] = ()
    open_positions: tuple[Position, ...] = ()
    open_profit: float | None = None
    """Of what is still open at its last close, before fees; None without its bars."""
    rejections: tuple[Rejection, ...] = ()
    account: tuple[AccountEntry, ...] = ()
    """What happened to the account beside its fills, oldest first."""
    account_totals: tuple[AccountTotal, ...] = ()
    """By symbol in the run's order, then by kind; the account's own last."""
    account_periods: tuple[AccountPeriod, ...] = ()
    """The same over time, in a list short enough to read."""
    coverage: DataCoverage | None = None
    findings: tuple[Finding, ...] = field(default=())
    """The weightiest first."""
