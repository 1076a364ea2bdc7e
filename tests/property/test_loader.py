"""Whatever a file in the folder holds, the loader lists it."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.strategy.loader import BUILTIN_FOLDER, StrategyLoader

SOURCES = [path.read_bytes() for path in sorted(BUILTIN_FOLDER.glob("[a-z]*.py"))]
TOKENS = [
    b"(",
    b")",
    b"\n",
    b"    ",
    b"param(",
    b"=",
    b"1e999",
    b"-",
    b"'",
    b'"""',
    b"\\",
    b"\x00",
    b"\xff",
    b"import core.engine\n",
    b"*",
    b"None",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("strategies")


@given(
    source=st.sampled_from(SOURCES),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(TOKENS) | st.binary(max_size=4)), max_size=4),
)
def test_a_damaged_file_is_listed_and_stops_nothing(folder: Path, source: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    for place, cut, put in edits:
        at = int(place * len(source))
        source = source[:at] + put + source[at + cut :]
    (folder / "damaged.py").write_bytes(source)
    found = StrategyLoader([folder]).find_all()
    assert len(found) == len(SOURCES) + 1
    (info,) = (info for info in found.values() if not info.builtin)
    # A sound one has become a strategy of its own; one that still has a built-in id is refused.
    assert info.error is None or "damaged.py" in info.error
    assert msgspec.json.decode(msgspec.json.encode(info.json_schema()))
