"""Where in an adapter's files something went wrong."""

import traceback
from pathlib import Path
from typing import Final

PACKAGE: Final = "__init__.py"


def own_files(path: str) -> str:
    """Return what the names of an adapter's files begin with: its file, or its folder."""
    return path.removesuffix(PACKAGE)


def place_in(error: BaseException, files: str) -> str:
    """Return ` (desk.py, line 12)` of the last line of the adapter's own that an error went through; nothing where there is none."""
    if isinstance(error, SyntaxError):
        return ""  # it says so itself
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(files)]
    return f" ({Path(lines[-1].filename).name}, line {lines[-1].lineno})" if lines else ""
