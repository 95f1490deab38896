from __future__ import annotations

import pytest
import torch

from dqc_plugin.codebooks import PowerOfTwo, fake_quantize, fit_power_of_two


@pytest.fixture
def latent() -> torch.Tensor:
    return torch.tensor([0.9, -0.4, 0.01, 0.3], requires_grad=True)


def test_straight_through_passes_the_gradient_on(latent: torch.Tensor) -> None:
    codebook = fit_power_of_two(latent.detach(), 3, True)
    quantized = fake_quantize(latent, codebook)
    assert quantized.tolist() == [0.5, -0.5, 0.0, 0.25]
    (quantized * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert latent.grad is not None and latent.grad.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_magnitude_gradient_leaves_zeros_dead(latent: torch.Tensor) -> None:
    fake_quantize(latent, fit_power_of_two(latent.detach(), 3, True), gradient="magnitude").sum().backward()
    assert latent.grad is not None and latent.grad.tolist() == [0.5, 0.5, 0.0, 0.25]


@pytest.mark.parametrize("gradient", ["straight_through", "magnitude"])
def test_pruned_weights_get_no_gradient(latent: torch.Tensor, gradient: str) -> None:
    mask = torch.tensor([1.0, 0.0, 1.0, 0.0])
    codebook = PowerOfTwo(3, False, torch.tensor(0.5))
    quantized = fake_quantize(latent, codebook, mask, gradient)  # type: ignore[arg-type]
    quantized.sum().backward()
    assert latent.grad is not None and latent.grad[1] == latent.grad[3] == 0.0
    assert quantized[1] == quantized[3] == 0.0


def test_compiles_without_graph_breaks_to_the_same_bits() -> None:
    latent = torch.randn(100)
    for bits, zero in ((5, True), (8, False)):
        codebook = fit_power_of_two(latent, bits, zero)

        def step(weights: torch.Tensor, scale: torch.Tensor, bits: int = bits, zero: bool = zero) -> torch.Tensor:
            return fake_quantize(weights, PowerOfTwo(bits, zero, scale))

        compiled = torch.compile(step, fullgraph=True)(latent, codebook.scale)
        assert torch.equal(compiled, codebook.quantize(latent))


def test_autocast_leaves_the_weights_in_their_dtype() -> None:
    latent = torch.randn(8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        quantized = fake_quantize(latent, fit_power_of_two(latent, 4, True))
    assert quantized.dtype == torch.float32
