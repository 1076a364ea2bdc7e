"""What is said where no window can be shown."""

import socket
import sys
from pathlib import Path

import pytest

from app import display
from app.display import LIBRARIES, SCREEN_LIBRARIES, check_display, has_display, missing_packages
from core.errors import NoDisplay


@pytest.mark.parametrize(
    ("environment", "there"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"QT_QPA_PLATFORM": "offscreen"}, True),
        ({"DISPLAY": ""}, False),
    ],
)
def test_on_linux_a_display_is_named_by_the_environment(environment: dict[str, str], there: bool) -> None:
    assert has_display(environment, "linux") is there


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_elsewhere_there_always_is_one(platform: str) -> None:
    assert has_display({}, platform)
    assert missing_packages(screen=True, platform=platform, loads=lambda _: False) == []


def test_missing_libraries_become_packages() -> None:
    gone = {"libEGL.so.1", "libxcb-cursor.so.0"}
    assert missing_packages(screen=False, platform="linux", loads=lambda name: name not in gone) == ["libegl1"]
    assert missing_packages(screen=True, platform="linux", loads=lambda name: name not in gone) == ["libegl1", "libxcb-cursor0"]
    assert missing_packages(screen=True, platform="linux", loads=lambda _: False) == [*LIBRARIES.values(), *SCREEN_LIBRARIES.values()]


def test_the_exact_line_to_type_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "missing_packages", lambda *, screen: ["libegl1", "libgl1"])
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(NoDisplay, match=r"Type: sudo apt-get update && sudo apt-get install -y libegl1 libgl1"):
        check_display({}, offscreen=True)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(NoDisplay, match=r"Debian calls them libegl1 libgl1\."):
        check_display({}, offscreen=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="X servers listen so on Linux")
def test_a_screen_that_nobody_serves_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "missing_packages", lambda *, screen: [])
    with pytest.raises(NoDisplay, match=":4711 cannot be reached"):
        check_display({"DISPLAY": ":4711"}, offscreen=False)
    check_display({"DISPLAY": ":4711"}, offscreen=True)
    check_display({"DISPLAY": ":4711", "WAYLAND_DISPLAY": "wayland-0"}, offscreen=False)
    check_display({"DISPLAY": "far.example:10.0"}, offscreen=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="abstract sockets are Linux's")
def test_a_screen_that_is_served_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(display, "missing_packages", lambda *, screen: [])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind("\0/tmp/.X11-unix/X4712")
        server.listen()
        check_display({"DISPLAY": ":4712.0"}, offscreen=False)
