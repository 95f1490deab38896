"""A quantizer in a data-parallel training loop of your own: the same codebooks in every process, one file.

torchrun --nproc_per_node 2 examples/own_ddp_loop.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import dqc_plugin

images, labels = (torch.tensor(array) for array in load_digits(return_X_y=True))
inputs = images.float() / 16
train, test = TensorDataset(inputs[:1437], labels[:1437]), (inputs[1437:], labels[1437:])


def main() -> None:
    dist.init_process_group("gloo")  # nccl on GPUs
    torch.manual_seed(0)  # the same network everywhere; DDP would see to it too, but the codebooks are derived before
    model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    layers = [{"op_types": ["Linear"], "target_names": ["weight"], "quant_dtype": "int4"}]
    quantizer = dqc_plugin.DQCQuantizer(model, layers)
    parallel = DistributedDataParallel(quantizer.bound_model)
    optimizer = torch.optim.Adam(parallel.parameters(), 2e-3)
    sampler: DistributedSampler[object] = DistributedSampler(train)
    for epoch in range(20):
        sampler.set_epoch(epoch)
        for x, y in DataLoader(train, batch_size=32, sampler=sampler):
            optimizer.zero_grad()
            nn.functional.cross_entropy(parallel(x), y).backward()
            optimizer.step()
            quantizer.after_step()
    scales = torch.stack([target.codebook.scale for target in quantizer.targets])
    everywhere = [torch.empty_like(scales) for _ in range(dist.get_world_size())]
    dist.all_gather(everywhere, scales)
    if dist.get_rank() == 0:
        report(quantizer, all(torch.equal(scales, other) for other in everywhere))
    dist.barrier()  # no process leaves while another still works
    dist.destroy_process_group()


def report(quantizer: dqc_plugin.DQCQuantizer, same: bool) -> None:
    plain = quantizer.export_model()
    accuracy = float((plain(test[0]).argmax(1) == test[1]).float().mean())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.dqc"
        dqc_plugin.save(file, plain, quantizer.get_calibration_config())
        print(f"{dist.get_world_size()} processes, same codebooks: {same}")
        print(f"accuracy {accuracy:.4f}, {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
