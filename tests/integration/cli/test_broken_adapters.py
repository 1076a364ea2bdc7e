"""The documents' adapter, broken in the ways in which one's own comes to be: the program goes on, and says what to do."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.broker.harbour.bench import EXAMPLES
from tests.broker.harbour.server import PASSWORD, USER, FakeHarbour
from tests.integration.cli.conftest import Weaver
from tests.strictness.log_guard import AllowLog

Break = Callable[[str, str, str], int]
TODO = "Correct its file; docs/adapters.md says what it has to do."


@pytest.fixture
def harbour(weaver_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHarbour]:
    shutil.copytree(EXAMPLES / "harbour", weaver_home / "adapters" / "harbour")
    with FakeHarbour().running() as server:
        monkeypatch.setenv("WEAVER_ACCOUNT_PAPER_ADAPTER", "harbour")
        monkeypatch.setenv("HARBOUR_PAPER_API_KEY", USER)
        monkeypatch.setenv("HARBOUR_PAPER_API_SECRET", PASSWORD)
        monkeypatch.setenv("HARBOUR_URL", server.url)
        yield server


@pytest.fixture
def break_(weaver_home: Path) -> Break:
    """`break_("words.py", "before", "after")`; returns the line."""

    def change(name: str, before: str, after: str) -> int:
        path = weaver_home / "adapters" / "harbour" / name
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")
        return text[: text.index(before)].count("\n") + 1

    return change


@pytest.mark.usefixtures("harbour")
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('("equity",)', '("shares",)', "assets: Invalid enum value 'shares'; the words are equity, crypto, currency."),
        ('("equity",)', '("equity")', "assets: Expected `array`, got `str`; write it with a comma, like ('equity',)."),
        ("order_types =", "order_type =", "line LINE: an adapter has no order_type; did you mean order_types?"),
        ("streaming = True", 'streaming = "yes"', "streaming: Expected `bool`, got `str`."),
        ('id = "harbour"', 'id = "harbour" + ""', "line LINE: id must be written as a plain value; it is read without running the file."),
    ],
)
def test_a_wrong_declaration_is_listed_with_what_is_meant(weaver: Weaver, break_: Break, before: str, after: str, said: str) -> None:
    said = said.replace("LINE", str(break_("__init__.py", before, after)))
    (found,) = [info for info in weaver("accounts", "adapters", "--json").json()["adapters"] if info["id"] == "harbour"]
    assert found["error"] == f"harbour: {said}"
    refused = weaver("account")
    assert refused.code == 1
    assert refused.err.startswith(f"error[adapter_broken]: harbour: {said} Correct the file and try again")
    assert weaver("data", "list").code == 0


@pytest.mark.usefixtures("harbour")
@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("wire.py", "= 20.0", "= house", "harbour cannot be imported: NameError: name 'house' is not defined (wire.py, line LINE)."),
        ("wire.py", "= 20.0", "= ", "harbour cannot be imported: SyntaxError: invalid syntax (wire.py, line LINE)."),
        ("__init__.py", "def connect", "def conect", "harbour cannot be imported: TypeError: Can't instantiate abstract class Harbour"),
        ("__init__.py", "return HarbourBroker(Wire(link))", "HarbourBroker(Wire(link))", "its connect returns nothing."),
        ("__init__.py", "Wire(link))", "Wire())", "The adapter harbour cannot connect: TypeError: "),
        ("desk.py", "async def replace", "async def change", "What the adapter harbour connects has no desk.replace."),
        ("__init__.py", "self.history =", "self.past =", "What the adapter harbour connects has no history."),
        ("rows.py", 'cash=money(row["cash"])', 'cash=row["cash"] / 100', "in account.account: Account: cash is float where Decimal"),
        ("rows.py", 'number=row["number"]', "number=None", "Account: number is None where str is wanted."),
        ("account.py", 'return account_of(await self._wire.get("/account"))', "...", "it is None where Account is wanted."),
        ("account.py", 'self._wire.get("/account")', "nothing", "NameError: name 'nothing' is not defined (account.py, "),
    ],
)  # fmt: skip
def test_what_an_adapter_does_wrong_is_told(weaver: Weaver, break_: Break, name: str, before: str, after: str, said: str) -> None:
    said = said.replace("LINE", str(break_(name, before, after)))
    refused = weaver("account")
    assert refused.code == 1
    assert refused.err.startswith("error[adapter_broken]: ")
    assert said in refused.err, refused.err
    assert "Traceback" not in refused.err
    assert PASSWORD not in refused.err


def test_an_order_that_a_faulty_adapter_sent_is_looked_up(harbour: FakeHarbour, weaver: Weaver, break_: Break, allow_log: AllowLog) -> None:
    allow_log("The adapter harbour fails in desk.submit")
    line = break_("desk.py", "return order_of(answer)", 'return order_of(answer["order"]["ticket"])')
    break_("desk.py", "except AnswerUnreadable", "except ZeroDivisionError")
    placed = weaver("orders", "place", "SPY", "buy", "10", "--json")
    assert (placed.code, placed.json()["status"]) == (0, "filled"), placed.err
    assert len(harbour.book.orders) == 1
    unknown = weaver("events", "tail", "--type", "orders.OutcomeUnknown", "--json").json()["events"]
    assert f"The adapter harbour fails in desk.submit: KeyError: 'order' (desk.py, line {line})" in str(unknown)


@pytest.mark.usefixtures("harbour")
@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        (
            "market.py",
            "page, at = bars_of",
            "page, at = nothing, bars_of",
            "fails in history.pages: NameError: ",
        ),
        ("streams.py", "while True:", "while False:", "ends streams.order_updates, which goes on until it is cancelled."),
        ("account.py", "self, after: str | None = None, since_ns: int | None = None", "self", "fails in account.executions: TypeError: "),
    ],
)
def test_a_run_ends_with_what_its_adapter_does_wrong(weaver: Weaver, break_: Break, name: str, before: str, after: str, said: str) -> None:
    break_(name, before, after)
    ended = weaver("trade", "sma-cross", "--symbol", "SPY", "--timeframe", "1m", "--minutes", "1", "--broker", "harbour")
    assert ended.code == 1
    last = ended.err.splitlines()[-1]
    assert last.startswith(f"error[adapter_broken]: The adapter harbour {said}")
    assert last.endswith(TODO)


def test_a_stream_that_tells_nonsense_is_told_and_sends_nothing_twice(
    harbour: FakeHarbour, weaver: Weaver, break_: Break, allow_log: AllowLog
) -> None:
    break_("words.py", 'time_ns=instant(row["at"]),\n        execution', 'time_ns=row["at"] / 1e6,\n        execution')
    said = weaver("orders", "place", "SPY", "buy", "10")
    assert len(harbour.book.orders) <= 1
    assert "nonsense in streams.order_updates: OrderUpdate: time_ns is float where int is wanted" in said.err, said
