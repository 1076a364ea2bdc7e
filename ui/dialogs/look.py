"""The roles of text in dialogs and panels, as a style sheet made from the theme.

A label says what it is with the property `role`: title, heading, muted, error, doubt, good, card.
"""

from pathlib import Path
from typing import Final

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QLabel, QWidget

from ui.theme import Sizes, Theme

_SIGNS: Final = Path(__file__).parents[2] / "resources" / "icons"


def role_sheet(theme: Theme, sizes: Sizes) -> str:
    """Return the rules for roles; set on a dialog or panel, they hold for what is inside."""
    banner = f"border-radius: {sizes.radius}px; padding: {sizes.step * 2}px {sizes.step * 3}px;"
    message_colours = {"error": theme.danger, "doubt": theme.warning, "good": theme.up, "note": theme.accent}
    banners = "\n".join(
        f'QLabel[banner="{role}"] {{ {banner} color: {theme.text}; background: {_tint(colour)}; border: 1px solid {_tint(colour, 110)}; }}'
        for role, colour in message_colours.items()
    )
    return f"""
QLabel[role="title"] {{ font-size: {round(sizes.font * 1.4)}px; font-weight: 600; color: {theme.text}; }}
QLabel[role="heading"] {{ font-size: {sizes.table_font}px; font-weight: 600; color: {theme.muted}; }}
QLabel[role="muted"] {{ font-size: {sizes.table_font}px; color: {theme.muted}; }}
QLabel[role="error"] {{ font-size: {sizes.table_font}px; color: {theme.danger}; }}
QLabel[role="doubt"] {{ font-size: {sizes.table_font}px; color: {theme.warning}; }}
QLabel[role="good"] {{ font-size: {sizes.table_font}px; color: {theme.up}; }}
{banners}
{control_sheet(theme, sizes)}
QPushButton, QPushButton:default, QPushButton[role="primary"] {{ font-weight: 500; }}
QFrame[role="card"] {{ background: {theme.raised}; border: 1px solid {theme.line}; border-radius: {sizes.radius}px; }}
QFrame[role="rule"] {{ background: {theme.line}; max-height: 1px; border: none; }}
"""


def control_sheet(theme: Theme, sizes: Sizes) -> str:
    """Return the rules for the small signs of controls: arrows and check marks. A style sheet takes them from files only."""
    down, up = ((_SIGNS / f"chevron-{way}.svg").as_posix() for way in ("down", "up"))
    check = (_SIGNS / ("check-dark.svg" if theme.is_dark else "check-white.svg")).as_posix()
    drop = f"subcontrol-origin: padding; subcontrol-position: center right; border: 0; background: transparent; width: {sizes.step * 6}px;"
    side = f"subcontrol-origin: border; border: 0; background: transparent; width: {sizes.step * 6}px;"
    return f"""
QComboBox::drop-down, QDateEdit::drop-down {{ {drop} }}
QComboBox::down-arrow, QDateEdit::down-arrow {{ image: url({down}); width: {sizes.icon - 2}px; height: {sizes.icon - 2}px; }}
QSpinBox::up-button {{ {side} subcontrol-position: top right; }}
QSpinBox::down-button {{ {side} subcontrol-position: bottom right; }}
QSpinBox::up-arrow {{ image: url({up}); width: {sizes.step * 3}px; height: {sizes.step * 3}px; }}
QSpinBox::down-arrow {{ image: url({down}); width: {sizes.step * 3}px; height: {sizes.step * 3}px; }}
QDateEdit:disabled {{ color: {theme.faint}; }}
QCheckBox {{ spacing: {sizes.step * 2}px; }}
QCheckBox::indicator {{ width: {sizes.icon - 2}px; height: {sizes.icon - 2}px; border: 1px solid {theme.faint};
  border-radius: {sizes.radius - 1}px; background: {theme.background}; }}
QCheckBox::indicator:focus {{ border-color: {theme.accent}; }}
QCheckBox::indicator:checked {{ background: {theme.accent}; border-color: {theme.accent}; image: url({check}); }}
QCheckBox::indicator:disabled {{ border-color: {theme.line}; }}
"""


class Banner(QLabel):
    """One or two sentences across a dialog; hidden while there is nothing to say."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName("Message")
        self.setWordWrap(True)
        self.hide()

    def say(self, sentence: str, role: str = "error") -> None:
        """Show `sentence`; an empty one hides the banner. `role`: error, doubt, good or note."""
        self.setProperty("banner", role)
        self.style().unpolish(self)
        self.style().polish(self)
        # A frame asks only once how wide its border and padding are, and again when it hears this.
        QCoreApplication.sendEvent(self, QEvent(QEvent.Type.StyleChange))
        self.setText(sentence)
        self.setVisible(bool(sentence))


def resize_to_screen(dialog: QWidget, width: int, height: int) -> None:
    """Give a dialog its size, or what of it the screen has room for: with large text the content scrolls."""
    room = dialog.screen().availableSize()
    dialog.resize(min(width, room.width() * 9 // 10), min(height, room.height() * 9 // 10))


def set_role(widget: QWidget, role: str) -> None:
    """Change a widget's role and repaint it."""
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def mark_invalid(control: QWidget, invalid: bool) -> None:
    """Frame a control in the colour of danger while what stands in it is refused."""
    if bool(control.property("invalid")) is not invalid:
        control.setProperty("invalid", invalid)
        control.style().unpolish(control)
        control.style().polish(control)


def _tint(colour: str, alpha: int = 32) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {alpha})"
