"""What may be watched by one stream."""

from core.errors import InvalidValue
from core.model.broker import Watch
from core.model.market import AssetClass, asset_class_of


def is_crypto_watch(watch: Watch) -> bool:
    """Tell whether a watch is of crypto rather than equities. Raises InvalidValue for one of nothing, or of both."""
    symbols = (*watch.bars, *watch.quotes, *watch.trades)
    if not symbols:
        raise InvalidValue("symbols", "empty", "name at least one.")
    crypto = {asset_class_of(symbol) is AssetClass.CRYPTO for symbol in symbols}
    if len(crypto) > 1:
        raise InvalidValue("symbols", ", ".join(symbols), "equities and crypto come from two streams.")
    return crypto.pop()
