"""The window's one handler of errors: known ones in plain words, bugs reported besides."""

import traceback
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from core.errors import Cancelled, KnownError, WeaverError


class ErrorDesk(QObject):
    """`handle` is what every TaskScope of the window gets. It says; showing is left to who listens."""

    said = Signal(str, str, str)
    """The sentence, the level (error, warning, info) and the details, which may be empty."""

    def __init__(self, report_bug: Callable[[BaseException, str], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._report_bug = report_bug

    def handle(self, error: Exception, what: str) -> None:
        """Take an error of a task that was doing `what`."""
        if isinstance(error, Cancelled):
            self.said.emit(str(error), "info", "")
        elif isinstance(error, KnownError):
            self.said.emit(str(error), "error", f"While {what}.\nCode: {error.code}" + _cause(error))
        else:
            self._report_bug(error, what)
            sentence = f"Something in the program itself went wrong while {what}. It goes on; the details are in the log."
            self.said.emit(sentence, "error", "".join(traceback.format_exception(error)))


def _cause(error: WeaverError) -> str:
    cause = error.__cause__
    return f"\nCause: {type(cause).__name__}: {cause}" if cause is not None else ""
