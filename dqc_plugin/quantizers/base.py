"""The base of all quantizers with a codebook: NNI's class, which adds where (layers) and when (refresh, freeze)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nni.compression.base.apply_method import quant_apply_methods
from nni.compression.base.compressor import Compressor, Quantizer
from nni.compression.base.target_space import QuantizationTargetSpace
from nni.compression.base.wrapper import ModuleWrapper
from nni.compression.utils import Evaluator
from torch import Tensor, nn

from dqc_plugin.errors import ConfigError
from dqc_plugin.quantizers.chain import has_pruned, settle
from dqc_plugin.quantizers.export import export_model
from dqc_plugin.quantizers.lean_wrapper import make_lean
from dqc_plugin.quantizers.optimizer_check import check_optimizer
from dqc_plugin.quantizers.selection import Config, check_selection
from dqc_plugin.quantizers.settings import without_own_keys
from dqc_plugin.quantizers.target import CodebookTarget

_APPLY_METHOD = "codebook"
CalibrationConfig = dict[str, dict[str, dict[str, Any]]]


class CodebookQuantizer(Quantizer):
    """Quantize parameters to codewords; a subclass says with which kind of target.

    Parameters
    ----------
    model
        The model, unwrapped.
    config_list
        NNI's, with ``quant_dtype: int5`` for 5 bits (2 to 8) and the quantizer's own keys in ``target_settings``.
        ``target_names`` is ``["weight"]`` unless given.
    evaluator
        NNI's evaluator; needed to train, not for quantizing as the model is (``compress(0, None)``).
    existed_wrappers
        For ``from_compressor``.
    steps_per_epoch
        Optimizer steps an epoch, for ``freeze_after_epochs``.

    Raises ConfigError for an unknown key, a layer that matches nothing, a target configured twice, and WeightError
    for a weight that is NaN or infinite.
    """

    target_type: ClassVar[type[CodebookTarget]]
    config_list: list[Config]
    takes_steps_per_epoch = True

    def __init__(
        self,
        model: nn.Module,
        config_list: list[Config],
        evaluator: Evaluator | None = None,
        existed_wrappers: dict[str, ModuleWrapper] | None = None,
        *,
        steps_per_epoch: int | None = None,
    ) -> None:
        self._existed_wrappers, self.bound_model = existed_wrappers, model
        super().__init__(model, self._complete(config_list), evaluator, existed_wrappers)
        # in the model's order: NNI's is that of a set
        self.targets = [
            self._make_target(self._module_wrappers[name], space, steps_per_epoch)
            for name, _ in model.named_modules()
            for space in self._target_spaces.get(name, {}).values()
        ]

    @classmethod
    def from_compressor(
        cls,
        compressor: Compressor,
        new_config_list: list[Config],
        evaluator: Evaluator | None = None,
        *,
        steps_per_epoch: int | None = None,
    ) -> CodebookQuantizer:
        """A quantizer on the model of another compressor, with its masks and evaluator.

        A pruner that has pruned keeps its masks as they are; one that has not yet prunes while this one trains.
        """
        settle(compressor)
        follower = super().from_compressor(
            compressor, new_config_list, evaluator=evaluator, steps_per_epoch=steps_per_epoch
        )
        follower.fused_compressors = [c for c in follower.fused_compressors if not has_pruned(c)]
        return follower  # type: ignore[no-any-return]

    def compress(self, max_steps: int | None, max_epochs: int | None) -> tuple[nn.Module, CalibrationConfig]:
        """Train for so many steps or epochs; the wrapped model and the calibration config. 0 trains not at all."""
        if max_steps == 0 or max_epochs == 0:
            self.refresh()
            return self.bound_model, self.get_calibration_config()
        if self.evaluator is None:
            raise ConfigError("compress needs an evaluator to train with; without training, use compress(0, None)")
        model, calibration = super().compress(max_steps, max_epochs)
        return model, calibration

    def wrap_model(self) -> None:
        super().wrap_model()
        make_lean(self._module_wrappers.values())

    def export_model(self) -> nn.Module:
        """A plain copy of the model, masks and codebooks applied, without NNI's wrappers."""
        return export_model(self)

    def refresh(self) -> None:
        """Derive every codebook that is not frozen from the weights as they are."""
        for target in self.targets:
            target.refresh()

    def freeze(self) -> None:
        """Keep every codebook as it is from now on."""
        for target in self.targets:
            target.freeze()

    def after_step(self) -> None:
        """To be called after each optimizer step; ``compress`` does so itself, a training loop of your own must."""
        for target in self.targets:
            target.after_step()

    def get_calibration_config(self) -> CalibrationConfig:
        """``{layer: {"weight": {"codebook", what it needs, "step", "frozen", and NNI's keys}}}``."""
        calibration: CalibrationConfig = {k: dict(v) for k, v in super().get_calibration_config().items()}
        for target in self.targets:
            calibration[target.wrapper.name][target.parameter_name] = target.to_record()
        return calibration

    def update_calibration_config(self, calibration_config: Mapping[str, Mapping[str, dict[str, Any]]]) -> None:
        """Take over codebooks and progress; ConfigError for a layer that is not quantized here or does not fit."""
        own = {(target.wrapper.name, target.parameter_name): target for target in self.targets}
        for name, records in calibration_config.items():
            for parameter, record in records.items():
                if (name, parameter) in own:
                    own[name, parameter].restore(record)
                elif parameter in getattr(self._module_wrappers.get(name), "quantization_target_spaces", {}):
                    super().update_calibration_config({name: {parameter: record}})
                else:
                    raise ConfigError(f"the calibration config has {name}.{parameter}, which is not quantized here")

    def _complete(self, config_list: list[Config]) -> list[Config]:
        """The config_list with ``target_names`` filled in: NNI would take inputs, outputs and biases too."""
        return [{"target_names": ["weight"], **config} for config in config_list]

    def _validate_config(self) -> None:
        complete = self.config_list
        self.config_list = [
            without_own_keys(self.target_type.settings_type, config, f"config_list[{i}]")
            for i, config in enumerate(complete)
        ]
        try:
            super()._validate_config()
        except Exception as error:  # the schema library's own, with a message of several lines
            raise ConfigError(f"config_list: {' '.join(str(error).split())}") from None
        self.config_list = complete
        check_selection(self.bound_model, complete, self._existed_wrappers)

    def _make_target(
        self, wrapper: ModuleWrapper, space: QuantizationTargetSpace, steps_per_epoch: int | None
    ) -> CodebookTarget:
        target = self.target_type(wrapper, space, steps_per_epoch)
        space.apply_method = _APPLY_METHOD
        space.codebook_target = target
        return target

    def _single_compress(self, max_steps: int | None, max_epochs: int | None) -> None:
        self._fusion_compress(max_steps, max_epochs)

    def _fuse_preprocess(self, evaluator: Evaluator) -> None:
        self.refresh()
        unchecked = [evaluator]

        def check_once() -> None:
            if unchecked:
                check_optimizer(unchecked.pop(), self.bound_model)

        evaluator.patch_optimizer_step(before_step_tasks=[check_once], after_step_tasks=[self.after_step])

    def _fuse_postprocess(self, evaluator: Evaluator) -> None:
        """Nothing is left to do: the codebooks follow each step."""


def _apply(latent: Tensor, space: QuantizationTargetSpace) -> Tensor:
    target: CodebookTarget = space.codebook_target
    return target.fake_quantize(latent)


quant_apply_methods[_APPLY_METHOD] = _apply
