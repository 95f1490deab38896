"""Names for quantizers, pruners, coders, models and data sets.

Built-in components stand here as ``"module:attribute"`` strings, so that looking a name up imports nothing heavy.
Users add theirs with :func:`register`; other packages with entry points in the groups ``dqc_plugin.quantizer``,
``dqc_plugin.pruner``, ``dqc_plugin.coder``, ``dqc_plugin.model`` and ``dqc_plugin.data``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeVar, get_args

from dqc_plugin.errors import RegistryError, did_you_mean

Kind = Literal["quantizer", "pruner", "coder", "model", "data"]
KINDS: tuple[Kind, ...] = get_args(Kind)
T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """One registered component.

    target: the component, or where it is as ``"module:attribute"``.
    options: a pydantic model of the options that a schedule may give it (or where that is), None for "none".
    """

    kind: Kind
    name: str
    target: Any
    options: Any = None

    def load(self) -> Any:
        """The component itself; imports its module if need be."""
        return import_attribute(self.target) if isinstance(self.target, str) else self.target

    def load_options(self) -> Any:
        """The pydantic model of its options, or None."""
        options = import_attribute(self.options) if isinstance(self.options, str) else self.options
        return getattr(self.load(), "Options", None) if options is None and self.is_foreign else options

    @property
    def is_foreign(self) -> bool:
        """True for a component of a user or of another package: its options stand in its ``Options`` attribute."""
        return not (isinstance(self.target, str) and self.target.startswith("dqc_plugin."))


def import_attribute(path: str) -> Any:
    """The object at ``"package.module:attribute"``; RegistryError if there is none."""
    module_name, _, attribute = path.partition(":")
    if not attribute:
        raise RegistryError(f"{path!r} is not of the form package.module:attribute")
    try:
        found = importlib.import_module(module_name)
    except Exception as error:  # whatever the user's module does
        raise RegistryError(f"cannot import {module_name!r} for {path!r}: {error}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise RegistryError(f"module {module_name!r} has no {part!r}{did_you_mean(part, vars(found))}")
        found = getattr(found, part)
    return found


_added: dict[tuple[Kind, str], Entry] = {}


def register(kind: Kind, name: str, *, options: Any = None) -> Callable[[T], T]:
    """Decorator: make a component known under a name, ``@register("quantizer", "mine")``.

    Raises RegistryError if the name is taken or the kind is unknown.
    """
    _check_kind(kind)

    def add(component: T) -> T:
        if name in names(kind):
            raise RegistryError(f"the {kind} name {name!r} is taken by {_entries(kind)[name].target!r}; choose another")
        _added[kind, name] = Entry(kind, name, component, options)
        return component

    return add


def lookup(kind: Kind, name: str) -> Entry:
    """The entry of a name; RegistryError names the nearest valid one."""
    _check_kind(kind)
    entries = _entries(kind)
    if name not in entries:
        raise RegistryError(f"unknown {kind} {name!r}{did_you_mean(name, entries)}")
    return entries[name]


def names(kind: Kind) -> tuple[str, ...]:
    """All names of a kind, sorted."""
    return tuple(sorted(_entries(kind)))


def _entries(kind: Kind) -> dict[str, Entry]:
    from dqc_plugin.builtins import BUILT_IN

    entries = {entry.name: entry for entry in BUILT_IN if entry.kind == kind}
    for point in _entry_points(kind):
        if point.name in entries:
            raise RegistryError(
                f"two packages give the {kind} {point.name!r}: {entries[point.name].target!r} and {point.value!r}; "
                "uninstall one of them"
            )
        entries[point.name] = Entry(kind, point.name, point.value)
    return entries | {name: entry for (of, name), entry in _added.items() if of == kind}


@cache
def _entry_points(kind: Kind) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=f"dqc_plugin.{kind}"))


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise RegistryError(f"unknown kind {kind!r}{did_you_mean(kind, KINDS)}")
