"""Where this machine keeps the program's files, and the settings stored there."""

import errno
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import DiskFull, InputError, InvalidValue, KnownError, StoreReadOnly
from core.settings import SETTINGS, Settings

HOME_VARIABLE: Final = "WEAVER_HOME"
DATABASE_VARIABLE: Final = "WEAVER_DB"
MEMORY: Final = "memory"

_DATABASES: Final = "write memory, a file like sqlite:///bars.db, or a server's database like postgresql://ann@desk/weaver."
_PROFILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Paths:
    """The data directory and what stands where in it. A profile has settings, layout, logs and database of its own.

    Strategies and adapters belong to the person, not to a profile: all profiles share the folders.
    """

    home: Path
    profile: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], profile: str | None = None) -> "Paths":
        """Return the paths of `WEAVER_HOME`, or of the system's place for a program's data. Makes nothing."""
        if profile is not None and not _PROFILE.fullmatch(profile):
            raise InvalidValue("--profile", repr(profile), "use letters, digits, - and _, at most 40.")
        given = environment.get(HOME_VARIABLE, "").strip()
        if given:
            return cls(Path(given).expanduser().absolute(), profile)
        from platformdirs import user_data_path

        return cls(user_data_path("weaver", appauthor=False), profile)

    @property
    def data(self) -> Path:
        """The directory of this profile."""
        return self.home / "profiles" / self.profile if self.profile else self.home

    @property
    def database(self) -> Path:
        return self.data / "weaver.db"

    @property
    def settings(self) -> Path:
        return self.data / "settings.json"

    @property
    def layout(self) -> Path:
        """The window's own memory: the places of its docks, columns and the like."""
        return self.data / "layout"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def strategies(self) -> Path:
        """The person's own plug-ins."""
        return self.home / "strategies"

    @property
    def adapters(self) -> Path:
        """The person's own adapters to brokers."""
        return self.home / "adapters"

    def make(self) -> None:
        """Create the directories. Raises StoreReadOnly or DiskFull."""
        for folder in (self.data, self.logs, self.strategies, self.adapters):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(folder, error) from error


def unwritable(path: Path, error: OSError) -> KnownError:
    """Return the known error for a file or directory that cannot be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull(f"No space is left for {path}.", "Free some space and try again.")
    reason = (error.strerror or str(error)).lower()
    return StoreReadOnly(f"{path} cannot be written: {reason}.", f"Give it write permission, or set {HOME_VARIABLE} to another directory.")


def _check_limits(key: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        from core.model.risk import account_limits

        account_limits(text, key)

    return check


_CHECKS: Final = {f"account.{account}_limits": _check_limits(f"account.{account}_limits") for account in ("paper", "live")}
"""What is right beyond a setting's type. Raises InputError."""


class SettingsFile:
    """The stored settings: one JSON object, only what differs from the defaults, written in one step.

    `warnings` says in sentences what of the file or the environment could not be taken.
    """

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self._overridden = {setting.key for setting in SETTINGS if setting.env in environment}
        self._foreign: dict[str, object] = {}
        self._broken = False
        self.warnings: list[str] = []

    def load(self) -> Settings:
        """Return the stored values under the environment's; a file that cannot be read counts as empty."""
        self.warnings = []
        stored = self._read()
        known = {setting.key for setting in SETTINGS}
        # Kept as they are: an older program must not drop what a newer one has written.
        self._foreign = {key: value for key, value in stored.items() if key not in known}
        settings = Settings(stored, self._environment)
        self.warnings += [f"Setting {key} is ignored. {reason}" for key, reason in settings.refused.items()]
        for key, check in _CHECKS.items():
            try:
                check(settings.text(key))
            except InputError as error:
                # It is not ignored: an account whose limits cannot be read is not traded on.
                self.warnings.append(f"Setting {key} cannot be read, so that nothing is traded on that account. {error}")
        return settings

    def save(self, settings: Settings) -> None:
        """Write what differs from the defaults. Values that the environment overrides are not stored. Raises StoreReadOnly or DiskFull."""
        kept = {key: value for key, value in self._read().items() if key in self._overridden}
        chosen = {key: value for key, value in settings.stored().items() if key not in self._overridden}
        if self._broken and self._path.is_file():
            # What cannot be read may still matter to the person who wrote it.
            write_whole(self._path.with_suffix(".broken.json"), self._path.read_text(encoding="utf-8", errors="replace"))
            self._broken = False
        write_whole(self._path, json.dumps({**self._foreign, **kept, **chosen}, indent=2, sort_keys=True) + "\n")

    def change(self, settings: Settings, key: str, value: object) -> Settings:
        """Store one value and return all of them anew. What a person chooses now counts, whatever the environment said at the start.

        Raises InvalidValue, UnknownName, StoreReadOnly or DiskFull.
        """
        changed = settings.with_value(key, value)
        if key in _CHECKS:
            _CHECKS[key](changed.text(key))
        self._overridden.discard(key)
        self.save(changed)
        return changed

    def _read(self) -> dict[str, object]:
        try:
            read = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            return self._unusable(str(error))
        return read if isinstance(read, dict) else self._unusable("it is not a JSON object")

    def _unusable(self, reason: str) -> dict[str, object]:
        self.warnings.append(f"{self._path} cannot be read as settings: {reason}. The defaults are used until it is repaired or removed.")
        self._broken = True
        return {}


def write_whole(path: Path, text: str) -> None:
    """Replace the file's content in one step: a reader, or a crash, sees the old text or the new one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from error


def database_url(given: str | None, environment: Mapping[str, str], paths: Paths) -> str:
    """Return where the data is kept: `--db`, else `WEAVER_DB`, else what the settings say, else the file in the data directory.

    The store reads URLs; refused here is only a bare word, which is a mistyped `memory` more likely than a file's name.
    """
    if given is not None and not given.strip():
        raise InvalidValue("--db", "empty", _DATABASES)
    text = (given if given is not None else environment.get(DATABASE_VARIABLE, "")).strip()
    if not text:
        return SettingsFile(paths.settings, environment).load().text("database.url").strip() or str(paths.database)
    if text.casefold() == MEMORY:
        return MEMORY
    if not any(sign in text for sign in "/\\.:"):
        raise InvalidValue("--db" if given is not None else DATABASE_VARIABLE, repr(text), _DATABASES)
    return text
