"""Where each command lives: a module of this folder, whose `main` is the command with its options."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from flow.core import blocks
from flow.core.options import Command
from tb.lib.contract import Block
from tb.lib.errors import UserError, did_you_mean

# By name. Where a command's engine is large or imports much, it stands in <command>_run.py.
MODULES = {
    "sim": "sim",
    "waves": "waves",
    "watch": "watch",
    "synth": "synth",
    "test": "test",
    "regress": "regress",
    "replay": "replay",
    "coverage": "coverage",
    "lint": "lint",
    "faults": "faults",
    "mutate": "mutate",
    "bench": "bench",
    "prove": "prove",
    "tensors": "tensors",
    "regs": "regs",
    "docs": "docs",
    "train": "train",
    "net": "net",
    "train-model": "train_model",
    "help": "helping",
    "list": "listing",
}


def load(name: str) -> Command:
    """A command by name. Raises `UserError` with the likeliest name for one that is not there."""
    if name not in MODULES:
        raise UserError(f"there is no target '{name}' (make help lists them){did_you_mean(name, MODULES)}")
    return importlib.import_module(f"flow.commands.{MODULES[name]}").main


def of_block(name: str, chosen: Iterable[Block]) -> Command:
    """A command with the options that it has for any of the blocks."""
    loaded = load(name)
    if loaded.of_block is None:
        return loaded
    one, *others = [loaded.for_block(block) for block in chosen]
    for other in others:
        have = {param.envvar for param in one.params}
        one.params += [param for param in other.params if param.envvar not in have]
    return one


def commands(block: Block | None = None) -> dict[str, Command]:
    """All commands by name; those whose options depend on the block have those of `block`, or of every block."""
    chosen = [block] if block is not None else blocks.all_blocks()
    return {name: of_block(name, chosen) for name in MODULES}
