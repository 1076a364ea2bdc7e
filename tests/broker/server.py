"""A broker over real HTTP and websockets on loopback, in a thread of its own: Alpaca as far as an adapter can see."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from aiohttp import WSMsgType, web

from core.brokers.alpaca.fields import instant, text_of_instant
from tests.broker.activities import Activities
from tests.broker.book import CRYPTO, EQUITIES, Book, Document, Refused
from tests.broker.faults import Fault, Mischief, StreamMood, Way
from tests.broker.loopback import LoopbackServer

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

KEY, SECRET = "PKFAKEKEY0123456789A", "sEcReT-of-the-fake-broker-0123456789abcd"
CLOCK_NS = 1_700_000_600_000_000_000


class FakeBroker(LoopbackServer):
    """The server, its book, and its switches. Everything in it belongs to its own thread: reach it by `do`."""

    def __init__(self, clock: Callable[[], int] | None = None) -> None:
        """`clock`: the time of day of its book; see there."""
        super().__init__("fake-broker")
        self.book = Book(tell=self._tell, clock=clock)
        self.activities = Activities(self.book)
        self.bars: dict[tuple[str, str], list[Document]] = {}
        self.number = "PA3FAKE00001"
        self.page_bars = 10_000
        self.recent_sip = True
        self.fail_at_page: str | None = None
        self.silent_at_page: str | None = None
        self.after_page: dict[str, str] = {}
        """Which page is said to follow on one, where that is not the next."""
        self.faults: list[Fault] = []
        self.mood = StreamMood.WELL
        self.mischief = Mischief.NONE
        self.revoked = False
        self.fill_before_answer = False
        self.clock_off_ns = 0
        self.sessions: list[Document] = [
            {"date": "2023-11-22", "open": "09:30", "close": "16:00", "session_open": "0400", "session_close": "2000"},
            {"date": "2023-11-24", "open": "09:30", "close": "13:00", "session_open": "0400", "session_close": "1700"},
        ]
        self.requests: Counter[str] = Counter()
        self.queries: list[tuple[str, dict[str, str]]] = []
        self._held: Document | None = None
        self._listeners: list[web.WebSocketResponse] = []
        self._watchers: list[web.WebSocketResponse] = []
        self._waiting: set[asyncio.Task[Any]] = set()
        self.subscribed: list[Document] = []
        self.watched: dict[int, tuple[str, ...]] = {}
        self.one_market_stream = False
        """Whether a second connection to the market is turned away, as Alpaca does."""
        self.listens = 0

    def fail(self, *faults: Fault) -> None:
        """Let the next requests that fit go wrong, each fault once."""
        self.do(lambda: self.faults.extend(faults))

    def send_ticks(self, *messages: Document) -> None:
        """Send messages of the market to all who watch, one list a frame."""
        self._to_all(self._watchers, json.dumps(list(messages)))

    def send_frame(self, frame: str) -> None:
        """Send a frame to all who watch the market; call it in the server's thread."""
        for socket in self._watchers:
            self._send(socket, frame)

    def tick(self, *messages: Document) -> None:
        """The same, in the server's own thread, to those who watch the symbol."""
        for message in messages:
            for socket in self._watchers:
                if message["S"] in self.watched.get(id(socket), ()):
                    self._send(socket, json.dumps([message]))

    def send_raw_update(self, frame: bytes) -> None:
        """Send a frame to all who listen for updates, whatever is in it."""
        self._to_all(self._listeners, frame)

    def drop_streams(self, and_place: Document | None = None) -> None:
        """Cut every stream's connection, without a goodbye; `and_place`: an order that is taken before anybody can be back."""

        def cut() -> None:
            self.cut_streams()
            if and_place is not None:
                self.book.settle(self.book.place(and_place))

        self.do(cut)

    def drop_market(self) -> None:
        """Cut the streams of the market alone."""

        def cut() -> None:
            for socket in self._watchers:
                self._cut(socket)

        self.do(cut)

    def cut_streams(self) -> None:
        """Cut every stream's connection; call it in the server's thread. What happens before it is back is told to nobody."""
        for socket in [*self._listeners, *self._watchers]:
            self._cut(socket)
        self._listeners.clear()
        self._watchers.clear()

    def play_dead(self) -> None:
        """Read nothing more from those who are connected now: not even their pings are answered."""

        def pause() -> None:
            for socket in [*self._listeners, *self._watchers]:
                getattr(socket, "_transport_of_test").pause_reading()  # noqa: B009

        self.do(pause)

    def _to_all(self, sockets: list[web.WebSocketResponse], frame: str | bytes) -> None:
        def send() -> None:
            for socket in sockets:
                self._send(socket, frame)

        self.do(send)

    # --- serving ---

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._middleware])
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/v2/account", self._account),
            ("GET", "/v2/positions", self._positions),
            ("GET", "/v2/orders", self._orders),
            ("POST", "/v2/orders", self._place),
            ("DELETE", "/v2/orders", self._cancel_all),
            ("GET", "/v2/orders:by_client_order_id", self._by_client_id),
            ("GET", "/v2/orders/{id}", self._order),
            ("PATCH", "/v2/orders/{id}", self._replace),
            ("DELETE", "/v2/orders/{id}", self._cancel),
            ("GET", "/v2/account/activities/FILL", self._activities),
            ("GET", "/v2/account/activities", self.activities.listed),
            ("GET", "/v2/assets", self._assets),
            ("GET", "/v2/clock", self._clock),
            ("GET", "/v2/calendar", self._calendar),
            ("GET", "/v2/stocks/bars", self._bars),
            ("GET", "/v1beta3/crypto/us/bars", self._bars),
            ("GET", "/v2/stocks/quotes/latest", self._quotes),
            ("GET", "/v2/stocks/trades/latest", self._trades),
            ("GET", "/v1beta3/crypto/us/latest/quotes", self._quotes),
            ("GET", "/v1beta3/crypto/us/latest/trades", self._trades),
            ("GET", "/stream", self._order_stream),
            ("GET", "/v2/{feed}", self._market_stream),
            ("GET", "/v1beta3/crypto/us", self._market_stream),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, path, handler)
        return app

    def let_go(self) -> None:
        for socket in [*self._listeners, *self._watchers]:
            self._cut(socket)
        for task in self._waiting:
            task.cancel()

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        name = f"{request.method} {request.path}"
        self.requests[name] += 1
        if request.transport is not None:
            self._transports.add(request.transport)
        self.queries.append((name, dict(request.query)))
        self.say_changed()
        is_stream = request.headers.get("Upgrade", "").lower() == "websocket"
        if not is_stream and (self.revoked or request.headers.get("APCA-API-SECRET-KEY") != SECRET):
            return _json({"code": 40110000, "message": "request is not authorized"}, 401)
        fault = next((fault for fault in self.faults if name.startswith(fault.at)), None)
        if fault is None:
            return await _answered(request, handler)
        self.faults.remove(fault)
        return await self._faulty(request, handler, fault)

    async def _faulty(self, request: web.Request, handler: Handler, fault: Fault) -> web.StreamResponse:
        if fault.way is Way.STATUS:
            return web.Response(status=fault.status, text=fault.body, content_type=fault.content_type, headers=fault.headers)
        if fault.way is Way.SILENT:
            await self._closing.wait()
        if fault.way is Way.RESET_BEFORE or request.transport is None:
            return _reset(request)
        answer = await _answered(request, handler)
        if fault.way is Way.DONE_THEN_STATUS:
            return web.Response(status=fault.status, text=fault.body, content_type=fault.content_type, headers=fault.headers)
        if fault.way is Way.DONE_THEN_SILENT:
            await self._closing.wait()
        if fault.way is Way.NONSENSE:
            return web.Response(status=200, text='{"id": ', content_type="application/json")
        if fault.way is Way.SLOW:
            return await self._dripped(request)
        if fault.way is Way.LATE:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), fault.delay_s)
            return answer
        if fault.way is Way.RESET_DURING:
            assert isinstance(answer, web.Response)
            assert isinstance(answer.body, bytes)
            partial = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(answer.body))})
            with contextlib.suppress(ConnectionError):  # who asked may have given up by now
                await partial.prepare(request)
                await partial.write(answer.body[:10])
        return _reset(request)

    async def _dripped(self, request: web.Request) -> web.StreamResponse:
        """Answer with a blank now and then: never silent for long, and never done."""
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        with contextlib.suppress(ConnectionError):
            await answer.prepare(request)
            while not self._closing.is_set():
                await answer.write(b" ")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), 0.05)
        return answer

    # --- account and orders ---

    async def _account(self, request: web.Request) -> web.StreamResponse:
        value = sum((Decimal(position["market_value"]) for position in self.book.positions()), Decimal(0))
        cash = self.book.cash
        return _json(
            {
                "id": "e6fe16f3-64a4-4921-8928-cadf02f92f98",
                "account_number": self.number,
                "status": "ACTIVE",
                "currency": "USD",
                "cash": str(cash),
                "equity": str(cash + value),
                "last_equity": "100000",
                "buying_power": str(cash * 2),
                "non_marginable_buying_power": str(cash),
                "long_market_value": str(value),
                "short_market_value": "0",
                "initial_margin": "0",
                "maintenance_margin": "0",
                "multiplier": "2",
                "daytrade_count": 1,
                "shorting_enabled": True,
                "trading_blocked": False,
                "account_blocked": False,
                "trade_suspended_by_user": False,
            }
        )

    async def _positions(self, request: web.Request) -> web.StreamResponse:
        return _json(self.book.positions())

    async def _orders(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        legs = {leg["id"] for order in self.book.orders.values() for leg in order["legs"] or ()}
        chosen = [order for order in self.book.orders.values() if order["id"] not in legs]
        if query.get("status", "open") == "open":
            chosen = [order for order in chosen if order["status"] not in {"filled", "canceled", "expired", "replaced", "rejected"}]
        if "after" in query:
            after_ns = instant(query["after"])
            chosen = [order for order in chosen if _instant(order["submitted_at"]) > after_ns]
        if "until" in query:
            until_ns = instant(query["until"])
            chosen = [order for order in chosen if _instant(order["submitted_at"]) < until_ns]
        chosen.sort(key=lambda order: _instant(order["submitted_at"]), reverse=query.get("direction", "desc") == "desc")
        return _json(chosen[: min(500, int(query.get("limit", "50")))])

    async def _place(self, request: web.Request) -> web.StreamResponse:
        order = self.book.place(await request.json())
        answer = json.dumps(order)
        if self.fill_before_answer:
            self.book.settle(order)
        else:
            asyncio.get_running_loop().call_soon(self.book.settle, order)
        return web.Response(text=answer, content_type="application/json")

    async def _order(self, request: web.Request) -> web.StreamResponse:
        order = self.book.find(request.match_info["id"])
        return _json(order if request.query.get("nested") == "true" else {**order, "legs": None})

    async def _by_client_id(self, request: web.Request) -> web.StreamResponse:
        return _json({**self.book.by_client_id(request.query["client_order_id"]), "legs": None})  # it has no `nested`

    async def _replace(self, request: web.Request) -> web.StreamResponse:
        order = self.book.replace(request.match_info["id"], await request.json())
        asyncio.get_running_loop().call_soon(self.book.settle, order)
        return _json(order)

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        self.book.cancel(request.match_info["id"])
        return web.Response(status=204)

    async def _cancel_all(self, request: web.Request) -> web.StreamResponse:
        results = []
        for order in list(self.book.orders.values()):
            if order["status"] in {"new", "partially_filled", "accepted", "pending_new"}:
                self.book.cancel(order["id"])
                results.append({"id": order["id"], "status": 200})
            elif order["status"] == "pending_cancel":
                results.append({"id": order["id"], "status": 500})
        return _json(results, 207)

    async def _activities(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        rows = [
            {**execution, "id": f"{execution['transaction_time'][:23].translate(_NO_SIGNS)}::{execution['id']}"}
            for execution in self.book.executions
        ]
        if "after" in query:
            after_ns = instant(query["after"])
            rows = [row for row in rows if _instant(row["transaction_time"]) > after_ns]
        if "page_token" in query:
            ids = [row["id"] for row in rows]
            rows = rows[ids.index(query["page_token"]) + 1 :]
        return _json(rows[: int(query.get("page_size", "100"))])

    # --- the market ---

    async def _assets(self, request: web.Request) -> web.StreamResponse:
        is_crypto = request.query.get("asset_class") == "crypto"
        rows = [
            {
                "id": f"id-{symbol}",
                "class": "crypto" if is_crypto else "us_equity",
                "exchange": "CRYPTO" if is_crypto else "ARCA",
                "symbol": symbol,
                "name": f"The {symbol}",
                "status": "active",
                "tradable": True,
                "marginable": not is_crypto,
                "shortable": not is_crypto,
                "easy_to_borrow": not is_crypto,
                "fractionable": True,
                **({"min_order_size": "0.0001", "min_trade_increment": "0.000000001", "price_increment": "0.5"} if is_crypto else {}),
            }
            for symbol in (CRYPTO if is_crypto else EQUITIES)
        ]
        return _json(rows)

    async def _clock(self, request: web.Request) -> web.StreamResponse:
        now = text_of_instant(CLOCK_NS + self.clock_off_ns)
        return _json(
            {"timestamp": now, "is_open": True, "next_open": "2023-11-15T09:30:00-05:00", "next_close": "2023-11-14T16:00:00-05:00"}
        )

    async def _calendar(self, request: web.Request) -> web.StreamResponse:
        first, last = request.query["start"], request.query["end"]
        return _json([row for row in self.sessions if first <= row["date"] <= last])

    async def _bars(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        if query.get("feed") == "sip" and not self.recent_sip:
            return _json({"message": "subscription does not permit querying recent SIP data"}, 403)
        if self.fail_at_page is not None and query.get("page_token") == self.fail_at_page:
            return _json({"message": "internal server error occurred"}, 500)
        if self.silent_at_page is not None and query.get("page_token") == self.silent_at_page:
            await self._closing.wait()
        symbol = query["symbols"]
        rows = [
            row
            for row in self.bars.get((symbol, query["timeframe"]), [])
            if instant(query["start"]) <= instant(row["t"]) <= instant(query["end"])
        ]
        first = int(query.get("page_token", "0"))
        last = first + min(int(query["limit"]), self.page_bars)
        page: Document = {"bars": {symbol: rows[first:last]} if rows[first:last] else {}}
        following = str(last) if last < len(rows) else None
        return _json({**page, "next_page_token": self.after_page.get(query.get("page_token", "0"), following)})

    async def _quotes(self, request: web.Request) -> web.StreamResponse:
        known = {symbol: self.book.quotes[symbol] for symbol in request.query["symbols"].split(",") if symbol in self.book.quotes}
        now = text_of_instant(CLOCK_NS)
        # Numbers with more digits than a float has: what is read must still be exact.
        row = '{{"t": "{}", "bp": {}, "bs": 3, "ap": {}, "as": 0.123456789012345678901}}'
        rows = {symbol: row.format(now, bid, ask) for symbol, (bid, ask) in known.items()}
        text = ", ".join(f'"{symbol}": {row}' for symbol, row in rows.items())
        return web.Response(text=f'{{"quotes": {{{text}}}}}', content_type="application/json")

    async def _trades(self, request: web.Request) -> web.StreamResponse:
        known = [symbol for symbol in request.query["symbols"].split(",") if symbol in self.book.quotes]
        return _json({"trades": {symbol: {"t": text_of_instant(CLOCK_NS), "p": 400.25, "s": 7} for symbol in known}})

    # --- streams ---

    async def _order_stream(self, request: web.Request) -> web.StreamResponse:
        async def hear(socket: web.WebSocketResponse, message: Document) -> None:
            if message["action"] == "authenticate":
                fits = message["data"] == {"key_id": KEY, "secret_key": SECRET} and self._lets_in
                status = "authorized" if fits else "unauthorized"
                self._send(socket, _bytes({"stream": "authorization", "data": {"status": status, "action": "authenticate"}}))
            elif message["action"] == "listen" and self._speaks:
                self.listens += 1
                if socket not in self._listeners:
                    self._listeners.append(socket)
                self._send(socket, _bytes({"stream": "listening", "data": {"streams": ["trade_updates"]}}))

        return await self._stream(request, None, hear)

    async def _market_stream(self, request: web.Request) -> web.StreamResponse:
        async def hear(socket: web.WebSocketResponse, message: Document) -> None:
            if message["action"] == "auth":
                fits = (message["key"], message["secret"]) == (KEY, SECRET) and self._lets_in
                good, bad = {"T": "success", "msg": "authenticated"}, {"T": "error", "code": 402, "msg": "auth failed"}
                self._send(socket, json.dumps([good if fits else bad]))
            elif message["action"] == "subscribe" and self._speaks:
                self.subscribed.append(message)
                self.watched[id(socket)] = tuple(message.get("bars", ()))
                if self.one_market_stream and any(other is not socket for other in self._watchers):
                    self._send(socket, json.dumps([{"T": "error", "code": 406, "msg": "connection limit exceeded"}]))
                    return
                if socket not in self._watchers:
                    self._watchers.append(socket)
                self._send(socket, json.dumps([{"T": "subscription", **{k: v for k, v in message.items() if k != "action"}}]))

        return await self._stream(request, json.dumps([{"T": "success", "msg": "connected"}]), hear)

    @property
    def _lets_in(self) -> bool:
        return self.mood is not StreamMood.REFUSES and not self.revoked

    @property
    def _speaks(self) -> bool:
        return self.mood is StreamMood.WELL

    async def _stream(
        self, request: web.Request, greeting: str | None, hear: Callable[[web.WebSocketResponse, Document], Awaitable[None]]
    ) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        setattr(socket, "_transport_of_test", request.transport)  # noqa: B010  (to cut it without a goodbye)
        if greeting is not None:
            await socket.send_str(greeting)
        try:
            async for frame in socket:
                if frame.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    continue
                await hear(socket, json.loads(frame.data))
                self.say_changed()
        finally:
            for group in (self._listeners, self._watchers):
                if socket in group:
                    group.remove(socket)
        return socket

    def _tell(self, update: Document) -> None:
        """Send what became of an order, as the mischief of the day has it."""
        self.say_changed()
        frames: list[Document] = [update]
        if self.mischief is Mischief.DOUBLED:
            frames = [update, update]
        elif self.mischief is Mischief.MISSING:
            frames = []
        elif self.mischief is Mischief.REVERSED:
            frames = [] if self._held is None else [update, self._held]
            self._held = update if self._held is None else None
        for frame in frames:
            for socket in self._listeners:
                self._send(socket, _bytes({"stream": "trade_updates", "data": frame}))

    def _send(self, socket: web.WebSocketResponse, frame: str | bytes) -> None:
        """Send in order, without holding up whoever asked."""
        sending = socket.send_bytes(frame) if isinstance(frame, bytes) else socket.send_str(frame)
        task = asyncio.get_running_loop().create_task(_quietly(sending))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def _cut(self, socket: web.WebSocketResponse) -> None:
        transport = getattr(socket, "_transport_of_test", None)
        if transport is not None:
            transport.abort()


_NO_SIGNS = str.maketrans("", "", "-T:.")
_instant = cache(instant)


async def _quietly(sending: Awaitable[None]) -> None:
    with contextlib.suppress(ConnectionError):
        await sending


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return _json(refused.body, refused.status)
    except ConnectionError:  # whoever asked was gone before the question was whole
        return _reset(request)


def _reset(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(document), status=status, content_type="application/json")


def _bytes(document: Document) -> bytes:
    return json.dumps(document).encode()
