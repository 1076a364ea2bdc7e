"""A run whose entry leaves with its exits as one order: what the strategy knows of them, and what becomes of them with the run."""

from decimal import Decimal
from pathlib import Path

from core.model.order import Order, OrderStatus
from core.model.run import Run
from tests.unit.runs.broker_desk import BrokerDesk, bracket

STRATEGY = '''
from core.strategy.api import Bar, BarStrategy


class Bracket(BarStrategy):
    """Buys once, below the market, with exits; takes its entry back when a part is filled, and minds its stop from then on."""

    id = "bracket"
    warmup = 2
    bought = moved = False

    def on_bar(self, bar: Bar) -> None:
        self.note(" ".join(sorted(self.account.working())))
        if not self.bought:
            self.bought = True
            self.buy(10, limit=300, target=500, stop_loss=250, ref="in")
        elif self.held() and "in" in self.account.working():
            self.cancel("in")
        elif self.held() and "in.stop" in self.account.working() and not self.moved:
            self.moved = True
            self.replace("in.stop", stop=260)
'''
S = OrderStatus


async def rows(desk: BrokerDesk, run: Run) -> dict[str, Order]:
    return {order.id.removeprefix(f"{run.id}-"): order for order in await desk.store.runs.orders(run.id)}


async def test_the_strategy_knows_them_while_they_are_held(tmp_path: Path) -> None:
    async with bracket(tmp_path, STRATEGY) as (desk, run):
        assert [(one["order_class"], one["status"]) for one in desk.sent()] == [
            ("bracket", "new"),
            ("bracket", "held"),
            ("bracket", "held"),
        ]
        await desk.until("strategy.Noted", 4)
        notes = [one.text for one in await desk.until("strategy.Noted")]
        assert notes[-1] == "in in.stop in.target"
        desk.fill(sent_id(desk, "buy", "limit"), "10", "300")
        await desk.until("orders.Filled")
        assert [order.status for order in (await rows(desk, run)).values()] == [S.FILLED, S.ACCEPTED, S.ACCEPTED]
        await desk.runs.stop(run.id)
        assert [order.status for order in (await rows(desk, run)).values()] == [S.FILLED, S.CANCELLED, S.CANCELLED]
        assert len(desk.sent()) == 3


async def test_from_the_fill_of_an_exit_one_walks_back_through_that_of_its_entry(tmp_path: Path) -> None:
    async with bracket(tmp_path, STRATEGY) as (desk, run):
        desk.fill(sent_id(desk, "buy", "limit"), "10", "300")
        await desk.until("orders.Filled")
        desk.fill(sent_id(desk, "sell", "limit"), "10", "500")
        await desk.until("orders.Filled", 2)
        events = {event.id: event for event in await desk.store.log.read(run_id=run.id, limit=5_000)}
        event = next(
            one for one in events.values() if one.type == "orders.Filled" and getattr(one.payload, "order_id", "") == f"{run.id}-3"
        )
        walked = []
        while event.causation_id in events:
            event = events[event.causation_id]
            walked.append(event.type)
        assert walked.count("orders.Filled") == 1
        assert walked[-1] == "strategy.PlaceRequest"
        await desk.runs.stop(run.id)


async def test_a_part_that_was_bought_is_protected_under_the_names_that_the_strategy_gave(tmp_path: Path) -> None:
    async with bracket(tmp_path, STRATEGY) as (desk, run):
        desk.fill(sent_id(desk, "buy", "limit"), "4", "300")
        replaced = (await desk.until("orders.Replaced"))[0]
        assert replaced.order_id == f"{run.id}-2.again"
        own = await rows(desk, run)
        assert [own[each].status for each in ("1", "2", "3")] == [S.CANCELLED] * 3
        assert (own["2.again"].request.stop_price, own["2.again"].request.qty) == (Decimal(260), Decimal(4))
        working = [one for one in desk.sent() if one["side"] == "sell" and one["status"] in {"new", "held", "pending_new"}]
        assert {(one["type"], one["qty"]) for one in working} == {("limit", "4"), ("stop", "4")}
        await desk.runs.stop(run.id)
        own = await rows(desk, run)
        assert [own[each].status for each in ("2.again", "3.again")] == [S.CANCELLED] * 2


async def test_a_run_that_is_stopped_takes_all_of_it_back(tmp_path: Path) -> None:
    async with bracket(tmp_path, STRATEGY) as (desk, run):
        desk.fill(sent_id(desk, "buy", "limit"), "4", "300")
        await desk.runs.stop(run.id)
        assert {one["status"] for one in desk.sent()} == {"canceled"}
        assert len(desk.sent()) == 3
        assert {order.status for order in (await rows(desk, run)).values()} == {S.CANCELLED}


def sent_id(desk: BrokerDesk, side: str, kind: str) -> str:
    (found,) = [one["id"] for one in desk.server.book.orders.values() if (one["side"], one["type"]) == (side, kind)]
    return str(found)
