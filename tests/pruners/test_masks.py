from __future__ import annotations

import torch
from nni.compression.pruning import LevelPruner
from torch import nn

from dqc_plugin.pruners.masks import combine, hold_masks, nonzero_masks, zero_pruned


def test_held_masks_are_those_given() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    mask = torch.eye(4)
    holder = hold_masks(model, {"0": {"weight": mask}})
    assert torch.equal(nonzero_masks(holder)["0"]["weight"], mask)
    assert torch.equal(holder.get_masks()["0"]["weight"], mask)
    assert (model(torch.ones(1, 4)) == model[1](torch.diagonal(model[0]._nni_wrapper.weight) + model[0].bias)).all()


def test_masks_that_prune_nothing_are_left_out() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    entries = [
        {"op_names": ["0"], "target_names": ["weight"], "sparse_ratio": 0.5},
        {"op_names": ["1"], "target_names": ["weight"], "sparse_ratio": 0.0},
    ]
    pruner = LevelPruner(model, entries)
    pruner.compress()
    assert list(nonzero_masks(pruner)) == ["0"]


def test_pruned_weights_go_back_to_zero_plain_and_wrapped() -> None:
    masks = {"0": {"weight": torch.eye(3)}}
    plain = nn.Sequential(nn.Linear(3, 3))
    zero_pruned(plain, masks)
    assert torch.equal(plain[0].weight, plain[0].weight * torch.eye(3))
    wrapped = nn.Sequential(nn.Linear(3, 3))
    LevelPruner(wrapped, [{"op_names": ["0"], "target_names": ["weight"], "sparse_ratio": 0.1}])
    zero_pruned(wrapped, masks)
    latent = wrapped[0]._nni_wrapper.weight
    assert torch.equal(latent, latent * torch.eye(3))


def test_combined_masks_keep_what_both_keep() -> None:
    one, other = torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 1.0])
    combined = combine({"a": {"weight": one}, "b": {"weight": one}}, {"a": {"weight": other}})
    assert combined["a"]["weight"].tolist() == [0.0, 1.0, 0.0] and combined["b"]["weight"].tolist() == [1.0, 1.0, 0.0]
