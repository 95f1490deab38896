"""From what a schedule says of each layer to NNI's ``config_list``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Config = dict[str, Any]


def quantizer_config_list(quantizer: Any, settings: Mapping[tuple[str, str], BaseModel]) -> list[Config]:
    """An entry for each parameter; a quantizer class with ``config_entry(options)`` writes its own.

    The others get NNI's ``quant_dtype`` from ``bits``, and ``target_names`` if their options have them.
    settings: options by names of module and parameter.
    """
    scheme = _SCHEMES.get(quantizer.__name__, "symmetric")
    entry = getattr(quantizer, "config_entry", lambda options: _plain_entry(options, scheme))
    return [
        {"op_names": [module], **_of_parameter(parameter, entry(options))}
        for (module, parameter), options in settings.items()
    ]


def _of_parameter(parameter: str, entry: Config) -> Config:
    """The entry, of another parameter than ``weight``."""
    targets = entry.get("target_settings", {})
    renamed = {parameter if name == "weight" else name: of_target for name, of_target in targets.items()}
    names = [parameter if name == "weight" else name for name in entry["target_names"]]
    return {**entry, "target_names": names, **({"target_settings": renamed} if renamed else {})}


# what NNI's quantizers want where it is not symmetric
_SCHEMES = {"DoReFaQuantizer": "affine"}


def _plain_entry(options: BaseModel, scheme: str) -> Config:
    names = list(getattr(options, "target_names", ("weight",)))
    return {"target_names": names, "quant_dtype": f"int{getattr(options, 'bits', 8)}", "quant_scheme": scheme}
