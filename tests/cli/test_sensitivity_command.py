from __future__ import annotations

import json
from pathlib import Path

from test_cli import SCHEDULE, dqc


def test_a_table_a_plot_and_json(tmp_path: Path) -> None:
    (tmp_path / "tiny.yml").write_text(SCHEDULE)
    said, _ = dqc("sensitivity", "tiny.yml", "--bits", "2,4", "--images", "256", "--plot", "sens", cwd=tmp_path)
    assert "2 bits" in said and "fc1" in said and "training images" in said
    assert (tmp_path / "sens.png").stat().st_size > 5_000 and (tmp_path / "sens.svg").exists()
    said, _ = dqc("sensitivity", "tiny.yml", "--bits", "4", "--json", cwd=tmp_path)
    assert {row["layer"] for row in json.loads(said)["rows"]} == {"fc1", "fc2", "fc3"}
    _, error = dqc("sensitivity", "tiny.yml", "--bits", "many", cwd=tmp_path, code=1)
    assert "--bits" in error and len(error.splitlines()) == 1
