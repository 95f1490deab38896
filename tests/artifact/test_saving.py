from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from artifact_networks import Network
from safetensors import safe_open
from torch import nn

from dqc_plugin.artifact import inspect, load, save
from dqc_plugin.codebooks import PowerOfTwo
from dqc_plugin.errors import ArtifactError, DQCError

CODEBOOK = PowerOfTwo(3, True, torch.tensor(0.5))
EIGHT_BITS = torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn)
PER_CHANNEL = PowerOfTwo(3, True, torch.tensor([0.5, 0.25]))


def _nested(depth: int) -> dict[str, object]:
    content: object = 0
    for _ in range(depth):
        content = [content]
    return {"a": content}


def _shared(values: object) -> dict[str, object]:
    return {"codebook": "shared_values", "values": values}


def test_the_same_network_gives_the_same_bytes(tmp_path: Path, network: Network, file: Path) -> None:
    again = save(tmp_path / "again.dqc", network.tensors, network.calibration, metadata={"schedule": "0a1b", "n": 1})
    assert again.read_bytes() == file.read_bytes()


def test_the_file_is_safetensors(file: Path) -> None:
    with safe_open(file, "pt") as tensors:
        assert tensors.metadata()["format"] == "dqc"
        assert list(tensors.keys()) == ["payload"]
        assert tensors.get_tensor("payload").dtype == torch.uint8


def test_nothing_but_the_file_is_left(file: Path) -> None:
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_failed_save_leaves_the_old_file(file: Path, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ArtifactError, match=r"network.dqc: cannot be written \(No space left on device\)"):
        save(file, network.tensors, {})
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_module_is_saved_by_its_state(tmp_path: Path, model: nn.Module) -> None:
    codebook = PowerOfTwo(4, True, torch.tensor(0.125))
    file = save(tmp_path / "x.dqc", model, {"conv": {"weight": codebook.to_record()}})
    assert load(file).keys() == model.state_dict().keys()


def test_tied_tensors_are_stored_once_under_any_of_their_names(tmp_path: Path) -> None:
    weights = CODEBOOK.quantize(torch.randn(40, 40))
    calibration = {"second": {"weight": CODEBOOK.to_record()}}
    once = save(tmp_path / "a.dqc", {"second.weight": weights}, calibration)
    tied = save(tmp_path / "b.dqc", {"first.weight": weights, "second.weight": weights}, calibration)
    assert tied.stat().st_size < once.stat().st_size + 30
    assert len(inspect(tied).layers) == 1


def test_biases_take_fewer_bytes_than_floats(tmp_path: Path) -> None:
    tensors = {"bias": torch.randn(1000, generator=torch.Generator().manual_seed(0)), "zeros": torch.zeros(1000)}
    assert save(tmp_path / "x.dqc", tensors, {}).stat().st_size < 0.87 * 4000 + 300


@pytest.mark.parametrize(
    ("weights", "codebook", "message"),
    [
        (torch.tensor([0.5, 0.3]), CODEBOOK, "1 of 2 weights are not on its codebook; export the model before saving"),
        (torch.tensor([1.0, 0.5]), CODEBOOK, "1 of 2 weights are not on its codebook"),
        (torch.tensor([0.5, float("nan")]), CODEBOOK, "NaN or infinity"),
        (torch.tensor([0.5, float("inf")]), CODEBOOK, "NaN or infinity"),
        (torch.tensor([1, 2]), CODEBOOK, "dtype int64 cannot be on a codebook"),
        (torch.zeros(3, 2), PER_CHANNEL, r"2 channels does not fit shape \[3, 2\]"),
        (torch.tensor(0.5), PER_CHANNEL, r"2 channels does not fit shape \[\]"),
    ],
)
def test_weights_that_do_not_lie_on_their_codebook(
    tmp_path: Path, weights: torch.Tensor, codebook: PowerOfTwo, message: str
) -> None:
    network = Network()
    network.add("conv1", weights, codebook)
    with pytest.raises(ArtifactError, match=f"conv1.weight: .*{message}"):
        save(tmp_path / "x.dqc", network.tensors, network.calibration)
    assert not list(tmp_path.iterdir())


def test_latent_weights_are_refused(tmp_path: Path, model: nn.Module) -> None:
    with torch.no_grad():
        model.conv.weight += 0.01
    record = PowerOfTwo(4, True, torch.tensor(0.125)).to_record()
    with pytest.raises(ArtifactError, match="conv.weight: .* export the model before saving"):
        save(tmp_path / "x.dqc", model, {"conv": {"weight": record}})


@pytest.mark.parametrize(
    ("tensors", "calibration", "message"),
    [
        (
            {"conv1.weight": torch.zeros(2)},
            {"conv2": {"weight": CODEBOOK.to_record()}},
            "a codebook for conv2.weight, which the network does not have; did you mean 'conv1.weight'",
        ),
        ({"a": torch.zeros(2)}, {"": {"a": {"scale": 1.0}}}, "a: unknown codebook family"),
        ({"a": torch.zeros(2)}, {"": {"a": {"codebook": "power_of_two"}}}, "a: the record .* lacks"),
        ({"a": [1, 2]}, {}, "a is of type list; only tensors can be stored"),
        ({"a": torch.zeros(2, device="meta")}, {}, "a: only dense tensors with memory"),
        ({"a": torch.zeros(2, 2).to_sparse()}, {}, "a: only dense tensors with memory"),
        ({"a\x1b[2J": torch.zeros(2)}, {}, "names in files must be printable"),
        ({1: torch.zeros(2)}, {}, "a tensor has the name 1; names must be text"),
        ({"a": nn.LazyLinear(3).weight}, {}, "a has no values yet; run the network once"),
        ({"a": torch.zeros([1] * 65).half()}, {}, "a tensor of 65 dimensions; files hold at most 64"),
        ({"a": torch.zeros(2)}, {"": {"a": None}}, "a: its codebook .* is NoneType, not a mapping"),
        ({"a": torch.ones(2)}, {"": {"a": _shared([1, 2])}}, "a: a codebook is not of floats but of int64"),
        ({"a": torch.ones(2)}, {"": {"a": _shared(EIGHT_BITS)}}, "a: the record .* holds what it cannot be made of"),
        ({"a": torch.ones(2)}, {"": {"a": CODEBOOK.to_record() | {"bits": "x"}}}, "a: the record .* cannot be made of"),
    ],
)
def test_what_cannot_be_stored(tmp_path: Path, tensors: dict, calibration: dict, message: str) -> None:
    with pytest.raises(DQCError, match=message):
        save(tmp_path / "x.dqc", tensors, calibration)


@pytest.mark.parametrize("metadata", [{"a": {1, 2}}, {"a": float("nan")}, 3, {"a": "\ud800"}, _nested(2000)])
def test_metadata_that_json_cannot_hold(tmp_path: Path, metadata: object) -> None:
    with pytest.raises(ArtifactError, match="metadata is not a mapping that JSON can hold"):
        save(tmp_path / "x.dqc", {}, {}, metadata=metadata)  # type: ignore[arg-type]


def test_an_unknown_coder_is_named(tmp_path: Path, network: Network) -> None:
    with pytest.raises(DQCError, match="unknown coder 'hufman'; did you mean 'huffman'"):
        save(tmp_path / "x.dqc", network.tensors, network.calibration, coder="hufman")


@pytest.mark.parametrize("name", ["no/x.dqc", "file/x.dqc", "x" * 300, "", "a\0b"])
def test_a_path_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match=r"cannot be written \(.+\)"):
        save(name, {}, {})


def test_a_long_name(tmp_path: Path) -> None:
    assert load(save(tmp_path / ("x" * 250 + ".dqc"), {"a": torch.ones(2)}, {}))["a"].sum() == 2


def test_threads_may_write_the_same_file(tmp_path: Path, network: Network) -> None:
    def write(count: int) -> Path:
        return save(tmp_path / "x.dqc", {"a": torch.ones(count)}, {})

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(1, 101)))
    assert 1 <= len(load(tmp_path / "x.dqc")["a"]) <= 100
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_views_that_negate_are_no_second_names(tmp_path: Path) -> None:
    numbers = torch.tensor([1 + 2j, 3 - 4j])
    tensors = {"a": numbers, "b": numbers.conj(), "c": numbers.imag, "d": numbers.conj().imag}
    found = load(save(tmp_path / "x.dqc", tensors, {}))
    for name, tensor in tensors.items():
        torch.testing.assert_close(found[name], tensor.resolve_conj().resolve_neg(), rtol=0, atol=0)


class _Lazy(Mapping[str, torch.Tensor]):
    """Makes a tensor each time it is asked for one."""

    def __init__(self) -> None:
        self.alive: list[weakref.ref[torch.Tensor]] = []
        self.most_alive = 0

    def __getitem__(self, name: str) -> torch.Tensor:
        tensor = CODEBOOK.quantize(torch.full((100, 100), float(name)))
        self.alive = [tensor_ref for tensor_ref in self.alive if tensor_ref() is not None] + [weakref.ref(tensor)]
        self.most_alive = max(self.most_alive, len(self.alive))
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(["0.5", "0.25", "0.0", "0.125"])

    def __len__(self) -> int:
        return 4


def test_a_lazy_mapping_is_saved_tensor_by_tensor(tmp_path: Path) -> None:
    lazy = _Lazy()
    file = save(tmp_path / "x.dqc", lazy, {"": {name: CODEBOOK.to_record() for name in lazy}})
    assert lazy.most_alive <= 2
    assert all(torch.equal(tensor, lazy[name]) for name, tensor in load(file).items())
