"""Labelled images kept in memory, by name: digits, MNIST, CIFAR-10, an .npz file or a user's own factory."""

from __future__ import annotations

from dqc_plugin.data.adapt import as_dataset
from dqc_plugin.data.archive import npz
from dqc_plugin.data.batches import Batches
from dqc_plugin.data.dataset import DataSet
from dqc_plugin.data.load import load_data
from dqc_plugin.data.part import Part
from dqc_plugin.data.split import split_validation

__all__ = ["Batches", "DataSet", "Part", "as_dataset", "load_data", "npz", "split_validation"]
