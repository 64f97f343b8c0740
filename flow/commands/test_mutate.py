"""`make mutate`: which mutants there are, that each does what it says, that what nobody notices lowers the score."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import hjson
import pytest
from rich.console import Console

from flow.commands import mutate_report
from flow.commands import mutate_run as mutate
from flow.commands.mutants import Schema, make_schema
from flow.commands.mutate_run import KILLED, SURVIVED, TIMEOUT, Request, Stage
from flow.commands.operators import OPERATORS
from flow.core.blocks import get_block
from flow.core.server import close_all
from flow.core.simulate import run, transaction_logs
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.testlist import TestEntry

# One of everything, and what must be left alone.
DEVICE = """\
`include "ts_assert.svh"
module flow_toy #(parameter int Width = 8) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             en_i,
  input  logic             down_i,
  output logic [Width-1:0] count_o
);
  localparam int Half = Width / 2 + 3;
  function automatic int twice(input int a);
    return a + a;
  endfunction
  localparam int Eight = twice(4);
  logic [Width-1:0] next;
  logic [1:0] state_q;
  logic step_valid;
  logic signed [3:0] low;
  assign low = $signed(count_o[3:0]) + 4'sd1;
  assign step_valid = en_i && !down_i;
  always_comb begin
    next = count_o;
    case (state_q)
      2'd0: next = count_o + Width'(1);
      2'd1: next = count_o - 8'd1;
      default: next = low[3] ? '0 : {count_o[Width-2:0], 1'b0};
    endcase
    for (int i = 0; i < Half; i++) if (i == Eight && next[1]) next[0] = 1'b1;
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_o <= '0;
      state_q <= 2'd0;
    end else if (step_valid || down_i) begin
      count_o <= next;
      state_q <= {1'b0, down_i};
    end
  end
  `TS_ASSERT(Never, count_o != 8'd250 + 8'd5)
endmodule
"""
# A test that checks, one that does not, and one that a stuck counter keeps for ever.
MORE = """
@cocotb.test()
async def strict(dut):
    values = [await count(dut, cycles) for cycles in (0, 1, 5, 12)]
    verdict = "pass" if values == [0, 1, 5, 12] else "fail"
    finish(verdict, error=f"counted {values}", first_divergence={"boundary": "c"})

@cocotb.test()
async def idle(dut):
    value = await count(dut, 5)
    finish("pass", cycles=5)

@cocotb.test()
async def waits(dut):
    await count(dut, 0)
    while int(dut.count.value) < 5:
        dut.clk.value = 1
        await Timer(1, "ns")
        dut.clk.value = 0
        await Timer(1, "ns")
    finish("pass", cycles=5)
"""


@pytest.fixture
def device(toy: Block, tmp_path: Path) -> Block:
    """The toy with `DEVICE` inside."""
    (tmp_path / "rtl" / "flow_toy.sv").write_text(DEVICE, encoding="utf-8")
    return dataclasses.replace(toy, include_dirs=("rtl/common",))


@pytest.fixture
def tested(toy: Block, tmp_path: Path) -> Block:
    """The toy as it is, with a list of two tests."""
    path = tmp_path / "flow_toy_tests.py"
    path.write_text(path.read_text(encoding="utf-8") + MORE, encoding="utf-8")
    tests = tuple(TestEntry(name, "", directed=True) for name in ("idle", "strict"))
    return dataclasses.replace(toy, params={"WIDTH": dataclasses.replace(toy.params["WIDTH"], default=4)}, tests=tests)


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Simulations that fork runs end with each test."""
    monkeypatch.setattr(mutate, "_tried", {})
    yield
    close_all()


def _said(schema: Schema) -> list[tuple[str, str]]:
    return [(each.operator, each.what) for each in schema.mutants]


def test_every_operator_finds_its_places(device: Block) -> None:
    said = _said(make_schema(device))
    assert {operator for operator, _ in said} == set(OPERATORS)
    for one in (
        ("operator", "&& to ||"), ("operator", "+ to -"), ("operator", "dropped"), ("operator", "== to !="),
        ("condition", "stuck at 1"), ("condition", "stuck at 0"), ("condition", "negated"),
        ("enable", "without down_i"), ("constant", "8'd1 to 2"), ("constant", "8'd1 to 0"), ("constant", "1'b0 to 1"),
        ("index", "off by one"), ("narrow", "top bit of count_o cut"), ("narrow", "top bit of low cut"),
        ("assignment", "dropped"), ("assignment", "stuck at 0"), ("reset", "inverted"), ("reset", "dropped"),
        ("case", "the next arm's"), ("handshake", "lost"), ("handshake", "repeated"),
    ):  # fmt: skip
        assert one in said, one
    assert ("constant", "3 to 4") not in said, "a constant of the elaboration"


def test_what_is_left_alone_is_counted(device: Block) -> None:
    schema = make_schema(device)
    assert schema.skipped["headers of loops"] == 2
    assert schema.skipped["functions that constants call"] == 1
    assert schema.skipped["constants of the elaboration"] > 5
    text = next(iter(schema.texts.values()))
    assert "`TS_ASSERT(Never, count_o != 8'd250 + 8'd5)" in text
    assert "localparam int Half = Width / 2 + 3;" in text
    assert "i < Half; i++" in text


def test_the_sources_stay_clean_and_copies_differ_by_selectors_alone(device: Block, tmp_path: Path) -> None:
    schema = make_schema(device)
    sources = schema.write(tmp_path / "copy")
    assert Path(device.rtl[0]).read_text(encoding="utf-8") == DEVICE
    assert sources[0].endswith("ts_mutant.sv")
    assert all(path.startswith(str(tmp_path / "copy")) for path in sources)
    numbers = {int(each) for each in re.findall(r"\bid == (\d+)", schema.package + str(schema.texts))}
    assert numbers == {each.number for each in schema.mutants}, "every mutant can be chosen, and nothing else"


def test_keys_are_of_the_content(device: Block) -> None:
    keys = [each.key for each in make_schema(device).mutants]
    assert len(set(keys)) == len(keys) > 60
    path = Path(device.rtl[0])
    path.write_text("// moved\n\n" + DEVICE, encoding="utf-8")
    assert [each.key for each in make_schema(device).mutants] == keys
    # With other parameters too, but for indices that would leave what they select from.
    narrower = {each.key: each.operator for each in make_schema(device, {"WIDTH": 4}).mutants}
    assert len(set(keys) - set(narrower)) < 5
    assert {operator for key, operator in narrower.items() if key not in keys} <= {"index"}
    path.write_text(DEVICE.replace("- 8'd1", "- 8'd3"), encoding="utf-8")
    changed = {each.key for each in make_schema(device).mutants} ^ set(keys)
    assert 2 < len(changed) < 20


def test_rtl_that_slang_does_not_take_is_one_error(device: Block) -> None:
    Path(device.rtl[0]).write_text(DEVICE.replace("en_i && !down_i", "nothing && !down_i"), encoding="utf-8")
    with pytest.raises(UserError, match="slang does not take the RTL of flow_toy"):
        make_schema(device)


def _stage(block: Block, tmp_path: Path) -> tuple[Schema, Stage]:
    schema, built, folder = mutate.prepare(block, block.resolve_params(None), tmp_path / "store", quick=True)
    (_, specs), *_ = mutate.run_sets(block)
    clean = {name: {"cycles": 5, "cpu": 0.1} for name in specs}
    return schema, Stage(block, built, specs, folder, clean)


def test_a_mutant_is_what_it_says(tested: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = dataclasses.replace(tested, tests=(*tested.tests, TestEntry("waits", "", directed=True)))
    schema, stage = _stage(block, tmp_path)
    monkeypatch.setattr(mutate, "CPU_MORE", 1.0)
    tried = functools.partial(mutate.mutant_run, stage)

    def number(operator: str, what: str, line: str) -> int:
        (found,) = {
            each.number
            for each in schema.mutants
            if (each.operator, each.what) == (operator, what) and line in each.before
        }
        return found

    assert tried("strict-1", 0).status == SURVIVED
    assert tried("idle-1", number("operator", "+ to -", "count_o + 1'b1")).status == SURVIVED
    done = tried("strict-1", number("operator", "+ to -", "count_o + 1'b1"))
    assert (done.status, done.boundary) == (KILLED, "c")
    assert "counted [0, 15" in done.error
    assert "counted [0, 1, 5, 4]" in tried("strict-1", number("narrow", "top bit of count_o cut", "count_o")).error
    assert "counted [0, 0, 4, 11]" in tried("strict-1", number("reset", "inverted", "count_o <= '0")).error
    assert tried("strict-1", 0).status == SURVIVED
    # No enable: the test would wait for ever.
    assert tried("waits-1", 0).status == SURVIVED
    assert tried("waits-1", number("condition", "stuck at 0", "else if (en_i)")).status == TIMEOUT
    assert tried("waits-1", 0).status == SURVIVED


def _go(block: Block, tmp_path: Path, **more: object) -> tuple[mutate.Score, dict]:
    request = Request((block,), workers=1, quick=True, store=tmp_path / "store", **more)  # type: ignore[arg-type]
    (score,) = mutate.mutate(request, Console(quiet=True))
    return score, mutate.content([score], request)


def test_what_nobody_notices_lowers_the_score(tested: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score, data = _go(tested, tmp_path)
    survivors = {each["what"] for each in data["survivors"]}
    assert data["mutants"] == score.total == len(score.mutants)
    assert data["killed"] + data["timeouts"] + len(data["survivors"]) == data["mutants"]
    assert 0.5 < data["score"] < 1
    # Nothing ever counts down, and no reset begins from another value than 0.
    assert "- to +" in survivors
    assert "+ to -" not in survivors
    assert data["blocks"]["flow_toy"]["ranking"]["set"] == [
        {"run": "strict-1", "kills": data["killed"] + data["timeouts"], "seconds": pytest.approx(1, abs=5)}
    ]
    survivor = next(each for each in data["survivors"] if each["what"] == "- to +")
    assert survivor["diff"].splitlines()[0].startswith("-")
    assert survivor["runs"] == 2
    page = mutate_report.page(data)
    assert survivor["key"] in page
    assert "no boundary of 2 runs saw anything" in page
    assert data["status"] == "pass"
    below = mutate.content([score], Request((tested,), goal=100))
    assert below["status"] == "fail"
    assert "the goal is 100 %" in below["problems"][0]

    # A second command runs nothing again.
    monkeypatch.setattr(mutate._Work, "each", lambda *_: None)
    again = _go(tested, tmp_path)[1]
    assert (again["score"], again["survivors"]) == (data["score"], data["survivors"])
    monkeypatch.undo()

    # Reasons: one that holds, one of a mutant that is noticed, one of none.
    killed = next(key for key, record in score.records.items() if record["status"] == KILLED)
    entries = [{"why": "nothing counts down", "mutants": [survivor["key"], killed, "0123456789"]}]
    monkeypatch.setattr(mutate, "load_reasons", lambda _: {key: e["why"] for e in entries for key in e["mutants"]})
    data = _go(tested, tmp_path)[1]
    assert data["equivalent"] == 1
    assert data["status"] == "fail"
    assert [re.sub(r".*: (\w+) (is \w+).*", r"\1 \2", line) for line in data["problems"]] == [
        f"{killed} is called",
        "0123456789 is no",
    ]
    assert survivor["key"] not in {each["key"] for each in data["survivors"]}


def test_a_sample_is_the_same_for_the_same_seed(device: Block) -> None:
    schema = make_schema(device)

    def draw(**more: object) -> list[str]:
        return [each.key for each in mutate.chosen(schema, Request((device,), **more))]  # type: ignore[arg-type]

    assert len(draw(count=10)) == 10
    assert draw(count=10) == draw(count=10) != draw(count=10, seed=2)
    assert len(draw()) == len(draw(count=100_000)) == len(schema.mutants)
    narrow = draw(operators=("narrow",))
    assert 0 < len(narrow) < len(draw())
    assert draw(keys=(narrow[0],)) == narrow[:1]
    with pytest.raises(UserError, match="there is no mutant nothing of flow_toy"):
        draw(keys=("nothing",))


def test_a_test_that_fails_without_a_mutant_is_an_error(tested: Block, tmp_path: Path) -> None:
    block = dataclasses.replace(tested, tests=(TestEntry("unhappy", "", directed=True),))
    with pytest.raises(UserError, match="flow_toy unhappy-1 fails without a mutant: model differs"):
        _go(block, tmp_path)


def test_reasons_of_another_form_are_one_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, toy: Block) -> None:
    monkeypatch.setattr(mutate, "ROOT", tmp_path)
    folder = tmp_path / "tb" / toy.name
    folder.mkdir(parents=True)
    assert mutate.load_reasons(toy) == {}
    (folder / mutate.REASONS).write_text(
        hjson.dumps({"reasons": [{"why": "so", "mutants": ["a", "b"]}]}), encoding="utf-8"
    )
    assert mutate.load_reasons(toy) == {"a": "so", "b": "so"}
    (folder / mutate.REASONS).write_text("{reasons: [{mutants: [a]}]}", encoding="utf-8")
    with pytest.raises(UserError, match="must hold a list 'reasons', each with why and mutants"):
        mutate.load_reasons(toy)


# --- a block ----------------------------------------

SAMPLE = 24
LEAST = 0.8  # of the seven cheapest runs; what they miss is for the others (registers, recorded data)
RUNS = ("smoke-1", "schedules-1", "back_to_back-1", "refusals-1", "arbitration-1", "thresholds-1", "limits-1")


@pytest.mark.late
def test_a_sample_of_a_block_is_noticed(tmp_path: Path) -> None:
    """A fixed sample of LAPS with the runs that take least; without a mutant the logs are those of the sources."""
    block = get_block("laps")
    store = mutate.STORE / "sample"
    request = Request((block,), SAMPLE, workers=1, other=False, runs=RUNS, quick=True, store=store)
    (score,) = mutate.mutate(request, Console(quiet=True))
    data = mutate.content([score], request)
    assert data["mutants"] == SAMPLE
    assert score.total > 1000
    assert data["not_run"] == 0
    assert data["score"] >= LEAST, json.dumps(data["survivors"], indent=1)
    plain = run(block, "verilator", "smoke", label="mutate")
    kept = json.loads(next(store.glob("laps/schema/*/clean.json")).read_text(encoding="utf-8"))
    assert kept["runs"]["smoke-1"]["logs"] == transaction_logs(plain.run_dir)
    assert len(kept["runs"]["smoke-1"]["logs"]) > 3
