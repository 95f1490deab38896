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
    scheme = _SCHEMES.get(quantizer.__name__, "symmetric")
    entry = getattr(quantizer, "config_entry", lambda options: _plain_entry(options, scheme))
    return [{"op_names": [layer], **entry(options)} for layer, options in settings.items()]


# what NNI's quantizers want where it is not symmetric
_SCHEMES = {"DoReFaQuantizer": "affine"}


def _plain_entry(options: BaseModel, scheme: str) -> Config:
    names = list(getattr(options, "target_names", ("weight",)))
    return {"target_names": names, "quant_dtype": f"int{getattr(options, 'bits', 8)}", "quant_scheme": scheme}
