from core.views.orders import OrderTable
from core.views.runs import RunTable
from ui.models.flash import Flashes


def test_a_cell_lights_up_when_its_text_changed_since_it_was_on_the_screen() -> None:
    flashes = Flashes(OrderTable.columns)
    filled, status = flashes.columns[1], flashes.columns[-1]
    flashes.wrote(0, filled, "0")
    flashes.wrote(0, status, "Accepted")
    assert flashes.compare([((0, filled), "1"), ((0, status), "Accepted"), ((5, filled), "1")])
    assert flashes.lit == {(0, filled)}
    assert flashes.put_out() == {(0, filled)}
    assert flashes.lit == set()


def test_nothing_lights_up_for_rows_that_are_others() -> None:
    flashes = Flashes(RunTable.columns)
    flashes.wrote(0, flashes.columns[0], "Running")
    flashes.forget()
    assert not flashes.compare([((0, flashes.columns[0]), "Completed")])


def test_times_and_texts_do_not_flash() -> None:
    kinds = {OrderTable.columns[place].key for place in Flashes(OrderTable.columns).columns}
    assert kinds == {"qty", "filled", "limit", "stop", "avg_price", "status"}
