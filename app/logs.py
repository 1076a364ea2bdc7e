"""Logs and faults: a rotating file, the terminal, and what becomes of a bug.

Secrets are taken out of every line before it is written or shown.
"""

import faulthandler
import json
import logging
import logging.handlers
import re
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, TextIO

from core.errors import KnownError, WeaverError
from core.model.instants import iso

if TYPE_CHECKING:
    from core.ports import Clock

FORMAT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
FILE_BYTES: Final = 2_000_000
FILES_KEPT: Final = 5
LOG_FILE: Final = "weaver.log"

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


class RedactedRecord(logging.LogRecord):
    """A record whose message has no secrets, whoever shows it: a file, a terminal or a panel."""

    def getMessage(self) -> str:  # noqa: N802  (logging's name)
        return redacted(super().getMessage())


class RedactingFormatter(logging.Formatter):
    """Formats a record in UTC, traceback included, and takes the secrets out of the result."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  (logging's name)
        return iso(int(record.created * 1_000) * 1_000_000)

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class TerminalFormatter(logging.Formatter):
    """Formats a record for a person: `warning: the sentence`."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(f"{record.levelname.lower()}: {super().format(record)}")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: `time, level, logger, message`."""

    def format(self, record: logging.LogRecord) -> str:
        time, level = iso(int(record.created * 1_000) * 1_000_000), record.levelname.lower()
        return json.dumps({"time": time, "level": level, "logger": record.name, "message": redacted(super().format(record))})


def print_bug(sentence: str) -> None:
    """Say a bug's sentence on stderr."""
    sys.stderr.write(f"error[bug]: {sentence}\n")


class FaultReporter:
    """What becomes of an exception that nobody handles: a file with the traceback, and a sentence for the person."""

    def __init__(self, folder: Path, clock: "Clock") -> None:
        self._folder = folder
        self._clock = clock
        self._tell: Callable[[str], None] = print_bug
        self._fault_file: TextIO | None = None
        self._known: dict[tuple[str, str], Path | None] = {}

    def tell_by(self, tell: Callable[[str], None]) -> None:
        """Say the sentences of later faults by `tell`: the window shows them, a terminal prints them."""
        self._tell = tell

    def keep(self, error: BaseException) -> Path | None:
        """Write the traceback to a file of its own and return its path; None where nothing can be written.

        The same bug again (a slot that fails at every turn of the loop) is kept once.
        """
        what = (type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        if what not in self._known:
            self._known[what] = self._write(error)
        return self._known[what]

    def _write(self, error: BaseException) -> Path | None:
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

    def close(self) -> None:
        """Let go of the file of the fault handler."""
        if self._fault_file is not None:
            faulthandler.disable()
            self._fault_file.close()
            self._fault_file = None

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


def start_logging(folder: Path, *, verbose: bool, as_json: bool = False) -> None:
    """Send the log to a rotating file in `folder` and to stderr: warnings, or all of it when verbose; there `as_json` if that is asked for.

    Where the file cannot be written stderr has to do; whatever needs the directory says so itself.
    """
    logging.setLogRecordFactory(RedactedRecord)
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # lists its parts at every migration
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each page of a download
    for handler in list(root.handlers):
        if getattr(handler, "of_weaver", False):  # a second call in one process does not double every line
            root.removeHandler(handler)
            handler.close()
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setLevel(logging.INFO if verbose else logging.WARNING)
    to_terminal.setFormatter(JsonFormatter() if as_json else TerminalFormatter())
    handlers: list[logging.Handler] = [to_terminal]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        to_file = logging.handlers.RotatingFileHandler(folder / LOG_FILE, maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8")
        to_file.setFormatter(RedactingFormatter())
        handlers.append(to_file)
    except OSError as error:
        _log.info("There is no log file: %s", error)
    for handler in handlers:
        handler.of_weaver = True  # type: ignore[attr-defined]
        root.addHandler(handler)
