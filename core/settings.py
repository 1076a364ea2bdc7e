"""Every setting, declared once: the dialog, the docs and the environment variable are made from this."""

from collections.abc import Mapping
from typing import Final

import msgspec

from core.errors import InvalidValue, UnknownName
from core.values import ParamKind, ParamSpec, ParamValue


class Setting(msgspec.Struct, frozen=True):
    """A setting: its key (`group.name`), its type with bounds and default, and where it is grouped in the dialog."""

    key: str
    title: str
    spec: ParamSpec

    @property
    def env(self) -> str:
        """The environment variable that overrides the stored value: `WEAVER_` and the key, `window.theme` → `WEAVER_WINDOW_THEME`."""
        return "WEAVER_" + self.key.upper().replace(".", "_")


def _setting(
    key: str,
    title: str,
    default: ParamValue,
    help: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Setting:
    kinds = {bool: ParamKind.BOOL, int: ParamKind.INT, float: ParamKind.FLOAT, str: ParamKind.TEXT}
    spec = ParamSpec(name=key, kind=kinds[type(default)], default=default, minimum=minimum, maximum=maximum, choices=choices, help=help)
    return Setting(key, title, spec)


SETTINGS: Final = (
    _setting("window.theme", "Theme", "system", "Colours of the window; `system` follows the desktop.", choices=("system", "dark", "light")),
    _setting("window.scale_percent", "Scale", 100, "Size of text and rows, in percent; takes effect at the next start.", minimum=75, maximum=250),
    _setting("window.colour_blind", "Colour-blind palette", False, "Blue and orange instead of green and red for up and down."),
    _setting("window.flash", "Flash changes", True, "A value that changed flashes its background once."),
    _setting("window.local_time", "Local time", True, "Show times in the desktop's zone; off shows UTC."),
    _setting("run.cash", "Start cash", 100_000.0, "Cash a new run starts with, account currency.", minimum=1),
    _setting("run.callback_limit_s", "Callback limit", 2.0, "Seconds a strategy's callback may take before its run is ended.", minimum=0.1, maximum=600),
    _setting("database.url", "Database", "", "A server's database, postgresql://user@host/name, or a file; empty keeps the data in the data directory; takes effect at the next start."),
    _setting("desk.name", "Name of this desk", "", "Under this name other desks see what runs here; empty takes the machine's name; takes effect at the next start."),
    _setting("events.hash_chain", "Hash chains", False, "Store each event of a run with a hash over it and those before, so that a change shows; takes effect at the next start."),
    _setting("retention.backtest_days", "Backtest events", 0, "Days after a backtest's end until `weaver db archive` takes its events; 0 keeps them.", minimum=0, maximum=36_500),
    _setting("retention.trace_days", "Traces", 0, "Days after a traced backtest's end until its ticks and windows are archived; 0 keeps them.", minimum=0, maximum=36_500),
    _setting("retention.desk_days", "Desk events", 0, "Days until events that belong to no run are archived; 0 keeps them. What accounts are made of stays.", minimum=0, maximum=36_500),
    _setting("account.paper_adapter", "Paper adapter", "alpaca", "Which broker the paper account is at; `weaver accounts adapters` lists them."),
    _setting("account.live_adapter", "Live adapter", "alpaca", "Which broker the live account is at; `weaver accounts adapters` lists them."),
    _setting("sim.speed", "Speed of the simulated market", 1.0, "How many times as fast as real time it goes in the window; takes effect at the next start.", minimum=0.1, maximum=3_600),
    _setting("sim.faults", "Faults of the simulated market", "", "What goes wrong there on purpose, from the first order on, like slow=2 lost-answers=0.1 doubled; docs/live-trading.md lists all; takes effect at the next start."),
    _setting("paper.feed", "Feed", "sim", "Whose prices fill the account inside the program: sim, or an adapter such as alpaca with the paper account's keys; each feed has an account of its own; takes effect at the next start."),
    _setting("paper.cash", "Cash at opening", 100_000.0, "What the paper account is opened with, the first time.", minimum=1),
    _setting("paper.account", "Kind of account", "cash", "Whether the paper account borrows and sells short; takes effect at the next start.", choices=("cash", "margin")),
    _setting("paper.fees", "Fees", "none", "What a fill of the paper account costs, as in a backtest: none, alpaca, bps:10, per-share:0.005:1, per-trade:1; takes effect at the next start."),
    _setting("paper.borrow_rate", "Borrow rate", 0.0, "What short positions of the paper account pay, a fraction a year: 0.05 is five percent; takes effect at the next start.", minimum=0, maximum=10),
    _setting("paper.debit_rate", "Rate on negative cash", 0.0, "What negative cash of the paper account pays, a fraction a year; takes effect at the next start.", minimum=0, maximum=10),
    _setting("paper.credit_rate", "Rate on positive cash", 0.0, "What positive cash of the paper account earns, a fraction a year; takes effect at the next start.", minimum=0, maximum=10),
    _setting("paper.quote_size", "Fill by quote size", False, "The paper account fills no more than a quote has, where that is known; takes effect at the next start."),
    _setting("account.paper_limits", "Paper limits", "", "Risk limits of the paper account beside those of its runs, like max_order_value=5000 symbols=SPY,QQQ; takes effect at the next start."),
    _setting("account.live_limits", "Live limits", "", "Risk limits of the live account beside those of its runs, in the same words; takes effect at the next start."),
    _setting("chart.gaps_crypto", "Show gaps of crypto", True, "Leave empty space where a symbol that never closes has no bars."),
)  # fmt: skip


class Settings:
    """Values by key. Stored values that no longer fit fall back to the default and are named in `refused`."""

    def __init__(self, stored: Mapping[str, object], environment: Mapping[str, str]) -> None:
        self._values: dict[str, ParamValue] = {}
        self.refused: dict[str, str] = {}
        for setting in SETTINGS:
            given = environment.get(setting.env, stored.get(setting.key, setting.spec.default))
            try:
                self._values[setting.key] = setting.spec.parse(given)
            except InvalidValue as error:
                self._values[setting.key] = setting.spec.default
                self.refused[setting.key] = str(error)

    def __getitem__(self, key: str) -> ParamValue:
        if key not in self._values:
            raise UnknownName("setting", key, self._values)
        return self._values[key]

    def text(self, key: str) -> str:
        """Return a text setting."""
        return str(self[key])

    def number(self, key: str) -> float:
        """Return a numeric setting as float."""
        return float(self[key])

    def flag(self, key: str) -> bool:
        """Return a yes/no setting."""
        return bool(self[key])

    def with_value(self, key: str, value: object) -> "Settings":
        """Return a copy with one value changed. Raises InvalidValue or UnknownName."""
        setting = next((item for item in SETTINGS if item.key == key), None)
        if setting is None:
            raise UnknownName("setting", key, self._values)
        return Settings({**self._values, key: setting.spec.parse(value)}, {})

    def stored(self) -> dict[str, ParamValue]:
        """Return the values that differ from their default."""
        return {item.key: self._values[item.key] for item in SETTINGS if self._values[item.key] != item.spec.default}
