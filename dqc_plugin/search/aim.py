"""What a search is for: one number of accuracy and bytes, the greater the better, for NNI's tuners."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field, model_validator
from typing_extensions import Self


class Aim(BaseModel):
    """Accuracy under a limit of bytes, bytes under a limit of accuracy, or, without a limit, the front of both.

    max_bytes: of the file. min_accuracy_percent: 0 to 100. Give one of them or none.
    points_per_halving: for the front, how many points of accuracy half the bytes are worth.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    max_bytes: int | None = Field(None, gt=0)
    min_accuracy_percent: float | None = Field(None, gt=0, le=100)
    points_per_halving: float = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if self.max_bytes is not None and self.min_accuracy_percent is not None:
            raise ValueError("give max_bytes or min_accuracy_percent, not both")
        return self

    def score(self, accuracy: float, size: int, dense: int) -> float:
        """The number to maximize. accuracy: 0 to 1. size, dense: bytes of the file and of the float weights.

        Under a limit, every trial that keeps it has more than 0, and every one that does not has less.
        """
        if self.max_bytes is not None:
            return accuracy if size <= self.max_bytes else -(size / self.max_bytes - 1)
        if self.min_accuracy_percent is not None:
            missing = self.min_accuracy_percent / 100 - accuracy
            return 1 - size / (size + dense) if missing <= 0 else -missing
        return accuracy - self.points_per_halving / 100 * math.log2(size / dense)

    def keeps(self, accuracy: float, size: int) -> bool:
        """True if a result is within the limit, where there is one."""
        if self.max_bytes is not None:
            return size <= self.max_bytes
        return self.min_accuracy_percent is None or 100 * accuracy >= self.min_accuracy_percent
