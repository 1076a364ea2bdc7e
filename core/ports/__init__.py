"""Every port of the engine, family by family: what core needs from outside, named for what it needs it for."""

from core.ports.account_rows import AccountRows, AccountWork, RunTail
from core.ports.bar_store import BarStore, CorporateActionStore
from core.ports.broker import (
    BarHistory,
    Broker,
    BrokerAccount,
    BrokerMarket,
    BrokerOrderDesk,
    BrokerOrderReader,
    BrokerSource,
    BrokerStreams,
)
from core.ports.clock import Clock, LiveClock
from core.ports.event_log import Callback, EventLog, Subscription
from core.ports.leases import Leases
from core.ports.paper_books import PaperBooks
from core.ports.run_store import Rows, RunStore, UnitOfWork
from core.ports.store import Store
from core.ports.store_care import OnProgress, StoreCare
from core.ports.strategies import StrategySource

__all__ = [
    "AccountRows",
    "AccountWork",
    "BarHistory",
    "BarStore",
    "Broker",
    "BrokerAccount",
    "BrokerMarket",
    "BrokerOrderDesk",
    "BrokerOrderReader",
    "BrokerSource",
    "BrokerStreams",
    "Callback",
    "Clock",
    "CorporateActionStore",
    "EventLog",
    "Leases",
    "LiveClock",
    "OnProgress",
    "PaperBooks",
    "Rows",
    "RunStore",
    "RunTail",
    "Store",
    "StoreCare",
    "StrategySource",
    "Subscription",
    "UnitOfWork",
]
