"""What `weaver` without a verb does: the window, a picture of it, or the demonstration in the terminal. Imports no Qt before it is sure."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.call import Call, absolute
from app.display import check_display, has_display
from core.errors import InputError, InvalidValue, NoDisplay, UnknownName

if TYPE_CHECKING:
    from app.run_document import RunReport
    from core.engine import Engine

THEMES: Final = ("system", "dark", "light")
SMALLEST, LARGEST = 200, 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowOptions:
    """How the window is opened. `size` in device-independent pixels, None as it was last time; `panel` a dock's name without `dock-`."""

    demo: bool = False
    theme: str | None = None
    screenshot: Path | None = None
    size: tuple[int, int] | None = None
    panel: str | None = None

    @classmethod
    def parse(cls, *, demo: bool, theme: str | None, screenshot: Path | None, size: str | None, panel: str | None) -> "WindowOptions":
        """Return the options of a call. Raises InputError."""
        if theme is not None and theme.lower() not in THEMES:
            raise UnknownName("theme", theme, THEMES)
        if screenshot is None and panel is not None:
            raise InputError("--panel is for --screenshot.", "Add --screenshot FILE, or leave it out.")
        if screenshot is not None and screenshot.suffix.lower() != ".png":
            raise InvalidValue("--screenshot", str(screenshot), "the file must end in .png.")
        return cls(
            demo=demo,
            theme=None if theme is None else theme.lower(),
            screenshot=None if screenshot is None else absolute(screenshot),
            size=None if size is None else _parse_size(size),
            panel=None if panel is None else panel.strip().lower().removeprefix("dock-"),
        )


def _parse_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})[xX×](\d{1,5})", text.strip())
    if match is None:
        raise InvalidValue("--size", repr(text), "write it like 1600x1000.")
    width, height = int(match[1]), int(match[2])
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise InvalidValue("--size", text, f"both sides go from {SMALLEST} to {LARGEST} pixels.")
    return width, height


def open_window(call: Call, options: WindowOptions) -> None:
    """Open the window and return when it is closed; or take the picture; or, without a display, run the demonstration here."""
    display = has_display(call.environment)
    if options.screenshot is None and not display:
        if not options.demo:
            raise NoDisplay(
                "There is no display to show the window on.",
                "`weaver --demo` runs the demonstration in this terminal, `weaver --screenshot FILE` draws the window.",
            )
        demonstrate_in_terminal(call, "There is no display: the demonstration runs in this terminal.")
        return
    _import_core(is_window=options.screenshot is None)
    offscreen = options.screenshot is not None and sys.platform.startswith("linux") and not call.environment.get("QT_QPA_PLATFORM")
    try:
        check_display(call.environment, offscreen=offscreen)
        _check_qt()
    except NoDisplay as error:
        if not options.demo or options.screenshot is not None:
            raise
        demonstrate_in_terminal(call, f"{error} Without the window, the demonstration runs in this terminal.")
        return
    if offscreen:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from app.lifecycle import run_window

    run_window(call, options)


def _import_core(*, is_window: bool) -> None:
    """Import what needs no Qt before what does: once PySide6 is there, it reads the source of every module that is imported.

    The window opens a twelfth sooner so. A picture may need no database.
    """
    import app.compose  # noqa: F401

    if is_window:
        import core.store.database  # noqa: F401


def _check_qt() -> None:
    try:
        from PySide6 import QtWidgets  # noqa: F401  (only whether it loads)
    except ImportError as error:
        raise NoDisplay(
            f"Qt cannot be loaded: {error}.", "Run the set-up of the README again; `weaver doctor` says what is missing."
        ) from error


def demonstrate_in_terminal(call: Call, why: str) -> None:
    """Make the simulated market, run the demonstration on it, and print the report."""
    from app.cli_backtest import collect, tell
    from app.console import progress

    async def work(engine: "Engine") -> "RunReport":
        from app.demo import demo_run

        with progress(call.shows_progress) as on_progress:
            run = await demo_run(engine, on_progress)
        return await collect(engine, run.id)

    sys.stderr.write(why + "\n")
    tell(call.run(work), equity=False, as_json=False)
