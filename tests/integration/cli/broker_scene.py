"""The program as processes beside a fake Alpaca with a market of its own, in a time that a test can move."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.broker.bench import environment_of, fake_broker
from tests.broker.market import Market
from tests.broker.server import FakeBroker
from tests.broker.shared_clock import SharedClock
from tests.integration.cli.conftest import PIPE_BYTES, ROOT
from tests.integration.cli.conftest import environment_of as process_environment

SPEED = 60
TURN = '''
from core.strategy.api import Bar, BarStrategy


class Turn(BarStrategy):
    """Buys and sells all of it in turn, and leaves an order for another symbol working."""

    id = "turn"
    symbols = 0
    warmup = 5

    def on_bar(self, bar: Bar) -> None:
        first, *others = self.config.symbols
        if bar.symbol != first:
            return
        if self.held(first):
            self.sell(self.held(first), symbol=first)
        else:
            self.buy({qty}, symbol=first)
        if others and not self.account.working():
            self.buy(1, symbol=others[0], limit=1, time_in_force="gtc")
'''


class Scene:
    """Calls of the program beside a broker. `variables`: the environment that points it at the broker, and at the test's time."""

    def __init__(self, home: Path, variables: Mapping[str, str]) -> None:
        self.variables = variables
        self._home = home
        self._begun: list[subprocess.Popen[str]] = []

    def begin(self, *arguments: str, **more: str) -> "subprocess.Popen[str]":
        """Begin a call of the program."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.broker.fast_weaver", *arguments],
            cwd=ROOT,
            env=process_environment(self._home, **{**self.variables, **more}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pipesize=PIPE_BYTES,
            text=True,
        )
        self._begun.append(process)
        return process

    def end_all(self) -> None:
        for process in self._begun:
            process.kill()
            process.communicate()


class BrokerScene(Scene):
    """What a test holds in its hands of a fake Alpaca."""

    def __init__(self, server: FakeBroker, clock: SharedClock, market: Market, home: Path, variables: Mapping[str, str]) -> None:
        super().__init__(home, variables)
        self.server, self.clock, self.market = server, clock, market

    def orders(self) -> list[dict[str, Any]]:
        """The broker's orders, oldest first."""
        return self.server.do(lambda: [dict(order) for order in self.server.book.orders.values()])

    def held(self) -> dict[str, str]:
        """What the account holds."""
        return self.server.do(lambda: {symbol: str(one.qty) for symbol, one in self.server.book.holdings.items()})


@contextmanager
def broker_scene(folder: Path, home: Path, start_ns: int, prices: dict[str, float], qty: str = "1", **more: str) -> Iterator[BrokerScene]:
    """A scene whose time begins at `start_ns`; the strategy `turn` buys `qty`."""
    (home / "strategies").mkdir(parents=True, exist_ok=True)
    (home / "strategies" / "turn.py").write_text(TURN.replace("{qty}", qty))
    with ExitStack() as stack:
        server = stack.enter_context(fake_broker())
        clock = SharedClock.begin(folder / "clock", start_ns, SPEED)
        market = stack.enter_context(Market(server, clock, prices).running())
        variables = {**environment_of(server), "WEAVER_TEST_CLOCK": str(folder / "clock"), **more}
        scene = BrokerScene(server, clock, market, home, variables)
        stack.callback(scene.end_all)
        yield scene


def terminated(process: "subprocess.Popen[str]") -> Any:
    """What a process says after SIGTERM: its report."""
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out)


Scenes = Callable[..., BrokerScene]
