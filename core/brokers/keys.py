"""Where an account's keys are kept: the system's keyring first, then the environment. Never in a file of ours."""

import json
import re
from collections.abc import Mapping
from typing import Final

from core.brokers.credentials import Credentials
from core.errors import KeyringUnusable, NoKeys
from core.model.broker import AccountName

SERVICE: Final = "weaver"
KEYRING, ENVIRONMENT = "keyring", "environment"

# Alpaca's own tools read these, and mean the paper account.
_OWN_TOOLS: Final = {("alpaca", AccountName.PAPER): (("APCA_API_KEY_ID",), ("APCA_API_SECRET_KEY",))}


class KeyVault:
    """Keys by adapter and account. Each profile has its own in the keyring. Calls may wait for the person to unlock it: use a thread."""

    def __init__(self, environment: Mapping[str, str], profile: str | None) -> None:
        self._environment = environment
        self._service = SERVICE if profile is None else f"{SERVICE}:{profile}"

    def find(self, adapter: str, account: AccountName) -> tuple[Credentials, str] | None:
        """Return an account's keys and where they are kept; None where there are none.

        Raises KeyringUnusable when the keyring cannot be read and the environment has none either, NoKeys for half a pair.
        """
        trouble: KeyringUnusable | None = None
        try:
            kept = self._from_keyring(adapter, account)
        except KeyringUnusable as error:
            kept, trouble = None, error
        if kept is not None:
            return kept, KEYRING
        given = self._from_environment(adapter, account)
        if given is not None:
            return given, ENVIRONMENT
        if trouble is not None:
            raise trouble
        return None

    def require(self, adapter: str, account: AccountName) -> Credentials:
        """Return an account's keys. Raises NoKeys or KeyringUnusable."""
        found = self.find(adapter, account)
        if found is None:
            key, secret = variables(adapter, account)[0]
            raise NoKeys(
                f"The {account} account has no keys on this machine.",
                f"Store them with `weaver accounts set {account}`, or set {key} and {secret}.",
            )
        return found[0]

    def store(self, adapter: str, account: AccountName, credentials: Credentials) -> None:
        """Put keys into the keyring, and read them back: some keyrings take anything and keep nothing. Raises KeyringUnusable."""
        import keyring
        from keyring.errors import KeyringError

        text = json.dumps({"key": credentials.key, "secret": credentials.secret})
        try:
            keyring.set_password(self._service, _name(adapter, account), text)
            is_kept = keyring.get_password(self._service, _name(adapter, account)) == text
        except KeyringError as error:
            raise _unusable(adapter, account) from error
        if not is_kept:
            raise _unusable(adapter, account)

    def forget(self, adapter: str, account: AccountName) -> bool:
        """Take keys out of the keyring; False when there were none. Raises KeyringUnusable."""
        import keyring
        from keyring.errors import KeyringError

        if self._from_keyring(adapter, account) is None:
            return False
        try:
            keyring.delete_password(self._service, _name(adapter, account))
        except KeyringError as error:
            raise _unusable(adapter, account) from error
        return True

    def _from_keyring(self, adapter: str, account: AccountName) -> Credentials | None:
        import keyring
        from keyring.errors import KeyringError, NoKeyringError

        try:
            text = keyring.get_password(self._service, _name(adapter, account))
        except NoKeyringError:
            return None
        except KeyringError as error:
            raise _unusable(adapter, account) from error
        if text is None:
            return None
        try:
            kept = json.loads(text)
            return Credentials(str(kept["key"]), str(kept["secret"]))
        except (ValueError, KeyError, TypeError) as error:
            raise KeyringUnusable(
                f"What the keyring has for the {account} account are not its keys.",
                f"Store them again with `weaver accounts set {account}`.",
            ) from error

    def _from_environment(self, adapter: str, account: AccountName) -> Credentials | None:
        pairs = variables(adapter, account)
        for key_variable, secret_variable in pairs:
            key, secret = (self._environment.get(name, "").strip() for name in (key_variable, secret_variable))
            if key and secret:
                return Credentials(key, secret)
        names = {name for pair in pairs for name in pair}
        half = sorted(name for name in names if self._environment.get(name, "").strip())
        if half:
            wanted = next(pair for pair in pairs if set(pair) & set(half))
            missing = next(name for name in wanted if name not in half)
            raise NoKeys(f"{half[0]} is set, and {missing} is not: the {account} account needs both.", f"Set {missing} too.")
        return None


def variables(adapter: str, account: AccountName) -> list[tuple[str, str]]:
    """Return the pairs of environment variables that may hold an account's keys, the first one first."""
    prefix = f"{re.sub(r'[^A-Z0-9]', '_', adapter.upper())}_{account.upper()}"
    names = (((f"{prefix}_API_KEY",), (f"{prefix}_API_SECRET", f"{prefix}_SECRET")), _OWN_TOOLS.get((adapter, account), ((), ())))
    return [(key, secret) for keys, secrets in names for key in keys for secret in secrets]


def _name(adapter: str, account: AccountName) -> str:
    return f"{adapter}-{account}"


def _unusable(adapter: str, account: AccountName) -> KeyringUnusable:
    key, secret = variables(adapter, account)[0]
    return KeyringUnusable(
        "This system has no keyring that keeps the keys, or it is locked.", f"Unlock it, or set {key} and {secret} in the environment."
    )
