"""Runs: what was asked for, where a run is in its life, and what reproduces it."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from core.errors import InvalidValue, RunError
from core.model.instants import iso
from core.model.market import Adjustment
from core.model.risk import RiskLimits
from core.values import ParamValue as ParamValue

BY_HAND: Final = "by-hand"
"""The strategy id of the runs that hold a person's own orders, one for each account; there is no such plug-in."""


class RunMode(StrEnum):
    """Who fills the orders, and whether the money is real."""

    BACKTEST = "backtest"
    PAPER = "paper"
    LIVE = "live"


class RunStatus(StrEnum):
    """Where a run is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    ERROR = "error"
    INTERRUPTED = "interrupted"
    """The program ended while it ran; found at the next start."""

    @property
    def is_final(self) -> bool:
        """Whether the run is over; one that was interrupted is, until a person lets it go on."""
        return self is _S.INTERRUPTED or not RUN_TRANSITIONS[self]


_S = RunStatus
RUN_TRANSITIONS: Final[dict[RunStatus, frozenset[RunStatus]]] = {
    # A run whose strategy or bars cannot be loaded ends in ERROR without having run.
    _S.PENDING: frozenset({_S.RUNNING, _S.STOPPED, _S.ERROR}),
    _S.RUNNING: frozenset({_S.COMPLETED, _S.STOPPED, _S.ERROR, _S.INTERRUPTED}),
    _S.COMPLETED: frozenset(),
    _S.STOPPED: frozenset(),
    _S.ERROR: frozenset(),
    # A person lets a paper or live run go on, or closes it. Nothing does so by itself, and a backtest never is.
    _S.INTERRUPTED: frozenset({_S.RUNNING, _S.STOPPED}),
}


class PathModel(StrEnum):
    """The order in which a bar's prices are assumed to have happened."""

    ADAPTIVE = "adaptive"
    OHLC = "ohlc"
    OLHC = "olhc"
    PESSIMISTIC = "pessimistic"
    OPTIMISTIC = "optimistic"


class AccountKind(StrEnum):
    """What an account may do: pay with what it has, or borrow within Regulation T."""

    CASH = "cash"
    MARGIN = "margin"


class AccountTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of a simulated account. Checks itself. Rates are fractions a year: 0.05 is five percent."""

    kind: AccountKind = AccountKind.CASH
    borrow_rate: Decimal = Decimal(0)
    """What short positions pay."""
    debit_rate: Decimal = Decimal(0)
    """What negative cash pays."""
    credit_rate: Decimal = Decimal(0)
    """What positive cash earns."""
    hard_to_borrow: tuple[str, ...] = ()
    """Symbols that cannot be sold short."""

    def __post_init__(self) -> None:
        for field in ("borrow_rate", "debit_rate", "credit_rate"):
            rate: Decimal = getattr(self, field)
            if not rate.is_finite() or not 0 <= rate <= 10:
                raise InvalidValue(field, rate, "a rate is a fraction a year from 0 to 10; 0.05 is five percent.")


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was asked to do. Checks itself. Times are UTC ns; None means all the bars there are."""

    strategy_id: str
    symbols: tuple[str, ...]
    timeframe: str
    params: dict[str, ParamValue] = {}
    mode: RunMode = RunMode.BACKTEST
    start_ns: int | None = None
    end_ns: int | None = None
    cash: Decimal = Decimal(100_000)
    fees: str = "none"
    slippage: str = "none"
    path: PathModel = PathModel.ADAPTIVE
    account: AccountTerms = AccountTerms()
    volume_cap: Decimal | None = None
    """Share of a bar's volume that all orders together may take; None takes any quantity."""
    trade_through: bool = False
    """Whether a limit fills only where the path goes strictly beyond it."""
    close_at_end: bool = False
    """Whether open positions are closed at the last close."""
    corporate_actions: bool = True
    """Whether stored splits and dividends apply."""
    source: str | None = None
    """Source of the bars; None takes the only one, or asks when there are several."""
    adjustment: Adjustment | None = None
    trace: bool = False
    """Store ticks and windows too."""
    seed: int = 0
    """What the strategy's `random` starts from."""
    broker: str = ""
    """Id of the broker's adapter that a paper or live run trades through; empty in a backtest."""
    feed: str | None = None
    """Of the broker's prices, where it has several; None takes its default."""
    extended_hours: bool = False
    """Whether a paper or live run sees, and decides on, the minutes before and after a session too."""
    limits: RiskLimits = RiskLimits()
    """What the run's orders are held to, beside the account's own limits. A backtest has none."""

    def __post_init__(self) -> None:
        if not self.symbols and not self.is_by_hand:
            raise InvalidValue("symbols", "empty", "name at least one.")
        if self.seed < 0:
            raise InvalidValue("seed", self.seed, "it is a whole number from 0 on.")
        if len(set(self.symbols)) != len(self.symbols):
            raise InvalidValue("symbols", ", ".join(self.symbols), "one is named twice.")
        if not self.cash.is_finite() or self.cash <= 0:
            raise InvalidValue("cash", self.cash, "it must be above zero.")
        if self.start_ns is not None and self.end_ns is not None and self.end_ns <= self.start_ns:
            raise InvalidValue("end", iso(self.end_ns), f"it must be after the start, {iso(self.start_ns)}.")
        if self.volume_cap is not None and not (self.volume_cap.is_finite() and 0 < self.volume_cap <= 1):
            raise InvalidValue("volume_cap", self.volume_cap, "it is a share of the bar's volume, above 0 and at most 1.")

    @property
    def is_by_hand(self) -> bool:
        """Whether the run is the book of a person's own orders at an account: nobody starts or stops it."""
        return self.strategy_id == BY_HAND


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a run reproducible: the same of all this gives the same fills, bit for bit."""

    strategy_sha256: str
    bars_sha256: str
    engine: str
    seed: int = 0
    actions_sha256: str | None = None
    """Of the splits and dividends that applied; None when there were none."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands. Times UTC ns. `bars` were processed so far of `bars_total`; `elapsed_s` is the simulation alone."""

    id: str
    config: RunConfig
    status: RunStatus
    created_ns: int
    started_ns: int | None = None
    ended_ns: int | None = None
    bars: int = 0
    bars_total: int = 0
    elapsed_s: float = 0.0
    first_bar_ns: int | None = None
    """Start of the first bar it reads."""
    last_bar_ns: int | None = None
    """End of the last bar it reads."""
    error_code: str | None = None
    error: str | None = None
    """One sentence when the run ended in ERROR or was interrupted; or why the strategy stopped it."""
    manifest: Manifest | None = None
    demo: bool = False
    owner: str | None = None
    """The process that runs it; see `Store.owner`. Recovery leaves a run alone while its owner lives."""
    desk: str | None = None
    """The name of the desk that runs it, or ran it."""

    def moved_to(self, status: RunStatus, **changes: object) -> "Run":
        """Return the run in a new state. Raises RunError when the table does not allow the move."""
        if status not in RUN_TRANSITIONS[self.status]:
            raise RunError(f"Run {self.id} is {self.status} and cannot become {status}.")
        return msgspec.structs.replace(self, status=status, **changes)
