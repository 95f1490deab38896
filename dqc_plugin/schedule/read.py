"""From a schedule's data to the frozen models; everything that is wrong with it is told at once."""

from __future__ import annotations

from typing import Any

from dqc_plugin.schedule.components import read_spec
from dqc_plugin.schedule.keys import keep_known
from dqc_plugin.schedule.merge import Data, depth
from dqc_plugin.schedule.model import Header, Schedule
from dqc_plugin.schedule.order import check_order
from dqc_plugin.schedule.problems import Keys, Origin, Problems
from dqc_plugin.schedule.read_stage import KINDS, read_stage
from dqc_plugin.schedule.read_train import NESTED, read_train
from dqc_plugin.schedule.settings import TRAIN_KEYS
from dqc_plugin.schedule.specs import DataSpec, ModelSpec
from dqc_plugin.schedule.stages import Stage
from dqc_plugin.schedule.validate import validate
from dqc_plugin.schedule.wording import shown

_KEYS = (*Schedule.model_fields, "train")


def read_schedule(data: Any, origin: Origin) -> Schedule:
    """The checked schedule; ScheduleError with all problems, a line each."""
    problems = Problems(origin)
    if not isinstance(data, dict):
        problems.add((), f"a schedule is a mapping of keys such as 'version: 1', not {shown(data)}")
        problems.raise_if_any()
    known = keep_known(data, _KEYS, (), problems)
    header = validate(Header, {key: known[key] for key in Header.model_fields if key in known}, problems, lambda k: k)
    model = read_spec(ModelSpec, "model", ("model",), known.get("model"), problems)
    dataset = read_spec(DataSpec, "data", ("data",), known.get("data"), problems)
    stages = _read_stages(known, _read_defaults(known.get("train", {}), problems), problems)
    problems.raise_if_any()
    assert header is not None
    placed = tuple(stage.placed(origin.under(("stages", index))) for index, stage in enumerate(stages))
    return Schedule(**dict(header), model=model, data=dataset, stages=placed).placed(origin)


def _read_defaults(data: Any, problems: Problems) -> Data:
    """The keys under ``train``, checked as far as they go alone: what is missing may stand in each stage."""
    keys: Keys = ("train",)
    if not isinstance(data, dict):
        problems.add(keys, f"must be a mapping of keys such as 'epochs: 10', not {shown(data)}")
        return {}
    known = keep_known(data, TRAIN_KEYS, keys, problems, NESTED)
    read_train(known, problems, lambda inner: (*keys, *inner) if depth(known, inner) == len(inner) else None)
    return known


def _read_stages(known: Data, defaults: Data, problems: Problems) -> list[Stage]:
    keys: Keys = ("stages",)
    data = known.get("stages")
    if "stages" not in known:
        problems.add(keys, "is required")
    elif not isinstance(data, list) or not data:
        given = "an empty list" if data == [] else shown(data)
        problems.add(keys, f"must be a list of stages, such as '- train: {{epochs: 12}}', not {given}")
    if not isinstance(data, list):
        return []
    name = known.get("name")
    stages = [read_stage(item, (*keys, index), name, defaults, problems) for index, item in enumerate(data)]
    kinds = [next((kind for kind in KINDS if isinstance(item, dict) and kind in item), None) for item in data]
    check_order(kinds, known.get("model") is not None, problems)
    return [stage for stage in stages if stage is not None]
