"""Payloads to JSON and back."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BugError, DatabaseNewer, InvalidValue
from core.events.codec import MAX_PAYLOAD_BYTES, UPCASTERS, EventCodec
from core.events.envelope import REGISTRY, Payload, envelope
from core.events.payloads import OrderFilled, StrategyNoted
from core.events.registry import event_types
from core.model.order import OrderLeg, OrderRequest, OrderSide, OrderType, TimeInForce
from core.model.run import AccountTerms, RunConfig
from tests.examples import examples

_DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e12"), max_value=Decimal("1e12"))
_POSITIVE = st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("0.00000001"), max_value=Decimal("1e12"))
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
_INTS = st.integers(-(2**63), 2**63 - 1)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)

st.register_type_strategy(Decimal, _DECIMALS)
st.register_type_strategy(str, _TEXT)
st.register_type_strategy(int, _INTS)
st.register_type_strategy(float, _FLOATS)


@st.composite
def _legs(draw: st.DrawFn, kinds: tuple[OrderType, ...]) -> OrderLeg:
    kind, by_percent = draw(st.sampled_from(kinds)), draw(st.booleans())
    is_trailing, time_in_force = kind is OrderType.TRAILING_STOP, draw(st.none() | st.sampled_from((TimeInForce.DAY, TimeInForce.GTD)))
    return OrderLeg(
        type=kind,
        limit_price=draw(_POSITIVE) if kind.has_limit else None,
        stop_price=draw(_POSITIVE) if kind.has_stop else None,
        trail_price=draw(_POSITIVE) if is_trailing and not by_percent else None,
        trail_percent=Decimal(5) if is_trailing and by_percent else None,
        time_in_force=time_in_force,
        expires_ns=draw(_INTS) if time_in_force is TimeInForce.GTD else None,
    )


@st.composite
def _requests(draw: st.DrawFn) -> OrderRequest:
    kind, side = draw(st.sampled_from(OrderType)), draw(st.sampled_from(OrderSide))
    time_in_force = draw(st.none() | st.sampled_from(TimeInForce))
    if kind not in {OrderType.MARKET, OrderType.LIMIT} and time_in_force in {TimeInForce.OPG, TimeInForce.CLS}:
        time_in_force = None
    prices = draw(_legs((kind,))) if kind is not OrderType.MARKET else None
    is_entry = kind is OrderType.MARKET and not draw(st.booleans())
    return OrderRequest(
        symbol=draw(_TEXT),
        side=side,
        qty=draw(_POSITIVE),
        type=kind,
        limit_price=None if prices is None else prices.limit_price,
        stop_price=None if prices is None else prices.stop_price,
        trail_price=None if prices is None else prices.trail_price,
        trail_percent=None if prices is None else prices.trail_percent,
        time_in_force=time_in_force,
        expires_ns=draw(_INTS) if time_in_force is TimeInForce.GTD else None,
        note=draw(st.none() | _TEXT),
        reduce_only=draw(st.booleans()) and not is_entry,
        target=draw(_legs((OrderType.LIMIT,))) if is_entry else None,
        stop_loss=draw(_legs((OrderType.TRAILING_STOP,))) if is_entry and draw(st.booleans()) else None,
    )


st.register_type_strategy(OrderRequest, _requests())
st.register_type_strategy(
    AccountTerms,
    st.builds(AccountTerms, **dict.fromkeys(("borrow_rate", "debit_rate", "credit_rate"), st.decimals(0, 10, allow_nan=False))),
)
st.register_type_strategy(
    RunConfig,
    st.builds(
        RunConfig,
        volume_cap=st.none() | st.decimals("0.01", 1, allow_nan=False),
        symbols=st.lists(_TEXT, min_size=1, max_size=4, unique=True).map(tuple),
        cash=_POSITIVE,
        start_ns=st.none() | st.integers(-(2**62), 0),
        end_ns=st.none() | st.integers(1, 2**62),
        params=st.dictionaries(_TEXT, st.booleans() | _INTS | _TEXT),
    ),
)


@pytest.mark.parametrize("wire", event_types())
@examples(25)
@given(data=st.data())
def test_decoding_what_was_encoded_gives_it_back(wire: str, data: st.DataObject) -> None:
    payload = data.draw(st.from_type(REGISTRY[wire]))
    codec = EventCodec()
    encoded = codec.encode(envelope(payload, id="1", ts=1, producer="test"))
    assert codec.decode(wire, payload.version, encoded) == payload
    assert codec.decode(wire, payload.version, encoded.decode()) == payload


def test_money_is_text_with_its_zeros() -> None:
    amount = Decimal("745.10")
    payload = OrderFilled(order_id="o", fill_id="f", qty=Decimal("1E+2"), price=amount, fee=Decimal(0), filled_qty=amount, time_ns=1)
    encoded = EventCodec().encode(envelope(payload, id="1", ts=1, producer="test"))
    assert json.loads(encoded)["price"] == "745.10"
    decoded = EventCodec().decode("orders.Filled", 1, encoded)
    assert isinstance(decoded, OrderFilled)
    assert (str(decoded.price), str(decoded.qty)) == ("745.10", "1E+2")


class PriceSeen(Payload, frozen=True, kw_only=True):
    """A type in its third version: once it had a float, then no currency."""

    wire: ClassVar[str] = "market.PriceSeenInATest"
    version: ClassVar[int] = 3
    price: Decimal
    currency: str


@pytest.fixture(autouse=True)
def price_seen() -> Iterator[None]:
    REGISTRY[PriceSeen.wire] = PriceSeen
    yield
    REGISTRY.pop(PriceSeen.wire, None)


# Registered by its definition above; no other test may find it.
REGISTRY.pop(PriceSeen.wire)


def _float_to_text(fields: dict[str, Any]) -> dict[str, Any]:
    return {"price": repr(fields["last"])}


def _with_currency(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "currency": "USD"}


_RAISING = {(PriceSeen.wire, 1): _float_to_text, (PriceSeen.wire, 2): _with_currency}


@pytest.mark.parametrize(
    ("version", "stored"),
    [(1, '{"last": 745.1}'), (2, '{"price": "745.1"}'), (3, '{"price": "745.1", "currency": "USD"}')],
)
def test_old_versions_are_raised_step_by_step(version: int, stored: str) -> None:
    assert EventCodec(_RAISING).decode(PriceSeen.wire, version, stored) == PriceSeen(price=Decimal("745.1"), currency="USD")


def test_a_version_that_nothing_raises_is_a_bug() -> None:
    with pytest.raises(BugError, match="from version 1 to 2"):
        EventCodec({(PriceSeen.wire, 2): _with_currency}).decode(PriceSeen.wire, 1, '{"last": 745.1}')


def test_a_version_from_the_future_says_what_to_do() -> None:
    with pytest.raises(DatabaseNewer, match="version 4") as raised:
        EventCodec(_RAISING).decode(PriceSeen.wire, 4, "{}")
    assert raised.value.todo


def test_every_older_version_of_every_type_can_be_raised() -> None:
    REGISTRY.pop(PriceSeen.wire)
    needed = {(wire, old) for wire, cls in event_types().items() for old in range(1, cls.version)}
    assert set(UPCASTERS) == needed


def test_an_unknown_type_is_of_a_newer_program_and_is_not_written() -> None:
    REGISTRY.pop(PriceSeen.wire)
    with pytest.raises(DatabaseNewer, match=r"market\.PriceSeenInATest"):
        EventCodec().decode(PriceSeen.wire, 3, "{}")
    with pytest.raises(BugError, match=r"market\.PriceSeenInATest"):
        EventCodec().encode(envelope(PriceSeen(price=Decimal(1), currency="USD"), id="1", ts=1, producer="test"))


def test_a_payload_may_be_as_large_as_the_limit_and_no_larger() -> None:
    overhead = len(b'{"text":""}')
    EventCodec().encode(envelope(StrategyNoted(text="x" * (MAX_PAYLOAD_BYTES - overhead)), id="1", ts=1, producer="test"))
    with pytest.raises(InvalidValue, match="1,048,577 bytes"):
        EventCodec().encode(envelope(StrategyNoted(text="x" * (MAX_PAYLOAD_BYTES - overhead + 1)), id="1", ts=1, producer="test"))
