"""What stages may follow each other."""

from __future__ import annotations

from collections.abc import Sequence

from dqc_plugin.schedule.problems import Problems


def check_order(kinds: Sequence[str | None], has_model: bool, problems: Problems) -> None:
    """Adds a problem for each stage at an impossible place.

    kinds: None stands for a stage that could not be read. has_model: the schedule names its model, which is new and
    must be trained; without it the caller brings one, which may be trained already.
    """
    for index, kind in enumerate(kinds):
        before = kinds[:index]
        text = None if kind is None else _misplaced(kind, before, has_model)
        if text:
            problems.add(("stages", index), text)


def _misplaced(kind: str, before: Sequence[str | None], has_model: bool) -> str | None:
    if "coder" in before:
        return "a coder ends the schedule: move this stage before it" if kind != "coder" else "there is a coder already"
    if kind == "train" and {"pruner", "quantizer"} & set(before):
        return "train stages come before pruners and quantizers; to train on, give the stage before it more epochs"
    if not before and has_model and kind != "train":
        return f"a {kind} needs a network: start with '- train: {{epochs: ...}}' or '- train: {{checkpoint: FILE}}'"
    if kind == "pruner" and "quantizer" in before:
        return "a pruner after a quantizer would undo it: move the pruner before the quantizer"
    if kind == "coder" and None not in before and "quantizer" not in before:
        return "a coder needs codebooks: put a quantizer stage before it, such as '- quantizer: dqc'"
    return None
