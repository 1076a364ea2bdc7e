"""Real runs with dividends, splits, interest and borrowing: what the report lists of the account explains the equity to the cent."""

from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path

import pytest

from core.backtest.report.account import account_entries, account_periods, account_totals
from core.model.money import MONEY_CONTEXT, exact
from core.model.report import EntryKind
from core.model.round_trips import round_trips
from tests.golden.runs import RUNS, outcome_of

REAL = (
    "spy rsi-reversion, broker's fees, dividends",
    "spy long and short on margin, dividends, interest",
    "goog short brackets on margin, borrowing, optimistic",
    "goog short and held until the margin call",
    "aapl short brackets over splits and dividends",
)


@pytest.mark.parametrize("name", REAL)
def test_start_cash_trades_and_account_make_the_end_equity(name: str, shared_data: Callable[[str], Path]) -> None:
    outcome = outcome_of(RUNS[name], shared_data(RUNS[name].file).parent)
    run, symbol = outcome.run, outcome.bars.symbol
    entries = account_entries(run.events)
    assert len(entries) > 3
    with localcontext(MONEY_CONTEXT):
        totals = account_totals(entries, (symbol,))
        # What a split pays for a fraction is a trade of its own, so it is not counted a second time.
        moved = sum((item.amount for item in totals if item.amount is not None and item.kind is not EntryKind.SPLIT), Decimal(0))
        trades = round_trips(run.fills, run.position_changes)
        gained = sum((trade.pnl for trade in trades), Decimal(0))
        last_close = exact(float(outcome.bars.close[-1]))
        still_open = sum((position.qty * (last_close - position.avg_price) for position in run.venue.open_positions()), Decimal(0))
        fees_of_open = sum((fill.fee for fill in run.fills), Decimal(0)) - sum((trade.fees for trade in trades), Decimal(0))
        explained = Decimal(100_000) + gained + moved + still_open - fees_of_open
    assert float(explained) == pytest.approx(float(run.equity[-1]), abs=0.005)
    assert sum(item.count for item in totals) == len(entries) == sum(item.count for item in account_periods(entries))
