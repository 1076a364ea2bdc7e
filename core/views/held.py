"""An account as a person sees it: what is held, by whom; what works; and the figures of its money."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Any, Final

import msgspec

from core.model.broker import Account
from core.model.hand import AccountView, HeldPosition
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Order
from core.views.columns import Column, Kind
from core.views.orders import OrderTable
from core.views.switches import LEVEL_WORDS
from core.views.table import RowTable


class HoldingTable(RowTable[HeldPosition]):
    """What each owner holds of a symbol at the account that is connected."""

    columns = (
        Column[HeldPosition]("symbol", "Symbol", Kind.TEXT, lambda row: row.symbol, 84),
        Column[HeldPosition]("side", "Side", Kind.SIDE, lambda row: "long" if row.qty > 0 else "short", 52),
        Column[HeldPosition]("qty", "Quantity", Kind.NUMBER, lambda row: row.qty, 84, decimals="qty"),
        Column[HeldPosition]("avg_price", "Avg price", Kind.PRICE, lambda row: row.avg_price, 92, decimals="price"),
        Column[HeldPosition]("last", "Last", Kind.PRICE, lambda row: row.price, 92, decimals="price"),
        Column[HeldPosition]("value", "Value", Kind.MONEY, lambda row: row.value, 104, decimals=2),
        Column[HeldPosition]("open", "Open P/L", Kind.MONEY, lambda row: row.open_pnl, 92, decimals=2, signed=True, tip="Before fees."),
        Column[HeldPosition]("owner", "Owner", Kind.TEXT, lambda row: row.owner, 100, tip="Whose orders made it."),
        Column[HeldPosition]("exits", "Exits", Kind.TEXT, lambda row: row.bare, 150, tip="Why it stands without exits that it had."),
    )  # fmt: skip

    def key_of(self, row: HeldPosition) -> str:
        return f"{row.symbol} {row.owner_id}"

    def symbol_of(self, row: HeldPosition) -> str:
        return row.symbol

    def tip_of(self, column: Column[HeldPosition], row: HeldPosition) -> str | None:
        return row.bare or None if column.key == "exits" else None

    def saw(self, row: HeldPosition) -> None:
        self.decimals.saw_price(row.symbol, row.avg_price or row.price)
        self.decimals.saw_qty(row.symbol, row.qty)


def revalued(view: AccountView, prices: Mapping[str, Decimal]) -> AccountView:
    """Return an account that is worth what these newer prices say; brokers value it seldom.

    Its positions are, and by as much as they then differ from what the broker counted them as, its equity: all are of one moment. What
    the broker lends, buying power and margin, stays as it said.
    """

    def at_price(one: HeldPosition) -> HeldPosition:
        price = prices.get(one.symbol)
        if price is None:
            return one
        with localcontext(MONEY_CONTEXT):
            pnl = None if one.avg_price is None else (price - one.avg_price) * one.qty
            return msgspec.structs.replace(one, price=price, value=price * one.qty, open_pnl=pnl)

    positions = tuple(map(at_price, view.positions))
    return msgspec.structs.replace(view, positions=positions, money=_remarked(view, positions))


def _remarked(view: AccountView, positions: Sequence[HeldPosition]) -> Account:
    """Return the account's money by the new values of its positions. What had no value was not counted, or nobody knows as what."""
    held: dict[str, Decimal] = {}
    moved: dict[str, Decimal] = {}
    with localcontext(MONEY_CONTEXT):
        for before, after in zip(view.positions, positions, strict=True):
            held[after.symbol] = held.get(after.symbol, ZERO) + after.qty
            if before.value is not None and after.value is not None:
                moved[after.symbol] = moved.get(after.symbol, ZERO) + after.value - before.value
        longs = sum((change for symbol, change in moved.items() if held[symbol] > 0), ZERO)
        shorts = sum((change for symbol, change in moved.items() if held[symbol] < 0), ZERO)
        if not longs and not shorts:
            return view.money
        return msgspec.structs.replace(
            view.money,
            equity=view.money.equity + longs + shorts,
            long_value=view.money.long_value + longs,
            short_value=view.money.short_value + shorts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingRow:
    """An order that can still fill, and whose it is. `is_held`: the broker keeps it back until its entry has filled.

    `trigger`: where a trailing stop stands, as far as the broker said.
    """

    order: Order
    owner: str
    is_held: bool = False
    trigger: Decimal | None = None


HELD: Final = "The broker has it, and works it once its entry has filled, also while the program is off."
TRAILS: Final = "Where it stands: it follows the market. As the broker said last, after each change, else every ten seconds."
_TAKEN = ("created", "symbol", "side", "type", "role", "qty", "filled", "status", "limit", "stop", "tif", "id")


def _of_order(column: Column[Order]) -> Column[WorkingRow]:
    def value(row: WorkingRow) -> Any:
        if column.key == "stop" and row.trigger is not None:
            return row.trigger
        return "held" if row.is_held and column.key == "status" else column.value(row.order)

    width = 104 if column.key == "type" else column.width  # how far a trailing stop follows is read here, where it stands beside it
    return replace(column, value=value, width=width)  # type: ignore[arg-type, return-value]  # the same column of another row


class WorkingTable(RowTable[WorkingRow]):
    """Orders of ours that work at the account that is connected, of every run and of the person."""

    columns = (
        *(_of_order(column) for key in _TAKEN for column in OrderTable.columns if column.key == key),
        Column[WorkingRow]("owner", "Owner", Kind.TEXT, lambda row: row.owner, 100),
    )

    def key_of(self, row: WorkingRow) -> str:
        return row.order.id

    def symbol_of(self, row: WorkingRow) -> str:
        return row.order.request.symbol

    def tip_of(self, column: Column[WorkingRow], row: WorkingRow) -> str | None:
        if column.key == "stop" and row.trigger is not None:
            return TRAILS
        return HELD if row.is_held and column.key == "status" else None

    def saw(self, row: WorkingRow) -> None:
        request = row.order.request
        self.decimals.saw_price(request.symbol, row.order.avg_fill_price or request.limit_price or request.stop_price or row.trigger)
        self.decimals.saw_qty(request.symbol, request.qty)


def working_rows(view: AccountView, titles: Mapping[str, str]) -> Iterable[WorkingRow]:
    """Return the working orders with their owners; `titles` are those of runs, by id."""
    owners = {**titles, view.hand_run_id: "By hand"}
    return [
        WorkingRow(
            order=order, owner=owners.get(order.run_id, order.run_id), is_held=order.id in view.held, trigger=view.triggers.get(order.id)
        )
        for order in view.working
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFigure:
    """A figure of an account: how it is written is told by `kind`, as in a table."""

    name: str
    title: str
    value: Any
    kind: Kind = Kind.MONEY
    signed: bool = False
    tip: str = ""


_MARKED: Final = "The broker's figure, with what is held at the market's newest prices, as in Positions: every two seconds."
_SAID: Final = "As the broker said last: after each change, else every ten seconds."


def account_figures(view: AccountView) -> tuple[AccountFigure, ...]:
    """Return the figures of an account, the weightiest first."""
    money = view.money
    heard = "now" if not view.silent_s else f"{view.silent_s:.0f} s ago"
    return (
        AccountFigure(name="equity", title="Equity", value=money.equity, tip=_MARKED),
        AccountFigure(
            name="day", title="Today", value=money.equity - money.last_equity, signed=True, tip="Equity against the last session's close."
        ),
        AccountFigure(name="buying-power", title="Buying power", value=money.buying_power, tip=_SAID),
        AccountFigure(name="cash", title="Cash", value=money.cash),
        AccountFigure(name="long", title="Long", value=money.long_value),
        AccountFigure(name="short", title="Short", value=money.short_value),
        AccountFigure(name="margin", title="Margin", value=money.maintenance_margin, tip=f"Maintenance margin. {_SAID}"),
        AccountFigure(name="day-trades", title="Day trades", value=str(money.day_trades), kind=Kind.TEXT),
        AccountFigure(name="number", title="Number", value=view.key.partition(":")[2], kind=Kind.TEXT),
        AccountFigure(name="status", title="At the broker", value=_status(view), kind=Kind.TEXT),
        AccountFigure(name="heard", title="Heard of", value=heard, kind=Kind.TEXT, tip="When the broker was last heard of."),
        AccountFigure(name="reconciled", title="Reconciled", value=view.reconciled_ns, kind=Kind.TIME, tip="Our books against its."),
        AccountFigure(name="switch", title="Kill switch", value=LEVEL_WORDS[view.level], kind=Kind.TEXT),
        AccountFigure(name="outside", title="Others' orders", value=str(view.outside_orders), kind=Kind.TEXT),
    )


def _status(view: AccountView) -> str:
    return "trading blocked" if view.money.trading_blocked else view.money.status.lower()
