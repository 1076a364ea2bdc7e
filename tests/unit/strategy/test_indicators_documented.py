"""docs/indicators.md says of every indicator what it takes, where it starts and whether it forgets."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from core.model.market import BarSeries, Timeframe
from core.strategy import api
from core.strategy.loader import StrategyLoader
from tests.backtests import backtest
from tests.unit.strategy.indicator_cases import FORMULAS, NAMES, call, settings_of, walk

PAGE = (Path(__file__).parents[3] / "docs" / "indicators.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)(\(.*?\))`( ∞)? \| (.+) \| (.+?) \| (price|own) \| (.*?) ?\|$", PAGE, re.MULTILINE)
STARTS = {name: first for name, _, _, _, first, _, _ in ROWS}
ENDLESS = {name for name, _, endless, *_ in ROWS if endless}
SOURCES = {int(number) for number in re.findall(r"^(\d+)\. ", PAGE, re.MULTILINE)}


def test_every_indicator_has_one_row_and_every_row_is_one() -> None:
    assert sorted(name for name, *_ in ROWS) == NAMES
    assert PAGE.count("\n| `") == len(ROWS)


@pytest.mark.parametrize(("name", "signature"), [(name, signature) for name, signature, *_ in ROWS])
def test_its_signature_is_the_one_documented(name: str, signature: str) -> None:
    found = inspect.signature(FORMULAS[name]).parameters.values()
    names = [item.name if item.default is item.empty else f"{item.name}={item.default!r}" for item in found]
    assert signature == f"({', '.join(names)})"


@pytest.mark.parametrize("name", NAMES)
def test_its_first_value_is_where_it_says(name: str) -> None:
    given = [4, 7, 5] if name.startswith("macd") else [6, 2.0, 9] if name.startswith("keltner") else [6, 3, 4]
    chosen = dict(zip(settings_of(name), given, strict=False))
    largest = max((value for setting, value in chosen.items() if setting != "signal"), default=0)
    rule = re.sub(r"(\d?)\*n\*", lambda match: f"{match[1] or 1}*n", STARTS[name]).replace("−", "-").replace("larger period", "largest")
    found = call(name, walk(60), list(chosen.values()))
    assert int(np.argmax(~np.isnan(found))) == eval(rule, {}, {"n": chosen.get("period"), "largest": largest, **chosen})
    assert not np.isnan(found[-1])


@pytest.mark.parametrize("name", NAMES)
def test_it_forgets_a_nan_unless_it_says_that_it_does_not(name: str) -> None:
    bars = walk(400)
    for column in bars:
        if column != "session":
            bars[column][100] = np.nan
    found = call(name, bars)
    assert np.isnan(found[100])
    assert np.isnan(found[101:]).all() == (name in ENDLESS)
    assert np.isnan(found[-1]) == (name in ENDLESS)


def test_every_source_is_told_and_used() -> None:
    used = {int(number) for *_, source in ROWS for number in re.findall(r"(?:^|; )(\d+)", source)}
    assert used == SOURCES


def test_a_strategy_gets_all_of_them_from_the_api() -> None:
    assert {name for name in NAMES if getattr(api, name, None) is FORMULAS[name]} == set(NAMES) <= set(api.__all__)


def test_the_strategy_it_shows_trades(tmp_path: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "squeeze.py").write_text(source, encoding="utf-8")
    loader = StrategyLoader([tmp_path])
    (info,) = (info for info in loader.find_all().values() if not info.builtin)
    assert (info.id, info.error) == ("squeeze-example", None)
    bars, minute = walk(3_000), Timeframe.parse("1m")
    start = np.datetime64("2024-01-02T00:00", "ns").astype(np.int64) + np.arange(3_000) * minute.ns
    series = BarSeries.from_columns("BTC/USD", minute, start, *(bars[name] for name in ("close", "high", "low", "close", "volume")))
    ran = backtest(loader.load(info)(), [series], params=info.parse_params({}))
    assert len(ran.fills) > 4
