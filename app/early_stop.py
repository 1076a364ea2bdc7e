"""A call that trades until it is told to end, and was told so before its run went on: it is done, and nothing of it is kept."""

import logging
import sys
from collections.abc import Sequence
from typing import Final

NOT_BEGUN: Final = "Stopped on request, before the run began: there is none."
_TRADES: Final = (["trade"], ["runs", "resume"])

_log = logging.getLogger(__name__)


def trades(arguments: Sequence[str]) -> bool:
    """Tell whether a line calls a verb that goes on until it is told to end. One that cannot be read does not."""
    from app.common_options import parted
    from core.errors import InputError

    try:
        _, words = parted(arguments)
    except InputError:
        return False
    return any(words[: len(verb)] == verb for verb in _TRADES)


def say_not_begun(*, as_json: bool, log_json: bool, interrupted: str | None = None) -> None:
    """Say so: on stderr, where it is asked for as a line of JSON, and on stdout as a sentence or as the document of a run.

    `interrupted`: the id of a run that was to go on, and is as it was.
    """
    from app.console import print_json
    from app.logs import JsonFormatter

    sentence = NOT_BEGUN if interrupted is None else f"Stopped on request, before run {interrupted} went on: it is interrupted, as it was."
    status = "stopped" if interrupted is None else "interrupted"
    _log.info("%s", sentence)
    if log_json:
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, sentence, None, None)
        sys.stderr.write(JsonFormatter().format(record) + "\n")
    elif as_json:
        sys.stderr.write(sentence + "\n")
    if as_json:
        run = {"id": interrupted, "status": status, "bars": 0, "error": {"code": None, "sentence": sentence}}
        print_json({"run": run, "stats": {}, "fills": [], "trades": [], "open_positions": [], "rejections": []})
    else:
        sys.stdout.write(sentence + "\n")
    sys.stdout.flush()
