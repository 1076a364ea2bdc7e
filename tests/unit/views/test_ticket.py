"""The order ticket and the account without their widgets."""

from decimal import Decimal

import msgspec
import pytest

from core.errors import InvalidValue
from core.model.broker import Features, Print
from core.model.hand import AccountView, HandOrder, HeldPosition, OrderPreview, RiskVerdict
from core.model.instants import DAY_NS
from core.model.order import OrderSide, OrderType, TimeInForce
from core.model.risk import SwitchLevel
from core.views.columns import Kind
from core.views.held import HoldingTable, WorkingTable, account_figures, working_rows
from core.views.ticket import TicketEntries, doubt_of, offer_of, preview_figures, why_not
from core.views.watch import WatchRow, live_row
from tests.unit.views.accounts import account_view
from tests.unit.views.events import order

HELD = HeldPosition(symbol="SPY", owner_id="r1", owner="SMA", qty=Decimal(-3), avg_price=Decimal(400), price=Decimal(410))


def view(**changes: object) -> AccountView:
    return account_view(**{"positions": (HELD,), "working": (order("o1", run_id="r1"), order("o2", run_id="hand")), **changes})


def test_an_order_is_made_of_what_stands_in_the_fields_and_of_no_price_that_its_type_does_not_take() -> None:
    entries = TicketEntries(symbol=" spy ", size="1,000", type=OrderType.LIMIT, limit="410.5", stop="1", trail="2 %", time_in_force="gtc")
    assert entries.order() == HandOrder(
        symbol="SPY",
        side=OrderSide.BUY,
        type=OrderType.LIMIT,
        qty=Decimal(1_000),
        limit_price=Decimal("410.5"),
        time_in_force=TimeInForce.GTC,
    )
    trailing = TicketEntries(symbol="SPY", side=OrderSide.SELL, size="5", type=OrderType.TRAILING_STOP, trail="2 %").order()
    assert (trailing.trail_percent, trailing.trail_price) == (Decimal(2), None)
    money = TicketEntries(symbol="SPY", size="500", size_is_money=True).order()
    assert (money.qty, money.notional) == (None, Decimal(500))


@pytest.mark.parametrize(
    ("entries", "field"),
    [
        (TicketEntries(size="1"), "symbol"),
        (TicketEntries(symbol="SPY", size="many"), "size"),
        (TicketEntries(symbol="SPY", size="-1"), "size"),
        (TicketEntries(symbol="SPY", size="1", type=OrderType.LIMIT), "limit"),
        (TicketEntries(symbol="SPY", size="1", type=OrderType.STOP_LIMIT, limit="4"), "stop"),
        (TicketEntries(symbol="SPY", size="1", target="x"), "target"),
    ],
)
def test_what_is_no_order_is_refused_at_its_field(entries: TicketEntries, field: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        entries.order()
    assert refused.value.field == field


def test_the_act_names_what_is_sent() -> None:
    assert TicketEntries(symbol="spy", size="10").act == "Buy 10 SPY"
    assert TicketEntries(symbol="spy", size="500", size_is_money=True, side=OrderSide.SELL).act == "Sell 500 of SPY"
    assert TicketEntries().act == "Buy"


def test_why_an_order_cannot_be_sent_is_one_sentence() -> None:
    entries = TicketEntries(symbol="SPY", size="10")
    made = HandOrder(symbol="SPY", side=OrderSide.BUY, qty=Decimal(10))
    refused = RiskVerdict(scope="account", code="risk_halted", rule="kill switch", limit="", figure="", sentence="The switch is thrown.")
    preview = OrderPreview(
        order=made,
        qty=Decimal(10),
        price=Decimal(410),
        price_source="quote",
        cost=Decimal(4_100),
        position_after=Decimal(7),
        buying_power=Decimal(900),
        buying_power_after=Decimal(-3_200),
        verdicts=(refused,),
    )
    assert why_not(entries, None, None) == "Connect an account first."
    assert why_not(TicketEntries(), view(), None) == "Name a symbol and a size."
    assert why_not(entries, view(), None) == "Looking at what it would come to …"
    assert why_not(entries, view(), preview) == "The switch is thrown."
    assert doubt_of(preview) == "It takes more than the buying power there is; the broker will hardly accept it."
    assert doubt_of(msgspec.structs.replace(preview, buying_power_after=Decimal(1))) == ""
    figures = {figure.name: figure for figure in preview_figures(preview)}
    assert (figures["cost"].title, figures["cost"].value, figures["price"].tip) == ("Costs", Decimal(4_100), "By the quote.")
    assert "exits" not in figures
    for when, words in (("with it", "also while the program is off"), ("after it", "they protect nothing")):
        told = preview_figures(msgspec.structs.replace(preview, exits_leave=when))[-1]
        assert (told.name, told.title, told.value) == ("exits", "Exits leave", when)
        assert words in told.tip


def test_only_what_the_broker_declares_is_offered() -> None:
    features = Features(order_types=(OrderType.LIMIT, OrderType.MARKET), times_in_force=(TimeInForce.GTD, TimeInForce.DAY))
    offer = offer_of(features)
    assert (offer.types, offer.times, offer.money) == ((OrderType.MARKET, OrderType.LIMIT), ("", "day"), False)


def test_the_account_is_told_in_figures_and_a_loss_of_today_is_one() -> None:
    figures = {figure.name: figure for figure in account_figures(view(silent_s=12.4, level=SwitchLevel.HALT))}
    assert (figures["day"].value, figures["day"].signed) == (Decimal(-10), True)
    assert (figures["heard"].value, figures["switch"].value, figures["number"].value) == ("12 s ago", "halt", "SIM1")
    assert (figures["reconciled"].kind, figures["reconciled"].value) == (Kind.TIME, None)


def test_orders_and_positions_have_their_owners_and_only_what_changed_is_told() -> None:
    working, held = WorkingTable(), HoldingTable()
    working.become(working_rows(view(), {"r1": "sma-cross · SPY · 1m"}))
    assert [(row.order.id, row.owner) for row in working.rows] == [("o1", "sma-cross · SPY · 1m"), ("o2", "By hand")]
    held.become(view().positions)
    for table in (working, held):
        table.settle()
    held.become(view().positions)
    assert not held.has_changes
    held.become(())
    held.settle()
    assert held.rows == []
    working.become(working_rows(view(working=(order("o2", run_id="hand"),)), {}))
    working.settle()
    assert [row.order.id for row in working.rows] == ["o2"]
    assert [column.key for column in WorkingTable.columns][-1] == "owner"


def test_a_position_without_the_exits_that_it_had_says_why() -> None:
    held, why = HoldingTable(), "3 of it stand without the exits that they had. The kill switch lets nothing leave."
    held.become((HELD, msgspec.structs.replace(HELD, symbol="QQQ", bare=why)))
    exits = HoldingTable.columns[-1]
    assert {row.symbol: (exits.value(row), held.tip_of(exits, row)) for row in held.rows} == {"SPY": ("", None), "QQQ": (why, why)}


def test_an_exit_that_the_broker_keeps_for_its_entry_is_held() -> None:
    working = WorkingTable()
    working.become(working_rows(view(held=frozenset({"o2"})), {}))
    (status,) = [column for column in WorkingTable.columns if column.key == "status"]
    assert [status.value(row) for row in working.rows] == ["created", "held"]
    assert working.tip_of(status, working.rows[0]) is None
    assert "once its entry has filled" in (working.tip_of(status, working.rows[1]) or "")


def test_a_change_since_the_day_before_is_told_only_where_bars_reach_it() -> None:
    trade = Print(symbol="SPY", time_ns=10 * DAY_NS + 7, price=Decimal(110), size=Decimal(1))
    old = WatchRow(symbol="SPY", last=100.0, time_ns=2 * DAY_NS, before=90.0)
    yesterday = WatchRow(symbol="SPY", last=100.0, time_ns=10 * DAY_NS, before=90.0)
    today = WatchRow(symbol="SPY", last=105.0, time_ns=10 * DAY_NS + 5, before=100.0)
    rows = [live_row("SPY", trade, stored, 10 * DAY_NS + 10**9 + 7, "sim") for stored in (None, old, yesterday, today)]
    assert [row.change for row in rows] == [None, None, pytest.approx(0.1), pytest.approx(0.1)]
    assert rows[0].age_s == 1.0
