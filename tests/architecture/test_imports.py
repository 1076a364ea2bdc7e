"""The layers hold, and the tool that says so sees each way of breaking them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, TreeCopy, contract, copy_tree, modules_of_core

LAYERS = "app composes, ui shows, core decides"
CORE_LAYERS = "packages of core are layered"
NO_QT = "core runs where Qt is not installed"
DOOR = "ui reaches the engine by its door"
STORE = "only app imports core.store"
SQL = "SQL only in core.store"
BROKERS = "only app imports core.brokers"
HTTP = "broker HTTP only in core.brokers"
PLUGIN = "a plug-in imports the strategy api and numpy"

# What is planted where, and the contract that must break.
PLANTS = [
    ("core/engine.py", "from ui import theme", LAYERS),
    ("core/model/market.py", "import app", LAYERS),
    ("ui/theme.py", "from app import config", LAYERS),
    ("core/model/money.py", "import PySide6.QtCore", NO_QT),
    ("core/views/__init__.py", "import qasync", NO_QT),
    ("core/strategy/api.py", "import qtawesome", NO_QT),
    ("ui/planted.py", "import core.runs", DOOR),
    ("ui/planted.py", "from core.store import memory", DOOR),
    ("ui/planted.py", "from core.ports import Clock", DOOR),
    ("ui/panels/__init__.py", "from core.backtest import simulator", DOOR),
    ("core/engine.py", "from core.store import memory", STORE),
    ("core/runs/__init__.py", "import core.store", STORE),
    ("core/data/__init__.py", "import sqlite3", SQL),
    ("core/runs/__init__.py", "import sqlalchemy", SQL),
    ("app/planted.py", "import alembic", SQL),
    ("core/engine.py", "from core.brokers.accounts import Accounts", BROKERS),
    ("core/trading/__init__.py", "import core.brokers.rest", BROKERS),
    ("ui/planted.py", "from core.brokers import api", BROKERS),
    ("ui/planted.py", "from core.brokers import api", DOOR),
    ("app/planted.py", "import httpx", HTTP),
    ("core/data/__init__.py", "import httpx", HTTP),
    ("core/trading/__init__.py", "from websockets.asyncio.client import connect", HTTP),
    ("core/brokers/__init__.py", "import core.store", CORE_LAYERS),
    ("core/brokers/__init__.py", "import sqlalchemy", SQL),
    ("core/strategy/plugins/sma_cross.py", "import core.brokers.api", PLUGIN),
    ("core/strategy/plugins/sma_cross.py", "from core.model.order import OrderSide", PLUGIN),
    ("core/strategy/plugins/sma_cross.py", "import core.engine", PLUGIN),
    ("core/strategy/plugins/sma_cross.py", "from core.strategy.indicators import sma", PLUGIN),
    ("core/backtest/__init__.py", "import core.trading", CORE_LAYERS),
    ("core/trading/__init__.py", "import core.backtest", CORE_LAYERS),
    ("core/store/__init__.py", "import core.views", CORE_LAYERS),
    ("core/model/money.py", "import core.events.envelope", CORE_LAYERS),
    ("core/matching/path.py", "import core.runs", CORE_LAYERS),
    ("core/clock/__init__.py", "import core.strategy.api", CORE_LAYERS),
    ("core/errors.py", "import core.settings", CORE_LAYERS),
    ("core/brand_new.py", "", CORE_LAYERS),
    # A type-checking import is an arrow too.
    ("core/model/money.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import core.runs", CORE_LAYERS),
]


def test_the_contracts_hold() -> None:
    done = TreeCopy(ROOT).lint_imports()
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("path", "text", "name"), PLANTS, ids=[f"{path}: {text.splitlines()[-1].strip() if text else 'new'}" for path, text, _ in PLANTS]
)
def test_a_forbidden_import_breaks_its_contract(tmp_path: Path, path: str, text: str, name: str) -> None:
    copy = copy_tree(tmp_path)
    copy.plant(path, text)
    done = copy.lint_imports()
    assert done.returncode != 0
    # Collapsed by the terminal's width, the name stands at the beginning of its line.
    assert f"{name} BROKEN" in " ".join(done.stdout.split()), done.stdout


def test_the_contracts_leave_no_package_out() -> None:
    core = modules_of_core()
    assert set(contract(STORE)["source_modules"]) == (core - {"core.store"}) | {"ui"}
    assert set(contract(SQL)["source_modules"]) == (core - {"core.store"}) | {"ui", "app"}
    assert set(contract(BROKERS)["source_modules"]) == (core - {"core.brokers"}) | {"ui"}
    assert set(contract(HTTP)["source_modules"]) == (core - {"core.brokers"}) | {"ui", "app"}
    allowed_to_ui = {"core.engine", "core.views", "core.events", "core.model", "core.settings", "core.errors"}
    assert set(contract(DOOR)["forbidden_modules"]) == core - allowed_to_ui
    folder = ROOT / "core" / "strategy"
    parts_of_strategy = {f"core.strategy.{path.stem}" for path in folder.glob("*.py")}
    parts_of_strategy |= {f"core.strategy.{path.parent.name}" for path in folder.glob("*/__init__.py")}
    hidden = parts_of_strategy - {"core.strategy.__init__", "core.strategy.api", "core.strategy.plugins"}
    assert set(contract(PLUGIN)["forbidden_modules"]) == (core - {"core.strategy"}) | hidden | {"app", "ui"}


WITHOUT_QT = """
import importlib, pkgutil, sys
for name in ("PySide6", "shiboken6", "qasync", "qtawesome", "qtpy"):
    sys.modules[name] = None  # importing it raises
import core
for module in pkgutil.walk_packages(core.__path__, "core."):
    importlib.import_module(module.name)
import app.cli
"""


def test_core_and_the_command_line_run_where_qt_is_not_installed() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_QT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
