"""What a run's losses are counted from moves only with an equity that is known."""

from decimal import Decimal
from pathlib import Path

import numpy as np

from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import BarSeries, Timeframe
from core.model.risk import RiskLimits
from core.runs.journal import RunJournal
from core.runs.loss_watch import LossWatch
from core.trading.books import RunBook
from tests.contract.samples import fill
from tests.unit.trading.desk import CASH, opened

D = Decimal


async def test_the_mark_stays_until_every_position_has_a_price(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        state, bought = scene.desk.state, fill("f1")
        book, journal = RunBook(CASH, RiskLimits(max_drawdown=D("0.5"))), RunJournal("run-1", "live")
        book.book(bought)
        watch, before = LossWatch(book, journal), book.losses.mark
        watch.note(state, CASH + 1, {}, DAY_NS)
        assert book.losses.mark == before
        state.note_price(bought.symbol, bought.price, 1)
        watch.note(state, CASH - 1, {bought.symbol: bought.price}, DAY_NS)
        assert book.losses.mark == (CASH, 1, CASH - 1)
        assert [(event.type, getattr(event.payload, "symbols", None)) for event in journal.events] == [
            ("risk.LossesUnjudged", (bought.symbol,)),
            ("risk.LossesUnjudged", ()),
            ("risk.EquityMarked", None),
        ]


async def test_a_run_without_limits_on_losses_says_nothing_of_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        book, journal = RunBook(CASH, RiskLimits(max_order_qty=D(1))), RunJournal("run-1", "live")
        book.book(fill("f1"))
        LossWatch(book, journal).note(scene.desk.state, CASH, {}, DAY_NS)
        assert journal.events == []


async def test_the_history_tells_a_price_and_an_older_one_is_not_taken(tmp_path: Path) -> None:
    async with opened(tmp_path) as scene:
        state, watch = scene.desk.state, LossWatch(RunBook(CASH, RiskLimits()), RunJournal("run-1", "live"))

        def minute(at: int, close: float) -> BarSeries:
            column = np.array([close], np.float64)
            return BarSeries.from_columns("DEMO", Timeframe(MINUTE_NS), np.array([at * MINUTE_NS], np.int64), *[column] * 5)

        watch.know(state, minute(5, 101.0))
        watch.know(state, minute(4, 99.0))
        watch.know(state, BarSeries.empty("DEMO", Timeframe(MINUTE_NS)))
        assert (state.prices["DEMO"], state.priced_ns("DEMO")) == (D(101), 6 * MINUTE_NS)
