"""What is at stake in the window: real money, play money or none; its frame, its title and its send button say so."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.model.run import RunMode, RunStatus
from core.views.runs import RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """`mode` is the most serious that goes on here; `accounts` name where, in words."""

    mode: RunMode = RunMode.BACKTEST
    accounts: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """`LIVE – Alpaca live 123456789`; empty while nothing is at stake."""
        if self.mode is RunMode.BACKTEST:
            return ""
        return " – ".join((self.mode.value.upper(), *((", ".join(self.accounts),) if self.accounts else ())))


def stake_of(runs: Iterable[RunRow], connected: Iterable[tuple[str, RunMode]]) -> Stake:
    """Return what is at stake: runs of this desk that go on, and connected accounts with their name and mode.

    Runs at other desks are in the table of runs; this window cannot lose their money.
    """
    named = [(name, mode) for name, mode in connected if mode is not RunMode.BACKTEST]
    going = [row.run.config for row in runs if row.run.status is RunStatus.RUNNING and not row.desk]
    trading = [config for config in going if config.mode is not RunMode.BACKTEST]
    modes = {mode for _, mode in named} | {config.mode for config in trading}
    if not modes:
        return Stake()
    mode = RunMode.LIVE if RunMode.LIVE in modes else RunMode.PAPER
    names = [name for name, of in named if of is mode]
    names = names or sorted({f"{config.broker} {mode}" for config in trading if config.mode is mode})
    return Stake(mode=mode, accounts=tuple(names))
