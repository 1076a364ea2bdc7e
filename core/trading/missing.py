"""What the broker did and we were not told: it filled an order, or took a cancel. The stream brings it in a moment, or it is asked for."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from core.trading.state import AccountState

MISSING_S: Final = 1.0
"""How long the stream may take to bring an execution of which an answer told already."""

Spawn = Callable[[Coroutine[Any, Any, None], str, Callable[[], None]], None]
"""Starts a task of the desk's own, by its name; with what is called after it."""


class Missing:
    """Of one account. `wake` asks for a comparison."""

    def __init__(self, state: AccountState, spawn: Spawn, wake: Callable[[], None], patience_s: float = MISSING_S) -> None:
        self._state = state
        self._spawn = spawn
        self._wake = wake
        self._patience_s = patience_s
        self._asking: set[str] = set()

    def expect(self, order_id: str) -> None:
        """Let an order be asked for in a moment, unless the stream brings it."""
        was = self._state.lives[order_id].order.status

        async def ask() -> None:
            await asyncio.sleep(self._patience_s)
            life = self._state.lives[order_id]
            if life.missing_qty or not (was.is_final or life.order.status.is_final):
                self._wake()

        if order_id not in self._asking:
            self._asking.add(order_id)
            self._spawn(ask(), f"missing-{order_id}", lambda: self._asking.discard(order_id))
