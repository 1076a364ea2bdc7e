"""Puts a simulated run together from its bars, its settings and those it reports to. Pure: no store, no loop."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np

from core.backtest.feeds import Feed, Market
from core.backtest.replayed_venue import BearingLedger, Refused, ReplayedVenue
from core.backtest.reports import OrderReports, TradingDays
from core.backtest.simulator import Simulator
from core.backtest.upkeep import AccountReports, DatedAction, Upkeep
from core.backtest.venue import SimulatedVenue
from core.clock import calendar
from core.clock.resample import resampled
from core.clock.simulated import SimulatedClock
from core.matching.fees import fee_model
from core.matching.fill import Filling
from core.matching.ledger import Ledger
from core.matching.matcher import Matching
from core.matching.slippage import slippage_model
from core.model.corporate_action import CorporateAction
from core.model.cost_models import FeeModel, SlippageModel
from core.model.market import BarSeries, Instrument, Timeframe
from core.model.run import AccountKind, AccountTerms, PathModel

_CASH_ACCOUNT: Final = AccountTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """By what rules a run's orders fill and its account is kept; the texts are those of `RunConfig`."""

    cash: Decimal
    path: PathModel = PathModel.ADAPTIVE
    fees: str = "none"
    slippage: str = "none"
    own_fees: FeeModel | None = None
    own_slippage: SlippageModel | None = None
    terms: AccountTerms = _CASH_ACCOUNT
    volume_cap: Decimal | None = None
    trade_through: bool = False
    close_at_end: bool = False
    refused: Mapping[str, Refused] | None = None
    """Of a paper or live run that is replayed: which of its orders were refused."""
    refused_changes: frozenset[tuple[str, int]] = frozenset()
    """And of which orders changes that were decided then."""


_NO_ACTIONS: Final[Mapping[str, Sequence[CorporateAction]]] = {}


@dataclass(frozen=True, slots=True)
class Simulation:
    """A run that can start: its loop and its venue."""

    simulator: Simulator
    venue: SimulatedVenue


def market_of(
    bars: BarSeries, instrument: Instrument, *, start_ns: int | None = None, warmup: int = 0, always_open: bool = False
) -> Market:
    """Return a symbol's bars with their ends and regular hours. Those before `start_ns` are for warming up.

    `always_open`: all hours are regular.
    """
    regular = calendar.regular_bars(bars.start_ns, bars.timeframe.ns, instrument.asset_class)
    ends = calendar.bar_ends(bars.start_ns, bars.timeframe.ns, instrument.asset_class)
    first = 0 if start_ns is None else int(np.searchsorted(bars.start_ns, start_ns, side="left"))
    return Market(
        instrument=instrument,
        bars=bars,
        end_ns=ends,
        regular=None if always_open or regular.all() else regular,
        first=first,
        ready=max(first, warmup - 1),
    )


def larger_market(own: Market, timeframe: str, until_ns: int | None = None) -> Market:
    """Return a symbol's bars of a larger timeframe, built from its own; known no earlier than they end.

    `until_ns`: up to when the data tell what there was, when that is beyond the last bar's end.
    """
    bars, ends = resampled(own.bars, Timeframe.parse(timeframe), own.instrument.asset_class, until_ns)
    # What ended before the run's first bar is history: it is known, and calls nobody.
    start_ns = int(own.bars.start_ns[own.first]) if own.first < len(own.bars) else int(own.end_ns[-1])
    first = int(np.searchsorted(ends, start_ns, side="right"))
    ready_ns = int(own.end_ns[min(own.ready, len(own.end_ns) - 1)])
    ready = int(np.searchsorted(ends, ready_ns, side="left"))
    return Market(instrument=own.instrument, bars=bars, end_ns=ends, first=first, ready=max(first, ready))


def simulation(
    markets: Sequence[Market],
    rules: Rules,
    *,
    clock: SimulatedClock,
    monotonic_ns: Callable[[], int],
    days: TradingDays,
    orders: OrderReports,
    account: AccountReports,
    actions: Mapping[str, Sequence[CorporateAction]] = _NO_ACTIONS,
) -> Simulation:
    """Return a run over `markets`, one for each symbol in the run's order. Raises InvalidValue for a wrong cost text."""
    terms, instruments = rules.terms, [market.instrument for market in markets]
    classes = {instrument.symbol: instrument.asset_class for instrument in instruments}
    is_margin = terms.kind is AccountKind.MARGIN
    matching = Matching(
        path=rules.path,
        filling=Filling(
            slippage=slippage_model(_text(rules.slippage, rules.own_slippage), rules.own_slippage),
            fees=fee_model(_text(rules.fees, rules.own_fees), rules.own_fees),
            ticks={instrument.symbol: instrument.tick for instrument in instruments},
            classes=classes,
            trade_through=rules.trade_through,
            may_reverse=is_margin,
        ),
        volume_cap=rules.volume_cap,
        lots={instrument.symbol: instrument.lot for instrument in instruments},
    )
    feeds = [Feed(at, market) for at, market in enumerate(markets)]
    finer = [market.finer for market in markets if market.finer is not None]
    feeds += [Feed(at, market, is_own=False, is_finer=True) for at, market in enumerate(finer, len(feeds))]
    parts: dict[str, Any] = {"feeds": feeds, "matching": matching, "clock": clock, "days": days, "reports": orders}
    if rules.refused is None:
        ledger = Ledger(rules.cash, terms, classes)
        venue = SimulatedVenue(ledger=ledger, **parts)
    else:
        ledger = BearingLedger(rules.cash, terms, classes)
        venue = ReplayedVenue(rules.refused, rules.refused_changes, ledger=ledger, **parts)
    met = {feed.symbol: feed.market for feed in feeds if feed.meets}
    dated = {symbol: _dated(actions.get(symbol, ()), market, clock.instant_ns) for symbol, market in met.items()}
    charges_nights = ledger.has_rates
    upkeep = None
    if is_margin or charges_nights or any(dated.values()):
        upkeep = Upkeep(
            venue,
            actions=dated,
            orders=orders,
            account=account,
            charges_nights=charges_nights,
            is_margin=is_margin,
            start_ns=clock.instant_ns,
        )
    simulator = Simulator(feeds=feeds, venue=venue, clock=clock, monotonic_ns=monotonic_ns, upkeep=upkeep, closes_at_end=rules.close_at_end)
    return Simulation(simulator, venue)


def _text(text: str, own: object) -> str:
    """Return the text of the model that counts: a strategy's own stands where the run names none."""
    return "plugin" if own is not None and text.strip().lower() == "none" else text


def _dated(actions: Sequence[CorporateAction], market: Market, start_ns: int) -> list[DatedAction]:
    """Return the actions that fall within the run, each with the first bar that starts on its day or after, oldest first.

    One of before the start is in the prices already, and in those of orders that are decided at the start.
    """
    bars, asset_class = market.bars, market.instrument.asset_class
    actions = [action for action in actions if calendar.day_start(action.day, asset_class) >= start_ns]
    if not actions:
        return []
    if bars.timeframe.is_daily and asset_class.has_sessions:
        days = calendar.session_days(bars.start_ns)
        found = [DatedAction(action, int(np.searchsorted(days, action.day, side="left"))) for action in actions]
    else:
        begins = [calendar.day_start(action.day, asset_class) for action in actions]
        rows = np.searchsorted(bars.start_ns, begins, side="left").tolist()
        found = [DatedAction(action, row) for action, row in zip(actions, rows, strict=True)]
    return sorted((item for item in found if market.first <= item.bar < len(bars)), key=lambda item: (item.bar, item.action.day))
