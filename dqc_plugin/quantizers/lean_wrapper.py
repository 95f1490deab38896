"""NNI's wrapper without what it costs where only parameters are compressed."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from nni.compression.base.target_space import TargetType
from nni.compression.base.wrapper import ModuleWrapper, track_target_shape


class LeanWrapper(ModuleWrapper):
    """A wrapper whose forward pass quantizes and masks parameters and does nothing else.

    NNI's own also looks at inputs and outputs and ends with ``torch.cuda.empty_cache()``, which makes a GPU wait in
    every layer and cannot be captured in a CUDA graph.
    """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        spaces = chain(self.pruning_target_spaces.items(), self.quantization_target_spaces.items())
        parameters = self.patch_params({name: space.target for name, space in spaces})
        for name, parameter in parameters.items():
            setattr(self.module, name, parameter)
        return self.module_forward(*args, **kwargs)

    def unwrap(self) -> None:
        """Become NNI's wrapper again: the next compressor of a chain may ask for more."""
        super().unwrap()
        self.__class__ = ModuleWrapper


def make_lean(wrappers: Iterable[ModuleWrapper]) -> None:
    """Give wrapped modules that need no more the lean forward pass, which computes the same values."""
    for wrapper in wrappers:
        if type(wrapper) is ModuleWrapper and hasattr(wrapper.module, "_nni_wrapper") and _only_parameters(wrapper):
            wrapper.__class__ = LeanWrapper
            wrapper.module.forward = wrapper.forward  # NNI binds the method when it wraps


def _only_parameters(wrapper: ModuleWrapper) -> bool:
    spaces = {**wrapper.pruning_target_spaces, **wrapper.quantization_target_spaces}
    return (
        all(space.type is TargetType.PARAMETER for space in spaces.values())
        and not wrapper.distillation_target_spaces
        and not wrapper.fused_modules
        and not getattr(wrapper, "is_bias_correction", False)
        and wrapper._track_funcs == [track_target_shape]
    )
