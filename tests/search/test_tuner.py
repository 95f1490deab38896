from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nni
import pytest

from dqc_plugin.errors import ConfigError
from dqc_plugin.search.tuner import MixedPrecision

SPACE = {f"l{n}.bits": {"_type": "choice", "_value": [2, 3, 4]} for n in range(6)}
FRAGILE = "l3.bits"


def truth(parameters: dict[str, int]) -> dict[str, float]:
    """One layer needs its bits, the others do not."""
    lost = sum((20 if name == FRAGILE else 0.1) * (4 - bits) for name, bits in parameters.items())
    size = sum(1000 * bits for bits in parameters.values())
    return {"default": 0.0, "accuracy": 1 - lost / 100, "bytes": size}


def test_it_learns_which_layer_needs_its_bits() -> None:
    tuner = MixedPrecision(aim={"max_bytes": 14_500})
    tuner.update_search_space(SPACE)
    for number in range(40):
        parameters = tuner.generate_parameters(number)
        tuner.receive_trial_result(number, parameters, truth(parameters))
    within = [(a, b) for _, a, b in tuner._results if b <= 14_500]
    assert max(within)[0] == pytest.approx(truth({**dict.fromkeys(SPACE, 2), FRAGILE: 4})["accuracy"], abs=0.001)


def test_no_configuration_comes_twice_and_the_end_is_told() -> None:
    tuner = MixedPrecision()
    tuner.update_search_space({"a.bits": SPACE[FRAGILE], "b.bits": SPACE[FRAGILE]})
    tuner.import_data([{"parameter": {"a.bits": 2, "b.bits": 2}, "value": json.dumps(truth({"a.bits": 2}))}])
    found = {tuple(tuner.generate_parameters(number).values()) for number in range(8)}
    assert len(found) == 8 and (2, 2) not in found
    with pytest.raises(nni.NoMoreTrialError):
        tuner.generate_parameters(8)


def test_the_profile_makes_the_first_proposals(tmp_path: Path) -> None:
    rows = [
        {
            "layer": f"l{n}",
            "bits": bits,
            "loss_change": truth({f"l{n}.bits": bits})["accuracy"] * -1 + 1,
            "bytes": 1000 * bits,
        }
        for n in range(6)
        for bits in (2, 3, 4)
    ]
    (tmp_path / "profile.json").write_text(json.dumps({"rows": rows}))
    tuner = MixedPrecision(profile=str(tmp_path / "profile.json"), aim={"max_bytes": 14_500})
    tuner.update_search_space(SPACE)
    assert tuner.generate_parameters(0) == {**dict.fromkeys(SPACE, 2), FRAGILE: 4}


def test_what_it_refuses(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes _type choice alone, not that of lr"):
        MixedPrecision().update_search_space({"lr": {"_type": "uniform", "_value": [0, 1]}})
    with pytest.raises(ConfigError, match="is no profile"):
        MixedPrecision(profile=str(tmp_path / "none.json"))


def test_it_starts_without_torch() -> None:
    code = "import sys, dqc_plugin.search.tuner; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_known_counts_before_the_first_proposal_and_once(tmp_path: Path) -> None:
    space = dict.fromkeys(("a.bits", "b.bits"), SPACE[FRAGILE])
    known = [
        {"parameter": {"a.bits": a, "b.bits": b}, "value": truth({"a.bits": a})} for a in (2, 3) for b in (2, 3, 4)
    ]
    (tmp_path / "known.json").write_text(json.dumps(known))
    tuner = MixedPrecision(trials=str(tmp_path / "known.json"))
    tuner.update_search_space(space)
    tuner.import_data(known)
    assert len(tuner._results) == len(known)
    assert {tuner.generate_parameters(number)["a.bits"] for number in range(3)} == {4}


def test_a_profile_of_the_wrong_scale_still_keeps_the_limit(tmp_path: Path) -> None:
    pairs = [(n, b) for n in range(6) for b in (2, 3, 4)]
    rows = [{"layer": f"l{n}", "bits": b, "loss_change": 9.0 * (4 - b), "bytes": 700 * b} for n, b in pairs]
    (tmp_path / "profile.json").write_text(json.dumps({"rows": rows}))
    tuner = MixedPrecision(profile=str(tmp_path / "profile.json"), aim={"max_bytes": 14_500})
    tuner.update_search_space(SPACE)
    tuner.import_data([{"parameter": p, "value": truth(p)} for p in (dict.fromkeys(SPACE, b) for b in (2, 3, 4))])
    proposed = [tuner.generate_parameters(number) for number in range(4)]
    assert all(truth(parameters)["bytes"] <= 14_500 for parameters in proposed)
