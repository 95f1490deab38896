"""``dqc search``'s configuration: an NNI experiment YAML with our keys beside NNI's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nni.common.hpo_utils import validate_search_space
from nni.experiment.config import ExperimentConfig
from nni.experiment.config.utils import training_service_config_factory
from pydantic import Field, model_validator
from typing_extensions import Self

from dqc_plugin.schedule.document import read_document
from dqc_plugin.schedule.keys import keep_known
from dqc_plugin.schedule.problems import Origin, Problems
from dqc_plugin.schedule.settings import Frozen
from dqc_plugin.schedule.validate import validate
from dqc_plugin.schedule.wording import shown
from dqc_plugin.search.aim import Aim

_CAMEL = ExperimentConfig.__dataclass_fields__


class Choices(Frozen):
    """What a key may be, and for which layers: selectors as in a schedule, all layers of the stage if empty.

    together: the layers get one choice between them.
    """

    choices: tuple[Any, ...] = Field(min_length=1, strict=False)
    layers: tuple[str, ...] = Field((), strict=False)
    together: bool = False


class SearchKeys(Frozen):
    """Our keys.

    schedule: the YAML of one run, beside this file. epochs: of the quantizer stage in a trial; the schedule's if None.
    validation: training examples to judge trials by, where the schedule does not say.
    uniform: begin with a trial of each bit width for all layers at once; they count among maxTrialNumber.
    narrow: leave out choices that the sensitivity profile shows to cost bytes and gain nothing.
    stalled_after_seconds: a search in which nothing runs for so long ends with an error.
    """

    quantizer: str = "dqc"
    schedule: str
    bits: Choices | None = None
    zero: Choices | None = None
    sparsity: Choices | None = None
    aim: Aim = Aim()
    epochs: int | None = Field(None, ge=0)
    validation: int | float = 0.1
    uniform: bool = True
    narrow: bool = True
    stalled_after_seconds: float = Field(120.0, gt=0)

    @model_validator(mode="after")
    def _bits_in_range(self) -> Self:
        wrong = [bits for bits in (self.bits.choices if self.bits else ()) if bits not in range(2, 9)]
        if wrong:
            raise ValueError(f"bits.choices: must be whole numbers from 2 to 8, not {', '.join(map(str, wrong))}")
        return self


@dataclass(frozen=True)
class SearchConfig:
    """A checked configuration. nni: its keys for NNI, unchanged. folder: what relative paths start from."""

    keys: SearchKeys
    nni: Mapping[str, Any]
    folder: Path
    name: str
    problems_origin: Origin = field(default_factory=Origin, compare=False, repr=False)


def load_search(file: Path) -> SearchConfig:
    """The configuration of a file; ScheduleError with everything wrong, a line each.

    NNI's keys are known by name here and checked by NNI itself.
    """
    data, origin = read_document(file)
    problems = Problems(origin)
    if not isinstance(data, dict):
        problems.add((), "a search is a mapping of keys such as 'schedule: lenet5.yml'")
        problems.raise_if_any()
    of_nni = {_camel(name) for name in _CAMEL}
    ours = set(SearchKeys.model_fields)
    keep_known(data, sorted(of_nni | ours), (), problems)
    given = {key: _expanded(key, value) for key, value in data.items() if key in ours}
    keys = validate(SearchKeys, given, problems, lambda inner: inner)
    for key in ("trialCommand", "trialCodeDirectory"):
        if key in data:
            problems.add((key,), "is set by dqc search; for a trial command of your own use nnictl create")
    if "searchSpace" not in data and not any(key in data for key in ("bits", "zero", "sparsity")):
        problems.add((), "nothing may vary: write bits: [2, 3, 4], zero: [true, false], sparsity, or a searchSpace")
    if "maxTrialNumber" not in data:
        problems.add((), "maxTrialNumber is required: how many trials")
    for key in {"maxTrialNumber", "trialConcurrency"} & data.keys():
        _check_count(key, data[key], problems)
    _check_platform(data.get("trainingService"), problems)
    _check_tuner(data.get("tuner"), problems)
    _check_space(data, problems)
    problems.raise_if_any()
    assert keys is not None
    nni = {key: value for key, value in data.items() if key in of_nni}
    return SearchConfig(keys, nni, file.parent, file.stem, origin)


def _expanded(key: str, value: Any) -> Any:
    return {"choices": value} if key in ("bits", "zero", "sparsity") and isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _check_count(key: str, value: Any, problems: Problems) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        problems.add((key,), f"must be a whole number from 1, not {shown(value)}")


def _check_platform(service: Any, problems: Problems) -> None:
    for given in service if isinstance(service, list) else [service] if service is not None else []:
        platform = given.get("platform") if isinstance(given, dict) else None
        try:
            training_service_config_factory(platform)
        except ValueError:
            problems.add(("trainingService",), f"{shown(platform)} is no platform of NNI, such as local or remote")


def _check_space(data: Mapping[str, Any], problems: Problems) -> None:
    """NNI logs what is wrong with a space and goes on; here it is an error."""
    space, tuner = data.get("searchSpace"), data.get("tuner")
    if space is None:
        return
    is_ours = "advisor" not in data and (not isinstance(tuner, dict) or tuner.get("name") == "MixedPrecision")
    try:
        validate_search_space(_without_choices(space), ["choice"] if is_ours else None, raise_exception=True)
    except ValueError as error:
        hint = "; MixedPrecision takes _type: choice alone; for others name a tuner of NNI" if is_ours else ""
        problems.add(("searchSpace",), f"{error}{hint}")


def _without_choices(space: Any) -> Any:
    """The entries that NNI checks; what a choice is between may be any value of a schedule."""
    if not isinstance(space, dict):
        return space
    return {name: entry for name, entry in space.items() if not _is_choice(entry)}


def _is_choice(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("_type") == "choice" and bool(entry.get("_value"))


_MAXIMIZES_ANYWAY = ("Random", "GridSearch", "MixedPrecision")


def _check_tuner(tuner: Any, problems: Problems) -> None:
    """NNI's tuners minimize unless told: the score is to be maximized."""
    if not isinstance(tuner, dict) or tuner.get("name") in (None, *_MAXIMIZES_ANYWAY):
        return
    arguments = tuner.get("classArgs")
    mode = arguments.get("optimize_mode") if isinstance(arguments, dict) else None
    if mode != "maximize":
        problems.add(("tuner",), "a search maximizes its score: write classArgs: {optimize_mode: maximize}")
