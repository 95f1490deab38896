from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from nni.compression.utils import TorchEvaluator
from torch import Tensor, nn

from dqc_plugin.errors import ConfigError
from dqc_plugin.quantizers.inq import INQQuantizer, INQTarget
from dqc_plugin.quantizers.portions import portions_of

MakeEvaluator = Callable[[nn.Module], TorchEvaluator]


def config(bits: int = 5, **settings: Any) -> list[dict[str, Any]]:
    return [{"op_types": ["Linear"], "quant_dtype": f"int{bits}", "target_settings": {"weight": settings}}]


def watch(quantizer: INQQuantizer) -> list[tuple[Tensor, Tensor]]:
    """Fixed weights and what the forward pass sees, after each step."""
    target, seen = quantizer.targets[0], []
    after_step = target.after_step

    def record() -> None:
        after_step()
        seen.append((target.fixed.clone(), target.fake_quantize(target.latent).detach().clone()))

    target.after_step = record  # type: ignore[method-assign]
    return seen


def fractions(seen: list[tuple[Tensor, Tensor]]) -> list[float]:
    return [float(fixed.float().mean()) for fixed, _ in seen]


@pytest.mark.parametrize(("bits", "magnitudes"), [(2, 1), (3, 2), (4, 4), (5, 8), (8, 64)])
@pytest.mark.parametrize(("largest", "top"), [(0.76, 1.0), (0.75, 1.0), (0.74, 0.5), (1.0, 1.0), (1.49, 1.0)])
def test_the_codebook(network: nn.Sequential, bits: int, magnitudes: int, largest: float, top: float) -> None:
    with torch.no_grad():
        network[4].weight.clamp_(-0.01, 0.01)[0, 0] = -largest
    codebook = INQQuantizer(network, config(bits)).targets[0].codebook
    positive = [top * 0.5**k for k in range(magnitudes)]
    assert codebook.codewords.tolist() == [*(-p for p in positive), 0.0, *reversed(positive)]


def test_nearest_codewords_and_ties(network: nn.Sequential) -> None:
    with torch.no_grad():
        network[4].weight.zero_().view(-1)[:8] = torch.tensor([1.0, -0.75, 0.75, 0.74, 0.25, -0.25, 0.24, -0.1])
    weights = INQQuantizer(network, config(3)).export_model()[4].weight.view(-1)
    assert weights[:8].tolist() == [1.0, -1.0, 1.0, 0.5, 0.5, -0.5, 0.0, 0.0] and not torch.signbit(weights[7])


def test_the_largest_first_and_for_good(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    first = network[4].weight.detach().abs().flatten()
    quantizer = INQQuantizer(network, config(), make_evaluator(network), steps_per_epoch=2)
    seen = watch(quantizer)
    model, _ = quantizer.compress(None, 4)
    assert fractions(seen) == [0.5, 0.75, 0.75, 0.875, 0.875, 1.0, 1.0, 1.0]
    half = seen[0][0].flatten()
    assert first[half].min() >= first[~half].max()
    for (fixed, before), (_, after) in pairwise(seen):
        assert torch.equal(before[fixed], after[fixed])
    free = ~seen[1][0]
    assert not torch.equal(seen[1][1][free], seen[2][1][free])
    codewords = quantizer.targets[0].codebook.codewords
    assert not torch.isin(seen[1][1][free], codewords).all() and torch.isin(seen[-1][1], codewords).all()
    assert torch.equal(model[4]._nni_wrapper.weight, seen[-1][1])


def test_a_fixed_weight_gets_no_gradient(network: nn.Sequential) -> None:
    target = INQQuantizer(network, config()).targets[0]
    target.fix(0.5)
    target.fake_quantize(target.latent).sum().backward()
    assert torch.equal(target.latent.grad, (~target.fixed).float())


@pytest.mark.parametrize(
    ("settings", "steps", "expected"),
    [
        ({"partition": "dqc_authors"}, 4, [0.75, 0.85, 1.0, 1.0]),
        ({"portions": (0.25, 1)}, 4, [0.25, 1.0, 1.0, 1.0]),
        ({"partition_every_steps": 1}, 5, [0.75, 0.875, 1.0, 1.0, 1.0]),
        ({"partition_every_steps": 3}, 4, [0.5, 0.5, 0.75, 0.75]),
        ({}, 2, [0.875, 1.0]),
    ],
)
def test_when_the_portions_are_quantized(
    network: nn.Sequential, make_evaluator: MakeEvaluator, settings: dict[str, Any], steps: int, expected: list[float]
) -> None:
    quantizer = INQQuantizer(network, config(**settings), make_evaluator(network))
    seen = watch(quantizer)
    quantizer.compress(steps, None)
    assert fractions(seen) == pytest.approx(expected, abs=1e-3)
    assert quantizer.targets[0].fixed.all()


def test_the_paper_s_portions() -> None:
    assert len(portions_of("paper", 3)) == 8 and len(portions_of("paper", 4)) == 6
    assert portions_of("paper", 5) == (0.5, 0.75, 0.875, 1.0)
    assert portions_of("dqc_authors", 3) == (0.5, 0.75, 0.85, 1.0)


def test_without_training_all_is_quantized(network: nn.Sequential) -> None:
    quantizer = INQQuantizer(network, config())
    quantizer.compress(0, None)
    target: INQTarget = quantizer.targets[0]
    assert target.fixed.all() and torch.isin(target.latent, target.codebook.codewords).all()


def test_half_way_a_state_dict_goes_on_in_the_same_way(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    quantizer = INQQuantizer(network, config(partition_every_steps=2))
    target = quantizer.targets[0]
    target.fix_due()
    quantizer.after_step()
    with torch.no_grad():
        target.latent[~target.fixed] *= -3  # the free weights may outgrow the fixed ones
    state = {key: value.clone() for key, value in quantizer.bound_model.state_dict().items()}
    quantizer.after_step()
    expected = target.fake_quantize(target.latent).clone()
    with torch.no_grad():
        target.latent.add_(1)
    quantizer.bound_model.load_state_dict(state)
    quantizer.after_step()
    assert torch.equal(target.fake_quantize(target.latent), expected)
    assert target.fixed.float().mean() == 0.75


def test_training_of_unknown_length_is_an_error(network: nn.Sequential, make_evaluator: MakeEvaluator) -> None:
    quantizer = INQQuantizer(network, config(), make_evaluator(network))
    with pytest.raises(ConfigError, match="steps_per_epoch=... given to the quantizer if by epochs, or set partition"):
        quantizer.compress(None, 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze_after_steps": 3}, "INQ never changes its codebook"),
        ({"portions": (0.5,)}, "portions: must rise"),
        ({"partition_every_step": 3}, "did you mean 'partition_every_steps'"),
    ],
)
def test_bad_settings(network: nn.Sequential, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        INQQuantizer(network, config(**settings))
