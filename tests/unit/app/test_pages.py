"""The pages on the command line, on errors and on settings say what the program has, no more and no less."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from app.cli import build
from app.common_options import COMMON_OPTIONS
from core import errors
from core.settings import SETTINGS

DOCS = Path(__file__).resolve().parents[3] / "docs"


def _verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        if path and command.invoke_without_command:
            yield path, command  # a group that is a verb, too
        for name, inner in command.commands.items():
            yield from _verbs(inner, (*path, name))
    else:
        yield path, command


def _shown_verbs() -> dict[str, Any]:
    tree = typer.main.get_command(build())
    return {" ".join(path): command for path, command in _verbs(tree) if not command.hidden}


def _sections() -> dict[str, str]:
    """Verb (with its argument) → text of its section; the window itself is the empty verb."""
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0].strip("`"): part for part in parts}


def _section_of(verb: str) -> str:
    found = [text for title, text in _sections().items() if re.sub(r" [A-Z]+$", "", title) == f"weaver {verb}".strip()]
    assert len(found) == 1, f"docs/cli.md has {len(found)} sections on `weaver {verb}`"
    return found[0]


def _options(command: Any) -> set[str]:
    return {name for param in command.params for name in param.opts if name.startswith("--") and not getattr(param, "hidden", False)}


def test_every_verb_has_its_section_with_its_options() -> None:
    for verb, command in _shown_verbs().items():
        named = set(re.findall(r"`(--[a-z-]+)", _section_of(verb)))
        assert named <= _options(command) | set(COMMON_OPTIONS) | {"--help"}, f"docs/cli.md gives weaver {verb} options it does not have"
        missing = _options(command) - {"--help", *COMMON_OPTIONS} - named
        assert not missing, f"docs/cli.md does not name {missing} of weaver {verb}"


def test_the_window_and_the_common_options_are_described() -> None:
    root = typer.main.get_command(build())
    window, everywhere = set(re.findall(r"`(--[a-z-]+)", _section_of(""))), set(re.findall(r"`(--[a-z-]+)", _sections()["Everywhere"]))
    assert _options(root) | {"--help"} == window | everywhere
    assert set(COMMON_OPTIONS) | {"--help"} == everywhere


def test_no_section_is_of_a_verb_that_does_not_exist() -> None:
    described = {re.sub(r" [A-Z]+$", "", title).removeprefix("weaver").strip() for title in _sections() if title.startswith("weaver")}
    assert described == {"", *_shown_verbs()}


def _classes(base: type[errors.WeaverError]) -> Iterator[type[errors.WeaverError]]:
    for inner in base.__subclasses__():
        if inner.__module__ == errors.__name__:
            yield inner
            yield from _classes(inner)


def test_every_error_code_is_described_with_its_exit_code() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (\d) \|", (DOCS / "errors.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    known = {found.code: "2" if issubclass(found, errors.InputError) else "1" for found in _classes(errors.KnownError)}
    assert dict(rows) == {**known, errors.KnownError.code: "1"}


def test_every_error_stands_in_the_tree() -> None:
    for found in _classes(errors.WeaverError):
        assert re.search(rf"── {found.__name__}\b", errors.__doc__ or ""), f"the tree in core/errors.py does not draw {found.__name__}"


def test_every_setting_is_described_with_its_default_and_variable() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    rows = {
        row[0]: row
        for row in re.findall(r"^\| `([a-z_.]+)` \| (.+?) \| `(.*?)` \| (.*?) \| `(\w+)` \| (.+?) \|$", text, flags=re.MULTILINE)
    }
    assert set(rows) == {setting.key for setting in SETTINGS}
    for setting in SETTINGS:
        _, title, default, bounds, variable, said = rows[setting.key]
        assert (title, variable, said) == (setting.title, setting.env, setting.spec.help)
        assert setting.spec.parse(default) == setting.spec.default
        for bound in (setting.spec.minimum, setting.spec.maximum):
            assert bound is None or f"{bound:g}" in bounds
        assert all(choice in bounds for choice in setting.spec.choices)
