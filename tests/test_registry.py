from __future__ import annotations

from pathlib import Path

import pytest

from dqc_plugin import register
from dqc_plugin.errors import RegistryError
from dqc_plugin.registry import KINDS, _added, import_attribute, lookup, names


@pytest.mark.parametrize("kind", KINDS)
def test_everything_built_in_loads(kind: str) -> None:
    for name in names(kind):  # type: ignore[arg-type]
        assert callable(lookup(kind, name).load()) or kind == "coder"  # type: ignore[arg-type]
        lookup(kind, name).load_options()  # type: ignore[arg-type]


def test_what_comes_with_the_package() -> None:
    assert {"dqc", "sqc", "qat", "lsq", "dorefa", "bnn", "ptq"} <= set(names("quantizer"))
    assert {"level", "l1", "l2", "fpgm", "slim", "taylor", "movement", "agp", "linear"} <= set(names("pruner"))
    assert {"lenet300", "lenet5", "resnet20", "resnet32", "resnet44", "resnet56"} <= set(names("model"))


def test_a_users_component_is_known_by_its_name() -> None:
    @register("model", "tiny-of-a-user")
    class Tiny:
        pass

    assert lookup("model", "tiny-of-a-user").load() is Tiny
    with pytest.raises(RegistryError, match="'tiny-of-a-user' is taken"):
        register("model", "tiny-of-a-user")(Tiny)
    del _added["model", "tiny-of-a-user"]


def test_a_taken_name_is_an_error() -> None:
    with pytest.raises(RegistryError, match="the quantizer name 'dqc' is taken"):
        register("quantizer", "dqc")(object)


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(RegistryError, match="unknown pruner 'levle'; did you mean 'level'"):
        lookup("pruner", "levle")
    with pytest.raises(RegistryError, match="unknown kind 'quantiser'; did you mean 'quantizer'"):
        lookup("quantiser", "dqc")  # type: ignore[arg-type]


def test_a_module_that_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_module.py").write_text("def (:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RegistryError, match=r"cannot import 'broken_module' .*broken_module.py, line 1"):
        import_attribute("broken_module:x")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_colon", "not of the form package.module:attribute"),
        ("no_such_package_here:x", "cannot import 'no_such_package_here'"),
        ("dqc_plugin.errors:DQCEror", "has no 'DQCEror'; did you mean 'DQCError'"),
    ],
)
def test_bad_paths(path: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        import_attribute(path)
