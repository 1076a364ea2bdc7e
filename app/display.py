"""Whether a window can be shown here: a screen, and the system libraries that Qt needs. Imports no Qt."""

import ctypes
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from core.errors import NoDisplay

LIBRARIES: Final = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
}
"""Library → Debian package, needed by every window on Linux, an invisible one too."""

SCREEN_LIBRARIES: Final = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""Library → Debian package, needed beside those on an X11 screen."""


def has_display(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Tell whether there is a screen to show a window on; `QT_QPA_PLATFORM=offscreen` counts as one that is wished for."""
    if not platform.startswith(("linux", "freebsd")):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY") or environment.get("QT_QPA_PLATFORM"))


def can_load(library: str) -> bool:
    """Tell whether the dynamic loader finds `library`."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages(*, screen: bool, platform: str = sys.platform, loads: Callable[[str], bool] = can_load) -> list[str]:
    """Return the Debian packages whose libraries are missing; empty where packages have other names or nothing is missing."""
    if not platform.startswith("linux"):
        return []
    wanted = LIBRARIES | SCREEN_LIBRARIES if screen else LIBRARIES
    return [package for library, package in wanted.items() if not loads(library)]


def install_hint(packages: list[str]) -> str:
    """Return what to do to get `packages`: the exact line to type where there is apt."""
    if shutil.which("apt-get") is None:
        return f"Install them with this system's package manager; Debian calls them {' '.join(packages)}."
    return f"Type: sudo apt-get update && sudo apt-get install -y {' '.join(packages)}"


def check_display(environment: Mapping[str, str], *, offscreen: bool) -> None:
    """Raise NoDisplay with what to do, where Qt would end the process without a word that helps."""
    x11 = (
        not offscreen
        and not environment.get("WAYLAND_DISPLAY")
        and not environment.get("QT_QPA_PLATFORM")
        and bool(environment.get("DISPLAY"))
    )
    missing = missing_packages(screen=x11)
    if missing:
        raise NoDisplay("System libraries of the window are missing.", install_hint(missing))
    if x11 and sys.platform.startswith("linux") and not _answers(environment["DISPLAY"]):
        raise NoDisplay(
            f"The screen {environment['DISPLAY']} cannot be reached.",
            "Set DISPLAY to a screen that is there, or run `weaver --demo` without one.",
        )


def _answers(display: str) -> bool:
    """Tell whether a local X server listens at `display`; one on another machine gets the benefit of the doubt."""
    host, _, number = display.rpartition(":")
    number = number.partition(".")[0]
    if host not in {"", "unix"} or not number.isdigit():
        return True
    path = f"/tmp/.X11-unix/X{number}"  # noqa: S108  (where X servers listen, by their own convention)
    for address in ("\0" + path, path):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(address)
            except OSError:
                continue
            return True
    return Path(path).exists()
