"""docs/ui-map.md lists what a person can use: everything the real window and its dialogs have, and nothing else."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest_asyncio
from PySide6.QtWidgets import QWidget

from core.model.broker import AccountName
from core.model.desk import Desk, DeskSeen
from core.model.hand import ExitsPreview, HandExits, HeldPosition, OrderTerms
from core.model.order import Order, OrderRequest, OrderSide, OrderType
from tests.gui.dialogs.desk import BAD_DAILY
from tests.gui.dialogs.usable import mute, nameless, usable_names
from tests.gui.window.conftest import MakeDesk, make_desk
from tests.unit.views.events import order

MAP = Path(__file__).parents[3] / "docs" / "ui-map.md"

__all__ = ["make_desk"]


def listed() -> dict[str, set[str]]:
    """Return the names in the map by the window or dialog they stand under."""
    sections: dict[str, set[str]] = {}
    for part in re.split(r"^## ", MAP.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        top = re.search(r"`([a-z-]+)`", heading)
        assert top is not None, heading
        sections[top[1]] = {top[1], *re.findall(r"^- `([^`]+)`", body, flags=re.MULTILINE)}
    return sections


def orders_of_every_term() -> tuple[Order, Order]:
    """Return two orders that have between them each term that can be changed."""
    prices = OrderRequest(
        symbol="SPY", side=OrderSide.BUY, qty=Decimal(1), type=OrderType.STOP_LIMIT, stop_price=Decimal(9), limit_price=Decimal(10)
    )
    trail = OrderRequest(symbol="SPY", side=OrderSide.BUY, qty=Decimal(1), type=OrderType.TRAILING_STOP, trail_percent=Decimal(2))
    first, second = (msgspec.structs.replace(order("o1"), request=request) for request in (prices, trail))
    return first, second


async def no_look(exits: HandExits) -> ExitsPreview:
    raise AssertionError("Nothing is typed.")


async def no_send(exits: HandExits) -> tuple[Order, ...]:
    return ()


async def no_change(terms: OrderTerms) -> None:
    """Take new terms and do nothing."""


@pytest_asyncio.fixture
async def tops(make_desk: MakeDesk, tmp_path: Path) -> AsyncIterator[list[QWidget]]:
    """The real window with a finished run, and every dialog it opens, in the state that shows the most."""
    desk = await make_desk()
    await desk.finished_run()
    window = desk.window
    path = tmp_path / "abc.csv"
    path.write_text(BAD_DAILY)
    new_run = window.dialogs.new_run()
    importing = window.dialogs.import_data(str(path))
    dialogs: list[QWidget] = [
        new_run,
        importing,
        window.dialogs.download_data(),
        window.dialogs.corporate_actions(),
        window.dialogs.chain("Why was 1 BTC/USD bought at 500?", lambda: desk.engine.chain(3)),
        window.dialogs.settings(),
        window.dialogs.command_palette(window.acts.all()),
        window.dialogs.about(),
        window.dialogs.confirm("Delete it?", "It goes.", "Delete", lambda: None),
        window.dialogs.error("It broke.", "Try again.", "details"),
        window.dialogs.confirm_live("Connect it?", "Live", "Connect live", lambda typed: None),
        window.dialogs.offer_run(
            "Run", [DeskSeen(desk=Desk(id="b", name="Ben"), version="1", seen_s=1.0, is_here=False)], lambda desk: None
        ),
        window.dialogs.close_position(
            HeldPosition(symbol="SPY", owner_id="run", owner="By hand", qty=Decimal(10)), "Alpaca paper", "", lambda qty: None, "paper"
        ),
        window.dialogs.exits(
            HeldPosition(symbol="SPY", owner_id="run", owner="By hand", qty=Decimal(10)), "Alpaca paper", no_look, no_send, "paper"
        ),
        window.dialogs.accept_difference("Alpaca paper", ["It differs."], lambda reason: None, "paper"),
        window.dialogs.account_keys(AccountName.PAPER, lambda: None),
        *(window.dialogs.change_order(one, no_change, "paper") for one in orders_of_every_term()),
    ]
    await window.settled()
    new_run.choose_strategy(next(info.id for info in desk.engine.strategies().values() if info.symbols == 2))
    await window.settled()
    yield [window, *dialogs]
    for dialog in dialogs:
        dialog.close()
    await window.settled()


async def test_the_map_and_the_window_name_the_same(tops: list[QWidget]) -> None:
    found: dict[str, set[str]] = {}
    for top in tops:
        found.setdefault(top.objectName(), set()).update(usable_names(top))
    missing = {name: sorted(names - listed().get(name, set())) for name, names in found.items()}
    gone = {name: sorted(names - found.get(name, set())) for name, names in listed().items()}
    assert {name: names for name, names in missing.items() if names} == {}, "not in the map"
    assert {name: names for name, names in gone.items() if names} == {}, "in the map, not on the screen"


async def test_everything_usable_has_a_name(tops: list[QWidget]) -> None:
    assert [line for top in tops for line in nameless(top)] == []


async def test_everything_usable_says_what_it_is(tops: list[QWidget]) -> None:
    assert [line for top in tops for line in mute(top)] == []


async def test_names_are_in_kebab_case(tops: list[QWidget]) -> None:
    names = {name for top in tops for name in usable_names(top)}
    assert [name for name in sorted(names) if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+|-N|-NAME)*", name)] == []
    assert "field-symbols-N" in names
    assert "column-meaning-N" in names


def test_each_name_stands_once_under_its_window() -> None:
    for part in re.split(r"^## ", MAP.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        names = re.findall(r"^- `([^`]+)`", part, flags=re.MULTILINE)
        assert len(names) == len(set(names)), part.partition("\n")[0]
