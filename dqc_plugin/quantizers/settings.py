"""What may stand in an NNI ``config_list`` for a codebook quantizer: NNI's own keys, and ours in ``target_settings``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dqc_plugin.codebooks import Gradient, RangeRule
from dqc_plugin.errors import ConfigError, did_you_mean

_NNI_KEYS = frozenset({"quant_dtype", "quant_scheme", "granularity"})


class TargetSettings(BaseModel):
    """The settings of one quantized parameter, as ``target_settings`` gives them; our keys have these defaults.

    zero: a zero codeword.
    range: where the codebook ends, ``max`` (the paper) or ``mse`` (least squared error).
    gradient: ``straight_through`` or ``magnitude`` (the authors' code).
    refresh_every_steps: the codebook is derived again after every so many optimizer steps.
    freeze_after_steps, freeze_after_epochs: it stays as it is from then on; 0 is at once, None is never.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    own_keys: ClassVar[frozenset[str]]

    quant_dtype: str | None = None
    granularity: str | None = None
    zero: bool = True
    range: RangeRule = "max"
    gradient: Gradient = "straight_through"
    refresh_every_steps: int = Field(1, ge=1)
    freeze_after_steps: int | None = Field(None, ge=0)
    freeze_after_epochs: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> TargetSettings:
        if self.freeze_after_steps is not None and self.freeze_after_epochs is not None:
            raise ValueError("give freeze_after_steps or freeze_after_epochs, not both")
        if not re.fullmatch(r"int[2-8]", self.quant_dtype or "int8"):
            raise ValueError(f"quant_dtype must be int2 to int8, not {self.quant_dtype!r}")
        if self.granularity not in (None, "default", "out_channel"):
            raise ValueError(f"granularity must be default (per tensor) or out_channel, not {self.granularity!r}")
        return self

    @property
    def bits(self) -> int:
        """Index width; NNI's default is 8."""
        return int((self.quant_dtype or "int8").removeprefix("int"))

    @property
    def per_channel(self) -> bool:
        return self.granularity == "out_channel"

    def freeze_step(self, steps_per_epoch: int | None, name: str) -> int | None:
        """The optimizer step after which the codebook is frozen, None for never."""
        if self.freeze_after_epochs is None:
            return self.freeze_after_steps
        if steps_per_epoch is None:
            raise ConfigError(f"{name}: freeze_after_epochs needs steps_per_epoch=... given to the quantizer")
        return round(self.freeze_after_epochs * steps_per_epoch)


TargetSettings.own_keys = frozenset(TargetSettings.model_fields) - _NNI_KEYS


def parse_settings(setting: Mapping[str, Any], where: str) -> TargetSettings:
    """Our view of one target's setting; NNI's other keys are NNI's to check. ConfigError says where and what."""
    known = {key: value for key, value in setting.items() if key in TargetSettings.model_fields}
    try:
        return TargetSettings(**known)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {key + ': ' if key else ''}{reason}") from None


def split_own_keys(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A copy of a ``config_list`` entry without our keys, for NNI's schema; ConfigError for misplaced or unknown ones."""
    plain = dict(config)
    for key in TargetSettings.own_keys & plain.keys():
        raise ConfigError(f"{where}: {key!r} belongs under target_settings, e.g. target_settings: {{weight: {{{key}: ...}}}}")
    if "fuse_names" in plain:
        raise ConfigError(f"{where}: fuse_names is not supported: a folded batch norm would move weights off the codebook")
    settings = plain.get("target_settings") or {}
    plain["target_settings"] = {name: _without_own(setting, f"{where}.{name}") for name, setting in settings.items()}
    return plain


def _without_own(setting: Mapping[str, Any], where: str) -> dict[str, Any]:
    valid = TargetSettings.own_keys | _NNI_KEYS
    for key in setting:
        if key not in valid:
            raise ConfigError(f"{where}: unknown key {key!r}{did_you_mean(key, valid)}")
    parse_settings(setting, where)
    rest = {key: value for key, value in setting.items() if key not in TargetSettings.own_keys}
    return {"quant_dtype": None, **rest}  # NNI's schema wants the key
