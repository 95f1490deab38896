"""Hugging Face: a small GPT-2 through Trainer, NNI's evaluator and the file."""

from __future__ import annotations

from pathlib import Path

import nni
import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

import dqc_plugin

CONFIG = GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=50, n_positions=16, bos_token_id=1, eos_token_id=1)


class Sentences(Dataset[dict[str, Tensor]]):
    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        tokens = torch.randint(0, 50, (8,), generator=torch.Generator().manual_seed(index))
        return {"input_ids": tokens, "labels": tokens}


@pytest.mark.parametrize("own_optimizer", [True, False])
def test_trainer_quantizes_and_the_file_gives_the_same_outputs(own_optimizer: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = GPT2LMHeadModel(CONFIG)
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
    )
    optimizer = nni.trace(torch.optim.AdamW)(model.parameters(), lr=1e-3) if own_optimizer else None
    trainer = nni.trace(Trainer)(model=model, args=arguments, train_dataset=Sentences(), optimizers=(optimizer, None))
    config_list = [{"op_types": ["Conv1D"], "quant_dtype": "int4"}]
    before = model.transformer.h[0].mlp.c_fc.weight.detach().clone()
    quantizer = dqc_plugin.DQCQuantizer(model, config_list, dqc_plugin.TransformersEvaluator(trainer))
    _, calibration = quantizer.compress(None, 2)

    assert {record["weight"]["step"] for record in calibration.values()} == {8}  # 32 / (4 x 2) steps, twice
    plain = quantizer.export_model().eval()
    weights = plain.transformer.h[0].mlp.c_fc.weight
    assert len(weights.unique()) <= 15 and not torch.equal(weights.sign(), before.sign())
    dqc_plugin.save(tmp_path / "net.dqc", plain, calibration)
    loaded = dqc_plugin.load(tmp_path / "net.dqc", into=GPT2LMHeadModel(CONFIG)).eval()
    tokens = torch.randint(0, 50, (2, 8))
    with torch.no_grad():
        assert torch.equal(loaded(input_ids=tokens).logits, plain(input_ids=tokens).logits)


def test_tied_weights_are_stored_once(tmp_path: Path) -> None:
    model = GPT2LMHeadModel(CONFIG)
    dqc_plugin.save(tmp_path / "net.dqc", model, {})
    rows = {row.name: row.same_as for row in dqc_plugin.inspect(tmp_path / "net.dqc").others}
    assert rows["lm_head.weight"] == "transformer.wte.weight"
