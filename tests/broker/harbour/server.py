"""Harbour over HTTP and a websocket on loopback: a login, one shape for every answer, updates with a number."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

from aiohttp import web

from core.model.instants import MINUTE_NS
from tests.broker.harbour.book import LISTING, OPEN, START_US, Book, NoHarbour, Row
from tests.broker.loopback import LoopbackServer

USER, PASSWORD = "harbour-user-0123456789", "hArBoUr-password-9876543210"
NUMBER = "H-000042"
SESSION_S = 900
MINUTE_US = MINUTE_NS // 1_000
HOLIDAY, HALF_DAY = date(2023, 11, 23), date(2023, 11, 24)


class Ear:
    """Somebody who listens, and what is to be told yet."""

    def __init__(self, wanted: Row, transport: asyncio.Transport | None) -> None:
        self.wanted, self.transport = wanted, transport
        self.rows: asyncio.Queue[Row] = asyncio.Queue()


class FakeHarbour(LoopbackServer):
    """The server, its book and its switches.

    `lose`: paths of which the next request is done and its answer lost. `is_astray`: the next is not answered by Harbour.
    """

    def __init__(self) -> None:
        super().__init__("fake-harbour")
        self.book = Book(self._tell)
        self.bars: dict[str, list[list[int]]] = {}
        self.tokens: set[str] = set()
        self.logins = 0
        self.revoked = False
        self.lose: set[str] = set()
        self.is_astray = False
        self.page_bars = 500
        self.skip_update = False
        self.ears: list[Ear] = []

    def application(self) -> web.Application:
        app = web.Application()
        asked: dict[str, Callable[[Row], object]] = {
            "/account": self._account, "/positions": self._positions, "/deals": self._deals, "/order": self._order, "/orders": self._orders,
            "/listing": lambda _: [{"sym": symbol, "name": name, "listed": True} for symbol, name in LISTING.items()],
            "/time": self._time, "/calendar": self._calendar, "/quotes": self._quotes, "/trades": self._trades, "/bars": self._bars,
        }  # fmt: skip
        sent: dict[str, Callable[[Row], object]] = {
            "/login": self._login, "/orders": self.book.place, "/amend": self.book.amend,
            "/pull": lambda row: self.book.pull(row["ticket"]), "/pull-all": self._pull_all,
        }  # fmt: skip
        for method, handlers in (("GET", asked), ("POST", sent)):
            for path, handler in handlers.items():
                app.router.add_route(method, path, self._answering(handler))
        app.router.add_get("/feed", self._feed)
        return app

    def let_go(self) -> None:
        self.cut()

    def cut(self) -> None:
        """Cut every stream, without a goodbye; call it in the server's thread."""
        for ear in self.ears:
            if ear.transport is not None:
                ear.transport.abort()
        self.ears.clear()

    def revoke(self) -> None:
        """Let nobody in any more, and nobody stay; call it in the server's thread."""
        self.revoked = True
        self.tokens.clear()
        self.cut()

    def send(self, row: Row) -> None:
        """Tell those who watch the symbol; call it in the server's thread."""
        kinds = {"quote": "quotes", "trade": "trades", "minute": "bars"}
        for ear in self.ears:
            if ear.wanted["want"] == "prices" and (row["k"] not in kinds or row["sym"] in ear.wanted[kinds[row["k"]]]):
                ear.rows.put_nowait(row)

    def _answering(self, handler: Callable[[Row], object]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            given = dict(request.query) if request.method == "GET" else json.loads(await request.text())
            is_login = request.path == "/login"
            if request.transport is not None:
                self._transports.add(request.transport)
            if self.is_astray:
                self.is_astray = False
                return web.Response(status=404, text="<html>Not here</html>")
            try:
                if not is_login and request.headers.get("X-Session") not in self.tokens:
                    raise NoHarbour("NO_SESSION", "log in first")
                data = handler(given)
            except NoHarbour as no:
                return web.json_response({"ok": False, "code": no.code, "say": no.say}, status=401 if is_login else 409)
            finally:
                self.say_changed()
            if request.method == "POST" and request.path in self.lose:
                self.lose.remove(request.path)
                assert request.transport is not None
                request.transport.abort()
            return web.json_response({"ok": True, "data": data})

        return answer

    def _login(self, given: Row) -> Row:
        if self.revoked or (given["user"], given["password"]) != (USER, PASSWORD):
            raise NoHarbour("BAD_LOGIN", f"no such user and password: {given['user']} {given['password']}")
        self.logins += 1
        token = f"token-{self.logins}"
        self.tokens.add(token)
        return {"token": token, "good_for_s": SESSION_S}

    def _account(self, _: Row) -> Row:
        book = self.book
        sums = {"cash": book.cash, "worth": book.worth(), "worth_before": 10_000_000, "to_spend": book.to_spend()}
        return {"number": NUMBER, "state": "OPEN", "practice": True, **sums}

    def _positions(self, _: Row) -> list[Row]:
        book = self.book
        return [
            {"sym": symbol, "size": size, "free": book.free(symbol), "cost": cost, "last": book.quotes[symbol][0]}
            for symbol, (size, cost) in sorted(book.held.items())
        ]

    def _deals(self, given: Row) -> list[Row]:
        later = [deal for deal in self.book.deals if deal["deal"] > int(given["after"]) and deal["at"] >= int(given["since"])]
        return later[: int(given["max"])]

    def _order(self, given: Row) -> Row:
        ticket = given["ticket"] if "ticket" in given else str(self.book.refs.get(given["ref"], "none"))
        return self.book.find(ticket)

    def _orders(self, given: Row) -> list[Row]:
        below = int(given["below"]) or 1 << 60
        newest = [row for row in reversed(self.book.orders.values()) if row["ticket"] < below and row["made"] >= int(given.get("since", 0))]
        return [row for row in newest if "open" not in given or row["state"] in OPEN][: int(given["max"])]

    def _pull_all(self, _: Row) -> Row:
        open_ = [row for row in self.book.orders.values() if row["state"] in OPEN]
        kept = [row["ticket"] for row in open_ if row["state"] == "PULLING"]
        for row in open_:
            if row["ticket"] not in kept:
                self.book.pull(str(row["ticket"]))
        return {"kept": kept}

    def _time(self, _: Row) -> Row:
        now = self.book.now()
        today = datetime.fromtimestamp(now / 1e6, UTC).date()
        days = self._calendar({"first": today.isoformat(), "last": (today + timedelta(days=7)).isoformat()})
        # Harbour's own clock knows no summer time: the adapter is to go by the calendar.
        edges = [(_utc_us(row["day"], row["from"] + 300), _utc_us(row["day"], row["to"] + 300)) for row in days]
        opens, closes = min(at for at, _ in edges if at > now), min(at for _, at in edges if at > now)
        return {"now": now, "open": closes < opens, "opens": opens, "closes": closes}

    def _calendar(self, given: Row) -> list[Row]:
        day, last = date.fromisoformat(given["first"]), date.fromisoformat(given["last"])
        found = []
        while day <= last:
            if day.weekday() < 5 and day != HOLIDAY:
                closes = 780 if day == HALF_DAY else 960
                found.append({"day": day.isoformat(), "from": 570, "to": closes, "zone": "America/New_York"})
            day += timedelta(days=1)
        return found

    def _quotes(self, given: Row) -> list[Row]:
        rows = []
        for symbol in given["syms"].split(","):
            if symbol in self.book.quotes:
                bid, ask = self.book.quotes[symbol]
                rows.append({"sym": symbol, "at": self.book.now(), "bid": bid, "bid_size": 5, "ask": ask, "ask_size": 5})
        return rows

    def _trades(self, given: Row) -> list[Row]:
        known = [symbol for symbol in given["syms"].split(",") if symbol in self.book.trades]
        return [{"sym": symbol, "at": START_US, "px": self.book.trades[symbol], "size": 7} for symbol in known]

    def _bars(self, given: Row) -> Row:
        at, to = int(given["at"]), int(given["to"])
        rows = [row for row in self.bars.get(given["sym"], []) if at <= row[0] < to] if given["step"] == "60" else []
        page = rows[: self.page_bars]
        return {"rows": page, "more": rows[self.page_bars][0] if len(rows) > self.page_bars else None}

    async def _feed(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=0.1)
        await socket.prepare(request)
        if (await socket.receive_json())["token"] not in self.tokens:
            await socket.send_json({"ok": False, "say": "log in first"})
            return socket
        await socket.send_json({"ok": True})
        if request.transport is not None:
            self._transports.add(request.transport)
        ear = Ear(await socket.receive_json(), request.transport)
        ear.rows.put_nowait({"ok": True, "seq": self.book.seq})
        self.ears.append(ear)
        self.say_changed()

        async def tell() -> None:
            while True:
                await socket.send_json(await ear.rows.get())

        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(tell())
                async for _ in socket:
                    pass
                telling.cancel()
        finally:
            if ear in self.ears:
                self.ears.remove(ear)
        return socket

    def _tell(self, row: Row) -> None:
        if self.skip_update:
            self.skip_update = False
            return
        for ear in self.ears:
            if ear.wanted["want"] == "orders":
                ear.rows.put_nowait(row)


def _utc_us(day: str, minute: int) -> int:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return int((midnight + timedelta(minutes=minute)).timestamp()) * 1_000_000
