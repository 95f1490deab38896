from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dqc_plugin.errors import ScheduleError
from dqc_plugin.schedule.document import parse_value, plain, read_document
from dqc_plugin.schedule.problems import Position

Write = Callable[[str], Path]


def message(path: Path) -> str:
    with pytest.raises(ScheduleError) as caught:
        read_document(path)
    return str(caught.value)


def test_values_are_those_of_yaml_1_2(write: Write) -> None:
    data, _ = read_document(write("a: 5e-4\nb: yes\nc: 0o17\nd: [1, null, true, 2024-01-02]\n7: {x: 'y'}\n"))
    assert data == {"a": 5e-4, "b": "yes", "c": 15, "d": [1, None, True, "2024-01-02"], "7": {"x": "y"}}


def test_every_key_and_entry_has_its_place(write: Write) -> None:
    _, origin = read_document(write("a: 1\nb:\n  - c: {d: 2}\n    e: 3\n"))
    assert origin.positions[("a",)] == Position(1, 1)
    assert origin.positions[("b", 0)] == Position(3, 5)
    assert origin.positions[("b", 0, "c", "d")] == Position(3, 9)
    assert origin.positions[("b", 0, "e")] == Position(4, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n b: 2\n", "x.yml:2: not valid YAML: mapping values are not allowed here"),
        (
            "a: [1, 2\n",
            "x.yml:2: not valid YAML: while parsing a flow sequence from line 1, "
            "expected ',' or ']', but got '<stream end>'",
        ),
        (
            "a:\n\t- 1\n",
            "x.yml:2: not valid YAML: while scanning for the next token, "
            "found character '\\t' that cannot start any token",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "x.yml:2: not valid YAML: expected a single document in the stream from line 1, but found another document",
        ),
        ("", "x.yml: is empty; a schedule starts with 'version: 1'"),
        ("# nothing\n", "x.yml: has no keys; a schedule starts with 'version: 1'"),
        ("a: 1\nb: 2\na: 3\n", "x.yml:3: a: is given twice, first in line 1"),
        ("a: &x {b: 1}\nc: *x\n", "x.yml:2: c: anchors and aliases are not used in schedules; write the value out"),
        ("a: &x [*x]\n", "x.yml:1: a[0]: anchors and aliases are not used in schedules; write the value out"),
        (
            "a: !!python/object:os.system rm\n",
            "x.yml:1: a: the tag 'tag:yaml.org,2002:python/object:os.system' is not used in schedules",
        ),
        ("a: !mine {b: 1}\n", "x.yml:1: a: the tag '!mine' is not used in schedules"),
        ("[1, 2]: 3\n", "x.yml:1: a key must be text, not a list or a mapping"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(write: Write, text: str, expected: str) -> None:
    assert message(write(text)) == expected


def test_all_duplicates_are_told_at_once(write: Write) -> None:
    assert message(write("a: {b: 1,\n  b: 2}\nc: 1\nc: 2\n")).splitlines() == [
        "x.yml:2: a.b: is given twice, first in line 1",
        "x.yml:4: c: is given twice, first in line 3",
    ]


def test_a_missing_file_names_the_nearest_one(write: Write) -> None:
    write("a: 1")
    assert message(Path("y.yml")) == "y.yml: no such file; did you mean 'x.yml'?"
    assert message(Path("nowhere/y.yml")) == "nowhere/y.yml: no such file"


def test_a_folder_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    assert message(tmp_path) == f"{tmp_path}: is a folder, not a schedule"
    binary = tmp_path / "x.yml"
    binary.write_bytes(b"a: \xff\xfe")
    assert message(binary).startswith(f"{binary}: cannot be read as UTF-8 text: ")


def test_nesting_without_end_is_an_error_and_not_a_crash(write: Write) -> None:
    assert message(write("[" * 5000)).startswith("x.yml: not valid YAML")


def test_parse_value() -> None:
    assert parse_value("{name: adam, betas: [0.9, 0.99]}") == {"name": "adam", "betas": [0.9, 0.99]}
    assert parse_value("") is None
    with pytest.raises(ScheduleError, match="^not valid YAML"):
        parse_value("[")


def test_plain_makes_the_data_that_a_file_would_give() -> None:
    assert plain({1: ({"a": (2, 3)},)}) == {"1": [{"a": [2, 3]}]}
