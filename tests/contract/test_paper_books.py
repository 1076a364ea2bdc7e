"""What keeps the accounts inside the program: every home of the data gives back what it was given, once."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from core.errors import BooksMoved, BugError
from core.ports import Store
from tests.contract.paper_samples import AFTERWARDS, BOUGHT, BUYING, EXECUTION, OPENED, OPENING, order

D = Decimal


async def test_an_account_that_nobody_opened_is_not_there(store: Store) -> None:
    assert await store.paper.load("sim") is None


async def test_changes_come_back_as_the_books_they_make(store: Store) -> None:
    await store.paper.save(OPENING)
    await store.paper.save(BUYING)
    books = await store.paper.load("sim")
    assert books == AFTERWARDS
    assert books is not None
    assert str(books.orders[0].mark) == "101.50"  # to the last digit, zeros and all


async def test_of_two_changes_after_the_same_revision_one_is_refused_whole(store: Store) -> None:
    await store.paper.save(OPENING)
    await store.paper.save(BUYING)
    late = msgspec.structs.replace(BUYING, orders=(order(number=3),), executions=(msgspec.structs.replace(EXECUTION, id="P1-x9"),))
    with pytest.raises(BooksMoved):
        await store.paper.save(late)
    with pytest.raises(BooksMoved):
        await store.paper.save(OPENING)
    assert await store.paper.load("sim") == AFTERWARDS


async def test_an_account_begins_with_its_first_revision(store: Store) -> None:
    with pytest.raises(BooksMoved):
        await store.paper.save(BUYING)
    assert await store.paper.load("sim") is None


async def test_an_execution_is_kept_once(store: Store) -> None:
    await store.paper.save(OPENING)
    await store.paper.save(BUYING)
    again = msgspec.structs.replace(BUYING, account=msgspec.structs.replace(BOUGHT, revision=3, cash=D(1)))
    with pytest.raises(BugError):
        await store.paper.save(again)
    assert await store.paper.load("sim") == AFTERWARDS


async def test_accounts_do_not_see_each_other(store: Store) -> None:
    await store.paper.save(OPENING)
    await store.paper.save(msgspec.structs.replace(OPENING, account=msgspec.structs.replace(OPENED, id="other"), orders=(), entries=()))
    await store.paper.save(BUYING)
    books, other = await store.paper.load("sim"), await store.paper.load("other")
    assert books == AFTERWARDS
    assert other is not None
    assert (other.account.revision, other.orders) == (1, ())


async def test_a_load_comes_after_every_change_that_was_asked_for(store: Store) -> None:
    await store.paper.save(OPENING)
    async with asyncio.TaskGroup() as group:
        saving = group.create_task(store.paper.save(BUYING))
        await asyncio.sleep(0)
        saving.cancel()  # nobody waits for it any more
        books = await store.paper.load("sim")
    assert books == AFTERWARDS
