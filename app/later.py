"""What the command line's contract names and this version does not have: refused in a sentence, never parsed and ignored."""

from typing import Final

from core.errors import NotInThisVersion

OPTIONS: Final = {
    ("events tail", "--follow"): "follow the log of another process; the window shows events as they come",
}
"""Verb and option (with its value where only that value is missing) → what this version cannot do."""


def refuse_option(verb: str, option: str) -> None:
    """Raise NotInThisVersion when `option` of `verb` is in the list above."""
    missing = OPTIONS.get((verb, option))
    if missing is not None:
        raise NotInThisVersion(f"{option}: this version cannot {missing}.", "Nothing was done.")
