"""The accounts that runs trade on and that outlive the program: held open for them from before they start until they are over."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from core.model.run import Run, RunConfig, RunMode
from core.ports import BrokerSource
from core.runs.desks import Desks
from core.runs.live_config import account_of


class RunAccounts:
    """Those of the runs of this process."""

    def __init__(self, desks: Desks, brokers: BrokerSource) -> None:
        self._desks = desks
        self._brokers = brokers
        self._armed: dict[str, AsyncExitStack] = {}

    def is_needed(self, config: RunConfig) -> bool:
        """Tell whether a run trades on an account that others may have, too: not one that is made for this program."""
        return config.mode is RunMode.LIVE or (config.mode is RunMode.PAPER and self._brokers.outlives_program(config.broker))

    @asynccontextmanager
    async def held(self, config: RunConfig) -> AsyncGenerator[None]:
        """Have the account that such a run needs, if any, for the length of the block. Raises HeldElsewhere, BrokerError."""
        async with AsyncExitStack() as stack:
            if self.is_needed(config):
                await stack.enter_async_context(self._desks.open(config.broker, account_of(config.mode)))
            yield

    async def arm(self, run: Run, confirm: str) -> None:
        """Open the account of a run and let orders leave there. Raises NotArmed, HeldElsewhere, BrokerError."""
        opened = AsyncExitStack()
        account = await opened.enter_async_context(self._desks.open(run.config.broker, account_of(run.config.mode)))
        self._armed[run.id] = opened
        await account.arm(confirm, run.id)

    async def disarm(self, run_id: str) -> None:
        """Let go of a run's account; harmless where it has none."""
        opened = self._armed.pop(run_id, None)
        if opened is not None:
            await opened.aclose()
