"""From a file to tensors: all of a network, checked before any of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, overload

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from dqc_plugin.artifact.dtypes import name_of
from dqc_plugin.artifact.reader import open_reader
from dqc_plugin.errors import MisfitError

Module = TypeVar("Module", bound=nn.Module)
_MOST_NAMES = 5


@overload
def load(path: str | Path) -> dict[str, Tensor]: ...


@overload
def load(path: str | Path, into: Module) -> Module: ...


def load(path: str | Path, into: Module | None = None) -> dict[str, Tensor] | Module:
    """The network of a file that :func:`~dqc_plugin.artifact.save` wrote.

    Returns the state dict (tensors on the CPU, dtypes and order as saved); or ``into``, with its state replaced.
    Raises ArtifactError, and leaves ``into`` as it was, if the file is damaged, cut, foreign or of a newer version;
    MisfitError, which is one, if the model's keys, shapes and dtypes are not exactly those of the file.

    Nothing is unpickled. Whatever a file says, its tensors have at most 2,040 elements for each of its bytes (so many
    only where all are zero): every size is checked against the bytes behind it before memory is taken.
    """
    with open_reader(path) as reader:
        tensors = dict(reader.tensors())
        if into is None:
            return tensors
        _check_fit(tensors, into)
    into.load_state_dict(tensors)
    return into


def load_tensor(path: str | Path, name: str) -> Tensor:
    """One tensor of a file, on the CPU; the others are not read. Raises ArtifactError as :func:`load` does."""
    with open_reader(path) as reader:
        return reader.tensor(name)


def verify(path: str | Path) -> None:
    """Check every checksum and decode every tensor; ArtifactError names the file and the damaged tensor."""
    with open_reader(path) as reader:
        for _ in reader.tensors():
            pass


def _check_fit(tensors: Mapping[str, Tensor], model: nn.Module) -> None:
    state = model.state_dict()
    missing, unexpected = state.keys() - tensors.keys(), tensors.keys() - state.keys()
    faults = [f"the file lacks {_some(missing)}"] if missing else []
    faults += [f"the model has no {_some(unexpected)}"] if unexpected else []
    for name in sorted(state.keys() & tensors.keys()):
        stored, wanted = _kind(tensors[name]), _kind(state[name])
        if is_lazy(state[name]):
            faults.append(f"{name} of the model has no shape yet; run the model once")
        elif stored != wanted:
            faults.append(f"{name} is {stored} in the file and {wanted} in the model")
    if any(isinstance(value, Tensor) and value.is_meta for value in state.values()):
        faults.append("the model is on the meta device; call its to_empty(device='cpu') first")
    if faults:
        raise MisfitError("the file does not fit the model: " + "; ".join(faults[:_MOST_NAMES]))


def _kind(value: object) -> str:
    if not isinstance(value, Tensor) or is_lazy(value):
        return type(value).__name__
    return f"{name_of(value.dtype)} {list(value.shape)}"


def _some(names: set[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _MOST_NAMES} more" if len(listed) > _MOST_NAMES else ""
    return ", ".join(listed[:_MOST_NAMES]) + more
