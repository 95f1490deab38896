"""CIFAR ResNets: parameter counts of the paper and of He et al., shortcuts, initialisation."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from dqc_plugin.errors import ConfigError
from dqc_plugin.models import resnet20
from dqc_plugin.models.resnet import PadShortcut
from dqc_plugin.registry import lookup


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("shortcut", "count"), [("paper", 293_098), ("identity", 269_722), ("conv1x1", 272_474)])
def test_resnet20_has_the_published_sizes(shortcut, count):
    assert parameters(resnet20(shortcut=shortcut)) == count


@pytest.mark.parametrize(("depth", "usual"), [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018)])
def test_depths_and_what_the_paper_adds(depth, usual):
    factory = lookup("model", f"resnet{depth}").load()
    blocks = (depth - 2) // 6
    biases, shortcuts = blocks * (16 + 32 + 64), 9 * (16 * 32 + 32 * 64)
    assert parameters(factory(shortcut="identity")) == usual
    assert parameters(factory()) == usual + biases + shortcuts
    assert sum(isinstance(module, nn.Conv2d) and module.stride == (1, 1) for module in factory().modules()) == depth - 3


def test_paper_shortcut_is_a_bare_convolution():
    shortcut = resnet20().layer2[0].shortcut
    assert isinstance(shortcut, nn.Conv2d)
    assert (shortcut.kernel_size, shortcut.stride, shortcut.bias) == ((3, 3), (2, 2), None)


def test_pad_shortcut_subsamples_and_adds_zero_channels():
    features = torch.randn(2, 3, 4, 6)
    found = PadShortcut(3)(features)
    assert torch.equal(found[:, 1:4], features[:, :, ::2, ::2])
    assert not found[:, [0, 4, 5]].any()


@pytest.mark.parametrize("shortcut", ["paper", "identity", "conv1x1"])
def test_trains_in_channels_last_and_every_parameter_gets_a_gradient(shortcut):
    model = resnet20(classes=5, shortcut=shortcut, width=4, in_channels=1).to(memory_format=torch.channels_last)
    images = torch.randn(4, 1, 9, 9).contiguous(memory_format=torch.channels_last)
    features = model.layer3(model.layer2(model.layer1(model.conv1(images))))
    assert features.is_contiguous(memory_format=torch.channels_last)
    model(images).square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_copy_gives_the_same_logits():
    model, images = resnet20(width=4).eval(), torch.randn(2, 3, 8, 8)
    assert torch.equal(copy.deepcopy(model)(images), model(images))


def test_compiles_without_a_graph_break():
    model, images = resnet20(width=4, shortcut="identity").eval(), torch.randn(2, 3, 8, 8)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(images), model(images))


def test_initialisation_is_he():
    torch.manual_seed(0)
    model = resnet20()
    weight = model.layer3[1].conv1.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    assert not model.layer3[1].conv2.bias.any()


def test_unknown_shortcut_names_the_nearest():
    with pytest.raises(ConfigError, match=r"resnet20: unknown shortcut 'identiti'; did you mean 'identity'\?"):
        resnet20(shortcut="identiti")


def test_sizes_must_be_positive():
    with pytest.raises(ConfigError, match="resnet20: width must be"):
        resnet20(width=0)
