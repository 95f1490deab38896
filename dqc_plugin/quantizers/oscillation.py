"""Weights that keep changing their codeword, frozen at one (Nagel et al. 2022, arXiv 2203.11086, section 4.2)."""

from __future__ import annotations

import torch
from nni.compression.base.wrapper import ModuleWrapper
from torch import Tensor

MOMENTUM = 0.01  # the paper's: one change of codeword alone makes a frequency of 0.01
_FROZEN = float("inf")


class OscillationFreezer:
    """Follows how often each weight changes its codeword: a moving average over optimizer steps.

    A weight whose frequency passes the threshold keeps the codeword of that step. Two buffers of the weights' shape
    and dtype on NNI's wrapper: the frequency, infinite for the frozen, and the codeword of the last step.
    """

    def __init__(self, wrapper: ModuleWrapper, parameter_name: str, weights: Tensor, threshold: float) -> None:
        self.wrapper, self.parameter_name, self.threshold = wrapper, parameter_name, threshold
        for buffer in ("frequency", "codewords"):
            wrapper.register_buffer(f"{parameter_name}_{buffer}", torch.zeros_like(weights))

    @property
    def frequency(self) -> Tensor:
        frequency: Tensor = getattr(self.wrapper, f"{self.parameter_name}_frequency")
        return frequency

    @property
    def codewords(self) -> Tensor:
        codewords: Tensor = getattr(self.wrapper, f"{self.parameter_name}_codewords")
        return codewords

    @property
    def frozen(self) -> Tensor:
        """True where a weight keeps its codeword."""
        return self.frequency == _FROZEN

    @torch.no_grad()
    def start(self, codewords: Tensor) -> None:
        """The codewords before the first step."""
        self.codewords.copy_(codewords)

    @torch.no_grad()
    def hold(self, latent: Tensor) -> None:
        """Momentum and weight decay have moved the frozen weights too: put them back."""
        latent.copy_(torch.where(self.frozen, self.codewords, latent))

    @torch.no_grad()
    def count(self, latent: Tensor, codewords: Tensor) -> None:
        """Count who has another codeword after a step, and freeze who oscillates.

        A codebook that has moved away from a frozen codeword gives its nearest one; it is no change of the weight.
        """
        changed = codewords != self.codewords
        self.codewords.copy_(torch.where(self.frozen, self.codewords, codewords))
        self.frequency.mul_(1 - MOMENTUM).add_(changed, alpha=MOMENTUM)
        self.frequency.masked_fill_(self.frequency > self.threshold, _FROZEN)
        self.hold(latent)
