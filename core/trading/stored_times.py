"""Times that another desk's clock made, or that of an earlier program: none of them may lie in the future of this one's.

Clocks of desks are apart, by minutes where nobody sets them, and by as much as they like where a simulated market has its own. What is
stored was done before this desk had the account, so it is no younger than now. An order that seemed to be sent in an hour would be waited
for that long, and its symbol's position not be looked at.
"""

import msgspec

from core.trading.state import AccountState


def by_this_clock(state: AccountState, known_ns: int | None) -> int | None:
    """Let what is remembered of an account be no younger than now, in memory; return when it was first met, so too."""
    now_ns = state.clock.now_ns()
    for life in [one for one in state.lives.values() if one.order.updated_ns > now_ns]:
        state.recall(msgspec.structs.replace(life, order=msgspec.structs.replace(life.order, updated_ns=now_ns)))
    if state.reconciled_ns is not None and state.reconciled_ns > now_ns:
        state.reconciled_ns = None  # nobody can tell which instant of the broker's that was: all since the account was met is asked for
    return None if known_ns is None else min(known_ns, now_ns)
