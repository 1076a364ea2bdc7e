"""A strategy leaves a position at Alpaca though its exits hold the units back: they make way, over HTTP and websockets."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.runs.making_way import S, leaving

D = Decimal


@pytest.mark.parametrize("how", ["self.close_position()", "self.sell(10)", "self.sell(10, limit=390)"])
@pytest.mark.parametrize("kind", ["bracket", "oco", "stop"])
async def test_all_of_it_is_closed(tmp_path: Path, kind: str, how: str) -> None:
    async with leaving(tmp_path, kind) as scene:
        scene.leave(how)
        await scene.fills(2)
        assert (await scene.held(), scene.at_broker()) == (0, 0)
        assert scene.working() == set()
        sales = [one for one in scene.desk.sent() if one["side"] == "sell" and one["status"] == "filled"]
        assert [one["filled_qty"] for one in sales] == ["10"]
        assert [order for order in (await scene.rows()).values() if order.status is S.REJECTED] == []
        await scene.desk.runs.stop(scene.run.id)
