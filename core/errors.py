"""The one error tree.

Known errors come from the environment, the data or the person; they are shown in plain words and say
what to do next. Everything else is a bug: it is reported with its traceback and never swallowed.

    WeaverError
    ├── KnownError                  exit code 1 on the command line
    │   ├── InputError              exit code 2: the call itself was wrong
    │   │   ├── UnknownName         a strategy, symbol, column … that does not exist; suggests the near one
    │   │   ├── InvalidValue        a value outside its bounds or of the wrong form
    │   │   ├── NotInThisVersion    a feature that this version does not have
    │   │   └── NotArmed            real money, and the account's name was not typed
    │   ├── DataError               price files and stored bars
    │   │   ├── UnreadableFile      empty, binary, changed while read, no such file
    │   │   ├── BadRows             rows that contradict themselves, and the person chose to stop
    │   │   ├── NoBars              nothing stored for what was asked
    │   │   ├── AdjustedBars        splits or dividends that the prices hold already
    │   │   └── SealedBars          a sealed bar set that was to be changed
    │   ├── StoreError              the database and its directory
    │   │   ├── DatabaseBusy        locked by another process
    │   │   ├── DatabaseNewer       written by a newer version of the program
    │   │   ├── OffsetMoved         another process has acted on the same events
    │   │   ├── AlreadyStored       what was to be committed is in the log already
    │   │   ├── BooksMoved          another process has changed the same paper account
    │   │   ├── DatabaseUnreachable the server does not answer, or the connection to it was lost
    │   │   ├── DatabaseRefused     the server does not take the user, the password or one more connection
    │   │   ├── DatabaseMissing     the server has no database of that name
    │   │   ├── StoreReadOnly       the directory or file cannot be written
    │   │   ├── DamagedStore        a check found what is not as it must be
    │   │   ├── EventsChanged       the events of a run are not what they were when they were stored
    │   │   └── DiskFull            no space left
    │   ├── StrategyError           a plug-in
    │   │   ├── StrategyBroken      its file cannot be loaded
    │   │   ├── StrategyFailed      it raised in one of its methods
    │   │   ├── StrategyTooSlow     a callback did not come back in time
    │   │   ├── LookAhead           its decisions used bars that were still to come
    │   │   ├── NotRepeatable       the same bars gave other decisions
    │   │   └── NonsenseAction      it returned something that is not an action, or an impossible one
    │   ├── RunError
    │   │   ├── RunNotStartable     the run's state does not allow a start
    │   │   ├── RunNotStoppable     the run's state does not allow a stop
    │   │   ├── StillRunning        the run was asked to stop and has not ended in time
    │   │   ├── HeldElsewhere       another desk has the run or the account
    │   │   ├── LeaseLost           another desk has taken over; what this one would still write is refused
    │   │   ├── AccountTaken        another desk has taken over the account that a run traded on
    │   │   ├── NotTheSame          a run cannot be repeated, or came out otherwise
    │   │   ├── BooksDiffer         our books and the broker's differ, and nothing heals it
    │   │   └── NotConnected        the account is not open for a person's orders
    │   ├── BrokerError             an account at a broker
    │   │   ├── NoKeys              the account has no keys on this machine
    │   │   ├── KeysRefused         the broker does not accept the keys
    │   │   ├── KeyringUnusable     the system's keyring cannot keep or give the keys
    │   │   ├── BrokerUnreachable   no connection, or no answer to what may safely be asked again
    │   │   ├── NotSent             this machine stood still just before an order left, and it did not leave
    │   │   ├── RateLimited         too many requests; the broker took none of this one
    │   │   ├── BrokerRefused       the broker said no; carries its code and its words
    │   │   ├── OutcomeUnknown      an order was sent and no answer came: look it up, never send it again
    │   │   ├── AnswerUnreadable    an answer that makes no sense
    │   │   └── AdapterBroken       an adapter's file cannot be loaded, or it does not do what was asked
    │   ├── AlreadyOpen             another window has the same database open
    │   ├── NoDisplay               the window has no screen, or its system libraries are missing
    │   └── Cancelled               the person stopped a long job; nothing was changed
    └── BugError                    a broken invariant of ours
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import ClassVar


class WeaverError(Exception):
    """Base of all errors of the program. `code` is stable; `str(error)` is a sentence for a person."""

    code: ClassVar[str] = "error"

    def __init__(self, what: str, todo: str = "") -> None:
        """`what` happened, and what to do next (`todo`), a sentence each, full stop included."""
        super().__init__(what)
        self.what = what
        self.todo = todo

    def __str__(self) -> str:
        return f"{self.what} {self.todo}".strip()


class KnownError(WeaverError):
    """Environment, data or person: shown in plain words, without a traceback."""

    code = "known_error"


class InputError(KnownError):
    """The call was wrong; nothing was done."""

    code = "input_error"


class UnknownName(InputError):
    """A name that does not exist. Suggests the nearest of `choices`."""

    code = "unknown_name"

    def __init__(self, kind: str, name: str, choices: Iterable[str], todo: str = "") -> None:
        known = sorted(choices)
        near = nearest(name, known)
        if near:
            todo = f"Did you mean {near}?"
        elif not todo:
            listed = ", ".join(known[:12]) + (" …" if len(known) > 12 else "")
            todo = f"Known: {listed}." if known else f"There is no {kind} yet."
        super().__init__(f"There is no {kind} named {name!r}.", todo)
        self.kind, self.name, self.near = kind, name, near


class InvalidValue(InputError):
    """A value outside its bounds or of the wrong form; the sentence names the field and the rule."""

    code = "invalid_value"

    def __init__(self, field: str, value: object, rule: str) -> None:
        super().__init__(f"{field} cannot be {value}: {rule}")
        self.field, self.value, self.rule = field, value, rule


class NotInThisVersion(InputError):
    """The call asks for a feature that this version does not have; nothing was done."""

    code = "not_in_this_version"


class NotArmed(InputError):
    """Orders would go where real money is, and the account's name was not typed. `todo` says what to type; nothing was done."""

    code = "not_armed"


class DataError(KnownError):
    """Price files and stored bars."""

    code = "data_error"


class UnreadableFile(DataError):
    """The file cannot be read as prices."""

    code = "unreadable_file"


class BadRows(DataError):
    """Rows contradict themselves and the person chose to stop; nothing was imported.

    `refused_by_reason` counts them; `bad_rows` are the first of them, each a `core.model.price_file.BadRow`.
    """

    code = "bad_rows"

    def __init__(
        self, what: str, todo: str = "", *, refused_by_reason: Mapping[str, int] | None = None, bad_rows: Sequence[object] = ()
    ) -> None:
        super().__init__(what, todo)
        self.refused_by_reason = dict(refused_by_reason or {})
        self.bad_rows = tuple(bad_rows)


class NoBars(DataError):
    """Nothing is stored for what was asked."""

    code = "no_bars"


class AdjustedBars(DataError):
    """Splits and dividends are stored for a symbol whose bars have them in their prices already."""

    code = "adjusted_bars"

    def __init__(self, symbol: str, adjustment: str) -> None:
        super().__init__(
            f"The bars of {symbol} are adjusted ({adjustment}), and its stored splits and dividends would count twice.",
            "Use raw bars, or leave the stored ones out (--no-actions).",
        )


class SealedBars(DataError):
    """A bar set is sealed: nothing of it is changed until it is unsealed."""

    code = "sealed_bars"

    def __init__(self, symbol: str, timeframe: str, source: str) -> None:
        super().__init__(
            f"The {timeframe} bars of {symbol} from {source} are sealed and stay as they are.",
            f"Unseal them (weaver data unseal --symbol {symbol} --timeframe {timeframe} --source {source}), or import as another source.",
        )


class StoreError(KnownError):
    """The database or its directory."""

    code = "store_error"


class DatabaseBusy(StoreError):
    """Another process holds the database's lock."""

    code = "database_busy"


class DatabaseNewer(StoreError):
    """The database was written by a newer version of the program."""

    code = "database_newer"


class OffsetMoved(StoreError):
    """Another process with the same consumer has acted on these events; nothing was done here."""

    code = "offset_moved"

    def __init__(self, consumer: str) -> None:
        super().__init__(f"Another process acts as {consumer}.", "It goes on from where that one is.")


class AlreadyStored(StoreError):
    """An event was to be stored only where it is not yet, and it is; nothing was done here."""

    code = "already_stored"

    def __init__(self, event_id: str) -> None:
        super().__init__(f"The event {event_id} is stored already.", "Nothing is to be done.")


class BooksMoved(StoreError):
    """Another process has changed a paper account since it was read; nothing was done here."""

    code = "books_moved"

    def __init__(self, account_id: str) -> None:
        super().__init__(f"Another process trades on the paper account {account_id}.", "End the other one, or go on there.")


class DatabaseUnreachable(StoreError):
    """The server does not answer, or the connection to it was lost."""

    code = "database_unreachable"


class DatabaseRefused(StoreError):
    """The server does not take the user, the password, or one more connection."""

    code = "database_refused"


class DatabaseMissing(StoreError):
    """The server has no database of that name."""

    code = "database_missing"


class StoreReadOnly(StoreError):
    """The data directory or the database cannot be written."""

    code = "store_read_only"


class DamagedStore(StoreError):
    """A check of what is stored found something that is not as it must be."""

    code = "damaged_store"


class EventsChanged(StoreError):
    """The events of a run are not what they were when they were stored, by the chain of their hashes."""

    code = "events_changed"


class DiskFull(StoreError):
    """No space is left; the last change was rolled back."""

    code = "disk_full"


class StrategyError(KnownError):
    """A strategy plug-in."""

    code = "strategy_error"


class StrategyBroken(StrategyError):
    """The plug-in's file cannot be loaded."""

    code = "strategy_broken"


class StrategyFailed(StrategyError):
    """The strategy raised in one of its methods."""

    code = "strategy_failed"


class StrategyTooSlow(StrategyError):
    """A callback of the strategy did not come back in time."""

    code = "strategy_too_slow"


class LookAhead(StrategyError):
    """What the strategy decided, or an indicator showed, depended on bars that were still to come."""

    code = "look_ahead"


class NotRepeatable(StrategyError):
    """The strategy decided otherwise when it was given the very same bars again."""

    code = "not_repeatable"


class NonsenseAction(StrategyError):
    """The strategy returned something that is not an action, or an impossible one."""

    code = "nonsense_action"


class RunError(KnownError):
    """A run's state does not allow what was asked."""

    code = "run_error"


class RunNotStartable(RunError):
    """Only a pending run can be started."""

    code = "run_not_startable"


class RunNotStoppable(RunError):
    """Only a running run can be stopped."""

    code = "run_not_stoppable"


class StillRunning(RunError):
    """A run of another process was asked to stop and has not ended in time; it may still."""

    code = "still_running"

    def __init__(self, run_id: str, waited_s: int) -> None:
        super().__init__(
            f"Run {run_id} was asked to stop and is not over after {waited_s} seconds.",
            f"It stops when its program hears it; `weaver runs show {run_id}` says what it does. If that program hangs, end it.",
        )


class HeldElsewhere(RunError):
    """Another desk has the run or the account; `desk` is its name."""

    code = "held_elsewhere"

    def __init__(self, what: str, desk: str, todo: str = "Do it there, or wait until that desk has let go.") -> None:
        super().__init__(f"{what} is in the hands of the desk {desk}.", todo)
        self.desk = desk


class LeaseLost(RunError):
    """Another desk has taken over the run or the account, `lost`; nothing that this one would still do is stored."""

    code = "lease_lost"

    def __init__(self, what: str) -> None:
        super().__init__(f"This desk has lost {what}: another one has taken over.", "It goes on there.")
        self.lost = what


class NotTheSame(RunError):
    """A run cannot be repeated from its manifest, or was and came out otherwise."""

    code = "not_the_same"


class BooksDiffer(RunError):
    """Our orders and fills do not make up what the broker says the account holds, and nothing explains it."""

    code = "books_differ"


class AccountTaken(RunError):
    """Another desk has taken over a broker's account while runs traded on it here; they end, and nothing of theirs is sent any more."""

    code = "account_taken"


class NotConnected(RunError):
    """The account is not open for a person's orders."""

    code = "not_connected"


class BrokerError(KnownError):
    """An account at a broker."""

    code = "broker_error"


class NoKeys(BrokerError):
    """The account has no keys, neither in the system's keyring nor in the environment."""

    code = "no_keys"


class KeysRefused(BrokerError):
    """The broker does not accept the keys: wrong, revoked, or of another account."""

    code = "keys_refused"


class KeyringUnusable(BrokerError):
    """The system has no keyring that keeps a secret, or it is locked."""

    code = "keyring_unusable"


class BrokerUnreachable(BrokerError):
    """There was no connection, so nothing was sent; or a question that may be asked again was not answered."""

    code = "broker_unreachable"


class NotSent(BrokerError):
    """An order, or a change of one, was ready to leave, and this machine had stood still for so long that it must not. It did not leave."""

    code = "not_sent"

    def __init__(self, what: str) -> None:
        """`what` was to leave."""
        super().__init__(
            f"{what}: this machine stood still just before it left, and another desk may have the account by now.",
            "Look at the account, and ask for it again if it is still wanted.",
        )


class RateLimited(BrokerError):
    """Too many requests: the broker did not take this one. `retry_after_s` is its advice, where it gave any."""

    code = "rate_limited"

    def __init__(self, what: str, todo: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(what, todo)
        self.retry_after_s = retry_after_s


class BrokerRefused(BrokerError):
    """The broker said no. `reason` is our word for it, stable; the rest is the broker's own, kept as it came.

    `broker_code`, a number or a word; None: it gave none. `status` is that of HTTP, 0 where it was said on a stream.
    """

    code = "broker_refused"

    def __init__(
        self, what: str, todo: str = "", *, reason: str, status: int = 0, broker_code: int | str | None = None, words: str = ""
    ) -> None:
        super().__init__(what, todo)
        self.reason, self.status, self.broker_code, self.words = reason, status, broker_code, words


class OutcomeUnknown(BrokerError):
    """An order, or a change of one, left this machine and no answer came back: the broker may have taken it.

    Look it up by `client_order_id`; never send it again. None: of a change that has no id of ours, a cancel.
    """

    code = "outcome_unknown"

    def __init__(self, what: str, todo: str = "", *, client_order_id: str | None) -> None:
        super().__init__(what, todo)
        self.client_order_id = client_order_id


class AnswerUnreadable(BrokerError):
    """The broker answered with something that is not what was asked for."""

    code = "answer_unreadable"


class AdapterBroken(BrokerError):
    """An adapter's file is gone, cannot be loaded, or does not have what was asked of it."""

    code = "adapter_broken"


class AlreadyOpen(KnownError):
    """Another window of the program has the same database open."""

    code = "already_open"


class NoDisplay(KnownError):
    """The window cannot be shown: no screen, a screen that went away, or system libraries of Qt are missing."""

    code = "no_display"


class Cancelled(KnownError):
    """The person stopped a long job; nothing was changed."""

    code = "cancelled"


class BugError(WeaverError):
    """One of our own invariants broke. Never caught to be hidden."""

    code = "bug"


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """Return the choice that `name` most likely meant, or None. Case does not count."""
    by_folded = {choice.casefold(): choice for choice in choices}
    folded = name.casefold()
    # A slip is seldom at both ends.
    alike = [choice for choice in by_folded if choice[:1] == folded[:1] or choice[-1:] == folded[-1:]]
    found = get_close_matches(folded, by_folded, n=1, cutoff=0.6) or get_close_matches(folded, alike, n=1, cutoff=0.5)
    return by_folded[found[0]] if found else None
