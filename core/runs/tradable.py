"""Whether a broker trades the symbols of a run, asked before anything of the run is made."""

import asyncio
from collections.abc import Collection, Iterable
from typing import Final

from core.errors import BrokerError, InvalidValue, KeysRefused, NoKeys, UnknownName
from core.model.broker import AccountName, Asset
from core.model.market import asset_class_of
from core.ports import BrokerSource
from core.runs.desks import Desks

_FEW: Final = 12
"""Of so many symbols an error can name all."""


async def check_tradable(broker_id: str, account: AccountName, symbols: Iterable[str], brokers: BrokerSource, desks: Desks) -> None:
    """Raise UnknownName for a symbol that the broker does not have, InvalidValue for one that it does not let be traded.

    A broker that does not say what it trades, or does not answer, says nothing against a symbol. Raises NoKeys and KeysRefused.
    """
    name = brokers.info(broker_id).name
    named = next((one.symbols for one in await brokers.accounts() if (one.broker_id, one.account) == (broker_id, account)), ())
    for symbol in symbols:
        if named:
            _check(symbol, named, name)
            continue
        try:
            assets = await desks.assets(broker_id, account, asset_class_of(symbol))
        except (NoKeys, KeysRefused):
            raise
        except BrokerError:
            return
        if assets:
            await asyncio.to_thread(_check_among, symbol, assets, name)  # a broker has more than ten thousand


def _check_among(symbol: str, assets: Collection[Asset], name: str) -> None:
    found = next((one for one in assets if one.symbol == symbol), None)
    if found is None:
        _check(symbol, {one.symbol for one in assets}, name)
    elif not found.tradable:
        raise InvalidValue("symbols", symbol, f"{name} does not let it be traded now.")


def _check(symbol: str, known: Collection[str], name: str) -> None:
    if symbol not in known:
        todo = "" if len(known) <= _FEW else "Write it as the broker does: SPY, BTC/USD."
        raise UnknownName(f"symbol at {name}", symbol, known, todo)
