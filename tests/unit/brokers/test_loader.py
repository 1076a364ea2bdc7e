"""Adapters are found without being run, and a broken one stops nothing."""

import re
from pathlib import Path

import pytest

from core.brokers.api import Adapter
from core.brokers.loader import AdapterLoader
from core.errors import AdapterBroken, UnknownName
from core.model.broker import AccountName, Features, OrderClass
from core.model.order import OrderType, TimeInForce

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "adapters.md").read_text(encoding="utf-8")
HEAD = "from core.brokers.api import Adapter, Broker, Link\n\n\n"
SOUND = (
    HEAD
    + '''class Mine(Adapter):
    """Mine."""

    id = "mine"
    accounts = ("paper",)
    assets = ("equity",)

    def connect(self, link: Link) -> Broker:
        raise SystemExit
'''
)


def written(folder: Path, name: str, text: str) -> AdapterLoader:
    (folder / name).write_text(text)
    return AdapterLoader((folder,))


def test_the_built_in_one_is_found_with_its_features() -> None:
    found = AdapterLoader(()).find_all()
    assert list(found) == ["alpaca"]
    features = found["alpaca"].features
    assert features.accounts == tuple(AccountName)
    assert features.order_types == tuple(OrderType)
    assert features.order_classes == tuple(OrderClass)
    assert set(features.times_in_force) == set(TimeInForce) - {TimeInForce.GTD}
    assert (features.fractional, features.notional, features.extended_hours, features.streaming) == (True, True, True, True)
    assert found["alpaca"].builtin
    info, adapter = AdapterLoader(()).load("alpaca")
    assert isinstance(adapter, Adapter)
    assert info.class_name == type(adapter).__name__


def test_ones_own_is_found_without_being_run_and_loaded_when_it_is_asked_for(tmp_path: Path) -> None:
    loader = written(tmp_path, "mine.py", SOUND + '\n(__import__("pathlib").Path(__file__).parent / "ran").touch()\n')
    assert loader.find_all()["mine"].features == Features(accounts=(AccountName.PAPER,), assets=("equity",))  # type: ignore[arg-type]
    assert not (tmp_path / "ran").exists()
    info, adapter = loader.load("mine")
    assert (info.id, type(adapter).__name__) == ("mine", "Mine")
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class X(:", "line 1: it is not valid Python"),
        ("x = 1", "it has no class that derives from Adapter"),
        (HEAD + "class X(Adapter):\n    pass", "class X has no id"),
        (HEAD + "class X(Adapter):\n    id = ''", "id must be text"),
        (HEAD + "class X(Adapter):\n    id = 'a' + 'b'", "id must be written as a plain value"),
        (HEAD + "class X(Adapter):\n    id = 'a'\n    assets = ('equities',)", "the words are equity, crypto, currency."),
        (
            HEAD + "class X(Adapter):\n    id = 'a'\n    assets = 'equity'",
            "assets: Expected `array`, got `str`; write it with a comma, like ('equity',).",
        ),
        (HEAD + "class X(Adapter):\n    id = 'a'\n    asset = ('equity',)", "line 6: an adapter has no asset; did you mean assets?"),
        (HEAD + "class X(Adapter):\n    id = 'a'\n    fractional = 'yes'", "Expected `bool`, got `str`"),
        (HEAD + "class X(Adapter):\n    id = 'alpaca'", "stays in use"),
        ("\0", "it is not valid Python"),
        (HEAD + "class X(Adapter):\n    id = 'sim'", "is that of a market inside the program"),
        (HEAD + "class X(Adapter):\n    id = '../keys'", "id must be letters, digits"),
        ("x = " + "-" * 100_000 + "1", ""),
        ("(" * 5_000, "it is not valid Python"),
    ],
)
def test_a_broken_file_is_listed_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    loader = written(tmp_path, "broken.py", text)
    found = loader.find_all()
    assert list(found) == ["alpaca", "broken"]
    assert said in (found["broken"].error or "")
    with pytest.raises(AdapterBroken):
        loader.load("broken")
    loader.load("alpaca")


@pytest.mark.parametrize(
    "text",
    [SOUND + "\nraise SystemExit(3)\n", SOUND + "\nimport no_such_library\n", SOUND + "\nMine = int\n", SOUND.replace("connect", "conect")],
)
def test_a_file_that_fails_when_it_is_run_ends_its_own_load(tmp_path: Path, text: str) -> None:
    loader = written(tmp_path, "mine.py", text)
    assert loader.find_all()["mine"].error is None
    with pytest.raises(AdapterBroken, match=r"mine\.py"):
        loader.load("mine")


def test_a_file_that_is_gone_is_an_unknown_name(tmp_path: Path) -> None:
    loader = written(tmp_path, "mine.py", SOUND)
    (tmp_path / "mine.py").unlink()
    with pytest.raises(UnknownName):
        loader.load("mine")


def test_a_folder_is_an_adapter_too_and_all_of_it_is_read_anew(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (tmp_path / "empty").mkdir()
    folder.mkdir()
    (folder / "words.py").write_text("NAME = 'one'\n")
    loader = written(folder, "__init__.py", SOUND.replace("\n\nclass", "\nfrom .words import NAME\n\n\nclass", 1) + "\n    said = NAME\n")
    loader = AdapterLoader((tmp_path,))
    assert list(loader.find_all()) == ["alpaca", "mine"]
    assert getattr(loader.load("mine")[1], "said") == "one"  # noqa: B009
    (folder / "words.py").write_text("NAME = 'another'\n")
    assert getattr(loader.load("mine")[1], "said") == "another"  # noqa: B009
    (folder / "words.py").write_text("NAME = no\n")
    with pytest.raises(AdapterBroken, match=r"mine cannot be imported: NameError: name 'no' is not defined \(words\.py, line 1\)\."):
        loader.load("mine")
    (folder / "__init__.py").write_text("class X(:")
    assert (loader.find_all()["mine"].error or "").startswith("mine: line 1: it is not valid Python")


def test_what_cannot_be_read_is_listed(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "nothing")
    found = AdapterLoader((tmp_path, tmp_path / "missing")).find_all()
    assert [info.id for info in found.values() if info.error] == ["folder", "nowhere"]


def test_the_documents_example_is_an_adapter(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    info, adapter = written(tmp_path, "my_broker.py", example).load("my-broker")
    assert (info.name, info.features.accounts) == ("My Broker", (AccountName.PAPER,))
    assert isinstance(adapter, Adapter)


def test_the_document_lists_every_feature() -> None:
    described = set(re.findall(r"`([a-z_]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", DOCUMENT, re.MULTILINE))))
    assert set(Features.__struct_fields__) <= described
