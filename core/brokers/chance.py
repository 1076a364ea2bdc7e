"""Faults that a person asks of the simulated market: named, with a share or a time each, drawn from a seed, and said in words."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.brokers.faults import Deliver, Faults
from core.errors import AnswerUnreadable, BrokerRefused, BrokerUnreachable, InvalidValue, OutcomeUnknown, RateLimited, UnknownName
from core.model.broker import OrderUpdate, RefusalReason
from core.model.instants import SECOND_NS

_REFUSALS: Final = (
    (RefusalReason.BUYING_POWER, 403, 40310000, "insufficient buying power"),
    (RefusalReason.QUANTITY_HELD, 403, 40310000, "insufficient qty available for order"),
    (RefusalReason.WASH_TRADE, 403, 40310000, "potential wash trade detected"),
    (RefusalReason.ASSET_UNKNOWN, 422, 42210000, "asset is not tradable"),
    (RefusalReason.PRICE_INCREMENT, 422, 42210000, "sub-penny increment does not fulfill minimum pricing criteria"),
    (RefusalReason.TRADING_BLOCKED, 403, 40310000, "account is not allowed to trade"),
    (RefusalReason.INVALID_ORDER, 422, 42210000, "order is invalid"),
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault by its name. `words`: what happens, with `{value}`; a share is said in percent."""

    words: str
    default: float
    minimum: float
    maximum: float
    is_share: bool = True


KINDS: Final[Mapping[str, Kind]] = {
    "slow": Kind("each answer takes {value} s", 1.0, 0.0, 60.0, is_share=False),
    "server-errors": Kind("{value} of the requests are answered with 503, and nothing is done", 0.1, 0, 1),
    "rate-limits": Kind("{value} of the requests are turned away as too many (429)", 0.1, 0, 1),
    "lost-requests": Kind("{value} of the orders get lost on their way, and nobody can tell", 0.1, 0, 1),
    "lost-answers": Kind("{value} of the orders are taken, and their answer is lost", 0.1, 0, 1),
    "nonsense": Kind("{value} of the answers make no sense", 0.1, 0, 1),
    "rejects": Kind("{value} of the orders are refused, for whatever reason", 0.1, 0, 1),
    "missing": Kind("{value} of the news of orders are never told", 0.1, 0, 1),
    "doubled": Kind("{value} of the news of orders are told twice", 0.3, 0, 1),
    "reordered": Kind("{value} of the news of orders come after the next", 0.3, 0, 1),
    "flood": Kind("each piece of news comes {value} times", 50, 1, 1_000, is_share=False),
    "drops": Kind("the streams are cut every {value} s of the market, for a quarter of that", 60, 4, 86_400, is_share=False),
    "mute": Kind("the stream of orders says nothing for a quarter of every {value} s of the market", 60, 4, 86_400, is_share=False),
    "lag": Kind("{value} of the lists of positions are old", 0.3, 0, 1),
    "pieces": Kind("each fill comes in {value} pieces", 5, 1, 100, is_share=False),
    "clock-off": Kind("the broker's clock is {value} s off", 5, -60, 60, is_share=False),
    "revoked": Kind("the keys are revoked {value} s of the market after the first order", 300, 0, 86_400, is_share=False),
}
"""Every fault that can be asked for."""


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What is to go wrong: values by the names of `KINDS`."""

    values: Mapping[str, float]

    def of(self, name: str) -> float:
        """Return a fault's value; 0.0 where it was not asked for."""
        return self.values.get(name, 0.0)

    @property
    def words(self) -> str:
        """One sentence for a person; empty without faults."""
        if not self.values:
            return ""
        parts = []
        for name, value in self.values.items():
            kind = KINDS[name]
            parts.append(kind.words.format(value=f"{value * 100:g} %" if kind.is_share else f"{value:g}"))
        return f"This market misbehaves on purpose, from the first order on: {'; '.join(parts)}."


def parse_faults(words: Sequence[str], field: str) -> FaultPlan:
    """Return the plan of words like `slow=2` or `doubled`; a bare name takes the usual value. Raises UnknownName, InvalidValue."""
    values: dict[str, float] = {}
    for word in words:
        name, equals, text = word.strip().partition("=")
        kind = KINDS.get(name)
        if kind is None:
            raise UnknownName("fault", name, KINDS)
        try:
            value = float(text) if equals else kind.default
        except ValueError:
            raise InvalidValue(field, repr(word), f"{name} takes a number, like {name}={kind.default:g}.") from None
        if not kind.minimum <= value <= kind.maximum:
            raise InvalidValue(field, repr(word), f"{name} is from {kind.minimum:g} to {kind.maximum:g}.")
        values[name] = value
    return FaultPlan(values)


class ChanceFaults(Faults):
    """Switches that throw themselves as a plan has it, by chance from a seed; all is well until the first order, so that a run begins."""

    def __init__(self, plan: FaultPlan, seed: int) -> None:
        super().__init__()
        self._plan = plan
        self._chance = random.Random(seed)  # noqa: S311 - it is to be the same again
        self._late: list[OrderUpdate] = []
        self.begun = False
        """Whether the first order was sent."""
        self._is_mute = False

    # --- requests ---

    async def before(self) -> None:
        """See `Faults`. Raises RateLimited too."""
        if self.begun:
            self.answer_delay_s = self._plan.of("slow")
        await super().before()
        if self._happens("server-errors"):
            raise BrokerUnreachable("The broker answered with an error of its own (503).", "Nothing was done.")
        if self._happens("rate-limits"):
            raise RateLimited("The broker takes no more requests for now (429).", "Try again in a moment.", retry_after_s=0.1)

    async def before_reading(self) -> None:
        """See `Faults`. Raises AnswerUnreadable too."""
        await super().before_reading()
        if self._happens("nonsense"):
            raise AnswerUnreadable("The broker's answer makes no sense.", "It is asked again.")
        self.silent_positions = self._happens("lag")

    def request_is_lost(self, client_order_id: str | None) -> None:
        """See `Faults`. Raises BrokerRefused too."""
        self.begun = True
        super().request_is_lost(client_order_id)
        if self._happens("lost-requests"):
            raise OutcomeUnknown("The broker did not answer.", "It is looked up.", client_order_id=client_order_id)
        if self._happens("rejects"):
            reason, status, code, words = self._chance.choice(_REFUSALS)
            raise BrokerRefused(f"The broker refused: {words}.", reason=reason, status=status, broker_code=code, words=words)

    def answer_is_lost(self, client_order_id: str | None) -> None:
        """See `Faults`."""
        super().answer_is_lost(client_order_id)
        if self._happens("lost-answers") or self._happens("nonsense"):
            raise OutcomeUnknown("The broker's answer was lost.", "It is looked up.", client_order_id=client_order_id)

    # --- the stream ---

    def deliver(self, update: OrderUpdate, on_update: Deliver) -> None:
        """See `Faults`."""
        if self._is_mute or self._happens("missing"):
            return
        if self._happens("reordered"):
            self._late.append(update)
            return
        late, self._late = self._late, []
        for one in (update, *late):
            for _ in range(max(1, int(self._plan.of("flood"))) + self._happens("doubled")):
                on_update(one)

    # --- time ---

    def at(self, since_ns: int) -> None:
        """Take how much of the market's time has gone by since the first order."""
        seconds = since_ns / SECOND_NS
        self._is_mute = self._is_in_the_last_quarter("mute", seconds)
        is_cut, was_cut = self._is_in_the_last_quarter("drops", seconds), self.is_cut
        if is_cut and not was_cut:
            self.cut()
        elif was_cut and not is_cut:
            self.mend()
        if "revoked" in self._plan.values and seconds >= self._plan.of("revoked") and not self.keys_refused:
            self.keys_refused = True
            self.cut()
            self.mend()  # whoever connects again is told

    def _is_in_the_last_quarter(self, name: str, seconds: float) -> bool:
        period = self._plan.of(name)
        return bool(period) and seconds % period >= period * 3 / 4

    def _happens(self, name: str) -> bool:
        share = self._plan.of(name)
        return self.begun and bool(share) and self._chance.random() < share
