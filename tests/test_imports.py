"""Who may import whom: the rooms of the package and the way of the data between them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dqc_plugin"
ALLOWED = {
    "codebooks": set(),
    "coding": set(),
    "artifact": {"codebooks", "coding"},
    "models": set(),
    "data": set(),
    "schedule": {"quantizers", "pruners", "models", "data", "coding"},
    "pruners": {"codebooks"},
    "quantizers": {"codebooks"},
    "pipeline": {"codebooks", "quantizers", "pruners", "schedule", "artifact", "models", "data"},
    "search": {"codebooks", "quantizers", "schedule", "artifact", "pipeline"},
    "report": {"artifact", "codebooks", "coding"},
    "export": {"artifact"},
    "cli": {"pipeline", "artifact", "schedule", "report", "export", "data", "search"},
}
LIBRARIES_KEPT_OUT = {
    "codebooks": {"nni", "numpy"},
    "coding": {"torch", "nni"},
    "artifact": {"nni"},
    "export": {"nni"},
    "schedule": {"nni"},
    "report": {"nni", "torch"},
    "models": {"nni"},
    "data": {"nni"},
}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    files = list((PACKAGE / room).glob("**/*.py"))
    assert files
    for file in files:
        for name in imported(file):
            parts = name.split(".")
            if parts[0] == "dqc_plugin" and len(parts) > 1 and (PACKAGE / parts[1]).is_dir():
                assert parts[1] in ALLOWED[room] | {room}, f"{file.name} of {room} imports {name}"
            assert parts[0] not in LIBRARIES_KEPT_OUT.get(room, set()), f"{file.name} of {room} imports {name}"


def test_every_room_is_listed() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(ALLOWED)


def test_loading_a_file_needs_neither_nni_nor_a_training_set_up() -> None:
    code = (
        "import sys; sys.modules['nni'] = None; sys.modules['sklearn'] = None\n"
        "import dqc_plugin; dqc_plugin.load, dqc_plugin.inspect, dqc_plugin.verify, dqc_plugin.save\n"
        "assert not any(name.startswith('dqc_plugin.pipeline') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_line_starts_without_torch_and_nni() -> None:
    code = (
        "import sys; import dqc_plugin.cli\n"
        "assert not {'torch', 'nni', 'sklearn', 'matplotlib'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_commands_that_train_leave_other_trainers_alone() -> None:
    code = (
        "import sys; from dqc_plugin.cli.trainers import without_trainers\n"
        "with without_trainers():\n"
        "    import dqc_plugin.pipeline.runner\n"
        "assert not {'transformers', 'transformers.trainer', 'pytorch_lightning'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
