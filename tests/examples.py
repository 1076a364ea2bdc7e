"""How many examples a property is tried on, and which: those of the gate, or, with --soak, new ones and ten times as many.

The gate's follow from each test's own source alone, so its verdict is about the commit: the same on every machine, on one
worker or eight.
"""

import hypothesis
import pytest
from hypothesis import HealthCheck
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

_TIMES_IN_SOAK = 10
_SOAK_LIMIT_S = 1_800

hypothesis.settings.register_profile(
    "gate",
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,  # no verdict hangs on how busy the machine is, here and in the health check
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "explore", max_examples=100 * _TIMES_IN_SOAK, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)


def examples(count: int, *allowed: HealthCheck) -> hypothesis.settings:
    """`@examples(25)`: so many in the gate, and more with --soak; 100 where a test says nothing. `allowed`: health checks it may fail."""
    profile = hypothesis.settings.default
    assert profile is not None
    return hypothesis.settings(
        max_examples=count * profile.max_examples // 100, suppress_health_check=[*profile.suppress_health_check, *allowed]
    )


def is_exploring() -> bool:
    """Whether new examples are drawn."""
    return hypothesis.settings.get_current_profile_name() == "explore"


def _nothing_local() -> Constants:
    """Return no numbers and words.

    Hypothesis mixes those into its draws that it finds in our modules, in all that were imported so far: what is drawn
    would hang on which tests ran before in the same process.
    """
    return Constants()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile before any test module is imported."""
    hypothesis.settings.load_profile("explore" if config.getoption("--soak") else "gate")
    if not is_exploring():
        vars(providers)["_get_local_constants"] = _nothing_local


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a property that is tried on ten times as many examples the time for them."""
    if is_exploring():
        for item in items:
            if hypothesis.is_hypothesis_test(getattr(item, "obj", None)) and item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(_SOAK_LIMIT_S))
