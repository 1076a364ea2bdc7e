"""What the demonstration runs."""

import pytest

from app.compose import compose_engine, compose_store
from app.config import MEMORY
from app.demo import demo_config, demo_run
from core.engine import Engine
from core.errors import BugError
from core.model.result import Progress
from core.model.run import RunStatus
from core.settings import Settings


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    def on_bug(error: BaseException, doing: str) -> None:
        raise AssertionError(doing) from error

    return compose_engine(compose_store(MEMORY), tmp_path_factory.mktemp("strategies"), Settings({}, {}), on_bug)


async def test_it_makes_one_finished_run_and_finds_it_again(engine: Engine) -> None:
    steps: list[Progress] = []
    await engine.open()
    try:
        run = await demo_run(engine, steps.append)
        again = await demo_run(engine, steps.append)
        assert (await engine.runs())[0].id == again.id == run.id
    finally:
        await engine.close()
    assert run.status is RunStatus.COMPLETED
    assert run.demo
    assert run.config.symbols == ("DEMO",)
    assert all(item.simulated for item in await engine.bar_sets())


def test_without_a_market_it_is_a_bug(engine: Engine) -> None:
    with pytest.raises(BugError):
        demo_config(engine, [])
