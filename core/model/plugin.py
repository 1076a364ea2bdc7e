"""What is known of a strategy plug-in without importing it."""

from typing import Any

import msgspec

from core.errors import UnknownName
from core.values import ParamKind as ParamKind
from core.values import ParamSpec as ParamSpec
from core.values import ParamValue as ParamValue


class StrategyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A plug-in as found on disk. `error` is set, in plain words, when its file is broken: then it cannot run."""

    id: str
    name: str
    version: str
    description: str
    """The docstring of its class: when it trades."""
    path: str
    sha256: str
    class_name: str = ""
    params: tuple[ParamSpec, ...] = ()
    symbols: int = 1
    """How many symbols it trades; 0 means any number."""
    builtin: bool = False
    error: str | None = None

    def parse_params(self, given: dict[str, Any]) -> dict[str, ParamValue]:
        """Return every parameter with its value, defaults filled in. Raises UnknownName or InvalidValue."""
        specs = {spec.name: spec for spec in self.params}
        for name in given:
            if name not in specs:
                raise UnknownName(f"parameter of {self.id}", name, specs)
        return {name: spec.parse(given[name]) if name in given else spec.default for name, spec in specs.items()}

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the parameters."""
        return {
            "type": "object",
            "properties": {spec.name: spec.json_schema() for spec in self.params},
            "additionalProperties": False,
        }
