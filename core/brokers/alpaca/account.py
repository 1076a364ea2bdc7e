"""What an account at Alpaca holds, and what happened in it."""

from typing import Any, Final

from core.brokers.alpaca.activities import AlpacaActivities
from core.brokers.alpaca.fields import (
    amount,
    amount_or_none,
    amount_or_zero,
    asset_class,
    fields,
    parsed,
    rows,
    symbol_of_position,
    text_of_instant,
)
from core.brokers.alpaca.orders import read_activity
from core.brokers.rest import Answer, RestClient
from core.model.broker import Account, AccountName, BrokerPosition, Execution
from core.model.broker_entry import BrokerEntry

_PAPER: Final = "PA"
PAGE: Final = 100
"""The most executions that Alpaca puts on a page."""


class AlpacaAccount:
    """The `BrokerAccount` of Alpaca."""

    def __init__(self, trading: RestClient) -> None:
        self._trading = trading
        self._activities = AlpacaActivities(trading)

    async def account(self) -> Account:
        """See `core.ports.BrokerAccount`."""
        return await self._trading.ask("/v2/account", {}, lambda answer: _read_account(parsed(answer.body)), "Reading the account")

    async def positions(self) -> list[BrokerPosition]:
        """See `core.ports.BrokerAccount`."""

        def read(answer: Answer) -> list[BrokerPosition]:
            return sorted((_read_position(row) for row in rows(parsed(answer.body))), key=lambda position: position.symbol)

        return await self._trading.ask("/v2/positions", {}, read, "Reading the positions")

    async def executions(self, after: str | None = None, since_ns: int | None = None) -> list[Execution]:
        """See `core.ports.BrokerAccount`. Executions of one order in one millisecond come in the order of its total."""
        query = {"direction": "asc", "page_size": str(PAGE)}
        if since_ns is not None:
            query["after"] = text_of_instant(max(0, since_ns - 1))  # Alpaca leaves out the instant itself
        found: dict[str, Execution] = {}
        while True:
            if after is not None:
                query["page_token"] = after
            page = await self._trading.ask("/v2/account/activities/FILL", query, _read_activities, "Reading the executions")
            fresh = [execution for execution in page if execution.id not in found]
            found.update((execution.id, execution) for execution in fresh)
            if len(page) < PAGE or not fresh:
                break
            after = page[-1].page_token
        return sorted(found.values(), key=lambda execution: (execution.time_ns, execution.cum_qty))

    async def entries(self, after: str | None = None) -> list[BrokerEntry]:
        """See `core.ports.BrokerAccount`."""
        return await self._activities.entries(after)


def _read_activities(answer: Answer) -> list[Execution]:
    return [read_activity(row) for row in rows(parsed(answer.body))]


def _read_account(document: Any) -> Account:
    row = fields(document)
    number = str(row["account_number"])
    return Account(
        number=number,
        status=str(row["status"]),
        currency=str(row.get("currency") or "USD"),
        cash=amount(row["cash"]),
        equity=amount(row["equity"]),
        last_equity=amount_or_zero(row.get("last_equity")),
        buying_power=amount(row["buying_power"]),
        non_marginable_buying_power=amount_or_zero(row.get("non_marginable_buying_power")),
        long_value=amount_or_zero(row.get("long_market_value")),
        short_value=amount_or_zero(row.get("short_market_value")),
        initial_margin=amount_or_zero(row.get("initial_margin")),
        maintenance_margin=amount_or_zero(row.get("maintenance_margin")),
        multiplier=amount_or_zero(row.get("multiplier")),
        day_trades=int(row.get("daytrade_count") or 0),
        shorting_enabled=bool(row.get("shorting_enabled")),
        trading_blocked=any(bool(row.get(name)) for name in ("trading_blocked", "account_blocked", "trade_suspended_by_user")),
        # The one mark by which Alpaca's two kinds of account differ.
        kind=AccountName.PAPER if number.startswith(_PAPER) else AccountName.LIVE,
    )


def _read_position(document: Any) -> BrokerPosition:
    row = fields(document)
    of_class = asset_class(row.get("asset_class"))
    # A short has a negative quantity; where the sign is missing, the side says it.
    sign = -1 if row.get("side") == "short" else 1
    qty, available = abs(amount(row["qty"])) * sign, abs(amount(row.get("qty_available", row["qty"])))
    return BrokerPosition(
        symbol=symbol_of_position(str(row["symbol"]), of_class),
        asset_class=of_class,
        qty=qty,
        qty_available=available * sign,
        avg_price=amount(row["avg_entry_price"]),
        cost_basis=amount_or_zero(row.get("cost_basis")),
        market_value=amount_or_none(row.get("market_value")),
        price=amount_or_none(row.get("current_price")),
        unrealised_pnl=amount_or_none(row.get("unrealized_pl")),
    )
