from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dqc_plugin.codebooks import SharedValues, from_record
from dqc_plugin.errors import ConfigError

floats = st.floats(-10, 10, width=32)


@settings(deadline=None, max_examples=100)
@given(st.lists(floats, min_size=1, max_size=20), st.lists(floats, min_size=1, max_size=20))
def test_the_nearest_value_is_taken(values: list[float], weights: list[float]) -> None:
    codebook = SharedValues(torch.tensor(sorted(values)))
    quantized = codebook.quantize(torch.tensor(weights)).tolist()
    for weight, got in zip(weights, quantized, strict=True):
        assert abs(got - weight) == min(abs(value - weight) for value in codebook.values.tolist())


def test_pruned_weights_are_zero() -> None:
    codebook = SharedValues(torch.tensor([-1.0, 2.0]))
    assert codebook.quantize(torch.tensor([[-3.0, 3.0]]), torch.tensor([[0.0, 1.0]])).tolist() == [[0.0, 2.0]]


def test_record_round_trip() -> None:
    codebook = SharedValues(torch.tensor([-1.0, 2.0]))
    assert torch.equal(from_record(codebook.to_record()).codewords, codebook.values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.tensor([]), "1 to 256 numbers"),
        (torch.zeros(257), "1 to 256 numbers"),
        (torch.tensor([1.0, 0.0]), "ascending"),
    ],
)
def test_bad_values(values: torch.Tensor, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SharedValues(values)


def test_unknown_family_and_missing_key() -> None:
    with pytest.raises(ConfigError, match="did you mean 'power_of_two'"):
        from_record({"codebook": "power_of_too"})
    with pytest.raises(ConfigError, match="lacks 'values'"):
        from_record({"codebook": "shared_values"})
