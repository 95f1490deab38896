from __future__ import annotations

import shutil
import sysconfig

import pytest

from dqc_plugin.coding import native


def test_c_is_built_where_there_is_a_compiler() -> None:
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        pytest.skip("no C compiler")
    assert native.LIBRARY is not None
