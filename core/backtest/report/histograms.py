"""Distributions as bins."""

from typing import Final

import numpy as np

from core.model.market import Floats
from core.model.report import Histogram

MOST_BINS: Final = 50
_TAIL: Final = 0.5
"""Percent of the values at each end that may lie beyond the first and last edge."""


def histogram(values: Floats) -> Histogram | None:
    """Return the distribution of finite values in bins of equal width, 0 among their edges; None without values.

    Width: 2 × interquartile range ÷ ∛count (Freedman & Diaconis), widened so that there are at most 50 bins. Values
    beyond the 0.5th and 99.5th percentile may lie outside the edges; they are counted in the outer bins. Values of
    exactly 0, the days on which nothing was held, are counted apart: they would dwarf all bins.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    unchanged = int(np.count_nonzero(values == 0.0))
    values = values[values != 0.0]
    if not len(values):
        return Histogram(edges=np.array([-1e-4, 0.0, 1e-4]), counts=np.zeros(2, np.int64), below=0, above=0, unchanged=unchanged)
    low, quarter, three_quarters, high = np.percentile(values, (_TAIL, 25.0, 75.0, 100.0 - _TAIL)).tolist()
    low, high = min(low, 0.0), max(high, 0.0)
    width = 2.0 * (three_quarters - quarter) / float(np.cbrt(len(values)))
    width = max(width, (high - low) / (MOST_BINS - 2))
    left, right = int(np.ceil(-low / width - 1e-9)), int(np.ceil(high / width - 1e-9))
    edges = np.arange(-left, right + 1) * width
    below, above = values < edges[0], values > edges[-1]
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return Histogram(edges=edges, counts=counts.astype(np.int64), below=int(below.sum()), above=int(above.sum()), unchanged=unchanged)
