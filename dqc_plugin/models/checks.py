"""The check of the whole numbers that the model factories take."""

from __future__ import annotations

from dqc_plugin.errors import ConfigError


def require_positive(model: str, **sizes: int) -> None:
    """ConfigError unless each of the named sizes is an int of at least 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ConfigError(f"{model}: {name} must be a whole number of at least 1, not {size!r}")
