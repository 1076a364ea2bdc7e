"""What a person does at the connected account, and what works there, upon the bars of a run that trades there."""

from decimal import Decimal

from core.model.broker import AccountName
from core.model.order import OrderSide
from tests.gui.dialogs.desk import until
from tests.gui.window.conftest import MakeDesk
from tests.gui.window.test_modes import paper_run
from tests.gui.window.test_trading import connected, sent
from ui.dialogs.change_order import ChangeOrderDialog

SPEED = 600.0
"""A minute of the market in a tenth of a second."""


async def test_a_persons_fills_and_working_orders_stand_on_the_chart(make_desk: MakeDesk) -> None:
    desk = await make_desk(speed=SPEED)
    trading = await connected(desk)
    run = await paper_run(desk)
    chart = desk.window.chart.chart
    await sent(desk, "DEMO/USD", "2")
    await until(lambda: chart.scene.by_hand is not None)
    assert chart.scene.by_hand is not None
    marks = chart.scene.by_hand.fills
    (fill,) = desk.window.views.by_hand_fills.rows
    assert (marks.side.tolist(), marks.qty.tolist(), marks.price.tolist()) == ([1], [2.0], [float(fill.price)])
    kinds = chart.hits().kinds
    chart.point_at(0, 0.0, ("by hand", 0))
    assert "by hand" in kinds
    assert chart.mark_label().startswith("By hand: Bought 2 at ")

    far = (fill.price * Decimal("0.9")).quantize(Decimal("0.01"))
    await sent(desk, "DEMO/USD", "3", OrderSide.BUY, limit=str(far))
    await until(lambda: len(chart.scene.orders) == 2)
    line, held = chart.scene.orders
    assert (line.price, line.text, line.side, line.is_held) == (float(far), "Buy 3 limit", 1, False)
    assert (held.price, held.side, held.is_held) == (float(fill.price), 1, True)
    assert held.text.startswith("Long 2")
    trading.working.table.selectRow(0)
    desk.window.acts["cancel-order"].trigger()
    await until(lambda: [one.is_held for one in chart.scene.orders] == [True])

    # The newest bar stays in view; nothing is scrolled away before the room beside it is filled.
    view, bars = chart.scene.view, len(chart.scene.data or ())
    assert view.right >= bars
    assert view.left <= max(0.0, bars + 0.025 * view.span - view.span) + 0.5

    # Of an account that is let go nothing is shown; connected again, its fills are read from the store.
    desk.window.acts["disconnect-account"].trigger()
    await until(lambda: chart.scene.by_hand is None)
    await connected(desk)
    await until(lambda: chart.scene.by_hand is not None)
    await desk.engine.stop_run(run.id)
    await desk.quiet()


async def test_bars_of_another_time_show_nothing_of_the_account(make_desk: MakeDesk) -> None:
    desk = await make_desk(speed=SPEED)
    await connected(desk)
    await sent(desk, "DEMO/USD", "2")
    await desk.finished_run()
    chart = desk.window.chart.chart
    assert chart.scene.data is not None
    assert chart.scene.by_hand is None
    assert chart.scene.orders == ()
    await desk.quiet()


async def test_an_order_whose_line_is_taken_to_another_price_is_changed_after_a_question(make_desk: MakeDesk) -> None:
    desk = await make_desk(speed=SPEED)
    trading = await connected(desk)
    run = await paper_run(desk)
    chart = desk.window.chart.chart
    (trade,) = (await desk.engine.last_trades("sim", AccountName.PAPER, ["DEMO/USD"])).values()
    far = (trade.price * Decimal("0.9")).quantize(Decimal("0.01"))
    await sent(desk, "DEMO/USD", "3", OrderSide.BUY, limit=str(far))
    await until(lambda: any(line.order_id for line in chart.scene.orders))
    (line,) = chart.scene.orders
    chart.order_moved.emit(line.order_id, float(far - 100))
    dialog = desk.window.findChild(ChangeOrderDialog)
    assert dialog is not None
    assert Decimal(dialog.lines["limit_price"].text()) == far - 100
    assert dialog.change_button.isEnabled()
    dialog.change_button.click()
    await until(lambda: [row.order.request.limit_price for row in trading.working.model.table.rows] == [far - 100])
    chart.order_moved.emit("nobody's", 1.0)
    await desk.window.settled()
    assert desk.window.findChild(ChangeOrderDialog) is None
    await desk.engine.stop_run(run.id)
    await desk.quiet()
