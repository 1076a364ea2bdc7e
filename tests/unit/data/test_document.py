"""docs/data.md lists what the code has."""

import re
from pathlib import Path

from core.data.checks import REASONS
from core.data.simulated import MARKETS

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "data.md").read_text(encoding="utf-8")


def test_every_reason_is_explained_in_the_order_that_counts() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (?!how)", DOCUMENT, re.MULTILINE)
    assert listed == [reason for reason in REASONS if reason]


def test_every_simulated_symbol_is_named() -> None:
    assert all(f"`{market.key.symbol}`" in DOCUMENT for market in MARKETS)
