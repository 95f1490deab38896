from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dqc_plugin.codebooks import Init, fit_shared_values, share_values
from dqc_plugin.codebooks.sort_in_parts import sort_in_parts
from dqc_plugin.errors import WeightError


def brute_force(weights: Tensor, size: int) -> Tensor:
    """Lloyd with an N x K table, linear initialisation."""
    wide = weights.double()
    centroids = torch.lerp(wide.min(), wide.max(), torch.linspace(0, 1, size, dtype=torch.float64)).float()
    for _ in range(1000):
        nearest = (wide[:, None] - centroids.double()).abs().argmin(1)
        means = [wide[nearest == k].mean().float() if (nearest == k).any() else centroids[k] for k in range(size)]
        if torch.equal(torch.stack(means), centroids):
            break
        centroids = torch.stack(means)
    return centroids


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-500, 500), min_size=12, max_size=60, unique=True), st.sampled_from([2, 4, 8]))
def test_it_is_lloyds_algorithm(numbers: list[int], size: int) -> None:
    weights = torch.tensor(numbers) / 64  # sums are exact
    assert torch.equal(fit_shared_values(weights, size).values, brute_force(weights, size))


@pytest.mark.parametrize("init", ["linear", "density", "random"])
def test_masked_weights_are_left_out(init: Init) -> None:
    weights = torch.randn(50, 40, generator=torch.Generator().manual_seed(0))
    mask = (weights.abs() > 0.5).float()
    alone = fit_shared_values(weights[mask == 1], 16, init=init)
    loud = torch.where(mask == 0, torch.nan, weights)
    assert torch.equal(fit_shared_values(loud, 16, mask=mask, init=init).values, alone.values)
    assert (alone.values.diff() > 0).all()


@pytest.mark.parametrize(
    ("weights", "values"),
    [([], [0, 0, 0, 0]), ([0, 0], [0, 0, 0, 0]), ([3], [3, 3, 3, 3]), ([2, 1, 1.25, 2], [1, 1.25, 2, 2])],
)
def test_fewer_weights_than_codewords(weights: list[float], values: list[float]) -> None:
    assert fit_shared_values(torch.tensor(weights), 4).values.tolist() == values


def test_an_empty_cluster_keeps_its_centroid() -> None:
    assert fit_shared_values(torch.tensor([0.0, 1, 2, 3, 99, 100]), 4).values.tolist() == [
        1.5,
        33.33333206176758,
        66.66666412353516,
        99.5,
    ]


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_not_a_number_names_the_layer(bad: float) -> None:
    with pytest.raises(WeightError, match="fc1.weight holds NaN or infinity"):
        fit_shared_values(torch.tensor([1.0, bad]), 4, name="fc1.weight")


def test_random_centroids_follow_the_seed() -> None:
    weights = torch.randn(3000, generator=torch.Generator().manual_seed(0))
    first = [fit_shared_values(weights, 8, init="random", seed=s, max_iterations=0).values for s in (0, 0, 1)]
    assert torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-9, 9), max_size=80))
def test_sorting_in_parts(numbers: list[int]) -> None:
    assert sort_in_parts(torch.tensor(numbers).float(), 7).tolist() == sorted(numbers)


def test_a_centroids_gradient_is_the_sum_of_its_members() -> None:
    generator = torch.Generator().manual_seed(0)
    indices = torch.randint(0, 4, (9, 7), generator=generator).to(torch.uint8)
    mask = torch.randint(0, 2, (9, 7), generator=generator).float()
    upstream = torch.randn(9, 7, generator=generator)
    for gradient in ("sum", "mean"):
        centroids = torch.tensor([-1.0, -0.0, 0.5, 2.0], requires_grad=True)
        shared = share_values(centroids, indices, mask, gradient)
        shared.backward(upstream)
        members = [upstream[(indices == k) & (mask == 1)].double() for k in range(4)]
        wanted = torch.stack([getattr(m, gradient)() for m in members])
        torch.testing.assert_close(centroids.grad, wanted.float())
        assert (shared[mask == 0] == 0).all() and not torch.signbit(shared[mask == 0]).any()
