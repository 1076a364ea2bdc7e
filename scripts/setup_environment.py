"""The environment both commands need: a virtual environment in `.venv` with every dependency at its locked version and hash.

Standard library only. Ready in a blink when nothing changed: a stamp in `.venv` tells what was installed, from which files, by which
Python. A half-made environment, one of another Python and one that was moved are made anew.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / "weaver-setup.json"
OLDEST, NEWEST = (3, 11), (3, 13)

# What Qt loads when it starts, as a soname, and the Debian package that carries it.
QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
}
SCREEN_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}

# Prints what is installed, one `name==version` a line; runs in the environment's Python.
LIST_INSTALLED = "import importlib.metadata as m; print('\\n'.join(sorted({f'{d.name}=={d.version}' for d in m.distributions()})))"


class SetupFailed(Exception):
    """The environment cannot be made; the text says what to do."""


def prepare(*, development: bool, window: bool = True) -> Path:
    """Make `.venv` ready and return its Python. Raises SetupFailed with what to do next.

    Without `window`, the libraries that only the window needs are not asked for.
    """
    restart_with_supported_python()
    if window:
        ensure_system_libraries(screen=has_display())
    ensure_environment()
    ensure_packages(development=development)
    return environment_python()


def say(text: str) -> None:
    """Print a line at once, so that it stands before what a child process prints."""
    print(text, flush=True)


def environment_python() -> Path:
    """The Python inside `.venv`."""
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def has_display() -> bool:
    """Whether a window can be shown."""
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


# --- the Python that makes the environment ---


def restart_with_supported_python() -> None:
    """Go on under a supported Python; returns at once when this one is. Raises SetupFailed when there is none."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return
    versions = [f"3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    for version in versions:
        command = ["py", f"-{version}"] if os.name == "nt" else [f"python{version}"]
        if shutil.which(command[0]) and _succeeds([*command, "-c", "pass"]):
            say(f"Python {sys.version_info[0]}.{sys.version_info[1]} is not supported; going on with {' '.join(command)}.")
            sys.exit(subprocess.run([*command, *sys.argv], check=False).returncode)
    this = ".".join(map(str, sys.version_info[:2]))
    raise SetupFailed(
        f"Weaver needs Python {versions[-1]} to {versions[0]}; this is {this}. Install one of them and run the command again."
    )


# --- what the operating system must bring ---


def ensure_system_libraries(*, screen: bool) -> None:
    """Install the libraries Qt needs where that is possible, else print the line to type; never stops the set-up."""
    missing = missing_libraries(screen=screen)
    if not missing:
        return
    packages = sorted(set(missing.values()))
    if may_install_packages():
        say(f"Installing the system libraries of the window: {' '.join(packages)}")
        if install_packages(packages) and not missing_libraries(screen=screen):
            return
    say(f"Qt cannot load these system libraries: {', '.join(sorted(missing))}.")
    if shutil.which("apt-get"):
        say(f"To see the window, type:  {as_typed(packages)}")
    else:
        say(f"To see the window, install them with this system's package manager; Debian calls them {' '.join(packages)}.")
    say("Going on without them: what needs no window works.")


def missing_libraries(*, screen: bool) -> dict[str, str]:
    """Return the sonames that cannot be loaded, with the Debian package of each; none where Qt brings all it needs."""
    if sys.platform != "linux":
        return {}
    wanted = {**QT_LIBRARIES, **SCREEN_LIBRARIES} if screen else QT_LIBRARIES
    return {soname: package for soname, package in wanted.items() if not _loads(soname)}


def may_install_packages() -> bool:
    """Whether this process may install Debian packages."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_packages(packages: list[str]) -> bool:
    """Install Debian packages; False when apt did not succeed. What apt prints is shown only then."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    for command in (["apt-get", "update"], install):
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            say(done.stdout)
            say(f"{' '.join(command)} did not succeed (exit code {done.returncode}).")
            return False
    return True


def as_typed(packages: list[str]) -> str:
    """The line a person types to install Debian packages."""
    return f"sudo apt-get update && sudo apt-get install -y {' '.join(packages)}"


def _loads(soname: str) -> bool:
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


# --- the virtual environment ---


def ensure_environment() -> None:
    """Make `.venv` when it is missing, half made, moved or of another Python."""
    if ENVIRONMENT.exists():
        fault = environment_fault()
        if fault is None:
            return
        say(f"The environment in .venv {fault}; making it anew.")
        shutil.rmtree(ENVIRONMENT)
    else:
        say("Making the environment in .venv")
    ensure_venv_module()
    done = subprocess.run(
        [base_python(), "-m", "venv", str(ENVIRONMENT)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        raise SetupFailed(f"The environment could not be made.\n{done.stdout.strip()}")


def environment_fault() -> str | None:
    """What is wrong with `.venv`, as the end of a sentence, or None."""
    stamp = read_stamp()
    if stamp.get("state") == "installing":
        return "was left half installed"
    if stamp.get("root", str(ROOT)) != str(ROOT):
        return "was made in another folder"
    python = environment_python()
    probe = "import pip, sys; print('.'.join(map(str, sys.version_info[:2])))"
    if not (ENVIRONMENT / "pyvenv.cfg").is_file() or not python.exists():
        return "is incomplete"
    try:
        done = subprocess.run([str(python), "-c", probe], capture_output=True, text=True, check=False)
    except OSError:
        return "does not run"
    if done.returncode != 0:
        return "does not run"
    made_by, this = done.stdout.strip(), ".".join(map(str, sys.version_info[:2]))
    return None if made_by == this else f"was made by Python {made_by} and this is {this}"


def base_python() -> str:
    """The Python to make the environment with: not one that is itself inside an environment."""
    return getattr(sys, "_base_executable", None) or sys.executable


def ensure_venv_module() -> None:
    """Debian keeps ensurepip in a package of its own; install it where that is possible. Raises SetupFailed with the line to type."""
    if _can_make_environments():
        return
    package = f"python3.{sys.version_info[1]}-venv"
    if may_install_packages():
        say(f"Installing {package}: this Python cannot make environments without it.")
        if install_packages([package]) and _can_make_environments():
            return
    packages = [package, *sorted(set(missing_libraries(screen=has_display()).values()))]
    raise SetupFailed(f"This Python cannot make environments. Type this, then run the command again:\n  {as_typed(packages)}")


def _can_make_environments() -> bool:
    return _succeeds([base_python(), "-c", "import venv, ensurepip"])


# --- what is installed in it ---


def ensure_packages(*, development: bool) -> None:
    """Install the locked dependencies and the program itself, unless the stamp tells that they are there. Raises SetupFailed."""
    lock = "requirements-dev.txt" if development else "requirements.txt"
    wanted = lock_digests()
    stamp = read_stamp()
    if stamp.get(lock) == wanted[lock] and set(stamp.get("installed", "").split()) <= set(installed_packages()):
        return
    say(f"Installing the packages of {lock}; the first time takes some minutes.")
    # The development file holds everything the other one does, at the same versions.
    covered = dict(wanted) if development else {lock: wanted[lock]}
    # An interrupted installation is found by this state and made anew.
    write_stamp({"state": "installing", "root": str(ROOT)})
    pip("install", "--require-hashes", "--no-deps", "-r", str(ROOT / lock))
    pip("install", "--no-deps", "--no-build-isolation", "--no-index", "-e", str(ROOT))
    write_stamp({"state": "ready", "root": str(ROOT), "installed": "\n".join(installed_packages()), **covered})


def pip(*arguments: str) -> None:
    """Run pip in the environment, quietly. Raises SetupFailed; pip has then said why."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    # A user's own packages and path must not decide what is found here.
    environment.pop("PYTHONPATH", None)
    environment["PYTHONNOUSERSITE"] = "1"
    command = [str(environment_python()), "-m", "pip", *arguments[:1], "--quiet", *arguments[1:]]
    if subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode != 0:
        raise SetupFailed(
            "The packages could not be installed; pip says why above. With the network back, run the command again: it starts over."
        )


def lock_digests() -> dict[str, str]:
    """A digest for each lock file: of the file, of what pyproject says about the program itself, and of the Python."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    own = json.dumps([project["build-system"], project["project"], project["tool"]["hatch"], sys.version_info[:3]], sort_keys=True)
    digests = {}
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        digests[name] = hashlib.sha256((text + own).encode()).hexdigest()
    return digests


def installed_packages() -> list[str]:
    """What the environment holds, as `name==version`."""
    done = subprocess.run([str(environment_python()), "-c", LIST_INSTALLED], capture_output=True, text=True, check=False)
    return done.stdout.split()


def read_stamp() -> dict[str, str]:
    """The stamp, or nothing where there is none or it cannot be read."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp: dict[str, str]) -> None:
    """Replace the stamp in one step."""
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    fresh.replace(STAMP)


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
