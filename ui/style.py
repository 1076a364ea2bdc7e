"""The look: a palette and one style sheet made from the theme's tokens and sizes, and the icons."""

from functools import cache
from pathlib import Path
from typing import Final

from PySide6.QtGui import QColor, QFont, QIcon, QPalette
from PySide6.QtWidgets import QWidget
from qtawesome import iconic_font
from qtawesome.iconic_font import IconicFont

from ui.theme import Sizes, Theme

_ICONS: Final = {
    "new-run": "ph.plus-circle",
    "start": "ph.play",
    "stop": "ph.stop",
    "again": "ph.arrow-clockwise",
    "delete": "ph.trash",
    "import": "ph.download-simple",
    "demo": "ph.chart-line",
    "settings": "ph.gear",
    "halt": "ph.hand",
    "layout": "ph.layout",
    "commands": "ph.command",
    "filter": "ph.funnel",
    "close": "ph.x",
    "float": "ph.arrow-square-out",
    "warning": "ph.warning",
    "error": "ph.warning-circle",
    "info": "ph.info",
    "good": "ph.check-circle",
    "copy": "ph.copy",
    "chart": "ph.chart-bar",
    "table": "ph.table",
    "columns": "ph.columns",
    "theme": "ph.moon",
    "folder": "ph.folder-open",
}
"""Names of the program → names in Phosphor, the one icon family."""


@cache
def _phosphor() -> IconicFont:
    """The one family that is used; `qtawesome.icon` reads all twelve of its fonts at its first icon."""
    fonts = Path(iconic_font.__file__).with_name("fonts")
    font, names = (max(fonts.glob(pattern)).name for pattern in ("phosphor-[0-9]*.ttf", "phosphor-charmap-*.json"))
    return IconicFont(("ph", font, names))


def icon(name: str, theme: Theme, colour: str = "muted") -> QIcon:
    """Return an icon in the colour of a token; faint when its action cannot be used."""
    drawn: QIcon = _phosphor().icon(_ICONS[name], color=theme.colour(colour), color_disabled=theme.colour("faint", 0.5))
    return drawn


def palette(theme: Theme) -> QPalette:
    """Return the palette, for what the style sheet does not reach and for menus of the system."""
    result = QPalette()
    roles = QPalette.ColorRole
    for role, token in (
        (roles.Window, "background"),
        (roles.WindowText, "text"),
        (roles.Base, "panel"),
        (roles.AlternateBase, "raised"),
        (roles.Text, "text"),
        (roles.PlaceholderText, "faint"),
        (roles.Button, "raised"),
        (roles.ButtonText, "text"),
        (roles.ToolTipBase, "raised"),
        (roles.ToolTipText, "text"),
        (roles.Highlight, "accent"),
        (roles.HighlightedText, "on_accent"),
        (roles.Link, "accent"),
        (roles.BrightText, "danger"),
        (roles.Light, "line"),
        (roles.Mid, "line"),
        (roles.Dark, "line"),
    ):
        result.setColor(role, theme.colour(token))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, role, theme.colour("faint"))
    return result


def base_font(sizes: Sizes) -> QFont:
    """Return the desktop's own font in the program's size, with tabular figures where the font has them."""
    return tabular(QFont(), sizes.font)


def tabular(font: QFont, pixels: int) -> QFont:
    """Return `font` at a pixel size, its figures all of one width."""
    result = QFont(font)
    result.setPixelSize(pixels)
    result.setFeature(QFont.Tag("tnum"), 1)
    return result


def blend(over: str, under: str, alpha: float) -> str:
    """Return `over` at `alpha` on `under`, as `#rrggbb`: style sheets of docks and tabs paint alpha twice."""
    top, bottom = QColor(over), QColor(under)
    mixed = [round(a * alpha + b * (1 - alpha)) for a, b in zip(top.getRgb()[:3], bottom.getRgb()[:3], strict=True)]  # type: ignore[index]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def repolish(widget: QWidget) -> None:
    """Take over the rules that a property of the widget chooses, now that it has changed."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def selection_colour(theme: Theme) -> QColor:
    """Return the ground of a selected row."""
    return QColor(blend(theme.accent, theme.panel, 0.28 if theme.is_dark else 0.16))


def style_sheet(theme: Theme, sizes: Sizes) -> str:
    """Return the one style sheet of the program."""
    t, s = theme, sizes.step
    selected = selection_colour(t).name()
    hover = blend(t.text, t.panel, 0.06)
    pressed = blend(t.text, t.panel, 0.12)
    return f"""
* {{ font-size: {sizes.font}px; }}
QMainWindow, QDialog {{ background: {t.background}; color: {t.text}; }}
QWidget {{ color: {t.text}; }}
QWidget#panel, QWidget[panel="true"] {{ background: {t.panel}; }}
QScrollArea, QScrollArea > QWidget#qt_scrollarea_viewport, QScrollArea > QWidget > QWidget {{ background: transparent; }}
QLabel {{ background: transparent; }}
QLabel[tone="muted"] {{ color: {t.muted}; }}
QLabel[tone="faint"] {{ color: {t.faint}; }}
QLabel[tone="danger"] {{ color: {t.danger}; }}
QLabel[role="title"] {{ font-size: {round(sizes.font * 1.35)}px; font-weight: 600; }}
QLabel[role="chip"] {{
  background: {t.raised}; border: 1px solid {t.line}; border-radius: {sizes.radius}px; padding: 0 {s * 2}px;
  color: {t.muted}; }}

QMainWindow::separator {{ background: {t.background}; width: {s}px; height: {s}px; }}
QMainWindow::separator:hover {{ background: {t.accent}; }}
QDockWidget {{ color: {t.muted}; titlebar-close-icon: none; titlebar-normal-icon: none; }}
QDockWidget > QWidget {{ background: {t.panel}; }}

QToolBar {{ background: {t.background}; border: 0; border-bottom: 1px solid {t.line}; padding: {s // 2}px {s * 2}px; spacing: {s}px; }}
QToolBar#toolbar-data {{ background: {t.panel}; border: 0; padding: {s}px {s}px 0 {s}px; }}
QToolBar#toolbar-data QToolButton {{ padding: {s}px; }}
QToolBar QToolButton#qt_toolbar_ext_button {{ padding: 0; color: {t.text}; }}
QToolBar::separator {{ background: {t.line}; width: 1px; margin: {s}px {s}px; }}
QToolButton {{
  background: transparent; border: 1px solid transparent; border-radius: {sizes.radius}px; padding: {s}px {s * 2}px;
  color: {t.text}; }}
QToolButton:hover {{ background: {hover}; }}
QToolButton:pressed, QToolButton:checked {{ background: {pressed}; }}
QToolButton:focus {{ border-color: {t.accent}; }}
QToolButton:disabled {{ color: {t.faint}; }}
QWidget#panel-account QToolButton {{ border-color: {t.line}; }}
QWidget#panel-account QToolButton:focus {{ border-color: {t.accent}; }}
QToolButton::menu-indicator {{ image: none; }}
QToolButton#button-action-kill-switch {{ border: 1px solid {blend(t.danger, t.background, 0.6)}; color: {t.danger}; font-weight: 600; }}
QToolButton#button-action-kill-switch:hover {{ background: {blend(t.danger, t.background, 0.18)}; }}
QToolButton#button-action-kill-switch:focus {{ border: 2px solid {t.danger}; }}

QToolButton#button-halt-levels {{ color: {t.danger}; padding: {s}px; }}
QToolButton#button-switch-state {{ background: {t.danger}; color: {t.on_accent}; font-weight: 600; }}
QToolButton#button-switch-state:hover {{ background: {blend(t.text, t.danger, 0.15)}; }}
QToolButton#button-account[mode="paper"] {{ color: {t.paper}; font-weight: 600; }}
QToolButton#button-account[mode="live"] {{ background: {t.live}; color: {t.on_accent}; font-weight: 600; }}
QToolBar QLabel[role="pulse"] {{ color: {t.muted}; font-size: {sizes.table_font}px; padding: 0 {s}px; }}

QStatusBar {{ background: {t.background}; border-top: 1px solid {t.line}; color: {t.muted}; }}
QStatusBar::item {{ border: 0; }}
QStatusBar QLabel {{ color: {t.muted}; padding: 0 {s * 2}px; font-size: {sizes.table_font}px; }}

QTabBar {{ background: {t.background}; qproperty-drawBase: 0; }}
QTabBar::tab {{ background: transparent; color: {t.muted}; border: 0; border-bottom: 2px solid transparent; padding: {s}px {s * 3}px; }}
QTabBar::tab:selected {{ color: {t.text}; border-bottom-color: {t.accent}; }}
QTabBar::tab:hover:!selected {{ color: {t.text}; background: {hover}; }}
QTabBar::tab:focus {{ color: {t.accent}; }}

QTableView, QTreeView, QListView {{ background: {t.panel}; alternate-background-color: {t.panel}; border: 0; gridline-color: {t.line};
  font-size: {sizes.table_font}px; selection-background-color: {selected}; selection-color: {t.text}; outline: 0; }}
QTableView::item {{ padding: 0 {s}px; border: 0; }}
QTableView::item:hover {{ background: {hover}; }}
QTableView::item:selected {{ background: {selected}; color: {t.text}; }}
QHeaderView {{ background: {t.panel}; border: 0; }}
QHeaderView::section {{
  background: {t.panel}; color: {t.muted}; border: 0; border-bottom: 1px solid {t.line}; padding: 0 {s + 3}px;
  font-size: {sizes.table_font}px; font-weight: 400; }}
QHeaderView::section:hover {{ color: {t.text}; background: {hover}; }}
QTableCornerButton::section {{ background: {t.panel}; border: 0; }}

QScrollBar:vertical {{ background: transparent; width: {s * 2 + 2}px; margin: 0; }}
QScrollBar:horizontal {{ background: transparent; height: {s * 2 + 2}px; margin: 0; }}
QScrollBar::handle {{
  background: {blend(t.muted, t.panel, 0.35)}; border-radius: {s}px; min-height: 24px; min-width: 24px; margin: 1px; }}
QScrollBar::handle:hover {{ background: {blend(t.muted, t.panel, 0.6)}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QAbstractScrollArea::corner {{ background: {t.panel}; }}

QLineEdit, QComboBox, QSpinBox, QDoubleSpinBox, QDateEdit, QDateTimeEdit, QPlainTextEdit, QTextEdit {{
  background: {t.background}; border: 1px solid {t.line}; border-radius: {sizes.radius}px; padding: {s - 1}px {s * 2}px;
  color: {t.text};
  selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QLineEdit:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus, QDateEdit:focus,
  QDateTimeEdit:focus, QPlainTextEdit:focus, QTextEdit:focus {{
  border-color: {t.accent}; }}
QLineEdit:disabled, QComboBox:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled {{ color: {t.faint}; }}
QLineEdit[invalid="true"], QComboBox[invalid="true"], QSpinBox[invalid="true"], QDoubleSpinBox[invalid="true"] {{
  border-color: {t.danger}; }}
QComboBox::drop-down {{ border: 0; width: {s * 5}px; }}
QComboBox QAbstractItemView {{
  background: {t.raised}; border: 1px solid {t.line}; selection-background-color: {selected}; selection-color: {t.text}; }}
QPlainTextEdit, QTextEdit {{ border: 0; background: {t.panel}; }}

QPushButton {{
  background: {t.raised}; border: 1px solid {t.line}; border-radius: {sizes.radius}px; padding: {s + 1}px {s * 3}px;
  color: {t.text}; }}
QPushButton:hover {{ background: {blend(t.text, t.raised, 0.06)}; }}
QPushButton:pressed {{ background: {blend(t.text, t.raised, 0.12)}; }}
QPushButton:focus {{ border-color: {t.accent}; }}
QPushButton:disabled {{ color: {t.faint}; background: {t.panel}; }}
QPushButton:default, QPushButton[role="primary"] {{
  background: {t.accent}; border-color: {t.accent}; color: {t.on_accent}; font-weight: 600; }}
QPushButton[role="primary"]:hover, QPushButton:default:hover {{ background: {blend(t.text, t.accent, 0.15)}; }}
QPushButton[role="primary"]:focus, QPushButton:default:focus {{ border-color: {t.text}; }}
QPushButton[role="primary"]:disabled, QPushButton:default:disabled {{
  background: {t.raised}; border-color: {t.line}; color: {t.faint}; }}
QPushButton[side="buy"]:checked {{ background: {blend(t.up, t.panel, 0.3)}; border-color: {t.up}; font-weight: 600; }}
QPushButton[side="sell"]:checked {{ background: {blend(t.down, t.panel, 0.3)}; border-color: {t.down}; font-weight: 600; }}
QLabel[role="chip"][stake="paper"] {{ color: {t.paper}; border-color: {t.paper}; font-weight: 600; }}
QLabel[role="chip"][stake="live"] {{ background: {t.live}; border-color: {t.live}; color: {t.on_accent}; font-weight: 600; }}
QPushButton#button-send-order {{ font-weight: 600; }}
QPushButton[stake="paper"], QPushButton[stake="paper"]:default {{ background: {t.paper}; border-color: {t.paper}; color: {t.on_accent}; }}
QPushButton[stake="live"], QPushButton[stake="live"]:default {{ background: {t.live}; border-color: {t.live}; color: {t.on_accent}; }}
QPushButton[stake="paper"]:focus, QPushButton[stake="live"]:focus {{ border-color: {t.text}; }}
QPushButton[stake="paper"]:disabled, QPushButton[stake="live"]:disabled {{
  background: {t.raised}; border-color: {t.line}; color: {t.faint}; }}
QPushButton[role="danger"] {{ border-color: {t.danger}; color: {t.danger}; }}

QMenuBar {{ background: {t.background}; color: {t.muted}; padding: 0 {s}px; }}
QMenuBar::item {{ background: transparent; padding: {s}px {s * 2}px; border-radius: {sizes.radius}px; }}
QMenuBar::item:selected {{ background: {hover}; color: {t.text}; }}
QMenu {{ background: {t.raised}; border: 1px solid {t.line}; padding: {s}px; }}
QMenu::item {{ padding: {s}px {s * 6}px {s}px {s * 3}px; border-radius: {sizes.radius}px; }}
QMenu::item:selected {{ background: {selected}; color: {t.text}; }}
QMenu::item:disabled {{ color: {t.faint}; }}
QMenu::separator {{ height: 1px; background: {t.line}; margin: {s}px; }}
QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; padding: {s}px {s * 2}px; }}
QCheckBox, QRadioButton, QGroupBox {{ background: transparent; }}
QProgressBar {{ background: {t.line}; border: 0; border-radius: {s // 2}px; max-height: {s}px; min-height: {s}px; }}
QProgressBar::chunk {{ background: {t.accent}; border-radius: {s // 2}px; }}
QSplitter::handle {{ background: {t.line}; }}

QWidget#banner-message {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: {sizes.radius}px; }}
QWidget#banner-message[level="error"] {{ border-left: 3px solid {t.danger}; }}
QWidget#banner-message[level="warning"] {{ border-left: 3px solid {t.warning}; }}
QWidget#banner-message[level="info"] {{ border-left: 3px solid {t.accent}; }}
"""
