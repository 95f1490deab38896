"""Files written by earlier versions load for ever. A golden file is never written again."""

from __future__ import annotations

from pathlib import Path

from artifact_networks import assert_same, every_kind

from dqc_plugin.artifact import inspect, load, verify

GOLDEN = Path(__file__).parent / "golden"


def test_version_1() -> None:
    verify(GOLDEN / "v1.dqc")
    assert_same(load(GOLDEN / "v1.dqc"), every_kind().tensors)
    assert inspect(GOLDEN / "v1.dqc").metadata == {"schedule": "0a1b", "n": 1}
