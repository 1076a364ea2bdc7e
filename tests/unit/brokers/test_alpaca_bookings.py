"""Rows of Alpaca's activities: each kind as it is documented, and rows that are odd."""

from decimal import Decimal
from typing import Any

import pytest

from core.brokers.alpaca.activities import entries_of
from core.brokers.alpaca.bookings import Booking, day_of_id, read_booking
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.instants import iso, parse_instant

D, K = Decimal, BrokerEntryKind
PAID = ("DIV", "DIVCGL", "DIVCGS", "DIVROC", "DIVTXEX")
KEPT = ("DIVNRA", "DIVFT", "DIVTW", "DIVFEE", "DIVWH")
DIVIDEND = {
    "activity_type": "DIV",
    "id": "20241129000000000::5f596936",
    "date": "2024-11-29",
    "net_amount": "0.78",
    "symbol": "MMS",
    "qty": "0",
    "per_share_amount": "0.3",
    "description": "Cash DIV @ 0.3, Pos QTY: 2.607144585, Rec Date: 2024-11-15",
    "status": "executed",
    "created_at": "2024-12-02T05:09:50.214Z",
}


def booking(**fields: Any) -> Booking:
    read = read_booking({**DIVIDEND, **fields})
    assert read is not None
    return read


def entries(*rows: dict[str, Any]) -> list[BrokerEntry]:
    read = [read_booking(row) for row in rows]
    return entries_of(one for one in read if one is not None)


def entry(**fields: Any) -> BrokerEntry:
    (found,) = entries({**DIVIDEND, **fields})
    return found


def plain(kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": f"20241129000000000::{kind}", "activity_type": kind, "date": "2024-11-29", "net_amount": "0", **fields}


@pytest.mark.parametrize(
    ("row", "kind", "cash", "qty"),
    [
        (plain("CSD", net_amount="1234", description="", status="executed"), K.DEPOSIT, D(1234), D(0)),
        (plain("CSW", net_amount="-500"), K.WITHDRAWAL, D(-500), D(0)),
        (plain("JNLC", net_amount="-5"), K.TRANSFER, D(-5), D(0)),
        (plain("JNLS", symbol="AAPL", qty="3", price="190"), K.TRANSFER, D(0), D(3)),
        (plain("ACATC", net_amount="9"), K.TRANSFER, D(9), D(0)),
        (plain("ACATS", symbol="AAPL", qty="-3"), K.TRANSFER, D(0), D(-3)),
        (plain("FEE", net_amount="-0.01", symbol="", qty="0"), K.FEE, D("-0.01"), D(0)),
        (plain("FEE", net_amount="-3.35", qty="1341", price="0.0025"), K.FEE, D("-3.35"), D(0)),
        (plain("PTC", net_amount="-1"), K.FEE, D(-1), D(0)),
        (plain("CFEE", symbol="ETHUSD", qty="-0.000195", price="1884.5"), K.COIN_FEE, D(0), D("-0.000195")),
        (plain("CFEE", symbol="ETHUSD", net_amount="-0.25"), K.FEE, D("-0.25"), D(0)),
        (plain("INT", net_amount="-1.5"), K.INTEREST, D("-1.5"), D(0)),
        (plain("INTNRA", net_amount="-0.2"), K.INTEREST, D("-0.2"), D(0)),
        *[(plain(kind, symbol="T", net_amount="1.02", qty="2"), K.DIVIDEND, D("1.02"), D(0)) for kind in PAID],
        *[(plain(kind, symbol="T", net_amount="-0.3"), K.DIVIDEND_TAX, D("-0.3"), D(0)) for kind in KEPT],
        (plain("DIV", symbol="ICNP", qty="0.12", activity_sub_type="SDIV"), K.CORPORATE_ACTION, D(0), D("0.12")),
        (plain("MA", symbol="HIE", net_amount="25.27"), K.CORPORATE_ACTION, D("25.27"), D(0)),
        (plain("NC", symbol="RNA", qty="-7.3"), K.CORPORATE_ACTION, D(0), D("-7.3")),
        (plain("SPIN", symbol="CON", qty="0.05"), K.CORPORATE_ACTION, D(0), D("0.05")),
        (plain("REORG", symbol="SRV.RT", qty="-8"), K.CORPORATE_ACTION, D(0), D(-8)),
        (plain("SC", symbol="X", qty="1"), K.CORPORATE_ACTION, D(0), D(1)),
        (plain("SSP", symbol="X", qty="1"), K.CORPORATE_ACTION, D(0), D(1)),
        (plain("SPLIT", symbol="INFQ", qty="8", activity_sub_type="USPLIT"), K.CORPORATE_ACTION, D(0), D(8)),
        (plain("SPLIT", qty="8"), K.CORPORATE_ACTION, D(0), D(8)),
        (plain("MISC", net_amount="1"), K.OTHER, D(1), D(0)),
        (plain("OPASN", symbol="X", qty="14"), K.OTHER, D(0), D(14)),
        (plain("WHATEVER", net_amount="7"), K.OTHER, D(7), D(0)),
    ],
    ids=lambda value: value["activity_type"] if isinstance(value, dict) else None,
)  # fmt: skip
def test_each_kind(row: dict[str, Any], kind: BrokerEntryKind, cash: Decimal, qty: Decimal) -> None:
    (found,) = entries(row)
    assert (found.kind, found.cash, found.qty, found.id) == (kind, cash, qty, row["id"])
    assert row["activity_type"] in found.said


def test_a_dividend_is_whose_that_held_before_its_day_of_record() -> None:
    found = entry()
    assert (found.rate, found.cash, found.symbol) == (D("0.3"), D("0.78"), "MMS")
    assert (iso(found.time_ns), iso(found.known_ns)) == ("2024-11-15T05:00:00Z", "2024-12-02T05:09:50.214000Z")
    assert found.said.startswith("Dividend (DIV): Cash DIV @ 0.3")
    without = entry(description="", date="2019-08-01", id="20190801011955195::x")
    assert without.time_ns == without.known_ns == parse_instant("2024-12-02T05:09:50.214Z")


def test_tax_on_a_dividend_is_of_the_same_holders() -> None:
    tax = {**DIVIDEND, "activity_type": "DIVNRA", "id": "20241129000000000::tax", "net_amount": "-0.24", "per_share_amount": None,
           "description": "DIV tax withholding on $0.78 at 30% for tax country IND"}  # fmt: skip
    dividend, kept = sorted(entries(DIVIDEND, tax), key=lambda one: one.kind)
    assert (kept.kind, kept.time_ns) == (K.DIVIDEND_TAX, dividend.time_ns)
    assert kept.rate is not None
    assert (kept.rate * D("2.607144585")).quantize(D("0.000001")) == D("-0.24")
    (alone,) = entries(tax)
    assert (alone.rate, alone.time_ns) == (None, parse_instant("2024-12-02T05:09:50.214Z"))


@pytest.mark.parametrize("status", ["executed", "correct", "", None, "Executed"])
def test_what_is_executed_or_corrected_counts(status: str | None) -> None:
    assert entry(status=status).kind is K.DIVIDEND


def test_what_is_pending_is_waited_for() -> None:
    assert entries({**DIVIDEND, "status": "pending"}) == []


@pytest.mark.parametrize("status", ["canceled", "cancelled"])
def test_what_was_taken_back_names_what_it_undoes(status: str) -> None:
    found = entry(status=status)
    assert (found.reverses, found.id, found.cash) == (DIVIDEND["id"], f"{DIVIDEND['id']}/cancelled", D("-0.78"))
    assert "Taken back" in found.said


def test_a_split_that_was_taken_back_is_left_to_a_person() -> None:
    found = entry(activity_type="SPLIT", net_amount="0", qty="-10", status="canceled")
    assert (found.kind, found.reverses, found.is_half_told) == (K.CORPORATE_ACTION, DIVIDEND["id"], False)


def test_a_status_that_nobody_knows_is_told_and_moves_nothing() -> None:
    assert entry(status="reviewed").kind is K.OTHER


@pytest.mark.parametrize("name", ["net_amount", "qty", "per_share_amount"])
@pytest.mark.parametrize("value", ["abc", "NaN", "Infinity", [1], {}])
def test_an_amount_that_cannot_be_read_is_told_and_moves_nothing(name: str, value: object) -> None:
    assert entry(**{name: value}).kind is K.OTHER


def test_numbers_come_as_text_or_as_numbers_or_not_at_all() -> None:
    assert entry(net_amount=1, per_share_amount=D("0.5")).cash == D(1)
    found = entry(net_amount=None, symbol=None, qty=None, per_share_amount=None, description=None)
    assert (found.kind, found.cash, found.symbol, found.rate) == (K.DIVIDEND, D(0), "", None)


@pytest.mark.parametrize("row", [{"activity_type": "DIV"}, {"id": None}, {"id": ""}, {"id": "1", "activity_type": "FILL"}])
def test_what_has_no_id_or_is_an_execution_is_passed_over(row: dict[str, Any]) -> None:
    assert read_booking(row) is None


def test_a_row_without_a_kind_is_told() -> None:
    assert read_booking({"id": "20241129000000000::x"}) is not None
    assert entries({"id": "20241129000000000::x"})[0].kind is K.OTHER


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        ({"created_at": None}, "2024-11-29T05:00:00Z"),
        ({"created_at": "soon"}, "2024-11-29T05:00:00Z"),
        ({"created_at": None, "date": "2024-11-28T00:00:00Z"}, "2024-11-28T05:00:00Z"),
        ({"created_at": None, "date": None}, "2024-11-29T05:00:00Z"),
        ({"created_at": None, "date": "no day"}, "2024-11-29T05:00:00Z"),
        ({"created_at": None, "date": None, "id": "without"}, None),
    ],
)
def test_when_it_was_booked(fields: dict[str, Any], known: str | None) -> None:
    assert booking(**fields).known_ns == (None if known is None else parse_instant(known))


def test_a_row_without_any_time_comes_with_the_newest() -> None:
    undated = plain("CSD", id="undated", date=None, net_amount="1")
    assert [one.known_ns for one in entries(undated, DIVIDEND)] == [parse_instant("2024-12-02T05:09:50.214Z")] * 2


def test_the_order_is_that_in_which_they_were_booked_whatever_day_they_count_for() -> None:
    late = plain("CSD", id="20240826000000000::late", date="2024-08-26", net_amount="1", created_at="2024-12-03T00:00:00Z")
    assert [one.id for one in entries(late, DIVIDEND)] == [DIVIDEND["id"], late["id"]]


@pytest.mark.parametrize("id", ["", "x", "20241399::x", "0000", "99999999999"])
def test_an_id_that_begins_with_no_day(id: str) -> None:
    assert day_of_id(id) is None
