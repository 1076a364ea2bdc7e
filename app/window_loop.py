"""The window's event loop: when Qt gives up by itself, what is running may still end in good order."""

from collections.abc import Callable

import qasync
from PySide6.QtWidgets import QApplication


class WindowLoop(qasync.QEventLoop):  # type: ignore[misc]  # qasync has no types
    """Goes on turning until asyncio asks it to stop; Qt alone leaves it in the middle when the display's server is gone.

    `on_left` is called each time that happens.
    """

    def __init__(self, application: QApplication, on_left: Callable[[], object]) -> None:
        self._on_left = on_left
        self._asked = False
        super().__init__(application)

    def run_forever(self) -> int:
        self._asked = False
        result: int = super().run_forever()
        while not self._asked:
            self._on_left()
            result = super().run_forever()
        return result

    def stop(self) -> None:
        self._asked = True
        super().stop()
