from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.views.columns import Column, Kind
from core.views.table import RowTable
from ui.models.row_order import RowOrder

Item = tuple[str, Decimal | None, str]


class ItemTable(RowTable[Item]):
    columns = (
        Column[Item]("name", "Name", Kind.TEXT, lambda row: row[0], 80),
        Column[Item]("amount", "Amount", Kind.MONEY, lambda row: row[1], 80, decimals=2),
        Column[Item]("word", "Word", Kind.TEXT, lambda row: row[2], 80),
    )

    def key_of(self, row: Item) -> str:
        return row[0]


def table(*amounts: str | None) -> ItemTable:
    made = ItemTable()
    made.load((f"r{place}", None if amount is None else Decimal(amount), "abc"[place % 3]) for place, amount in enumerate(amounts))
    return made


def shown(order: RowOrder[Item], of: ItemTable) -> list[str]:
    return [of.rows[order.place(display)][0] for display in range(len(order))]


def test_numbers_sort_as_numbers_and_missing_ones_come_last() -> None:
    items = table("10", "9", None, "-1.5", "100")
    order = RowOrder(items)
    for newest_first, expected in ((False, ["r3", "r1", "r0", "r4", "r2"]), (True, ["r4", "r0", "r1", "r3", "r2"])):
        order.sort_by(items.columns[1], newest_first=newest_first)
        order.use(order.sorted_places(np.arange(5)))
        assert shown(order, items) == expected


def test_the_natural_order_keeps_no_list() -> None:
    items = table("1", "2", "3")
    order = RowOrder(items)
    assert shown(order, items) == ["r2", "r1", "r0"]
    assert order.insert_at == 0
    order.sort_by(None, newest_first=False)
    assert shown(order, items) == ["r2", "r1", "r0"]
    order.use(order.sorted_places(np.arange(3)))
    assert shown(order, items) == ["r0", "r1", "r2"]
    assert order.insert_at == 3


def test_what_was_appended_is_not_known_until_it_is_published() -> None:
    items = table("1")
    order = RowOrder(items)
    items.put(("new", Decimal(5), "a"))
    assert len(order) == 1
    order.publish(order.appended())
    assert shown(order, items) == ["new", "r0"]


@given(
    st.lists(st.one_of(st.none(), st.integers(-5, 5)), max_size=30),
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from(["", "a", "b"]),
    st.data(),
)
def test_order_after_any_changes_equals_order_made_anew(
    amounts: list[int | None], column: int, newest_first: bool, word: str, data: st.DataObject
) -> None:
    items = table(*[None if amount is None else str(amount) for amount in amounts])
    order = RowOrder(items)
    order.words = (word,) if word else ()
    natural = column == 0
    order.sort_by(None if natural else items.columns[column], newest_first=newest_first)
    order.reset()
    for number, amount in enumerate(data.draw(st.lists(st.integers(-5, 5), max_size=6))):
        items.put((f"n{number}", Decimal(amount), "abc"[number % 3]))
        order.publish(order.appended())
    gone = data.draw(st.integers(0, 40))
    if gone < len(items.rows):
        items.drop(gone, gone)
        order.removed(gone, gone)
    anew = RowOrder(items)
    anew.words = order.words
    anew.sort_by(order.sort_column, newest_first=newest_first)
    anew.reset()
    assert sorted(shown(order, items)) == sorted(shown(anew, items))
    places = sorted(order.place(display) for display in range(len(order)))
    order.use(order.sorted_places(np.array(places, np.int64)))
    assert shown(order, items) == shown(anew, items)
    for display in range(len(order)):
        assert order.display(order.place(display)) == display
