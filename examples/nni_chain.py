"""A chain written against NNI alone: its LevelPruner, then DQCQuantizer, then a compressed file.

    python examples/nni_chain.py

Trains LeNet-300-100 on scikit-learn's digits with a plain NNI evaluator, prunes 80 % of the weights, quantizes the rest
to 4 bits, writes the file and loads it back.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nni
import torch
from nni.compression.pruning import LevelPruner
from nni.compression.utils import TorchEvaluator
from torch import Tensor, nn

import dqc_plugin
from dqc_plugin.data import load_data
from dqc_plugin.models import lenet300

data = load_data("digits")
train = data.batches(data.train, batch_size=64)
test = data.batches(data.test, batch_size=500)


def training_step(batch: tuple[Tensor, Tensor], model: nn.Module) -> Tensor:
    images, labels = batch
    return nn.functional.cross_entropy(model(images), labels)


def training_func(model: nn.Module, optimizer: Any, step: Any, *rest: Any) -> None:
    _, max_steps, max_epochs = rest
    del max_steps
    model.train()
    for epoch in range(max_epochs or 10):
        for batch in train.epoch(seed=0, epoch=epoch):
            loss = step(batch, model)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@torch.no_grad()
def accuracy(model: nn.Module) -> float:
    model.eval()
    right = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in test)
    return right / len(data.test)


def main() -> None:
    torch.manual_seed(0)
    model = lenet300(image_size=data.image_size)
    training_func(model, torch.optim.SGD(model.parameters(), 0.05, momentum=0.9), training_step, None, None, 15)
    print(f"float      {accuracy(model):.4f}")

    optimizer = nni.trace(torch.optim.SGD)(model.parameters(), lr=0.02, momentum=0.9)
    evaluator = TorchEvaluator(training_func, optimizer, training_step)
    layers = {"op_types": ["Linear"], "target_names": ["weight"]}
    pruner = LevelPruner(model, [{**layers, "sparse_ratio": 0.8}], evaluator)
    pruner.compress()

    quantizer = dqc_plugin.DQCQuantizer.from_compressor(pruner, [{**layers, "quant_dtype": "int4"}])
    wrapped, calibration = quantizer.compress(None, 10)
    print(f"compressed {accuracy(wrapped):.4f}")

    with tempfile.TemporaryDirectory() as folder:
        file = dqc_plugin.save(Path(folder) / "digits.dqc", quantizer.export_model(), calibration)
        loaded = dqc_plugin.load(file, into=lenet300(image_size=data.image_size))
        print(f"loaded     {accuracy(loaded):.4f}, {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
