"""An order book that takes, refuses, fills and changes orders as Alpaca does, told by Alpaca's own JSON."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.brokers.alpaca.fields import text_of_instant

Document = dict[str, Any]
FINAL = {"filled", "canceled", "expired", "replaced", "rejected"}
CRYPTO = {"BTC/USD", "ETH/USD"}
EQUITIES = {"SPY", "AAPL"}
START_NS = 1_700_000_000_000_000_000


class Refused(Exception):
    """An answer that is no success: status, code and words."""

    def __init__(self, status: int, code: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, **more}


@dataclass
class Holding:
    """A position, long or short."""

    qty: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)


@dataclass
class Book:
    """One account. `hold` keeps marketable orders from filling by themselves; a test then fills them."""

    hold: bool = False
    holds_sales: bool = False
    """The same of sales alone."""
    cancel_slowly: bool = False
    forbids_wash_trades: bool = True
    cash: Decimal = Decimal(100_000)
    quotes: dict[str, tuple[Decimal, Decimal]] = field(
        default_factory=lambda: {
            "SPY": (Decimal("399.99"), Decimal("400.01")),
            "AAPL": (Decimal("189.99"), Decimal("190.01")),
            "BTC/USD": (Decimal("42000.5"), Decimal("42001.5")),
        }
    )
    orders: dict[str, Document] = field(default_factory=dict)
    holdings: dict[str, Holding] = field(default_factory=dict)
    executions: list[Document] = field(default_factory=list)
    tell: Callable[[Document], None] = lambda _: None
    coin_fee: Decimal = Decimal("0.0025")
    """The share of a bought coin that is kept as a fee; neither the execution nor the order tells of it."""
    step_ns: int = 1_000_001
    clock: Callable[[], int] | None = None
    """The time of day; without one, time begins at `START_NS` and goes on by `step_ns` at each event."""
    clock_off_ns: int = 0
    """How far its clock is ahead of the time of day; negative: behind."""
    _now_ns: int = START_NS
    _by_client_id: dict[str, Document] = field(default_factory=dict)

    def now(self) -> str:
        """The next instant; no two are the same unless `step_ns` is 0."""
        self._now_ns += self.step_ns
        if self.clock is not None:
            self._now_ns = max(self._now_ns, self.clock() + self.clock_off_ns)
        return text_of_instant(self._now_ns)

    # --- what a person or program asks for ---

    def place(self, body: Document) -> Document:
        """Take an order; return it as the answer shows it. It is worked on by `settle` after the answer."""
        self._check(body)
        order_class = body.get("order_class", "simple")
        order = self._add(body, status="pending_new", order_class=order_class)
        if order_class != "simple":
            self._add_legs(order, body)
        self._keep(order)
        for leg in order["legs"] or ():
            self._keep(leg)
        return order

    def settle(self, order: Document) -> None:
        """Do what follows an accepted order: it is new, and fills when the market is there."""
        if order["status"] != "pending_new":
            return
        order["status"] = "new"
        self._say("new", order)
        if not (self.hold or (self.holds_sales and order["side"] == "sell")):
            self._match(order)

    def cancel(self, id: str) -> None:
        """Take a wish to cancel."""
        order = self.find(id)
        if order["status"] in FINAL:
            raise Refused(422, 42210000, f'order is already in "{order["status"]}" state')
        order["status"] = "pending_cancel"
        self._say("pending_cancel", order)
        if not self.cancel_slowly:
            self.end(id, "canceled")

    def replace(self, id: str, body: Document) -> Document:
        """Make a new order of an old one."""
        old = self.find(id)
        if old["status"] in FINAL:
            raise Refused(422, 42210000, f'order is already in "{old["status"]}" state')
        self._check_id(body.get("client_order_id"))
        changed: Document = {
            name: body[name] for name in ("qty", "limit_price", "stop_price", "time_in_force", "client_order_id") if name in body
        }
        if "trail" in body:
            changed["trail_price" if old["trail_price"] else "trail_percent"] = body["trail"]
        status = "held" if old["status"] == "held" else "pending_new"
        new = self._add({**old, **changed}, status=status, order_class=old["order_class"])
        new["replaces"], old["replaced_by"] = old["id"], new["id"]
        new["legs"], old["legs"] = old["legs"], None
        for lead in self.orders.values():
            lead["legs"] = lead["legs"] and [new if leg is old else leg for leg in lead["legs"]]
        self._keep(new)
        old["status"] = "replaced"
        self._say("replaced", old)
        return new

    # --- what the market does ---

    def quote(self, symbol: str, bid: str, ask: str) -> None:
        """Move the market; trailing stops follow. What it reaches does not fill by itself."""
        self.quotes[symbol] = (Decimal(bid), Decimal(ask))
        for order in self.orders.values():
            if order["symbol"] == symbol and order["type"] == "trailing_stop" and order["status"] not in FINAL:
                self._follow(order)

    def _follow(self, order: Document) -> None:
        bid, ask = self.quotes[order["symbol"]]
        is_buy, before = order["side"] == "buy", order.get("hwm")
        here = ask if is_buy else bid
        mark = here if before is None else min(here, Decimal(before)) if is_buy else max(here, Decimal(before))
        distance = Decimal(order["trail_price"] or 0) or mark * Decimal(order["trail_percent"]) / 100
        order["hwm"], order["stop_price"] = str(mark), str(mark + distance if is_buy else mark - distance)

    def fill(self, id: str, qty: str | Decimal, price: str | Decimal) -> Document:
        """Fill a part of an order, or all of it; return the execution."""
        order, amount, at = self.find(id), Decimal(qty), Decimal(price)
        before = Decimal(order["filled_qty"])
        total = before + amount
        spent = before * Decimal(order["filled_avg_price"] or 0) + amount * at
        order["filled_qty"], order["filled_avg_price"] = str(total), str(spent / total)
        is_whole = order["qty"] is not None and total >= Decimal(order["qty"])
        is_whole = is_whole or (order["notional"] is not None and spent >= Decimal(order["notional"]))
        order["status"] = "filled" if is_whole else "partially_filled"
        order["updated_at"] = self.now()
        sign = 1 if order["side"] == "buy" else -1
        self.cash -= sign * amount * at
        holding = self.holdings.setdefault(order["symbol"], Holding())
        kept = amount * (1 - self.coin_fee) if order["symbol"] in CRYPTO and sign > 0 else amount
        holding.qty += sign * kept
        holding.cost += sign * amount * at
        if not holding.qty:
            del self.holdings[order["symbol"]]
        execution = {
            "id": str(uuid.uuid4()),
            "activity_type": "FILL",
            "transaction_time": order["updated_at"],
            "type": "fill" if is_whole else "partial_fill",
            "price": str(at),
            "qty": str(amount),
            "side": order["side"],
            "symbol": order["symbol"],
            "leaves_qty": str(Decimal(order["qty"] or 0) - total),
            "order_id": order["id"],
            "cum_qty": str(total),
        }
        self.executions.append(execution)
        self._say(execution["type"], order, execution)
        self._after_fill(order, amount)
        return execution

    def end(self, id: str, status: str) -> None:
        """End an order: canceled, expired or rejected. What hangs together with it is canceled, an entry that works on too."""
        order = self.find(id)
        order["status"], order["updated_at"] = status, self.now()
        self._say(status, order)
        self._end_others_of(order, self._group_of(order))

    def _group_of(self, order: Document) -> list[Document]:
        """The orders that hang together with one: a lead and its legs."""
        lead = next((one for one in self.orders.values() if order in (one["legs"] or ())), order)
        return [lead, *(lead["legs"] or ())]

    def _exits_of(self, order: Document) -> list[Document]:
        """The exits among which an order is one; none where it is none of two."""
        group = self._group_of(order)
        exits = group if order["order_class"] == "oco" else group[1:]
        return exits if order in exits else []

    def _end_others_of(self, order: Document, group: list[Document]) -> None:
        for other in group:
            if other is not order and other["status"] not in FINAL:
                other["status"], other["updated_at"] = "canceled", self.now()
                self._say("canceled", other)

    def find(self, id: str) -> Document:
        """An order by its id."""
        if id not in self.orders:
            raise Refused(404, 40410000, "order not found")
        return self.orders[id]

    def by_client_id(self, client_order_id: str) -> Document:
        """An order by the id its owner gave."""
        if client_order_id not in self._by_client_id:
            raise Refused(404, 40410000, "order not found")
        return self._by_client_id[client_order_id]

    def reserved(self, symbol: str) -> Decimal:
        """What open sells hold of a position."""
        open_sells = [o for o in self.orders.values() if o["symbol"] == symbol and o["side"] == "sell" and o["status"] not in FINAL]
        return sum((Decimal(o["qty"] or 0) - Decimal(o["filled_qty"]) for o in open_sells if o["status"] != "held"), Decimal(0))

    def positions(self) -> list[Document]:
        """The holdings as Alpaca lists them: crypto without its slash."""
        return [self._position(symbol, holding) for symbol, holding in self.holdings.items()]

    # --- inside ---

    def _position(self, symbol: str, holding: Holding) -> Document:
        bid, ask = self.quotes[symbol]
        price = (bid + ask) / 2
        available = abs(holding.qty) - self.reserved(symbol)
        return {
            "asset_id": str(uuid.uuid5(uuid.NAMESPACE_DNS, symbol)),
            "symbol": symbol.replace("/", ""),
            "asset_class": "crypto" if symbol in CRYPTO else "us_equity",
            "qty": str(holding.qty),
            "qty_available": str(available),
            "side": "long" if holding.qty > 0 else "short",
            "avg_entry_price": str(abs(holding.cost / holding.qty)),
            "cost_basis": str(holding.cost),
            "market_value": str(holding.qty * price),
            "current_price": str(price),
            "unrealized_pl": str(holding.qty * price - holding.cost),
        }

    def _keep(self, order: Document) -> None:
        self.orders[order["id"]] = self._by_client_id[order["client_order_id"]] = order

    def _check_id(self, client_order_id: str | None) -> None:
        if client_order_id in self._by_client_id:
            raise Refused(422, 40010001, "client_order_id must be unique")

    def _check(self, body: Document) -> None:
        self._check_id(body.get("client_order_id"))
        symbol, type_, tif = body["symbol"], body["type"], body["time_in_force"]
        if symbol not in CRYPTO | EQUITIES:
            raise Refused(422, 42210000, f'asset "{symbol}" not found')
        is_crypto = symbol in CRYPTO
        if is_crypto and tif not in {"gtc", "ioc"}:
            raise Refused(422, 42210000, "invalid crypto time_in_force")
        qty = None if body.get("qty") is None else Decimal(body["qty"])
        is_part = "notional" in body or (qty is not None and qty % 1 != 0)
        if is_part and not is_crypto and tif != "day":
            raise Refused(422, 42210000, "fractional orders must be DAY orders")
        if body.get("extended_hours") and (type_ != "limit" or tif != "day"):
            raise Refused(422, 42210000, "extended hours order must be DAY limit orders")
        if body.get("order_class", "simple") != "simple":
            if is_part or is_crypto:
                raise Refused(422, 42210000, "fractional and crypto orders must be simple orders")
            if tif not in {"day", "gtc"} or body.get("extended_hours"):
                raise Refused(422, 42210000, "invalid time_in_force for a complex order")
        if body.get("order_class") in {"bracket", "oto"}:
            if type_ not in {"market", "limit"}:
                raise Refused(422, 40010001, "bracket orders must be market or limit orders")
            if self.holdings.get(symbol, Holding()).qty * (1 if body["side"] == "buy" else -1) < 0:
                raise Refused(422, 42210000, "bracket orders must be entry orders")
        limit = body.get("limit_price")
        if limit is not None and not is_crypto and Decimal(limit) >= 1 and Decimal(limit) % Decimal("0.01"):
            raise Refused(422, 42210000, f"invalid limit_price {limit}. sub-penny increment does not fulfill minimum pricing criteria")
        self._check_means(body, symbol, qty)

    def _check_means(self, body: Document, symbol: str, qty: Decimal | None) -> None:
        is_buy = body["side"] == "buy"
        if self.forbids_wash_trades and body.get("order_class", "simple") == "simple":
            opposite = "sell" if is_buy else "buy"
            rivals = [o for o in self.orders.values() if o["symbol"] == symbol and o["side"] == opposite and o["status"] not in FINAL]
            if any(rival["status"] != "held" for rival in rivals):
                raise Refused(403, 40310000, "potential wash trade detected. use complex orders")
        if is_buy:
            price = Decimal(body.get("limit_price") or self.quotes[symbol][1])
            cost = Decimal(body["notional"]) if qty is None else qty * price
            if cost > self.cash:
                raise Refused(403, 40310000, "insufficient buying power", buying_power=str(self.cash), cost_basis=str(cost))
        else:
            held = self.holdings.get(symbol, Holding()).qty
            available = held - self.reserved(symbol)
            if held > 0 and qty is not None and qty > available:
                words = f"insufficient qty available for order (requested: {qty}, available: {available})"
                raise Refused(403, 40310000, words, existing_qty=str(held), held_for_orders=str(held - available))

    def _add(self, body: Document, *, status: str, order_class: str) -> Document:
        now = self.now()
        return {
            "id": str(uuid.uuid4()),
            "client_order_id": body.get("client_order_id") or str(uuid.uuid4()),
            "created_at": now,
            "updated_at": now,
            "submitted_at": now,
            "filled_at": None,
            "symbol": body["symbol"],
            "asset_class": "crypto" if body["symbol"] in CRYPTO else "us_equity",
            "notional": body.get("notional"),
            "qty": body.get("qty"),
            "filled_qty": "0",
            "filled_avg_price": None,
            "order_class": "" if order_class == "simple" else order_class,
            "type": body["type"],
            "side": body["side"],
            "time_in_force": body["time_in_force"],
            "limit_price": body.get("limit_price"),
            "stop_price": body.get("stop_price"),
            "trail_price": body.get("trail_price"),
            "trail_percent": body.get("trail_percent"),
            "status": status,
            "extended_hours": body.get("extended_hours", False),
            "legs": None,
            "replaces": None,
            "replaced_by": None,
        }

    def _add_legs(self, order: Document, body: Document) -> None:
        is_oco = body["order_class"] == "oco"
        side = order["side"] if is_oco else ("sell" if order["side"] == "buy" else "buy")
        shared = {"symbol": order["symbol"], "qty": order["qty"], "side": side, "time_in_force": order["time_in_force"]}
        legs = []
        if target := body.get("take_profit"):
            if is_oco:
                order["limit_price"] = target["limit_price"]
            else:
                legs.append(self._add({**shared, "type": "limit", **target}, status="held", order_class=body["order_class"]))
        if stop := body.get("stop_loss"):
            kind = "stop_limit" if "limit_price" in stop else "stop"
            legs.append(self._add({**shared, "type": kind, **stop}, status="held", order_class=body["order_class"]))
        order["legs"] = legs

    def _match(self, order: Document) -> None:
        bid, ask = self.quotes[order["symbol"]]
        is_buy = order["side"] == "buy"
        market = ask if is_buy else bid
        limit = None if order["limit_price"] is None else Decimal(order["limit_price"])
        reaches = limit is None or (limit >= market if is_buy else limit <= market)
        if order["type"] in {"market", "limit"} and reaches and order["time_in_force"] not in {"opg", "cls"}:
            qty = Decimal(order["qty"]) if order["qty"] is not None else Decimal(order["notional"]) / market
            self.fill(order["id"], qty, market)
        elif order["time_in_force"] in {"ioc", "fok"}:
            self.end(order["id"], "canceled")

    def _after_fill(self, order: Document, amount: Decimal) -> None:
        """Do what follows a fill for those that hang together with the order: nothing while an entry is filled in part."""
        exits = self._exits_of(order)
        if order["status"] == "filled":
            order["filled_at"] = order["updated_at"]
            self._end_others_of(order, exits)
            held = [leg for leg in order["legs"] or () if leg["status"] == "held" and order["order_class"] != "oco"]
            # Of two exits the target works; the stop is held on to until the market is there.
            for leg in [leg for leg in held if leg["type"] == "limit"] or held:
                leg["status"], leg["updated_at"] = "new", self.now()
                self._say("new", leg)
            return
        for other in exits:
            if other is not order and other["status"] not in FINAL:
                other["qty"], other["updated_at"] = str(Decimal(other["qty"]) - amount), self.now()
                if Decimal(other["qty"]) <= Decimal(other["filled_qty"]):  # a change had made the first one larger than both were
                    self.end(other["id"], "canceled")

    def _say(self, event: str, order: Document, execution: Document | None = None) -> None:
        update: Document = {"event": event, "timestamp": order["updated_at"], "order": {**order, "legs": None}}
        if execution is not None:
            holding = self.holdings.get(order["symbol"], Holding())
            update |= {
                "execution_id": execution["id"],
                "price": execution["price"],
                "qty": execution["qty"],
                "position_qty": str(holding.qty),
            }
        self.tell(update)
