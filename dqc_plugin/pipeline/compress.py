"""Pruner and quantizer stages: NNI compressors built from a stage's options, trained, and taken off again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from nni.compression.base.compressor import Compressor, Pruner, Quantizer
from nni.compression.utils import TorchEvaluator
from torch import nn
from torch.optim import Optimizer

from dqc_plugin.pipeline.context import Context
from dqc_plugin.pipeline.distillation import find_distillation
from dqc_plugin.pipeline.fit import Fit
from dqc_plugin.pipeline.losses import make_training_step
from dqc_plugin.pipeline.optimizers import make_optimizer
from dqc_plugin.pipeline.progress import load_progress, save_progress
from dqc_plugin.pipeline.state import NetworkState, cpu_weights
from dqc_plugin.pipeline.stepper import TrainingStep
from dqc_plugin.pruners.arguments import pruner_arguments, pruner_config_list
from dqc_plugin.pruners.masks import combine, hold_masks, nonzero_masks
from dqc_plugin.quantizers.bypassed import hook_parents
from dqc_plugin.quantizers.chain import settle
from dqc_plugin.quantizers.config_list import quantizer_config_list
from dqc_plugin.quantizers.export import export_model
from dqc_plugin.quantizers.lean_wrapper import make_lean
from dqc_plugin.quantizers.module_settings import register_modules
from dqc_plugin.quantizers.param_groups import mend_param_groups
from dqc_plugin.registry import lookup
from dqc_plugin.schedule import PrunerStage, QuantizerStage, stage_settings


def run_pruner(context: Context, number: int, stage: PrunerStage, state: NetworkState) -> NetworkState:
    """Find masks, train under them and those of earlier stages; the pruned weights and all masks."""
    model = state.into(context.make_model())
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # NNI's pruners view the weights
    fit = make_fit(context, number, stage)
    fit.held = state.masks
    register_modules(model)
    evaluator = make_evaluator(fit, model)
    steps = context.optimizer_steps(stage.train)
    config_list = pruner_config_list(stage_settings(stage, model))
    pruner: Pruner = lookup("pruner", stage.name).load()(
        model, config_list, evaluator, **pruner_arguments(stage.options, stage.train.epochs, steps)
    )
    _bind(fit, pruner)
    if getattr(stage.options, "NEEDS_EPOCHS", False):
        pruner.compress(None, stage.train.epochs)
    else:
        _prune_at_once(context, number, pruner)
        fit(model, make_optimizer(model.parameters(), stage.train))
    masks = combine(state.masks, nonzero_masks(pruner))
    settle(pruner)
    return NetworkState(cpu_weights(fit.finished(export_model(pruner))), masks, state.calibration)


def run_quantizer(context: Context, number: int, stage: QuantizerStage, state: NetworkState) -> NetworkState:
    """Train with codebooks under the masks so far; the quantized weights and their codebooks."""
    model = state.into(context.make_model())
    fit = make_fit(context, number, stage)
    register_modules(model)
    evaluator = make_evaluator(fit, model)
    quantizer = _build_quantizer(context, stage, state, model, evaluator)
    _bind(fit, quantizer)

    def exported(
        calibration: dict[str, Any], finish: Callable[[nn.Module], nn.Module] = lambda plain: plain
    ) -> NetworkState:
        weights = cpu_weights(finish(export_model(quantizer)))
        return NetworkState(weights, state.masks, {**state.calibration, **calibration})

    fit.state = lambda: exported(quantizer.get_calibration_config())
    _, calibration = quantizer.compress(None, stage.train.epochs)
    return exported(calibration, fit.finished)


def make_fit(context: Context, number: int, stage: Any) -> Fit:
    """The training loop of a stage."""
    distillation = find_distillation(context, number, stage.train.distill)
    return Fit(context, number, stage.train, make_training_step(stage.train.loss, context.loss, distillation))


def make_evaluator(fit: Fit, model: nn.Module) -> TorchEvaluator:
    """NNI's evaluator around a stage's loop; to be made while the model is unwrapped."""

    def training_func(
        wrapped: nn.Module,
        optimizer: Optimizer,
        training_step: TrainingStep,
        _: Any = None,
        max_steps: int | None = None,
        max_epochs: int | None = None,
    ) -> None:
        if max_epochs is None:
            fit.warm_up(wrapped, optimizer, training_step, max_steps or 0)
        else:
            fit(wrapped, optimizer, training_step)

    evaluator = TorchEvaluator(training_func, make_optimizer(model.parameters(), fit.settings), fit.training_step)
    mend_param_groups(evaluator)
    return evaluator


def _bind(fit: Fit, compressor: Compressor) -> None:
    make_lean(compressor._module_wrappers.values())
    hook_parents(compressor.bound_model)
    fit.save = lambda: save_progress(compressor)
    fit.load = lambda saved: load_progress(compressor, saved)
    fit.follow_weights = getattr(compressor, "refresh", fit.follow_weights)


def _build_quantizer(
    context: Context, stage: QuantizerStage, state: NetworkState, model: nn.Module, evaluator: TorchEvaluator
) -> Quantizer:
    kind = lookup("quantizer", stage.name).load()
    config_list = quantizer_config_list(kind, stage_settings(stage, model))
    arguments: dict[str, Any] = {}
    if getattr(kind, "takes_steps_per_epoch", False):
        arguments["steps_per_epoch"] = context.optimizer_steps(stage.train)
    if not state.masks:
        return kind(model, config_list, evaluator, **arguments)
    holder = hold_masks(model, state.masks, evaluator)
    quantizer = kind.from_compressor(holder, config_list, **arguments)
    quantizer.fused_compressors = [part for part in quantizer.fused_compressors if part is not holder]
    return quantizer


def _prune_at_once(context: Context, number: int, pruner: Pruner) -> None:
    """Masks before the epochs; when these are resumed, the checkpoint brings the masks."""
    if not context.folder.epoch_of_stage(number).exists():
        pruner.compress()
        settle(pruner)
