from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import dqc_plugin
from dqc_plugin.errors import ConfigError, RunError, ScheduleError
from dqc_plugin.models import lenet300

Mapping = dict[str, Any]


def test_the_whole_way(schedule: Mapping, tmp_path: Path) -> None:
    result = dqc_plugin.run(schedule, tmp_path)
    assert result.file == tmp_path / "tiny.dqc"
    trained, pruned, quantized, coded = result.stages
    assert trained["metric"] > 0.85 and coded["metric"] == quantized["metric"] > 0.8
    assert pruned["sparsity"] == pytest.approx(0.8, abs=0.01) and quantized["sparsity"] >= 0.79
    assert coded["bytes"] == result.file.stat().st_size and coded["same_outputs"]
    weights = dqc_plugin.load(result.file)
    for name, value in result.model.state_dict().items():
        assert torch.equal(weights[name], value), name
    codewords = weights["fc1.weight"].unique()
    assert len(codewords) <= 15 and torch.equal(
        codewords.abs().log2().frac()[codewords != 0], torch.zeros(len(codewords) - 1)
    )
    lines = (tmp_path / "records.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == result.records
    facts = json.loads((tmp_path / "environment.json").read_text())
    assert torch.__version__.startswith(facts["packages"]["torch"]) and facts["device"] == "cpu"


def test_a_second_pruner_keeps_what_the_first_pruned(schedule: Mapping, tmp_path: Path) -> None:
    schedule["stages"] = [
        {"train": {"epochs": 2}},
        {"pruner": "level", "sparsity": 0.7, "epochs": 1, "layers": {"fc3": "skip"}},
        {"pruner": "agp", "sparsity": 0.5, "epochs": 2, "layers": {"fc1": "skip"}},
        {"quantizer": "dqc", "bits": 4, "zero": False, "epochs": 1},
    ]
    result = dqc_plugin.run(schedule, tmp_path)
    zeros = {name: float((w == 0).float().mean()) for name, w in result.model.named_parameters() if w.dim() > 1}
    assert zeros == pytest.approx({"fc1.weight": 0.7, "fc2.weight": 0.7, "fc3.weight": 0.5}, abs=0.01)
    second = torch.load(tmp_path / "checkpoints" / "stage-2-end.pt", weights_only=True)
    assert (second["weights"]["fc1.weight"][second["masks"]["fc1"]["weight"] == 0] == 0).all()


def test_two_quantizers_on_different_layers(schedule: Mapping, tmp_path: Path) -> None:
    schedule["stages"][2:3] = [
        {"quantizer": "sqc", "bits": 2, "epochs": 1, "layers": {"fc1": "skip"}},
        {"quantizer": "dqc", "bits": 5, "epochs": 1, "layers": {"re:fc[23]": "skip"}},
    ]
    weights = dqc_plugin.run(schedule, tmp_path).model.state_dict()
    assert len(weights["fc2.weight"].unique()) <= 3 and 3 < len(weights["fc1.weight"].unique()) <= 31


@pytest.mark.parametrize("name", ["ptq", "bnn"])
def test_nnis_own_quantizers(schedule: Mapping, tmp_path: Path, name: str) -> None:
    schedule["stages"] = [
        {"train": {"epochs": 1}},
        {"quantizer": name, "epochs": 1},
        {"coder": "huffman", "file": "net.dqc"},
    ]
    result = dqc_plugin.run(schedule, tmp_path)
    assert result.file is not None and len(result.model.fc1.weight.unique()) <= 256  # type: ignore[union-attr, arg-type]


def test_without_any_training(schedule: Mapping, tmp_path: Path) -> None:
    first = dqc_plugin.run({**schedule, "stages": schedule["stages"][:1]}, tmp_path / "float")
    save_file(first.model.state_dict(), tmp_path / "net.safetensors")
    schedule["stages"] = [
        {"train": {"checkpoint": str(tmp_path / "net.safetensors")}},
        {"quantizer": "dqc", "bits": 8, "epochs": 0},
        {"coder": "huffman", "file": "net.dqc"},
    ]
    start, quantized, _ = dqc_plugin.run(schedule, tmp_path / "quick").stages
    assert start["metric"] == first.stages[0]["metric"]
    assert quantized["metric"] > start["metric"] - 0.1


def test_l1_shrinks_the_weights(schedule: Mapping, tmp_path: Path) -> None:
    schedule["stages"] = [{"train": {"epochs": 2}}]
    plain = dqc_plugin.run(schedule, tmp_path / "plain").model
    schedule["train"]["loss"] = {"name": "cross_entropy", "l1": 0.01}
    small = dqc_plugin.run(schedule, tmp_path / "l1").model
    assert small.fc1.weight.abs().sum() < 0.8 * plain.fc1.weight.abs().sum()  # type: ignore[union-attr, operator]


def test_the_terms_act_on_the_quantized_weights() -> None:
    from dqc_plugin.pipeline.losses import make_training_step
    from dqc_plugin.schedule.settings import CrossEntropy

    model = nn.Sequential(nn.Linear(4, 3))
    quantizer = dqc_plugin.DQCQuantizer(model, [{"op_types": ["Linear"], "quant_dtype": "int2"}])
    batch = (torch.zeros(2, 4), torch.tensor([0, 1]))
    with_terms = make_training_step(CrossEntropy(l1=1.0, l2=2.0), None)(batch, model)
    without = make_training_step(CrossEntropy(), None)(batch, model)
    weights = quantizer.export_model().get_parameter("0.weight")
    torch.testing.assert_close(with_terms - without, weights.abs().sum() + weights.square().sum())


def test_own_model_data_loss_and_metric(tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs = torch.randn(256, 5)
    targets = inputs @ torch.tensor([[1.0], [2.0], [0.0], [-1.0], [0.5]])
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=32, shuffle=True)

    def negative_error(model: nn.Module, batches: Any) -> float:
        with torch.no_grad():
            return -sum(float((model(x) - y).square().sum()) for x, y in batches)

    arguments: Mapping = {
        "model": nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 1)),
        "train_loader": loader,
        "eval_loader": loader,
        "loss": nn.functional.mse_loss,
        "metric": negative_error,
    }
    schedule = {
        "version": 1,
        "name": "own",
        "stages": [
            {"train": {"epochs": 5}},
            {"quantizer": "dqc", "bits": 6, "epochs": 5},
            {"coder": "huffman"},
        ],
    }
    result = dqc_plugin.run(schedule, tmp_path / "a", **arguments)
    assert result.stages[0]["metric"] > -100 and result.file == tmp_path / "a" / "own.dqc"
    again = dqc_plugin.run(schedule, tmp_path / "b", **arguments)
    assert again.file is not None and again.file.read_bytes() == result.file.read_bytes()


def test_missing_data_and_model_are_named(schedule: Mapping, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, ScheduleError), match="data"):
        dqc_plugin.run({k: v for k, v in schedule.items() if k != "data"}, tmp_path)
    with pytest.raises((ConfigError, ScheduleError), match="model"):
        dqc_plugin.run({k: v for k, v in schedule.items() if k != "model"}, tmp_path)
    with pytest.raises(ConfigError, match="train_loader and eval_loader together"):
        dqc_plugin.run(schedule, tmp_path, train_loader=[])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("lenet300", r"model: lenet300 cannot take the data's inputs, of shape \[1, 8, 8\]: mat1 and mat2"),
        ("resnet20", r"model: resnet20 cannot take the data's inputs, of shape \[1, 8, 8\]: .* 3 channels"),
        ({"name": "lenet300", "image_size": 8, "classes": 3}, "model: lenet300 has 3 outputs, but .* a class 9"),
        ({"name": "lenet300", "image_size": 8, "classes": -1}, "model: 'lenet300' cannot be made: "),
    ],
)
def test_a_network_that_does_not_fit_the_data(
    schedule: Mapping, tmp_path: Path, model: str | Mapping, message: str
) -> None:
    with pytest.raises(ScheduleError, match=message):
        dqc_plugin.run({**schedule, "model": model}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_diverging_loss_is_an_error(schedule: Mapping, tmp_path: Path) -> None:
    schedule["train"]["optimizer"]["lr"] = 1e12
    with pytest.raises(RunError, match=r"stages\[0\]: the loss is .* in epoch 1; lower the learning rate"):
        dqc_plugin.run(schedule, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"fc9": torch.zeros(2)}, "no entry 'fc1.weight'"),
        (None, "no such file"),
        ({name: value / 0 for name, value in lenet300(image_size=8).state_dict().items()}, "holds NaN or infinity"),
    ],
)
def test_bad_checkpoints(schedule: Mapping, tmp_path: Path, content: dict[str, Tensor] | None, message: str) -> None:
    path = tmp_path / "start.pt"
    if content is not None:
        torch.save(content, path)
    schedule["stages"] = [{"train": {"checkpoint": str(path)}}]
    with pytest.raises((RunError, ScheduleError), match=message):
        dqc_plugin.run(schedule, tmp_path / "run")


def test_floats_without_a_quantizer_are_rounded_when_asked(schedule: Mapping, tmp_path: Path) -> None:
    exact = dqc_plugin.run(schedule, tmp_path / "exact")
    schedule["stages"][-1]["unquantized"] = "bfloat16"
    rounded = dqc_plugin.run(schedule, tmp_path / "rounded")
    assert exact.file is not None and rounded.file is not None
    before, after = dqc_plugin.load(exact.file), dqc_plugin.load(rounded.file)
    assert torch.equal(after["fc1.weight"], before["fc1.weight"])
    assert torch.equal(after["fc1.bias"], before["fc1.bias"].bfloat16().float())
    assert not torch.equal(after["fc1.bias"], before["fc1.bias"])
    assert rounded.file.stat().st_size < exact.file.stat().st_size
    assert all(torch.equal(after[name], value) for name, value in rounded.model.state_dict().items())


def test_a_run_without_a_coder_leaves_its_weights(schedule: Mapping, tmp_path: Path) -> None:
    schedule["stages"] = schedule["stages"][:1]
    result = dqc_plugin.run(schedule, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert result.file is None and all(torch.equal(weights[n], v) for n, v in result.model.state_dict().items())


def test_a_folder_is_for_one_process_at_a_time(schedule: Mapping, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(RunError, match="another process runs here"):
        dqc_plugin.run(schedule, tmp_path)
