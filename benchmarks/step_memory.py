"""The memory that tensors take at most while something runs."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from torch.profiler import ProfilerActivity, profile


def peak_bytes(run: Callable[[], Any]) -> int:
    """Bytes on the CPU above those at the start."""
    gc.collect()  # NNI's quantizers hold their networks in cycles
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        run()
    kineto: Any = profiled.profiler
    changes = [event for event in kineto.kineto_results.events() if event.name() == "[memory]"]
    changes.sort(key=lambda event: int(event.start_ns()))
    return max(accumulate((int(event.nbytes()) for event in changes), initial=0))
