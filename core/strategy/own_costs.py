"""A strategy's own models of fees and slippage, checked at each call: they are a plug-in's code."""

from collections.abc import Callable
from decimal import Decimal

from core.errors import NonsenseAction, StrategyError
from core.model.cost_models import FeeModel, Part, SlippageModel
from core.model.money import plain

Failure = Callable[[str, BaseException], StrategyError]
"""Makes the error that says what went wrong inside a method."""


class OwnFees:
    """A strategy's `fee_model`. What it raises or returns amiss ends the run with a sentence."""

    def __init__(self, model: FeeModel, failure: Failure) -> None:
        self._model = model
        self._failure = failure

    def fee(self, part: Part) -> Decimal:
        try:
            charge = self._model.fee(part)
        except (Exception, SystemExit) as error:
            raise self._failure("fee_model.fee", error) from error
        return _amount("fee_model.fee", charge)


class OwnSlippage:
    """A strategy's `slippage_model`. What it raises or returns amiss ends the run with a sentence."""

    def __init__(self, model: SlippageModel, failure: Failure) -> None:
        self._model = model
        self._failure = failure

    def distance(self, price: Decimal, qty: Decimal, volume: Decimal) -> Decimal:
        try:
            distance = self._model.distance(price, qty, volume)
        except (Exception, SystemExit) as error:
            raise self._failure("slippage_model.distance", error) from error
        return _amount("slippage_model.distance", distance)


def own_fees(model: object, failure: Failure) -> OwnFees | None:
    """Return a strategy's fee model, checked; None when it has none. Raises NonsenseAction for what is no model."""
    if model is None:
        return None
    if isinstance(model, type) or not isinstance(model, FeeModel):
        raise NonsenseAction(f"fee_model is {_shown(model)}.", "Set it to an instance of a class with fee(self, part).")
    return OwnFees(model, failure)


def own_slippage(model: object, failure: Failure) -> OwnSlippage | None:
    """Return a strategy's slippage model, checked; None when it has none. Raises NonsenseAction for what is no model."""
    if model is None:
        return None
    if isinstance(model, type) or not isinstance(model, SlippageModel):
        raise NonsenseAction(
            f"slippage_model is {_shown(model)}.", "Set it to an instance of a class with distance(self, price, qty, volume)."
        )
    return OwnSlippage(model, failure)


def _shown(model: object) -> str:
    return f"the class {model.__name__} itself" if isinstance(model, type) else f"a {type(model).__name__}"


def _amount(method: str, amount: object) -> Decimal:
    if type(amount) is int:
        amount = Decimal(amount)
    if not isinstance(amount, Decimal):
        raise NonsenseAction(f"{method} returned the {type(amount).__name__} {amount!r}.", "Return a Decimal: floats are not exact.")
    if not amount.is_finite() or amount < 0:
        raise NonsenseAction(f"{method} returned {plain(amount) if amount.is_finite() else amount}.", "Return an amount of at least 0.")
    return amount
