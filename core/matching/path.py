"""The path inside a bar: in which order its four prices are taken to have happened.

Source: docs/simulation.md, "The path inside a bar".
"""

from core.model.money import exact
from core.model.run import PathModel


def high_first(model: PathModel, open_: float, high: float, low: float) -> bool:
    """Tell whether the path goes to the high before the low. Prices in quote currency.

    `adaptive` goes to the nearer one first; a tie, judged on exact decimals, goes to the low first.
    """
    if model is PathModel.OHLC:
        return True
    if model is PathModel.OLHC:
        return False
    to_high, to_low = high - open_, open_ - low
    if abs(to_high - to_low) > 1e-9 * high:
        return to_high < to_low
    opened = exact(open_)
    return exact(high) - opened < opened - exact(low)
