"""``reference:`` and ``others:``: published figures of a family's cells and of other methods, beside one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from dqc_plugin.errors import did_you_mean
from dqc_plugin.schedule.matrix import Axis, label_of
from dqc_plugin.schedule.merge import Data
from dqc_plugin.schedule.problems import Keys, Problems
from dqc_plugin.schedule.settings import Frozen
from dqc_plugin.schedule.validate import validate
from dqc_plugin.schedule.wording import not_among, shown

Pair = Annotated[tuple[float, float], Field(strict=False)]


class LayerReference(Frozen):
    """Published figures of a layer in the columns of Deep Compression's tables.

    kept_percent: weights that are not pruned. weight_bits, index_bits, rate_percent: after pruning and quantization
    (P+Q), and after Huffman coding (H).
    """

    kept_percent: float = Field(ge=0, le=100)
    weight_bits: Pair
    index_bits: Pair
    rate_percent: Pair


class Reference(Frozen):
    """A published figure. accuracy_percent: 0 to 100. source: where it stands, such as ``Table 1``."""

    accuracy_percent: float = Field(ge=0, le=100)
    bytes: int | None = Field(None, ge=1)
    source: str | None = None
    layers: dict[str, LayerReference] = Field(default_factory=dict)


class Other(Reference):
    """A published figure of a method that is no cell of the family."""

    name: str = Field(min_length=1)


Entry = tuple[dict[str, str], Reference]


def read_references(data: Any, axes: list[Axis], problems: Problems) -> list[Entry]:
    """Each entry's labels and figures; problems are added."""
    keys: Keys = ("reference",)
    if not isinstance(data, list):
        problems.add(keys, f"must be a list such as '- {{bits: 3, accuracy_percent: 99.29}}', not {shown(data)}")
        return []
    found = [_read_entry(item, (*keys, index), axes, problems) for index, item in enumerate(data)]
    entries = [entry for entry in found if entry is not None]
    for index, (labels, _) in enumerate(entries):
        if any(_agree(labels, earlier) for earlier, _ in entries[:index]):
            problems.add((*keys, index), "an entry before speaks of the same cells")
    return entries


def read_others(data: Any, problems: Problems) -> tuple[Other, ...]:
    """The figures of other methods; problems are added."""
    if not isinstance(data, list):
        problems.add(("others",), f"must be a list such as '- {{name: A, accuracy_percent: 99.3}}', not {shown(data)}")
        return ()
    read = [_read_other(item, ("others", index), problems) for index, item in enumerate(data)]
    return tuple(other for other in read if other is not None)


def find_reference(labels: Mapping[str, str], entries: list[Entry]) -> Reference | None:
    """The figures whose labels are all among these."""
    return next((figures for wanted, figures in entries if wanted.items() <= labels.items()), None)


def _read_entry(item: Any, keys: Keys, axes: list[Axis], problems: Problems) -> Entry | None:
    if not isinstance(item, dict):
        problems.add(keys, f"must be a mapping such as {{bits: 3, accuracy_percent: 99.29}}, not {shown(item)}")
        return None
    valid = {axis.name: [choice.label for choice in axis.choices] for axis in axes}
    for key in item.keys() - valid.keys() - Reference.model_fields.keys():
        problems.add((*keys, key), f"unknown key{did_you_mean(key, [*valid, *Reference.model_fields])}")
    labels = {key: label_of(value) for key, value in item.items() if key in valid}
    known: dict[str, str] = {}
    for key, label in labels.items():
        if label in valid[key]:
            known[key] = label
        else:
            problems.add((*keys, key), not_among(item[key], valid[key]))
    figures: Data = {key: value for key, value in item.items() if key in Reference.model_fields}
    read = validate(Reference, figures, problems, lambda inner: (*keys, *inner))
    return None if read is None or len(known) < len(labels) else (known, read)


def _read_other(item: Any, keys: Keys, problems: Problems) -> Other | None:
    if not isinstance(item, dict):
        problems.add(keys, f"must be a mapping such as {{name: A, accuracy_percent: 99.3}}, not {shown(item)}")
        return None
    for key in item.keys() - Other.model_fields.keys():
        problems.add((*keys, key), f"unknown key{did_you_mean(key, Other.model_fields)}")
    figures = {key: value for key, value in item.items() if key in Other.model_fields}
    return validate(Other, figures, problems, lambda inner: (*keys, *inner))


def _agree(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(one[axis] == other[axis] for axis in one.keys() & other.keys())
