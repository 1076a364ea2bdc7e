"""`weaver orders cancel`, `weaver reconcile` and the limits of an account, on the fake broker."""

from collections.abc import Iterator

import pytest

from core.clock.realtime import SystemClock
from tests.broker.bench import environment_of, fake_broker
from tests.broker.faults import Fault, Way
from tests.broker.server import FakeBroker
from tests.integration.cli.conftest import Weaver
from tests.strictness.log_guard import AllowLog


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBroker]:
    """The fake broker, with the keys and addresses of its paper account in the environment."""
    with fake_broker() as running:
        for name, value in environment_of(running).items():
            monkeypatch.setenv(name, value)
        running.do(lambda: setattr(running.book, "clock", SystemClock().now_ns))
        yield running


def place(server: FakeBroker, id: str, **more: str) -> str:
    """An order that works, sent by somebody; returns the broker's id."""
    body = {"client_order_id": id, "symbol": "SPY", "side": "buy", "type": "limit", "limit_price": "1", "qty": "10", "time_in_force": "gtc"}

    def work() -> str:
        order = server.book.place({**body, **more})
        server.book.settle(order)
        return str(order["id"])

    return server.do(work)


def bought_by_somebody(server: FakeBroker) -> None:
    """Ten shares that nobody here asked for."""
    body = {"client_order_id": "theirs-1", "symbol": "SPY", "side": "buy", "type": "market", "qty": "10", "time_in_force": "day"}
    server.do(lambda: server.book.settle(server.book.place(body)))


def statuses(server: FakeBroker) -> dict[str, str]:
    return server.do(lambda: {order["client_order_id"]: order["status"] for order in server.book.orders.values()})


def test_orders_are_cancelled_by_either_id_or_its_beginning(server: FakeBroker, weaver: Weaver) -> None:
    place(server, "first-1")
    broker_id = place(server, "second-2")
    place(server, "third-3")
    said = weaver("orders", "cancel", "first-", broker_id, "--json")
    assert said.code == 0, said.err
    document = said.json()
    assert [(one["client_order_id"], one["cancelled"], one["status"]) for one in document["orders"]] == [
        ("first-1", True, "cancelled"),
        ("second-2", True, "cancelled"),
    ]
    assert statuses(server) == {"first-1": "canceled", "second-2": "canceled", "third-3": "new"}


def test_all_of_them_are_cancelled(server: FakeBroker, weaver: Weaver) -> None:
    place(server, "first-1")
    place(server, "second-2", symbol="AAPL")
    said = weaver("orders", "cancel", "--all")
    assert said.code == 0, said.err
    assert "first-1" in said.out
    assert "canceled" in said.out
    assert set(statuses(server).values()) == {"canceled"}
    assert weaver("orders", "cancel", "--all").out == "The paper account has no open orders.\n"


def test_an_order_that_the_broker_would_not_cancel_is_named(server: FakeBroker, weaver: Weaver, monkeypatch: pytest.MonkeyPatch) -> None:
    import app.cli_orders

    monkeypatch.setattr(app.cli_orders, "PATIENCE_S", 0.3)
    server.do(lambda: setattr(server.book, "cancel_slowly", True))
    place(server, "first-1")
    said = weaver("orders", "cancel", "--all")
    assert said.code == 1
    assert "pending cancel" in said.out
    assert said.err == "error[broker_error]: 1 of 1 orders are not cancelled.\n"


@pytest.mark.parametrize("status", [429, 503])
def test_a_cancel_that_the_broker_did_not_take_is_asked_for_again_and_the_others_are_asked(
    server: FakeBroker, weaver: Weaver, status: int
) -> None:
    for number in range(3):
        place(server, f"order-{number}")
    # Beyond what the client itself asks again.
    server.fail(*[Fault("DELETE /v2/orders", Way.STATUS, status=status, body='{"message":"busy"}', headers={"Retry-After": "0"})] * 8)
    said = weaver("orders", "cancel", "--all", "--json")
    assert said.code == 0, said.err
    assert [one["cancelled"] for one in said.json()["orders"]] == [True] * 3
    assert set(statuses(server).values()) == {"canceled"}


def test_orders_of_the_account_in_the_database_are_cancelled_too(weaver: Weaver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAVER_PAPER_FEED", "sim")
    ids = []
    for price in ("1", "2", "3"):
        placed = weaver("orders", "place", "DEMO/USD", "buy", "1", "--type", "limit", "--limit", price, "--broker", "paper", "--json")
        assert placed.code == 0, placed.err
        ids.append(placed.json()["id"])
    said = weaver("orders", "cancel", ids[1], "--broker", "paper", "--json")
    assert said.code == 0, said.err
    assert [(one["client_order_id"], one["status"], one["cancelled"]) for one in said.json()["orders"]] == [(ids[1], "cancelled", True)]
    wrong = weaver("orders", "cancel", "frist", "--broker", "paper")
    assert (wrong.code, wrong.err.splitlines()[0][:22]) == (2, "error[unknown_name]: T")
    said = weaver("orders", "cancel", "--all", "--broker", "paper")
    assert said.code == 0, said.err
    assert ids[0] in said.out
    assert ids[2] in said.out
    assert weaver("orders", "list", "--broker", "paper").out.startswith("The paper account has no open orders.")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ((), "error[input_error]: orders cancel takes ids, or --all."),
        (("first-1", "--all"), "error[input_error]: orders cancel takes ids, or --all."),
        (("frist-1",), "error[unknown_name]: There is no open order named 'frist-1'. Did you mean first-1?"),
        (("first",), "error[invalid_value]: order cannot be first: 2 open orders begin so"),
        (("other",), "error[invalid_value]: order cannot be other: to end, change or remove one takes 6 signs of its id at least."),
    ],
)
def test_what_is_not_meant_clearly_cancels_nothing(server: FakeBroker, weaver: Weaver, call: tuple[str, ...], error: str) -> None:
    place(server, "first-1")
    place(server, "first-2")
    place(server, "other-3")
    said = weaver("orders", "cancel", *call)
    assert said.code == 2
    assert said.err.startswith(error)
    assert set(statuses(server).values()) == {"new"}


def test_an_account_is_compared_and_what_differs_is_told_with_what_was_done(server: FakeBroker, weaver: Weaver) -> None:
    said = weaver("reconcile", "--account", "paper")
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        "alpaca:PA3FAKE00001 is met for the first time; what it holds is counted as somebody else's.",
        "alpaca:PA3FAKE00001: nothing differs. 0 of our orders work there.",
    ]
    bought_by_somebody(server)
    document = weaver("reconcile", "--broker", "alpaca", "--json").json()
    assert [(one["what"], one["healing"]) for one in document["differences"]] == [("strange_fill", "adopt"), ("strange_order", "adopt")]
    assert document["unhealed"] == []
    again = weaver("reconcile")
    assert (again.code, again.out) == (0, "alpaca:PA3FAKE00001: nothing differs. 0 of our orders work there.\n")


def test_what_nothing_heals_is_said_with_exit_code_1(server: FakeBroker, weaver: Weaver, monkeypatch: pytest.MonkeyPatch) -> None:
    import core.runs.reconciling

    monkeypatch.setattr(core.runs.reconciling, "PATIENCE_S", 0.5)
    assert weaver("reconcile").code == 0
    bought_by_somebody(server)

    def lose() -> None:
        server.book.holdings["SPY"].qty -= 3

    server.do(lose)
    said = weaver("reconcile")
    assert said.code == 1
    assert "The account holds 7 SPY, and all fills together make 10." in said.out
    assert said.err.startswith("error[books_differ]: alpaca:PA3FAKE00001: The account holds 7 SPY")


def test_what_nothing_heals_is_taken_as_the_broker_has_it(server: FakeBroker, weaver: Weaver, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.trading.service import AccountDesk

    defaults = AccountDesk.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "settle_ns", 0)  # it counts at the second look
    assert weaver("reconcile").code == 0
    bought_by_somebody(server)
    assert weaver("reconcile").code == 0

    def split() -> None:
        server.book.holdings["SPY"].qty *= 2

    server.do(split)
    assert weaver("reconcile").code == 1
    said = weaver("reconcile", "--adopt", "--reason", "2:1 split")
    assert (said.code, said.out.splitlines()[-1]) == (
        0,
        "position: The account holds 20 SPY, and all fills together make 10. It is taken as the broker has it.",
    )
    assert weaver("reconcile").out == "alpaca:PA3FAKE00001: nothing differs. 0 of our orders work there.\n"
    assert "2:1 split" in weaver("events", "tail", "--type", "live.DifferenceAccepted").out


def test_limits_that_cannot_be_read_trade_nothing(
    server: FakeBroker, weaver: Weaver, monkeypatch: pytest.MonkeyPatch, allow_log: AllowLog
) -> None:
    allow_log("nothing is traded on that account")
    monkeypatch.setenv("WEAVER_ACCOUNT_PAPER_LIMITS", "max_order_vale=5000")
    said = weaver("reconcile")
    assert said.code == 2
    assert said.err.splitlines()[-1].startswith("error[unknown_name]: There is no risk limit named 'max_order_vale'.")


def test_the_kill_switch_reaches_an_account_that_nobody_has_open(weaver: Weaver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAVER_PAPER_FEED", "sim")
    by_hand = ("--broker", "paper", "--json")
    bought = weaver("orders", "place", "DEMO/USD", "buy", "0.1", *by_hand)
    assert bought.json()["status"] == "filled", bought.err
    assert weaver("orders", "place", "DEMO/USD", "buy", "1", "--type", "limit", "--limit", "1", *by_hand).code == 0
    said = weaver("kill", "--flatten", "--json")
    assert said.code == 0, said.err
    (answer,) = said.json()["carried_out"]
    assert (answer["cancelled"], answer["closed"], answer["left"], answer["unreached"]) == (1, 1, "", "")
    assert weaver("orders", "list", "--broker", "paper").out.startswith("The paper account has no open orders.")
    assert weaver("positions", "--broker", "paper", "--json").json()["positions"] == []
    again = weaver("kill")  # nothing is left that anybody would have to be asked about
    assert again.code == 0
    assert again.out.splitlines()[-1] == "No order of ours works and nothing of ours is held at an account that is known."
    assert weaver("db", "check").code == 0


def test_an_account_that_the_kill_switch_cannot_reach_is_named(server: FakeBroker, weaver: Weaver) -> None:
    placed = weaver("orders", "place", "SPY", "buy", "1", "--type", "limit", "--limit", "1", "--json")
    assert placed.code == 0, placed.err
    server.do(lambda: setattr(server, "revoked", True))
    said = weaver("kill")
    assert said.code == 1
    assert "alpaca:PA3FAKE00001 was not reached: " in said.out
    assert said.err.startswith("error[not_carried_out]: The kill switch is thrown and holds, but is not carried out at alpaca:PA3")
    assert set(statuses(server).values()) == {"new"}
    server.do(lambda: setattr(server, "revoked", False))
    again = weaver("kill")
    assert again.code == 0, again.err
    assert "alpaca:PA3FAKE00001 acknowledged: 1 orders cancelled, 0 positions closed." in again.out
    assert set(statuses(server).values()) == {"canceled"}
