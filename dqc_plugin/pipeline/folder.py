"""A run is a folder: the schedule, checkpoints, records as JSON lines, the compressed file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors.torch import save
from torch import Tensor

from dqc_plugin.errors import RunError
from dqc_plugin.schedule import Schedule, differences


class FolderInUse(RunError):
    """Another process runs in the folder."""


class RunFolder:
    """The files of one run. Each is written beside and renamed, so that a kill leaves the old one or the new one."""

    def __init__(self, path: Path, schedule: Schedule) -> None:
        self.path, self._schedule = path, schedule
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{path}: cannot make the run folder: {error.strerror}") from None

    @property
    def records_path(self) -> Path:
        return self.path / "records.jsonl"

    def end_of_stage(self, number: int) -> Path:
        """Checkpoint of the network after a stage."""
        return self.path / "checkpoints" / f"stage-{number}-end.pt"

    def epoch_of_stage(self, number: int) -> Path:
        """Checkpoint of a stage after its latest epoch."""
        return self.path / "checkpoints" / f"stage-{number}-epoch.pt"

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Nobody else runs in this folder meanwhile; a killed process lets go of it.

        Raises FolderInUse if somebody does, RunError if the folder holds a run of another schedule.
        """
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise FolderInUse(f"{self.path}: another process runs here; wait for it, or choose another --out") from None
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error.strerror}") from None
        try:
            self._claim()
            yield
        finally:
            lock.release()

    def records(self) -> list[dict[str, Any]]:
        """All records; a last line that a kill cut off is dropped."""
        if not self.records_path.exists():
            return []
        try:
            lines = self.records_path.read_text(encoding="utf-8").split("\n")
            records: list[dict[str, Any]] = [json.loads(line) for line in lines[:-1]]
        except (OSError, ValueError):
            raise _damaged(self.records_path) from None
        if not all(isinstance(record, dict) and record.keys() >= {"event", "stage"} for record in records):
            raise _damaged(self.records_path)
        return records

    def add_record(self, record: Mapping[str, Any]) -> None:
        with _writing(self.records_path), self.records_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def keep_records(self, wanted: list[dict[str, Any]]) -> None:
        """Take back the records of work that is done again."""
        text = "".join(json.dumps(record) + "\n" for record in wanted)
        write_atomically(self.records_path, text.encode())

    def keep_environment(self, facts: Mapping[str, Any]) -> None:
        """Note where the run is begun and, in the list ``continued``, where and when else it went on."""
        path = self.path / "environment.json"
        if not path.exists() or not self._is_begun():
            write_atomically(path, json.dumps(facts, indent=2).encode())
        elif not self.end_of_stage(len(self._schedule.stages) - 1).exists():
            begun = _read_document(path, {"date"})
            later = begun.pop("continued", [])
            if facts not in (begun, *later):
                write_atomically(path, json.dumps({**begun, "continued": [*later, facts]}, indent=2).encode())

    @property
    def weights_path(self) -> Path:
        """The network of a run that ends without a compressed file."""
        return self.path / "model.safetensors"

    def keep_weights(self, weights: Mapping[str, Tensor]) -> Path:
        """Write the network of a run that ends without a compressed file."""
        plain = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in weights.items()}
        write_atomically(self.weights_path, save(plain))
        return self.weights_path

    def keep_checkpoint(self, path: Path, content: dict[str, Any]) -> None:
        """Write tensors and plain data atomically."""
        with _written(path) as partial:
            torch.save(content, partial)

    def forget_checkpoint(self, path: Path) -> None:
        """Remove a checkpoint that is no longer needed, if it is there."""
        path.unlink(missing_ok=True)

    def _claim(self) -> None:
        """Note the schedule; RunError if one of another is begun here."""
        kept, schedule = self.path / "schedule.json", self._schedule
        before = _read_document(kept, {"digest", "schedule"}) if kept.exists() else None
        if before is not None and before["digest"] != schedule.digest() and self._is_begun():
            changes = "\n".join(f"  {line}" for line in differences(before["schedule"], schedule.canonical()))
            raise RunError(
                f"{self.path} holds a run of another schedule:\n{changes}\n"
                "choose another folder with --out, or delete this one to start again"
            )
        if before is None or before["digest"] != schedule.digest():
            document = {"digest": schedule.digest(), "schedule": schedule.canonical()}
            write_atomically(kept, json.dumps(document, indent=2).encode())

    def _is_begun(self) -> bool:
        """True if an epoch or a stage is finished."""
        return self.records_path.exists() or any((self.path / "checkpoints").glob("*"))


def _read_document(path: Path, keys: Set[str]) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise _damaged(path) from None
    if not isinstance(document, dict) or not document.keys() >= keys:
        raise _damaged(path)
    return document


def _damaged(path: Path) -> RunError:
    return RunError(f"{path}: damaged; delete the folder or choose another with --out")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:  # RuntimeError: torch's, of a full disk
        raise RunError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None


@contextmanager
def _written(path: Path) -> Iterator[Path]:
    """Where to write what becomes ``path``; always the same, so that what a kill left is written over."""
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        yield partial
        partial.replace(path)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside and rename it. RunError if that cannot be."""
    with _written(path) as partial:
        partial.write_bytes(content)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """What :meth:`RunFolder.keep_checkpoint` wrote, on the CPU; None if there is none. RunError for a damaged one."""
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise RunError(f"{path}: damaged checkpoint ({type(error).__name__}); delete it to repeat that stage") from None
    return content
