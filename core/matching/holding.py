"""What is held of one symbol, at average cost."""

from decimal import Decimal

from core.model.money import ZERO


class Holding:
    """Signed units; what they cost without fees, with the same sign (a short: minus what it brought); profit realised."""

    __slots__ = ("cost", "qty", "realised")

    def __init__(self, qty: Decimal = ZERO, cost: Decimal = ZERO, realised: Decimal = ZERO) -> None:
        self.qty = qty
        self.cost = cost
        self.realised = realised

    def closing_part(self, signed: Decimal) -> Decimal:
        """Return how many of `signed` units (minus: sold) only take off the position, without sign."""
        held = self.qty
        if held > ZERO:
            return min(-signed, held) if signed < ZERO else ZERO
        return min(signed, -held) if held < ZERO < signed else ZERO

    def trade(self, signed: Decimal, price: Decimal) -> None:
        """Book `signed` units; a reversal realises on the closing part and starts anew with the rest."""
        closing = self.closing_part(signed)
        if closing:
            signed = self._close(closing, price, signed)
        self.qty += signed
        self.cost += signed * price

    def _close(self, closing: Decimal, price: Decimal, signed: Decimal) -> Decimal:
        """Take `closing` units off at `price` and return the rest of `signed`."""
        taken = closing if self.qty > ZERO else -closing
        given_up = self.cost if taken == self.qty else self.cost * taken / self.qty
        self.realised += taken * price - given_up
        self.cost -= given_up
        self.qty -= taken
        return signed + taken
