"""NNI's evaluator for Hugging Face's Trainer, mended for today's transformers (NNI 3.0 knows those of 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import nni
from nni.compression.utils import TransformersEvaluator as NNITransformersEvaluator
from torch import nn
from transformers import TrainerCallback

Task = Callable[[], None]


class TransformersEvaluator(NNITransformersEvaluator):
    """``TransformersEvaluator(nni.trace(Trainer)(model=..., args=..., ...))``, as NNI's.

    The Trainer may bring a traced optimizer (``optimizers=(nni.trace(AdamW)(...), None)``) or leave it to ``args``.
    """

    def _init_optimizer_helpers(self, pure_model: nn.Module) -> None:
        trainer = self.traced_trainer
        if trainer.optimizer is None:
            kind = type(trainer)
            choose = kind.get_optimizer_cls_and_kwargs
            kind.get_optimizer_cls_and_kwargs = staticmethod(lambda *given: _traced(*choose(*given)))
            try:
                trainer.optimizer = trainer.create_optimizer()
            finally:
                kind.get_optimizer_cls_and_kwargs = staticmethod(choose)
        super()._init_optimizer_helpers(pure_model)
        trainer.optimizer = None

    def patch_optimizer_step(self, before_step_tasks: Sequence[Task], after_step_tasks: Sequence[Task]) -> None:
        """Call these at each optimizer step, not at each batch where gradients are accumulated."""
        self.trainer.add_callback(_AtEachStep(before_step_tasks, after_step_tasks))

    def revert_optimizer_step(self) -> None:
        self.trainer.remove_callback(_AtEachStep)

    def unbind_model(self) -> None:
        if self.model is not None:
            self.revert_optimizer_step()
        super().unbind_model()


class _AtEachStep(TrainerCallback):  # type: ignore[misc]
    def __init__(self, before: Sequence[Task], after: Sequence[Task]) -> None:
        self.before, self.after = before, after

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        for task in self.before:
            task()

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        for task in self.after:
            task()


def _traced(optimizer: Any, arguments: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return nni.trace(optimizer), arguments
