"""From what a schedule says of each layer to NNI's ``config_list``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Config = dict[str, Any]


def quantizer_config_list(quantizer: Any, settings: Mapping[str, BaseModel]) -> list[Config]:
    """An entry for each layer; a quantizer class with ``config_entry(options)`` writes its own.

    The others get NNI's ``quant_dtype`` from ``bits``, and ``target_names`` if their options have them.
    """
    entry = getattr(quantizer, "config_entry", _plain_entry)
    return [{"op_names": [layer], **entry(options)} for layer, options in settings.items()]


def _plain_entry(options: BaseModel) -> Config:
    names = list(getattr(options, "target_names", ("weight",)))
    return {"target_names": names, "quant_dtype": f"int{getattr(options, 'bits', 8)}", "quant_scheme": "symmetric"}
