from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import dqc_plugin
from dqc_plugin.errors import ExportError
from dqc_plugin.export import export, export_onnx
from dqc_plugin.models.lenet import lenet5
from dqc_plugin.models.resnet import resnet20

CONFIG = [{"op_types": ["Conv2d", "Linear"], "quant_dtype": "int4"}]


def quantized(model: nn.Module, file: Path, config: list[dict[str, object]] = CONFIG) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean), nn.init.uniform_(module.running_var, 0.5, 2)
    quantizer = dqc_plugin.DQCQuantizer(model, config)
    plain: nn.Module = quantizer.export_model().eval()
    dqc_plugin.save(file, plain, quantizer.get_calibration_config())
    return plain


def run_onnx(path: Path, inputs: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs: np.ndarray = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})[0]
    return outputs


@pytest.mark.parametrize(("make", "shape"), [(lenet5, (1, 28, 28)), (resnet20, (3, 32, 32))])
def test_onnx_gives_torch_s_outputs_for_any_batch_size(
    make: Callable[[], nn.Module], shape: tuple[int, ...], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    plain = quantized(make(), tmp_path / "net.dqc")
    export(tmp_path / "net.dqc", tmp_path / "net.onnx", model=make(), inputs=torch.randn(2, *shape))
    for batch in (1, 2, 5):
        inputs = torch.randn(batch, *shape)
        with torch.no_grad():
            wanted = plain(inputs).numpy()
        found = run_onnx(tmp_path / "net.onnx", inputs)
        np.testing.assert_allclose(found, wanted, atol=1e-4)
        assert (found.argmax(1) == wanted.argmax(1)).all()
    floats = sum(4 * value.numel() for value in plain.state_dict().values())
    assert (tmp_path / "net.onnx").stat().st_size < floats / 4


def test_a_codebook_for_each_channel_is_one_table(tmp_path: Path) -> None:
    config = [{"op_types": ["Linear"], "quant_dtype": "int3", "granularity": "out_channel"}]
    plain = quantized(nn.Sequential(nn.Linear(64, 32), nn.Linear(32, 2)), tmp_path / "net.dqc", config)
    export_onnx(plain, torch.randn(2, 64), tmp_path / "net.onnx")
    inputs = torch.randn(3, 64)
    with torch.no_grad():
        np.testing.assert_allclose(run_onnx(tmp_path / "net.onnx", inputs), plain(inputs).numpy(), atol=1e-5)
    names = {tensor.name for tensor in onnx.load(tmp_path / "net.onnx").graph.initializer}
    assert {"0.weight.indices", "0.weight.values", "1.weight"} <= names  # the second is smaller as floats


def test_float_weights_stay_as_they_are(tmp_path: Path) -> None:
    export_onnx(nn.Linear(64, 32), torch.randn(2, 64), tmp_path / "net.onnx")
    assert not [node for node in onnx.load(tmp_path / "net.onnx").graph.node if node.op_type == "Gather"]


def test_safetensors_and_torch_hold_the_same_weights(tmp_path: Path) -> None:
    wanted = quantized(lenet5(image_size=8), tmp_path / "net.dqc").state_dict()
    export(tmp_path / "net.dqc", tmp_path / "net.safetensors")
    export(tmp_path / "net.dqc", tmp_path / "net.pt")
    for found in (load_file(tmp_path / "net.safetensors"), torch.load(tmp_path / "net.pt", weights_only=True)):
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("ending", ["safetensors", "pt"])
def test_a_file_is_for_whom_new_files_are(ending: str, tmp_path: Path) -> None:
    quantized(lenet5(image_size=8), tmp_path / "net.dqc")
    (tmp_path / "other").touch()
    out = export(tmp_path / "net.dqc", tmp_path / f"net.{ending}")
    assert out.stat().st_mode == (tmp_path / "other").stat().st_mode
    with pytest.raises(ExportError, match=rf"net.{ending}: cannot write: "):
        export(tmp_path / "net.dqc", f"/proc/net.{ending}")


def test_what_cannot_be_exported_says_so_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Branches(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return inputs if inputs.sum() > 0 else -inputs

    quantized(lenet5(image_size=8), tmp_path / "net.dqc")
    out = tmp_path / "net.onnx"
    out.write_text("old")
    with pytest.raises(ExportError, match=r"unknown ending '.h5'; use .onnx"):
        export(tmp_path / "net.dqc", tmp_path / "net.h5")
    with pytest.raises(ExportError, match="give model and inputs"):
        export(tmp_path / "net.dqc", out)
    with pytest.raises(ExportError, match="torch cannot export this network as ONNX"):
        export_onnx(Branches(), torch.randn(2, 3), out)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "dqc_plugin.export.onnx", raising=False)
    with pytest.raises(ExportError, match=r'onnx is not installed; pip install "dqc-plugin\[onnx\]"'):
        export_onnx(nn.Linear(3, 2), torch.randn(2, 3), out)
    assert out.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"net.dqc", "net.onnx"}
