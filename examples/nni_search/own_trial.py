"""Your own trial code in an NNI experiment over bit widths: three lines of it are dqc-plugin's.

nnictl create --config examples/nni_search/own_trial.yml      # or alone: python examples/nni_search/own_trial.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nni
import torch
from nni.compression.utils import TorchEvaluator
from torch import Tensor, nn

import dqc_plugin
from dqc_plugin.data import load_data, split_validation
from dqc_plugin.models import lenet300

data = load_data("digits")
train_part, held_out_part = split_validation(data, 0.2, seed=0)  # a search must not see the test set
train = data.batches(train_part, batch_size=64)
held_out = data.batches(held_out_part, batch_size=500)
reports: list[Any] = []  # what to call after each epoch of the quantizer


def training_step(batch: tuple[Tensor, Tensor], model: nn.Module) -> Tensor:
    images, labels = batch
    return nn.functional.cross_entropy(model(images), labels)


def training_func(model: nn.Module, optimizer: Any, step: Any, *rest: Any) -> None:
    _, _, max_epochs = rest
    for epoch in range(max_epochs):
        model.train()
        for batch in train.epoch(seed=0, epoch=epoch):
            optimizer.zero_grad()
            step(batch, model).backward()
            optimizer.step()
        for report in reports:
            report(accuracy(model))


@torch.no_grad()
def accuracy(model: nn.Module) -> float:
    model.eval()
    right = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in held_out)
    return right / len(held_out_part)


def main() -> None:
    torch.manual_seed(0)
    model = lenet300(image_size=data.image_size)
    training_func(model, torch.optim.SGD(model.parameters(), 0.05, momentum=0.9), training_step, None, None, 10)

    optimizer = nni.trace(torch.optim.SGD)(model.parameters(), lr=0.02, momentum=0.9)
    evaluator = TorchEvaluator(training_func, optimizer, training_step)
    layers = [{"op_types": ["Linear"], "quant_dtype": "int4"}]
    trial = dqc_plugin.from_trial(model, evaluator, layers, aim={"max_bytes": 20_000})  # NNI's bits of each layer
    reports.append(trial.report)  # accuracy and true bytes, so that an assessor can stop it
    wrapped, _ = trial.quantizer.compress(None, 3)
    with tempfile.TemporaryDirectory() as folder:
        print(trial.finish(accuracy(wrapped), Path(folder) / "digits.dqc"))


if __name__ == "__main__":
    main()
