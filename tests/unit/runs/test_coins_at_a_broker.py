"""A run that trades coins at a broker that takes its fee from them: what it has is what it can sell."""

from decimal import Decimal
from pathlib import Path

from core.events.live_payloads import CoinFee
from core.model.broker import AccountName
from core.model.findings import Findings
from core.model.order import OrderStatus
from core.model.run import RunStatus
from core.runs.conservation import check_run
from tests.unit.runs.broker_desk import at_broker

TWICE = '''
from core.strategy.api import Bar, BarStrategy


class Twice(BarStrategy):
    """Buys and sells all of it twice, and ends its run."""

    id = "twice"
    warmup = 2
    bought = 0

    def on_bar(self, bar: Bar) -> None:
        if self.held():
            self.sell(self.held())
        elif self.bought == 2:
            self.stop_run("That was it.")
        else:
            self.bought += 1
            self.buy(0.5)
'''
KEPT = Decimal("0.49875")


async def test_all_that_was_bought_is_sold_and_the_books_stay_right(tmp_path: Path) -> None:
    (tmp_path / "twice.py").write_text(TWICE)
    async with at_broker(tmp_path, speed=20) as desk:
        run = await desk.create(strategy_id="twice")
        over = await desk.over(await desk.runs.start(run.id))
        assert (over.status, over.error) == (RunStatus.STOPPED, "That was it.")
        orders = await desk.store.runs.orders(run.id)
        assert [(order.request.qty, order.status) for order in orders] == [
            (Decimal("0.5"), OrderStatus.FILLED),
            (KEPT, OrderStatus.FILLED),
        ] * 2
        assert desk.server.do(lambda: dict(desk.server.book.holdings)) == {}
        fees = [event.payload for event in await desk.store.log.read(run_id=run.id, pattern=CoinFee.wire)]
        assert [fee.qty for fee in fees if isinstance(fee, CoinFee)] == [Decimal("0.00125")] * 2
        # What is stored of it agrees with itself, and its trades paid the fee.
        result = await desk.store.runs.result(run.id)
        assert result is not None
        assert [one for one in result.open_positions if one.qty] == []
        assert [(trade.qty, trade.fees) for trade in result.trades] == [
            (KEPT, Decimal("0.00125") * fill.price) for fill in await desk.store.runs.fills(run.id) if fill.side == "buy"
        ]
        found = Findings()
        await check_run(over, desk.store, found)
        assert found.report().findings == ()
        # A desk that opens the account anew knows of the fees.
        async with desk.runs._desks.open("alpaca", AccountName.PAPER) as account:
            assert await account.desk.reconcile() == ()
            assert [qty for qty in account.desk.state.positions().values() if qty] == []
