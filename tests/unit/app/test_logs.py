"""Secrets stay out of the log; a bug is kept in a file of its own and told in a sentence."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.logs import LOG_FILE, FaultReporter, redacted, start_logging
from core.errors import BugError, NoBars


class StoppedClock:
    """A clock that stands still."""

    def now_ns(self) -> int:
        return 1_700_000_000_123_456_789

    def monotonic_ns(self) -> int:
        return 0

    def elapsed_ns(self) -> int:
        return 0


@pytest.fixture
def plain_records() -> Iterator[None]:
    factory = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(factory)
    logging.getLogger("alembic").setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("postgresql+asyncpg://desk:hunter2@db.example/weaver", "hunter2"),
        ("APCA_API_SECRET_KEY=s3cr3t-value rest", "s3cr3t-value"),
        ("APCA_API_KEY_ID: AKXYZ123", "AKXYZ123"),
        ("{'api_key': 'abc123', 'symbol': 'SPY'}", "abc123"),
        ('{"password": "p4ss", "qty": 1}', "p4ss"),
        ("Authorization: Bearer eyJhbGciOi.x.y", "eyJhbGciOi"),
        ("GET /v2?token=tok_42&limit=5", "tok_42"),
        ("ALPACA_LIVE_API_SECRET = zzz9", "zzz9"),
    ],
)
def test_a_secret_is_taken_out(text: str, secret: str) -> None:
    assert secret not in redacted(text)
    assert "***" in redacted(text)


@pytest.mark.parametrize(
    "text", ["imported SPY: 2,517 bars", "sqlite:////home/desk/weaver.db", "order 4b1f-2 filled at 10:30:00", "keys: 3"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_no_line_of_the_log_holds_a_secret(tmp_path: Path, plain_records: None) -> None:
    start_logging(tmp_path, verbose=False)
    try:
        raise ValueError("token=tok_42")
    except ValueError:
        logging.getLogger("some").info("url %s", "https://desk:hunter2@example/", exc_info=True)
    record = logging.getLogRecordFactory()("some", logging.INFO, "x", 1, "password=%s", ("p4ss",), None)
    written = (tmp_path / LOG_FILE).read_text()
    assert "https://desk:***@example/" in written
    assert "ValueError" in written
    assert "tok_42" not in written
    assert "p4ss" not in record.getMessage()  # the panel reads the record itself


def test_a_second_start_does_not_double_the_lines(tmp_path: Path, plain_records: None) -> None:
    start_logging(tmp_path, verbose=False)
    start_logging(tmp_path, verbose=False)
    logging.getLogger("some").info("once")
    assert (tmp_path / LOG_FILE).read_text().count("once") == 1


def test_without_a_folder_the_terminal_has_to_do(tmp_path: Path, plain_records: None, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    start_logging(tmp_path / "file" / "logs", verbose=True)
    logging.getLogger("some").info("still said")
    assert "still said" in capsys.readouterr().err


def _bug() -> Exception:
    try:
        raise KeyError("password=p4ss")
    except KeyError as error:
        return error


def test_a_bug_is_kept_and_its_file_is_named(tmp_path: Path) -> None:
    said: list[str] = []
    reporter = FaultReporter(tmp_path / "logs", StoppedClock())
    reporter.tell_by(said.append)
    reporter.report(_bug(), "drawing the chart")
    (kept,) = (tmp_path / "logs").iterdir()
    assert "Traceback" in kept.read_text()
    assert "p4ss" not in kept.read_text() + said[0]
    assert said == [f"This is a bug in Weaver: KeyError: 'password=***'. Its traceback is kept in {kept}."]


def test_the_same_bug_again_is_kept_once(tmp_path: Path) -> None:
    class Walking(StoppedClock):
        at = 0

        def now_ns(self) -> int:
            self.at += 10**9
            return self.at

    reporter = FaultReporter(tmp_path, Walking())
    for _ in range(3):
        reporter.sentence(_bug())
    reporter.sentence(RuntimeError("another"))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_known_error_is_no_bug(tmp_path: Path) -> None:
    reporter = FaultReporter(tmp_path, StoppedClock())
    assert reporter.sentence(NoBars("No bars.", "Import some.")) == "No bars. Import some."
    assert list(tmp_path.iterdir()) == []


def test_a_bug_where_nothing_can_be_written_is_still_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    sentence = FaultReporter(tmp_path / "file" / "logs", StoppedClock()).sentence(BugError("A row is missing."))
    assert sentence == "This is a bug in Weaver: A row is missing. Its traceback could not be kept; --debug shows it."


def test_what_a_loop_could_hand_to_no_one_is_reported(tmp_path: Path) -> None:
    said: list[str] = []
    reporter = FaultReporter(tmp_path, StoppedClock())
    reporter.tell_by(said.append)
    reporter.on_loop_exception(None, {"message": "Task exception was never retrieved", "exception": ValueError("x")})
    assert said[0].startswith("This is a bug in Weaver: ValueError: x.")
