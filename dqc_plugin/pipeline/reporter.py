"""What a run tells whoever watches it; this one says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dqc_plugin.pipeline.state import NetworkState

Item = TypeVar("Item")


class Reporter:
    """Base of progress displays. Every method may be left as it is."""

    def stage(self, number: int, total: int, title: str, resumed: bool) -> None:
        """A stage begins, or is found finished or half done."""

    def steps(self, batches: Iterable[Item], total: int, title: str) -> Iterator[Item]:
        """Pass batches on; a display may show a bar."""
        del total, title
        return iter(batches)

    def record(self, record: dict[str, Any]) -> None:
        """A record was written."""

    def quantized(self, record: dict[str, Any], state: Callable[[], NetworkState]) -> None:
        """An epoch of a quantizer stage has ended; ``state`` gives the network as it would be coded now."""
