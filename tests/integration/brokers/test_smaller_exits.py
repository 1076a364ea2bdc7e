"""Beside exits that the paper account made smaller, with what their entry bought, a later entry is protected, too."""

from decimal import Decimal
from pathlib import Path

from core.model.hand import HandOrder
from core.model.order import OrderSide, OrderStatus
from core.runs.hand_account import HandAccount
from tests.broker.inside_bench import PaperBench, paper_bench
from tests.integration.brokers.test_paper_brackets import by_hand, placed, statuses, until

D, S = Decimal, OrderStatus


async def bought_a_part(account: HandAccount, bench: PaperBench) -> str:
    """Take an entry over 10 back once 4 of it are bought, and return its id: its exits are over 4 from then on."""
    entry = await placed(account, bench)
    bench.hold()
    bench.fill(account.desk.state.lives[entry].order.broker_id or "", "4", "390")
    await until(account, lambda: account.desk.state.lives[entry].order.filled_qty == 4)
    await account.cancel(entry)
    await until(account, lambda: statuses(account, entry) == [S.CANCELLED, S.ACCEPTED, S.ACCEPTED])
    return entry


async def test_the_exit_of_a_later_entry_leaves(tmp_path: Path) -> None:
    async with paper_bench() as bench, by_hand(tmp_path, bench) as account:
        entry = await bought_a_part(account, bench)
        state = account.desk.state
        await until(account, lambda: state.lives[f"{entry}.stop"].left_qty == 4)
        assert state.rests.qty(account.run.id, "SPY", OrderSide.SELL) == 4
        bench.quote("SPY", "399.99", "400.00")
        later = await account.place(HandOrder(symbol="SPY", side=OrderSide.BUY, qty=D("2.5"), stop_loss_price=D(370)))
        await until(account, lambda: f"{later.id}.stop" in state.lives)
        stop = state.lives[f"{later.id}.stop"].order
        assert (stop.request.qty, state.rests.qty(account.run.id, "SPY", OrderSide.SELL)) == (D("2.5"), D("6.5"))


async def test_a_restart_knows_how_small_they_are(tmp_path: Path) -> None:
    async with paper_bench() as bench:
        async with by_hand(tmp_path, bench) as account:
            entry = await bought_a_part(account, bench)
        async with by_hand(tmp_path, bench) as account:
            await account.desk.reconcile()
            lives = account.desk.state.lives
            exits = [lives[f"{entry}.{each}"] for each in ("stop", "target")]
            assert [(life.over_qty, life.left_qty) for life in exits] == [(D(4), D(4))] * 2
            assert not await account.desk.reconcile()
