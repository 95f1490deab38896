"""A network as ONNX, its weights as tables of values with indices into them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import onnxscript  # noqa: F401  # torch's exporter needs it: missed here rather than in the middle
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from dqc_plugin.errors import ExportError

_OPSET = 21  # the first with 4-bit integers
_MOST_VALUES = 256
_FEWEST_WEIGHTS = 256  # below that, three nodes weigh more than the floats


def write_onnx(model: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> None:
    """Write the file, checked; ExportError if torch cannot export the network."""
    proto = share_values(_without_notes(_exported(model, inputs)))
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def share_values(proto: ModelProto) -> ModelProto:
    """The model with each float initializer of few values as a Gather from a table, where that takes fewer bytes.

    Indices have 4 bits where 16 values do and else 8; ONNX's Gather wants them as int32, hence a Cast between.
    """
    graph = proto.graph
    kept, nodes = [], []
    for tensor in graph.initializer:
        replaced = _table(tensor)
        if replaced is None:
            kept.append(tensor)
        else:
            kept += replaced
            nodes += _lookup(tensor.name)
    _replace(graph, kept, nodes)
    return proto


def _table(tensor: TensorProto) -> list[TensorProto] | None:
    """The values and the indices of an initializer, None where floats are as small."""
    if tensor.data_type != TensorProto.FLOAT:
        return None
    weights = numpy_helper.to_array(tensor)
    if weights.size < _FEWEST_WEIGHTS:
        return None
    values, indices = np.unique(weights, return_inverse=True)
    if len(values) > _MOST_VALUES:
        return None
    kind = TensorProto.UINT4 if len(values) <= 16 else TensorProto.UINT8
    packed = helper.make_tensor(f"{tensor.name}.indices", kind, weights.shape, indices.reshape(-1).astype(np.uint8))
    return [numpy_helper.from_array(values.astype(np.float32), f"{tensor.name}.values"), packed]


def _lookup(name: str) -> list[NodeProto]:
    cast = helper.make_node("Cast", [f"{name}.indices"], [f"{name}.int32"], to=TensorProto.INT32)
    return [cast, helper.make_node("Gather", [f"{name}.values", f"{name}.int32"], [name])]


def _replace(graph: GraphProto, initializers: list[TensorProto], nodes: list[NodeProto]) -> None:
    """New initializers, and nodes before all others."""
    later = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(initializers)
    graph.node.extend([*nodes, *later])


def _exported(model: nn.Module, inputs: tuple[Tensor, ...]) -> ModelProto:
    dynamic = tuple({0: torch.export.Dim("batch")} for _ in inputs)
    try:
        with _quiet():
            program = torch.onnx.export(
                model.eval(),
                inputs,
                dynamo=True,
                dynamic_shapes=dynamic,
                optimize=False,
                verbose=False,
                opset_version=_OPSET,
            )
    except Exception as error:  # torch has many kinds, with pages of text
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ExportError(f"torch cannot export this network as ONNX: {reason}") from None
    return program.model_proto  # type: ignore[union-attr, no-any-return]


def _without_notes(proto: ModelProto) -> ModelProto:
    """Without torch's notes on where in the source each node comes from, which are longer than a small network."""
    for part in (*proto.graph.node, *proto.graph.initializer, *proto.graph.value_info, proto.graph):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    del proto.graph.value_info[:]
    return proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Torch's exporter tells of each of its steps and of optional packages."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
