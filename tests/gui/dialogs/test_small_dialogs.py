"""Settings, command palette, about, confirm and error."""

import importlib
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QDialog, QLabel, QListView, QPushButton, QSpinBox, QWidget

from core.errors import StoreReadOnly
from core.settings import SETTINGS, Settings
from core.values import ParamValue
from tests.gui.dialogs.desk import LOOK, child
from ui.dialogs.about import PARTS, AboutDialog
from ui.dialogs.command_palette import CommandPalette
from ui.dialogs.notices import ConfirmDialog, ErrorDialog
from ui.dialogs.settings import SettingsDialog


class Stored:
    """Stores settings as the program does."""

    def __init__(self) -> None:
        self.settings = Settings({}, {})
        self.changes: list[tuple[str, ParamValue]] = []
        self.refusal: StoreReadOnly | None = None

    def change(self, key: str, value: ParamValue) -> Settings:
        if self.refusal is not None:
            raise self.refusal
        self.changes.append((key, value))
        self.settings = self.settings.with_value(key, value)
        return self.settings


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def dialog(stored: Stored) -> Iterator[SettingsDialog]:
    made = SettingsDialog(settings=stored.settings, change_setting=stored.change, theme=LOOK.theme, sizes=LOOK.sizes)
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    made.open()
    yield made
    made.close()
    made.deleteLater()


def click(dialog: QWidget, name: str) -> None:
    button = child(dialog, name)
    assert isinstance(button, QPushButton)
    button.click()


def theme_list(dialog: SettingsDialog) -> QComboBox:
    found = child(dialog, "setting-window-theme")
    assert isinstance(found, QComboBox)
    return found


def test_every_setting_has_a_field_with_its_value(dialog: SettingsDialog) -> None:
    for setting in SETTINGS:
        assert child(dialog, f"setting-{setting.key.replace('.', '-').replace('_', '-')}").accessibleName() == setting.title


def test_only_what_changed_is_saved(dialog: SettingsDialog, stored: Stored) -> None:
    flash = child(dialog, "setting-window-flash")
    assert isinstance(flash, QCheckBox)
    flash.setChecked(False)
    click(dialog, "button-save")
    assert stored.changes == [("window.flash", False)]
    assert dialog.result() == QDialog.DialogCode.Accepted


def test_the_theme_is_shown_at_once_and_taken_back_on_cancel(dialog: SettingsDialog, stored: Stored) -> None:
    shown: list[Settings] = []
    dialog.settings_changed.connect(shown.append)
    theme_list(dialog).setCurrentText("light")
    assert shown[-1].text("window.theme") == "light"
    assert stored.changes == []
    click(dialog, "button-cancel")
    assert shown[-1].text("window.theme") == "system"
    assert stored.changes == []


def test_a_value_out_of_bounds_is_explained_and_not_saved(dialog: SettingsDialog, stored: Stored) -> None:
    scale = child(dialog, "setting-window-scale-percent")
    assert isinstance(scale, QSpinBox)
    scale.setValue(500)
    click(dialog, "button-save")
    error = child(dialog, "setting-window-scale-percent-error")
    assert isinstance(error, QLabel)
    assert error.text() == "Scale cannot be 500: it must be at most 250."
    assert dialog.isVisible()
    assert stored.changes == []


def test_a_file_that_cannot_be_written_is_said(dialog: SettingsDialog, stored: Stored) -> None:
    stored.refusal = StoreReadOnly("The settings cannot be written.", "Give the folder write permission.")
    theme_list(dialog).setCurrentText("dark")
    click(dialog, "button-save")
    message = child(dialog, "settings-message")
    assert isinstance(message, QLabel)
    assert message.text() == "The settings cannot be written. Give the folder write permission."
    assert dialog.isVisible()


def test_reset_all_shows_the_defaults(dialog: SettingsDialog, stored: Stored) -> None:
    theme_list(dialog).setCurrentText("dark")
    click(dialog, "button-reset-settings")
    assert theme_list(dialog).currentText() == "system"
    click(dialog, "button-save")
    assert stored.changes == []


@pytest.fixture
def actions() -> list[QAction]:
    made = []
    for text, shortcut in (("&New run…", "Ctrl+N"), ("Import data…", "Ctrl+I"), ("Reset layout", ""), ("Start run", "F5")):
        action = QAction(text)
        action.setShortcut(shortcut)
        made.append(action)
    made[3].setEnabled(False)
    return made


@pytest.fixture
def palette(actions: list[QAction]) -> Iterator[CommandPalette]:
    made = CommandPalette(actions=actions, theme=LOOK.theme, sizes=LOOK.sizes)
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    made.open()
    yield made
    made.close()
    made.deleteLater()


def listed(palette: CommandPalette) -> list[str]:
    found = child(palette, "list-commands")
    assert isinstance(found, QListView)
    return [found.model().index(row, 0).data() for row in range(found.model().rowCount())]


def test_the_palette_runs_what_a_few_letters_find(palette: CommandPalette, actions: list[QAction]) -> None:
    ran: list[str] = []
    actions[1].triggered.connect(lambda: ran.append("import"))
    QTest.keyClicks(palette.query, "imda")
    assert listed(palette)[0] == "Import data"
    QTest.keyClick(palette.query, Qt.Key.Key_Return)
    assert ran == ["import"]
    assert not palette.isVisible()


def test_arrows_choose_and_what_cannot_be_used_comes_last(palette: CommandPalette, actions: list[QAction]) -> None:
    ran: list[str] = []
    actions[0].triggered.connect(lambda: ran.append("new"))
    assert listed(palette) == ["Import data", "New run", "Reset layout", "Start run"]
    QTest.keyClick(palette.query, Qt.Key.Key_Down)
    QTest.keyClick(palette.query, Qt.Key.Key_Return)
    assert ran == ["new"]


def test_a_disabled_command_does_not_run(palette: CommandPalette, actions: list[QAction]) -> None:
    ran: list[str] = []
    actions[3].triggered.connect(lambda: ran.append("start"))
    QTest.keyClicks(palette.query, "start")
    QTest.keyClick(palette.query, Qt.Key.Key_Return)
    assert ran == []
    assert palette.isVisible()


def test_nothing_found_is_said(palette: CommandPalette) -> None:
    QTest.keyClicks(palette.query, "zzz")
    assert listed(palette) == []
    QTest.keyClick(palette.query, Qt.Key.Key_Return)
    QTest.keyClick(palette.query, Qt.Key.Key_Down)
    assert palette.isVisible()


def test_about_names_the_parts_as_their_packages_do(qapp: object) -> None:
    about = AboutDialog(version="9.9.9", where="memory", theme=LOOK.theme, sizes=LOOK.sizes)
    version = child(about, "about-version")
    assert isinstance(version, QLabel)
    assert version.text() == "Weaver 9.9.9"
    for name, _, places in PARTS:
        for place in places.split(", "):
            module = importlib.import_module(place.replace("/", "."))
            assert (module.__doc__ or "").startswith(f"{name}:") or len(places.split(", ")) > 1, place
    about.deleteLater()


def test_confirm_names_the_object_and_cancel_is_the_safe_way(qapp: object) -> None:
    dialog = ConfirmDialog(heading="Delete SPY 1d?", consequence="6 bars go.", verb="Delete bars", theme=LOOK.theme, sizes=LOOK.sizes)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    answers: list[str] = []
    dialog.accepted.connect(lambda: answers.append("yes"))
    dialog.rejected.connect(lambda: answers.append("no"))
    dialog.open()
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    dialog.open()
    click(dialog, "button-confirm")
    assert answers == ["no", "yes"]
    dialog.deleteLater()


def test_error_details_are_folded_and_can_be_copied(qapp: object) -> None:
    dialog = ErrorDialog(what="It broke.", todo="Try again.", details="line 1\nline 2", theme=LOOK.theme, sizes=LOOK.sizes)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    dialog.open()
    sentence = child(dialog, "error-sentence")
    assert isinstance(sentence, QLabel)
    assert sentence.text() == "It broke. Try again."
    assert not child(dialog, "error-details").isVisible()
    click(dialog, "button-details")
    assert child(dialog, "error-details").isVisible()
    click(dialog, "button-copy-details")
    assert QGuiApplication.clipboard().text() == "line 1\nline 2"
    click(dialog, "button-close")
    dialog.deleteLater()
