"""Alpaca's JSON as values of ours: decimals from text, instants to the nanosecond, words that may be unknown."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec

from core.model.instants import SECOND_NS, to_ns
from core.model.market import AssetClass

Word = TypeVar("Word", bound=StrEnum)
Fields = Mapping[str, Any]

_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:?\d\d)")
_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_LONGEST_SHARE: Final = 5
_QUOTES: Final = ("USDT", "USDC", "USD", "BTC")


def parsed(body: bytes | str) -> Any:
    """Return a JSON document with its fractions as Decimal, exactly as written. Raises ValueError."""
    return _DECODER.decode(body)


def fields(document: Any) -> Fields:
    """Return a document that must be an object. Raises TypeError."""
    if not isinstance(document, Mapping):
        raise TypeError(f"not an object but {type(document).__name__}")
    return document


def rows(document: Any) -> list[Fields]:
    """Return a document that must be a list of objects; null is an empty one. Raises TypeError."""
    if document is None:
        return []
    if not isinstance(document, list):
        raise TypeError(f"not a list but {type(document).__name__}")
    return [fields(row) for row in document]


def amount(value: object) -> Decimal:
    """Return a finite amount from text or a number. Raises TypeError, ValueError or decimal.InvalidOperation."""
    if isinstance(value, float):
        raise TypeError("a float has lost digits already")
    found = Decimal(str(value))
    if not found.is_finite():
        raise ValueError(f"{value!r} is not finite")
    return found


def amount_or_none(value: object) -> Decimal | None:
    """Return an amount, or None where there is none."""
    return None if value is None or value == "" else amount(value)


def amount_or_zero(value: object) -> Decimal:
    """Return an amount, zero where there is none."""
    return amount_or_none(value) or Decimal(0)


def instant(value: object) -> int:
    """Return UTC ns of RFC 3339 text with up to nine digits of a second, and an offset or `Z`. Raises ValueError."""
    match = _INSTANT.fullmatch(str(value).strip())
    if match is None:
        raise ValueError(f"{value!r} is not an instant with a zone")
    moment = datetime.fromisoformat(match[1].replace(" ", "T").upper() + ("+00:00" if match[3] in "Zz" else match[3]))
    return to_ns(moment) + int((match[2] or "").ljust(9, "0"))


def instant_or(value: object, default: int) -> int:
    """Return an instant, or `default` where there is none."""
    return default if value is None or value == "" else instant(value)


def text_of_instant(instant_ns: int) -> str:
    """Return an instant as Alpaca reads it, to the nanosecond."""
    whole = datetime.fromtimestamp(instant_ns // SECOND_NS, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{instant_ns % SECOND_NS:09d}Z"


def word(words: type[Word], value: object) -> Word | None:
    """Return a word that we know, or None."""
    try:
        return words(str(value))
    except ValueError:
        return None


def asset_class(value: object) -> AssetClass:
    """Return ours of `us_equity`, `crypto` …; what is not crypto is traded like an equity."""
    return AssetClass.CRYPTO if str(value).startswith("crypto") else AssetClass.EQUITY


def symbol_of_execution(symbol: str) -> str:
    """Return BTC/USD for BTCUSD where nothing says what it is: no share has so long a name."""
    is_coin = len(symbol) > _LONGEST_SHARE and symbol.isalpha()
    return symbol_of_position(symbol, AssetClass.CRYPTO) if is_coin else symbol


def symbol_of_position(symbol: str, of_class: AssetClass) -> str:
    """Return BTC/USD for BTCUSD: positions are written without the slash, and orders of long ago."""
    if of_class is not AssetClass.CRYPTO or "/" in symbol:
        return symbol
    quote = next((quote for quote in _QUOTES if symbol.endswith(quote) and len(symbol) > len(quote)), None)
    return symbol if quote is None else f"{symbol.removesuffix(quote)}/{quote}"
