"""The words of a call about costs and account, and what a report says of them."""

from decimal import Decimal

import pytest

from app.run_terms import TermWords, settings_text
from core.errors import InputError, InvalidValue, UnknownName
from core.model.run import AccountKind, AccountTerms, PathModel, RunConfig

SYMBOLS = ("GME", "SPY")


def config(words: TermWords) -> RunConfig:
    return RunConfig(strategy_id="s", symbols=SYMBOLS, timeframe="1d", **words.fields(SYMBOLS))


def test_words_become_settings() -> None:
    said = config(
        TermWords(
            fees=" BPS:10 ", slippage="Spread:4", path="Optimistic", account="MARGIN", borrow_rate="0.03", hard_to_borrow=("gme", "GME"),
            volume_cap="0.1", trade_through=True, close_at_end=True, no_actions=True,
        )
    )  # fmt: skip
    assert (said.fees, said.slippage, said.path) == ("bps:10", "spread:4", PathModel.OPTIMISTIC)
    assert said.account == AccountTerms(kind=AccountKind.MARGIN, borrow_rate=Decimal("0.03"), hard_to_borrow=("GME",))
    assert (said.volume_cap, said.trade_through, said.close_at_end, said.corporate_actions) == (Decimal("0.1"), True, True, False)


def test_no_words_are_the_defaults() -> None:
    assert config(TermWords()) == RunConfig(strategy_id="s", symbols=SYMBOLS, timeframe="1d")


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (TermWords(path="best"), UnknownName, "There is no path named 'best'"),
        (TermWords(account="margn"), UnknownName, "Did you mean margin"),
        (TermWords(debit_rate="0.1"), InputError, "--debit-rate is for a margin account"),
        (TermWords(hard_to_borrow=["GME"]), InputError, "--hard-to-borrow is for a margin account"),
        (TermWords(account="margin", hard_to_borrow=["GNE"]), UnknownName, "Did you mean GME"),
        (TermWords(account="margin", borrow_rate="x"), InvalidValue, "--borrow-rate cannot be 'x'"),
        (TermWords(account="margin", borrow_rate="11"), InvalidValue, "borrow_rate cannot be 11"),
        (TermWords(volume_cap="0"), InvalidValue, "volume_cap cannot be 0"),
    ],
)
def test_wrong_words_are_refused(words: TermWords, error: type[InputError], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        config(words)


def test_only_what_differs_is_told() -> None:
    assert settings_text(config(TermWords())) == ""
    assert settings_text(config(TermWords(fees="bps:5", credit_rate="0.0125"))) == "Cash earns 1.25 % a year."
    assert settings_text(config(TermWords(account="margin", volume_cap="0.025"))) == "Margin account; at most 2.5 % of a bar's volume."
    assert settings_text(config(TermWords(path="olhc", no_actions=True))) == "Path olhc; without splits and dividends."
