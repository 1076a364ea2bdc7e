"""What can be checked of a run before there is one: its strategy, its parameters, its bars, its broker."""

import asyncio

import msgspec

from core.errors import InvalidValue, NoBars, StrategyBroken, UnknownName
from core.matching.costs import NoFee, NoSlippage, fee_model, slippage_model
from core.model.market import BarSetKey, Timeframe, parse_symbol
from core.model.plugin import StrategyInfo
from core.model.run import RunConfig, RunMode
from core.ports import BrokerSource, Store, StrategySource
from core.runs.bar_choice import choose_set
from core.runs.desks import Desks
from core.runs.live_config import account_of, check_at
from core.runs.tradable import check_tradable


class RunChecks:
    """They change nothing."""

    def __init__(self, store: Store, strategies: StrategySource, brokers: BrokerSource, desks: Desks) -> None:
        self._store = store
        self._strategies = strategies
        self._brokers = brokers
        self._desks = desks

    async def settled(self, config: RunConfig) -> tuple[RunConfig, StrategyInfo]:
        """Return the config with every parameter and name in its settled form, and its strategy. Raises InputError, StrategyBroken."""
        if config.is_by_hand:
            raise InvalidValue("strategy", config.strategy_id, "that is the name of a person's own orders; give the strategy another id.")
        if config.mode is not RunMode.BACKTEST:
            # A person's own adapters are read from their files.
            check_at(config, (await asyncio.to_thread(self._brokers.info, config.broker)).features)
        # The first time, every file is read and parsed: that takes too long for the loop of a window.
        info = await asyncio.to_thread(self.strategy, config.strategy_id)
        symbols = tuple(parse_symbol(symbol) for symbol in config.symbols)
        if info.symbols and len(symbols) != info.symbols:
            raise InvalidValue("symbols", ", ".join(symbols), f"{info.id} trades {info.symbols} of them.")
        # A strategy may bring models of its own; whether this one does is known when it is loaded.
        fee_model(config.fees, NoFee())
        slippage_model(config.slippage, NoSlippage())
        timeframe = str(Timeframe.parse(config.timeframe))
        params = info.parse_params(dict(config.params))
        return msgspec.structs.replace(config, symbols=symbols, timeframe=timeframe, params=params), info

    def strategy(self, strategy_id: str) -> StrategyInfo:
        """Return a strategy as it is on disk now. Raises UnknownName, StrategyBroken."""
        known = self._strategies.find_all()
        info = known.get(strategy_id)
        if info is None:
            raise UnknownName("strategy", strategy_id, [name for name, found in known.items() if found.error is None])
        if info.error is not None:
            raise StrategyBroken(f"The strategy {strategy_id} cannot be loaded: {info.error}", "Mend its file and try again.")
        return info

    async def bar_sets(self, config: RunConfig) -> tuple[BarSetKey, ...]:
        """Return the set each symbol's bars come from. Raises UnknownName, InvalidValue or NoBars."""
        stored = await self._store.bars.sets()
        if not stored:
            raise NoBars("No bars are stored yet.", "Import a price file first: weaver data import FILE --symbol S --timeframe 1m.")
        return tuple(choose_set(config, symbol, stored) for symbol in config.symbols)

    async def check_symbols(self, config: RunConfig) -> None:
        """Raise UnknownName or InvalidValue for a symbol of a paper or live run that its broker says it does not trade."""
        if config.mode is not RunMode.BACKTEST:
            symbols = [parse_symbol(symbol) for symbol in config.symbols]
            await check_tradable(config.broker, account_of(config.mode), symbols, self._brokers, self._desks)
