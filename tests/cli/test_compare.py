"""A family on the digits through the command line: run, resumed, compared, written, plotted."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import statistics
from pathlib import Path

import pytest
from test_cli import dqc

import dqc_plugin

FAMILY = """\
version: 1
name: small
model: {name: lenet300, image_size: 8}
data: digits
stages:
- train: {epochs: 1}
- {quantizer: dqc, bits: 4, epochs: 1}
- {coder: huffman, file: tiny.dqc}
matrix:
  bits: {stages.1.bits: [3, 5]}
  seed: {seed: [0, 1]}
reference:
- bits: 5
  accuracy_percent: 90.5
  layers: {fc1: {kept_percent: 8, weight_bits: [5, 4.5], index_bits: [5, 4.5], rate_percent: [2.7, 2.45]}}
others:
- {name: Elsewhere, accuracy_percent: 91.2, bytes: 3030, source: a paper}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("compare")
    (folder / "small.yml").write_text(FAMILY)
    output, _ = dqc("compare", "small.yml", "--report", "t", cwd=folder)
    assert "small-5-seed1 (4 of 4)" in output and "90.50" in output
    return folder


def test_every_cell_has_its_run_and_seeds_become_rows(finished: Path) -> None:
    document = json.loads((finished / "t/table.json").read_text())
    records = [
        json.loads((finished / "runs/small" / f"small-5-seed{seed}" / "records.jsonl").read_text().splitlines()[-1])
        for seed in (0, 1)
    ]
    accuracies = [100 * record["metric"] for record in records]
    row = document["rows"][1]
    assert row["labels"] == {"bits": "5"} and row["n"] == 2
    assert row["accuracy_percent"]["mean"] == pytest.approx(statistics.fmean(accuracies), abs=1e-4)
    assert row["accuracy_percent"]["deviation"] == pytest.approx(statistics.stdev(accuracies), abs=1e-4)
    assert row["bytes"]["least"] == min(record["bytes"] for record in records)
    assert row["difference_percent"] == pytest.approx(statistics.fmean(accuracies) - 90.5, abs=1e-4)
    assert document["seeds"] == [0, 1] and document["epochs"] == [[1, 1]] and document["command"].startswith("dqc comp")
    assert document["versions"][0]["torch"] and document["machines"][0]["device"] and document["dates"]


def test_the_tables_say_the_same(finished: Path) -> None:
    with (finished / "t/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    document = json.loads((finished / "t/table.json").read_text())
    assert [float(row["bytes_mean"]) for row in rows] == [row["bytes"]["mean"] for row in document["rows"]]
    assert rows[0]["paper_accuracy_percent"] == "" and rows[1]["paper_accuracy_percent"] == "90.5"
    text = (finished / "t/table.md").read_text()
    assert "| bits | n | accuracy % | least..most | float % | bytes | ratio | paper % | difference |" in text
    assert "| Elsewhere (a paper) | - | - | - | - | 3,030 | - | 91.20 | - |" in text
    assert "- Seeds: 0, 1" in text and "- Epochs of the stages: 1 + 1" in text


def test_the_plot_is_written_twice(finished: Path) -> None:
    assert (finished / "t/plot.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (finished / "t/plot.svg").read_text()


def test_layers_stand_beside_what_is_published(finished: Path) -> None:
    lines = (finished / "t" / "layers.md").read_text().splitlines()
    at = lines.index("| fc1 | 5, published | - | 8.0 | 5.0 | 4.5 | 5.0 | 4.5 | 2.70 | 2.45 |")
    files = [finished / "runs" / "small" / f"small-5-seed{seed}" / "tiny.dqc" for seed in (0, 1)]
    sizes = [dqc_plugin.inspect(file).layers[0].sizes for file in files]
    bits = statistics.fmean(size.index_bits_coded for size in sizes)
    assert lines[at + 1].startswith("| fc1 | 5 | 19,200 |") and f"| 5.0 | {bits:.1f} |" in lines[at + 1]
    assert [line for line in lines if line.startswith("| total | 3 |")]


def test_the_float_network_is_trained_once_for_a_seed(finished: Path) -> None:
    runs = finished / "runs" / "small"
    first = [(runs / f"small-{bits}-seed0" / "records.jsonl").read_text().splitlines()[:2] for bits in (3, 5)]
    assert first[0] == first[1]  # the seconds too


def test_runs_are_compared_by_folder(finished: Path) -> None:
    folders = sorted((finished / "runs" / "small").iterdir())
    dqc("compare", *folders, "--report", "runs-table", cwd=finished)
    rows = json.loads((finished / "runs-table/table.json").read_text())["rows"]
    assert [(row["labels"]["run"], row["n"]) for row in rows] == [("small-3", 2), ("small-5", 2)]


def test_no_run_only_reads(finished: Path) -> None:
    more = ("--set", "matrix.seed.seed=[0, 1, 7]", "--report", "read")
    output, _ = dqc("compare", "small.yml", "--no-run", *more, cwd=finished)
    assert "2 of 3" in output and not (finished / "runs" / "small" / "small-3-seed7").exists()
    command = json.loads((finished / "read" / "table.json").read_text())["command"]
    assert command == f"dqc compare small.yml {shlex.join(more)}"


def test_what_a_report_tells_is_not_run_again(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "t", tmp_path / "t")
    shutil.copy(finished / "small.yml", tmp_path)
    output, _ = dqc("compare", "small.yml", "--report", "t", cwd=tmp_path)
    assert not (tmp_path / "runs").exists() and "90.50" in output
    before, after = (json.loads((folder / "t/table.json").read_text())["rows"] for folder in (finished, tmp_path))
    assert [row["runs"] for row in after] == [row["runs"] for row in before]
    for name in ("layers.md", "layers.csv"):
        assert (tmp_path / "t" / name).read_text() == (finished / "t" / name).read_text()
    lines = (tmp_path / "t" / "layers.csv").read_text().splitlines(keepends=True)
    for wrong, told in ((lines[1:], "is not a list of layers by dqc compare"), (lines[:-1], "is cut off")):
        (tmp_path / "t" / "layers.csv").write_text("".join(wrong))
        _, error = dqc("compare", "small.yml", "--report", "t", cwd=tmp_path, code=1)
        assert f"layers.csv: {told}" in error
    (tmp_path / "t" / "layers.csv").unlink()
    (tmp_path / "t" / "table.json").write_text("{}")
    _, error = dqc("compare", "small.yml", "--report", "t", cwd=tmp_path, code=1)
    assert "table.json: is not a table of dqc compare" in error


def test_a_narrowed_family_does_not_take_runs_from_a_report(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "t", tmp_path / "t")
    shutil.copy(finished / "small.yml", tmp_path)
    before = (tmp_path / "t/table.json").read_text()
    narrowed = ("--set", "matrix.seed.seed=[0]", "--report", "t")
    _, error = dqc("compare", "small.yml", *narrowed, cwd=tmp_path, code=1)
    assert "t/table.json: has 2 runs that --set leaves out, such as small-3-seed1" in error
    assert (tmp_path / "t/table.json").read_text() == before and not (tmp_path / "runs").exists()


def test_check_shows_the_runs(finished: Path) -> None:
    output, _ = dqc("check", "small.yml", cwd=finished)
    assert "small-3-seed0" in output and "small-5-seed1" in output and "dqc" in output


def test_errors(finished: Path) -> None:
    _, error = dqc("run", "small.yml", cwd=finished, code=1)
    assert "small.yml:9: matrix: makes this a family" in error
    _, error = dqc("compare", "small.yml", "--no-run", "--set", "stages.1.epochs=2", cwd=finished, code=1)
    assert "holds a run of another schedule" in error
    _, error = dqc("compare", "runs", cwd=finished, code=1)
    assert "is not a run folder" in error
    _, error = dqc("compare", "small.yml", "runs", cwd=finished, code=1)
    assert "small.yml: a family is compared by itself" in error


def test_what_stops_several_runs_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "small.yml").write_text(FAMILY)
    start = 'stages.0.train={"checkpoint": "none-{seed}.pt"}'
    _, error = dqc("compare", "small.yml", "--set", start, cwd=tmp_path, code=1)
    first, second = error.splitlines()
    assert first == "error: small-3-seed0 and 1 more: none-0.pt: no such checkpoint"
    assert second == "small-3-seed1 and 1 more: none-1.pt: no such checkpoint"
