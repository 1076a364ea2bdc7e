"""Tests of windows in a loop of Qt's."""

from collections.abc import Generator

import pytest
import pytestqt.plugin


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep pytest-qt from turning Qt on while the loop stands, between a test and its fixtures: a timer due then runs in no loop."""
    if item.get_closest_marker("asyncio") is None:
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytestqt.plugin, "_process_events", lambda: None)
        return (yield)
