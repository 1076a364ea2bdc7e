"""Round trips, first in first out."""

from dataclasses import dataclass, field
from decimal import Decimal

from tests.oracle.outcome import RoundTrip


@dataclass(frozen=True, slots=True)
class Lot:
    """An open entry part; `qty` is signed, `fees` are what is left of its entry's."""

    qty: Decimal
    price: Decimal
    fees: Decimal
    time_ns: int


@dataclass(slots=True)
class Trips:
    """The open parts of each symbol, oldest first, and the trips that are complete."""

    lots: dict[str, tuple[Lot, ...]] = field(default_factory=dict)
    done: tuple[RoundTrip, ...] = ()

    def copy(self) -> "Trips":
        return Trips(dict(self.lots), self.done)

    def fill(self, symbol: str, signed: Decimal, price: Decimal, fee: Decimal, time_ns: int) -> None:
        """Close what is open on the other side, oldest first; the rest opens."""
        lots = list(self.lots.get(symbol, ()))
        left = signed
        while left != 0 and lots and (lots[0].qty > 0) != (left > 0):
            first = lots.pop(0)
            size = min(abs(first.qty), abs(left))
            entry_fees = first.fees * size / abs(first.qty)
            exit_fees = fee * size / abs(signed)
            self._trip(symbol, first, size, price, entry_fees + exit_fees, time_ns)
            rest = abs(first.qty) - size
            if rest:
                lots.insert(0, Lot(rest if first.qty > 0 else -rest, first.price, first.fees - entry_fees, first.time_ns))
            left = left - size if left > 0 else left + size
        if left != 0:
            lots.append(Lot(left, price, fee * abs(left) / abs(signed), time_ns))
        self.lots[symbol] = tuple(lots)

    def _trip(self, symbol: str, entry: Lot, size: Decimal, price: Decimal, fees: Decimal, time_ns: int) -> None:
        gain = (price - entry.price) * size if entry.qty > 0 else (entry.price - price) * size
        trip = RoundTrip(
            symbol=symbol,
            side="long" if entry.qty > 0 else "short",
            qty=size,
            entry_ns=entry.time_ns,
            exit_ns=time_ns,
            entry_price=entry.price,
            exit_price=price,
            fees=fees,
            profit=gain - fees,
        )
        self.done = (*self.done, trip)

    def split(self, symbol: str, ratio: Decimal) -> None:
        """Every open part counts in the new units; its money stays."""
        lots = self.lots.get(symbol, ())
        self.lots[symbol] = tuple(Lot(lot.qty * ratio, lot.price / ratio, lot.fees, lot.time_ns) for lot in lots)
