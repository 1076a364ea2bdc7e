"""Requests to Harbour. A login gives a token for some minutes; it is renewed before it ends."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from core.brokers.api import (
    AnswerUnreadable,
    BrokerRefused,
    BrokerUnreachable,
    KeysRefused,
    Link,
    MayLeave,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    checked_address,
)
from core.model.broker import RefusalReason

from .words import REASONS, Document

HOME = "https://api.harbour.example"
ANSWER_S = 20.0
"""How long a request may take from end to end."""
EARLY_NS = 60 * 10**9
"""How long before its end a token is renewed."""


class Wire:
    """One account's requests."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.url = checked_address(link.addresses.get("HARBOUR_URL", HOME), ("https", "http"), "HARBOUR_URL")
        self._http = httpx.AsyncClient(base_url=self.url, timeout=httpx.Timeout(10.0))
        self._token, self._token_ends_ns = "", 0
        self._login = asyncio.Lock()

    async def token(self) -> str:
        """Return a token that is good for a while yet. Raises KeysRefused."""
        async with self._login:
            if self._link.clock.elapsed_ns() > self._token_ends_ns - EARLY_NS:
                keys = self._link.credentials
                answer = await self._asked("POST", "/login", {"user": keys.key, "password": keys.secret}, "")
                # By a clock that goes on while the machine sleeps, and that nobody sets.
                self._token, self._token_ends_ns = answer["token"], self._link.clock.elapsed_ns() + answer["good_for_s"] * 10**9
            return self._token

    async def get(self, path: str, **query: Any) -> Any:
        """Ask for something; what may be asked twice is, when the session ended before its time."""
        try:
            return await self._asked("GET", path, query, await self.token())
        except SessionOver:
            self.forget_token()
            return await self._asked("GET", path, query, await self.token())

    async def send(self, path: str, body: Document, ref: str | None = None, may_leave: MayLeave | None = None) -> Any:
        """Send what must leave once. `ref`: the order's own id, by which it is looked up if the answer is lost."""
        token, left = await self.token(), False

        async def on_step(step: str, _: Mapping[str, Any]) -> None:
            # httpx tells of each step: here the connection stands, and nothing is left to do but the sending.
            nonlocal left
            if step.endswith("send_request_headers.started"):
                if may_leave is not None and not may_leave():
                    raise NotSent(f"Order {ref}")
                left = True

        try:
            return await self._asked("POST", path, body, token, {"trace": on_step})
        except SessionOver as error:
            self.forget_token()
            raise BrokerUnreachable("Harbour ended the session and did not take it.", "Try again.") from error
        except (BrokerUnreachable, AnswerUnreadable) as error:
            if not left:
                raise
            raise OutcomeUnknown(f"Harbour did not say what became of it: {error.what}", client_order_id=ref) from error

    def forget_token(self) -> None:
        """Log in anew the next time."""
        self._token_ends_ns = 0

    async def close(self) -> None:
        """Let go of every connection."""
        await self._http.aclose()

    async def _asked(self, method: str, path: str, given: Document, token: str, extensions: Mapping[str, Any] | None = None) -> Any:
        """Send one request, and return what the answer holds."""
        payload: dict[str, Any] = {"params": given} if method == "GET" else {"json": given}
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._http.request(method, path, headers={"X-Session": token}, extensions=extensions, **payload)
        except (httpx.HTTPError, TimeoutError) as error:
            raise BrokerUnreachable(f"Harbour does not answer: {type(error).__name__}.", "Look at the connection.") from error
        try:
            document = answer.json()
            code = "" if document["ok"] else str(document["code"])
            said = "" if document["ok"] else self._link.credentials.hidden_in(str(document["say"]))
        except (ValueError, KeyError, TypeError) as error:
            raise AnswerUnreadable(f"Harbour's answer makes no sense (status {answer.status_code}).", "Try again.") from error
        if not code:
            return document["data"]
        if code == "BAD_LOGIN":
            raise KeysRefused(f"Harbour does not accept the keys: {said}.", "Type them again.")
        if code == "NO_SESSION":
            raise SessionOver(f"Harbour knows no such session: {said}.")
        if code == "BUSY":
            raise RateLimited(f"Harbour is busy: {said}.", retry_after_s=document.get("wait_ms", 1_000) / 1_000)
        reason = REASONS.get(code, RefusalReason.OTHER)
        raise BrokerRefused(f"Harbour refuses it: {said}.", reason=reason, status=answer.status_code, broker_code=code, words=said)


class SessionOver(BrokerUnreachable):
    """The token is not good any more; what was asked was not done."""
