"""Which workstation this is, among those that share a database."""

import platform
import secrets

from app.config import Paths, write_whole
from core.errors import StoreError
from core.model.desk import Desk
from core.settings import Settings


def desk_of(paths: Paths, settings: Settings) -> Desk:
    """Return this desk: an id that is made once and kept in the data directory, and the name of the settings or the machine.

    The machine's name is a part of the id: a data directory that was copied to another machine is another desk. Where nothing
    can be written the id holds until the program ends.
    """
    machine = platform.node() or "this machine"
    name = settings.text("desk.name").strip() or (f"{machine} {paths.profile}" if paths.profile else machine)
    return Desk(id=f"{_kept(paths)}@{machine}", name=name)


def _kept(paths: Paths) -> str:
    file = paths.data / "desk-id"
    try:
        kept = file.read_text(encoding="utf-8").strip()
    except OSError:
        kept = ""
    if not kept:
        kept = secrets.token_hex(8)
        try:
            write_whole(file, kept + "\n")
        except StoreError:
            return kept
    return kept
