"""The run folder as a process sees it that does not lead: it reads and never writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from dqc_plugin.pipeline.folder import RunFolder
from dqc_plugin.pipeline.processes import Processes
from dqc_plugin.schedule import Schedule


class FollowersFolder(RunFolder):
    """A folder that the first process of a run has made."""

    def add_record(self, record: Mapping[str, Any]) -> None:
        """Nothing: the first process does."""

    def keep_records(self, wanted: list[dict[str, Any]]) -> None:
        """Nothing: the first process does."""

    def keep_environment(self, facts: Mapping[str, Any]) -> None:
        """Nothing: the first process does."""

    def keep_weights(self, weights: Mapping[str, Tensor]) -> Path:
        return self.weights_path

    def keep_checkpoint(self, path: Path, content: dict[str, Any]) -> None:
        """Nothing: the first process does."""

    def forget_checkpoint(self, path: Path) -> None:
        """Nothing: the first process does."""


@contextmanager
def open_folder(path: Path, schedule: Schedule, processes: Processes) -> Iterator[RunFolder]:
    """The run folder, made and held by the first process; the others wait for it. All must see the same disk."""
    if processes.leads:
        folder = RunFolder(path, schedule)
        with folder.in_use():
            processes.wait()
            yield folder
    else:
        processes.wait()
        yield FollowersFolder(path, schedule)
