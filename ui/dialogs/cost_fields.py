"""The fields of the new-run dialog that concern costs: what trading costs, and how orders fill."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from PySide6.QtWidgets import QWidget

from core.errors import InputError, InvalidValue
from core.model.money import plain
from core.model.run import PathModel
from core.views.cost_words import fee_words, slippage_words
from ui.dialogs.entry_grid import EntryGrid
from ui.dialogs.field_grid import FieldRow
from ui.dialogs.fractions import read_fraction
from ui.theme import Sizes

_FEES: Final = ("none", "bps:10", "per-share:0.005:1", "per-trade:1", "alpaca", "plugin")
_SLIPPAGE: Final = ("none", "bps:5", "spread:4", "volume:0.1", "plugin")
_FEE_FORMS: Final = "none, bps:N[:min], per-share:X[:min[:max]], per-trade:X, alpaca or plugin"
_SLIPPAGE_FORMS: Final = "none, bps:N, spread:N, volume[:K] or plugin"
_PATHS: Final = {
    PathModel.ADAPTIVE: "the open's nearer extreme first",
    PathModel.OHLC: "the high before the low",
    PathModel.OLHC: "the low before the high",
    PathModel.PESSIMISTIC: "whichever is worse, bar by bar",
    PathModel.OPTIMISTIC: "whichever is better, bar by bar",
}


class CostFields(EntryGrid):
    """The models of costs are explained while they are typed; `terms` are checked when they are asked for."""

    def __init__(self, sizes: Sizes, parent: QWidget | None = None) -> None:
        super().__init__(sizes, parent)
        self.fees = self.add_suggestions("fees", "Fees", _FEES, lambda text: _explained(text, fee_words, _FEE_FORMS))
        self.slippage = self.add_suggestions(
            "slippage", "Slippage", _SLIPPAGE, lambda text: _explained(text, slippage_words, _SLIPPAGE_FORMS)
        )
        self.volume_cap = self.add_line("volume_cap", "Volume cap", _cap_hint)
        self.volume_cap.setPlaceholderText("none")
        self.path = self.add_choice("path", "Path in a bar", _PATHS)
        self.trade_through = self.add_check("trade_through", "Limit orders", "Fill only when traded through")
        self.trade_through.setToolTip("A limit fills only where the price goes strictly beyond it, not where it touches it.")

    def rows(self) -> dict[str, FieldRow]:
        """See `EntryGrid`; an unknown model is called a `fee model`."""
        return super().rows() | {"fee": super().rows()["fees"]}

    def terms(self) -> dict[str, Any]:
        """Return the fields as those of a RunConfig. Raises InvalidValue with the name of the field."""
        return {
            "fees": self.fees.currentText().strip(),
            "slippage": self.slippage.currentText().strip(),
            "volume_cap": _volume_cap(self.volume_cap.text()),
            "path": PathModel(self.path.currentData()),
            "trade_through": self.trade_through.isChecked(),
        }


def _explained(text: str, words: Callable[[str], str], forms: str) -> str:
    """Return what a model's text means; while it means nothing yet, how to write one."""
    try:
        return words(text)
    except InputError:
        return f"Write {forms}."


def _volume_cap(text: str) -> Decimal | None:
    if not text.strip() or text.strip().lower() == "none":
        return None
    cap = read_fraction(text, "volume cap")
    if not 0 < cap <= 1:
        raise InvalidValue("volume cap", text.strip(), "a share of the bar's volume is above 0 and at most 1, or 100 %.")
    return cap


def _cap_hint(text: str) -> str:
    try:
        cap = _volume_cap(text)
    except InvalidValue:
        return "A share of the bar's volume, like 0.1 or 10 %."
    return "Any quantity fills." if cap is None else f"Fills take at most {plain(cap * 100)} % of a bar's volume."
