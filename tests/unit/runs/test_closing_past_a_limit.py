"""A loss limit is reached while a position is protected: it can be closed all the same, and its exits leave."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from core.model.broker import Account
from core.model.order import OrderStatus, RejectCode
from core.model.risk import RiskLimits, SwitchLevel
from tests.unit.runs.test_hand import HandScene, buy, lasting_hand
from tests.unit.runs.test_partial_close import FAR, held, over, with_exits, working

D = Decimal
S = OrderStatus


def lose(hand: HandScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the day's loss be beyond its limit from now on, whatever the broker says next."""
    state = hand.account.desk.state
    note = state.note_account

    def lost(account: Account) -> None:
        note(msgspec.structs.replace(account, last_equity=account.equity + 100))

    monkeypatch.setattr(state, "note_account", lost)
    assert state.account is not None
    lost(state.account)
    state.limits = RiskLimits(max_daily_loss=D(10))


@pytest.mark.parametrize("qty", [None, 1])
async def test_a_protected_position_is_closed_whole_or_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qty: int | None) -> None:
    async with lasting_hand(tmp_path) as hand:
        entry = await with_exits(hand, 2, **FAR)
        lose(hand, monkeypatch)
        await hand.until(await hand.account.close("DEMO/USD", hand.run_id, None if qty is None else D(qty)), S.FILLED)
        assert (held(hand), working(hand)) == ((D(0), {}) if qty is None else (D(1), over(entry, target=1, stop=1)))


async def test_both_exits_leave_when_the_limit_is_reached_before_their_entry_fills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lasting_hand(tmp_path) as hand:
        await hand.view()
        entry = await hand.account.place(buy(2, **FAR))
        lose(hand, monkeypatch)
        lives = hand.account.desk.state.lives
        legs = [f"{entry.id}.{leg}" for leg in ("stop", "target")]
        await hand.moved(lambda: all(each in lives and lives[each].order.status not in {S.CREATED, S.SUBMITTING} for each in legs))
        assert [lives[each].order.status for each in legs] == [S.ACCEPTED, S.ACCEPTED]


async def test_both_exits_leave_when_only_reducing_is_allowed(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        entry = await hand.account.place(buy(2, **FAR))
        hand.account.desk.state.set_level(None, SwitchLevel.REDUCE_ONLY)
        lives = hand.account.desk.state.lives
        legs = [f"{entry.id}.{leg}" for leg in ("stop", "target")]
        await hand.moved(lambda: all(each in lives and lives[each].order.status not in {S.CREATED, S.SUBMITTING} for each in legs))
        assert [lives[each].order.status for each in legs] == [S.ACCEPTED, S.ACCEPTED]


async def test_a_reverse_that_the_limit_forbids_leaves_the_exits_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lasting_hand(tmp_path) as hand:
        entry = await with_exits(hand, 2, symbol="DEMO", **FAR)
        lose(hand, monkeypatch)
        refused = await hand.account.reverse("DEMO", hand.run_id)
        assert refused.reject_code is RejectCode.RISK_DAILY_LOSS
        assert working(hand) == over(entry, target=2, stop=2)


async def test_a_part_is_not_closed_where_an_order_more_would_be_one_too_many(tmp_path: Path) -> None:
    async with lasting_hand(tmp_path) as hand:
        entry = await with_exits(hand, 4, **FAR)
        hand.account.desk.state.limits = RiskLimits(max_open_orders=2)
        refused = await hand.account.close("DEMO/USD", hand.run_id, D(1))
        assert (refused.reject_code, working(hand)) == (RejectCode.RISK_OPEN_ORDERS, over(entry, target=4, stop=4))
        await hand.until(await hand.account.close("DEMO/USD", hand.run_id), S.FILLED)
        assert (held(hand), working(hand)) == (D(0), {})
