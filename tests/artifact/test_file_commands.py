from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from dqc_plugin.artifact import save
from dqc_plugin.cli.inspect import inspect
from dqc_plugin.cli.verify import verify
from dqc_plugin.errors import ArtifactError


@pytest.fixture
def app() -> typer.Typer:
    commands = typer.Typer()
    commands.command()(inspect)
    commands.command()(verify)
    return commands


def test_inspect_prints_tables_of_at_most_100_columns(app: typer.Typer, file: Path) -> None:
    result = CliRunner().invoke(app, ["inspect", str(file)])
    assert result.exit_code == 0
    *tables, summary = result.stdout.strip().splitlines()
    assert all(len(line) <= 100 for line in tables)
    assert "channels" in result.stdout and "P+Q -> H" in result.stdout and "as pruned.weight" in result.stdout
    assert f"{file}: {file.stat().st_size:,} bytes on disk" in summary


def test_inspect_as_json(app: typer.Typer, file: Path) -> None:
    result = CliRunner().invoke(app, ["inspect", "--json", str(file)])
    assert json.loads(result.stdout)["file_bytes"] == file.stat().st_size


def test_names_are_not_markup(app: typer.Typer, tmp_path: Path) -> None:
    file = save(tmp_path / "x.dqc", {"[red]a[/red]": torch.zeros(1)}, {})
    assert "[red]a[/red]" in CliRunner().invoke(app, ["inspect", str(file)]).stdout


def test_verify_says_that_a_file_is_sound(app: typer.Typer, file: Path) -> None:
    result = CliRunner().invoke(app, ["verify", str(file)])
    assert result.exit_code == 0
    assert result.stdout.strip() == f"{file}: sound, {file.stat().st_size:,} bytes"


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_a_damaged_file_is_an_error(app: typer.Typer, file: Path, command: str) -> None:
    sound = file.read_bytes()
    file.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    result = CliRunner().invoke(app, [command, str(file)])
    assert isinstance(result.exception, ArtifactError) and "damaged" in str(result.exception)
