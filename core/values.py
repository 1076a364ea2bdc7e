"""A typed, bounded value: what a strategy's parameter and a setting have in common."""

import math
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from core.errors import InvalidValue

ParamValue = bool | int | float | str


class ParamKind(StrEnum):
    """The type of a parameter."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "str"


class ParamSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of a strategy: its form field, its `--param` and its JSON Schema are made from this."""

    name: str
    kind: ParamKind
    default: ParamValue
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    help: str = ""

    def parse(self, value: object) -> ParamValue:
        """Return `value` (text or a number) as this parameter's type, inside its bounds. Raises InvalidValue."""
        parsed = self._typed(value)
        if isinstance(parsed, float) and not math.isfinite(parsed):
            raise InvalidValue(self.name, value, "it must be a finite number.")
        if not isinstance(parsed, (bool, str)):
            if self.minimum is not None and parsed < self.minimum:
                raise InvalidValue(self.name, value, f"it must be at least {_plain(self.minimum)}.")
            if self.maximum is not None and parsed > self.maximum:
                raise InvalidValue(self.name, value, f"it must be at most {_plain(self.maximum)}.")
        if self.choices and parsed not in self.choices:
            raise InvalidValue(self.name, value, f"it must be one of {', '.join(self.choices)}.")
        return parsed

    def _typed(self, value: object) -> ParamValue:
        text = str(value).strip()
        if self.kind is ParamKind.BOOL:
            folded = text.casefold()
            if folded in {"true", "yes", "on", "1"}:
                return True
            if folded in {"false", "no", "off", "0"}:
                return False
            raise InvalidValue(self.name, repr(value), "write true or false.")
        if self.kind is ParamKind.TEXT:
            return text
        try:
            number = float(text)
        except ValueError as error:
            raise InvalidValue(self.name, repr(value), "it is not a number.") from error
        if self.kind is ParamKind.FLOAT:
            return number
        if not math.isfinite(number) or number != int(number):
            raise InvalidValue(self.name, repr(value), "it must be a whole number.")
        return int(number)

    def json_schema(self) -> dict[str, Any]:
        """Return this parameter as a JSON Schema property."""
        types = {ParamKind.BOOL: "boolean", ParamKind.INT: "integer", ParamKind.FLOAT: "number", ParamKind.TEXT: "string"}
        schema: dict[str, Any] = {"type": types[self.kind], "default": self.default, "description": self.help}
        if self.minimum is not None:
            schema["minimum"] = int(self.minimum) if self.kind is ParamKind.INT else self.minimum
        if self.maximum is not None:
            schema["maximum"] = int(self.maximum) if self.kind is ParamKind.INT else self.maximum
        if self.choices:
            schema["enum"] = list(self.choices)
        return schema


def _plain(bound: float) -> str:
    """Return a bound as a person writes it: 0.00000001, not 1e-08."""
    return f"{Decimal(f'{bound:g}'):f}"
