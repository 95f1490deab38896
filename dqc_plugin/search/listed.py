"""A tuner that proposes what it is given, in that order."""

from __future__ import annotations

from typing import Any

import nni
from nni.tuner import Tuner


class Listed(Tuner):  # type: ignore[misc]  # NNI has no types
    """configurations: the parameters of each trial."""

    def __init__(self, configurations: list[dict[str, Any]]) -> None:
        self._left = list(configurations)

    def update_search_space(self, search_space: dict[str, Any]) -> None:
        """The configurations are given; a search space is not needed."""

    def generate_parameters(self, parameter_id: int, **_: Any) -> dict[str, Any]:
        """The next configuration; NNI's NoMoreTrialError after the last."""
        if not self._left:
            raise nni.NoMoreTrialError("every configuration was tried")
        return self._left.pop(0)

    def receive_trial_result(self, parameter_id: int, parameters: dict[str, Any], value: Any, **_: Any) -> None:
        """Results change nothing."""
