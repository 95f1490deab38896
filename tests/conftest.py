"""One torch thread: under contention two threads make small steps many times slower."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch
from torch import Tensor, nn

torch.set_num_threads(1)


class WithToken(nn.Module):
    """A parameter of the network itself, as a ViT's class token."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(64))
        self.head = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(images.flatten(1) + self.token)  # type: ignore[no-any-return]


@pytest.fixture
def with_token() -> WithToken:
    torch.manual_seed(0)
    return WithToken()
