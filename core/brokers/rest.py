"""REST with a broker: worker threads, explicit timeouts, and never an order twice."""

import asyncio
import contextlib
import logging
import math
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final, TypeVar
from weakref import WeakSet

import httpx
import msgspec

from core.brokers.address import is_loopback
from core.brokers.patience import Pace, Patience, closed, pause_s
from core.errors import AnswerUnreadable, BrokerUnreachable, KnownError, NoKeys, NotSent, OutcomeUnknown, RateLimited
from core.model.broker import MayLeave
from core.model.instants import SECOND_NS, to_ns
from core.ports import Clock

T = TypeVar("T")

READERS: Final = 4
SENDERS: Final = 2
"""Threads of their own, so that an order never waits behind questions that wait themselves."""
LARGEST_ANSWER_BYTES: Final = 64_000_000
_TIMED_OUT, _TOO_MANY = 408, 429
_SERVER_ERRORS: Final = range(500, 600)
_LEAVES: Final = frozenset({"http11.send_request_headers.started", "http11.send_request_body.started"})
"""What httpcore tells right before it writes: the connection stands, and nothing is waited for any more. The order is in the body."""
_ASK_AGAIN: Final = frozenset({_TOO_MANY, 500, 502, 503, 504})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole. `body` is as it came; nobody has looked at it yet."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def is_done(self) -> bool:
        """Whether the broker did what it was asked."""
        return 200 <= self.status < 300


Refuse = Callable[[Answer, str], KnownError]
"""Makes the error of a refusal: the answer, and what was asked, in words."""


class _Keys(httpx.Auth):
    """Puts the headers with the keys on a request when it leaves, so that no client object carries them about."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(self._headers)
        yield request

    def __repr__(self) -> str:
        return "_Keys()"


class RestClient:
    """One server's REST. `ask` for questions, `tell` for what does something; both come back in the loop's thread.

    The network is waited for in worker threads of its own, so that neither the loop nor its own threads are held up.
    TLS certificates are always checked.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        refuse: Refuse,
        clock: Clock,
        patience: Patience,
        hide: Callable[[bytes], bytes],
    ) -> None:
        """`hide` takes the keys out of what the server says: it may say what it was told. Raises NoKeys for keys that fit in no header."""
        if not all(value.isascii() and value.isprintable() and value == value.strip() for value in headers.values()):
            # Whoever refuses such a header says it out loud.
            raise NoKeys("The keys have signs that no key has: a line break, an accent, or a space around them.", "Copy them once more.")
        self._hide = hide
        self._clock = clock
        self._patience = patience
        self._refuse = refuse
        self._stopped = threading.Event()
        self._pace = Pace(patience.per_minute, clock, self._stopped)
        self._host = httpx.URL(base_url).host
        # A server on this machine is spoken with directly, whatever proxy the environment names.
        is_here = is_loopback(self._host)
        self._client = httpx.Client(
            base_url=base_url,
            auth=_Keys(headers),
            timeout=httpx.Timeout(patience.read_s, connect=patience.connect_s),
            limits=httpx.Limits(max_connections=READERS + SENDERS, max_keepalive_connections=READERS + SENDERS),
            follow_redirects=False,
            trust_env=not is_here,
        )
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="broker-reads")
        self._senders = ThreadPoolExecutor(SENDERS, thread_name_prefix="broker-sends")
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()

    async def ask(self, path: str, query: Mapping[str, str], read: Callable[[Answer], T], what: str) -> T:
        """Return what `read` makes of the answer to a question. It is asked again after a fault that may pass.

        `what` says in words what is asked for. Raises BrokerUnreachable, RateLimited, AnswerUnreadable, or what `refuse` makes.
        """

        def work() -> T:
            answer = self._asked(path, query, what)
            if not answer.is_done:
                raise self._refuse(answer, what)
            return _read(answer, read, what)

        return await self._in(self._readers, work)

    async def tell(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None,
        read: Callable[[Answer], T],
        what: str,
        id: str | None,
        may_leave: MayLeave | None = None,
    ) -> T:
        """Return what `read` makes of the answer to a request that does something. It leaves once.

        Raises BrokerUnreachable when it did not leave, OutcomeUnknown with `id` when nobody can tell what became of it, and NotSent
        where `may_leave` said no: it is asked in the sending thread, after all waiting for the thread and the connection.
        """

        def work() -> T:
            try:
                self._pace.count()
                answer = self._sent(method, path, query, body, may_leave)
            except _Withheld as error:
                raise NotSent(what) from error
            except _Unsent as error:
                raise self._unreachable(what, error.__cause__, "Nothing was sent.") from error
            except httpx.HTTPError as error:
                raise _unknown(what, f"the connection failed: {self._told(error)}", id) from error
            if answer.status in _SERVER_ERRORS or answer.status == _TIMED_OUT:
                raise _unknown(what, f"the broker's server failed ({answer.status})", id)
            if answer.status == _TOO_MANY:
                raise self._too_many(answer, what)
            if not answer.is_done:
                raise self._refuse(answer, what)
            try:
                return _read(answer, read, what)
            except AnswerUnreadable as error:
                raise _unknown(what, "the answer cannot be read", id) from error

        return await self._in(self._senders, work)

    async def close(self) -> None:
        """End every wait, and return when no thread is at work any more."""
        self._stopped.set()
        with self._lock:
            connected = list(self._sockets)
        for one in connected:
            _cut(one)
        await asyncio.get_running_loop().run_in_executor(None, self._end_threads)
        self._client.close()

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._stopped.is_set():
            raise closed()
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    def _end_threads(self) -> None:
        for threads in (self._readers, self._senders):
            threads.shutdown()

    def _asked(self, path: str, query: Mapping[str, str], what: str) -> Answer:
        """Return the answer to a question, after as many attempts as patience has."""
        failures = 0
        while True:
            fault: BaseException | None = None
            answer: Answer | None = None
            try:
                self._pace.take()
                answer = self._sent("GET", path, query, None)
                if answer.status not in _ASK_AGAIN:
                    return answer
            except _Unsent as error:
                fault = error.__cause__
            except httpx.HTTPError as error:
                fault = error
            failures += 1
            wait_s = pause_s(failures, self._patience.first_pause_s, self._patience.longest_pause_s)
            if answer is not None and (advice_s := self._advice_s(answer)) is not None:
                wait_s = advice_s
            if failures >= self._patience.questions or wait_s > self._patience.longest_advice_s:
                raise self._given_up(answer, fault, what)
            _log.info("%s: %s; asked again in %.1f s.", what, answer.status if answer else self._told(fault), wait_s)
            if self._stopped.wait(wait_s):
                raise self._given_up(answer, fault, what)

    def _sent(self, method: str, path: str, query: Mapping[str, str], body: bytes | None, may_leave: MayLeave | None = None) -> Answer:
        """Send a request once and read its whole answer. Raises _Unsent or _Withheld when it did not leave, else httpx.HTTPError."""
        if self._stopped.is_set():
            raise _Unsent from httpx.PoolTimeout("the connection was closed")
        until_ns = self._clock.monotonic_ns() + round(self._patience.answer_s * SECOND_NS)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        read = bytearray()
        try:
            with self._client.stream(
                method, path, params=dict(query), content=body, headers=headers, extensions={"trace": partial(self._note, may_leave)}
            ) as response:
                for block in response.iter_bytes():
                    read += block
                    if self._stopped.is_set() or self._clock.monotonic_ns() > until_ns or len(read) > LARGEST_ANSWER_BYTES:
                        raise httpx.ReadTimeout("the answer does not end")
                return Answer(response.status_code, response.headers, self._hide(bytes(read)))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError) as error:
            raise _Unsent from error

    def _note(self, may_leave: MayLeave | None, event: str, about: Mapping[str, Any]) -> None:
        """Ask for the last time whether a request may leave. Remember the socket of a new connection; one that comes too late is cut."""
        if event in _LEAVES and may_leave is not None and not may_leave():
            raise _Withheld
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            connected = about["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.add(connected)
            if self._stopped.is_set():
                _cut(connected)

    def _advice_s(self, answer: Answer) -> float | None:
        """Return what the server advises to wait, by `Retry-After`: seconds, or a date."""
        text = answer.headers.get("Retry-After", "").strip()
        if not text:
            return None
        try:
            advice_s = float(text)
            return max(0.0, advice_s) if math.isfinite(advice_s) else None
        except ValueError:
            pass
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, (to_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - self._clock.now_ns()) / SECOND_NS)

    def _told(self, fault: BaseException | None) -> str:
        return self._hide(_said(fault).encode()).decode("utf-8", "replace")

    def _given_up(self, answer: Answer | None, fault: BaseException | None, what: str) -> KnownError:
        if answer is None:
            return self._unreachable(what, fault, "")
        if answer.status == _TOO_MANY:
            return self._too_many(answer, what)
        sentence = f"{what}: the broker's server fails ({answer.status}), and did so {self._patience.questions} times."
        return BrokerUnreachable(sentence, "Try again later; the broker's status page may say more.")

    def _unreachable(self, what: str, fault: BaseException | None, more: str) -> BrokerUnreachable:
        sentence = f"{what}: {self._host} cannot be reached: {self._told(fault)}."
        return BrokerUnreachable(f"{sentence} {more}".strip(), "Check the network connection and try again.")

    def _too_many(self, answer: Answer, what: str) -> RateLimited:
        advice_s = self._advice_s(answer)
        wait = "in a minute" if advice_s is None else f"in {advice_s:.0f} seconds"
        return RateLimited(f"{what}: the broker takes no more requests for now (429).", f"Try again {wait}.", retry_after_s=advice_s)


class _Unsent(Exception):
    """There was no connection: nothing has left. Its cause says why."""


class _Withheld(Exception):
    """It must not leave any more. Nothing has, or its headers without its body, which is no request: the connection ends with it."""


def _cut(connected: socket.socket) -> None:
    """End a connection, so that the thread that waits for its answer wakes up."""
    with contextlib.suppress(OSError):  # closed already
        connected.shutdown(socket.SHUT_RDWR)


def _read(answer: Answer, read: Callable[[Answer], T], what: str) -> T:
    try:
        return read(answer)
    except (ValueError, KeyError, TypeError, ArithmeticError, msgspec.MsgspecError) as error:
        start = answer.body[:80].decode("utf-8", "replace")
        raise AnswerUnreadable(f"{what}: the broker's answer cannot be read: it begins {start!r}.", "Try again later.") from error


def _unknown(what: str, why: str, id: str | None) -> OutcomeUnknown:
    todo = f"It must be looked up by its id {id}, and not sent again." if id is not None else "Look at what the broker has."
    return OutcomeUnknown(f"{what}: it was sent, and nobody knows what became of it: {why}.", todo, client_order_id=id)


def _said(fault: BaseException | None) -> str:
    """Return what a fault of the network says, for a person; timeouts say nothing themselves."""
    if isinstance(fault, httpx.TimeoutException):
        return str(fault) if str(fault) not in {"", "timed out"} else "there was no answer in time"
    text = " ".join(str(fault).split()).rstrip(".") if fault is not None else ""
    return text or type(fault).__name__
