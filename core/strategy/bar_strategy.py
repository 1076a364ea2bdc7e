"""The common case of a strategy: indicators declared in `setup`, decisions in `on_bar`."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Unpack

from core.clock.resample import larger_timeframe
from core.errors import InvalidValue
from core.model.market import Bar, Floats, Timeframe
from core.model.order import OrderLeg, OrderSide
from core.strategy.actions import Action, Actions, CancelOrder, FetchWindow, Note, StopRun
from core.strategy.contract import Strategy
from core.strategy.placing import Size, oco, placed, replaced
from core.strategy.plots import Plot
from core.strategy.requests import Expiry, OrderTerms, Quantity
from core.strategy.windows import COLUMNS, Column, Indicator, StrategyConfig, Tick, Window

_BUY, _SELL = OrderSide.BUY, OrderSide.SELL


class BarStrategy(Strategy):
    """The common case: declare indicators and plots in `setup`, decide in `on_bar`.

    What places, changes and cancels orders may be called in `setup` and wherever a bar is handed in; placing returns a
    ref, by which the order is cancelled or replaced. With several symbols `on_bar` is called for each bar in the run's
    order, after all that ended now are known; override `on_bars` to get them together.
    """

    def __init__(self) -> None:
        self.config: StrategyConfig
        self.indicators: list[Indicator] = []
        self.plots: list[Plot] = []
        self.actions: list[Action] = []
        self._larger: set[Timeframe] = set()
        self._is_set_up = False
        self._refs = 0
        self._waiting: set[str] = set()
        self._arrived: dict[str, Bar] = {}

    # --- to override ---

    def setup(self) -> None:
        """Declare indicators and plots; parameters, `config` and `account` are there."""

    def on_bar(self, bar: Bar) -> None:
        """Decide on the bar that has just ended."""

    def on_bars(self, bars: Mapping[str, Bar]) -> None:
        """Decide on all bars that ended now, by symbol. The default calls `on_bar` for each."""
        for bar in bars.values():
            self.on_bar(bar)

    def on_larger_bar(self, bar: Bar, timeframe: str) -> None:
        """See a bar of a larger timeframe that has just ended, before `on_bar` at the same decision time."""

    # --- to declare in setup ---

    def column(self, name: str, symbol: str | None = None, *, timeframe: str | None = None) -> Column:
        """Return a column (`open`, `high`, `low`, `close`, `volume`, `session`) of `symbol`, the first one by default.

        `timeframe`: a larger one, such as "1h", built from the run's bars and known when such a bar has ended.
        """
        if name not in COLUMNS:
            raise InvalidValue("column", repr(name), f"it must be one of {', '.join(COLUMNS)}.")
        own = Timeframe.parse(self.config.timeframe)
        larger = own if timeframe is None else larger_timeframe(timeframe, own)
        if larger != own:
            self._larger.add(larger)
        return Column(symbol or self.config.symbols[0], name, str(larger))

    @property
    def close(self) -> Column:
        """The closes of the first symbol, to declare indicators with."""
        return self.column("close")

    def indicator(self, function: Callable[..., Floats], *arguments: Any, name: str | None = None, pane: str = "price") -> Indicator:
        """Declare `function(*arguments)`; columns among the arguments become float64 arrays, one value per bar.

        The function must return an array of the same length in which value i depends on no input after i.
        `pane` is where the chart draws it: `price`, or the name of a pane of its own; with "" it is not drawn.
        """
        function_name = getattr(function, "__name__", "indicator")
        self._check_declaring("indicator", name or function_name)
        inputs = [item for item in arguments if isinstance(item, (Column, Indicator))]
        if not inputs:
            raise InvalidValue("indicator", function_name, "give it a column, such as self.close.")
        symbol, timeframe = inputs[0].symbol, inputs[0].timeframe
        if any(item.symbol != symbol for item in inputs):
            raise InvalidValue("indicator", ", ".join(item.symbol for item in inputs), "all its columns must be of one symbol.")
        if any(item.timeframe != timeframe for item in inputs):
            said = ", ".join(str(item.timeframe) for item in inputs)
            raise InvalidValue("indicator", said, "all its columns must be of one timeframe.")
        settled = [str(item) for item in arguments if not isinstance(item, (Column, Indicator))]
        if timeframe is not None and timeframe != str(Timeframe.parse(self.config.timeframe)):
            settled.append(timeframe)
        declared = Indicator(function, arguments, symbol, name or " ".join([function_name, *settled]), pane, timeframe)
        self.indicators.append(declared)
        return declared

    def plot(self, name: str, pane: str = "price", *, symbol: str | None = None) -> Plot:
        """Declare a line; its `set(value)` draws a point at the newest bar of `symbol`, the first one by default."""
        self._check_declaring("plot", name)
        declared = Plot(name, symbol or self.config.symbols[0], pane)
        self.plots.append(declared)
        return declared

    # --- to call ---

    def held(self, symbol: str | None = None) -> Decimal:
        """Return the units held of `symbol` (the first one by default), signed."""
        return self.account.held(symbol or self.config.symbols[0])

    def count_refs(self, refs: Iterable[str]) -> None:
        """Know refs that were given before a restart: no order gets one of them again. The engine calls it."""
        self._refs = max([self._refs, *(int(ref[1:]) for ref in refs if ref[0] == "o" and ref[1:].isdecimal())])

    def buy(
        self, qty: Size, *, symbol: str | None = None, note: str | None = None, ref: str | None = None, **terms: Unpack[OrderTerms]
    ) -> str:
        """Place a buy and return its ref; its exit legs are known as `REF.target` and `REF.stop`. Raises InvalidValue."""
        if ref is None:
            self._refs += 1
            ref = f"o{self._refs}"
        self.actions.append(placed(symbol or self.config.symbols[0], _BUY, qty, note, ref, terms))
        return ref

    def sell(
        self, qty: Size, *, symbol: str | None = None, note: str | None = None, ref: str | None = None, **terms: Unpack[OrderTerms]
    ) -> str:
        """Place a sell and return its ref; its exit legs are known as `REF.target` and `REF.stop`. Raises InvalidValue."""
        if ref is None:
            self._refs += 1
            ref = f"o{self._refs}"
        self.actions.append(placed(symbol or self.config.symbols[0], _SELL, qty, note, ref, terms))
        return ref

    def close_position(self, symbol: str | None = None, *, note: str | None = None) -> str | None:
        """Sell, or buy back, all that is held of `symbol`, at market and reduce-only; return the ref, None when flat."""
        held = self.held(symbol)
        if held > 0:
            return self.sell(held, symbol=symbol, reduce_only=True, note=note)
        return self.buy(-held, symbol=symbol, reduce_only=True, note=note) if held else None

    def oco(
        self,
        side: str,
        qty: Quantity,
        *,
        limit: Quantity | OrderLeg,
        stop: Quantity | OrderLeg,
        symbol: str | None = None,
        time_in_force: str | None = None,
        expires: Expiry | None = None,
        reduce_only: bool = False,
        note: str | None = None,
    ) -> tuple[str, str]:
        """Place a limit order and a stop order of which one cancels the other; return their refs, the limit's first.

        `limit` and `stop` are prices or a `leg`. Raises InvalidValue.
        """
        refs = (self._new_ref(), self._new_ref())
        pair = oco(
            symbol or self.config.symbols[0],
            side,
            qty,
            limit=limit,
            stop=stop,
            time_in_force=time_in_force,
            expires=expires,
            reduce_only=reduce_only,
            note=note,
            refs=refs,
        )
        self.actions.append(pair)
        return refs

    def replace(
        self,
        ref: str,
        *,
        qty: Quantity | None = None,
        limit: Quantity | None = None,
        stop: Quantity | None = None,
        trail: Quantity | None = None,
        trail_percent: Quantity | None = None,
        note: str | None = None,
    ) -> None:
        """Change the order placed as `ref`; what is left out stays, `qty` is the new total. Raises InvalidValue."""
        self.actions.append(replaced(ref, qty=qty, limit=limit, stop=stop, trail=trail, trail_percent=trail_percent, note=note))

    def cancel(self, ref: str, note: str | None = None) -> None:
        """Take back the order placed as `ref`."""
        self.actions.append(CancelOrder(ref, note))

    def cancel_all(self, note: str | None = None) -> None:
        """Take back every order that works now; orders of this same decision are not touched."""
        self.actions.extend(CancelOrder(ref, note) for ref in self.account.working())

    def note(self, text: str) -> None:
        """Write a line into the run's activity."""
        self.actions.append(Note(text))

    def stop_run(self, reason: str) -> None:
        """End the run here."""
        self.actions.append(StopRun(reason))

    def _new_ref(self) -> str:
        self._refs += 1
        return f"o{self._refs}"

    def _check_declaring(self, kind: str, name: str) -> None:
        if self._is_set_up:
            raise InvalidValue(kind, name, "declare it in setup: it is made before the first bar.")

    # --- the base contract, carried out ---

    def initialize(self, config: StrategyConfig) -> Actions:
        """Keep the config, then `setup`."""
        self.config = config
        self.setup()
        self._is_set_up = True
        return self.take_actions()

    def larger_timeframes(self) -> set[Timeframe]:
        """Return the larger timeframes whose columns were asked for."""
        return self._larger

    def on_tick(self, tick: Tick) -> Actions:
        """Ask for the newest bar of each symbol and timeframe that has one, larger ones first."""
        own = str(Timeframe.parse(self.config.timeframe))
        self._waiting = set(tick.symbols)
        self._arrived = {}
        larger = [FetchWindow(symbol, 1, timeframe) for symbol, timeframe in tick.ended if timeframe != own]
        return larger + [FetchWindow(symbol, 1) for symbol in tick.symbols]

    def on_data(self, window: Window) -> Actions:
        """Call `on_bars` once all the bars of this tick are there."""
        if window.timeframe != str(Timeframe.parse(self.config.timeframe)):
            self.on_larger_bar(window.newest(), window.timeframe)
            return None if self._waiting else self.take_actions()
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
