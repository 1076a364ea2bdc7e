"""A WARNING or worse in the log that nobody expected fails the test."""

import logging
from collections.abc import Callable, Iterator

import pytest

AllowLog = Callable[[str], None]


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []
        self.allowed: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def unexpected(self) -> list[str]:
        """The records that no allowance fits, as lines."""
        lines = [f"{item.levelname} {item.name}: {item.getMessage()}  ({item.pathname}:{item.lineno})" for item in self.records]
        return [line for line in lines if not any(part in line for part in self.allowed)]


@pytest.fixture(autouse=True)
def log_guard(request: pytest.FixtureRequest) -> Iterator[_Collector]:
    """Collect what is logged. A test that asks for `caplog` looks at the log itself."""
    collector = _Collector()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.addHandler(collector)
    yield collector
    root.removeHandler(collector)
    # A test of the program's own logging must not speak into the next test.
    for handler in [item for item in root.handlers if item not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    unexpected = collector.unexpected()
    if unexpected and "caplog" not in request.fixturenames:
        pytest.fail("Unexpected in the log:\n  " + "\n  ".join(unexpected), pytrace=False)


@pytest.fixture
def allow_log(log_guard: _Collector) -> AllowLog:
    """`allow_log("part of the line")` expects such warnings in this test: `LEVEL logger: message  (path:line)`."""
    return log_guard.allowed.append
