"""The symbol that a price file's name suggests."""

import re
from typing import Final

_QUOTES: Final = ("USDT", "USDC", "BUSD", "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "BTC", "ETH")
_BASES: Final = frozenset("BTC ETH XBT LTC XRP SOL ADA DOGE DOT BCH XLM LINK EUR GBP AUD NZD USD CHF CAD JPY SEK NOK XAU XAG".split())


def symbol_in(name: str) -> str | None:
    """Return the symbol that a file's name suggests: `spy-1d-yahoo.csv` is SPY, `btcusd-1m.csv.gz` is BTC/USD."""
    words = [word for word in re.split(r"[^A-Z0-9]+", name.split(".", maxsplit=1)[0].upper()) if word]
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if word in _BASES and following in _QUOTES:
            return f"{word}/{following}"
        for quote in _QUOTES:
            base = word.removesuffix(quote)
            if base != word and base in _BASES:
                return f"{base}/{quote}"
    return words[0] if words and re.fullmatch(r"[A-Z][A-Z0-9]{0,9}", words[0]) else None
