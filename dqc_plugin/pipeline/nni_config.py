"""An NNI compression config, in YAML or as a mapping, with the compressor named in it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nni.compression.base.compressor import Compressor
from nni.compression.utils import Evaluator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from torch import nn

from dqc_plugin.errors import ConfigError, did_you_mean
from dqc_plugin.registry import lookup

_KINDS = ("quantizer", "pruner")
_GIVEN = {"self", "model", "config_list", "evaluator", "existed_wrappers", "compressor", "new_config_list"}


def compressor_from_config(
    config: Mapping[str, Any] | Path | str,
    model: nn.Module | None,
    evaluator: Evaluator | None = None,
    after: Compressor | None = None,
) -> Compressor:
    """The compressor that a config names: ``{quantizer: dqc, config_list: [...]}`` or ``{pruner: level, ...}``.

    config: a mapping or a YAML file. ``config_list`` is NNI's; every further key is an argument of the compressor,
        such as ``steps_per_epoch`` of dqc or ``interval_steps`` of agp.
    after: the compressor to follow, with its masks and evaluator; then ``model`` may be None.

    Raises ConfigError for an unknown or missing key, RegistryError for an unknown name.
    """
    where, content = _read(config)
    kind = _kind(content, where)
    if model is None and after is None:
        raise ConfigError(f"{where}: give a model, or after=, the compressor to follow")
    build = lookup(kind, str(content[kind])).load()
    if after is not None:
        build = _follower(build, where)
    arguments = {key: value for key, value in content.items() if key not in (kind, "config_list")}
    _check_arguments(build, arguments, where)
    config_list = [dict(entry) for entry in content["config_list"]]
    if after is not None:
        return build(after, config_list, **arguments)
    return build(model, config_list, evaluator, **arguments)


def _read(config: Mapping[str, Any] | Path | str) -> tuple[str, Mapping[str, Any]]:
    if isinstance(config, Mapping):
        return "config", config
    try:
        content = YAML(typ="safe").load(Path(config))
    except OSError as error:
        raise ConfigError(f"{config}: {error.strerror}") from None
    except YAMLError as error:
        raise ConfigError(f"{config}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, Mapping):
        raise ConfigError(f"{config}: must hold keys such as quantizer: and config_list:")
    return str(config), content


def _kind(content: Mapping[str, Any], where: str) -> Any:
    kinds = [kind for kind in _KINDS if kind in content]
    if len(kinds) != 1:
        raise ConfigError(f"{where}: needs either quantizer: NAME or pruner: NAME, has {kinds or 'neither'}")
    if not isinstance(content.get("config_list"), list) or not content["config_list"]:
        raise ConfigError(f"{where}: needs config_list, a list as NNI documents it")
    return kinds[0]


def _follower(build: Any, where: str) -> Any:
    if not hasattr(build, "from_compressor"):
        raise ConfigError(f"{where}: only a quantizer can follow another compressor")
    return build.from_compressor


def _check_arguments(build: Any, arguments: Mapping[str, Any], where: str) -> None:
    parameters = inspect.signature(build).parameters
    valid = parameters.keys() - _GIVEN
    for key in arguments:
        if key not in valid:
            raise ConfigError(f"{where}: unknown key {key!r}{did_you_mean(key, {*valid, *_KINDS, 'config_list'})}")
    for name in valid - arguments.keys():
        if parameters[name].default is inspect.Parameter.empty:
            raise ConfigError(f"{where}: {name!r} is missing")
