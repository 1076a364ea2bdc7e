"""What indicators do with too little, with settings that make no sense and with columns that do not fit."""

import inspect
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidValue
from tests.unit.strategy.indicator_cases import FORMULAS, NAMES, call, columns_of, periods_of, settings_of, walk


@pytest.mark.parametrize("name", NAMES)
def test_a_history_that_is_too_short_gives_nan_throughout(name: str) -> None:
    periods = periods_of(name)
    for count in (0, 1, 30):
        found = call(name, walk(count), changed(name, periods, 10**12))
        assert found.shape == (count,)
        assert found.dtype == np.float64
        assert not periods or np.isnan(found).all()


@pytest.mark.parametrize(("name", "period"), [(name, period) for name in NAMES for period in periods_of(name)])
@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None, float("nan")])
def test_a_period_that_is_no_whole_number_above_zero_is_refused_by_its_name(name: str, period: str, value: object) -> None:
    settings = changed(name, [period], value)
    with pytest.raises(InvalidValue, match=f"(?i)^{period} "):
        call(name, walk(30), settings)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("regression")])
def test_a_line_needs_two_bars(name: str) -> None:
    with pytest.raises(InvalidValue, match="at least 2"):
        call(name, walk(30), [1])


@pytest.mark.parametrize("name", NAMES)
def test_columns_of_different_lengths_are_refused(name: str) -> None:
    columns = columns_of(name)
    for shorter in columns if len(columns) > 1 else []:
        bars = walk(30)
        bars[shorter] = bars[shorter][:-1]
        with pytest.raises(InvalidValue, match="equally long"):
            call(name, bars)
    with pytest.raises(InvalidValue, match="one value per bar"):
        call(name, {column: np.ones((3, 2)) for column in walk(1)})


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_never_written_to_and_may_be_read_only_views_of_whole_numbers(name: str) -> None:
    bars = walk(200)
    expected = call(name, {column: np.floor(values) for column, values in bars.items()})
    odd = {}
    for column, values in bars.items():
        odd[column] = np.repeat(np.floor(values).astype(np.int64), 2)[::2]
        odd[column].flags.writeable = False
    np.testing.assert_array_equal(call(name, odd), expected)  # type: ignore[arg-type]


def changed(name: str, settings: list[str], value: Any) -> list[Any]:
    """Return the indicator's settings, some of them changed; 5 where it has no default."""
    defaults = {item.name: item.default for item in inspect.signature(FORMULAS[name]).parameters.values()}
    given = {setting: 5 if defaults[setting] is inspect.Parameter.empty else defaults[setting] for setting in settings_of(name)}
    return list({**given, **dict.fromkeys(settings, value)}.values())
