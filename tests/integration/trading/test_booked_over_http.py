"""What Alpaca books without an execution, over HTTP: each run has its part, once, whatever happens on the way."""

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path

import pytest

from core.model.corporate_action import ratio_words
from core.model.instants import HOUR_NS
from core.model.order import OrderStatus
from tests.broker.bench import fake_broker
from tests.broker.desk import WireScene, wired
from tests.broker.server import FakeBroker
from tests.integration.trading.booked import Begin, Later, assert_at_rest, bought, cash, day_of, entries, held, plain_signed, stopped

D, S = Decimal, OrderStatus


@pytest.fixture
def clock() -> Later:
    return Later()


@pytest.fixture
def server(clock: Later) -> Iterator[FakeBroker]:
    with fake_broker(clock.now_ns) as running:
        running.book.forbids_wash_trades = False
        yield running


@pytest.fixture
def begin(tmp_path: Path, server: FakeBroker, clock: Later) -> Callable[..., AbstractAsyncContextManager[WireScene]]:
    """Start the program on the account, again and again."""
    return lambda **options: wired(tmp_path, server, clock=clock, settle_ns=0, **options)


# --- dividends ---


@pytest.mark.parametrize("is_away", [False, True])
async def test_a_dividend_is_paid_to_who_held_before_its_day_of_record(
    begin: Begin, server: FakeBroker, clock: Later, *, is_away: bool
) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        await bought(scene, "two", 5)
        before = {run_id: cash(scene, run_id) for run_id in ("one", "two")}
        clock.pass_days(2)
        record = day_of(server)
        # The next days: one buys more and two sells all; neither changes what they get.
        clock.pass_days(1)
        await bought(scene, "one", 7)
        await bought(scene, "two", 5, side="sell")
        moved = {run_id: cash(scene, run_id) - before[run_id] for run_id in before}
        clock.pass_days(3)
        await scene.desk.reconcile()  # what is asked for from here on is of later
        if not is_away:
            server.do(lambda: server.activities.dividend("SPY", "0.777", record=record, units="15"))
            await scene.desk.reconcile()
            await assert_at_rest(scene)
    if is_away:
        server.do(lambda: server.activities.dividend("SPY", "0.777", record=record, units="15"))
    async with begin() as scene:
        await scene.run("one")
        await scene.run("two")
        paid = {run_id: cash(scene, run_id) - before[run_id] - moved[run_id] for run_id in before}
        # 11.655 is paid as 11.66, and that is what they have together.
        assert sum(paid.values()) == D("11.66")
        assert paid["one"] == (D("11.66") * 10 / 15).quantize(D("1E-18"))
        assert held(scene, "one") == 17
        await assert_at_rest(scene)
        told = await scene.told()
        assert "alpaca:PA3FAKE00001: dividend of SPY, +11.66 in cash. Dividend (DIV): Cash DIV @ 0.777, Pos QTY: 15" in told
        assert "Dividend of SPY, 0.777 a share on 10:" in told


async def test_a_dividend_that_is_paid_after_a_split_is_on_the_shares_of_before(begin: Begin, server: FakeBroker, clock: Later) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        await bought(scene, "two", 4)
        clock.pass_days(2)
        record = day_of(server)
        clock.pass_days(1)
        server.do(lambda: server.activities.split("SPY", 3, 2))
        await scene.desk.reconcile()
        await bought(scene, "one", 6, side="sell")
        await bought(scene, "two", 6, side="sell")
        before = {run_id: cash(scene, run_id) for run_id in ("one", "two")}
        clock.pass_days(4)
        server.do(lambda: server.activities.dividend("SPY", "0.5", record=record, units="14"))
        await scene.desk.reconcile()
        assert {run_id: cash(scene, run_id) - was for run_id, was in before.items()} == {"one": D(5), "two": D(2)}
        assert (held(scene, "one"), held(scene, "two")) == (D(9), D(0))
        await assert_at_rest(scene)


async def test_what_is_kept_of_a_dividend_is_kept_of_the_same_holders(begin: Begin, server: FakeBroker, clock: Later) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        before = cash(scene, "one")
        clock.pass_days(2)
        record = day_of(server)
        clock.pass_days(2)
        await bought(scene, "one", 10, side="sell")
        sold = cash(scene, "one") - before

        def pay() -> None:
            server.activities.dividend("SPY", "1", record=record, units="10")
            server.activities.money("DIVNRA", "-3.00", symbol="SPY", description="DIV tax withholding on $10 at 30% for tax country IND")

        server.do(pay)
        await scene.desk.reconcile()
        assert cash(scene, "one") - before - sold == 7
        assert "Kept of a dividend of SPY, 0.3 a share on 10: -3." in await scene.told()
        await assert_at_rest(scene)


async def test_a_dividend_of_before_the_account_was_met_is_nobodys_here(begin: Begin, server: FakeBroker, clock: Later) -> None:
    record = day_of(server)
    clock.pass_days(10)
    async with begin() as scene:
        await bought(scene, "one", 10)
        before = cash(scene, "one")
        server.do(lambda: server.activities.dividend("SPY", "0.5", record=record, units="100"))
        await scene.desk.reconcile()
        assert cash(scene, "one") == before
        assert [one.cash for one in await entries(scene)] == [D("50.00")]
        await assert_at_rest(scene)


async def test_a_dividend_that_is_taken_back_is_given_back(begin: Begin, server: FakeBroker, clock: Later) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        before = cash(scene, "one")
        clock.pass_days(2)
        pending = server.do(lambda: server.activities.dividend("SPY", "0.5", status="pending"))
        await scene.desk.reconcile()
        assert cash(scene, "one") == before
        server.do(lambda: pending.update(status="executed"))
        await scene.desk.reconcile()
        assert cash(scene, "one") - before == 5
        server.do(lambda: server.activities.cancel(pending))
        await scene.desk.reconcile()
        await scene.desk.reconcile()
        assert cash(scene, "one") == before
        # One that was taken back before it was ever seen is nothing.
        server.do(lambda: server.activities.cancel(server.activities.dividend("SPY", "9")))
        await assert_at_rest(scene)
        assert cash(scene, "one") == before
    async with begin() as scene:
        await scene.run("one")
        assert cash(scene, "one") == before
        assert len(await entries(scene)) == 2
        await assert_at_rest(scene)


# --- splits ---


@pytest.mark.parametrize("orders", ["adjusted", "kept", "cancelled"])
@pytest.mark.parametrize(("new", "old"), [(3, 2), (1, 20)])
@pytest.mark.parametrize("is_away", [False, True])
async def test_a_split_is_each_runs_own_and_orders_are_what_the_broker_made_of_them(
    begin: Begin, server: FakeBroker, clock: Later, orders: str, new: int, old: int, *, is_away: bool
) -> None:
    def split() -> None:
        server.activities.split("SPY", new, old, orders=orders)

    async with begin() as scene:
        await bought(scene, "one", 40)
        await bought(scene, "two", 20)
        works = await scene.working(20, run_id="one", limit="390")
        before = {run_id: cash(scene, run_id) for run_id in ("one", "two")}
        clock.pass_days(1)
        if not is_away:
            server.do(split)
            await scene.desk.reconcile()
    if is_away:
        server.do(split)
    async with begin() as scene:
        await scene.run("one")
        await scene.run("two")
        ratio = D(new) / old
        assert (held(scene, "one"), held(scene, "two")) == (40 * ratio, 20 * ratio)
        assert {run_id: cash(scene, run_id) for run_id in before} == before
        order = scene.desk.state.lives[works].order
        if orders == "cancelled":
            assert order.status is S.CANCELLED
        else:
            assert order.status is S.ACCEPTED
            wanted = (20 * ratio, 390 / ratio) if orders == "adjusted" else (D(20), D(390))
            assert (order.request.qty, order.request.limit_price) == wanted
        await assert_at_rest(scene)
        told = await scene.told()
        assert f"alpaca:PA3FAKE00001: split of SPY, {plain_signed(60 * ratio - 60)} units. Split (SPLIT), {ratio_words(ratio)}." in told
        if orders != "cancelled":
            scene.fill(works, str(order.request.qty), str(order.request.limit_price))
            await scene.until_status(works, S.FILLED)
            assert held(scene, "one") == 40 * ratio + order.request.qty
            await assert_at_rest(scene)


@pytest.mark.parametrize("orders", ["adjusted", "kept"])
async def test_the_rest_of_a_half_filled_order_fills_after_a_split(begin: Begin, server: FakeBroker, orders: str) -> None:
    async with begin() as scene:
        await scene.run("one")
        works = await scene.working(10, run_id="one", limit="390")
        scene.fill(works, 4)
        await scene.until_filled(works, 4)
        server.do(lambda: server.activities.split("SPY", 3, 2, orders=orders))
        await scene.desk.reconcile()
        assert held(scene, "one") == 6
        rest = D(9) if orders == "adjusted" else D(6)
        order = scene.desk.state.lives[works].order
        assert order.request.qty - order.filled_qty == rest
        scene.fill(works, str(rest), 260)
        await scene.until_status(works, S.FILLED)
        assert held(scene, "one") == 6 + rest
        assert await scene.desk.reconcile() == ()


async def test_executions_around_a_split_are_each_in_their_own_units(begin: Begin, server: FakeBroker, clock: Later) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        works = await scene.working(10, run_id="one", limit="390")
    scene.fill(works, 4)  # while nobody looks
    clock.pass_days(1)
    server.do(lambda: server.activities.split("SPY", 3, 2))
    server.do(lambda: server.book.fill(server.book.by_client_id(works)["id"], "9", "260"))
    async with begin() as scene:
        await scene.run("one")
        assert held(scene, "one") == 30
        assert scene.status(works) is S.FILLED
        assert await scene.desk.reconcile() == ()
        assert scene.stopped == []


async def test_splits_that_are_heard_of_together_stand_in_their_order_after_a_restart(
    begin: Begin, server: FakeBroker, clock: Later
) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        clock.pass_days(1)
        server.do(lambda: server.activities.split("SPY", 2, 1))
        await bought(scene, "one", 4)  # in the new units, before anybody has heard of them
        clock.pass_days(1)
        server.do(lambda: server.activities.split("SPY", 3, 1))
        await scene.desk.reconcile()
        assert held(scene, "one") == 72
        await assert_at_rest(scene)
    async with begin() as scene:
        await scene.run("one")
        assert held(scene, "one") == 72
        await assert_at_rest(scene)


@pytest.mark.parametrize("of_whom", ["one run", "nobody"])
async def test_a_fraction_that_a_reverse_split_leaves_out_is_of_who_held(begin: Begin, server: FakeBroker, of_whom: str) -> None:
    if of_whom == "nobody":
        server.do(lambda: server.activities.units("JNLS", "SPY", "33"))
    async with begin() as scene:
        await scene.run("one")
        if of_whom == "one run":
            await bought(scene, "one", 33)
        server.do(lambda: server.activities.split("SPY", 1, 20, fractions=False))
        await scene.desk.reconcile()
        await assert_at_rest(scene)
        assert (held(scene, "one"), scene.desk.state.outside.get("SPY", D(0))) == ((D(1), D(0)) if of_whom == "one run" else (D(0), D(1)))


@pytest.mark.parametrize("group", [True, False])
async def test_of_a_split_that_is_half_told_the_rest_is_waited_for(begin: Begin, server: FakeBroker, clock: Later, *, group: bool) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        server.do(lambda: server.activities.split("SPY", 3, 2, halves=1, group=group))
        for _ in range(3):
            await scene.desk.reconcile()
        assert (scene.stopped, held(scene, "one")) == ([], D(10))
        server.do(server.activities.tell_the_rest)
        await scene.desk.reconcile()
        assert held(scene, "one") == 15
        await assert_at_rest(scene)


async def test_of_a_split_whose_other_half_never_comes_the_difference_is_told(begin: Begin, server: FakeBroker, clock: Later) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        server.do(lambda: server.activities.split("SPY", 3, 2, halves=1))
        await scene.desk.reconcile()
        clock.ahead_ns += HOUR_NS
        await stopped(scene)
        await scene.desk.reconcile(accepts="3:2 split")
        # It comes all the same, and is told; what a person accepted stands.
        server.do(server.activities.tell_the_rest)
        assert await scene.desk.reconcile() == ()
        assert (held(scene, "one"), scene.desk.state.outside["SPY"]) == (D(10), D(5))


async def test_a_split_that_a_person_has_accepted_is_not_booked_again(begin: Begin, server: FakeBroker) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        server.do(lambda: server.activities.hold("SPY", D(15)))  # the row of it comes later
        await stopped(scene)
        await scene.desk.reconcile(accepts="a split, 3:2")
    server.do(lambda: server.activities.hold("SPY", D(10)))
    server.do(lambda: server.activities.split("SPY", 3, 2))
    async with begin() as scene:
        await scene.run("one")
        assert await scene.desk.reconcile() == ()
        assert (held(scene, "one"), scene.desk.state.outside["SPY"]) == (D(10), D(5))
        assert "It is booked to no run here" in await scene.told()


# --- money, units and fees ---


async def test_money_that_comes_and_goes_is_told_and_is_no_runs(begin: Begin, server: FakeBroker) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        before = cash(scene, "one")

        def happens() -> None:
            server.activities.money("CSD", "5000")
            server.activities.money("CSW", "-700")
            server.activities.money("JNLC", "12.5")
            server.activities.money("FEE", "-0.02", description="TAF fee for proceed of 10 shares (1 trades) on 2024-12-10")
            server.activities.money("CFEE", "-0.25", symbol="BTCUSD", description="Coin Pair Transaction Fee (USD)")
            server.activities.money("INT", "-1.11", description="INT on debit balance")

        server.do(happens)
        await scene.desk.reconcile()
        assert cash(scene, "one") == before
        found = [(one.what, one.cash) for one in await entries(scene)]
        assert found == [
            ("deposit", D(5000)),
            ("withdrawal", D(-700)),
            ("transfer", D("12.5")),
            ("fee", D("-0.02")),
            ("fee", D("-0.25")),
            ("interest", D("-1.11")),
        ]
        told = await scene.told()
        assert "alpaca:PA3FAKE00001: deposit, +5000 in cash. Cash deposit (CSD)." in told
        assert "fee, -0.02 in cash. Fee (FEE): TAF fee for proceed of 10 shares (1 trades) on 2024-12-10." in told
        account = scene.desk.state.account
        assert account is not None
        assert account.cash == server.do(lambda: server.book.cash)
        await assert_at_rest(scene)


async def test_shares_from_another_account_are_nobodys_here(begin: Begin, server: FakeBroker) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        server.do(lambda: server.activities.units("JNLS", "SPY", "7"))
        server.do(lambda: server.activities.units("ACATS", "AAPL", "3"))
        await scene.desk.reconcile()
        assert scene.desk.state.outside == {"SPY": D(7), "AAPL": D(3)}
        server.do(lambda: server.activities.units("JNLS", "SPY", "-2"))
        await scene.desk.reconcile()
        await assert_at_rest(scene)
    async with begin() as scene:
        await scene.run("one")
        assert (held(scene, "one"), scene.desk.state.outside) == (D(10), {"SPY": D(5), "AAPL": D(3)})
        await assert_at_rest(scene)


async def test_units_that_the_account_does_not_show_are_told_and_left_to_a_person(begin: Begin, server: FakeBroker) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        server.do(lambda: server.activities.add("JNLS", symbol="SPY", qty="7"))
        assert await scene.desk.reconcile() == ()
        assert scene.desk.state.outside.get("SPY", D(0)) == 0
        assert [one.is_booked for one in await entries(scene)] == [False]
        await assert_at_rest(scene)


async def test_a_fee_in_coin_is_booked_once_by_what_is_held(begin: Begin, server: FakeBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WireScene, "symbol", "BTC/USD")
    async with begin() as scene:
        await scene.run("one")
        order_id = await scene.place(qty=1, run_id="one", limit="50000")
        await scene.until_status(order_id, S.FILLED)
        await scene.until(lambda: held(scene, "one") == D("0.9975"))
        server.do(lambda: server.activities.coin_fee("BTC/USD", "0.0025"))
        for _ in range(3):
            assert await scene.desk.reconcile() == ()
        assert held(scene, "one") == D("0.9975")
        assert "coin fee of BTC/USD, -0.0025 units. Crypto fee (CFEE): Coin Pair Transaction Fee (Non USD)." in await scene.told()
        assert len(await scene.events("account.CoinFee")) == 1
    async with begin() as scene:
        await scene.run("one")
        assert held(scene, "one") == D("0.9975")
        assert await scene.desk.reconcile() == ()
        assert scene.stopped == []


@pytest.mark.parametrize("kind", ["NC", "MA", "SPIN", "REORG", "WHATEVER"])
async def test_what_cannot_be_booked_is_told_and_the_difference_left_to_a_person(begin: Begin, server: FakeBroker, kind: str) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)
        await scene.run("other")
        server.do(lambda: server.activities.units(kind, "SPY", "-10", description="Something that a company does"))
        await stopped(scene)
        told = await scene.told()
        assert "Something that a company does. It is booked to no run here: what is held is compared with the broker." in told
        assert held(scene, "one") == 10
        await scene.desk.reconcile(accepts="they were removed")
        assert await scene.desk.reconcile() == ()
        assert scene.desk.state.outside["SPY"] == -10


async def test_rows_that_nobody_can_read_break_nothing(begin: Begin, server: FakeBroker) -> None:
    async with begin() as scene:
        await bought(scene, "one", 10)

        def happens() -> None:
            server.activities.add("FROM THE FUTURE", symbol=None, qty="x", net_amount=None, group_id=7)
            server.activities.rows.append({"id": None, "activity_type": "DIV"})
            server.activities.rows.append({"id": "no day::1"})
            server.activities.add("DIV", symbol="SPY", net_amount="NaN", per_share_amount="-")
            server.activities.add("DIV", symbol="NOT/HELD/HERE", net_amount="-1")

        server.do(happens)
        await assert_at_rest(scene)
        assert held(scene, "one") == 10
