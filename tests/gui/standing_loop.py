"""Qt's loop as tests of windows run in it: between a test and its fixtures it stands."""

import asyncio
from collections.abc import Callable
from typing import Any

import qasync
from PySide6.QtWidgets import QApplication


class StandingLoop(qasync.QEventLoop):  # type: ignore[misc]  # qasync brings no types
    """What is due while it stands waits until it goes on.

    The loop that it is made of looks once more at what is due after it has stopped; a task that goes on then finds no running loop.
    """

    def run_until_complete(self, future: Any) -> Any:
        wanted: asyncio.Future[Any] = future if asyncio.isfuture(future) else self.create_task(future)

        def over(_: object) -> None:
            self.stop()

        wanted.add_done_callback(over)
        try:
            self.run_forever()
        finally:
            wanted.remove_done_callback(over)
        return wanted.result()


def in_qt() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the loop in which the async tests of a folder run."""
    return {"qt": lambda: StandingLoop(QApplication.instance() or QApplication([]), already_running=False)}
