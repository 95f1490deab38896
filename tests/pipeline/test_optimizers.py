from __future__ import annotations

import pytest
from torch import nn

from dqc_plugin.pipeline.optimizers import learning_rate, make_optimizer
from dqc_plugin.schedule.settings import SGD, Constant, Cosine, LRSchedule, MultiStep, OneCycle, Step, TrainSettings


@pytest.mark.parametrize(
    ("rule", "rates"),
    [
        (Constant(), [1, 1, 1, 1]),
        (Cosine(), [1, 0.853553, 0.5, 0.146447]),
        (Cosine(final_fraction=0.5), [1, 0.926777, 0.75, 0.573223]),
        (Step(step_epochs=2, gamma=0.1), [1, 1, 0.1, 0.1]),
        (MultiStep(milestones_epochs=(1, 3), gamma=0.5), [1, 0.5, 0.5, 0.25]),
        (OneCycle(warmup_epochs=2), [0.05, 0.55, 1, 0.5]),
        (Constant(warmup_epochs=2), [0.05, 0.55, 1, 1]),
    ],
)
def test_rates_at_the_start_of_each_epoch(rule: LRSchedule, rates: list[float]) -> None:
    settings = TrainSettings(epochs=4, optimizer=SGD(lr=1.0), lr_schedule=rule)
    assert [learning_rate(settings, epoch * 10, 10) for epoch in range(4)] == pytest.approx(rates, abs=1e-6)


def test_weight_decay_on_weights_leaves_out_biases_and_batch_norm() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    settings = TrainSettings(optimizer=SGD(weight_decay=0.1, weight_decay_on="weights"))
    groups = make_optimizer(model.parameters(), settings).param_groups
    decays = {id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]}
    assert {name: decays[id(parameter)] for name, parameter in model.named_parameters()} == {
        "0.weight": 0.1,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
    }
    [all_of_them] = make_optimizer(model.parameters(), TrainSettings(optimizer=SGD(weight_decay=0.1))).param_groups
    assert len(all_of_them["params"]) == 4
