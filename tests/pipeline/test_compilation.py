from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import dqc_plugin
from dqc_plugin import DQCQuantizer
from dqc_plugin.errors import ConfigError
from dqc_plugin.models.resnet import resnet20
from dqc_plugin.pipeline.compilation import require_compiler
from dqc_plugin.pruners.masks import hold_masks

CPU = torch.device("cpu")
CONFIG = [{"op_types": ["Conv2d", "Linear"], "quant_dtype": "int3"}]


@pytest.mark.parametrize("pruned", [False, True])
def test_a_quantized_network_is_one_graph_with_the_same_codewords(pruned: bool) -> None:
    torch.manual_seed(0)
    network = resnet20(width=4)
    layer = network.layer1[0].conv1
    if pruned:
        holder = hold_masks(network, {"layer1.0.conv1": {"weight": (layer.weight.abs() > 0.1).float()}})
        quantizer = DQCQuantizer.from_compressor(holder, CONFIG)
    else:
        quantizer = DQCQuantizer(network, CONFIG)
    torch.compiler.reset()
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True, dynamic=False)
    images = torch.randn(4, 3, 8, 8)
    outputs = compiled(images)
    outputs.sum().backward()
    gradients = [target.latent.grad.clone() for target in quantizer.targets]  # type: ignore[union-attr]
    for target in quantizer.targets:
        seen = network.get_submodule(target.wrapper.name).weight
        assert torch.equal(seen, target.codewords())
        target.latent.grad = None
    expected = network(images)
    expected.sum().backward()
    torch.testing.assert_close(outputs, expected)
    for target, gradient in zip(quantizer.targets, gradients, strict=True):
        torch.testing.assert_close(target.latent.grad, gradient, rtol=1e-3, atol=1e-4)


def works() -> bool:
    try:
        require_compiler(CPU)
    except ConfigError:
        return False
    return True


def test_a_compiled_run_resembles_one_that_is_not(schedule: dict[str, Any], tmp_path: Path) -> None:
    if not works():
        pytest.skip("no C++ compiler")
    schedule["stages"] = [{"train": {"epochs": 1}}, {"quantizer": "dqc", "bits": 4, "epochs": 1}, {"coder": "huffman"}]
    plain = dqc_plugin.run(schedule, tmp_path / "plain")
    compiled = dqc_plugin.run({**schedule, "compile": True}, tmp_path / "compiled")
    for one, other in zip(plain.stages[:2], compiled.stages[:2], strict=True):
        assert one["metric"] == pytest.approx(other["metric"], abs=0.02)
    assert set(compiled.model.state_dict()) == set(plain.model.state_dict())
    assert len(compiled.model.get_parameter("fc1.weight").unique()) <= 15


def test_a_machine_without_a_compiler_is_told_before_anything_runs(
    schedule: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> nn.Module:
        raise RuntimeError("InvalidCxxCompiler: no working C++ compiler\nlong trace")

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(
        ConfigError, match=r"^compile: true needs a C\+\+ compiler .*no working C\+\+ compiler\); install"
    ):
        dqc_plugin.run({**schedule, "compile": True}, tmp_path / "run")
    assert not (tmp_path / "run").exists()
