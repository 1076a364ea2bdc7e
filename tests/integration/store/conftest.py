"""Both databases, for what must hold on each."""

from pathlib import Path

import pytest

from tests.integration.store.writers import Place


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database that several stores and processes may open."""
    url = tmp_path / "desk.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return Place(url, tmp_path)
