"""The two commands: when an environment is kept, made anew or installed into, and what they print last."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The shared module of the commands, working in a folder of its own."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import setup_environment

    for name in ("pyproject.toml", "requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(setup_environment, "ROOT", tmp_path)
    monkeypatch.setattr(setup_environment, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(setup_environment, "STAMP", tmp_path / ".venv" / "weaver-setup.json")
    yield setup_environment
    for name in ("setup_environment", "test", "run"):
        sys.modules.pop(name, None)


def make_environment(setup: ModuleType, answer: str) -> None:
    """An environment whose Python prints `answer` whatever it is asked."""
    python = setup.environment_python()
    python.parent.mkdir(parents=True)
    (setup.ENVIRONMENT / "pyvenv.cfg").write_text("home = /somewhere\n")
    python.write_text(f"#!/bin/sh\necho '{answer}'\n")
    python.chmod(0o755)


THIS_PYTHON = ".".join(map(str, sys.version_info[:2]))

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for an environment's Python is a shell script")


def test_a_sound_environment_is_kept(setup: ModuleType) -> None:
    make_environment(setup, THIS_PYTHON)
    assert setup.environment_fault() is None


def test_an_environment_of_another_python_is_not(setup: ModuleType) -> None:
    make_environment(setup, "3.9")
    assert setup.environment_fault() == f"was made by Python 3.9 and this is {THIS_PYTHON}"


def test_an_environment_without_its_python_is_not(setup: ModuleType) -> None:
    make_environment(setup, THIS_PYTHON)
    setup.environment_python().unlink()
    assert setup.environment_fault() == "is incomplete"


def test_an_environment_that_cannot_start_is_not(setup: ModuleType) -> None:
    make_environment(setup, THIS_PYTHON)
    setup.environment_python().write_text("#!/nowhere/python\n")
    assert setup.environment_fault() == "does not run"


def test_an_interrupted_installation_is_made_anew(setup: ModuleType) -> None:
    make_environment(setup, THIS_PYTHON)
    setup.write_stamp({"state": "installing", "root": str(setup.ROOT)})
    assert setup.environment_fault() == "was left half installed"


def test_a_moved_environment_is_made_anew(setup: ModuleType) -> None:
    make_environment(setup, THIS_PYTHON)
    setup.write_stamp({"state": "ready", "root": "/elsewhere"})
    assert setup.environment_fault() == "was made in another folder"


def test_a_torn_stamp_counts_as_none(setup: ModuleType) -> None:
    make_environment(setup, THIS_PYTHON)
    setup.STAMP.write_text('{"state": "rea')
    assert setup.read_stamp() == {}


def test_what_is_installed_is_not_installed_again(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(setup, "pip", lambda *arguments: calls.append(arguments))
    make_environment(setup, "numpy==2.4.6")
    setup.ensure_packages(development=True)
    assert [call[1] for call in calls] == ["--require-hashes", "--no-deps"]
    setup.ensure_packages(development=True)
    setup.ensure_packages(development=False)  # the development file holds all that the other one does
    assert len(calls) == 2


def test_a_package_that_went_missing_is_installed_again(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(setup, "pip", lambda *arguments: calls.append(arguments))
    make_environment(setup, "numpy==2.4.6")
    setup.ensure_packages(development=False)
    setup.environment_python().write_text("#!/bin/sh\necho other==1\n")
    setup.ensure_packages(development=False)
    assert len(calls) == 4


def test_the_development_packages_come_on_top(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(setup, "pip", lambda *arguments: calls.append(arguments))
    make_environment(setup, "numpy==2.4.6")
    setup.ensure_packages(development=False)
    setup.ensure_packages(development=True)
    assert len(calls) == 4


def test_only_what_is_installed_decides(setup: ModuleType) -> None:
    before = setup.lock_digests()
    project = setup.ROOT / "pyproject.toml"
    project.write_text(project.read_text(encoding="utf-8").replace("line-length = 140", "line-length = 100"), encoding="utf-8")
    assert setup.lock_digests() == before
    project.write_text(project.read_text(encoding="utf-8").replace('version = "0.1.0"', 'version = "0.1.1"'), encoding="utf-8")
    assert setup.lock_digests()["requirements.txt"] != before["requirements.txt"]


def test_what_is_missing_is_named_by_its_debian_package(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(setup, "_loads", lambda soname: soname not in ("libEGL.so.1", "libxcb-cursor.so.0"))
    assert setup.missing_libraries(screen=False) == {"libEGL.so.1": "libegl1"}
    assert setup.missing_libraries(screen=True) == {"libEGL.so.1": "libegl1", "libxcb-cursor.so.0": "libxcb-cursor0"}


def test_without_rights_the_line_to_type_is_printed(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup, "missing_libraries", lambda screen: {"libEGL.so.1": "libegl1"})
    monkeypatch.setattr(setup, "may_install_packages", lambda: False)
    monkeypatch.setattr(setup.shutil, "which", lambda name: f"/usr/bin/{name}")
    setup.ensure_system_libraries(screen=False)
    assert "sudo apt-get update && sudo apt-get install -y libegl1" in capsys.readouterr().out


def test_the_closing_line_of_pytest_is_held_back(
    setup: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "ROOT", ROOT)
    import test as command

    code, closing = command.run_pytest(Path(sys.executable), ["-q", "-p", "no:cacheprovider", "tests/architecture/test_requirements.py"])
    assert code == 0
    assert "passed" in closing
    assert closing not in capsys.readouterr().out


def test_the_set_up_and_the_program_ask_for_the_same_system_libraries(setup: ModuleType) -> None:
    # Two lists, because the set-up runs before anything is installed and the program may run without the set-up's folder.
    from app import display

    assert setup.QT_LIBRARIES == display.LIBRARIES
    assert setup.SCREEN_LIBRARIES == display.SCREEN_LIBRARIES
