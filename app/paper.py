"""The paper account as the settings have it: which feed fills it, what it is opened with, what it costs."""

from core.brokers import sim
from core.brokers.accounts import Accounts
from core.brokers.paper.floor import PaperTerms
from core.brokers.paper.hours import ExchangeHours, RoundTheClock
from core.brokers.paper.source import PaperFeed, PaperSource
from core.brokers.sim import SimSource
from core.brokers.sim_market import SYMBOLS
from core.clock.realtime import SystemClock
from core.matching.costs import fee_model
from core.model.broker import AccountName
from core.model.money import exact
from core.model.run import AccountKind, AccountTerms
from core.ports import Store
from core.settings import Settings


def paper_source(store: Store, market: SimSource, settings: Settings, accounts: Accounts) -> PaperSource:
    """Return the source of the paper account; nothing is read or sent before it is opened.

    `market`: the simulated one; `accounts`: those whose feed may fill it.
    """

    def terms() -> PaperTerms:
        return PaperTerms(
            account=AccountTerms(
                kind=AccountKind(settings.text("paper.account")),
                borrow_rate=exact(settings.number("paper.borrow_rate")),
                debit_rate=exact(settings.number("paper.debit_rate")),
                credit_rate=exact(settings.number("paper.credit_rate")),
            ),
            fees=fee_model(settings.text("paper.fees")),
            caps_size=settings.flag("paper.quote_size"),
        )

    feed_id = settings.text("paper.feed").strip() or sim.ID
    if feed_id == sim.ID:
        feed = PaperFeed(
            id=feed_id,
            open=lambda: market.open(sim.ID, AccountName.PAPER),
            clock=market.clock(sim.ID),
            hours=RoundTheClock(),
            symbols=SYMBOLS,
        )
    else:
        # The feed is an adapter of its own choice, whichever the paper account of the person is at.
        of_feed = accounts.at(feed_id)
        feed = PaperFeed(id=feed_id, open=lambda: of_feed.open(AccountName.PAPER), clock=SystemClock(), hours=ExchangeHours())
    return PaperSource(feed, store.paper, store.actions, terms, exact(settings.number("paper.cash")))
