"""A split at Alpaca is two rows and no ratio."""

import random
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from core.brokers.alpaca.activities import entries_of
from core.brokers.alpaca.bookings import read_booking
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.corporate_action import units_after
from core.model.instants import parse_instant

D, K = Decimal, BrokerEntryKind


def row(id: str, qty: str, price: str | None = None, words: str = "", **fields: Any) -> dict[str, Any]:
    shared = {"activity_type": "SPLIT", "symbol": "SPY", "date": "2024-12-02", "net_amount": "0", "status": "executed"}
    made = "2024-12-01T22:30:42.997Z" if id == "old" else "2024-12-01T22:33:41.647Z"
    return {**shared, "id": f"20241202000000000::{id}", "qty": qty, "price": price, "description": words, "created_at": made, **fields}


def entries(*rows: dict[str, Any]) -> list[BrokerEntry]:
    return entries_of(one for one in map(read_booking, rows) if one is not None)


@pytest.mark.parametrize(
    ("old", "new", "prices", "fields", "ratio"),
    [
        ("-0.54796447", "0.821946705", ("62.32", "41.5467"), {"activity_sub_type": "FSPLIT"}, "1.5"),
        ("-33", "1.65", ("7", "140"), {"activity_sub_type": "RSPLIT"}, "0.05"),
        ("-0.29194239", "0.029194239", ("5.138", "51.38"), {}, "0.1"),
        ("-0.000807009", "0.003228036", ("102.428", "25.607"), {}, "4"),
        ("-10", "15", (None, None), {}, "1.5"),
        # A third has no end; the broker cuts it off, and it is read back as what it was.
        ("-25", "1.666666667", ("1.5", "22.5"), {}, None),
        ("-33", "1", ("7", "140"), {}, "0.05"),  # the fraction is paid in cash: the prices tell
        ("10", "-20", ("100", "50"), {"activity_sub_type": "FSPLIT"}, "2"),  # a short position
        ("-300", "600", ("0.0203", "0.0102"), {}, "2"),  # a price of so few digits contradicts nothing
    ],
)
def test_the_ratio_is_the_simplest_that_fits(
    old: str, new: str, prices: tuple[Any, Any], fields: dict[str, Any], ratio: str | None
) -> None:
    (found,) = entries(row("new", new, prices[1], **fields), row("old", old, prices[0], **fields))
    assert found.rate is not None
    assert found.rate == D(ratio) if ratio else units_after(D(15), found.rate) == 1
    assert (found.qty, found.symbol, found.id) == (D(old) + D(new), "SPY", "20241202000000000::old")
    assert found.time_ns == parse_instant("2024-12-01T22:33:41.647Z")


def test_a_short_position_is_told_by_the_words_where_nothing_else_does() -> None:
    rows = row("old", "10", words="REMOVE, From QTY:10, To QTY:-20"), row("new", "-20", words="ADD, From QTY:10, To QTY:-20")
    (found,) = entries(*rows)
    assert (found.rate, found.qty, found.id) == (D(2), D(-10), "20241202000000000::old")


@pytest.mark.parametrize("only", ["old", "new"])
def test_of_one_row_alone_the_other_is_waited_for(only: str) -> None:
    (found,) = entries(row(only, "-10" if only == "old" else "15"))
    assert (found.kind, found.is_half_told, found.rate) == (K.SPLIT, True, None)


def test_two_splits_of_a_day_are_kept_apart_by_their_group() -> None:
    made = [("a", "1", "-10"), ("a", "2", "20"), ("b", "3", "-20"), ("b", "4", "60")]
    rows = [row(number, qty, group_id=group) for group, number, qty in made]
    assert [one.rate for one in entries(*reversed(rows))] == [D(2), D(3)]


@pytest.mark.parametrize(
    "rows",
    [
        [row("old", "-10"), row("new", "-20")],
        [row("old", "-10"), row("new", "20"), row("again", "20")],
        [row("old", "-10", "100"), row("new", "20", "77")],
    ],
    ids=["one way", "three rows", "prices say another"],
)
def test_what_does_not_fit_together_is_told_and_not_booked(rows: list[dict[str, Any]]) -> None:
    found = entries(*rows)
    assert len(found) == len(rows)
    assert {one.kind for one in found} == {K.CORPORATE_ACTION}


def test_any_ratio_is_found_again() -> None:
    chance = random.Random(7)
    for _ in range(400):
        new, old = chance.randint(1, 50), chance.randint(1, 50)
        held = D(chance.randint(1, 10**12)) / chance.choice([1, 10**3, 10**9])
        after = (held * new / old).quantize(D("1E-9"), chance.choice([ROUND_DOWN, ROUND_HALF_UP]))
        if new == old or after < D("0.001") or held < D("0.001"):
            continue
        price = D(chance.randint(100, 100_000)) / 100
        (found,) = entries(row("old", f"{-held}", f"{price}"), row("new", f"{after}", f"{price * old / new:.4f}"))
        assert found.rate is not None
        assert abs(units_after(held, found.rate) - after) < D("2E-9"), (held, new, old)
        if held > 1:
            assert abs(found.rate * old - new) < D("1E-6"), (held, new, old)
