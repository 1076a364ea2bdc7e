"""`weaver account`, `positions`, `orders list` and `accounts`, on the fake broker and a keyring in memory."""

import io
import logging
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.broker.bench import environment_of, fake_broker
from tests.broker.faults import Fault, Way
from tests.broker.keyring_memory import MemoryKeyring, memory_keyring
from tests.broker.server import KEY, SECRET, FakeBroker
from tests.integration.cli.conftest import ROOT, Said, Weaver
from tests.integration.cli.conftest import environment_of as process_environment

ADDRESSES = {"ALPACA_PAPER_BASE_URL", "ALPACA_DATA_BASE_URL", "ALPACA_DATA_STREAM_URL"}


@pytest.fixture
def server() -> Iterator[FakeBroker]:
    with fake_broker() as running:
        yield running


@pytest.fixture
def kept() -> Iterator[MemoryKeyring]:
    with memory_keyring() as made:
        yield made


@pytest.fixture
def with_keys(server: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> FakeBroker:
    """The fake broker, with the keys and addresses of its paper account in the environment."""
    for name, value in environment_of(server).items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def without_keys(server: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> FakeBroker:
    """The fake broker, with its addresses in the environment."""
    for name, value in environment_of(server).items():
        if name in ADDRESSES:
            monkeypatch.setenv(name, value)
    return server


def type_keys(monkeypatch: pytest.MonkeyPatch, key: str = KEY, secret: str = SECRET) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{key}\n{secret}\n"))


def place(server: FakeBroker, id: str, **more: str) -> None:
    body = {"client_order_id": id, "symbol": "SPY", "side": "buy", "type": "market", "qty": "10", "time_in_force": "day", **more}
    server.do(lambda: server.book.settle(server.book.place(body)))


def test_an_account_is_shown(weaver: Weaver, with_keys: FakeBroker) -> None:
    document = weaver("account", "--json").json()
    assert (document["account"], document["cash"], document["equity"], document["currency"]) == ("paper", "100000", "100000", "USD")
    said = weaver("account")
    assert said.code == 0
    assert "paper account" in said.out
    assert "200,000.00" in said.out
    assert "trading blocked" in said.out
    assert "True" not in said.out


def test_positions_are_listed(weaver: Weaver, with_keys: FakeBroker) -> None:
    assert weaver("positions").out == "The paper account holds nothing.\n"
    place(with_keys, "a")
    place(with_keys, "b", symbol="BTC/USD", qty="0.5", time_in_force="gtc")
    found = weaver("positions", "--json").json()["positions"]
    assert [(item["symbol"], item["qty"], item["avg_price"]) for item in found][1] == ("SPY", "10", "400.01")
    assert found[0]["symbol"] == "BTC/USD"
    assert Decimal(found[0]["qty"]) == Decimal("0.49875")
    assert "400.01" in weaver("positions").out


def test_orders_are_listed_open_ones_or_all_since_a_date(weaver: Weaver, with_keys: FakeBroker) -> None:
    assert weaver("orders", "list").out == "The paper account has no open orders.\n"
    place(with_keys, "done")
    place(with_keys, "waiting", type="limit", limit_price="390")
    (waiting,) = weaver("orders", "list", "--json").json()["orders"]
    assert [waiting[field] for field in ("client_order_id", "status", "broker_status", "limit_price")] == [
        "waiting",
        "accepted",
        "new",
        "390",
    ]
    every = weaver("orders", "list", "--since", "2023-01-01", "--json").json()["orders"]
    assert [order["client_order_id"] for order in every] == ["waiting", "done"]
    assert weaver("orders", "list", "--since", "2030-01-01").out == "The paper account has no orders since 2030-01-01.\n"
    shown = weaver("orders", "list").out
    assert "limit 390" in shown
    assert "waiting" in shown


@pytest.mark.parametrize("verb", [["account"], ["positions"], ["orders", "list"]])
def test_without_keys_the_next_step_is_named(weaver: Weaver, verb: list[str]) -> None:
    said = weaver(*verb, "--account", "live")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "error[no_keys]: The live account has no keys on this machine. Store them with `weaver accounts set live`, "
        "or set ALPACA_LIVE_API_KEY and ALPACA_LIVE_API_SECRET.\n"
    )


def test_half_a_pair_of_keys_is_told(weaver: Weaver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    said = weaver("account")
    assert said.err == (
        "error[no_keys]: APCA_API_KEY_ID is set, and APCA_API_SECRET_KEY is not: the paper account needs both. "
        "Set APCA_API_SECRET_KEY too.\n"
    )


def test_alpacas_own_variables_are_read(weaver: Weaver, server: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("APCA_API_KEY_ID", KEY), ("APCA_API_SECRET_KEY", SECRET), ("APCA_API_BASE_URL", f"{server.url}/v2/")):
        monkeypatch.setenv(name, value)
    assert weaver("account").code == 0


def test_wrong_keys_are_told(weaver: Weaver, with_keys: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPACA_PAPER_API_SECRET", "wrong-secret-wrong")
    said = weaver("account")
    assert said.code == 1
    assert said.err.startswith("error[keys_refused]: Reading the account: the broker does not accept the keys (401, 40110000).")
    assert "wrong-secret" not in said.err


def test_no_network_is_told(weaver: Weaver, with_keys: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPACA_PAPER_BASE_URL", "http://127.0.0.1:1")
    said = weaver("account")
    assert said.code == 1
    assert said.err.startswith("error[broker_unreachable]: Reading the account: 127.0.0.1 cannot be reached: ")
    assert said.err.endswith("Check the network connection and try again.\n")


@pytest.mark.parametrize(
    ("variable", "address", "said"),
    [
        ("ALPACA_PAPER_BASE_URL", "https://api.alpaca.markets", "the server of the other kind of account, and this one is paper"),
        ("APCA_API_BASE_URL", "https://api.alpaca.markets/v2", "the server of the other kind of account"),
        ("ALPACA_PAPER_BASE_URL", "http://paper-api.alpaca.markets", "keys go over https:// only"),
        ("ALPACA_PAPER_BASE_URL", "paper-api.alpaca.markets", "write it like https://host"),
        ("ALPACA_PAPER_BASE_URL", "https://me:pass@host", "keys are kept apart from the address"),
        ("ALPACA_DATA_STREAM_URL", "https://stream.data.alpaca.markets", "write it like wss://host"),
    ],
)
def test_an_address_that_keys_must_not_go_to_is_refused(
    weaver: Weaver, monkeypatch: pytest.MonkeyPatch, variable: str, address: str, said: str
) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    monkeypatch.setenv(variable, address)
    done = weaver("account")
    assert done.code == 2
    assert done.err.startswith(f"error[invalid_value]: {variable} cannot be ")
    assert said in done.err


def test_keys_are_stored_shown_by_their_end_used_and_forgotten(
    weaver: Weaver, without_keys: FakeBroker, kept: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_keys(monkeypatch)
    said = weaver("accounts", "set", "paper")
    assert said.code == 0, said.err
    assert SECRET not in said.out + said.err
    assert KEY not in said.out + said.err
    (paper, live) = weaver("accounts", "list", "--json").json()["accounts"]
    assert (paper["name"], paper["adapter"], paper["keys"], paper["kept"], paper["error"]) == ("paper", "alpaca", "…789A", "keyring", None)
    assert (live["keys"], live["kept"]) == (None, "")
    assert "…789A" in weaver("accounts", "list").out
    assert weaver("account").code == 0
    assert weaver("--profile", "other", "account").code == 1
    assert weaver("accounts", "forget", "paper", "--json").json() == {"account": "paper", "removed": True}
    assert weaver("accounts", "forget", "paper", "--json").json() == {"account": "paper", "removed": False}
    assert weaver("account").code == 1


def test_the_keyring_comes_before_the_environment(
    weaver: Weaver, with_keys: FakeBroker, kept: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    type_keys(monkeypatch, key="PKOTHERKEY0123456BCD", secret="another-secret-of-the-keyring")
    assert weaver("accounts", "set", "paper").code == 0
    assert weaver("accounts", "list", "--json").json()["accounts"][0]["keys"] == "…6BCD"
    assert weaver("account").err.startswith("error[keys_refused]")
    kept.locked = True
    assert weaver("account").code == 0  # then the environment has to do


def test_a_locked_keyring_is_told(weaver: Weaver, kept: MemoryKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.locked = True
    type_keys(monkeypatch)
    for call in (("accounts", "set", "paper"), ("account",)):
        said = weaver(*call)
        assert said.code == 1
        assert said.err.startswith("error[keyring_unusable]: This system has no keyring that keeps the keys, or it is locked.")


def test_a_keyring_that_takes_and_does_not_keep_is_found_out(weaver: Weaver, monkeypatch: pytest.MonkeyPatch) -> None:
    type_keys(monkeypatch)
    assert weaver("accounts", "set", "paper").err.startswith("error[keyring_unusable]")


@pytest.mark.parametrize("typed", ["", "key\n", "\n\n"])
def test_a_key_that_is_not_given_is_asked_for(weaver: Weaver, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    said = weaver("accounts", "set", "paper")
    assert said.code == 2
    assert "nothing was given" in said.err


def test_what_is_typed_is_not_shown(weaver_home: Path) -> None:
    pty = pytest.importorskip("pty", reason="this system has no terminals to make")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "accounts", "set", "paper"],
        cwd=ROOT, env=process_environment(weaver_home), stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    shown = b""
    for question, answer in ((b"paper account at alpaca: ", KEY), (b"Secret: ", SECRET)):
        while question not in shown:
            assert select.select([master], [], [], 30)[0], shown
            shown += os.read(master, 1_000)
        os.write(master, f"{answer}\n".encode())
    process.wait(30)
    while select.select([master], [], [], 0)[0]:
        try:
            shown += os.read(master, 1_000)
        except OSError:  # a terminal whose other end is gone
            break
    os.close(master)
    assert b"keyring_unusable" in shown  # it was read, and this test's keyring keeps nothing
    assert KEY.encode() not in shown
    assert SECRET.encode() not in shown


def test_adapters_are_listed_and_a_broken_one_stops_nothing(weaver: Weaver, weaver_home: Path, with_keys: FakeBroker) -> None:
    folder = weaver_home / "adapters"
    folder.mkdir(parents=True)
    (folder / "broken.py").write_text("class X(Adapter):\n    id = ")
    found = {info["id"]: info for info in weaver("accounts", "adapters", "--json").json()["adapters"]}
    assert found["alpaca"]["features"]["order_classes"] == ["simple", "bracket", "oco", "oto"]
    assert found["broken"]["error"].startswith("broken.py: line 2: it is not valid Python")
    assert "broken.py" in weaver("accounts", "adapters").out
    assert weaver("account").code == 0
    checks = weaver("doctor", "--json").json()["checks"]
    assert [check["state"] for check in checks if check["name"] == "adapter"] == ["warn"]


def test_an_account_may_be_at_another_broker(weaver: Weaver, weaver_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAVER_ACCOUNT_PAPER_ADAPTER", "alpcaa")
    assert weaver("account").err == "error[unknown_name]: There is no adapter named 'alpcaa'. Did you mean alpaca?\n"
    assert "Did you mean alpaca?" in weaver("accounts", "list", "--json").json()["accounts"][0]["error"]


MINE = '''"""A broker of one's own."""

from core.brokers.alpaca.addresses import Addresses
from core.brokers.alpaca.connection import AlpacaBroker
from core.brokers.api import Adapter, Broker, Link


class Mine(Adapter):
    """Speaks like Alpaca."""

    id = "my-broker"
    accounts = ("paper",)
    assets = ("equity",)

    def connect(self, link: Link) -> Broker:
        assert not [value for value in link.addresses.values() if "://" not in value]
        return AlpacaBroker(Addresses.of(link.account, link.addresses), link.credentials, link.clock)
'''


def test_an_adapter_of_ones_own_is_used(
    weaver: Weaver, weaver_home: Path, without_keys: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    (weaver_home / "adapters").mkdir(parents=True)
    (weaver_home / "adapters" / "mine.py").write_text(MINE)
    for variable in ("WEAVER_ACCOUNT_PAPER_ADAPTER", "WEAVER_ACCOUNT_LIVE_ADAPTER"):
        monkeypatch.setenv(variable, "my-broker")
    assert "set MY_BROKER_PAPER_API_KEY and MY_BROKER_PAPER_API_SECRET" in weaver("account").err
    monkeypatch.setenv("MY_BROKER_PAPER_API_KEY", KEY)
    monkeypatch.setenv("MY_BROKER_PAPER_API_SECRET", SECRET)
    assert weaver("account", "--json").json()["cash"] == "100000"
    assert weaver("account", "--account", "live").err.startswith("error[adapter_broken]: The adapter my-broker has no live account.")
    (weaver_home / "adapters" / "mine.py").unlink()
    gone = weaver("account")
    assert gone.code == 2
    assert "There is no adapter named 'my-broker'" in gone.err
    assert weaver("data", "list").code == 0


def test_the_doctor_says_which_accounts_are_there_and_whether_they_answer(weaver: Weaver, with_keys: FakeBroker) -> None:
    def said(name: str) -> tuple[str, str]:
        (check,) = [check for check in weaver("doctor", "--json").json()["checks"] if check["name"] == name]
        return check["state"], check["said"]

    assert said("paper account") == ("ok", "alpaca, keys …789A in the environment; reachable")
    assert said("live account") == ("ok", "not set up; `weaver accounts set live` does")
    with_keys.do(lambda: setattr(with_keys, "revoked", True))
    state, sentence = said("paper account")
    assert state == "warn"
    assert "does not accept the keys" in sentence


def test_no_secret_is_written_anywhere(
    weaver: Weaver, weaver_home: Path, with_keys: FakeBroker, kept: MemoryKeyring, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    type_keys(monkeypatch)
    with_keys.fail(Fault("GET /v2/account", Way.NONSENSE), Fault("GET /v2/positions", Way.STATUS, 403, body="no"))
    calls = [
        ("accounts", "set", "paper"), ("accounts", "list"), ("account",), ("positions", "--debug"), ("account", "--verbose"),
        ("orders", "list", "--debug"), ("doctor",), ("data", "download", "--symbol", "SPY", "--timeframe", "1m", "--start", "2023-01-01"),
        ("account", "--account", "live", "--debug"), ("events", "tail"), ("accounts", "adapters", "--json"),
    ]  # fmt: skip
    shown = ""
    for call in calls:
        said = weaver(*call)
        shown += said.out + said.err
    written = b"".join(path.read_bytes() for path in weaver_home.rglob("*") if path.is_file())
    assert len(written) > 1_000
    for secret in (SECRET, KEY):
        assert secret not in shown
        assert secret not in caplog.text
        assert secret.encode() not in written


def test_a_position_that_stands_without_its_exits_is_said_to_when_it_is_closed_in_vain_and_in_the_list(
    weaver: Weaver, with_keys: FakeBroker, tmp_path: Path
) -> None:
    def by_hand(*words: str) -> Said:
        return weaver("--db", f"sqlite:///{tmp_path / 'desk.db'}", *words)

    assert by_hand("orders", "place", "SPY", "buy", "10", "--target", "420", "--stop-loss", "380").code == 0
    assert by_hand("positions", "--json").json()["bare"] == []
    refused = Fault("POST /v2/orders", Way.STATUS, 403, body='{"code": 40310000, "message": "account is restricted to liquidation only"}')
    with_keys.fail(refused, refused)
    said = by_hand("positions", "close", "SPY")
    sentence = "10 SPY stand without the exits that they had. They were not taken: "
    assert said.code == 1
    assert sentence in said.err
    (bare,) = by_hand("positions", "--json").json()["bare"]
    assert bare.startswith(sentence)
    assert "account is restricted to liquidation only" in bare
    # The wide text may be broken over lines.
    assert "stand without the exits" in by_hand("positions").out
    assert by_hand("positions", "close", "SPY").code == 0
    assert by_hand("positions").out == "The paper account holds nothing.\n"


def test_positions_are_listed_though_the_database_cannot_be_read(weaver: Weaver, with_keys: FakeBroker, tmp_path: Path) -> None:
    place(with_keys, "a")
    (tmp_path / "no.db").write_text("this is no database, and it is long enough to be read as one by its first bytes")
    said = weaver("--db", f"sqlite:///{tmp_path / 'no.db'}", "positions", "--json")
    assert [one["symbol"] for one in said.json()["positions"]] == ["SPY"]
    (bare,) = said.json()["bare"]
    assert bare.startswith("Whether all of it has the exits that it had is not known. ")
