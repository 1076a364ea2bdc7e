"""What the window needs from its composer besides the engine."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.errors import NotInThisVersion
from core.model.broker import AccountName, AccountSetup
from core.model.download import Downloaded, DownloadPlan
from core.model.result import Progress
from core.model.run import ParamValue, Run
from core.settings import Settings

OnProgress = Callable[[Progress], None]
FetchBars = Callable[[DownloadPlan, AccountName, OnProgress], Awaitable[list[Downloaded]]]
"""Downloads bars with an account's keys. Raises InputError, and what the broker raises; cancelled, it keeps what was stored."""

AskDatabase = Callable[[str, OnProgress], Awaitable[str]]
"""Takes the address of a database and returns a sentence. Raises KnownError."""


async def _nothing_there(url: str, on_progress: OnProgress) -> str:
    raise NotInThisVersion("This window was opened without a way to databases.", "Open it with `weaver`.")


async def _no_setups() -> Sequence[AccountSetup]:
    return ()


async def _not_stored(account: AccountName, key: str, secret: str) -> None:
    raise NotInThisVersion("This window was opened without a keyring.", "Use `weaver accounts set`.")


async def _not_forgotten(account: AccountName) -> bool:
    raise NotInThisVersion("This window was opened without a keyring.", "Use `weaver accounts forget`.")


class LayoutMemory(Protocol):
    """Keeps small blobs by name (the layout of docks, columns of tables) between two starts."""

    def load(self, name: str) -> bytes | None:
        """Return what was saved under `name`, or None."""
        ...

    def save(self, name: str, blob: bytes) -> None:
        """Keep `blob` under `name`. A failure must not stop the program: the next start has the default layout."""
        ...

    def forget(self, name: str) -> None:
        """Drop what was saved under `name`, if anything."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What `app` hands to the window.

    `change_setting` stores one value and returns all of them anew; raises InvalidValue. `request_quit` asks the
    program to stop in good order and returns at once; when all is done the program calls `MainWindow.close_now`.
    `report_bug` is told of an error of ours with what was being done; the window shows a sentence besides. `make_demo` makes the simulated
    market and a run on it, and returns the run when it is over. `export_report` writes the report of a run to a page (`.html`) or into a
    folder and returns the files; a report of ours is replaced. Raises InputError where another file stands there, DataError where it
    cannot be written, and what `Engine.report` raises. `look_at_database` says what is at an address, `prepare_database` makes
    or upgrades its tables, `copy_to_database` copies everything of this desk there,
    `fetch_bars` downloads bars from a broker. `account_setups` says how each account is set up, `store_keys` keeps an account's key and
    secret in the keyring, `forget_keys` takes them out of it.
    """

    layout: LayoutMemory
    change_setting: Callable[[str, ParamValue], Settings]
    request_quit: Callable[[], None]
    report_bug: Callable[[BaseException, str], None]
    make_demo: Callable[[OnProgress], Awaitable[Run]]
    export_report: Callable[[str, Path], Awaitable[tuple[Path, ...]]]
    fetch_bars: FetchBars
    version: str
    look_at_database: AskDatabase = _nothing_there
    prepare_database: AskDatabase = _nothing_there
    copy_to_database: AskDatabase = _nothing_there
    account_setups: Callable[[], Awaitable[Sequence[AccountSetup]]] = _no_setups
    store_keys: Callable[[AccountName, str, str], Awaitable[None]] = _not_stored
    forget_keys: Callable[[AccountName], Awaitable[bool]] = _not_forgotten
    desk_name: str = ""


class MemoryLayout:
    """A layout memory that ends with the process: for screenshots, and where nothing can be written."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def load(self, name: str) -> bytes | None:
        return self.blobs.get(name)

    def save(self, name: str, blob: bytes) -> None:
        self.blobs[name] = blob

    def forget(self, name: str) -> None:
        self.blobs.pop(name, None)
