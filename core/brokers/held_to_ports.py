"""A connection of a person's own adapter, held to the ports: what it does otherwise is told with the place in its file."""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import cache
from types import SimpleNamespace
from typing import Any, Final, cast, get_type_hints

from core.brokers.faulty_place import place_in
from core.brokers.shape import wrong_in
from core.errors import (
    AdapterBroken,
    BrokerRefused,
    BrokerUnreachable,
    InputError,
    KeysRefused,
    KnownError,
    NotSent,
    OutcomeUnknown,
    RateLimited,
)
from core.model.broker import OrderUpdate, RefusalReason, StreamStatus, Tick
from core.model.market import BarSeries
from core.ports import Broker

ANSWER_LIMIT_S: Final = 120.0
"""How long an adapter may take for what it is asked; it has limits of its own, and far shorter ones."""
CLOSE_LIMIT_S: Final = 10.0
TODO: Final = "Correct its file; docs/adapters.md says what it has to do."
_SAYS_WHETHER_IT_LEFT: Final = (BrokerRefused, KeysRefused, RateLimited, BrokerUnreachable, NotSent, OutcomeUnknown)
_log: Final = logging.getLogger(__name__)


@cache
def parts() -> dict[str, type]:
    """Return the ports that a connection is made of, by the part's name."""
    return {
        name: get_type_hints(found.fget)["return"]
        for name, found in vars(Broker).items()
        if isinstance(found, property) and found.fget is not None
    }


def methods(port: type) -> tuple[str, ...]:
    """Return the methods of a port."""
    return tuple(name for name, found in vars(port).items() if not name.startswith("_") and callable(found))


def missing_in(broker: object) -> list[str]:
    """Return the parts and methods that a connection has to have and has not, as `desk.replace`."""
    found: list[str] = []
    for part, port in parts().items():
        held = getattr(broker, part, None)
        if held is None:
            found.append(part)
        else:
            found += [f"{part}.{method}" for method in methods(port) if not callable(getattr(held, method, None))]
    return found if callable(getattr(broker, "close", None)) else [*found, "close"]


class HeldToPorts:
    """Wraps the connection `broker` of an adapter. Its parts have the methods of their ports, each watched."""

    def __init__(self, broker: Broker, own: str, files: str, hidden_in: Callable[[str], str]) -> None:
        self._broker, self._own, self._files, self._hidden_in = broker, own, files, hidden_in
        for part, port in parts().items():
            held = getattr(broker, part)
            watched = {name: self._watched(part, name, getattr(held, name), getattr(port, name)) for name in methods(port)}
            setattr(self, part, SimpleNamespace(**watched))

    async def close(self) -> None:
        """Let the adapter close; what goes wrong with that stops nobody."""
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._broker.close()
        except Exception as error:
            _log.warning("%s", self._broken("close", error).what)

    def _watched(self, part: str, name: str, method: Callable[..., Any], port: Callable[..., Any]) -> Callable[..., Any]:
        what = f"{part}.{name}"
        if what == "history.source_of":
            return self._told(what, method)
        if what == "history.pages":
            return self._pages(what, method)
        if part == "streams":
            return self._stream(what, method, Tick if name == "market" else OrderUpdate)
        wanted = get_type_hints(port)["return"]
        if part == "desk":
            return self._sending(what, method, wanted)

        async def ask(*given: Any, **named: Any) -> Any:
            try:
                return self._fits(what, await self._limited(what, method(*given, **named)), wanted)
            except KnownError:
                raise
            except (Exception, SystemExit) as error:
                raise self._broken(what, error) from self._shown(error)

        return ask

    def _told(self, what: str, method: Callable[..., Any]) -> Callable[..., str]:
        def tell(*given: Any, **named: Any) -> str:
            try:
                return cast("str", self._fits(what, method(*given, **named), str))
            except KnownError:
                raise
            except (Exception, SystemExit) as error:
                raise self._broken(what, error) from self._shown(error)

        return tell

    def _sending(self, what: str, method: Callable[..., Any], wanted: Any) -> Callable[..., Awaitable[Any]]:
        """Whatever does not say whether it left may have left."""

        async def send(*given: Any, **named: Any) -> Any:
            try:
                return self._fits(what, await self._limited(what, method(*given, **named)), wanted)
            except _SAYS_WHETHER_IT_LEFT:
                raise
            except InputError as error:
                raise BrokerRefused(error.what, error.todo, reason=RefusalReason.INVALID_ORDER, words=error.what) from error
            except (Exception, SystemExit) as error:
                broken = error if isinstance(error, KnownError) else self._broken(what, error)
                _log.warning("%s", broken.what)
                raise OutcomeUnknown(broken.what, TODO, client_order_id=_own_id(given, named)) from self._shown(error)

        return send

    def _pages(self, what: str, method: Callable[..., Any]) -> Callable[..., AsyncGenerator[BarSeries, None]]:
        async def pages(*given: Any, **named: Any) -> AsyncGenerator[BarSeries, None]:
            try:
                async with aclosing(method(*given, **named)) as found:
                    async for page in found:
                        yield self._fits(what, page, BarSeries)
            except KnownError:
                raise
            except (Exception, SystemExit) as error:
                raise self._broken(what, error) from self._shown(error)

        return pages

    def _stream(self, what: str, method: Callable[..., Any], wanted: Any) -> Callable[..., Awaitable[None]]:
        async def listen(*given: Any) -> None:
            *watch, on_item, on_status = given
            loop, task, thread = asyncio.get_running_loop(), asyncio.current_task(), threading.get_ident()
            wrong: list[AdapterBroken] = []

            def checked(callback: Callable[[Any], None], of: Any) -> Callable[[Any], None]:
                def take(item: Any) -> None:
                    if wrong:
                        return
                    try:
                        if threading.get_ident() != thread:
                            raise TypeError("it tells of something in another thread than the loop's")
                        self._fits(what, item, of)
                    except (AdapterBroken, TypeError) as error:
                        wrong.append(error if isinstance(error, AdapterBroken) else self._broken(what, error))
                        if task is not None:
                            loop.call_soon_threadsafe(task.cancel)
                        return
                    callback(item)

                return take

            try:
                await method(*watch, checked(on_item, wanted), checked(on_status, StreamStatus))
            except asyncio.CancelledError:
                if not wrong or task is None:
                    raise
                task.uncancel()
                raise wrong[0] from None
            except KnownError:
                raise
            except (Exception, SystemExit) as error:
                raise self._broken(what, error) from self._shown(error)
            if wrong:
                raise wrong[0]
            raise AdapterBroken(f"The adapter {self._own} ends {what}, which goes on until it is cancelled.", TODO)

        return listen

    async def _limited(self, what: str, answer: Awaitable[Any]) -> Any:
        limit = asyncio.timeout(ANSWER_LIMIT_S)
        try:
            async with limit:
                return await answer
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise AdapterBroken(f"The adapter {self._own} did not come back from {what} within {ANSWER_LIMIT_S:g} s.", TODO) from error

    def _fits(self, what: str, found: Any, wanted: Any) -> Any:
        said = wrong_in(found, wanted)
        if said is not None:
            raise AdapterBroken(f"The adapter {self._own} gives nonsense in {what}: {said}.", TODO)
        return found

    def _broken(self, what: str, error: BaseException) -> AdapterBroken:
        said, place = self._hidden_in(" ".join(str(error).split())), place_in(error, self._files)
        return AdapterBroken(f"The adapter {self._own} fails in {what}: {type(error).__name__}: {said}{place}.", TODO)

    def _shown(self, error: BaseException) -> BaseException | None:
        """Return the error to be kept as the cause; None where it would show the keys."""
        return error if self._hidden_in(str(error)) == str(error) else None


def held_to_ports(broker: Broker, own: str, files: str, hidden_in: Callable[[str], str]) -> Broker:
    """Return the connection with everything that it does watched."""
    return cast("Broker", HeldToPorts(broker, own, files, hidden_in))


def _own_id(given: tuple[Any, ...], named: dict[str, Any]) -> str | None:
    """Return our id of what was to leave: of an order, of a change, or said by itself."""
    for item in (*given, *named.values()):
        found = getattr(item, "client_order_id", None)
        if isinstance(found, str):
            return found
    found = named.get("client_order_id", given[1] if len(given) > 1 else None)
    return found if isinstance(found, str) else None
