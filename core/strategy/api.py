"""What a strategy plug-in imports: this module and numpy, nothing else of the program.

The base contract is `Strategy`; `BarStrategy` on top of it is for the common case. docs/strategies.md shows both.
"""

from decimal import Decimal
from typing import Any

from core.model.cost_models import FeeModel, Part, SlippageModel
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from core.model.market import AssetClass, Bar
from core.model.order import OrderLeg, OrderRequest, OrderSide, OrderType, TimeInForce
from core.model.position import Position
from core.strategy.actions import (
    Action,
    Actions,
    CancelOrder,
    CashSize,
    EquityShare,
    FetchWindow,
    Note,
    PlaceOneCancelsOther,
    PlaceOrder,
    ReplaceOrder,
    StopRun,
)
from core.strategy.bar_strategy import BarStrategy
from core.strategy.contract import Strategy
from core.strategy.indicators import (
    adx,
    atr,
    bollinger_bandwidth,
    bollinger_lower,
    bollinger_middle,
    bollinger_percent_b,
    bollinger_upper,
    cci,
    donchian_lower,
    donchian_middle,
    donchian_upper,
    ema,
    keltner_lower,
    keltner_middle,
    keltner_upper,
    macd,
    macd_histogram,
    macd_signal,
    mfi,
    minus_di,
    momentum,
    obv,
    plus_di,
    regression_r2,
    regression_slope,
    regression_value,
    roc,
    rolling_high,
    rolling_low,
    rolling_std,
    rolling_vwap,
    rsi,
    sma,
    stochastic_d,
    stochastic_k,
    supertrend,
    true_range,
    vwap,
    wilder,
    williams_r,
    wma,
    zscore,
)
from core.strategy.placing import buy, cash, equity_share, oco, sell
from core.strategy.plots import Plot
from core.strategy.requests import leg
from core.strategy.windows import AccountView, Column, Indicator, StrategyConfig, Tick, Window

__all__ = [
    "DAY_NS",
    "HOUR_NS",
    "MINUTE_NS",
    "SECOND_NS",
    "AccountView",
    "Action",
    "Actions",
    "AssetClass",
    "Bar",
    "BarStrategy",
    "CancelOrder",
    "CashSize",
    "Column",
    "Decimal",
    "EquityShare",
    "FeeModel",
    "FetchWindow",
    "Indicator",
    "Note",
    "OrderLeg",
    "OrderRequest",
    "OrderSide",
    "OrderType",
    "Part",
    "PlaceOneCancelsOther",
    "PlaceOrder",
    "Plot",
    "Position",
    "ReplaceOrder",
    "SlippageModel",
    "StopRun",
    "Strategy",
    "StrategyConfig",
    "Tick",
    "TimeInForce",
    "Window",
    "adx",
    "atr",
    "bollinger_bandwidth",
    "bollinger_lower",
    "bollinger_middle",
    "bollinger_percent_b",
    "bollinger_upper",
    "buy",
    "cash",
    "cci",
    "donchian_lower",
    "donchian_middle",
    "donchian_upper",
    "ema",
    "equity_share",
    "keltner_lower",
    "keltner_middle",
    "keltner_upper",
    "leg",
    "macd",
    "macd_histogram",
    "macd_signal",
    "mfi",
    "minus_di",
    "momentum",
    "obv",
    "oco",
    "param",
    "plus_di",
    "regression_r2",
    "regression_slope",
    "regression_value",
    "roc",
    "rolling_high",
    "rolling_low",
    "rolling_std",
    "rolling_vwap",
    "rsi",
    "sell",
    "sma",
    "stochastic_d",
    "stochastic_k",
    "supertrend",
    "true_range",
    "vwap",
    "wilder",
    "williams_r",
    "wma",
    "zscore",
]


def param(
    default: bool | int | float | str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    help: str = "",
) -> Any:
    """Declare a parameter: `fast: int = param(10, minimum=1, help="Bars in the fast average.")`.

    The loader reads the declaration without importing the file, so every argument must be a literal.
    When the class is loaded the attribute holds the default; a run sets its own value on the instance.
    """
    return default
