from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
import torch
from artifact_networks import Network, Small, assert_same
from torch import nn

from dqc_plugin.artifact import load, load_tensor, save, verify
from dqc_plugin.codebooks import PowerOfTwo
from dqc_plugin.errors import ArtifactError


@pytest.fixture
def saved(tmp_path: Path, model: nn.Module) -> Path:
    record = PowerOfTwo(4, True, torch.tensor(0.125)).to_record()
    return save(tmp_path / "small.dqc", model, {"conv": {"weight": record}})


def test_into_a_model(saved: Path, model: nn.Module) -> None:
    other = Small()
    assert load(saved, into=other) is other
    assert_same(other.state_dict(), model.state_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: setattr(m, "extra", nn.Linear(2, 2)), "the file lacks extra.bias, extra.weight"),
        (lambda m: delattr(m, "norm"), "the model has no norm.bias, norm.num_batches_tracked"),
        (
            lambda m: setattr(m, "conv", nn.Conv2d(2, 4, 3)),
            r"conv.bias is float32 \[3\] in the file and float32 \[4\] in the model",
        ),
        (lambda m: m.half(), r"conv.bias is float32 \[3\] in the file and float16 \[3\] in the model"),
        (lambda m: m.to("meta"), "the model is on the meta device"),
    ],
)
def test_a_model_that_does_not_fit_is_left_alone(saved: Path, change: object, message: str) -> None:
    other = Small()
    change(other)  # type: ignore[operator]
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(ArtifactError, match=f"small.dqc: the file does not fit the model: .*{message}"):
        load(saved, into=other)
    if not message.endswith("meta device"):
        assert_same(other.state_dict(), before)


def test_a_model_of_lazy_layers_that_never_ran(saved: Path) -> None:
    other = Small()
    other.conv = nn.LazyConv2d(3, 3)
    with pytest.raises(ArtifactError, match="conv.weight of the model has no shape yet; run the model once"):
        load(saved, into=other)


def test_long_lists_of_names_are_cut(saved: Path) -> None:
    with pytest.raises(ArtifactError, match=r"the model has no conv.bias, .* and 2 more$"):
        load(saved, into=nn.Linear(2, 2))


def test_loading_needs_neither_nni_nor_a_training_set_up(saved: Path) -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['nni', 'sklearn', 'pydantic', 'ruamel.yaml', 'typer']))\n"
        "import dqc_plugin\n"
        f"path = {str(saved)!r}\n"
        "assert dqc_plugin.load(path)['conv.weight'].shape == (3, 2, 3, 3)\n"
        "dqc_plugin.verify(path); dqc_plugin.inspect(path)\n"
        "assert not any(name.split('.')[-1] in ('pipeline', 'quantizers', 'pruners') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_coder_in_a_file_is_named(tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    from dqc_plugin import registry
    from dqc_plugin.coding.coders import packed

    monkeypatch.setattr(registry, "_added", {})
    registry.register("coder", "mine")(packed)
    file = save(tmp_path / "x.dqc", network.tensors, network.calibration, coder="mine")
    verify(file)
    monkeypatch.setattr(registry, "_added", {})
    with pytest.raises(ArtifactError, match="x.dqc: pruned.weight: unknown coder 'mine'"):
        load(file)


def test_one_tensor_without_the_others(file: Path, network: Network) -> None:
    for name, tensor in network.tensors.items():
        assert_same({name: load_tensor(file, name)}, {name: tensor})
    with pytest.raises(ArtifactError, match=r"network.dqc: it has no tensor 'not there'"):
        load_tensor(file, "not there")


def test_damage_elsewhere_does_not_stop_one_tensor(file: Path, network: Network) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    first = next(iter(network.tensors))
    assert_same({first: load_tensor(file, first)}, {first: network.tensors[first]})


@pytest.mark.parametrize("coder", ["best", "huffman", "packed"])
@pytest.mark.parametrize(
    ("share", "dtype"), [(0.1, torch.float32), (1.0, torch.float32), (1.0, torch.bfloat16)], ids=str
)
def test_loading_takes_little_more_memory_than_the_weights(
    coder: str, share: float, dtype: torch.dtype, tmp_path: Path
) -> None:
    """Of 2 million weights, 90 % pruned or none; what is taken before the weights are made is less.

    Only zlib takes two bytes for each symbol, more than a tenth of weights of two bytes.
    """
    generator = torch.Generator().manual_seed(0)
    levels, kept = torch.randint(0, 15, (2000, 1000), generator=generator), torch.rand(2000, 1000, generator=generator)
    levels = levels * levels // 15  # some are rare, so that all coders code them
    signs = torch.randint(0, 2, (2000, 1000), generator=generator) * 2.0 - 1
    weights = torch.where(kept < share, signs / 2.0**levels, 0.0).to(dtype)
    record = PowerOfTwo(5, True, torch.tensor(1.0)).to_record()
    file = save(tmp_path / "large.dqc", {"weight": weights}, {"": {"weight": record}}, coder=coder)
    load(file)
    tracemalloc.start()
    tensors = load(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert torch.equal(tensors["weight"], weights)
    most = 1.5 if coder == "huffman" and dtype == torch.bfloat16 else 1.1
    assert weights.nbytes < peak < most * weights.nbytes
