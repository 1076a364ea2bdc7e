"""Shares and rates as a person types them."""

from decimal import Decimal

from core.model.money import parse_money


def read_fraction(text: str, field: str) -> Decimal:
    """Return a share or a rate: `0.1` and `10 %` are the same. Raises InvalidValue with `field` in its sentence."""
    written = text.strip()
    if written.endswith("%"):
        return parse_money(written[:-1], field=field) / 100
    return parse_money(written, field=field)
