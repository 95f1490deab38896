"""``dqc verify``: check a compressed file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(file: Annotated[Path, typer.Argument(help="A compressed file.")]) -> None:
    """Check every checksum of a compressed file and decode every tensor."""
    from dqc_plugin.artifact import verify as verify_file

    verify_file(file)
    typer.echo(f"{file}: sound, {file.stat().st_size:,} bytes")
