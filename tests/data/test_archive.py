""".npz files, good and broken."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dqc_plugin.data.archive import npz
from dqc_plugin.errors import ConfigError


def test_nhwc_images_come_out_channels_first(arrays, save_npz):
    made = arrays(6, 5, 3)
    dataset = npz(save_npz(made))
    assert np.array_equal(dataset.train.images.numpy(), made["x_train"].transpose(0, 3, 1, 2))
    assert dataset.test.labels.tolist() == list(range(10))
    assert dataset.classes == 10
    assert dataset.mean == pytest.approx(made["x_train"].mean((0, 1, 2)) / 255)


@pytest.mark.parametrize(("shape", "expected"), [((6, 6), (40, 1, 6, 6)), ((6, 6, 1), (40, 1, 6, 6)), ((9,), (40, 9))])
def test_shapes(arrays, save_npz, shape, expected):
    assert npz(save_npz(arrays(*shape))).train.images.shape == expected


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
def test_floats_of_any_width_and_byte_order(arrays, save_npz, dtype):
    made = arrays(6, 6)
    expected = torch.from_numpy(made["x_train"].astype(np.float32))[:, None]
    made["x_train"] = made["x_train"].astype(dtype)
    assert torch.equal(npz(save_npz(made)).train.images, expected)


def test_more_classes_than_labels_can_be_stated(arrays, save_npz):
    assert npz(save_npz(arrays(6, 6)), classes=12).classes == 12


BROKEN = {
    "x_test: images must be uint8 or float, not torch.int32": ("x_test", np.ones((10, 6, 6), np.int32)),
    "y_train: dtype <U1 cannot be used": ("y_train", np.array(["a"] * 40)),
    "y_train: cannot be read .*allow_pickle=False": ("y_train", np.array([None] * 40, dtype=object)),
    "y_test: label 10 is out of range": ("y_test", np.arange(1, 11)),
    "x_train has 40 images but y_train has 39 labels": ("y_train", np.arange(39) % 10),
    "x_train: NaN or infinity": ("x_train", np.full((40, 6, 6), np.nan)),
    r"x_train: shape \(40, 3, 6, 6\) looks like NCHW": ("x_train", np.ones((40, 3, 6, 6), np.uint8)),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_array_is_named_with_its_file(arrays, save_npz, message):
    name, array = BROKEN[message]
    path = save_npz(arrays(6, 6) | {name: array})
    with pytest.raises(ConfigError, match=message) as caught:
        npz(path)
    assert str(path) in str(caught.value)


def test_missing_arrays_are_named(arrays, save_npz):
    made = arrays(6, 6)
    del made["y_test"], made["x_test"]
    with pytest.raises(ConfigError, match=r"some\.npz: no array x_test, y_test; it holds x_train, y_train"):
        npz(save_npz(made))


def test_a_missing_file_is_an_error_that_says_what_it_must_hold(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.npz: no such file.*x_train, y_train, x_test, y_test"):
        npz(tmp_path / "none.npz")


@pytest.mark.parametrize("contents", [b"", b"not a zip", b"PK\x03\x04 cut"])
def test_a_foreign_file_is_an_error(tmp_path, contents):
    path = tmp_path / "foreign.npz"
    path.write_bytes(contents)
    with pytest.raises(ConfigError, match=r"foreign\.npz: not a readable \.npz file"):
        npz(path)


def test_a_cut_or_changed_file_is_an_error(arrays, save_npz):
    path = save_npz(arrays(6, 6))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="not a readable"):
        npz(path)
    changed = bytearray(whole)
    changed[600] ^= 0xFF
    path.write_bytes(changed)
    with pytest.raises(ConfigError, match="x_train: cannot be read"):
        npz(path)


def test_a_single_array_is_an_error(tmp_path):
    path = tmp_path / "single.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ConfigError, match="holds a single array"):
        npz(path)
