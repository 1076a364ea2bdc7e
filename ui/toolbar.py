"""The toolbar: the few acts a hand needs all day, the menu of all others at the left, HALT at the right."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolBar, QToolButton, QWidget

from ui.actions import TOOLBAR, Actions
from ui.theme import Sizes


class MainToolBar(QToolBar):
    """Made from `Actions`; each button is named after its action."""

    def __init__(self, actions: Actions, sizes: Sizes, parent: QWidget) -> None:
        super().__init__("Toolbar", parent)
        self.setObjectName("toolbar-main")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._actions = actions
        self.menu = QMenu(self)
        self.menu.setObjectName("menu-main")
        self.menu.aboutToShow.connect(self._fill_menu)
        self.menu_button = QToolButton(self)
        self.menu_button.setObjectName("button-menu")
        self.menu_button.setAccessibleName("Menu")
        self.menu_button.setText("☰")
        self.menu_button.setToolTip("All commands (F10)")
        self.menu_button.setShortcut(QKeySequence(Qt.Key.Key_F10))
        self.menu_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu_button.setMenu(self.menu)
        self.addWidget(self.menu_button)
        for name in TOOLBAR:
            if name:
                self._add(actions[name])
            else:
                self.addSeparator()
        spring = QWidget(self)
        spring.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(spring)
        self._add(actions["kill-switch"])
        self.set_sizes(sizes)

    def set_sizes(self, sizes: Sizes) -> None:
        """Take over the size of icons."""
        self.setIconSize(QSize(sizes.icon, sizes.icon))

    def _add(self, action: QAction) -> None:
        self.addAction(action)
        button = self.widgetForAction(action)
        button.setObjectName(f"button-{action.objectName()}")
        button.setAccessibleName(action.text())
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _fill_menu(self) -> None:
        if not self.menu.isEmpty():
            return
        for group, actions in self._actions.menus().items():
            part = self.menu.addMenu(group)
            part.setObjectName(f"menu-{group.lower()}")
            part.addActions(actions)
