"""Records what happens to an account beside its fills."""

from decimal import Decimal

from core.events.envelope import Cause, Payload
from core.events.payloads import DividendPaid, InterestCharged, MarginCall, SplitApplied
from core.model.corporate_action import PositionChange
from core.runs.journal import RunJournal


class AccountJournal:
    """Turns margin calls, interest, splits and dividends into events of the run."""

    def __init__(self, journal: RunJournal) -> None:
        self._journal = journal
        self.position_changes: list[PositionChange] = []
        """What splits did to positions, oldest first."""

    def margin_call(self, *, equity: Decimal, required: Decimal, exposure: Decimal, now_ns: int) -> Cause:
        return self._record(MarginCall(equity=equity, required=required, exposure=exposure), now_ns)

    def interest(self, *, amount: Decimal, symbol: str | None, now_ns: int) -> None:
        self._record(InterestCharged(amount=amount, symbol=symbol), now_ns)

    def split(self, *, symbol: str, ratio: Decimal, qty_before: Decimal, qty: Decimal, cash: Decimal, now_ns: int) -> None:
        self.position_changes.append(PositionChange(symbol=symbol, ratio=ratio, qty=qty, cash=cash, time_ns=now_ns))
        self._record(SplitApplied(symbol=symbol, ratio=ratio, qty_before=qty_before, qty=qty, cash=cash), now_ns)

    def dividend(self, *, symbol: str, per_share: Decimal, qty: Decimal, cash: Decimal, now_ns: int) -> None:
        self._record(DividendPaid(symbol=symbol, per_share=per_share, qty=qty, cash=cash), now_ns)

    def _record(self, payload: Payload, now_ns: int) -> Cause:
        return self._journal.record(payload, now_ns, None, None)
