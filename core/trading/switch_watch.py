"""Follows the kill switch in the log, whoever throws it and in whichever process, and has it carried out."""

import asyncio
import logging
from typing import Final

from core.errors import StoreError
from core.ports import EventLog
from core.trading.history import Thrown, read_carried_out, read_switches
from core.trading.kill_switch import KillSwitch
from core.trading.state import AccountState

SWITCH_S: Final = 0.25
"""How often the log is asked whether somebody else threw the kill switch."""
_log = logging.getLogger(__name__)


class SwitchWatch:
    """`recall` it first, then `follow`."""

    def __init__(self, state: AccountState, kill: KillSwitch, log: EventLog) -> None:
        self._state = state
        self._kill = kill
        self._event_log = log
        self._seq = 0

    async def recall(self) -> None:
        """Take how the switch was left, and what the program had not done when it ended. Raises StoreError."""
        found, self._seq = await read_switches(self._event_log)
        done = await read_carried_out(self._event_log, self._state.key)
        for thrown in found:
            self._state.set_level(thrown.run_id, thrown.level)
            # Where it was done and orders work all the same, one of them was on its way then.
            if thrown.event_id not in done or self._state.working(thrown.run_id):
                self._throw(thrown)

    async def follow(self) -> None:
        """Look again and again, until cancelled. While the store does not answer the switch is as it was."""
        is_told = False
        while True:
            await asyncio.sleep(SWITCH_S)
            try:
                found, self._seq = await read_switches(self._event_log, self._seq)
            except StoreError as error:
                if not is_told:
                    _log.warning("Whether the kill switch was thrown cannot be read; it is tried again: %s", error)
                is_told = True
                continue
            is_told = False
            for thrown in found:
                self._state.set_level(thrown.run_id, thrown.level)
                self._throw(thrown)

    def _throw(self, thrown: Thrown) -> None:
        if thrown.run_id is None or thrown.run_id in self._state.books:  # a run of another account is none of this one's
            self._kill.throw(thrown)
