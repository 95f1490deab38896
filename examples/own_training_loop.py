"""Your own model, data, loss and metric in a schedule; and a quantizer in a training loop that NNI never sees.

python examples/own_training_loop.py
"""

from __future__ import annotations

import tempfile

import torch
from sklearn.datasets import load_diabetes
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import dqc_plugin

features, target = load_diabetes(return_X_y=True)
inputs = torch.tensor(features, dtype=torch.float32) * 20
values = torch.tensor(target, dtype=torch.float32).unsqueeze(1) / 100
train = DataLoader(TensorDataset(inputs[:360], values[:360]), batch_size=32, shuffle=True)
evaluation = DataLoader(TensorDataset(inputs[360:], values[360:]), batch_size=100)

SCHEDULE = {
    "version": 1,
    "name": "diabetes",
    "train": {"optimizer": {"name": "adam", "lr": 2.0e-3}},
    "stages": [
        {"train": {"epochs": 20}},
        {"pruner": "agp", "sparsity": 0.5, "epochs": 10},
        {"quantizer": "dqc", "bits": 4, "epochs": 10},
        {"coder": "huffman", "file": "diabetes.dqc"},
    ],
}


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1))


@torch.no_grad()
def explained_variance(model: nn.Module, batches: object) -> float:
    """1 - mean squared error / variance of the targets: the higher the better."""
    model.eval()
    pairs = [(model(x), y) for x, y in batches]  # type: ignore[attr-defined]
    outputs, targets = torch.cat([o for o, _ in pairs]), torch.cat([t for _, t in pairs])
    return float(1 - nn.functional.mse_loss(outputs, targets) / targets.var())


def by_schedule(folder: str) -> None:
    result = dqc_plugin.run(
        SCHEDULE,
        folder,
        model=network(),
        train_loader=train,
        eval_loader=evaluation,
        loss=nn.functional.mse_loss,
        metric=explained_variance,
    )
    for stage in result.stages:
        print(f"{stage['title']:24} explained variance {stage['metric']:.3f}")


def by_hand() -> None:
    model = network()
    layers = [{"op_types": ["Linear"], "target_names": ["weight"], "quant_dtype": "int4"}]
    quantizer = dqc_plugin.DQCQuantizer(model, layers)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)  # after the wrapping: these are the latent weights
    for _ in range(20):
        for x, y in train:
            loss: Tensor = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            quantizer.after_step()
    metric = explained_variance(quantizer.export_model(), evaluation)
    print(f"{'by hand, dqc at 4 bits':24} explained variance {metric:.3f}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        by_schedule(folder)
    by_hand()
