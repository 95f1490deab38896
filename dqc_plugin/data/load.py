"""Data sets by name, as schedules say it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from dqc_plugin.data.adapt import as_dataset
from dqc_plugin.data.archive import npz
from dqc_plugin.data.dataset import DataSet
from dqc_plugin.errors import ConfigError
from dqc_plugin.registry import import_attribute, lookup


def load_data(name: str, **arguments: Any) -> DataSet:
    """The data set of a registered name ("digits"), an .npz file or a "package.module:factory" with its arguments.

    A factory may return what :func:`as_dataset` takes. Raises RegistryError for an unknown name, ConfigError for
    arguments that the factory does not take or data that cannot be used.
    """
    factory = _factory(name)
    _check_arguments(name, factory, arguments)
    return as_dataset(factory(**arguments), name)


def _factory(name: str) -> Callable[..., Any]:
    if name.endswith(".npz"):
        return functools.partial(npz, name)
    factory = import_attribute(name) if ":" in name else lookup("data", name).load()
    if not callable(factory):
        raise ConfigError(f"data {name!r}: is a {type(factory).__name__}; it must be a function that returns the data")
    return factory  # type: ignore[no-any-return]


def _check_arguments(name: str, factory: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    signature = inspect.signature(factory)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise ConfigError(f"data {name!r}: {error}; its arguments: {signature}") from error
