"""Pauses, the pace of requests, and keys that do not show themselves."""

import copy
import json
import pickle
import threading

import msgspec
import pytest

from core.brokers.api import Link
from core.brokers.credentials import Credentials
from core.brokers.patience import Pace, pause_s
from core.errors import BrokerUnreachable
from core.model.broker import AccountName
from core.model.instants import MINUTE_NS
from tests.contract.samples import StillClock


@pytest.mark.parametrize(("failures", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (500, 8.0)])
def test_pauses_double_up_to_a_limit_with_chance_in_them(failures: int, longest: float) -> None:
    pauses = {pause_s(failures, 0.5, 8.0) for _ in range(50)}
    assert len(pauses) > 1
    assert longest / 2 <= min(pauses) <= max(pauses) <= longest


def test_no_more_requests_pass_in_a_minute_than_may() -> None:
    clock, stopped = StillClock(), threading.Event()
    pace = Pace(3, clock, stopped)
    for _ in range(3):
        pace.take()
    stopped.set()  # so that waiting, which it would now, is told by an error
    with pytest.raises(BrokerUnreachable):
        pace.take()
    clock.now += MINUTE_NS - 1
    with pytest.raises(BrokerUnreachable):
        pace.take()
    clock.now += 1
    pace.take()


def test_an_order_counts_and_never_waits() -> None:
    clock, stopped = StillClock(), threading.Event()
    pace = Pace(3, clock, stopped)
    for _ in range(5):
        pace.count()
    stopped.set()
    with pytest.raises(BrokerUnreachable):
        pace.take()


def test_keys_do_not_show_themselves_and_cannot_be_stored() -> None:
    keys = Credentials("PKABCDEFGHIJKLMNWXYZ", "the-secret-itself")
    for text in (repr(keys), str(keys), f"{keys}", f"{[keys]}"):
        assert "WXYZ" in text
        assert "ABCDEF" not in text
        assert "secret" not in text
    assert Credentials("short", "x").shown == "…"
    assert "secret" not in repr(Link(account=AccountName.PAPER, credentials=keys, addresses={}, clock=StillClock()))
    for store in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode, vars):
        with pytest.raises(TypeError):
            store(keys)
