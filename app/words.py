"""Words of a call that several verbs read, and how a bar set is named in a document."""

from typing import TYPE_CHECKING, Any, Final

from core.errors import InvalidValue, UnknownName

if TYPE_CHECKING:
    from core.model.market import BarSetKey


LEAST_OF_ID: Final = 6
"""How many signs of an id it takes to name what is ended, changed or removed."""


def one_of(kind: str, given: str, choices: Any) -> str:
    """Return `given` in lower case when it is one of `choices`. Raises UnknownName."""
    names = [str(choice) for choice in choices]
    if given.strip().lower() not in names:
        raise UnknownName(kind, given, names)
    return given.strip().lower()


def parse_timeframe(text: str) -> str:
    """Return the timeframe as it is stored: 60m is 1h. Raises UnknownName with the near usual one."""
    from core.model.market import USUAL_TIMEFRAMES, Timeframe

    try:
        return str(Timeframe.parse(text))
    except InvalidValue as error:
        raise UnknownName("timeframe", text, USUAL_TIMEFRAMES) from error


def key_document(key: "BarSetKey") -> dict[str, Any]:
    """Return the four fields that name a stored set."""
    return {"symbol": key.symbol, "timeframe": key.timeframe, "source": key.source, "adjustment": str(key.adjustment)}


def surely(kind: str, given: str, meant: str) -> str:
    """Return the id that is meant by what was written of it. Raises InvalidValue for what may be a slip: to end something takes more."""
    if given != meant and len(given) < LEAST_OF_ID:
        raise InvalidValue(kind, given, f"to end, change or remove one takes {LEAST_OF_ID} signs of its id at least. {meant} begins so.")
    return meant


def moment(instant_ns: int | None) -> str | None:
    """Return an instant as ISO-8601 in UTC."""
    from core.model.instants import iso

    return None if instant_ns is None else iso(instant_ns)
