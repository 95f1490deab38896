"""NNI's movement pruner, with an optimizer that a checkpoint can hold."""

from __future__ import annotations

from nni.compression.pruning import MovementPruner
from nni.compression.utils import Evaluator
from torch.optim import Adam


class ResumableMovementPruner(MovementPruner):
    """NNI keeps the optimizer of the scores in a closure, out of reach; here it is ``scores_optimizer``."""

    scores_optimizer: Adam | None = None

    def _register_scores_optimization(self, evaluator: Evaluator) -> None:
        scores = [score for targets in self.scores.values() for score in targets.values()]
        optimizer = self.scores_optimizer = Adam(scores, 1e-2)  # NNI's learning rate

        def step() -> None:
            optimizer.step()
            optimizer.zero_grad()

        evaluator.patch_optimizer_step(before_step_tasks=[step], after_step_tasks=[])
