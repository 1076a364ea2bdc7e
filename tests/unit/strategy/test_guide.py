"""What docs/strategies.md shows works as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

from core.model.market import BarSeries, Timeframe
from core.model.plugin import StrategyInfo
from core.strategy.api import Strategy
from core.strategy.loader import StrategyLoader
from core.strategy.requests import OrderTerms
from tests.backtests import backtest

GUIDE = (Path(__file__).parents[3] / "docs" / "strategies.md").read_text(encoding="utf-8")
FILES = {match[1]: match[0] for match in re.finditer(r"(?<=```python\n)# (\w+\.py)\n.*?(?=```)", GUIDE, re.DOTALL)}


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> StrategyLoader:
    folder = tmp_path_factory.mktemp("strategies")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return StrategyLoader([folder])


def own(loader: StrategyLoader) -> dict[str, StrategyInfo]:
    return {Path(info.path).name: info for info in loader.find_all().values() if not info.builtin}


def days(symbol: str, seed: int, count: int = 600) -> BarSeries:
    generator = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(generator.normal(0.0002, 0.015, count))), 2)
    opening = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(opening, close) + 0.2, np.minimum(opening, close) - 0.2
    # Monday to Friday, stamped at midnight in New York.
    at = np.arange(2 * count)
    start = (np.datetime64("2020-01-06T05:00", "ns").astype(np.int64) + at[at % 7 < 5][:count] * 86_400 * 10**9).astype(np.int64)
    return BarSeries.from_columns(symbol, Timeframe.parse("1d"), start, opening, high, low, close, np.full(count, 1e6))


def test_every_python_block_is_a_file() -> None:
    assert len(FILES) == GUIDE.count("```python")


def test_every_file_is_found_and_sound(loader: StrategyLoader) -> None:
    found = own(loader)
    assert {name: info.error for name, info in found.items()} == dict.fromkeys(FILES)
    assert found["my_strategy.py"].id == "my-strategy"
    assert [info.id for info in found.values() if info.id not in GUIDE] == []


@pytest.mark.parametrize("name", FILES)
def test_every_file_trades(loader: StrategyLoader, name: str) -> None:
    info = own(loader)[name]
    made: Strategy = loader.load(info)()
    series = [days(symbol, seed) for seed, symbol in enumerate(["SPY", "AAPL", "GOOG"][: info.symbols or 3])]
    ran = backtest(made, series, params=info.parse_params({}))
    assert len(ran.fills) > 4
    assert not ran.rejections
    assert all(order.request.note for order in ran.orders.values() if order.parent_id is None)


def test_the_errors_it_shows_are_the_ones_that_come(tmp_path: Path) -> None:
    said = [
        line
        for block in re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL)
        for line in block.splitlines()
        if line.startswith("my_strategy.py")
    ]
    head = "from core.strategy.api import BarStrategy, param\n"
    body = 'class A(BarStrategy):\n    id = "a"\n'
    sources = [
        head + body + "\n" * 8 + "    fast: int = param(1.5)\n",
        head + "\nimport core.engine\n",
        "\n" * 29 + "f(\n",
        head + body.replace('"a"', '"sma-cross"'),
    ]
    path = tmp_path / "my_strategy.py"
    for source, line in zip(sources, said, strict=False):
        path.write_text(source, encoding="utf-8")
        (info,) = own(StrategyLoader([tmp_path])).values()
        assert info.error == line


def rows(heading: str) -> list[str]:
    """Return the first column of the table under a heading."""
    section = GUIDE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = re.findall(r"^\| (.*?) \|", section, re.MULTILINE)
    return [name for cell in table for name in re.findall(r"`([\w-]+)", cell)]


def test_it_lists_every_term_of_an_order_and_every_built_in_strategy() -> None:
    assert set(rows("Orders")) == set(OrderTerms.__annotations__) | {"symbol", "note", "ref"}
    assert set(rows("Strategies that are built in")) == set(StrategyLoader([]).find_all())
