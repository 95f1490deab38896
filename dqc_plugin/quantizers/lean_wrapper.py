"""NNI's wrapper without what it costs where only parameters are compressed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nni.compression.base.target_space import TargetType
from nni.compression.base.wrapper import ModuleWrapper, track_target_shape
from torch import Tensor

_PLAIN = (None, "mul")  # how NNI says that a mask only multiplies


class LeanWrapper(ModuleWrapper):
    """A wrapper whose forward pass quantizes and masks parameters and does nothing else.

    NNI's own also looks at inputs and outputs and ends with ``torch.cuda.empty_cache()``, which makes a GPU wait in
    every layer and cannot be captured in a CUDA graph.
    """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        set_parameters(self)
        return self.module_forward(*args, **kwargs)

    def unwrap(self) -> None:
        """Become NNI's wrapper again: the next compressor of a chain may ask for more."""
        super().unwrap()
        self.__class__ = ModuleWrapper


def set_parameters(wrapper: ModuleWrapper) -> None:
    """Give the wrapped module its parameters as they are masked and quantized now."""
    for name in {**wrapper.pruning_target_spaces, **wrapper.quantization_target_spaces}:
        setattr(wrapper.module, name, None)  # what the last forward pass saw makes room for what this one sees
        setattr(wrapper.module, name, _as_seen(wrapper, name, getattr(wrapper, name)))


def _as_seen(wrapper: ModuleWrapper, name: str, latent: Tensor) -> Tensor:
    """The parameter masked and quantized. Codebooks apply a plain mask themselves: NNI would do so once more."""
    target = getattr(wrapper.quantization_target_spaces.get(name), "codebook_target", None)
    pruned = wrapper.pruning_target_spaces.get(name)
    if target is None or (pruned is not None and pruned._setting.get("apply_method") not in _PLAIN):
        return wrapper.patch_helper(name, latent)  # type: ignore[no-any-return]
    return target.fake_quantize(latent)  # type: ignore[no-any-return]


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
