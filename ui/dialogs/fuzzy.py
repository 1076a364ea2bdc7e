"""Finds a command by a few of its letters."""

_WORD_START = 8
_RUN = 4
_HIT = 1


def score(query: str, text: str) -> int | None:
    """Return how well `query` fits `text`, more is better; None when its letters do not come in this order.

    Spaces and case do not count. Letters at the start of words, and letters next to each other, count most.
    """
    wanted = [letter for letter in query.casefold() if not letter.isspace()]
    folded = text.casefold()
    # Best score of each way to place the letters so far, by the position of the last one.
    ends: dict[int, int] = {-1: 0}
    for letter in wanted:
        placed: dict[int, int] = {}
        for at, there in enumerate(folded):
            if there != letter:
                continue
            gain = _HIT + (_WORD_START if at == 0 or not folded[at - 1].isalnum() else 0)
            reached = [total + gain + (_RUN if last == at - 1 and last >= 0 else 0) for last, total in ends.items() if last < at]
            if reached:
                placed[at] = max(reached)
        if not placed:
            return None
        ends = placed
    return max(ends.values())
