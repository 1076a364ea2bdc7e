"""`weaver data download` from the fake broker: only what is missing, stopped and gone on with, holes and corrections shown."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.brokers.alpaca.fields import text_of_instant
from core.clock.realtime import SystemClock
from core.model.instants import HOUR_NS, MINUTE_NS, iso, parse_instant
from tests.broker.bench import environment_of, fake_broker
from tests.broker.faults import Fault, Way
from tests.broker.server import FakeBroker
from tests.integration.cli.conftest import ROOT, Weaver, read_until
from tests.integration.cli.conftest import environment_of as environment_of_process

FIRST_NS = parse_instant("2023-11-14T14:30:00Z")
DAY = ("--symbol", "SPY", "--timeframe", "1m", "--start", "2023-11-14", "--end", "2023-11-15")
BARS = "GET /v2/stocks/bars"


def bar(number: int, **more: object) -> dict[str, Any]:
    start = text_of_instant(FIRST_NS + number * MINUTE_NS).replace(".000000000", "")
    return {"t": start, "o": 400.1, "h": 401.25, "l": 399.5, "c": 400.75, "v": 1000 + number, "n": 3, "vw": 400.3, **more}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBroker]:
    """A fake broker with a session of minutes of SPY, and its keys in the environment."""
    with fake_broker() as running:
        running.bars["SPY", "1Min"] = [bar(number) for number in range(390)]
        running.page_bars = 100
        for name, value in environment_of(running).items():
            monkeypatch.setenv(name, value)
        yield running


def asked(server: FakeBroker) -> list[tuple[str, str]]:
    """The periods of the pages that were asked for, first pages only."""
    return [(query["start"][:16], query["end"][:16]) for name, query in server.queries if name == BARS and "page_token" not in query]


def fetch(weaver: Weaver, *arguments: str) -> Any:
    said = weaver("data", "download", *arguments, "--json")
    assert said.code == 0, said.err
    (document,) = said.json()["downloads"]
    return document


def test_bars_come_in_pages_and_are_stored_under_their_feed(weaver: Weaver, server: FakeBroker) -> None:
    document = fetch(weaver, *DAY)
    assert (document["fetched"], document["added"], document["stored"], document["missing"]) == (390, 390, 390, 0)
    assert server.requests[BARS] == 4
    assert server.queries[-1][1]["feed"] == "iex"
    assert server.queries[-1][1]["adjustment"] == "raw"
    (stored,) = weaver("data", "list", "--json").json()["sets"]
    assert (stored["source"], stored["adjustment"], stored["bars"], stored["simulated"]) == ("alpaca-iex", "raw", 390, False)
    assert (stored["first"], stored["last"]) == ("2023-11-14T14:30:00Z", "2023-11-14T20:59:00Z")


def test_what_was_fetched_is_not_fetched_again_even_where_there_were_no_bars(weaver: Weaver, server: FakeBroker) -> None:
    fetch(weaver, *DAY)
    again = fetch(weaver, *DAY)
    assert (again["fetched"], again["stored"]) == (0, 390)
    assert server.requests[BARS] == 4
    assert "nothing was missing" in weaver("data", "download", *DAY).out
    longer = fetch(weaver, *DAY[:4], "--start", "2023-11-13", "--end", "2023-11-16")
    assert longer["fetched"] == 0
    assert asked(server)[1:] == [("2023-11-13T00:00", "2023-11-13T23:59"), ("2023-11-15T00:00", "2023-11-15T23:59")]


def test_feeds_and_adjustments_never_mix(weaver: Weaver, server: FakeBroker) -> None:
    fetch(weaver, *DAY)
    fetch(weaver, *DAY, "--feed", "sip")
    fetch(weaver, *DAY, "--adjustment", "split")
    sets = weaver("data", "list", "--json").json()["sets"]
    assert sorted((item["source"], item["adjustment"]) for item in sets) == [
        ("alpaca-iex", "raw"),
        ("alpaca-iex", "split"),
        ("alpaca-sip", "raw"),
    ]


def test_what_fails_in_the_middle_is_gone_on_with(weaver: Weaver, server: FakeBroker) -> None:
    server.do(lambda: setattr(server, "fail_at_page", "200"))
    failed = weaver("data", "download", *DAY)
    assert failed.code == 1
    assert "500" in failed.err
    (stored,) = weaver("data", "list", "--json").json()["sets"]
    assert stored["bars"] == 200
    server.do(lambda: setattr(server, "fail_at_page", None))
    rest = fetch(weaver, *DAY)
    assert (rest["fetched"], rest["identical"], rest["stored"]) == (190, 0, 390)
    assert asked(server)[-1][0] == "2023-11-14T17:49"  # an instant after the last bar that is stored


def test_corrections_are_shown_when_it_is_fetched_again(weaver: Weaver, server: FakeBroker) -> None:
    fetch(weaver, *DAY)
    server.do(lambda: server.bars["SPY", "1Min"].__setitem__(7, bar(7, c=400.8)))
    again = fetch(weaver, *DAY, "--again")
    assert (again["fetched"], again["identical"], again["changed"]) == (390, 389, 1)
    assert again["changed_examples"] == ["2023-11-14T14:37:00Z"]
    server.do(lambda: server.bars["SPY", "1Min"].__setitem__(8, bar(8, c=400.8)))
    assert "The broker has corrected bars since: 2023-11-14T14:38:00Z" in weaver("data", "download", *DAY, "--again").out


def test_holes_are_shown(weaver: Weaver, server: FakeBroker) -> None:
    server.do(lambda: server.bars.update({("SPY", "1Min"): [bar(number) for number in range(390) if not 100 <= number < 105]}))
    document = fetch(weaver, *DAY)
    assert document["missing"] == 5
    assert document["gaps"] == [{"start": "2023-11-14T16:10:00Z", "end": "2023-11-14T16:15:00Z", "missing": 5}]
    assert "1 hole, 5 bars missing" in weaver("data", "download", *DAY).out


def test_bars_that_contradict_themselves_are_left_out(weaver: Weaver, server: FakeBroker) -> None:
    server.do(lambda: server.bars["SPY", "1Min"].__setitem__(7, bar(7, h=1)))
    document = fetch(weaver, *DAY)
    assert (document["fetched"], document["refused"], document["stored"]) == (390, 1, 389)


def test_a_deleted_set_is_fetched_anew(weaver: Weaver, server: FakeBroker) -> None:
    fetch(weaver, *DAY)
    assert weaver("data", "delete", "--symbol", "SPY").code == 0
    assert fetch(weaver, *DAY)["added"] == 390


def test_a_bar_that_is_not_over_is_left_for_the_next_time(weaver: Weaver, server: FakeBroker) -> None:
    document = fetch(weaver, *DAY[:6])
    assert document["end"] < weaver("data", "list", "--json").json()["sets"][0]["updated"]
    future = weaver("data", "download", *DAY[:4], "--start", "2999-01-01")
    assert future.code == 2
    assert "it must be later" in future.err
    assert (
        "no bar of 1m from there on is over yet" in weaver("data", "download", *DAY[:4], "--start", "2999-01-01", "--end", "2999-01-02").err
    )


def test_crypto_has_no_feed(weaver: Weaver, server: FakeBroker) -> None:
    server.do(lambda: server.bars.update({("BTC/USD", "1Hour"): [bar(0), bar(60)]}))
    document = fetch(weaver, "--symbol", "BTC/USD", "--timeframe", "1h", "--start", "2023-11-14", "--end", "2023-11-15")
    assert (document["source"], document["added"]) == ("alpaca-crypto", 2)
    assert "feed" not in server.queries[-1][1]


def test_several_symbols_come_one_after_the_other(weaver: Weaver, server: FakeBroker) -> None:
    said = weaver("data", "download", *DAY, "--symbol", "NOPE", "--symbol", "SPY")
    assert said.code == 0
    assert "SPY 1m from alpaca-iex, raw: 390 bars fetched: 390 new, 0 as before, 0 changed. 390 are stored" in said.out
    assert "NOPE 1m from alpaca-iex, raw: the broker has no bars there." in said.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--timeframe", "1m", "--start", "2023-11-14"], 2, "Name it with --symbol"),
        (["--symbol", "SPY", "--start", "2023-11-14"], 2, "Say it with --timeframe"),
        (["--symbol", "SPY", "--timeframe", "1m"], 2, "Say it with --start"),
        ([*DAY, "--feed", "spi"], 2, "feed cannot be 'spi': it must be one of iex, sip."),
        ([*DAY, "--account", "lvie"], 2, "Did you mean live?"),
        ([*DAY, "--adjustment", "splt"], 2, "Did you mean split?"),
        (["--symbol", "BTC/USD", *DAY[2:], "--adjustment", "all"], 2, "BTC/USD has no splits and no dividends"),
        (["--symbol", "EUR/USD", *DAY[2:]], 2, "Alpaca has equities and crypto, and no currencies."),
        (["--symbol", "SPY", "--timeframe", "90m", *DAY[4:]], 2, "Alpaca has 1m to 59m, 1h to 23h, 1d and 1w."),
        ([*DAY, "--account", "live"], 1, "The live account has no keys on this machine."),
    ],
)
def test_a_wrong_call_is_refused(weaver: Weaver, server: FakeBroker, arguments: list[str], code: int, said: str) -> None:
    done = weaver("data", "download", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert weaver("data", "list", "--json").json() == {"sets": []}


def test_what_a_plan_does_not_include_is_told(weaver: Weaver, server: FakeBroker) -> None:
    server.do(lambda: setattr(server, "recent_sip", False))
    said = weaver("data", "download", *DAY, "--feed", "sip")
    assert said.code == 1
    assert "subscription does not permit querying recent SIP data (403). Use the feed iex, or end the period" in said.err


def test_a_stop_keeps_what_was_stored(weaver: Weaver, server: FakeBroker, begin: Callable[..., Any]) -> None:
    server.do(lambda: setattr(server, "silent_at_page", "200"))
    process = begin("data", "download", *DAY, "--verbose")
    read_until(process, "SPY: 200 bars")
    server.wait_for(lambda: server.requests[BARS] == 3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "error[cancelled]: The download was stopped. What was stored stays; the same call goes on from there." in said
    server.do(lambda: setattr(server, "silent_at_page", None))
    assert fetch(weaver, *DAY)["fetched"] == 190


def test_faults_that_pass_are_not_noticed(weaver: Weaver, server: FakeBroker) -> None:
    server.fail(Fault(BARS, Way.STATUS, 429, headers={"Retry-After": "0"}), Fault(BARS, Way.RESET_DURING))
    assert fetch(weaver, *DAY)["added"] == 390


def test_prices_are_the_brokers_to_the_last_bit(weaver: Weaver, server: FakeBroker, tmp_path: Any) -> None:
    fetch(weaver, *DAY)
    path = tmp_path / "out.csv"
    assert weaver("data", "export", path, "--symbol", "SPY").code == 0
    row = path.read_text().splitlines()[1].split(",")
    assert [Decimal(cell) for cell in row[1:]] == [Decimal(text) for text in ("400.1", "401.25", "399.5", "400.75", "1000")]


def halved(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, **{name: row[name] / 2 for name in "ohlc"}} for row in rows]


def test_adjusted_prices_that_a_split_has_changed_since_are_all_fetched_anew(weaver: Weaver, server: FakeBroker) -> None:
    split = ("--adjustment", "split")
    first, second = (*DAY[:6], "--end", "2023-11-14T16:00"), (*DAY[:4], "--start", "2023-11-14T16:00", "--end", "2023-11-15")
    assert (fetch(weaver, *first, *split)["stored"], fetch(weaver, *first)["stored"]) == (90, 90)
    server.do(lambda: server.bars.update({("SPY", "1Min"): halved(server.bars["SPY", "1Min"])}))
    document = fetch(weaver, *second, *split)
    assert (document["readjusted"], document["fetched"], document["changed"], document["added"]) == (True, 390, 90, 300)
    again = fetch(weaver, *first, *second[4:], *split)
    assert (again["readjusted"], again["fetched"]) == (False, 0)
    server.do(lambda: server.bars.update({("SPY", "1Min"): halved(server.bars["SPY", "1Min"])}))
    said = weaver("data", "download", *first, *split).out  # whatever is asked for: no seam is left
    assert "A split or a dividend has changed the adjusted prices since they were stored: all of them were fetched anew." in said
    assert "390 bars fetched: 0 new, 0 as before, 390 changed" in said
    assert fetch(weaver, *second)["readjusted"] is False  # raw prices are what they were


def test_a_bar_that_was_corrected_is_no_split(weaver: Weaver, server: FakeBroker) -> None:
    fetch(weaver, *DAY, "--adjustment", "all")
    server.do(lambda: server.bars["SPY", "1Min"].__setitem__(389, bar(389, c=400.8)))
    document = fetch(weaver, *DAY, "--adjustment", "all")
    assert (document["readjusted"], document["fetched"]) == (False, 0)


def test_the_newest_bars_are_asked_for_again_until_they_must_be_there(weaver: Weaver, server: FakeBroker) -> None:
    hour_ns = SystemClock().now_ns() // HOUR_NS * HOUR_NS - 3 * HOUR_NS
    bars = [bar((hour_ns - FIRST_NS) // MINUTE_NS + number) for number in range(90)]
    since = ("--symbol", "SPY", "--timeframe", "1m", "--start", iso(hour_ns))
    server.do(lambda: server.bars.update({("SPY", "1Min"): bars[:30]}))  # the broker is late, or our clock is ahead
    assert fetch(weaver, *since)["stored"] == 30
    server.do(lambda: server.bars.update({("SPY", "1Min"): bars}))
    document = fetch(weaver, *since)
    assert (document["fetched"], document["stored"]) == (60, 90)


@pytest.mark.parametrize("pages", [{"next_page_token": "100"}, {"next_page_token": "0"}], ids=["the same page", "an earlier page"])
def test_pages_that_go_round_in_a_circle_are_no_end(weaver: Weaver, server: FakeBroker, pages: dict[str, str]) -> None:
    server.do(lambda: setattr(server, "after_page", {"100": pages["next_page_token"]}))
    said = weaver("data", "download", *DAY)
    assert said.code == 1
    assert "error[answer_unreadable]: Reading bars of SPY: the broker's pages do not follow one another" in said.err
    server.do(lambda: setattr(server, "after_page", {}))
    document = fetch(weaver, *DAY)
    assert (document["stored"], document["missing"]) == (390, 0)


@pytest.mark.parametrize("page", ["100", "200", "300"])
def test_killed_at_any_page_it_goes_on_where_it_was(weaver: Weaver, server: FakeBroker, begin: Callable[..., Any], page: str) -> None:
    server.do(lambda: setattr(server, "silent_at_page", page))
    process = begin("data", "download", *DAY)
    server.wait_for(lambda: server.requests[BARS] == int(page) // 100 + 1, seconds=30)
    process.kill()
    process.wait(timeout=30)
    server.do(lambda: setattr(server, "silent_at_page", None))
    document = fetch(weaver, *DAY)
    assert (document["stored"], document["missing"], document["changed"]) == (390, 0, 0)
    # The page before was stored and told of; at worst it came a second time.
    assert document["fetched"] in {390 - int(page), 490 - int(page)}
    assert weaver("db", "check").code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files")
def test_a_disk_that_is_full_keeps_the_pages_before(weaver: Weaver, weaver_home: Path, server: FakeBroker) -> None:
    assert weaver("data", "list").code == 0
    server.do(lambda: setattr(server, "page_bars", 20))
    server.do(lambda: server.bars.update({("SPY", "1Min"): [bar(number, c=400 + number % 97 / 100) for number in range(390)]}))
    most = (weaver_home / "weaver.db").stat().st_size + 8_192
    code = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
sys.argv = ["weaver", *{["data", "download", *DAY]!r}]
from app.__main__ import main
main()
"""
    environment = environment_of_process(weaver_home)
    full = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (full.returncode, full.stdout) == (1, "")
    assert re.fullmatch(r"error\[(store_error|disk_full)\]: .+\n", full.stderr)
    document = fetch(weaver, *DAY)
    assert 0 < document["fetched"] < 390
    assert (document["stored"], document["missing"]) == (390, 0)
    assert weaver("db", "check").code == 0
