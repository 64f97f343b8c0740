"""Mutants that break a proof: `make prove` with the mutant in the RTL's place.

A proof of any block may stand on a mutant's file. It is tried first with the copies of the schema that hold no mutant,
as a schema is made for one set of parameters and a proof may take others; one that does not hold then is not used.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from flow.commands.mutants import PACKAGE, Mutant, Schema
from flow.commands.prove import prove
from flow.core.blocks import all_blocks
from tb.lib.contract import Block, Proof
from tb.lib.paths import ROOT

PREFIX = "proof:"  # of the name by which a proof stands beside runs


def with_mutant(schema: Schema, file: str, number: int) -> str:
    """The text of a file in which one mutant is chosen for good (0: none), the schema's package before it."""
    package = schema.package.split(f"module {PACKAGE}_load")[0]
    package = re.sub(r"`ifdef SYNTHESIS\n.*?`endif\n", f"  localparam int id = {number};\n", package, flags=re.DOTALL)
    text = re.sub(rf"\n\s*{PACKAGE}_load u_{PACKAGE}_load \(\);", "", schema.texts[file])
    return f"{package}\n{text}"


def _proofs(file: str) -> Iterator[tuple[Block, Proof]]:
    """Proofs on a file."""
    for block in all_blocks():
        yield from ((block, proof) for proof in block.proofs if file in proof.sources)


def _fails(schema: Schema, block: Block, proof: Proof, file: str, number: int, folder: Path) -> tuple[str, ...]:
    """Properties of a proof that fail with a mutant (0: none)."""
    root = folder / f"{proof.name}-{number}"
    shutil.rmtree(root, ignore_errors=True)
    for name in proof.sources:
        if name.startswith("rtl/"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    (root / file).write_text(with_mutant(schema, file, number), encoding="utf-8")
    result = prove(block, proof, src_root=root)
    return result.failed if number else result.failed or ((result.error,) if result.error else ())


def broken(schema: Schema, mutants: Iterable[Mutant], folder: Path) -> dict[str, tuple[str, str]]:
    """(`proof:` and its name, what does not hold) of those of `mutants` that break a proof, by key."""
    found: dict[str, tuple[str, str]] = {}
    usable: dict[tuple[str, str], bool] = {}
    for each in mutants:
        for block, proof in _proofs(each.file):
            name = (proof.name, each.file)
            if name not in usable:
                usable[name] = not _fails(schema, block, proof, each.file, 0, folder)
            if usable[name] and (failed := _fails(schema, block, proof, each.file, each.number, folder)):
                found[each.key] = (f"{PREFIX}{proof.name}", ", ".join(sorted(failed)))
                break
    return found
