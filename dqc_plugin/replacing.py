"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Another path in the same folder, to write to; it becomes ``path`` at the end, or is removed after an error.

    Each thread of each process has its own. Raises OSError for a path that no file can have.
    """
    if not path.name:
        raise OSError(0, "it names no file")
    beside = path.with_name(f".{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield beside
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
