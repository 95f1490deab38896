"""What an NNI ``config_list`` may say to a codebook quantizer: NNI's own keys, and ours in ``target_settings``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dqc_plugin.errors import ConfigError, did_you_mean

_NNI_KEYS = frozenset({"quant_dtype", "quant_scheme", "granularity"})


class TargetSettings(BaseModel):
    """The settings of one quantized parameter, as NNI's config gives them; subclasses add their own keys.

    quant_dtype: NNI's way to say bits, ``int5`` for 5 (its default is ``int8``).
    granularity: ``default`` is one codebook for the tensor, ``out_channel`` one for each output channel.
    freeze_after_steps, freeze_after_epochs: the codebook stays as it is from then on; 0 is at once, None is never.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    quant_dtype: str | None = None
    granularity: str | None = None
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

    @classmethod
    def own_keys(cls) -> set[str]:
        """The keys that NNI does not know."""
        return cls.model_fields.keys() - _NNI_KEYS

    @property
    def bits(self) -> int:
        """Index width."""
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


Settings = TypeVar("Settings", bound=TargetSettings)


def parse_settings(kind: type[Settings], setting: Mapping[str, Any], where: str) -> Settings:
    """Our view of one target's setting; NNI's other keys are NNI's to check. ConfigError says where and what."""
    known = {key: value for key, value in setting.items() if key in kind.model_fields}
    try:
        return kind(**known)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {key + ': ' if key else ''}{reason}") from None


def without_own_keys(kind: type[TargetSettings], config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A copy of a ``config_list`` entry for NNI's schema; ConfigError for a misplaced or unknown key of ours."""
    plain = dict(config)
    for key in kind.own_keys() & plain.keys():
        raise ConfigError(f"{where}: {key!r} belongs under target_settings: {{weight: {{{key}: ...}}}}")
    if "fuse_names" in plain:
        raise ConfigError(f"{where}: fuse_names: a batch norm folded into the weights would move them off the codebook")
    parse_settings(kind, plain, where)
    plain.setdefault("quant_dtype", None)  # NNI's schema wants the key, here and below
    settings = plain.pop("target_settings", None)
    if settings:
        plain["target_settings"] = {
            name: _target_without_own_keys(kind, value, f"{where}.{name}") for name, value in settings.items()
        }
    return plain


def _target_without_own_keys(kind: type[TargetSettings], setting: Mapping[str, Any], where: str) -> dict[str, Any]:
    valid = kind.own_keys() | _NNI_KEYS
    for key in setting:
        if key not in valid:
            raise ConfigError(f"{where}: unknown key {key!r}{did_you_mean(key, valid)}")
    parse_settings(kind, setting, where)
    return {"quant_dtype": None, **{key: value for key, value in setting.items() if key in _NNI_KEYS}}
