"""How every test of the tree runs: offscreen, in a home of its own, strict, and without the network."""

import gc
import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

# Before anything imports Qt. A person who wants to see the windows sets QT_QPA_PLATFORM.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
for _name in [name for name in os.environ if name.startswith(("WEAVER_", "APCA_", "ALPACA_"))]:
    del os.environ[_name]
# The person's own keys are out of reach: this keyring has nothing and keeps nothing.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"

pytest_plugins = (
    "pytester",
    "tests.examples",
    "tests.postgres",
    "tests.strictness.log_guard",
    "tests.strictness.network_guard",
    "tests.strictness.leak_guard",
)

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak` runs the long tests as well, and tries properties on new examples and more of them."""
    parser.addoption("--soak", action="store_true", default=False, help="run the tests marked soak as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the long tests unless they were asked for."""
    if config.getoption("--soak"):
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="long; runs with --soak"))


def pytest_collection_finish() -> None:
    """What was imported stays: no collection of garbage looks through half a million objects of it again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """As in the program, no thread of the store collects garbage of Qt's: what a test of a window leaves dies here, in this thread."""
    if "qapp" not in getattr(item, "fixturenames", ()):
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.enable()


@pytest.fixture(autouse=True)
def weaver_home(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of this test alone; the person's own is never touched. Made by whoever writes into it."""
    home = tmp_path_factory.getbasetemp() / "homes" / f"{abs(hash(request.node.nodeid)):x}"
    monkeypatch.setenv("WEAVER_HOME", str(home))
    return home


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """`shared_data("spy-1d-yahoo.csv")`: a real price file, or a skip where the checkout has none beside it."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.is_file():
            pytest.skip(f"the real price file {name} is not beside this checkout, in ../shared/data")
        return path

    return find
