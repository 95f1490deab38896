"""A small process that ends NNI when the search ends, however that ends: NNI's own manager outlives its parent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

_GRACE_SECONDS = 5.0


@contextmanager
def guarded() -> Iterator[subprocess.Popen[str]]:
    """The guard; :func:`watch` gives it processes. It reads a pipe that the kernel closes when this process dies."""
    guard = subprocess.Popen([sys.executable, "-m", __name__], stdin=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield guard
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        guard.wait()


def watch(guard: subprocess.Popen[str], pid: int) -> None:
    """End this process and all below it when the search ends."""
    assert guard.stdin is not None
    guard.stdin.write(f"{pid}\n")
    guard.stdin.flush()


def end_tree(pid: int) -> None:
    """Terminate a process and all below it, kill what does not end."""
    try:
        root = psutil.Process(pid)
        processes = [*root.children(recursive=True), root]
    except psutil.NoSuchProcess:
        return
    for process in processes:
        _ignoring_gone(process.terminate)
    for process in psutil.wait_procs(processes, timeout=_GRACE_SECONDS)[1]:
        _ignoring_gone(process.kill)


def _ignoring_gone(act: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        act()


def main() -> None:
    """Read process ids until the pipe closes, then end them."""
    watched = [int(line) for line in sys.stdin]
    for pid in watched:
        end_tree(pid)


if __name__ == "__main__":
    main()
