"""Who held how much of a symbol at an instant: what is held now, without what came since, in the units of then."""

from collections.abc import Sequence
from decimal import Decimal

from core.model.broker import Execution
from core.model.corporate_action import price_after
from core.model.money import ZERO
from core.trading.state import AccountState


def booked(state: AccountState, symbol: str, executions: Sequence[Execution]) -> list[tuple[int, str | None, Decimal]]:
    """Return those of a symbol's executions that are in the books: when, whose (None: of nobody here), and the signed units."""
    found: list[tuple[int, str | None, Decimal]] = []
    for one in executions:
        life = state.find("", one.order_id)
        is_booked = one.id in state.known_outside if life is None else any(fill.id == state.fill_id(one.id) for fill in life.fills)
        if one.symbol == symbol and is_booked:
            found.append((one.time_ns, None if life is None else life.order.run_id, one.qty * one.side.sign))
    return found


def held_at(state: AccountState, symbol: str, at_ns: int, after: Sequence[Execution]) -> dict[str | None, Decimal]:
    """Return the signed units of each run, and of nobody here (None), at an instant; `after`: executions since. Within `MONEY_CONTEXT`."""
    held: dict[str | None, Decimal] = {run_id: book.held(symbol) for run_id, book in state.books.items() if symbol in book.holdings}
    held[None] = state.outside.get(symbol, ZERO)
    moves = [(time_ns, owner, qty, ZERO) for time_ns, owner, qty in booked(state, symbol, after)]
    splits = max((book.splits.get(symbol, []) for book in state.books.values()), key=len, default=[])
    moves += [(time_ns, None, ZERO, ratio) for time_ns, ratio in splits if time_ns > at_ns]
    for _, owner, qty, ratio in sorted(moves, key=lambda move: move[0], reverse=True):
        if ratio:
            held = {each: price_after(units, ratio) for each, units in held.items()}
        else:
            held[owner] = held.get(owner, ZERO) - qty
    return held


def expected(state: AccountState, symbol: str, executions: Sequence[Execution]) -> Decimal:
    """Return what the account should hold now by our books, with executions that are not in them yet."""
    known = sum((qty for _, _, qty in booked(state, symbol, executions)), ZERO)
    told = sum((one.qty * one.side.sign for one in executions if one.symbol == symbol), ZERO)
    return state.positions().get(symbol, ZERO) + state.outside.get(symbol, ZERO) + told - known
