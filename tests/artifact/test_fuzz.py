"""A short round of benchmarks/fuzz_files.py; results/fuzz has the figures of a million files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

FUZZ = Path(__file__).parents[2] / "benchmarks" / "fuzz_files.py"


def test_mutated_files(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("fuzz_files", FUZZ)
    assert spec and spec.loader
    fuzz_files = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_files"] = fuzz_files
    spec.loader.exec_module(fuzz_files)
    counts = fuzz_files.fuzz(3000, seed=1, report=tmp_path / "failure.dqc")
    assert all(sum(found.values()) == 1000 and found["error"] > 500 for found in counts.values())
    assert counts["damage"]["sound"] == 0 and counts["forged blob"]["sound"] > 0
