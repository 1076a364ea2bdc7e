"""`weaver account`, `positions`, `orders list`: what a broker has. `weaver accounts`: which accounts there are, and their keys."""

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.account_call import Shown, accounts_of, left_bare_at, looked_at, parse_account, with_accounts
from app.call import Call
from app.console import print_json, show, table
from app.options import EVERYWHERE, AccountText, AsJson, KeptAt
from app.words import moment
from core.errors import InputError

if TYPE_CHECKING:
    from core.brokers.accounts import Accounts
    from core.model.broker import Account, AccountSetup, AdapterInfo, BrokerOrder, BrokerPosition

AccountArgument = Annotated[str, typer.Argument(help="Which account: paper or live.")]


def add_to(app: typer.Typer, accounts: typer.Typer, orders: typer.Typer) -> None:
    """Add the verbs to the program and to their groups."""
    app.command("account", epilog=EVERYWHERE)(account_)
    orders.command("list", epilog=EVERYWHERE)(list_orders)
    for name, verb in (("list", list_accounts), ("set", set_keys), ("forget", forget), ("adapters", adapters)):
        accounts.command(name, epilog=EVERYWHERE)(verb)


def account_(context: typer.Context, account: AccountText = "paper", broker: KeptAt = None, as_json: AsJson = False) -> None:
    """Show an account's money."""
    call: Call = context.obj
    found = looked_at(call, account, broker, lambda shown: shown.account.account())
    name = parse_account(account)
    if as_json:
        print_json({"account": str(name), **_account_document(found)})
        return
    rows = [(label.replace("_", " "), _shown(label, value)) for label, value in _account_document(found).items()]
    show(table((f"{name} account", ""), rows, right=("",)))


def positions(context: typer.Context, account: AccountText = "paper", broker: KeptAt = None, as_json: AsJson = False) -> None:
    """List what an account holds."""
    from rich.text import Text

    call: Call = context.obj
    found = looked_at(call, account, broker, lambda shown: shown.account.positions())
    bare = left_bare_at(call, account, broker) if found else []
    if as_json:
        print_json({"account": str(parse_account(account)), "positions": [_position_document(item) for item in found], "bare": bare})
    elif not found:
        show(Text(f"The {parse_account(account)} account holds nothing."))
    else:
        columns = ("symbol", "qty", "available", "avg. price", "price", "value", "unrealised")
        rows = [_position_row(item) for item in found]
        show(table(columns, rows, right=columns[1:]))
        for sentence in bare:
            show(Text(sentence))


def list_orders(
    context: typer.Context,
    account: AccountText = "paper",
    broker: KeptAt = None,
    since: Annotated[str | None, typer.Option(help="All orders since then, whatever became of them.", metavar="D")] = None,
    as_json: AsJson = False,
) -> None:
    """List the open orders of an account, or all of them since a date."""
    from rich.text import Text

    from core.model.instants import parse_instant

    call: Call = context.obj
    since_ns = None if since is None else parse_instant(since, field="--since")

    async def work(shown: Shown) -> list["BrokerOrder"]:
        return await (shown.orders.open_orders() if since_ns is None else shown.orders.orders_since(since_ns))

    found = looked_at(call, account, broker, work)
    if as_json:
        print_json({"account": str(parse_account(account)), "orders": [_order_document(order) for order in found]})
    elif not found:
        what = "no open orders" if since is None else f"no orders since {since}"
        show(Text(f"The {parse_account(account)} account has {what}."))
    else:
        columns = ("sent UTC", "symbol", "side", "qty", "order", "tif", "filled", "status", "id")
        flat = [row for order in found for row in (order, *order.legs)]
        show(table(columns, [_order_row(order) for order in flat], right=("qty", "filled"), fold=("order", "id")))


def list_accounts(context: typer.Context, as_json: AsJson = False) -> None:
    """List the accounts, with the last four signs of their keys."""
    call: Call = context.obj
    found = with_accounts(call, lambda accounts: accounts.setups())
    if as_json:
        print_json({"accounts": [_setup_document(setup) for setup in found]})
        return
    rows = [
        (str(setup.name), setup.adapter, setup.keys or "none", setup.kept, setup.error or ("ready" if setup.keys else "has no keys"))
        for setup in found
    ]
    show(table(("account", "adapter", "keys", "kept in", ""), rows, fold=("",)))


def set_keys(context: typer.Context, account: AccountArgument, as_json: AsJson = False) -> None:
    """Keep an account's keys in the system's keyring. They are asked for, and what is typed is not shown."""
    from rich.text import Text

    from core.brokers.credentials import Credentials

    call: Call = context.obj
    name = parse_account(account)
    adapter = accounts_of(call).adapter_of(name)
    credentials = Credentials(_asked(f"Key of the {name} account at {adapter}"), _asked("Secret"))

    async def work(accounts: "Accounts") -> None:
        await accounts.store_keys(name, credentials)

    with_accounts(call, work)
    if as_json:
        print_json({"account": str(name), "adapter": adapter, "keys": credentials.shown, "kept": "keyring"})
    else:
        show(Text(f"The keys {credentials.shown} of the {name} account are in the keyring. `weaver account --account {name}` tries them."))


def forget(context: typer.Context, account: AccountArgument, as_json: AsJson = False) -> None:
    """Remove an account's keys from the system's keyring."""
    from rich.text import Text

    call: Call = context.obj
    name = parse_account(account)
    removed = with_accounts(call, lambda accounts: accounts.forget_keys(name))
    if as_json:
        print_json({"account": str(name), "removed": removed})
    else:
        said = "are removed from the keyring" if removed else "were not in the keyring; what the environment has stays there"
        show(Text(f"The keys of the {name} account {said}."))


def adapters(context: typer.Context, as_json: AsJson = False) -> None:
    """List the adapters to brokers, broken ones too."""
    from rich.text import Text

    call: Call = context.obj
    call.make_directories()
    found = accounts_of(call).adapters()
    if as_json:
        print_json({"folder": str(call.paths.adapters), "adapters": [_adapter_document(info) for info in found.values()]})
        return
    rows = [(info.id, info.version, info.error or _features(info)) for info in found.values()]
    show(table(("adapter", "version", "what it does"), rows, fold=("what it does",)))
    show(Text(f"Your own belong in {call.paths.adapters}."))


def _asked(what: str) -> str:
    """Return what a person types, unseen; or, where no terminal is, the next line of stdin. Raises InputError when there is none."""
    if sys.stdin.isatty():
        from getpass import getpass

        text = getpass(f"{what}: ")
    else:
        text = sys.stdin.readline()
    if not text.strip():
        raise InputError(f"{what}: nothing was given.", "Type it, or give the key and the secret as two lines on stdin.")
    return text.strip()


def _shown(label: str, value: object) -> str:
    """Return a field of an account for a person."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _cash(value) if isinstance(value, Decimal) and label != "multiplier" else str(value)


def _cash(amount: Decimal | None) -> str:
    """Return money to the cent, thousands apart; `–` where it is not known."""
    return "–" if amount is None else f"{amount:,.2f}".replace("-", "−")


def _price(amount: Decimal | None) -> str:
    """Return a price as it is; an average is rounded to six digits after the point."""
    from core.model.money import plain

    return "–" if amount is None else plain(round(amount, 6)).replace("-", "−")


def _account_document(account: "Account") -> dict[str, Any]:
    return {name: getattr(account, name) for name in account.__struct_fields__}


def _position_row(item: "BrokerPosition") -> tuple[str, ...]:
    from core.model.money import plain

    amounts = (plain(item.qty), plain(item.qty_available), _price(item.avg_price), _price(item.price))
    return (item.symbol, *amounts, _cash(item.market_value), _cash(item.unrealised_pnl))


def _position_document(item: "BrokerPosition") -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__struct_fields__}


def _order_row(order: "BrokerOrder") -> tuple[str, ...]:
    from core.model.money import plain

    qty = plain(order.qty) if order.qty is not None else f"for {_cash(order.notional)}"
    prices = [_price(price) for price in (order.stop_price, order.limit_price, order.trail_price) if price is not None]
    prices += [f"{_price(order.trail_percent)} %"] if order.trail_percent is not None else []
    prices += [f"at {_price(order.trigger_price)}"] if order.trigger_price is not None else []
    return (
        (moment(order.submitted_ns) or "")[:16],
        order.symbol,
        str(order.side or "?"),
        qty,
        " ".join([order.broker_type.replace("_", " "), *prices]),
        order.broker_time_in_force,
        plain(order.filled_qty),
        order.broker_status.replace("_", " "),
        order.client_order_id,
    )


def _order_document(order: "BrokerOrder") -> dict[str, Any]:
    times = ("submitted_ns", "updated_ns")
    plain = {name: getattr(order, name) for name in order.__struct_fields__ if name not in (*times, "legs")}
    return {
        **plain,
        "submitted": moment(order.submitted_ns),
        "updated": moment(order.updated_ns),
        "legs": [_order_document(leg) for leg in order.legs],
    }


def _setup_document(setup: "AccountSetup") -> dict[str, Any]:
    return {name: getattr(setup, name) for name in setup.__struct_fields__}


def _adapter_document(info: "AdapterInfo") -> dict[str, Any]:
    import msgspec

    document: dict[str, Any] = msgspec.to_builtins(info)
    return document


def _features(info: "AdapterInfo") -> str:
    features = info.features
    words = [f"{' and '.join(features.accounts)}: {', '.join(features.assets)}", f"orders {', '.join(features.order_types)}"]
    words += [name.replace("_", " ") for name in ("fractional", "notional", "extended_hours", "streaming") if getattr(features, name)]
    return f"{info.description} {'; '.join(words)}."
