"""What differs from the broker's books and nothing heals: taken as the broker has it, for a reason that is kept."""

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QLabel, QLineEdit, QWidget

from ui.dialogs.notices import Notice
from ui.theme import Sizes, Theme


class AcceptDifferenceDialog(Notice):
    """`differences` are sentences; `then` is called with the reason that was typed. `stake` is the mode that its button shows."""

    def __init__(
        self,
        *,
        title: str,
        differences: Sequence[str],
        then: Callable[[str], object],
        stake: str,
        theme: Theme,
        sizes: Sizes,
        parent: QWidget | None = None,
    ) -> None:
        sentence = (
            "Our books become what the broker says; no order is sent. It cannot be taken back. "
            "Look at the account at the broker first: a split or a transfer explains it, a bug does not."
        )
        super().__init__("dialog-accept-difference", f"Take {title} as the broker has it?", sentence, theme, sizes, parent)
        self._then = then
        for reason in differences:
            line = QLabel(f"•  {reason}", self)
            line.setWordWrap(True)
            line.setProperty("role", "doubt")
            self.column.addWidget(line)
        self.reason = QLineEdit(self)
        self.reason.setObjectName("field-accept-reason")
        self.reason.setAccessibleName("Why")
        self.reason.setPlaceholderText("Why, such as: 2-for-1 split of 2026-11-27. It is kept with it.")
        self.column.addWidget(self.reason)
        self.footer.addStretch(1)
        self.add_button("button-cancel", "Leave it", self.reject)
        self.accept_button = self.add_button("button-accept", "Take as it is", self._accept)
        self.accept_button.setProperty("stake", stake)
        self.accept_button.setEnabled(False)
        self.add_footer(sizes.step * 2)
        self.reason.textChanged.connect(lambda text: self.accept_button.setEnabled(bool(text.strip())))
        self.reason.setFocus()

    def _accept(self) -> None:
        self._then(self.reason.text().strip())
        self.accept()
