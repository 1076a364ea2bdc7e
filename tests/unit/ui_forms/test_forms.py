"""Fields made from ParamSpec."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLineEdit, QSpinBox, QToolButton

from core.model.plugin import ParamKind, ParamSpec, ParamValue
from ui.forms import ParamField, ParamForm

FAST = ParamSpec(name="fast", kind=ParamKind.INT, default=10, minimum=1, maximum=500, help="Bars in the fast average.")
QTY = ParamSpec(name="qty", kind=ParamKind.FLOAT, default=0.00000001, minimum=0.00000001)
BOTH = ParamSpec(name="both", kind=ParamKind.BOOL, default=True)
STYLE = ParamSpec(name="style", kind=ParamKind.TEXT, default="eager", choices=("calm", "eager"))
NOTE = ParamSpec(name="note", kind=ParamKind.TEXT, default="hello")
HUGE = ParamSpec(name="huge", kind=ParamKind.INT, default=10**12)
SPECS = (FAST, QTY, BOTH, STYLE, NOTE, HUGE)


@pytest.fixture
def form(qapp: QApplication) -> ParamForm:
    return ParamForm(SPECS)


def field(form: ParamForm, name: str) -> ParamField:
    found = form.field(name)
    assert found is not None
    return found


def test_each_kind_has_its_control_and_its_default(form: ParamForm) -> None:
    kinds = {"fast": QSpinBox, "qty": QLineEdit, "both": QCheckBox, "style": QComboBox, "note": QLineEdit, "huge": QLineEdit}
    for name, kind in kinds.items():
        control = field(form, name).control
        assert isinstance(control, kind), name
        assert control.objectName() == f"param-{name}"
        assert control.accessibleName() == name
    assert form.check() == {spec.name: spec.default for spec in SPECS}


def test_a_small_decimal_is_written_without_exponent(form: ParamForm) -> None:
    assert field(form, "qty").text() == "0.00000001"


@pytest.mark.parametrize("typed", ["0.1", "12.3456789012", "1e-7"])
def test_a_float_takes_any_number_of_decimals(form: ParamForm, typed: str) -> None:
    control = field(form, "qty").control
    assert isinstance(control, QLineEdit)
    control.setText(typed)
    assert field(form, "qty").value() == float(typed)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("fast", 0, "fast cannot be 0: it must be at least 1."),
        ("fast", 501, "fast cannot be 501: it must be at most 500."),
        ("qty", 0.0, "qty cannot be 0: it must be at least 0.00000001."),
    ],
)
def test_a_value_out_of_bounds_is_refused_with_a_sentence(form: ParamForm, name: str, value: ParamValue, sentence: str) -> None:
    field(form, name).set_value(value)
    assert form.check() is None
    assert field(form, name).error() == sentence


def test_what_is_no_number_is_refused(form: ParamForm) -> None:
    control = field(form, "qty").control
    assert isinstance(control, QLineEdit)
    control.setText("many")
    assert form.check() is None
    assert field(form, "qty").error() == "qty cannot be 'many': it is not a number."


def test_a_corrected_value_takes_its_sentence_away(form: ParamForm) -> None:
    field(form, "fast").set_value(0)
    assert field(form, "fast").error()
    field(form, "fast").set_value(5)
    assert field(form, "fast").error() == ""


def test_arrows_stay_inside_the_bounds(form: ParamForm) -> None:
    control = field(form, "fast").control
    assert isinstance(control, QSpinBox)
    control.setValue(2)
    QTest.keyClick(control, Qt.Key.Key_Down)
    QTest.keyClick(control, Qt.Key.Key_Down)
    assert control.value() == 1
    control.setValue(499)
    QTest.keyClick(control, Qt.Key.Key_PageUp)
    assert control.value() == 500


def test_reset_brings_the_default_back_and_is_off_while_it_stands(form: ParamForm) -> None:
    place = field(form, "fast")
    button = place.findChild(QToolButton, "param-fast-reset")
    assert button is not None
    assert not button.isEnabled()
    place.set_value(33)
    assert button.isEnabled()
    button.click()
    assert place.value() == 10
    assert not button.isEnabled()


def test_changes_are_told(form: ParamForm) -> None:
    told: list[bool] = []
    form.changed.connect(lambda: told.append(True))
    values: tuple[ParamValue, ...] = (11, 2.5, False, "calm", "bye", 7)
    for spec, value in zip(SPECS, values, strict=True):
        told.clear()
        field(form, spec.name).set_value(value)
        assert told, spec.name
    assert form.check() == {"fast": 11, "qty": 2.5, "both": False, "style": "calm", "note": "bye", "huge": 7}
    form.reset()
    assert form.check() == {spec.name: spec.default for spec in SPECS}


def test_set_values_ignores_names_without_a_field(form: ParamForm) -> None:
    form.set_values({"fast": 12, "gone": 1})
    assert field(form, "fast").value() == 12


def test_the_wheel_changes_nothing_in_passing(form: ParamForm) -> None:
    form.show()
    for name in ("fast", "style"):
        control = field(form, name).control
        before = field(form, name).value()
        middle = QPointF(control.rect().center())
        turn = QWheelEvent(
            middle,
            control.mapToGlobal(middle),
            QPoint(),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(control, turn)
        assert field(form, name).value() == before
        assert not turn.isAccepted()
    form.close()
