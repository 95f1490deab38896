"""A tuner for mixed precision: additive models of accuracy and bytes, started from the sensitivity profile.

Every choice of every parameter has a cost in accuracy and one in bytes; a configuration's are the sums (as in HAWQ-V2,
Dong et al., NeurIPS 2020, whose costs are fixed). The costs start from the profile and are learned from the trials by
Bayesian linear regression; each proposal draws costs from what is known (Thompson, Biometrika 25, 1933) and solves the
multiple-choice knapsack by its Lagrangian: for a price of bytes each parameter's best choice stands alone.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from nni.tuner import Tuner

from dqc_plugin.errors import ConfigError
from dqc_plugin.search.aim import Aim

Array = npt.NDArray[np.float64]
_PRICES = np.geomspace(1e-4, 1e3, 61)
_NOISE = 0.3  # points of accuracy between two trainings of one configuration
_DOUBT = 0.5  # of the profile: standard deviation as a part of a choice's cost, and
_LEAST_DOUBT = 0.1  # at least so many points
_LEAST_SLOPE = 0.01
_ATTEMPTS = 50


class MixedPrecision(Tuner):  # type: ignore[misc]  # NNI has no types
    """Proposes bit widths (or any choices); needs a search space of ``choice`` alone.

    profile: JSON that ``dqc sensitivity --json`` or ``dqc search`` wrote; without it all choices start equal and only
        trials tell. aim: as in ``dqc search``, the keys of :class:`dqc_plugin.search.aim.Aim`.
    trials: JSON of finished trials, ``[{"parameter": ..., "value": ...}]``: NNI asks for the first proposals before it
        imports data.
    Trials must report ``accuracy`` (0 to 1) and ``bytes`` beside ``default``, as ``dqc trial`` does.
    """

    def __init__(
        self, profile: str | None = None, aim: dict[str, Any] | None = None, seed: int = 0, trials: str | None = None
    ) -> None:
        self._trials = trials
        self._profile = _read_profile(profile)
        self._aim = Aim(**(aim or {}))
        self._random = np.random.default_rng(seed)
        self._asked: dict[int, tuple[int, ...]] = {}
        self._seen: set[tuple[int, ...]] = set()
        self._results: list[tuple[tuple[int, ...], float, float]] = []
        self._names: list[str] = []
        self._choices: list[list[Any]] = []

    def update_search_space(self, search_space: dict[str, Any]) -> None:
        """Takes NNI's search space; ConfigError for anything but ``choice`` of plain values."""
        wrong = [name for name, entry in search_space.items() if entry["_type"] != "choice"]
        if wrong:
            raise ConfigError(f"searchSpace: MixedPrecision takes _type choice alone, not that of {', '.join(wrong)}")
        self._names = list(search_space)
        self._choices = [list(entry["_value"]) for entry in search_space.values()]
        self._loss, self._bytes = self._prior()
        if self._trials is not None:
            self.import_data(json.loads(Path(self._trials).read_text(encoding="utf-8")))

    def generate_parameters(self, parameter_id: int, **_: Any) -> dict[str, Any]:
        """The next configuration that was not tried; NNI's NoMoreTrialError when all were."""
        choice = self._propose()
        self._seen.add(choice)
        self._asked[parameter_id] = choice
        return {name: values[index] for name, values, index in zip(self._names, self._choices, choice, strict=True)}

    def receive_trial_result(self, parameter_id: int, parameters: dict[str, Any], value: Any, **_: Any) -> None:
        """A trial's accuracy and bytes."""
        self._learn(self._asked.get(parameter_id) or self._indices(parameters), value)

    def import_data(self, data: list[dict[str, Any]]) -> None:
        """Finished trials of an earlier experiment."""
        for entry in data:
            value = entry["value"]
            self._learn(self._indices(entry["parameter"]), json.loads(value) if isinstance(value, str) else value)

    def _learn(self, choice: tuple[int, ...], value: Any) -> None:
        self._seen.add(choice)
        if isinstance(value, dict) and {"accuracy", "bytes"} <= set(value):
            result = (choice, float(value["accuracy"]), float(value["bytes"]))
            self._results += [] if result in self._results else [result]  # NNI imports what was read already

    def _indices(self, parameters: dict[str, Any]) -> tuple[int, ...]:
        return tuple(values.index(parameters[name]) for name, values in zip(self._names, self._choices, strict=True))

    def _propose(self) -> tuple[int, ...]:
        for _ in range(_ATTEMPTS):
            losses, sizes = self._draw()
            front = [choice for choice in self._along_prices(losses, sizes) if choice not in self._seen]
            if front:
                return self._pick(front, losses, sizes)
            near = [choice for choice in self._neighbours() if choice not in self._seen]
            if near:
                return min(near, key=lambda choice: self._cost(choice, losses, sizes))
        return self._any_new()

    def _draw(self) -> tuple[Array, Array]:
        """Costs of every choice: points of accuracy, drawn, so that proposals differ; bytes, which are as expected."""
        if not self._results:
            return self._loss[:-1], self._bytes[:-1]
        rows = np.array([self._one_hot(choice) for choice, *_ in self._results])
        lost = self._posterior(rows, np.array([100 * (1 - a) for _, a, _ in self._results]), self._loss, _NOISE)
        largest = max(self._bytes.max(), *(size for *_, size in self._results), 1.0)
        size, _ = self._posterior(rows, np.array([b for *_, b in self._results]), self._bytes, 0.01 * largest)
        drawn: Array = self._random.multivariate_normal(*lost, method="cholesky")
        return drawn[:-1], np.maximum(size[:-1], 1e-9)

    def _posterior(self, rows: Array, seen: Array, prior: Array, noise: float) -> tuple[Array, Array]:
        """Mean and covariance of the costs, from Bayesian linear regression; the last one is the intercept."""
        prior = prior * _slope(rows @ prior, seen)
        doubt = np.maximum(_DOUBT * np.abs(prior), _LEAST_DOUBT * (noise / _NOISE))
        if not prior.any() and len(seen):
            doubt += np.ptp(seen) + noise
        doubt[-1] = 10 * max(float(np.abs(seen).max(initial=1.0)), 1.0)
        precision = np.diag(doubt**-2.0) + rows.T @ rows / noise**2
        covariance = np.linalg.inv(precision)
        mean = covariance @ (prior / doubt**2 + rows.T @ seen / noise**2)
        return mean, covariance

    def _along_prices(self, losses: Array, sizes: Array) -> list[tuple[int, ...]]:
        """The lower convex hull of accuracy against bytes: the best configuration at each price of a byte."""
        scale = max(float(np.ptp(losses)), 1e-9) / max(float(np.ptp(sizes)), 1e-9)
        costs = (losses + price * scale * sizes for price in _PRICES)
        found = (tuple(int(np.argmin(part)) for part in self._parts(cost)) for cost in costs)
        return list(dict.fromkeys(found))

    def _pick(self, front: Sequence[tuple[int, ...]], losses: Array, sizes: Array) -> tuple[int, ...]:
        """Without a limit the front's emptiest place, else the best by the aim."""
        if self._aim.max_bytes is None and self._aim.min_accuracy_percent is None:
            tried = np.log([size for *_, size in self._results] or [1.0])
            gaps = [float(np.abs(tried - np.log(self._total(choice, sizes, 2))).min()) for choice in front]
            return front[int(np.argmax(gaps))]
        return min(front, key=lambda choice: self._cost(choice, losses, sizes))

    def _cost(self, choice: tuple[int, ...], losses: Array, sizes: Array) -> float:
        """What the aim makes of a configuration's predicted figures, the less the better."""
        accuracy, size = 1 - self._total(choice, losses, 1) / 100, self._total(choice, sizes, 2)
        return -self._aim.score(accuracy, max(1, round(size)), max(1, round(8 * float(self._bytes.sum()))))

    def _total(self, choice: tuple[int, ...], costs: Array, column: int) -> float:
        """The predicted sum, set right by the mean error over all results."""
        own = float(self._one_hot(choice)[:-1] @ costs)
        seen = [
            (100 * (1 - result[1]) if column == 1 else result[2]) - float(self._one_hot(result[0])[:-1] @ costs)
            for result in self._results
        ]
        return max(own + (float(np.mean(seen)) if seen else 0.0), 1e-6)

    def _neighbours(self) -> list[tuple[int, ...]]:
        """One step from the trials that no other trial beats in both figures."""
        best = [
            choice
            for choice, accuracy, size in self._results
            if not any(a >= accuracy and b <= size and (a, b) != (accuracy, size) for _, a, b in self._results)
        ]
        return [
            (*choice[:place], index, *choice[place + 1 :])
            for choice in best
            for place, values in enumerate(self._choices)
            for index in range(len(values))
        ]

    def _any_new(self) -> tuple[int, ...]:
        import nni

        sizes = [len(values) for values in self._choices]
        for _ in range(_ATTEMPTS):
            choice = tuple(int(self._random.integers(size)) for size in sizes)
            if choice not in self._seen:
                return choice
        rest = (choice for choice in itertools.product(*map(range, sizes)) if choice not in self._seen)
        found = next(rest, None)
        if found is None:
            raise nni.NoMoreTrialError("every configuration was tried")
        return found

    def _parts(self, costs: Array) -> list[Array]:
        return np.split(costs, np.cumsum([len(values) for values in self._choices])[:-1])

    def _one_hot(self, choice: tuple[int, ...]) -> Array:
        starts = np.cumsum([0, *(len(values) for values in self._choices)])
        row = np.zeros(starts[-1] + 1)
        row[[int(start) + index for start, index in zip(starts, choice, strict=False)]] = 1
        row[-1] = 1
        return row

    def _prior(self) -> tuple[Array, Array]:
        """Costs from the profile, points and bytes, and a last 0 for the intercept."""
        known = {(row["layer"], row["bits"]): row for row in self._profile}
        losses, sizes = [], []
        for name, values in zip(self._names, self._choices, strict=True):
            layer, _, key = name.rpartition(".")
            for value in values:
                row = known.get((layer, value)) if key == "bits" else None
                losses.append(max(0.0, 100 * row["loss_change"]) if row else 0.0)
                sizes.append(float(row["bytes"]) if row else 0.0)
        return np.array([*losses, 0.0]), np.array([*sizes, 0.0])


def _slope(expected: Array, seen: Array) -> float:
    """By how much to multiply what the profile expects, so that differences between trials come out right."""
    spread = float(np.var(expected))
    return max(float(np.cov(expected, seen, bias=True)[0, 1]) / spread, _LEAST_SLOPE) if spread > 0 else 1.0


def _read_profile(path: str | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))["rows"]
        return [row for row in rows if {"layer", "bits", "loss_change", "bytes"} <= set(row)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: is no profile that dqc sensitivity --json wrote: {error}") from None
