"""A quick start of commands that train."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_UNUSED = ("transformers.trainer", "pytorch_lightning")


@contextmanager
def without_trainers() -> Iterator[None]:
    """NNI finds neither Hugging Face's nor Lightning's trainer while it is imported: seconds that no command needs."""
    hidden = [name for name in _UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: not to be found
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
