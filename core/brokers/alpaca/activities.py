"""What happened in an account at Alpaca without an execution, page by page, each under its id.

Pages follow one another by id, and an id begins with the day that a row counts for, which may be long before it was made. `after` asks by
when a row was made. So each reading begins some days before what is known, whatever the ids say; what comes again is told apart by its id.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from core.brokers.alpaca.bookings import Booking, day_of_id, entry_of, read_booking, taken_back
from core.brokers.alpaca.fields import parsed, rows, text_of_instant
from core.brokers.alpaca.splits import split_entries
from core.brokers.rest import Answer, RestClient
from core.errors import AnswerUnreadable, BrokerRefused
from core.model.broker_entry import BrokerEntry, BrokerEntryKind
from core.model.instants import DAY_NS

PAGE: Final = 100
"""The most rows that Alpaca puts on a page."""
FIRST_DAYS: Final = 30
"""How long before the day of the last entry taken the first reading begins: a row may count for a later day than it was made on."""
AGAIN_DAYS: Final = 3
"""The same of a reading that goes on from one before, by when the newest row was made."""

_log = logging.getLogger(__name__)


class AlpacaActivities:
    """Reads them. It remembers nothing that a new one would not find again: only how short a reading may be."""

    def __init__(self, trading: RestClient) -> None:
        self._trading = trading
        self._newest: tuple[str, int] | None = None
        self._is_refused = False

    async def entries(self, after: str | None) -> list[BrokerEntry]:
        """Return what was booked, oldest first, with some of before `after`: all pages, or it raises and nothing counts.

        A server that does not answer this question has told of nothing: what it does to the account differs then, and is seen there.
        """
        try:
            entries = entries_of(bookings := await self._bookings(after))
        except BrokerRefused as error:
            if not self._is_refused:
                _log.warning("What is booked beside executions is not told; a split is a difference then. %s", error)
            self._is_refused = True
            return []
        self._is_refused = False
        standing = [one for one in entries if not one.reverses]
        if standing:
            # What is not whole yet is asked for until it is.
            open_ns = [one.known_ns for one in bookings if one.is_pending and one.known_ns is not None]
            open_ns += [one.known_ns for one in standing if one.is_half_told]
            self._newest = (standing[-1].id, min([standing[-1].known_ns, *open_ns]))
        return entries

    async def _bookings(self, after: str | None) -> list[Booking]:
        since_ns = self._since_ns(after)
        query = {"category": "non_trade_activity", "direction": "asc", "page_size": str(PAGE)}
        if since_ns is not None:
            query["after"] = f"{text_of_instant(since_ns)[:19]}Z"
        found: dict[str, Booking] = {}
        tokens = set[str]()
        while True:
            page = await self._trading.ask("/v2/account/activities", query, _read, "Reading what the broker booked")
            found.update((one.id, one) for one in page.bookings)
            if page.length < PAGE or page.last is None:
                break
            if page.last in tokens:  # who took that for the end would never ask for what is behind it
                raise AnswerUnreadable("What the broker booked: its pages go round in a circle.", "Try again later.")
            tokens.add(page.last)
            query["page_token"] = page.last
        return list(found.values())

    def _since_ns(self, after: str | None) -> int | None:
        if after is None:
            return None
        if self._newest is not None and self._newest[0] == after:
            return self._newest[1] - AGAIN_DAYS * DAY_NS
        day_ns = day_of_id(after)
        return None if day_ns is None else day_ns - FIRST_DAYS * DAY_NS


def entries_of(bookings: Iterable[Booking]) -> list[BrokerEntry]:
    """Return what rows say together, oldest first by when they were booked; one that says no time comes with the newest. Pure."""
    found = [one for one in bookings if not one.is_pending]
    latest_ns = max((one.known_ns for one in found if one.known_ns is not None), default=0)
    dated = [(one, latest_ns if one.known_ns is None else one.known_ns) for one in found]
    dividends = {(one.symbol, one.day_ns): one for one in found if one.kind is BrokerEntryKind.DIVIDEND and not one.is_cancelled}
    entries = split_entries((one, at_ns) for one, at_ns in dated if one.kind is BrokerEntryKind.SPLIT and not one.is_cancelled)
    for one, at_ns in dated:
        if one.kind is BrokerEntryKind.SPLIT and not one.is_cancelled:
            continue
        is_tax = one.kind is BrokerEntryKind.DIVIDEND_TAX
        entry = entry_of(one, at_ns, dividends.get((one.symbol, one.day_ns)) if is_tax else None)
        entries.append(taken_back(entry) if one.is_cancelled else entry)
    return sorted(entries, key=lambda one: (one.known_ns, one.id))


class _Page(NamedTuple):
    bookings: Sequence[Booking]
    length: int
    last: str | None


def _read(answer: Answer) -> _Page:
    listed = rows(parsed(answer.body))
    read = [read_booking(row) for row in listed]
    last = next((str(row["id"]) for row in reversed(listed) if row.get("id")), None)
    return _Page([one for one in read if one is not None], len(listed), last)
