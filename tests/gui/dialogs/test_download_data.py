"""The download dialog, on the real engine and the fake broker."""

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QLabel

from core.errors import NoKeys
from core.model.broker import AccountName
from core.model.download import Downloaded, DownloadPlan
from tests.broker.bench import AlpacaBench, fake_broker
from tests.broker.server import FakeBroker
from tests.gui.dialogs.desk import LOOK, Desk, child, until
from tests.integration.cli.test_download import bar
from ui.dialogs.download_data import DownloadDataDialog
from ui.services import OnProgress


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as running:
        running.bars["SPY", "1Min"] = [bar(number) for number in range(390) if number != 7]
        running.page_bars = 100
        yield running


def opened(desk: Desk, server: FakeBroker) -> DownloadDataDialog:
    async def fetch(plan: DownloadPlan, account: AccountName, on_progress: OnProgress) -> list[Downloaded]:
        if account is AccountName.LIVE:
            raise NoKeys("The live account has no keys on this machine.", "Store them.")
        bench = AlpacaBench(server)
        try:
            return await desk.engine.download_bars(plan, bench.broker.history, on_progress)
        finally:
            await bench.broker.close()

    dialog = DownloadDataDialog(fetch=fetch, now_ns=desk.engine.now_ns, tasks=desk.tasks, theme=LOOK.theme, sizes=LOOK.sizes)
    dialog.show()
    dialog.symbols.setText("spy")
    dialog.timeframe.setCurrentText("1m")
    dialog.start.setText("2023-11-14")
    dialog.end.setText("2023-11-15")
    return dialog


def said(dialog: DownloadDataDialog, name: str = "download-message") -> str:
    label = child(dialog, name)
    assert isinstance(label, QLabel)
    return label.text()


def rows(dialog: DownloadDataDialog) -> list[list[object]]:
    model = dialog.results.table
    return [[model.index(row, column).data() for column in range(model.columnCount())] for row in range(model.rowCount())]


async def test_bars_are_fetched_and_counted_and_nothing_twice(desk: Desk, server: FakeBroker) -> None:
    dialog = opened(desk, server)
    assert not dialog.isModal()
    dialog.download_button.click()
    assert dialog.cancel_button.text() == "Stop"
    assert dialog.progress.isVisible()
    await desk.idle()
    assert rows(dialog) == [["SPY", "389", "389", "0", "389", "1"]]
    assert said(dialog) == "389 bars fetched."
    assert dialog.cancel_button.text() == "Close"
    assert [bar_set.bars for bar_set in await desk.engine.bar_sets()] == [389]
    dialog.symbols.setText("SPY, nope")
    dialog.download_button.click()
    await desk.idle()
    assert said(dialog) == "Nothing was missing. The broker has no bars of NOPE there."
    dialog.reject()


async def test_stop_keeps_what_was_stored_and_it_goes_on_from_there(desk: Desk, server: FakeBroker) -> None:
    server.do(lambda: setattr(server, "silent_at_page", "200"))
    dialog = opened(desk, server)
    dialog.download_button.click()
    await until(lambda: said(dialog, "download-progress-text") == "SPY: 200 bars")
    assert 0 < dialog.progress.value() < 1_000
    dialog.cancel_button.click()
    await desk.idle()
    assert said(dialog).startswith("The download was stopped. What was stored stays")
    assert [bar_set.bars for bar_set in await desk.engine.bar_sets()] == [200]
    server.do(lambda: setattr(server, "silent_at_page", None))
    dialog.download_button.click()
    await desk.idle()
    assert rows(dialog)[0][1:3] == ["189", "189"]
    dialog.reject()


async def test_closing_stops_it_and_closes(desk: Desk, server: FakeBroker) -> None:
    server.do(lambda: setattr(server, "silent_at_page", "100"))
    dialog = opened(desk, server)
    closed: list[int] = []
    dialog.finished.connect(closed.append)
    dialog.download_button.click()
    await until(lambda: said(dialog, "download-progress-text") == "SPY: 100 bars")
    dialog.close()
    await desk.idle()
    await until(lambda: bool(closed))
    assert [bar_set.bars for bar_set in await desk.engine.bar_sets()] == [100]


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("symbols", "S P,,Y!", "write it like SPY, BRK.B or BTC/USD"),
        ("symbols", "  ", "name at least one"),
        ("timeframe", "soon", "write it like 1m"),
        ("timeframe", "90m", "Alpaca has 1m to 59m"),
        ("start", "yesterday", "write it as 2024-01-31"),
        ("end", "2023-11-01", "it must be later"),
    ],
)
async def test_a_wrong_field_says_so(desk: Desk, server: FakeBroker, field: str, text: str, sentence: str) -> None:
    dialog = opened(desk, server)
    box = getattr(dialog, field)
    (box.setCurrentText if field == "timeframe" else box.setText)(text)
    dialog.download_button.click()
    await desk.idle()
    assert sentence in said(dialog, f"field-download-{field}-error")
    assert dialog.download_button.isEnabled()
    dialog.reject()


async def test_bars_that_contradict_themselves_are_told(desk: Desk, server: FakeBroker) -> None:
    server.do(lambda: server.bars["SPY", "1Min"].__setitem__(0, bar(0, h=1)))
    dialog = opened(desk, server)
    dialog.download_button.click()
    await desk.idle()
    assert said(dialog) == "389 bars fetched. 1 contradict themselves and were left out."
    dialog.reject()


async def test_an_account_without_keys_is_told(desk: Desk, server: FakeBroker) -> None:
    dialog = opened(desk, server)
    dialog.account.setCurrentText("live")
    dialog.download_button.click()
    await desk.idle()
    assert said(dialog) == "The live account has no keys on this machine. Store them."
    dialog.reject()
