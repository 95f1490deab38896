from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from test_cli import SCHEDULE, dqc

import dqc_plugin
from dqc_plugin.data import load_data
from dqc_plugin.models.lenet import lenet5


def test_a_run_as_onnx_has_the_accuracy_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "tiny.yml").write_text(SCHEDULE)
    dqc("run", "tiny.yml", "--out", "run", cwd=tmp_path)
    said, _ = dqc("export", "run/tiny.dqc", "tiny.onnx", "--schedule", "tiny.yml", cwd=tmp_path)
    assert said.startswith("tiny.onnx: ")
    session = onnxruntime.InferenceSession(tmp_path / "tiny.onnx", providers=["CPUExecutionProvider"])
    data = load_data("digits")
    right, seen = 0, 0
    for images, labels in data.batches(data.test, 100):
        outputs = session.run(None, {session.get_inputs()[0].name: images.numpy()})[0]
        right, seen = right + int((np.argmax(outputs, 1) == labels.numpy()).sum()), seen + len(labels)
    records = (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    assert f'"metric": {right / seen:.4f}'[:14] in records[-1]


def test_onnx_wants_the_schedule_and_a_foreign_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "foreign.dqc").write_bytes(b"PK\x03\x04" * 50)
    _, error = dqc("export", "foreign.dqc", "net.onnx", cwd=tmp_path, code=1)
    assert "give --schedule" in error
    _, error = dqc("export", "foreign.dqc", "net.pt", cwd=tmp_path, code=1)
    assert "foreign.dqc" in error and len(error.splitlines()) == 1
    _, error = dqc("export", "foreign.dqc", "net.pt", "--schedule", "any.yml", cwd=tmp_path, code=1)
    assert "net.pt: --schedule and --set are for ONNX" in error


def test_the_schedule_of_another_network_is_named(tmp_path: Path) -> None:
    dqc_plugin.save(tmp_path / "net.dqc", lenet5(image_size=8), {})
    (tmp_path / "tiny.yml").write_text(SCHEDULE)
    _, error = dqc("export", "net.dqc", "net.onnx", "--schedule", "tiny.yml", cwd=tmp_path, code=1)
    assert "net.dqc: the file does not fit the model: " in error
    assert error.endswith("Is tiny.yml the schedule of its run, with the same --set?\n")
    (tmp_path / "bare.yml").write_text(SCHEDULE.replace("data: digits\n", "").replace("lenet300", "lenet5"))
    _, error = dqc("export", "net.dqc", "net.onnx", "--schedule", "bare.yml", cwd=tmp_path, code=1)
    assert "bare.yml names no data, whose shape ONNX needs: name it with --set data=" in error
    assert not (tmp_path / "net.onnx").exists()
