"""The networks whose training step is timed: a name, how to build it, one batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dqc_plugin.registry import lookup

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Network:
    """shape: of the inputs, batch first. classes: of the labels. tokens: inputs are token numbers below this."""

    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    classes: int
    tokens: int | None = None

    def new(self) -> tuple[nn.Module, Batch]:
        """The network in training mode and a batch, the same every time."""
        torch.manual_seed(0)
        inputs = torch.randn(self.shape) if self.tokens is None else torch.randint(0, self.tokens, self.shape)
        return self.build().train(), (inputs, torch.randint(0, self.classes, self.shape[:1]))


class Transformer(nn.Module):
    """An encoder of 12 layers with separate Linear layers for queries, keys and values: 100 million parameters."""

    def __init__(self, vocabulary: int, width: int = 768, layers: int = 12, heads: int = 12) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(TransformerLayer(width, heads) for _ in range(layers))
        self.head = nn.Linear(width, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embedding(tokens)
        for layer in self.layers:
            hidden = layer(hidden)
        scores: Tensor = self.head(hidden.mean(1))
        return scores


class TransformerLayer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_network = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.network = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, hidden: Tensor) -> Tensor:
        normed = self.before_attention(hidden)
        parts = (part(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self._projections())
        attended = nn.functional.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
        hidden = hidden + self.out(attended)
        result: Tensor = hidden + self.network(self.before_network(hidden))
        return result

    def _projections(self) -> tuple[nn.Module, nn.Module, nn.Module]:
        return self.query, self.key, self.value


def _resnet50() -> nn.Module:
    from torchvision.models import resnet50  # only this network needs torchvision

    model: nn.Module = resnet50()
    return model


def _vit() -> nn.Module:
    import timm  # its ViT has Linear layers throughout, which every quantizer here knows

    model: Any = timm.create_model("vit_base_patch16_224", num_classes=1000)
    made: nn.Module = model
    return made


NETWORKS: dict[str, Network] = {
    "lenet5": Network(lookup("model", "lenet5").load(), (128, 1, 28, 28), 10),
    "resnet20": Network(lookup("model", "resnet20").load(), (128, 3, 32, 32), 10),
    "resnet50": Network(_resnet50, (32, 3, 224, 224), 1000),
    "vit_b_16": Network(_vit, (8, 3, 224, 224), 1000),
    "transformer100m": Network(lambda: Transformer(20_000), (8, 128), 2, tokens=20_000),
}
