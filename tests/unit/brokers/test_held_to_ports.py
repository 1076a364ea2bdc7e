"""An adapter that does not do what the ports ask: what it did is told with the place, and nothing is taken for true."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.brokers.fake import FakeBroker
from core.brokers.held_to_ports import held_to_ports, missing_in, parts
from core.brokers.shape import wrong_in
from core.errors import AdapterBroken, AnswerUnreadable, BrokerRefused, InvalidValue, NotInThisVersion, NotSent, OutcomeUnknown
from core.model.broker import Account, BrokerOrder, BrokerPosition, OrderChange, StreamState, StreamStatus, Watch
from core.model.instants import MINUTE_NS
from core.model.market import Adjustment, Timeframe
from core.ports import Broker
from tests.broker.bench import buy
from tests.strictness.log_guard import AllowLog

D = Decimal
SECRET = "the-secret"


class Odd:
    """A sound connection, some methods of which are others."""

    def __init__(self, **others: Any) -> None:
        self._sound = FakeBroker(lambda: 1, cash=D(100_000))
        for part in parts():
            setattr(self, part, getattr(self._sound, part))
        for what, method in others.items():
            part, _, name = what.partition("__")
            setattr(self, part, Part(getattr(self, part), {name: method}))

    async def close(self) -> None:
        await self._sound.close()


@dataclass
class Part:
    """A part with some methods of a test."""

    sound: Any
    others: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return self.others[name] if name in self.others else getattr(self.sound, name)


def held(**others: Any) -> Broker:
    return held_to_ports(Odd(**others), "odd", __file__, lambda text: text.replace(SECRET, "***"))  # type: ignore[arg-type]


def gives(value: Any) -> Callable[..., Any]:
    async def method(*_: Any, **__: Any) -> Any:
        return value

    return method


def fails(error: BaseException) -> Callable[..., Any]:
    async def method(*_: Any, **__: Any) -> Any:
        raise error

    return method


async def a_sound(what: str) -> Any:
    """What a sound connection gives."""
    broker = FakeBroker(lambda: 1, cash=D(100_000))
    return await broker.account.account() if what == "account" else await broker.desk.submit(buy("a"))


async def test_a_sound_connection_does_what_it_did() -> None:
    broker = held()
    assert (await broker.account.account()).cash == D(100_000)
    assert not (await broker.desk.submit(buy("a"))).status.is_final
    assert [order.client_order_id for order in await broker.orders.open_orders()] == ["a"]
    await broker.close()


def test_what_is_missing_is_named() -> None:
    odd = Odd()
    assert missing_in(odd) == []
    odd.desk = Part(object())  # type: ignore[attr-defined]
    del odd.history  # type: ignore[attr-defined]
    desk = ["desk.submit", "desk.replace", "desk.cancel", "desk.cancel_all", "desk.close_position"]
    assert missing_in(odd) == [*desk, "history"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cash": 1.5}, "Account: cash is float where Decimal is wanted (made from text, not from a float)"),
        ({"cash": D("NaN")}, "Account: cash is NaN, and no amount"),
        ({"kind": "paper"}, "Account: kind is str where "),
        ({"day_trades": True}, "Account: day_trades is bool where int is wanted"),
        ({"number": None}, "Account: number is None where str is wanted"),
    ],
)
async def test_a_field_of_another_type_is_named_with_what_is_wanted(change: dict[str, Any], said: str) -> None:
    account = msgspec.structs.replace(await a_sound("account"), **change)
    with pytest.raises(AdapterBroken) as broken:
        await held(account__account=gives(account)).account.account()
    assert str(broken.value).startswith(f"The adapter odd gives nonsense in account.account: {said}")
    assert broken.value.todo == "Correct its file; docs/adapters.md says what it has to do."


async def test_a_time_without_a_zone_is_told_what_makes_one() -> None:
    order = msgspec.structs.replace(await a_sound("order"), submitted_ns=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(AdapterBroken, match=r"BrokerOrder: submitted_ns is datetime .*UTC nanoseconds: core\.model\.instants\.to_ns"):
        await held(orders__order=gives(order)).orders.order("1")


def test_shapes() -> None:
    assert wrong_in(None, BrokerOrder | None) is None
    assert wrong_in({}, dict[str, BrokerPosition]) is None
    assert wrong_in(None, list[BrokerPosition]) == "it is None where list is wanted"
    assert wrong_in([1], list[BrokerPosition]) == "it[0] is int where BrokerPosition is wanted"
    assert wrong_in({"a": "b"}, dict[str, BrokerPosition]) == "it['a'] is str where BrokerPosition is wanted"
    assert wrong_in({}, Account) == "it is dict where Account is wanted"
    assert wrong_in(True, None) == "it is bool where None is wanted"


async def test_an_error_of_its_own_is_told_with_its_place_and_without_the_keys() -> None:
    with pytest.raises(AdapterBroken) as broken:
        await held(account__positions=fails(KeyError(SECRET))).account.positions()
    assert "fails in account.positions: KeyError: '***' (test_held_to_ports.py, line " in str(broken.value)
    assert broken.value.__cause__ is None
    with pytest.raises(AdapterBroken, match=r"fails in account\.positions: SystemExit: 3"):
        await held(account__positions=fails(SystemExit(3))).account.positions()
    with pytest.raises(AdapterBroken, match="TypeError: object list can't be used in 'await' expression"):
        await held(account__positions=list).account.positions()


@pytest.mark.parametrize("wrong", [fails(KeyError("ticket")), fails(AnswerUnreadable("What?")), gives(None), gives({"id": 1})])
async def test_an_order_of_which_nobody_says_whether_it_left_may_have_left(wrong: Callable[..., Any], allow_log: AllowLog) -> None:
    allow_log("odd")
    allow_log("What?")
    broker = held(desk__submit=wrong, desk__replace=wrong, desk__close_position=wrong, desk__cancel=wrong)
    calls = {
        "a": broker.desk.submit(buy("a"), None),
        "b": broker.desk.replace("1", OrderChange(client_order_id="b", qty=D(1))),
        "c": broker.desk.close_position("SPY", "c"),
    }
    for own, call in calls.items():
        with pytest.raises(OutcomeUnknown) as unknown:
            await call
        assert unknown.value.client_order_id == own


async def test_what_says_that_nothing_left_is_believed() -> None:
    with pytest.raises(NotSent):
        await held(desk__submit=fails(NotSent("Order a"))).desk.submit(buy("a"))
    for error in (NotInThisVersion("There are no such orders."), InvalidValue("tif", "opg", "there is none.")):
        with pytest.raises(BrokerRefused) as refused:
            await held(desk__submit=fails(error)).desk.submit(buy("a"))
        assert (refused.value.reason, refused.value.what) == ("invalid_order", error.what)


@pytest.mark.parametrize(
    ("tells", "said"),
    [
        (lambda on_item, on_status: on_item({"id": 1}), "gives nonsense in streams.order_updates: it is dict where OrderUpdate is wanted"),
        (lambda on_item, on_status: on_status("listening"), "it is str where StreamStatus is wanted"),
    ],
)
async def test_a_stream_that_tells_nonsense_ends_even_where_it_swallows_errors(tells: Callable[..., None], said: str) -> None:
    heard: list[Any] = []

    async def listen(on_item: Any, on_status: Any) -> None:
        while True:
            try:
                tells(on_item, on_status)
            except Exception:
                heard.append("swallowed")
            await asyncio.sleep(0)

    with pytest.raises(AdapterBroken, match=said):
        await held(streams__order_updates=listen).streams.order_updates(heard.append, heard.append)
    assert heard == []


async def test_a_stream_that_tells_from_another_thread_or_comes_back_is_found_out() -> None:
    async def from_a_thread(on_item: Any, on_status: Any) -> None:
        await asyncio.to_thread(on_status, StreamStatus(state=StreamState.LISTENING))
        await asyncio.Event().wait()

    with pytest.raises(AdapterBroken, match="another thread than the loop's"):
        await held(streams__order_updates=from_a_thread).streams.order_updates(lambda _: None, lambda _: None)
    with pytest.raises(AdapterBroken, match=r"ends streams\.market, which goes on until it is cancelled"):
        await held(streams__market=gives(None)).streams.market(Watch(bars=("SPY",)), lambda _: None, lambda _: None)


async def test_a_stream_ends_when_it_is_cancelled() -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(held().streams.order_updates(lambda _: None, lambda _: None))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()


async def test_what_never_comes_back_is_given_up_and_an_order_may_have_left(monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog) -> None:
    allow_log("did not come back from desk.submit within 0.05 s")
    monkeypatch.setattr("core.brokers.held_to_ports.ANSWER_LIMIT_S", 0.05)
    monkeypatch.setattr("core.brokers.held_to_ports.CLOSE_LIMIT_S", 0.05)

    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    broker = held(account__account=never, desk__submit=never)
    with pytest.raises(AdapterBroken, match=r"The adapter odd did not come back from account\.account within 0\.05 s\."):
        await broker.account.account()
    with pytest.raises(OutcomeUnknown):
        await broker.desk.submit(buy("a"))


async def test_pages_are_bars() -> None:
    async def pages(*_: Any, **__: Any) -> Any:
        yield [1, 2, 3]

    broker = held(history__pages=pages, history__source_of=lambda *_: 3)
    with pytest.raises(AdapterBroken, match=r"history\.pages: it is list where BarSeries is wanted"):
        async for _ in broker.history.pages("SPY", Timeframe(MINUTE_NS), 0, 1, adjustment=Adjustment.RAW, feed=None):
            pass
    with pytest.raises(AdapterBroken, match=r"history\.source_of: it is int where str is wanted"):
        broker.history.source_of("SPY", None)


async def test_what_goes_wrong_at_the_close_stops_nobody(allow_log: AllowLog) -> None:
    allow_log("fails in close: ValueError: no")
    odd = Odd()
    odd.close = fails(ValueError("no"))  # type: ignore[method-assign]
    await held_to_ports(odd, "odd", __file__, str).close()  # type: ignore[arg-type]
