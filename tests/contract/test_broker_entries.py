"""What every adapter tells of an account that no execution explains, case by case; 10 in the list that `test_broker.py` begins."""

from decimal import Decimal

from core.clock.calendar import exchange_day
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.corporate_action import Dividend, Split
from core.model.instants import parse_instant
from core.model.order import OrderStatus
from tests.broker.bench import Bench
from tests.contract.order_kinds import market
from tests.contract.test_broker import settled

D = Decimal
TOMORROW = exchange_day(parse_instant("2023-11-15T15:00:00Z"))
SPLIT = Split(symbol="SPY", day=TOMORROW, ratio=D("1.5"))
DIVIDEND = Dividend(symbol="SPY", day=TOMORROW + 1, amount=D("0.5"))


async def bought(bench: Bench) -> None:
    await bench.broker.desk.submit(market("a"))
    await settled(bench, "a", OrderStatus.FILLED)


async def told(bench: Bench, kind: BrokerEntryKind) -> list[BrokerEntry]:
    return [one for one in await bench.broker.account.entries() if one.kind is kind]


async def test_10_1_a_new_account_tells_of_nothing_but_the_money_it_began_with(bench: Bench) -> None:
    assert {one.kind for one in await bench.broker.account.entries()} <= {BrokerEntryKind.DEPOSIT}


async def test_10_2_a_split_says_what_it_did_to_the_units_and_by_which_ratio(bench: Bench) -> None:
    await bought(bench)
    await bench.happens(SPLIT)
    found = await told(bench, BrokerEntryKind.SPLIT)
    assert len(found) == bench.has_companies
    (held,) = await bench.broker.account.positions()
    assert held.qty == (15 if bench.has_companies else 10)
    assert [(one.symbol, one.qty, one.rate, one.is_half_told) for one in found] == [("SPY", D(5), D("1.5"), False)] * len(found)


async def test_10_3_a_dividend_says_what_came_and_for_each_unit(bench: Bench) -> None:
    await bought(bench)
    before = (await bench.broker.account.account()).cash
    await bench.happens(DIVIDEND)
    found = await told(bench, BrokerEntryKind.DIVIDEND)
    assert [(one.symbol, one.cash, one.rate) for one in found] == [("SPY", D(5), D("0.5"))] * bench.has_companies
    assert (await bench.broker.account.account()).cash - before == sum(one.cash for one in found)


async def test_10_4_they_come_oldest_first_each_under_its_id_and_go_on_after_one(bench: Bench) -> None:
    await bought(bench)
    await bench.happens(SPLIT)
    first = await bench.broker.account.entries()
    await bench.happens(DIVIDEND)
    both = await bench.broker.account.entries()
    assert both[: len(first)] == first
    assert len({one.id for one in both}) == len(both) == len(first) + bench.has_companies
    assert [one.known_ns for one in both] == sorted(one.known_ns for one in both)
    if first:
        later = await bench.broker.account.entries(after=first[-1].id)
        new = {one.id for one in both} - {one.id for one in first}
        assert new <= {one.id for one in later} <= {one.id for one in both}  # some of before may come again
