"""The settings dialog, made from `core.settings.SETTINGS`."""

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from core.errors import KnownError
from core.model.run import ParamValue
from core.settings import SETTINGS, Setting, Settings
from ui.dialogs.database_check import DatabaseCheck
from ui.dialogs.look import Banner, resize_to_screen, role_sheet
from ui.forms import ParamForm, Section
from ui.theme import Sizes, Theme

ChangeSetting = Callable[[str, ParamValue], Settings]
"""Stores one value and returns all of them anew. Raises KnownError."""

_GROUPS: Final = {
    "window": "Window",
    "run": "Runs",
    "database": "Database",
    "desk": "Desk",
    "events": "Event log",
    "retention": "Retention",
    "paper": "Paper account",
    "chart": "Chart",
}
_DATABASE: Final = "database.url"
_AT_ONCE: Final = frozenset({"window.theme", "window.colour_blind"})
"""Shown while the dialog is open, and taken back when it is cancelled."""


class SettingsDialog(QDialog):
    """Opened with `open()`. What concerns the look is applied at once; *Cancel* brings the old look back."""

    settings_changed = Signal(object)
    """The new Settings: after saving, and as a preview of the look before that."""
    database_test_asked = Signal(str)
    """Look what is at this address, and say it by `say_database`."""
    database_prepare_asked = Signal(str)
    """Make or upgrade the tables of the database at this address, and say it by `say_database`."""
    database_copy_asked = Signal(str)
    """Copy everything of this desk to the database at this address, and say it by `say_database`."""
    database_stop_asked = Signal()
    """Do not go on with what was asked of a database."""

    def __init__(
        self, *, settings: Settings, change_setting: ChangeSetting, theme: Theme, sizes: Sizes, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("dialog-settings")
        self.setWindowTitle("Settings")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._stored, self._change_setting, self._sizes = settings, change_setting, sizes
        self._shown = settings
        self._forms: list[ParamForm] = []
        content = QWidget(self)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, sizes.step * 2, 0)
        column.setSpacing(sizes.step * 5)
        for name in dict.fromkeys(_group_of(setting) for setting in SETTINGS):
            self._make_section(name, column, content)
        column.addStretch(1)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(content)
        self._banner = Banner("settings-message", self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(sizes.step * 5, sizes.step * 4, sizes.step * 5, sizes.step * 4)
        layout.setSpacing(sizes.step * 3)
        layout.addWidget(area, 1)
        layout.addWidget(self._banner)
        layout.addLayout(self._make_footer())
        resize_to_screen(self, sizes.font * 46, sizes.font * 48)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.setStyleSheet(role_sheet(theme, self._sizes))

    def _make_section(self, name: str, column: QVBoxLayout, content: QWidget) -> None:
        section = Section(_GROUPS.get(name, name.capitalize()), column, content)
        settings = [setting for setting in SETTINGS if _group_of(setting) == name]
        form = ParamForm(
            [setting.spec for setting in settings],
            prefix="setting-",
            titles={setting.key: setting.title for setting in settings},
            label_width=self._sizes.font * 11,
            parent=section,
        )
        form.set_values({setting.key: self._stored[setting.key] for setting in settings})
        form.changed.connect(self._preview)
        self._forms.append(form)
        section.add(form)
        if form.field(_DATABASE) is not None:
            self._database = DatabaseCheck(self._sizes, section)
            self._database.test_asked.connect(lambda: self.database_test_asked.emit(self._address()))
            self._database.prepare_asked.connect(lambda: self.database_prepare_asked.emit(self._address()))
            self._database.copy_asked.connect(lambda: self.database_copy_asked.emit(self._address()))
            self._database.stop_asked.connect(self.database_stop_asked)
            section.add(self._database)

    def say_database(self, sentence: str, role: str) -> None:
        """Show what was found at the address. `role`: good, or error."""
        self._database.say(sentence, role)

    def tell_database(self, sentence: str) -> None:
        """Show how far what was asked of the database is."""
        self._database.tell(sentence)

    def _address(self) -> str:
        fields = [field for form in self._forms if (field := form.field(_DATABASE)) is not None]
        return str(fields[0].value()).strip()

    def _make_footer(self) -> QHBoxLayout:
        footer = QHBoxLayout()
        footer.setSpacing(self._sizes.step * 2)
        for text, name, slot in (
            ("Reset all", "button-reset-settings", self._reset),
            ("Cancel", "button-cancel", self.reject),
            ("Save", "button-save", self._save),
        ):
            button = QPushButton(text, self)
            button.setObjectName(name)
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            footer.addWidget(button)
            if name == "button-reset-settings":
                footer.addStretch(1)
        button.setProperty("role", "primary")
        button.setDefault(True)
        return footer

    def _values(self) -> dict[str, ParamValue] | None:
        values: dict[str, ParamValue] = {}
        refused = False
        for form in self._forms:
            checked = form.check()
            refused = refused or checked is None
            values |= checked or {}
        return None if refused else values

    def _preview(self) -> None:
        shown = self._shown
        for form in self._forms:
            for key in _AT_ONCE:
                field = form.field(key)
                if field is not None and not field.error():
                    shown = shown.with_value(key, field.value())
        if shown.stored() != self._shown.stored():
            self._shown = shown
            self.settings_changed.emit(shown)

    def _reset(self) -> None:
        for form in self._forms:
            form.reset()

    def _save(self) -> None:
        self._banner.say("")
        values = self._values()
        if values is None:
            return
        saved = self._stored
        try:
            for key, value in values.items():
                if value != saved[key]:
                    saved = self._change_setting(key, value)
        except KnownError as error:
            self._banner.say(str(error))
            return
        finally:
            self._stored = saved
        self._shown = saved
        self.settings_changed.emit(saved)
        self.accept()

    def reject(self) -> None:
        """Close, and bring the old look back."""
        if self._shown.stored() != self._stored.stored():
            self._shown = self._stored
            self.settings_changed.emit(self._stored)
        super().reject()


def _group_of(setting: Setting) -> str:
    return setting.key.partition(".")[0]
