"""What ``dqc run`` shows while it works: bars on a terminal, a line a stage elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dqc_plugin.pipeline.reporter import Reporter

Item = TypeVar("Item")


class TerminalReporter(Reporter):
    """Stages as lines, steps as a bar that goes when it is full; no bar where the output is not a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._last = ""

    def __enter__(self) -> TerminalReporter:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def stage(self, number: int, total: int, title: str, resumed: bool) -> None:
        again = " (resumed)" if resumed else ""
        self._console.print(f"[{number + 1}/{total}] {title}{again}", markup=False, highlight=False)

    def steps(self, batches: Iterable[Item], total: int, title: str) -> Iterator[Item]:
        task = self._progress.add_task(f"{title}{self._last}", total=total)
        for batch in batches:
            yield batch
            self._progress.advance(task)
        self._progress.remove_task(task)

    def record(self, record: dict[str, Any]) -> None:
        self._last = f"  {100 * record['metric']:.2f} %" if record["event"] == "epoch" else ""
        if record["event"] == "stage":
            size = f", {record['bytes']:,} bytes" if "bytes" in record else ""
            self._console.print(f"      {100 * record['metric']:.2f} %{size}", highlight=False)
