from __future__ import annotations

import pytest

from dqc_plugin.pruners.arguments import pruner_arguments, pruner_config_list
from dqc_plugin.pruners.options import GradualOptions, MovementOptions, OneShotOptions, SlimOptions


@pytest.mark.parametrize(
    ("options", "interval", "times"),
    [
        (GradualOptions(sparsity=0.9), 30, 20),  # 60 % of 10 epochs of 100 steps
        (GradualOptions(sparsity=0.9, ramp_epochs=2.0, updates=10), 20, 10),
        (GradualOptions(sparsity=0.9, ramp_epochs=0.05, updates=10), 1, 5),  # fewer steps than updates
    ],
)
def test_a_ramp_in_steps(options: GradualOptions, interval: int, times: int) -> None:
    arguments = pruner_arguments(options, epochs=10, steps_per_epoch=100)
    assert arguments == {"interval_steps": interval, "total_times": times, "using": "level"}


def test_other_pruners() -> None:
    assert pruner_arguments(OneShotOptions(sparsity=0.5), 1, 1) == {}
    assert pruner_arguments(SlimOptions(training_steps=7), 1, 1) == {"training_steps": 7, "regular_scale": 1.0}
    movement = pruner_arguments(MovementOptions(warmup_steps=2, cooldown_begin_step=9), 1, 1)
    assert movement == {"warmup_step": 2, "cooldown_begin_step": 9}


def test_layers_without_sparsity_are_left_out() -> None:
    rules = {("a", "weight"): OneShotOptions(sparsity=0.5), ("b", "weight"): OneShotOptions(sparsity=0.0)}
    entry = {"op_names": ["a"], "target_names": ["weight"], "sparse_ratio": 0.5, "granularity": "default"}
    assert pruner_config_list(rules) == [entry]
