"""The contract of `CorporateActionStore`, on every store."""

import asyncio
from decimal import Decimal

import pytest

from core.errors import BugError
from core.model.corporate_action import ActionMerge, CorporateAction, Dividend, Split, value_of
from core.ports import Store

DAY = 19_000


def split(day: int, ratio: str = "4", symbol: str = "AAPL") -> CorporateAction:
    return Split(symbol=symbol, day=day, ratio=Decimal(ratio))


def dividend(day: int, amount: str = "0.24", symbol: str = "AAPL") -> CorporateAction:
    return Dividend(symbol=symbol, day=day, amount=Decimal(amount))


async def test_nothing_is_stored_at_first(store: Store) -> None:
    assert await store.actions.read("AAPL") == ()
    assert await store.actions.read_all() == ()
    assert await store.actions.delete("AAPL") == 0


async def test_actions_come_back_by_day_the_split_before_the_dividend(store: Store) -> None:
    put = [dividend(DAY), split(DAY + 7), split(DAY), dividend(-3), dividend(DAY + 1, "0.000000000000000000001")]
    assert await store.actions.put(put) == ActionMerge(added=5)
    expected = (dividend(-3), split(DAY), dividend(DAY), dividend(DAY + 1, "0.000000000000000000001"), split(DAY + 7))
    assert await store.actions.read("AAPL") == expected


async def test_a_value_comes_back_to_its_last_digit(store: Store) -> None:
    exact = Decimal("0.3333333333333333333333333333333333333333")
    await store.actions.put([Split(symbol="AAPL", day=DAY, ratio=exact)])
    (found,) = await store.actions.read("AAPL")
    assert value_of(found) == exact


async def test_the_same_again_changes_nothing_and_another_value_replaces(store: Store) -> None:
    await store.actions.put([split(DAY), dividend(DAY), dividend(DAY + 1)])
    again = await store.actions.put([split(DAY, "4.00"), dividend(DAY, "0.25"), dividend(DAY + 2)])
    assert again == ActionMerge(added=1, identical=1, changed=1)
    found = await store.actions.read("AAPL")
    assert found == (split(DAY), dividend(DAY, "0.25"), dividend(DAY + 1), dividend(DAY + 2))
    assert str(value_of(found[0])) == "4"


async def test_symbols_are_apart(store: Store) -> None:
    await store.actions.put([split(DAY, symbol="MSFT"), dividend(DAY), split(DAY, "2")])
    assert await store.actions.read("MSFT") == (split(DAY, symbol="MSFT"),)
    assert await store.actions.read_all() == (split(DAY, "2"), dividend(DAY), split(DAY, symbol="MSFT"))
    assert await store.actions.delete("AAPL") == 2
    assert await store.actions.delete("AAPL") == 0
    assert await store.actions.read_all() == (split(DAY, symbol="MSFT"),)


async def test_two_of_one_day_and_kind_are_refused_and_nothing_is_stored(store: Store) -> None:
    with pytest.raises(BugError, match="one symbol, day and kind"):
        await store.actions.put([dividend(DAY - 1), dividend(DAY), dividend(DAY, "0.25")])
    assert await store.actions.read_all() == ()


async def test_storing_nothing_is_harmless(store: Store) -> None:
    assert await store.actions.put([]) == ActionMerge()


async def test_puts_at_the_same_time_lose_nothing(store: Store) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(store.actions.put([dividend(DAY + number), split(DAY + number % 5, str(number + 1))]))
    found = await store.actions.read("AAPL")
    assert len(found) == 25
