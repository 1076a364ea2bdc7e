"""Alpaca's streams: what becomes of the account's orders, and what the market does."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from core.brokers.alpaca.addresses import Addresses
from core.brokers.alpaca.fields import Fields, fields, instant, parsed
from core.brokers.alpaca.market import feed_of, read_print, read_quote
from core.brokers.alpaca.orders import read_update
from core.brokers.alpaca.refusals import meaning_of
from core.brokers.credentials import Credentials
from core.brokers.stream import Heard, StreamBroken, StreamClient, StreamPatience, as_messages, frame_text
from core.brokers.watching import is_crypto_watch
from core.errors import BrokerRefused, KeysRefused
from core.model.broker import BarKind, LiveBar, OrderUpdate, StreamState, StreamStatus, Tick, Watch
from core.model.instants import DAY_NS, MINUTE_NS
from core.model.market import Bar

_CHECK_KEYS: Final = "Check them, and that they are of this account."
_KEYS_REFUSED: Final = frozenset({401, 402, 403})
_FOR_GOOD: Final = frozenset({400, 405, 408, 409, 410})
"""Error codes of the market stream that a second attempt would meet again: bad subscription, too many symbols, no such plan."""
_BARS: Final = {"b": BarKind.FINAL, "u": BarKind.CORRECTED, "d": BarKind.RUNNING}
_TICKS: Final = frozenset({"q", "t", *_BARS})


class AlpacaStreams:
    """The `BrokerStreams` of Alpaca."""

    def __init__(self, addresses: Addresses, credentials: Credentials, patience: StreamPatience) -> None:
        self._addresses = addresses
        self._credentials = credentials
        self._patience = patience

    async def order_updates(self, on_update: Callable[[OrderUpdate], None], on_status: Callable[[StreamStatus], None]) -> None:
        """See `core.ports.BrokerStreams`."""
        client = StreamClient(self._addresses.updates, lambda: OrderConversation(self._credentials), self._patience)
        await client.run(on_update, on_status)

    async def market(self, watch: Watch, on_tick: Callable[[Tick], None], on_status: Callable[[StreamStatus], None]) -> None:
        """See `core.ports.BrokerStreams`. One of these an account: Alpaca lets no second one in."""
        address = self._addresses.ticks_of(_path_of(watch))
        client = StreamClient(address, lambda: MarketConversation(self._credentials, watch), self._patience)
        await client.run(on_tick, on_status)


def _path_of(watch: Watch) -> str:
    return "v1beta3/crypto/us" if is_crypto_watch(watch) else f"v2/{feed_of(watch.feed)}"


class OrderConversation:
    """How `trade_updates` are spoken: we begin with the keys."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def opening(self) -> str:
        """See `core.brokers.stream.Conversation`."""
        keys = {"key_id": self._credentials.key, "secret_key": self._credentials.secret}
        return json.dumps({"action": "authenticate", "data": keys})

    def question(self) -> str:
        """Ask once more to listen, which changes nothing and is answered."""
        return json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}})

    def hear(self, frame: str | bytes) -> Heard[OrderUpdate]:
        """See `core.brokers.stream.Conversation`. A stream that we do not know says nothing to us."""
        updates: list[OrderUpdate] = []
        reply, state = None, None
        for message in as_messages(parsed(frame_text(frame))):
            row = fields(message)
            stream, data = row.get("stream"), row.get("data")
            if stream == "authorization":
                if fields(data).get("status") != "authorized":
                    raise KeysRefused("The stream of orders does not accept the keys.", _CHECK_KEYS)
                reply, state = self.question(), StreamState.AUTHENTICATED
            elif stream == "listening":
                if "trade_updates" not in (fields(data).get("streams") or ()):
                    raise StreamBroken("the server does not let us hear of orders")
                state = StreamState.LISTENING
            elif stream == "trade_updates":
                updates.append(read_update(data))
        return Heard(items=updates, reply=reply, state=state)


class MarketConversation:
    """How bars, quotes and trades are spoken: the server greets first."""

    def __init__(self, credentials: Credentials, watch: Watch) -> None:
        self._credentials = credentials
        self._watch = watch

    def opening(self) -> None:
        """See `core.brokers.stream.Conversation`."""

    def question(self) -> str:
        """Subscribe once more to the same, which changes nothing and is answered."""
        watch = self._watch
        kinds = {"bars": watch.bars, "updatedBars": watch.bars, "quotes": watch.quotes, "trades": watch.trades}
        return json.dumps({"action": "subscribe"} | {kind: list(symbols) for kind, symbols in kinds.items() if symbols})

    def hear(self, frame: str | bytes) -> Heard[Tick]:
        """See `core.brokers.stream.Conversation`. A kind of message that we do not know says nothing to us."""
        rows = [fields(message) for message in as_messages(parsed(frame_text(frame)))]
        reply, state = None, None
        for row in rows:
            kind = row.get("T")
            if kind in _TICKS:
                continue
            if kind == "success" and row.get("msg") == "connected":
                reply = json.dumps({"action": "auth", "key": self._credentials.key, "secret": self._credentials.secret})
            elif kind == "success" and row.get("msg") == "authenticated":
                reply, state = self.question(), StreamState.AUTHENTICATED
            elif kind == "subscription":
                state = StreamState.LISTENING
            elif kind == "error":
                raise _stream_error(row, self._credentials)
        return Heard(items=_ticks(rows), reply=reply, state=state)


def _ticks(rows: list[Fields]) -> Iterator[Tick]:
    """Make each when it is asked for: a frame may hold thousands, and who listens lets the loop turn between them."""
    for row in rows:
        kind = row.get("T")
        if kind == "q":
            yield read_quote(str(row["S"]), row)
        elif kind == "t":
            yield read_print(str(row["S"]), row)
        elif kind in _BARS:
            yield LiveBar(bar=_bar(row, kind), kind=_BARS[kind])


def _bar(row: Fields, kind: Any) -> Bar:
    start_ns = instant(row["t"])
    end_ns = start_ns + (DAY_NS if kind == "d" else MINUTE_NS)
    # Bars are float64 everywhere; quotes and trades, which orders are priced by, stay Decimal.
    open_, high, low, close, volume = (float(row[name]) for name in "ohlcv")
    return Bar(str(row["S"]), start_ns, end_ns, open_, high, low, close, volume)


def _stream_error(row: Fields, credentials: Credentials) -> Exception:
    code, words = int(row.get("code") or 0), credentials.hidden_in(str(row.get("msg") or ""))
    if code in _KEYS_REFUSED:
        return KeysRefused(
            f"The market stream does not accept the keys: {words} ({code}).", "Check them, and that they are of this account."
        )
    if code in _FOR_GOOD:
        reason, todo = meaning_of(words)
        return BrokerRefused(
            f"The market stream refused: {words} ({code}).", todo or "Ask for fewer symbols.", reason=reason, broker_code=code, words=words
        )
    return StreamBroken(f"the server said {words} ({code})")
