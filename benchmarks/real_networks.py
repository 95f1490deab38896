"""Networks of others, as they are, through prune -> DQC -> file -> load: same outputs, bytes, time, memory.

    python benchmarks/real_networks.py [--networks resnet18 ...] [--out DIR]

New weights, nothing is trained: what is shown is that the layers of each network are found and that the file gives the
network back. Needs torchvision, timm and transformers. Each network has a process of its own, whose peak memory is that
of the whole: Python, torch, the float network, its copies, the file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import dqc_plugin
from dqc_plugin.schedule import compressible_layers
from dqc_plugin.schedule.compressible import tied_layers

BITS, SPARSITY = 4, 0.5
COLUMNS = ("network", "parameters", "layers", "kinds", "same outputs", "bytes", "ratio", "seconds", "peak MB")


def vision(name: str, size: int = 224) -> Callable[[], tuple[nn.Module, Tensor]]:
    def build() -> tuple[nn.Module, Tensor]:
        import torchvision

        return torchvision.models.get_model(name), torch.randn(2, 3, size, size)

    return build


def timm_model(name: str) -> Callable[[], tuple[nn.Module, Tensor]]:
    def build() -> tuple[nn.Module, Tensor]:
        import timm

        return timm.create_model(name), torch.randn(2, 3, 224, 224)

    return build


def hugging_face(kind: str, **config: Any) -> Callable[[], tuple[nn.Module, Tensor]]:
    def build() -> tuple[nn.Module, Tensor]:
        import transformers

        settings = getattr(transformers, f"{kind.split('For')[0].removesuffix('LMHeadModel')}Config")(**config)
        return getattr(transformers, kind)(settings), torch.randint(0, 1000, (2, 32))

    return build


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "torchvision resnet18": vision("resnet18"),
    "torchvision resnet50": vision("resnet50"),
    "torchvision mobilenet_v3_large": vision("mobilenet_v3_large"),
    "torchvision vit_b_16": vision("vit_b_16"),
    "torchvision r3d_18 (video)": lambda: (_video(), torch.randn(1, 3, 8, 112, 112)),
    "timm convnext_tiny": timm_model("convnext_tiny"),
    "timm efficientnet_b0": timm_model("efficientnet_b0"),
    "Hugging Face BERT base": hugging_face("BertForSequenceClassification"),
    "Hugging Face GPT-2": hugging_face("GPT2LMHeadModel"),
}


def _video() -> nn.Module:
    from torchvision.models.video import r3d_18

    model: nn.Module = r3d_18()
    return model


def measure(name: str) -> dict[str, Any]:
    """One network, in this process."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model, inputs = NETWORKS[name]()
    tied = {layer for names in tied_layers(model) for layer in names}
    layers = [layer for layer in compressible_layers(model) if layer.name not in tied]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        plain, size, state = _compressed(model, layers, Path(folder) / "net.dqc")
        seconds = time.perf_counter() - started
        wanted = _outputs(plain, inputs)
        model.load_state_dict(state)
        same = torch.equal(_outputs(model, inputs), wanted)
    floats = sum(4 * parameter.numel() for parameter in model.parameters())
    return {
        "network": name,
        "parameters": floats // 4,
        "layers": len(layers),
        "kinds": sorted({layer.type for layer in layers}),
        "same_outputs": same,
        "bytes": size,
        "ratio": round(floats / size, 2),
        "seconds": round(seconds, 1),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _compressed(model: nn.Module, layers: list[Any], file: Path) -> tuple[nn.Module, int, dict[str, Tensor]]:
    """Half of each layer pruned, the rest at 4 bits: the exported network, the file's bytes, what it holds."""
    from nni.compression.pruning import LevelPruner

    from dqc_plugin.quantizers.module_settings import register_modules

    register_modules(model)
    names = [{"op_names": [layer.module_name], "target_names": [layer.parameter]} for layer in layers]
    pruner = LevelPruner(model, [{**entry, "sparse_ratio": SPARSITY} for entry in names])
    pruner.compress()
    quantizer = dqc_plugin.DQCQuantizer.from_compressor(pruner, [{**e, "quant_dtype": f"int{BITS}"} for e in names])
    _, calibration = quantizer.compress(0, None)
    plain = quantizer.export_model()
    quantizer.unwrap_model()
    dqc_plugin.save(file, plain, calibration)
    return plain, file.stat().st_size, dqc_plugin.load(file)


@torch.no_grad()
def _outputs(model: nn.Module, inputs: Tensor) -> Tensor:
    outputs: Any = model.eval()(inputs)
    found: Tensor = outputs if isinstance(outputs, Tensor) else outputs.logits
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--out", type=Path, help="folder for table.json")
    parser.add_argument("--only", help=argparse.SUPPRESS)  # one network, as JSON: what each process is started with
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments.only)))
        return
    rows = [_in_a_process(name) for name in arguments.networks]
    _show(rows)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        facts = {
            "command": f"python benchmarks/real_networks.py --out {arguments.out}",
            "date": date.today().isoformat(),
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, 1 thread",
            "bits": BITS,
            "sparsity": SPARSITY,
            "rows": rows,
        }
        (arguments.out / "table.json").write_text(json.dumps(facts, indent=2) + "\n")


def _in_a_process(name: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, "--only", name], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(title=f"prune {SPARSITY:.0%}, DQC at {BITS} bits, Huffman; no training")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in ("network", "kinds") else "right", overflow="fold")
    for row in rows:
        table.add_row(
            row["network"],
            f"{row['parameters']:,}",
            str(row["layers"]),
            ", ".join(row["kinds"]),
            "yes" if row["same_outputs"] else "NO",
            f"{row['bytes']:,}",
            f"{row['ratio']:.1f}x",
            f"{row['seconds']:.1f}",
            f"{row['peak_megabytes']:,}",
        )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
