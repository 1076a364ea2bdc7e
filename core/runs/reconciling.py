"""Compares an account with its broker because a person asked, and waits until what may be the broker's lag is settled."""

import asyncio
from contextlib import suppress
from typing import Final

from core.events.envelope import Envelope
from core.events.live_payloads import AccountAdopted, Differed
from core.model.broker import AccountName
from core.model.reconciliation import Found, Reconciliation
from core.ports import EventLog
from core.runs.desks import Desks
from core.trading.reconcile import Difference, Healing
from core.trading.service import AccountDesk

PATIENCE_S: Final = 15.0
"""How long what may be lag is looked at again: longer than it takes to count."""
_AGAIN_S: Final = 1.0


async def settled(desk: AccountDesk) -> tuple[Difference, ...]:
    """Compare and heal until nothing is waited for, or it has taken too long; return what differed last. Raises BrokerError."""
    last = await desk.reconcile()
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while any(one.healing is Healing.WAIT for one in last):
                await asyncio.sleep(_AGAIN_S)
                last = await desk.reconcile()
    return last


async def reconcile_account(
    desks: Desks, log: EventLog, broker_id: str, account: AccountName, accepts: str | None = None
) -> Reconciliation:
    """Connect, compare and heal. Raises BrokerError, HeldElsewhere, UnknownName.

    `accepts`: why a person takes what nothing else heals as the broker has it.
    """
    told: list[Differed] = []
    adopted: list[AccountAdopted] = []

    def hear(event: Envelope) -> None:
        payload = event.payload
        if isinstance(payload, Differed):
            told.append(payload)
        elif isinstance(payload, AccountAdopted):
            adopted.append(payload)

    with log.subscribe("live.*", hear, owner="reconcile"):
        async with desks.open(broker_id, account) as opened:
            last = await settled(opened.desk)
            if accepts is not None and any(one.healing is Healing.STOP for one in last):
                await opened.desk.reconcile(accepts=accepts)
                last = await opened.desk.reconcile()
            key, working = opened.desk.state.key, len(opened.desk.state.working())
    # What was waited for is told when it is met and when it counts: the last word on it is the one that holds.
    found = [
        Found(what=one.what, healing=one.healing, symbol=one.symbol, reason=one.reason, order_id=one.order_id)
        for one in told
        if one.account == key
    ]
    unhealed = tuple(_found(one) for one in last if one.healing in {Healing.STOP, Healing.WAIT})
    # What lasts was told when it was first met, maybe long ago.
    newest = {(one.what, one.order_id, one.symbol, one.reason): one for one in (*found, *unhealed)}
    return Reconciliation(
        account=key,
        differences=tuple(newest.values()),
        unhealed=unhealed,
        is_new=any(one.account == key for one in adopted),
        orders=working,
    )


def _found(one: Difference) -> Found:
    return Found(what=one.kind.value, healing=one.healing.value, symbol=one.symbol, reason=one.reason, order_id=one.order_id)
