"""Whether a broker trades the symbols of a run, asked before anything of the run is made."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from core.errors import BrokerError, InvalidValue, KeysRefused, NoKeys, UnknownName
from core.model.broker import AccountName, Asset
from core.model.market import asset_class_of
from core.ports import BrokerSource
from core.runs.desks import Desks

_FEW: Final = 12
"""Of so many symbols an error can name all."""


async def check_tradable(broker_id: str, account: AccountName, symbols: Sequence[str], brokers: BrokerSource, desks: Desks) -> None:
    """Raise UnknownName for a symbol that the broker does not have, InvalidValue for one that it does not let be traded.

    A broker that does not say what it trades, or does not answer, says nothing against a symbol. Raises NoKeys and KeysRefused.
    """
    name = (await asyncio.to_thread(brokers.info, broker_id)).name  # a person's own adapters are read from their files
    named = next((one.symbols for one in await brokers.accounts() if (one.broker_id, one.account) == (broker_id, account)), ())
    if named:
        for symbol in symbols:
            _check(symbol, named, name)
        return
    for asset_class in dict.fromkeys(map(asset_class_of, symbols)):
        try:
            assets = await desks.assets(broker_id, account, asset_class)
        except (NoKeys, KeysRefused):
            raise
        except BrokerError:
            return
        of_class = [symbol for symbol in symbols if asset_class_of(symbol) is asset_class]
        if assets:
            await asyncio.to_thread(_check_among, of_class, assets, name)  # a broker has more than ten thousand


def _check_among(symbols: Sequence[str], assets: Collection[Asset], name: str) -> None:
    known = {one.symbol: one for one in assets}
    for symbol in symbols:
        _check(symbol, known, name)
        if not known[symbol].tradable:
            raise InvalidValue("symbols", symbol, f"{name} does not let it be traded now.")


def _check(symbol: str, known: Collection[str], name: str) -> None:
    if symbol not in known:
        todo = "" if len(known) <= _FEW else "Write it as the broker does: SPY, BTC/USD."
        raise UnknownName(f"symbol at {name}", symbol, known, todo)
