"""Mutants that break a proof: which are tried, with what in the RTL's place, and one that does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flow.commands import mutate_proofs
from flow.commands.mutants import Schema, make_schema
from flow.commands.prove import ProofResult
from flow.core.blocks import get_block
from tb.lib.contract import Block, Proof

LEFT = "rtl/optc/optc_left.sv"


@pytest.fixture(scope="module")
def schema() -> Schema:
    """Of the OPTC, what is narrowed."""
    return make_schema(get_block("optc"), operators=("narrow",))


def test_one_mutant_is_chosen_for_good(schema: Schema) -> None:
    text = mutate_proofs.with_mutant(schema, LEFT, 7)
    assert re.findall(r"\bint id = .*", text) == ["int id = 7;"]
    assert "ts_mutant::cut" in text
    top = mutate_proofs.with_mutant(schema, "rtl/optc/optc_core.sv", 0)
    assert "ts_mutant_load" not in text + top


def test_proofs_of_the_file_are_tried_that_hold_without_a_mutant(
    schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, whole = [], ""

    def prove(block: Block, proof: Proof, *, src_root: Path) -> ProofResult:
        (number,) = re.findall(r"int id = (\d+);", (src_root / LEFT).read_text(encoding="utf-8"))
        assert all((src_root / name).is_file() for name in proof.sources if name.startswith("rtl/"))
        tried.append(int(number))
        error = whole if number == "0" else "does not hold: together"
        return ProofResult(block.name, proof.name, 1, 1, ("together",) if number != "0" else (), error, "", 0.0)

    monkeypatch.setattr(mutate_proofs, "prove", prove)
    some = [each for each in schema.mutants if each.file in (LEFT, "rtl/optc/optc_div.sv")]
    mine = [each for each in some if each.file == LEFT]
    assert 0 < len(mine) < len(some)
    found = mutate_proofs.broken(schema, some, tmp_path)
    assert found == {each.key: ("proof:optc_left", "together") for each in mine}
    assert tried == [0, *(each.number for each in mine)]
    tried.clear()
    whole = "cannot be read"
    assert mutate_proofs.broken(schema, some, tmp_path) == {}
    assert tried == [0]


@pytest.mark.late
def test_a_counter_without_its_top_bit_breaks_its_proof(schema: Schema, tmp_path: Path) -> None:
    (cut,) = [each for each in schema.mutants if each.what == "top bit of left_o cut"]
    found = mutate_proofs.broken(schema, [cut], tmp_path)
    assert found[cut.key][0] == "proof:optc_left"
    assert "together" in found[cut.key][1]
