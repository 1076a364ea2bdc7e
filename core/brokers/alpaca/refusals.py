"""Alpaca's refusals as errors of ours. Its codes stand for many causes each: status, code and words decide together."""

import logging
import re
from typing import Any, Final

from core.brokers.alpaca.fields import parsed
from core.brokers.rest import Answer
from core.errors import BrokerRefused, KeysRefused, KnownError
from core.model.broker import RefusalReason as R

LONGEST_WORDS: Final = 300
_BUYING, _HELD = "Send a smaller order, or free some money.", "Cancel the open orders that hold it, or send a smaller order."

# Words of the message → what it means, and what to do. The first that fits counts.
_MEANINGS: Final[tuple[tuple[str, R, str], ...]] = (
    (r"insufficient (day trading |non.marginable )?buying power|insufficient balance|cost basis must be", R.BUYING_POWER, _BUYING),
    (r"insufficient qty|qty available|insufficient position", R.QUANTITY_HELD, _HELD),
    (r"wash trade", R.WASH_TRADE, "Cancel the order on the other side first, or use a bracket."),
    (r"client_order_id must be unique", R.CLIENT_ORDER_ID_TAKEN, "The order with this id exists already: look it up."),
    (r"order not found|order_id is missing", R.ORDER_UNKNOWN, "List the orders of the account."),
    (r"position (does not exist|not found)|no position", R.POSITION_UNKNOWN, "List the positions of the account."),
    (r"asset .*not found|could not find asset|asset .*(not active|not tradable)|invalid symbol|symbol not found", R.ASSET_UNKNOWN,
     "Check the symbol and the account it is for."),
    (r"order is already in|not cancelable|cannot be (canceled|replaced)|not open|order is not open|pending_replace", R.ORDER_FINAL,
     "Look at where the order stands."),
    (r"sub-penny|minimum pricing criteria|price increment", R.PRICE_INCREMENT, "From 1 on prices have two decimals, below four."),
    (r"extended.hours", R.EXTENDED_HOURS, "Outside the session only limit orders that are day may trade."),
    (r"fractional|fractionable|notional", R.FRACTION, "Fractions and amounts of money are for day orders of assets that can be divided."),
    (r"time.in.force", R.TIME_IN_FORCE, "Crypto takes gtc and ioc; fractions of shares take day."),
    (r"subscription", R.SUBSCRIPTION, "Use the feed iex, or end the period at least 15 minutes ago."),
    (r"connection limit", R.CONNECTION_LIMIT, "Another program listens with these keys; close it."),
    (r"(account|trading) .*(blocked|restricted|not allowed)|not eligible", R.TRADING_BLOCKED, "The account's page at the broker says why."),
)  # fmt: skip
_BY_STATUS: Final = {422: R.INVALID_ORDER, 400: R.INVALID_ORDER}

_log = logging.getLogger(__name__)


def refusal(answer: Answer, what: str) -> KnownError:
    """Return the error of an answer that is no success. Its body may be JSON with or without a code, HTML, or nothing."""
    code, words = _code_and_words(answer.body)
    _log.info("%s: refused with %d: %s", what, answer.status, answer.body[:1_000].decode("utf-8", "replace"))
    said = f"({answer.status}{f', {code}' if code is not None else ''})"
    is_forbidden = answer.status == 403 and code is None and re.match(r"forbidden|$", words, re.IGNORECASE)
    if answer.status == 401 or is_forbidden:
        return KeysRefused(f"{what}: the broker does not accept the keys {said}.", "Check them, and that they are of this account.")
    reason, todo = meaning_of(words)
    if reason is R.OTHER:
        reason = _BY_STATUS.get(answer.status, R.OTHER)
    sentence = f"{what}: the broker refused: {words.rstrip('.') or 'it gave no reason'} {said}."
    return BrokerRefused(sentence, todo, reason=reason, status=answer.status, broker_code=code, words=words)


def meaning_of(words: str) -> tuple[R, str]:
    """Return what Alpaca's words mean, and what to do."""
    for pattern, reason, todo in _MEANINGS:
        if re.search(pattern, words, re.IGNORECASE):
            return reason, todo
    return R.OTHER, ""


def _code_and_words(body: bytes) -> tuple[int | None, str]:
    try:
        document: Any = parsed(body)
    except ValueError:
        text = re.sub(rb"<(script|style).*?</\1>|<[^>]*>", b" ", body, flags=re.DOTALL | re.IGNORECASE).decode("utf-8", "replace")
        return None, " ".join(text.split())[:LONGEST_WORDS]
    if not isinstance(document, dict):
        return None, str(document)[:LONGEST_WORDS] if document else ""
    code = document.get("code")
    words = " ".join(str(document.get("message") or document.get("error") or "").split())
    return code if isinstance(code, int) else None, words[:LONGEST_WORDS]
