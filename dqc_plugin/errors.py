"""Errors that a user can act on: each message names the file, line, key or layer and says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DQCError(Exception):
    """Base of every error this package raises on purpose; the command line prints it without a traceback."""


class ConfigError(DQCError):
    """A configuration (an NNI config_list, options of a component) that cannot be used."""


class RegistryError(DQCError):
    """An unknown name, or a name that is taken."""


class ScheduleError(DQCError):
    """A schedule with problems, all of them in one message, a line each."""


class WeightError(DQCError):
    """A weight that cannot be quantized (NaN, infinity), with its layer."""


class ArtifactError(DQCError):
    """A compressed file that is damaged, cut, foreign or does not fit the model."""


class MisfitError(ArtifactError):
    """A sound file and a model that it is not of."""


class ExportError(DQCError):
    """A network that cannot be written in another format."""


class RunError(DQCError):
    """A run that cannot start or go on."""


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """``"; did you mean 'bits'?"`` for the nearest of the valid names, or the list of them."""
    choices = sorted(valid)
    nearest = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    if nearest:
        return f"; did you mean {nearest[0]!r}?"
    return f"; valid: {', '.join(choices)}" if choices else ""
