"""Which account a paper or live run trades on, and whether its broker can carry it out, asked before there is one."""

from core.errors import InvalidValue
from core.model.broker import AccountName, Features
from core.model.instants import MINUTE_NS
from core.model.market import Timeframe, asset_class_of
from core.model.run import RunConfig, RunMode


def account_of(mode: RunMode) -> AccountName:
    """Return which of a person's accounts a paper or live run trades on."""
    return AccountName.LIVE if mode is RunMode.LIVE else AccountName.PAPER


def check_at(config: RunConfig, features: Features) -> None:
    """Raise InvalidValue for a paper or live run that a broker of these features cannot carry out."""
    account = account_of(config.mode)
    if account not in features.accounts:
        raise InvalidValue("broker", config.broker, f"it has no {account} account.")
    if Timeframe.parse(config.timeframe).ns % MINUTE_NS:
        raise InvalidValue("timeframe", config.timeframe, f"a {config.mode} run is made of whole minutes.")
    has_sessions = any(asset_class_of(symbol).has_sessions for symbol in config.symbols)
    if config.feed is not None and (config.feed not in features.feeds or not has_sessions):
        feeds = f"{config.broker} has {', '.join(features.feeds)}" if features.feeds else f"{config.broker} has none to choose from"
        raise InvalidValue("feed", repr(config.feed), f"{feeds}; crypto has none." if features.feeds else f"{feeds}.")
    if config.extended_hours and (features.always_open or not has_sessions):
        raise InvalidValue("extended_hours", "true", "the market of these symbols never closes.")
