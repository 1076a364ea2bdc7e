"""Positions and round trips of one run, folded from its fills."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Final

from core.model.corporate_action import PositionChange, price_after, units_after
from core.model.money import MONEY_CONTEXT, ZERO
from core.model.order import Fill
from core.model.position import PositionSide, Trade
from core.model.round_trips import RoundTrips
from core.views.columns import Column, Kind
from core.views.table import RowTable


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """Net holding of one symbol at average cost. `qty` signed, in units; `realised_pnl` before fees; `last` the newest known price."""

    symbol: str
    qty: Decimal = ZERO
    avg_price: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    last: float | None = None
    updated_ns: int | None = None

    @property
    def side(self) -> str:
        """`long`, `short` or `flat`."""
        return "flat" if not self.qty else PositionSide.LONG.value if self.qty > 0 else PositionSide.SHORT.value

    @property
    def value(self) -> float | None:
        """Quantity at the last price, signed."""
        return None if self.last is None else float(self.qty) * self.last

    @property
    def open_pnl(self) -> float | None:
        """What closing at the last price would realise, before fees; None when flat or without a price."""
        return None if self.last is None or not self.qty else (self.last - float(self.avg_price)) * float(self.qty)

    def after(self, fill: Fill) -> "PositionRow":
        """Return the holding after a fill: adding averages the cost, reducing realises against it, crossing zero starts anew."""
        signed = fill.qty * fill.side.sign
        qty = self.qty + signed
        realised, avg = self.realised_pnl, self.avg_price
        if self.qty * signed >= 0:
            avg = (self.avg_price * abs(self.qty) + fill.price * fill.qty) / abs(qty)
        else:
            closed = min(abs(self.qty), fill.qty)
            realised += (fill.price - self.avg_price) * closed * (1 if self.qty > 0 else -1)
            if qty * self.qty <= 0:
                avg = fill.price if qty else ZERO
        return replace(self, qty=qty, avg_price=avg, realised_pnl=realised, fees=self.fees + fill.fee, updated_ns=fill.time_ns)

    def after_split(self, change: PositionChange) -> "PositionRow":
        """Return the holding in the units of after a split; the fraction that was paid in cash is realised."""
        with localcontext(MONEY_CONTEXT):
            avg = price_after(self.avg_price, change.ratio)
            fraction = units_after(self.qty, change.ratio) - change.qty
            realised = self.realised_pnl + (change.cash - avg * fraction if fraction else ZERO)
        # A last price from before the split would tell a profit that is none.
        last = None if self.last is None else self.last / float(change.ratio)
        return replace(self, qty=change.qty, avg_price=avg if change.qty else ZERO, realised_pnl=realised, last=last)

    def after_coin_fee(self, qty: Decimal, price: Decimal) -> "PositionRow":
        """Return the holding without the units that the broker kept as a fee; they count as money at the fill's price."""
        with localcontext(MONEY_CONTEXT):
            return replace(self, qty=self.qty - qty, fees=self.fees + qty * price)

    def at(self, price: float) -> "PositionRow":
        """Return the holding at a newer price, quote currency."""
        return replace(self, last=price)


_MAE: Final = "Worst price while open against the entry."
_MFE: Final = "Best price while open against the entry."
_REALISED = "At average cost, before fees."


class PositionTable(RowTable[PositionRow]):
    """One row for each symbol that was traded, flat ones too."""

    columns = (
        Column[PositionRow]("symbol", "Symbol", Kind.TEXT, lambda row: row.symbol, 84),
        Column[PositionRow]("side", "Side", Kind.SIDE, lambda row: row.side, 52),
        Column[PositionRow]("qty", "Quantity", Kind.NUMBER, lambda row: row.qty, 84, decimals="qty"),
        Column[PositionRow]("avg_price", "Avg price", Kind.PRICE, lambda row: row.avg_price or None, 92, decimals="price"),
        Column[PositionRow]("last", "Last", Kind.PRICE, lambda row: row.last, 92, decimals="price", tip="Newest close"),
        Column[PositionRow]("value", "Value", Kind.MONEY, lambda row: row.value, 104, decimals=2),
        Column[PositionRow]("open", "Open P/L", Kind.MONEY, lambda row: row.open_pnl, 92, decimals=2, signed=True, tip="Before fees."),
        Column[PositionRow]("realised", "Realised", Kind.MONEY, lambda row: row.realised_pnl, 96, decimals=2, signed=True, tip=_REALISED),
        Column[PositionRow]("fees", "Fees", Kind.MONEY, lambda row: row.fees, 76, decimals=2),
        Column[PositionRow]("updated", "Last fill", Kind.TIME, lambda row: row.updated_ns, 142, gives_way=1),
    )  # fmt: skip

    def key_of(self, row: PositionRow) -> str:
        return row.symbol

    def symbol_of(self, row: PositionRow) -> str:
        return row.symbol

    def saw(self, row: PositionRow) -> None:
        self.decimals.saw_price(row.symbol, row.avg_price)
        self.decimals.saw_qty(row.symbol, row.qty)

    def add(self, fill: Fill) -> None:
        """Take a fill, each once, in the order they happened."""
        self.put((self.get(fill.symbol) or PositionRow(symbol=fill.symbol)).after(fill))

    def split(self, change: PositionChange) -> None:
        """Take what a split did to a position."""
        row = self.get(change.symbol)
        if row is not None:
            self.put(row.after_split(change))

    def charge(self, symbol: str, qty: Decimal, price: Decimal) -> None:
        """Take a fee that was taken from a coin."""
        row = self.get(symbol)
        if row is not None:
            self.put(row.after_coin_fee(qty, price))

    def mark(self, prices: Mapping[str, float]) -> None:
        """Take the newest price of symbols, quote currency."""
        for symbol, price in prices.items():
            row = self.get(symbol)
            if row is not None and row.last != price:
                self.put(row.at(price))


def _trade_return(trade: Trade) -> float | None:
    cost = float(trade.entry_price * trade.qty)
    return float(trade.pnl) / cost if cost else None


class TradeTable(RowTable[Trade]):
    """Round trips, first in first out, in the order they were closed."""

    columns = (
        Column[Trade]("exit", "Closed", Kind.TIME, lambda trade: trade.exit_ns, 142),
        Column[Trade]("entry", "Opened", Kind.TIME, lambda trade: trade.entry_ns, 142, gives_way=1),
        Column[Trade]("symbol", "Symbol", Kind.TEXT, lambda trade: trade.symbol, 72),
        Column[Trade]("side", "Side", Kind.SIDE, lambda trade: trade.side.value, 48),
        Column[Trade]("qty", "Quantity", Kind.NUMBER, lambda trade: trade.qty, 82, decimals="qty"),
        Column[Trade]("entry_price", "Entry", Kind.PRICE, lambda trade: trade.entry_price, 80, decimals="price"),
        Column[Trade]("exit_price", "Exit", Kind.PRICE, lambda trade: trade.exit_price, 80, decimals="price"),
        Column[Trade]("pnl", "P/L", Kind.MONEY, lambda trade: trade.pnl, 84, decimals=2, signed=True, tip="Net of fees."),
        Column[Trade]("return", "Return", Kind.PERCENT, _trade_return, 76, decimals=2, signed=True, tip="P/L by the value at entry."),
        Column[Trade]("held", "Held", Kind.DURATION, lambda trade: (trade.exit_ns - trade.entry_ns) / 1e9, 86, gives_way=2),
        Column[Trade]("fees", "Fees", Kind.MONEY, lambda trade: trade.fees, 68, gives_way=3, decimals=2),
        Column[Trade]("mae", "MAE", Kind.PERCENT, lambda trade: trade.mae, 80, gives_way=4, decimals=2, tip=_MAE),
        Column[Trade]("mfe", "MFE", Kind.PERCENT, lambda trade: trade.mfe, 76, gives_way=5, decimals=2, tip=_MFE),
        Column[Trade]("entry_order", "Entry order", Kind.ID, lambda trade: trade.entry_order_id, 96, hidden=True),
        Column[Trade]("exit_order", "Exit order", Kind.ID, lambda trade: trade.exit_order_id, 96, hidden=True),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._matched = RoundTrips()

    def key_of(self, row: Trade) -> str:
        return f"{row.entry_order_id}>{row.exit_order_id}>{row.entry_ns}>{row.exit_ns}>{row.entry_price}>{row.exit_price}"

    def symbol_of(self, row: Trade) -> str:
        return row.symbol

    def words_of(self, row: Trade) -> str:
        return f"{row.symbol} {row.side} {'win' if row.pnl > 0 else 'loss'} {row.entry_order_id} {row.exit_order_id}".lower()

    def saw(self, row: Trade) -> None:
        self.decimals.saw_price(row.symbol, row.entry_price)
        self.decimals.saw_qty(row.symbol, row.qty)

    def clear(self) -> None:
        super().clear()
        self._matched = RoundTrips()

    def add(self, fill: Fill) -> None:
        """Take a fill, each once, in the order they happened; close what it closes."""
        for trade in self._matched.add(fill):
            self.append(trade)

    def split(self, change: PositionChange) -> None:
        """Take what a split did to a position: what is open goes on in new units, a fraction paid in cash is closed."""
        for trade in self._matched.split(change):
            self.append(trade)

    def charge(self, symbol: str, fill_id: str, qty: Decimal) -> None:
        """Take a fee that was taken from a coin."""
        self._matched.charge(symbol, fill_id, qty)

    def append(self, trade: Trade) -> None:
        """Add a round trip, newest last."""
        # Two parts of one order can give round trips that look alike; each is a row of its own.
        self._place[f"{self.key_of(trade)}#{len(self.rows)}"] = len(self.rows)
        self.rows.append(trade)
        self.saw(trade)
