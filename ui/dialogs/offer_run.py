"""Which desk may take over a run that goes on here."""

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QComboBox, QWidget

from core.model.desk import DeskSeen
from ui.dialogs.notices import Notice
from ui.theme import Sizes, Theme


class OfferRunDialog(Notice):
    """`then` is called with the id of the desk that is chosen; None where an earlier offer is taken back."""

    def __init__(
        self,
        *,
        title: str,
        desks: Sequence[DeskSeen],
        then: Callable[[str | None], object],
        theme: Theme,
        sizes: Sizes,
        parent: QWidget | None = None,
    ) -> None:
        sentence = (
            "It goes on here until the other takes it over, with its account and working orders. Nothing else may trade on that account."
            if desks
            else "No other desk has used this database yet. Start the program there first."
        )
        super().__init__("dialog-offer-run", f"Offer {title} to another desk?", sentence, theme, sizes, parent)
        self._then = then
        self.desk = QComboBox(self)
        self.desk.setObjectName("field-offer-desk")
        self.desk.setAccessibleName("Desk")
        self.desk.setEnabled(bool(desks))
        for seen in desks:
            self.desk.addItem(seen.words, seen.desk.id)
        self.column.addWidget(self.desk)
        withdraw = self.add_button("button-withdraw-offer", "Take the offer back", lambda: self._done(None))
        withdraw.setToolTip("No desk may take the run over any more")
        self.footer.addStretch(1)
        self.add_button("button-cancel", "Cancel", self.reject)
        offer = self.add_button("button-offer", "Offer", lambda: self._done(self.desk.currentData()), "primary")
        offer.setEnabled(bool(desks))
        offer.setDefault(bool(desks))
        self.add_footer(sizes.step * 2)

    def _done(self, desk_id: str | None) -> None:
        self._then(desk_id)
        self.accept()
