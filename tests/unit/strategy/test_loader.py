"""The plug-in loader, on real files."""

import os
import sys
from pathlib import Path

import pytest

from core.errors import StrategyBroken
from core.model.plugin import ParamKind, ParamSpec, StrategyInfo
from core.strategy.api import BarStrategy
from core.strategy.loader import BUILTIN_FOLDER, LARGEST_SOURCE_BYTES, StrategyLoader
from core.strategy.plugin_module import source_sha256

GOOD = '''
"""A module."""
from core.strategy.api import BarStrategy, param


class Mine(BarStrategy):
    """Does nothing.

    Never trades.
    """

    id = "mine"
    version = "3"
    symbols = 2

    fast: int = param(10, minimum=1, maximum=50, help="Bars.")
    share: float = param(1, minimum=0)
    loud: bool = param(False)
    how: str = param("a", choices=("a", "b"))
    low: int = param(default=-5, minimum=-10)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def users(folder: Path) -> dict[str, StrategyInfo]:
    return {key: info for key, info in StrategyLoader([folder]).find_all().items() if not info.builtin}


def only(folder: Path) -> StrategyInfo:
    (info,) = users(folder).values()
    return info


def strategy(body: str, *, imports: str = "from core.strategy.api import BarStrategy, param", base: str = "BarStrategy") -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return f"{imports}\n\n\nclass Mine({base}):\n{lines}\n"


def test_a_plug_in_is_read_without_being_run(folder: Path) -> None:
    write(folder, "mine.py", GOOD + "\nraise SystemExit('was run')\n")
    info = only(folder)
    assert (info.id, info.name, info.version, info.symbols, info.class_name) == ("mine", "Does nothing", "3", 2, "Mine")
    assert info.description == "Does nothing.\n\nNever trades."
    assert info.error is None
    assert not info.builtin
    assert info.params == (
        ParamSpec(name="fast", kind=ParamKind.INT, default=10, minimum=1, maximum=50, help="Bars."),
        ParamSpec(name="share", kind=ParamKind.FLOAT, default=1.0, minimum=0),
        ParamSpec(name="loud", kind=ParamKind.BOOL, default=False),
        ParamSpec(name="how", kind=ParamKind.TEXT, default="a", choices=("a", "b")),
        ParamSpec(name="low", kind=ParamKind.INT, default=-5, minimum=-10),
    )


@pytest.mark.parametrize(
    ("imports", "base"),
    [
        ("from core.strategy.api import BarStrategy as Base, param as p", "Base"),
        ("from core.strategy.api import Strategy, param as p", "Strategy"),
        ("import core.strategy.api\np = core.strategy.api.param", "core.strategy.api.BarStrategy"),
        ("import core.strategy.api as api", "api.Strategy"),
        ("from core.strategy import api", "api.BarStrategy"),
        ("from core.strategy.api import *", "BarStrategy"),
        ("import numpy as np\nimport numpy.linalg\nimport math, os.path\nfrom core.strategy.api import BarStrategy", "BarStrategy"),
    ],
)
def test_any_way_to_import_the_base_is_understood(folder: Path, imports: str, base: str) -> None:
    write(folder, "mine.py", strategy('id = "mine"', imports=imports, base=base))
    info = only(folder)
    assert (info.id, info.error) == ("mine", None)
    assert StrategyLoader([]).load(info).id == "mine"


def test_param_is_known_by_its_alias_and_its_module(folder: Path) -> None:
    write(folder, "a.py", strategy('id = "a"\nn: int = p(1)', imports="from core.strategy.api import BarStrategy, param as p"))
    write(folder, "b.py", strategy('id = "b"\nn: "int" = api.param(2)', imports="import core.strategy.api as api", base="api.BarStrategy"))
    write(folder, "c.py", strategy('id = "c"\nn: int = param(3)', imports="from core.strategy.api import *"))
    assert [info.params[0].default for info in users(folder).values()] == [1, 2, 3]


def test_a_name_attribute_beats_the_docstring_and_an_id_stands_in_for_both(folder: Path) -> None:
    write(folder, "a.py", strategy('"""Said."""\nid = "a"\nname = "Called"'))
    write(folder, "b.py", strategy('id = "b"'))
    assert [info.name for info in users(folder).values()] == ["Called", "b"]


def test_a_description_is_a_line_for_each_paragraph_and_lists_stay(folder: Path) -> None:
    write(folder, "a.py", strategy('"""A.\n\nOne\ntwo\nthree.\n\n- four\n- five\n"""\nid = "a"'))
    assert only(folder).description == "A.\n\nOne two three.\n\n- four\n- five"


def test_classes_of_one_file_may_share_a_base_and_its_parameters(folder: Path) -> None:
    text = strategy("n: int = param(1)\nm: int = param(2)\nsymbols = 2")
    text += '\n\nclass A(Mine):\n    id = "a"\n\n\nclass B(Mine):\n    id = "b"\n    n: int = param(7)\n    m = 5\n'
    write(folder, "both.py", text)
    found = users(folder)
    assert {key: (info.symbols, [(spec.name, spec.default) for spec in info.params]) for key, info in found.items()} == {
        "a": (2, [("n", 1), ("m", 2)]),
        "b": (2, [("n", 7)]),
    }
    loader = StrategyLoader([folder])
    assert [loader.load(info).__name__ for info in found.values()] == ["A", "B"]


BROKEN = [
    ("def f(:\n", "line 1", "not valid Python"),
    ("x = 1\n\x00", "", "not valid Python"),
    (b"x = 1\n# caf\xe9\n", "line 2", "not UTF-8"),
    ("", "", "no class that derives from BarStrategy or Strategy"),
    ("class Mine:\n    id = 'x'\n", "", "no class that derives"),
    (strategy("pass"), "line 4", "has no id"),
    (strategy('id = "a b"'), "line 4", "letters, digits"),
    (strategy('id = "mi" + "ne"'), "line 5", "plain value"),
    (strategy("id = 3"), "line 5", "must be text"),
    (strategy('id = "a"\nversion = 1.0'), "line 6", "version must be text"),
    (strategy('id = "a"\nsymbols = -1'), "line 6", "symbols must be a whole number"),
    (strategy('id = "a"\nsymbols = True'), "line 6", "symbols must be a whole number"),
    (strategy('id = "a"\nn: int = param(LIMIT)'), "line 6", "default of parameter n must be written as a plain value"),
    (strategy('id = "a"\nn: int = param(10, minimum=2 * 3)'), "line 6", "minimum of parameter n must be written as a plain value"),
    (strategy('id = "a"\nn: int = param()'), "line 6", "has no default"),
    (strategy('id = "a"\nn: int = param(1, 2)'), "line 6", "only the default goes without a name"),
    (strategy('id = "a"\nn: int = param(1, step=2)'), "line 6", "cannot take step"),
    (strategy('id = "a"\nn: int = param(1, **{})'), "line 6", "cannot take **"),
    (strategy('id = "a"\nn = param(1)'), "line 6", "needs its type"),
    (strategy('id = "a"\nn: list = param(1)'), "line 6", "needs its type"),
    (strategy('id = "a"\nn: list[int] = param(1)'), "line 6", "needs its type"),
    (strategy('id = "a"\nn: int = param(1.5)'), "line 6", "is int, but its default is 1.5"),
    (strategy('id = "a"\nn: int = param(True)'), "line 6", "is int, but its default is True"),
    (strategy('id = "a"\nn: bool = param(1)'), "line 6", "is bool, but its default is 1"),
    (strategy('id = "a"\nn: float = param("1")'), "line 6", "is float, but its default is '1'"),
    (strategy('id = "a"\nn: float = param(1e999)'), "line 6", "finite"),
    (strategy(f'id = "a"\nn: int = param({10**400})'), "line 6", "default of parameter n is too large a number"),
    (strategy(f'id = "a"\nn: str = param(0x{"f" * 9_000})'), "line 6", "default of parameter n is too large a number"),
    (strategy('id = "a"\nn: int = param(1, maximum=1e999)'), "line 6", "maximum of parameter n must be a finite number"),
    (strategy(f'id = "a"\nn: int = param(1, minimum=-{10**400})'), "line 6", "minimum of parameter n is too large a number"),
    (strategy('id = "a"\nn: str = param("\\ud800")'), "", "half a character"),
    (strategy('"""\\udfff"""\nid = "a"'), "", "half a character"),
    (strategy('id = "a"\nn: int = param(1, minimum=2)'), "line 6", "at least 2"),
    (strategy('id = "a"\nn: int = param(9, maximum=2)'), "line 6", "at most 2"),
    (strategy('id = "a"\nn: int = param(1, minimum=3, maximum=2)'), "line 6", "minimum of 3 above its maximum of 2"),
    (strategy('id = "a"\nn: int = param(1, minimum="0")'), "line 6", "minimum of parameter n must be a finite number"),
    (strategy('id = "a"\nn: str = param("1", minimum=0)'), "line 6", "is not a number and has no minimum"),
    (strategy('id = "a"\nn: str = param("c", choices=("a", "b"))'), "line 6", "one of a, b"),
    (strategy('id = "a"\nn: int = param(1, choices=("a",))'), "line 6", "only a str has choices"),
    (strategy('id = "a"\nn: str = param("a", choices="ab")'), "line 6", "choices of parameter n must be texts"),
    (strategy('id = "a"\nn: str = param("a", help=3)'), "line 6", "help of parameter n must be text"),
    (strategy('id = "a"\nclose: float = param(1.0)'), "line 6", "cannot be named close"),
    (strategy('id = "a"\n_n: int = param(1)'), "line 6", "cannot be named _n"),
    (strategy('id = "a"', imports="from core.strategy.api import BarStrategy\nimport core.engine"), "line 2", "imports core.engine"),
    (strategy('id = "a"', imports="from core.strategy.api import BarStrategy\nfrom core import engine"), "line 2", "imports core.engine"),
    (strategy('id = "a"', imports="from core.strategy.api import BarStrategy\nfrom core.strategy import windows"), "line 2", "windows"),
    (strategy('id = "a"', imports="from core.strategy.api import BarStrategy\nimport ui"), "line 2", "imports ui"),
    (strategy('id = "a"', imports="from core.strategy.api import BarStrategy\nfrom . import other"), "line 2", "one file"),
    (strategy('id = "a"\ndef setup(self):\n    import app.main'), "line 7", "imports app.main"),
    (strategy('id = "a"') + '\n\nclass Other(BarStrategy):\n    id = "a"\n', "line 8", "has the id 'a' of the class in line 4"),
]


@pytest.mark.parametrize(("text", "line", "sentence"), BROKEN)
def test_a_broken_file_is_listed_with_its_error_and_line(folder: Path, text: str | bytes, line: str, sentence: str) -> None:
    write(folder, "my_file.py", text)
    info = only(folder)
    assert info.id == "my-file"
    assert info.error is not None
    assert info.error.startswith(f"my_file.py, {line}: " if line else "my_file.py: ")
    assert sentence in info.error
    with pytest.raises(StrategyBroken, match="my_file"):
        StrategyLoader([folder]).load(info)


def test_a_broken_file_leaves_the_others_alone(folder: Path) -> None:
    write(folder, "broken.py", "(")
    write(folder, "mine.py", GOOD)
    found = StrategyLoader([folder]).find_all()
    assert [key for key, info in found.items() if info.error is None] == [*StrategyLoader([]).find_all(), "mine"]
    assert list(found)[-1] == "broken"


@pytest.mark.parametrize("text", ["x = " + "(" * 5_000 + ")" * 5_000, "class Mine(a" + ".b" * 1_500 + "):\n    id = 'a'\n"])
def test_deeply_nested_source_is_an_error_and_not_a_crash(folder: Path, text: str) -> None:
    write(folder, "deep.py", text)
    assert only(folder).error


def test_a_users_file_does_not_replace_a_built_in_one(folder: Path) -> None:
    write(folder, "sma_cross.py", strategy('id = "sma-cross"'))
    found = StrategyLoader([folder]).find_all()
    assert found["sma-cross"].builtin
    assert found["sma-cross"].error is None
    assert "built-in" in str(found["sma-cross-2"].error)
    assert "sma_cross.py" in str(found["sma-cross-2"].error)


def test_of_two_user_files_with_one_id_the_first_stays(folder: Path) -> None:
    first = write(folder, "a.py", strategy('id = "same"'))
    write(folder, "b.py", strategy('id = "same"'))
    found = users(folder)
    assert (found["same"].error, found["same"].path) == (None, str(first))
    assert str(first) in str(found["b"].error)


def test_a_broken_file_takes_no_id_of_a_sound_one(folder: Path) -> None:
    write(folder, "a_b.py", "(")
    write(folder, "z.py", strategy('id = "a-b"'))
    found = users(folder)
    assert found["a-b"].error is None
    assert found["a-b-2"].error is not None


def test_what_is_not_a_plug_in_is_passed_over(folder: Path) -> None:
    for name in ("__init__.py", "_draft.py", ".hidden.py", "notes.txt", "mine.pyc"):
        write(folder, name, "(")
    (folder / "package").mkdir()
    if sys.platform != "win32":
        (folder / "link.py").symlink_to(folder / "nowhere")
    assert users(folder) == {}


def test_a_folder_named_like_a_plug_in_and_an_enormous_file_are_named(folder: Path) -> None:
    (folder / "folder.py").mkdir()
    write(folder, "large.py", b"#" * (LARGEST_SOURCE_BYTES + 1))
    if sys.platform != "win32":
        os.mkfifo(folder / "pipe.py")
    found = users(folder)
    assert all("not a regular file" in str(info.error) for key, info in found.items() if key != "large")
    assert "folder" in found
    assert "1,000,001 bytes" in str(found["large"].error)


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="here a file's name is always Unicode")
def test_a_name_that_is_not_unicode_is_shown_as_far_as_it_goes(folder: Path) -> None:
    write(folder, os.fsdecode(b"caf\xe9.py"), GOOD)
    info = only(folder)
    assert info.error == "caf?.py: its name is not UTF-8; rename the file."
    assert info.path.encode()


def test_a_missing_folder_is_empty_and_a_file_in_its_place_is_named(folder: Path) -> None:
    in_its_place = write(folder, "strategies", "")
    loader = StrategyLoader([folder / "missing", in_its_place])
    assert all(info.builtin for info in loader.find_all().values())
    assert list(loader.unreadable) == [in_its_place]


def test_a_folder_named_twice_is_read_once(folder: Path) -> None:
    write(folder, "mine.py", GOOD)
    found = StrategyLoader([folder, BUILTIN_FOLDER, folder]).find_all()
    assert all(info.error is None for info in found.values())


def test_an_edited_file_is_read_again_and_an_unchanged_one_is_not(folder: Path) -> None:
    path = write(folder, "mine.py", GOOD)
    loader = StrategyLoader([folder])
    first = loader.find_all()["mine"]
    assert loader.find_all()["mine"] is first
    path.write_text(GOOD.replace('"3"', '"4"'))
    os.utime(path, ns=(1, 1))
    assert loader.find_all()["mine"].version == "4"
    path.unlink()
    assert "mine" not in loader.find_all()


def test_the_class_that_is_loaded_is_the_one_that_was_found(folder: Path) -> None:
    write(folder, "mine.py", GOOD)
    info = only(folder)
    loaded = StrategyLoader([folder]).load(info)
    assert issubclass(loaded, BarStrategy)
    assert (loaded.id, loaded.fast, loaded().how) == ("mine", 10, "a")  # type: ignore[attr-defined]
    assert source_sha256(loaded) == info.sha256
    assert not list(folder.glob("__pycache__"))


def test_an_edit_is_loaded_at_once_and_the_old_version_lives_on(folder: Path) -> None:
    text = strategy('id = "mine"\ndef setup(self):\n    return WORD', imports="from core.strategy.api import BarStrategy\nWORD = 'old'")
    path = write(folder, "mine.py", text)
    loader = StrategyLoader([folder])
    info = only(folder)
    old = loader.load(info)
    stamp = path.stat().st_mtime_ns
    # The same size and time of change, as two edits within one tick of the file system's clock have.
    path.write_text(text.replace("old", "new"))
    os.utime(path, ns=(stamp, stamp))
    new = loader.load(info)
    assert (old().setup(), new().setup()) == ("old", "new")  # type: ignore[attr-defined]
    assert source_sha256(old) == info.sha256 != source_sha256(new)


def test_each_load_has_globals_of_its_own(folder: Path) -> None:
    write(folder, "mine.py", strategy('id = "mine"\ndef setup(self):\n    SEEN.append(1)\n    return len(SEEN)') + "\nSEEN = []\n")
    loader, info = StrategyLoader([folder]), only(folder)
    first, second = loader.load(info), loader.load(info)
    assert first().setup() == 1  # type: ignore[attr-defined]
    assert second().setup() == 1  # type: ignore[attr-defined]
    assert sum(name.startswith("weaver_plugin_") and name.endswith(info.sha256) for name in sys.modules) == 1


def test_a_default_is_kept_as_it_is_written(folder: Path) -> None:
    write(folder, "mine.py", strategy('id = "mine"\nn: int = param(9007199254740993)\nt: str = param(" padded ")\nf: float = param(1)'))
    info = only(folder)
    assert [spec.default for spec in info.params] == [9007199254740993, " padded ", 1.0]
    StrategyLoader([folder]).load(info)


def test_a_file_may_define_dataclasses(folder: Path) -> None:
    text = strategy('id = "mine"\ndef setup(self):\n    return State(2).n', imports="from __future__ import annotations")
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom core.strategy.api import BarStrategy\n"
    head += "\n@dataclass\nclass State:\n    n: int\n"
    write(folder, "mine.py", text.replace("from __future__ import annotations", head))
    assert StrategyLoader([folder]).load(only(folder))().setup() == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("raise ValueError('no luck')", "ValueError: no luck"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise BaseException", "BaseException."),
        ("import a_module_that_nobody_has", "ModuleNotFoundError"),
        ("from core.strategy.api import Bra", "ImportError"),
        ("raise GeneratorExit", "GeneratorExit"),
    ],
)
def test_a_failure_at_import_names_file_and_line(folder: Path, line: str, said: str) -> None:
    write(folder, "mine.py", strategy('id = "mine"') + line + "\n")
    info = only(folder)
    before = set(sys.modules)
    with pytest.raises(StrategyBroken) as caught:
        StrategyLoader([folder]).load(info)
    assert caught.value.what.startswith("mine.py, line 6: it cannot be imported: ")
    assert said in caught.value.what
    assert caught.value.todo
    assert not {name for name in set(sys.modules) - before if name.startswith("weaver_plugin_")}


def test_the_line_is_that_of_the_plug_in_when_a_library_raises(folder: Path) -> None:
    write(folder, "mine.py", "import json\n" + strategy('id = "mine"') + "json.loads('{')\n")
    with pytest.raises(StrategyBroken, match=r"^mine\.py, line 7: .*JSONDecodeError"):
        StrategyLoader([folder]).load(only(folder))


def test_a_keyboard_interrupt_goes_through(folder: Path) -> None:
    write(folder, "mine.py", strategy('id = "mine"') + "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        StrategyLoader([folder]).load(only(folder))


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ("Mine = 3", "is not a strategy class"),
        ("Mine.id = 'other'", "id of Mine is 'mine' in its source but 'other'"),
        ("Mine.symbols = 3", "symbols of Mine is 1 in its source but 3"),
        ("Mine.n = 2", "parameter n of Mine was changed"),
    ],
)
def test_a_class_that_is_not_what_it_declared_is_refused(folder: Path, after: str, said: str) -> None:
    write(folder, "mine.py", strategy('id = "mine"\nn: int = param(1)') + after + "\n")
    with pytest.raises(StrategyBroken, match=said):
        StrategyLoader([folder]).load(only(folder))


def test_a_file_that_went_away_or_changed_its_id_is_told(folder: Path) -> None:
    path = write(folder, "mine.py", GOOD)
    loader, info = StrategyLoader([folder]), only(folder)
    path.write_text(GOOD.replace('"mine"', '"yours"'))
    with pytest.raises(StrategyBroken, match="no longer has the strategy mine"):
        loader.load(info)
    path.write_text("(")
    with pytest.raises(StrategyBroken, match="not valid Python"):
        loader.load(info)
    path.unlink()
    with pytest.raises(StrategyBroken, match="cannot be read"):
        loader.load(info)


def test_an_invalid_escape_does_not_warn_while_files_are_listed(folder: Path, recwarn: pytest.WarningsRecorder) -> None:
    write(folder, "mine.py", strategy('id = "mine"\ntext = "\\d"'))
    assert only(folder).error is None
    assert not recwarn.list


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="here everything can be read")
def test_a_file_without_permission_is_named(folder: Path) -> None:
    write(folder, "mine.py", GOOD).chmod(0)
    assert "cannot be read" in str(only(folder).error)
