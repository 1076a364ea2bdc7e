"""The engine of Weaver: everything that decides. Imports no Qt and runs where Qt is not installed."""

from typing import Final

ENGINE_VERSION: Final = "0.1.0"
"""Version of the program and of the simulation rules; part of every run's manifest."""
