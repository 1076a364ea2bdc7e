"""Logs and faults: a rotating file, the terminal, the log panel's feed, and what becomes of a bug.

Secrets are taken out of every line before it is written or shown.
"""

import faulthandler
import logging
import logging.handlers
import re
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, TextIO

from core.errors import KnownError, WeaverError
from core.model.instants import iso
from core.ports import Clock

FORMAT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
FILE_BYTES: Final = 2_000_000
FILES_KEPT: Final = 5
FEED_LINES: Final = 2_000

_log = logging.getLogger(__name__)

_SECRETS: Final = (
    # scheme://person:password@host
    (re.compile(r"(?P<keep>[a-z][a-z0-9+.\-]*://[^\s/:@]*:)[^\s@]+(?=@)", re.IGNORECASE), r"\g<keep>***"),
    # APCA_API_SECRET_KEY=…, "password": "…", Authorization: Bearer …
    (
        re.compile(
            r"(?P<keep>[\w\-]*(?:secret|password|passwd|token|api[_\-]?key|apca[\w\-]*key[\w\-]*|authorization)[\w\-]*"
            r"[\"']?\s*[=:]\s*[\"']?(?:bearer\s+|basic\s+)?)[^\s\"',;&)}\]]+",
            re.IGNORECASE,
        ),
        r"\g<keep>***",
    ),
)


def redacted(text: str) -> str:
    """Return `text` without passwords in URLs and without the values of keys, secrets and tokens."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFormatter(logging.Formatter):
    """Formats a record in UTC, traceback included, and takes the secrets out of the result."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  (logging's name)
        return iso(int(record.created * 1_000) * 1_000_000)

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log as the panel shows it; `time_ns` UTC, `level` a word like `warning`."""

    time_ns: int
    level: str
    source: str
    text: str


class LogFeed(logging.Handler):
    """The last lines for the log panel. `listen` may be called from any thread; listeners are called in the logging thread."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[LogLine] = deque(maxlen=FEED_LINES)
        self._listeners: list[Callable[[LogLine], None]] = []

    def lines(self) -> list[LogLine]:
        """Return the last lines, oldest first."""
        return list(self._lines)

    def listen(self, listener: Callable[[LogLine], None]) -> Callable[[], None]:
        """Call `listener` with each later line; return the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def emit(self, record: logging.LogRecord) -> None:
        line = LogLine(int(record.created * 1e9), record.levelname.lower(), record.name, redacted(record.getMessage()))
        self._lines.append(line)
        for listener in tuple(self._listeners):
            listener(line)


def print_bug(sentence: str) -> None:
    """Say a bug's sentence on stderr."""
    sys.stderr.write(f"error[bug]: {sentence}\n")


class FaultReporter:
    """What becomes of an exception that nobody handles: a file with the traceback, and a sentence for the person."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._tell: Callable[[str], None] = print_bug
        self._fault_file: TextIO | None = None

    def tell_by(self, tell: Callable[[str], None]) -> None:
        """Say the sentences of later faults by `tell`: the window shows them, a terminal prints them."""
        self._tell = tell

    def keep(self, error: BaseException) -> Path | None:
        """Write the traceback to a file of its own and return its path; None where nothing can be written."""
        stamp = iso(self._clock.now_ns()).replace(":", "").replace("-", "")
        path = self._folder / f"bug-{stamp}.txt"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_text(redacted("".join(traceback.format_exception(error))), encoding="utf-8")
        except OSError:
            return None
        return path

    def sentence(self, error: BaseException, doing: str = "") -> str:
        """Return what to tell a person: a known error speaks for itself, anything else is a bug, and its traceback is kept."""
        if isinstance(error, KnownError):
            return str(error)
        _log.info("A bug%s", f" while {doing}" if doing else "", exc_info=error)
        what = error.what if isinstance(error, WeaverError) else f"{type(error).__name__}: {error}"
        kept = self.keep(error)
        where = f"Its traceback is kept in {kept}." if kept else "Its traceback could not be kept; --debug shows it."
        return redacted(f"This is a bug in Weaver: {what.rstrip('.')}. {where}")

    def report(self, error: BaseException, doing: str = "") -> None:
        """Keep the error and tell the person; `doing` is what was being done, in words."""
        self._tell(self.sentence(error, doing))

    def watch_process(self) -> None:
        """Take over the hooks of the interpreter, so that nothing that goes wrong is only printed, or lost."""
        sys.excepthook = self._on_exception
        threading.excepthook = lambda args: self._on_exception(args.exc_type, args.exc_value, args.exc_traceback)
        sys.unraisablehook = lambda args: self._on_exception(args.exc_type, args.exc_value, args.exc_traceback)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._fault_file = (self._folder / "fault.log").open("a")
        except OSError:
            faulthandler.enable()
        else:
            faulthandler.enable(self._fault_file)

    def on_loop_exception(self, loop: object, context: dict[str, object]) -> None:
        """Handle what an event loop could hand to no one."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.report(error)
        else:
            _log.error("Event loop: %s", context.get("message"))

    def _on_exception(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        self.report(error if error is not None else kind())


def start_logging(folder: Path, *, verbose: bool, terminal: bool) -> LogFeed:
    """Send the log to a rotating file in `folder`, to the terminal (warnings; all of it when verbose), and to the returned feed.

    Where the file cannot be written the terminal has to do; whatever needs the directory says so itself.
    """
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    handlers: list[logging.Handler] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(folder / "weaver.log", maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
        )
    except OSError as error:
        terminal = True
        logging.getLogger(__name__).debug("No log file: %s", error)
    if terminal:
        to_terminal = logging.StreamHandler(sys.stderr)
        to_terminal.setLevel(logging.INFO if verbose else logging.WARNING)
        handlers.append(to_terminal)
    for handler in handlers:
        handler.setFormatter(RedactingFormatter())
        root.addHandler(handler)
    feed = LogFeed()
    root.addHandler(feed)
    return feed
