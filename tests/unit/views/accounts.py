"""An account at the simulated market, as a test of views has it."""

from decimal import Decimal

from core.model.broker import Account, AccountName, Features
from core.model.hand import AccountView
from core.model.risk import SwitchLevel

MONEY = Account(
    number="SIM1",
    status="ACTIVE",
    currency="USD",
    cash=Decimal(900),
    equity=Decimal(1_000),
    last_equity=Decimal(1_010),
    buying_power=Decimal(900),
    non_marginable_buying_power=Decimal(900),
    long_value=Decimal(100),
    short_value=Decimal(0),
    initial_margin=Decimal(0),
    maintenance_margin=Decimal(0),
    multiplier=Decimal(1),
    day_trades=0,
    shorting_enabled=False,
    trading_blocked=False,
)


def account_view(**changes: object) -> AccountView:
    """The account, with nothing held and nothing that works, but for `changes`."""
    fields: dict[str, object] = {
        "broker_id": "sim",
        "account": AccountName.PAPER,
        "key": "sim:SIM1",
        "title": "Simulated market",
        "is_real_money": False,
        "money": MONEY,
        "positions": (),
        "working": (),
        "outside_orders": 0,
        "features": Features(),
        "level": SwitchLevel.OFF,
        "silent_s": 0.0,
        "reconciled_ns": None,
        "hand_run_id": "hand",
        "as_of_ns": 1,
    }
    return AccountView(**{**fields, **changes})  # type: ignore[arg-type]  # by name, in a test
