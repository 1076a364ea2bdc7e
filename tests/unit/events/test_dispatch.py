"""What the contract of the logs does not show of the dispatcher."""

from core.events.dispatch import Dispatcher
from core.events.envelope import Envelope, envelope
from core.events.payloads import RunStopped
from tests.strictness.log_guard import AllowLog


def _event(run_id: str | None = "a") -> Envelope:
    return envelope(RunStopped(bars=1, reason="asked"), id="1", ts=1, producer="test", run_id=run_id)


def _dispatcher() -> Dispatcher:
    return Dispatcher(now_ns=lambda: 1, monotonic_ns=lambda: 1)


def test_subscribers_are_called_in_the_order_they_subscribed() -> None:
    dispatcher, heard = _dispatcher(), []
    subscriptions = [
        dispatcher.subscribe(pattern, lambda event, number=number: heard.append(number), owner="test", run_id=run_id)  # type: ignore[misc]
        for number, (pattern, run_id) in enumerate([("run.Stopped", "a"), ("*", None), ("run.*", "a"), ("*", "a"), ("run.*", None)])
    ]
    dispatcher.announce([_event()])
    assert heard == [0, 1, 2, 3, 4]
    heard.clear()
    subscriptions[2].close()
    dispatcher.announce([_event(), _event("b")])
    assert heard == [0, 1, 3, 4, 1, 4]
    for subscription in subscriptions:
        subscription.close()


def test_what_is_remembered_of_runs_does_not_grow_for_ever() -> None:
    dispatcher = _dispatcher()
    for number in range(10_000):
        dispatcher.announce([_event(f"run-{number}")])
    assert len(dispatcher._wanted_by) <= 4_096


def test_a_batch_told_from_inside_an_announcement_is_told() -> None:
    dispatcher = _dispatcher()
    heard: list[int] = []
    done: list[bool] = []

    def answer(event: Envelope) -> None:
        heard.append(event.seq)
        if not done:
            done.append(False)
            dispatcher.tell([_event()], lambda failures: done.append(True))

    with dispatcher.subscribe("*", answer, owner="test"):
        dispatcher.announce([_event()])
    assert heard == [0, 0]
    assert done == [False, True]


def test_a_subscriber_that_always_fails_does_not_flood_the_log(allow_log: AllowLog) -> None:
    allow_log("raised at run.Stopped")
    dispatcher = _dispatcher()
    failures: list[Envelope] = []

    def fail(event: Envelope) -> None:
        raise ValueError("no")

    with (
        dispatcher.subscribe("run.*", fail, owner="panel") as subscription,
        dispatcher.subscribe("system.*", failures.append, owner="test"),
    ):
        for _ in range(300):
            dispatcher.announce([_event()])
        assert subscription.failures == 300
    assert len(failures) == 20 + 4  # and the 32nd, 64th, 128th and 256th


def test_a_subscription_tells_what_it_is() -> None:
    with _dispatcher().subscribe("run.*", lambda event: None, owner="panel", run_id="a") as subscription:
        assert repr(subscription) == "<subscription of panel to run.* of run a>"
