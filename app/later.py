"""What the command line's contract names and this version does not have: refused in a sentence, never parsed and ignored."""

from typing import Final

from core.errors import NotInThisVersion

VERBS: Final = {
    ("orders", "cancel"): "send anything to a broker; cancel the order on its own page",
    ("reconcile",): "reconcile with a broker",
}
"""Verb → what this version cannot do, to follow `cannot`."""

OPTIONS: Final = {
    ("events tail", "--follow"): "follow the log of another process; the window shows events as they come",
}
"""Verb and option (with its value where only that value is missing) → what this version cannot do."""


def refuse_verb(*verb: str) -> None:
    """Raise NotInThisVersion for a verb of the list above."""
    raise NotInThisVersion(f"This version cannot {VERBS[verb]}.", "Nothing was done.")


def refuse_option(verb: str, option: str) -> None:
    """Raise NotInThisVersion when `option` of `verb` is in the list above."""
    missing = OPTIONS.get((verb, option))
    if missing is not None:
        raise NotInThisVersion(f"{option}: this version cannot {missing}.", "Nothing was done.")
