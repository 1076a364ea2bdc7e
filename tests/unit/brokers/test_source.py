"""What runs can trade through: markets inside the program and adapters, found without being imported."""

import traceback
from pathlib import Path

import pytest

from core.brokers.accounts import Accounts
from core.brokers.keys import KeyVault
from core.brokers.loader import AdapterLoader
from core.brokers.sim import ID, SimSource
from core.brokers.source import AdapterSource, Brokers
from core.clock.realtime import SystemClock
from core.errors import AdapterBroken, NoKeys, UnknownName
from core.model.broker import AccountName
from tests.broker.bench import environment_of, fake_broker

OWN = '''
from core.brokers.api import Adapter
import nowhere


class Own(Adapter):
    """Of a person."""

    id = "own"
    accounts = ("live",)
'''
SOUND = (
    OWN.replace("import nowhere\n", "")
    + """
    def connect(self, link):
        return None
"""
)


def brokers(folder: Path, environment: dict[str, str] | None = None, **adapters: str) -> Brokers:
    chosen = {name: adapters.get(name.value, "alpaca") for name in AccountName}
    clock = SystemClock()
    given = environment or {}
    accounts = Accounts(AdapterLoader((folder,)), KeyVault(given, "nobody"), given, chosen, clock)
    return Brokers({ID: SimSource(0)}, AdapterSource(accounts, clock))


def test_both_kinds_are_known_by_their_ids_and_no_adapter_is_imported(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    found = brokers(tmp_path)
    assert [found.info(name).id for name in (ID, "alpaca", "own")] == [ID, "alpaca", "own"]
    assert [found.outlives_program(name) for name in (ID, "alpaca", "own", "gone")] == [False, True, True, True]
    assert isinstance(found.clock("alpaca"), SystemClock)
    assert not isinstance(found.clock(ID), SystemClock)


def test_an_unknown_one_suggests_the_near_one(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"Did you mean alpaca\?"):
        brokers(tmp_path).info("alpacca")
    with pytest.raises(UnknownName, match=r"Did you mean sim\?"):
        brokers(tmp_path).info("sin")


async def test_a_broken_adapter_stops_nothing_but_itself(tmp_path: Path) -> None:
    (tmp_path / "torn.py").write_text("class Torn(")
    found = brokers(tmp_path)
    with pytest.raises(AdapterBroken, match=r"torn\.py: line 1"):
        found.info("torn")
    assert found.info("alpaca").error is None
    async with found.open(ID, AccountName.PAPER) as broker:
        assert await broker.account.positions() == []


async def test_an_account_is_opened_at_its_own_adapter_only(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    found = brokers(tmp_path, live="own")
    with pytest.raises(AdapterBroken, match="The live account is at own, not at alpaca"):
        async with found.open("alpaca", AccountName.LIVE):
            pass
    with pytest.raises(AdapterBroken, match=r"own\.py cannot be imported"):
        async with found.open("own", AccountName.LIVE):
            pass
    with pytest.raises(NoKeys):
        async with found.open("alpaca", AccountName.PAPER):
            pass


async def test_an_adapters_account_is_connected_and_let_go_of(tmp_path: Path) -> None:
    with fake_broker() as server:
        found = brokers(tmp_path, dict(environment_of(server)))
        async with found.open("alpaca", AccountName.PAPER) as broker:
            account = await broker.account.account()
        assert (account.number, account.kind) == ("PA3FAKE00001", AccountName.PAPER)


HANGS = """
import time

while True:
    time.sleep(0.01)
"""
QUITS = """
raise KeyboardInterrupt
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("        while True:\n            pass", "did not come back within 0.3 s"),
        ("        raise SystemExit(3)", "it tried to end the program"),
        (
            "        raise ValueError(f'bad keys {link.credentials.key} {link.credentials.secret}')",
            r"ValueError: bad keys \*\*\* \*\*\* \(own\.py, line 12\)\.",
        ),
        ("        return object()", "has no account, orders, desk, market, history, streams, close"),
    ],
)
async def test_an_adapter_that_cannot_connect_stops_nothing_but_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    monkeypatch.setattr("core.brokers.accounts.CONNECT_LIMIT_S", 0.3)
    (tmp_path / "own.py").write_text(SOUND.replace("        return None", body))
    found = brokers(tmp_path, {"OWN_LIVE_API_KEY": "AKOWNKEY0001", "OWN_LIVE_API_SECRET": "own-secret"}, live="own")
    with pytest.raises(AdapterBroken, match=said) as raised:
        async with found.open("own", AccountName.LIVE):
            pass
    assert "own-secret" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(("text", "said"), [(HANGS, "did not come back"), (QUITS, "tried to end the program")])
async def test_an_adapter_whose_import_does_not_end_stops_nothing_but_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.setattr("core.brokers.accounts.CONNECT_LIMIT_S", 0.3)
    (tmp_path / "own.py").write_text(SOUND + text)
    found = brokers(tmp_path, {}, live="own")
    assert found.info("own").error is None
    with pytest.raises(AdapterBroken, match=said):
        async with found.open("own", AccountName.LIVE):
            pass
    async with found.open(ID, AccountName.PAPER) as broker:
        assert await broker.account.positions() == []
