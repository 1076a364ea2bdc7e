"""Alpaca's JSON as values of ours, and its refusals as errors of ours."""

from decimal import Decimal

import httpx
import pytest

from core.brokers.alpaca.fields import amount, instant, parsed, symbol_of_execution, symbol_of_position, text_of_instant
from core.brokers.alpaca.history import timeframe_text
from core.brokers.alpaca.orders import status_of
from core.brokers.alpaca.refusals import refusal
from core.brokers.rest import Answer
from core.errors import BrokerRefused, InvalidValue, KeysRefused
from core.model.broker import RefusalReason as R
from core.model.instants import parse_instant
from core.model.market import AssetClass, Timeframe
from core.model.order import OrderStatus


@pytest.mark.parametrize("text", ["100.5", "0.000000001", "123456789012345678901234567890.123456789"])
def test_amounts_are_exact_from_text_and_from_numbers(text: str) -> None:
    assert amount(text) == Decimal(text)
    assert amount(parsed(text.encode())) == Decimal(text)


@pytest.mark.parametrize("wrong", [0.5, "NaN", "Infinity", "", "1,5", None, [], "0x1"])
def test_what_is_no_amount_is_refused(wrong: object) -> None:
    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        amount(wrong)


@pytest.mark.parametrize(
    ("text", "utc", "rest_ns"),
    [
        ("2023-11-14T15:00:00Z", "2023-11-14T15:00:00Z", 0),
        ("2023-11-14T15:00:00.123456789Z", "2023-11-14T15:00:00Z", 123_456_789),
        ("2023-11-14T15:00:00.5-05:00", "2023-11-14T20:00:00Z", 500_000_000),
        ("2023-07-14T09:30:00-04:00", "2023-07-14T13:30:00Z", 0),
        ("2023-11-14 15:00:00.1234567891Z", "2023-11-14T15:00:00Z", 123_456_789),
    ],
)
def test_instants_keep_their_nanoseconds_in_any_zone(text: str, utc: str, rest_ns: int) -> None:
    assert instant(text) == parse_instant(utc) + rest_ns
    assert instant(text_of_instant(instant(text))) == instant(text)


@pytest.mark.parametrize("text", ["2023-11-14T15:00:00", "2023-11-14", "yesterday", "", None])
def test_an_instant_without_a_zone_is_none(text: object) -> None:
    with pytest.raises(ValueError, match="is not an instant"):
        instant(text)


@pytest.mark.parametrize(
    ("given", "of_class", "symbol"),
    [("BTCUSD", "crypto", "BTC/USD"), ("BTC/USD", "crypto", "BTC/USD"), ("ETHBTC", "crypto", "ETH/BTC"),
     ("AVAXUSDT", "crypto", "AVAX/USDT"), ("USD", "crypto", "USD"), ("BTCUSD", "equity", "BTCUSD"), ("BRK.B", "equity", "BRK.B")],
)  # fmt: skip
def test_positions_in_crypto_get_their_slash_back(given: str, of_class: str, symbol: str) -> None:
    assert symbol_of_position(given, AssetClass(of_class)) == symbol


@pytest.mark.parametrize(
    ("given", "symbol"), [("BTCUSD", "BTC/USD"), ("BTC/USD", "BTC/USD"), ("SPY", "SPY"), ("GOOGL", "GOOGL"), ("BRK.B", "BRK.B")]
)
def test_executions_in_crypto_get_theirs_too(given: str, symbol: str) -> None:
    assert symbol_of_execution(given) == symbol


@pytest.mark.parametrize(
    ("word", "filled", "status"),
    [
        ("pending_new", 0, OrderStatus.ACCEPTED), ("accepted", 0, OrderStatus.ACCEPTED), ("new", 0, OrderStatus.ACCEPTED),
        ("held", 0, OrderStatus.ACCEPTED), ("partially_filled", 1, OrderStatus.PARTIALLY_FILLED), ("filled", 1, OrderStatus.FILLED),
        ("done_for_day", 0, OrderStatus.ACCEPTED), ("done_for_day", 1, OrderStatus.PARTIALLY_FILLED),
        ("pending_cancel", 1, OrderStatus.PARTIALLY_FILLED), ("pending_replace", 0, OrderStatus.ACCEPTED),
        ("canceled", 1, OrderStatus.CANCELLED), ("expired", 0, OrderStatus.EXPIRED), ("replaced", 1, OrderStatus.CANCELLED),
        ("rejected", 0, OrderStatus.REJECTED), ("a word of tomorrow", 0, OrderStatus.ACCEPTED),
    ],
)  # fmt: skip
def test_every_status_has_one_of_ours(word: str, filled: int, status: OrderStatus) -> None:
    assert status_of(word, Decimal(filled)) is status


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, '{"code": 40310000, "message": "insufficient buying power", "buying_power": "1"}', R.BUYING_POWER),
        (403, '{"code": 40310000, "message": "insufficient qty available for order (requested: 1, available: 0)"}', R.QUANTITY_HELD),
        (403, '{"code": 40310000, "message": "potential wash trade detected. use complex orders"}', R.WASH_TRADE),
        (422, '{"code": 42210000, "message": "potential wash trade detected. use complex orders"}', R.WASH_TRADE),
        (404, '{"code": 40410000, "message": "order not found"}', R.ORDER_UNKNOWN),
        (404, '{"code": 40410000, "message": "position does not exist"}', R.POSITION_UNKNOWN),
        (404, '{"code": 40410000, "message": "asset not found for X"}', R.ASSET_UNKNOWN),
        (422, '{"code": 40010001, "message": "client_order_id must be unique"}', R.CLIENT_ORDER_ID_TAKEN),
        (422, '{"code": 40010001, "message": "qty must be > 0"}', R.INVALID_ORDER),
        (422, '{"code": 42210000, "message": "invalid limit_price 290.123. sub-penny increment does not fulfill minimum pricing criteria"}',
         R.PRICE_INCREMENT),
        (422, '{"code": 42210000, "message": "order is already in \\"filled\\" state"}', R.ORDER_FINAL),
        (422, '{"code": 42210000, "message": "invalid crypto time_in_force"}', R.TIME_IN_FORCE),
        (422, '{"code": 42210000, "message": "fractional orders must be DAY orders"}', R.FRACTION),
        (422, '{"code": 42210000, "message": "extended hours order must be DAY limit orders"}', R.EXTENDED_HOURS),
        (403, '{"message": "subscription does not permit querying recent SIP data"}', R.SUBSCRIPTION),
        (403, "<html>403 Forbidden</html>", R.OTHER),
        (418, "", R.OTHER),
        (422, '["a list"]', R.INVALID_ORDER),
    ],
)  # fmt: skip
def test_a_refusal_gets_a_reason_by_status_code_and_words(status: int, body: str, reason: R) -> None:
    error = refusal(Answer(status, httpx.Headers(), body.encode()), "Trying")
    assert isinstance(error, BrokerRefused)
    assert error.reason == reason
    assert str(error).startswith("Trying: the broker refused: ")


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, '{"code": 40110000, "message": "request is not authorized"}'), (401, "<html/>"), (403, '{"message": "forbidden."}'), (403, "")],
)
def test_refused_keys_are_told_apart(status: int, body: str) -> None:
    assert isinstance(refusal(Answer(status, httpx.Headers(), body.encode()), "Trying"), KeysRefused)


def test_timeframes_have_alpacas_words() -> None:
    words = {text: timeframe_text(Timeframe.parse(text)) for text in ("1m", "59m", "1h", "23h", "1d", "1w")}
    assert words == {"1m": "1Min", "59m": "59Min", "1h": "1Hour", "23h": "23Hour", "1d": "1Day", "1w": "1Week"}
    for text in ("90m", "30s", "2d", "2w"):
        with pytest.raises(InvalidValue):
            timeframe_text(Timeframe.parse(text))
