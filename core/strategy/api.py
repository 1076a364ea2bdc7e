"""What a strategy plug-in imports: this module and numpy, nothing else of the program.

The base contract is `Strategy`; `BarStrategy` on top of it is for the common case. docs/strategies.md shows both.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

from core.errors import InvalidValue
from core.model.instants import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from core.model.market import Bar, Floats
from core.model.order import OrderRequest, OrderSide, OrderType, TimeInForce
from core.model.position import Position
from core.strategy.actions import (
    Action,
    Actions,
    CancelOrder,
    FetchWindow,
    Note,
    PlaceOrder,
    Quantity,
    StopRun,
    order_request,
)
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
from core.strategy.windows import COLUMNS, AccountView, Column, Indicator, StrategyConfig, Tick, Window

__all__ = [
    "DAY_NS",
    "HOUR_NS",
    "MINUTE_NS",
    "SECOND_NS",
    "AccountView",
    "Action",
    "Actions",
    "Bar",
    "BarStrategy",
    "CancelOrder",
    "Column",
    "Decimal",
    "FetchWindow",
    "Indicator",
    "Note",
    "OrderRequest",
    "OrderSide",
    "OrderType",
    "PlaceOrder",
    "Position",
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
    "cci",
    "donchian_lower",
    "donchian_middle",
    "donchian_upper",
    "ema",
    "keltner_lower",
    "keltner_middle",
    "keltner_upper",
    "macd",
    "macd_histogram",
    "macd_signal",
    "mfi",
    "minus_di",
    "momentum",
    "obv",
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


def buy(symbol: str, qty: Quantity, *, limit: Quantity | None = None, stop: Quantity | None = None,
        time_in_force: str | None = None, note: str | None = None, ref: str | None = None) -> PlaceOrder:  # fmt: skip
    """Return the action that buys `qty` units; see `order_request` for the arguments. Raises InvalidValue."""
    request = order_request(symbol, OrderSide.BUY, qty, limit=limit, stop=stop, time_in_force=time_in_force, note=note)
    return PlaceOrder(request, ref)


def sell(symbol: str, qty: Quantity, *, limit: Quantity | None = None, stop: Quantity | None = None,
         time_in_force: str | None = None, note: str | None = None, ref: str | None = None) -> PlaceOrder:  # fmt: skip
    """Return the action that sells `qty` units; see `order_request` for the arguments. Raises InvalidValue."""
    request = order_request(symbol, OrderSide.SELL, qty, limit=limit, stop=stop, time_in_force=time_in_force, note=note)
    return PlaceOrder(request, ref)


class Strategy:
    """The base contract. Each method returns an action, several, or None.

    `account` is there from `initialize` on. A parameter declared with `param` is an attribute of the instance.
    """

    id: ClassVar[str] = ""
    version: ClassVar[str] = "1"
    symbols: ClassVar[int] = 1
    """How many symbols it trades; 0 means any number."""

    account: AccountView

    def initialize(self, config: StrategyConfig) -> Actions:
        """Called once, before the first tick. Orders placed here are decided at the run's start."""
        return None

    def on_tick(self, tick: Tick) -> Actions:
        """Called once for each time at which at least one bar ended."""
        return None

    def on_data(self, window: Window) -> Actions:
        """Called with each window that was asked for, at the same decision time."""
        return None


class BarStrategy(Strategy):
    """The common case: declare indicators in `setup`, decide in `on_bar`.

    `buy`, `sell`, `cancel`, `note` and `stop_run` may be called in `setup` and in `on_bar`; `buy` and `sell`
    return a ref that `cancel` takes. With several symbols `on_bar` is called for each bar in the run's order,
    after all that ended now are known; override `on_bars` to get them together.
    """

    def __init__(self) -> None:
        self.config: StrategyConfig
        self.indicators: list[Indicator] = []
        self.actions: list[Action] = []
        self._refs = 0
        self._waiting: set[str] = set()
        self._arrived: dict[str, Bar] = {}

    # --- to override ---

    def setup(self) -> None:
        """Declare indicators; parameters, `config` and `account` are there."""

    def on_bar(self, bar: Bar) -> None:
        """Decide on the bar that has just ended."""

    def on_bars(self, bars: Mapping[str, Bar]) -> None:
        """Decide on all bars that ended now, by symbol. The default calls `on_bar` for each."""
        for bar in bars.values():
            self.on_bar(bar)

    # --- to call ---

    def column(self, name: str, symbol: str | None = None) -> Column:
        """Return a column (`open`, `high`, `low`, `close`, `volume`, `session`) of `symbol`, the first one by default."""
        if name not in COLUMNS:
            raise InvalidValue("column", repr(name), f"it must be one of {', '.join(COLUMNS)}.")
        return Column(symbol or self.config.symbols[0], name)

    @property
    def close(self) -> Column:
        """The closes of the first symbol, to declare indicators with."""
        return self.column("close")

    def indicator(self, function: Callable[..., Floats], *arguments: Any, name: str | None = None, pane: str = "price") -> Indicator:
        """Declare `function(*arguments)`; columns among the arguments become float64 arrays, one value per bar.

        The function must return an array of the same length in which value i depends on no input after i.
        `pane` is where the chart draws it: `price`, or the name of a pane of its own.
        """
        symbols = [item.symbol for item in arguments if isinstance(item, (Column, Indicator))]
        if not symbols:
            raise InvalidValue("indicator", getattr(function, "__name__", repr(function)), "give it a column, such as self.close.")
        if len(set(symbols)) > 1:
            raise InvalidValue("indicator", ", ".join(symbols), "all its columns must be of one symbol.")
        settled = [str(item) for item in arguments if not isinstance(item, (Column, Indicator))]
        label = name or " ".join([getattr(function, "__name__", "indicator"), *settled])
        declared = Indicator(function, arguments, symbols[0], label, pane)
        self.indicators.append(declared)
        return declared

    def held(self, symbol: str | None = None) -> Decimal:
        """Return the units held of `symbol` (the first one by default), signed."""
        return self.account.held(symbol or self.config.symbols[0])

    def buy(self, qty: Quantity, *, symbol: str | None = None, limit: Quantity | None = None, stop: Quantity | None = None,
            time_in_force: str | None = None, note: str | None = None) -> str:  # fmt: skip
        """Place a buy of `qty` units and return its ref. Prices in quote currency; both given: stop-limit."""
        return self._place(OrderSide.BUY, qty, symbol, limit, stop, time_in_force, note)

    def sell(self, qty: Quantity, *, symbol: str | None = None, limit: Quantity | None = None, stop: Quantity | None = None,
             time_in_force: str | None = None, note: str | None = None) -> str:  # fmt: skip
        """Place a sell of `qty` units and return its ref. Prices in quote currency; both given: stop-limit."""
        return self._place(OrderSide.SELL, qty, symbol, limit, stop, time_in_force, note)

    def cancel(self, ref: str, note: str | None = None) -> None:
        """Take back the order placed as `ref`."""
        self.actions.append(CancelOrder(ref, note))

    def note(self, text: str) -> None:
        """Write a line into the run's activity."""
        self.actions.append(Note(text))

    def stop_run(self, reason: str) -> None:
        """End the run here."""
        self.actions.append(StopRun(reason))

    def _place(self, side: OrderSide, qty: Quantity, symbol: str | None, limit: Quantity | None, stop: Quantity | None,
               time_in_force: str | None, note: str | None) -> str:  # fmt: skip
        self._refs += 1
        ref = f"o{self._refs}"
        request = order_request(symbol or self.config.symbols[0], side, qty, limit=limit, stop=stop, time_in_force=time_in_force, note=note)
        self.actions.append(PlaceOrder(request, ref))
        return ref

    # --- the base contract, carried out ---

    def initialize(self, config: StrategyConfig) -> Actions:
        """Keep the config, then `setup`."""
        self.config = config
        self.setup()
        return self.take_actions()

    def on_tick(self, tick: Tick) -> Actions:
        """Ask for the newest bar of each symbol that has one."""
        self._waiting = set(tick.symbols)
        self._arrived = {}
        return [FetchWindow(symbol, 1) for symbol in tick.symbols]

    def on_data(self, window: Window) -> Actions:
        """Call `on_bars` once all the bars of this tick are there."""
        self._waiting.discard(window.symbol)
        self._arrived[window.symbol] = window.newest()
        if self._waiting:
            return None
        self.on_bars(self._arrived)
        return self.take_actions()

    def take_actions(self) -> list[Action]:
        """Return what was asked for since the last call."""
        taken = self.actions.copy()
        self.actions.clear()  # the same list for the whole run: whoever drives the strategy looks at it each bar
        return taken
