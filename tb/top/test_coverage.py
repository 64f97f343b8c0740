"""Sampling of the processor's functional coverage: bins known by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.laps.config import RspCode as LapsCode
from models.top.config import (
    Buffer,
    Code,
    Command,
    Engine,
    Gemm,
    Issue,
    Load,
    Opt,
    Plan,
    Reg,
    Store,
    TopParams,
    Unknown,
)
from tb.laps.trace import ORD_DTYPE, UPD_DTYPE
from tb.lib.coverage import FILE_NAME, Coverage, Merged, RunCoverage, merge, summarise
from tb.lib.runinfo import RunInfo
from tb.lib.scoreboard import Verdict
from tb.lib.streams import SourceLog
from tb.optc.sequences import PLAIN
from tb.top.coverage import GROUPS, Sampler, sample, sample_board
from tb.top.program import READ, WRITE
from tb.top.timing import PartLog, Run, Sources
from tb.top.trace import AXIL_DTYPE, CMD_DTYPE

PARAMS = TopParams()
END = 4000
NONE = np.zeros(0, np.int64)
NO_WORDS = SourceLog(NONE, NONE)
Timed = tuple[Command, int, int, int]  # command, code, start, end


def run_of(
    *commands: Timed, pushed: list[int] | None = None, runs: tuple[tuple[int, int], ...] = (),
    words: SourceLog = NO_WORDS, params: TopParams = PARAMS, **more: Any,
) -> Run:  # fmt: skip
    """A run of commands in order of pushing; each is pushed in the cycle of its start if nothing else is said. `runs`:
    cycle and number of commands of every RUN, which the last ones come from."""
    mine: list[list[Timed]] = [[each for each in commands if each[0].engine == engine] for engine in Engine]
    loaded = sum(each[0].count for each in mine[Engine.LOAD] if isinstance(each[0], Load))
    given = [cycle for cycle, count in runs for _ in range(count)]
    sources = Sources(
        pushed or [each[2] for each in commands], [at >= len(commands) - len(given) for at in range(len(commands))],
        given, words, more.pop("s", SourceLog(np.arange(loaded) + 1, np.arange(loaded) + 1)),
    )  # fmt: skip
    stored = sum(each[0].count for each in mine[Engine.STORE] if isinstance(each[0], Store))
    fields: dict[str, Any] = {
        "m": SourceLog(np.arange(stored) + 2, np.arange(stored) + 2),
        "laps": PartLog({"upd": SourceLog(NONE, NONE)}, {}),
    }
    return Run(
        params=params, end=END,
        issues=[
            Issue(each[0], np.zeros((each[0].count, 16), np.uint8) if isinstance(each[0], Load) else None)
            for each in commands
        ],
        sources=sources,
        commands=[[each[0] for each in of] for of in mine], codes=[[each[1] for each in of] for of in mine],
        begun=[np.array([each[2] for each in of], np.int64) for of in mine],
        done=[np.array([each[3] for each in of], np.int64) for of in mine],
        pairs=[], optc=PartLog({}, {}), host_updates=[], **{**fields, **more},
    )  # fmt: skip


def board_of(run: Run, details: list[list[int]] | None = None, **seen: Any) -> SimpleNamespace:
    """What the sampler takes of a scoreboard; traces that are not given are empty."""
    empty = {
        "top_axil": np.zeros(0, AXIL_DTYPE), "top_start": np.zeros(0, CMD_DTYPE), "top_cmd": np.zeros(0, CMD_DTYPE),
        "laps_ord_rsp_trace": np.zeros(0, ORD_DTYPE), "laps_upd_rsp_trace": np.zeros(0, UPD_DTYPE),
    }  # fmt: skip
    traces = {**empty, **seen}

    def between(name: str, base: int, end: int) -> Any:
        trace = traces[name]
        return trace[(trace["cycle"] >= base) & (trace["cycle"] < end)]

    return SimpleNamespace(
        params=run.params, run=run, issued=run.commands, details=details or [[0] * len(of) for of in run.commands],
        spans=[(0, run.end)], batches=[run.issues], between=between, seen=traces, verdict=Verdict(),
        sources=lambda *_: run.sources,
    )  # fmt: skip


def hit(coverage: Coverage, group: str, item: str) -> dict[str, int]:
    """Bins with a count."""
    return {label: n for label, n in coverage.bins(group, item).items() if n}


def sampled(*commands: Timed, details: list[list[int]] | None = None, **more: Any) -> Coverage:
    """Coverage of a run of commands."""
    return sample_board(board_of(run_of(*commands, **more), details))


def test_nothing_is_covered_by_nothing() -> None:
    coverage = sampled()
    assert {(group, item) for group, item, counts in coverage if counts.any()} == {("overlaps", "busy")}


def test_ends() -> None:
    bad_gemm, bad_store = Gemm(n_x=0), Store(target=Buffer.Y, count=0)
    coverage = sampled(
        (bad_gemm, Code.GEMM, 10, 11), (bad_store, Code.SIZE, 10, 11), (Gemm(), Code.RANGE, 12, 30),
        (Unknown(), Code.OPERATION, 31, 32), (Gemm(update=True, y=80), Code.UPDATE, 33, 60),
        details=[[], [1, 0, 0, int(LapsCode.LAYER)], [0]],
    )  # fmt: skip
    assert hit(coverage, "ends", "codes") == {
        "command GEMM, code GEMM": 1, "command STORE, code SIZE": 1, "command GEMM, code RANGE": 1,
        "command unknown, code OPERATION": 1, "command GEMM, code UPDATE": 1,
    }  # fmt: skip
    assert hit(coverage, "ends", "pair") == {"IOSS X_SLICES": 1}
    assert hit(coverage, "ends", "update") == {"LAYER": 1}
    assert hit(coverage, "ends", "failures") == {"compute store": 1} == hit(coverage, "ends", "together")
    assert hit(coverage, "ends", "followed") == {
        "engine compute, outcome failed, carried out, next refused": 1,
        "engine compute, outcome refused, next failed, carried out": 2,
    }  # fmt: skip
    assert hit(coverage, "sequence", "compute") == {
        "before refused, behind GEMM": 2, "before GEMM, behind refused": 1,
    }  # fmt: skip


def test_products() -> None:
    first = Gemm(m=8, k=300, n=40, n_x=1, n_w=4, biases=True, masks=True, y_bits=5)
    coverage = sampled((first, 0, 1, 100), (Gemm(m=1, k=128, n=16, n_x=3, n_w=2), 0, 101, 200))
    assert hit(coverage, "products", "last_chunks") == {
        "chunks 1, last_chunk whole": 1, "chunks 3 or more, last_chunk shorter": 1,
    }  # fmt: skip
    assert hit(coverage, "products", "tiles_by_last") == {
        "tiles 1, last_tile fills the lanes": 1, "tiles 3 or more, last_tile does not": 1,
    }  # fmt: skip
    assert hit(coverage, "products", "masks_by_jobs") == {"masks no, jobs 1": 1, "masks yes, jobs 8": 1}
    assert hit(coverage, "products", "biases") == {"no": 1, "yes": 1}
    assert hit(coverage, "products", "rounding") == {"nearest": 1}
    assert hit(coverage, "sequence", "x_slices") == {"x_from 1, x_to 3": 1}
    assert hit(coverage, "sequence", "formats") == {"format_from raw 64, format_to 8": 1}


def test_a_core_without_tiles() -> None:
    coverage = sampled((Gemm(n=16), 0, 1, 100), params=TopParams(cores=2))
    assert hit(coverage, "products", "tiles") == {"0": 1, "1": 1}
    assert hit(coverage, "products", "chunks") == {"1": 1}


def test_passes() -> None:
    one, two = Opt(config=replace(PLAIN, n=9, copy_format=3)), Opt(config=replace(PLAIN, n=8, copy_round=2))
    coverage = sampled((one, 0, 1, 100), (two, 0, 101, 200))
    assert hit(coverage, "passes", "ends") == {"remainder 1, last_word in part": 1, "remainder 0, last_word in part": 1}
    assert hit(coverage, "passes", "copy_by_rounding") == {
        "copy 16, rounding nearest": 1, "copy 8, rounding stochastic": 1,
    }  # fmt: skip


def test_passes_that_products_feed() -> None:
    one = Opt(config=replace(PLAIN, n=32, copy_format=0), fed=True)
    far, gemm = replace(one, state=4095), Gemm(m=2, feeds=True, y_bits=4)
    sizes = dict.fromkeys(("channels", "columns", "rows", "kernel_rows", "kernel_columns", "stride"), 1)
    between = replace(gemm, x_windows=True, image_words=1, **sizes)
    commands = (one, gemm, gemm, far, Gemm(), between)
    coverage = sampled(*((each, 0, 100 * at, 100 * at + 90) for at, each in enumerate(commands)))
    assert hit(coverage, "passes", "gradients_by_copy") == {"gradients fed, copy 4": 3}
    assert hit(coverage, "passes", "kept") == {"just before": 1, "fed before": 1, "with commands between": 1}
    assert hit(coverage, "passes", "ends_at") == {"inside": 2, "state past its end": 1}
    assert hit(coverage, "passes", "windows") == {"none": 2, "vectors": 1}
    assert hit(coverage, "products", "feeds") == {"no": 1, "yes": 3}


def test_plans() -> None:
    answers = np.zeros(2, ORD_DTYPE)
    answers["cycle"], answers["shift"], answers["n"], answers["order"] = (5, 25), (3, -1), (2, 1, 4), (1, 0)
    run = run_of(
        (Plan(slot=31), 0, 1, 6), (Gemm(planned=True, slot=31), 0, 7, 20), (Plan(slot=31), 0, 21, 26),
        (Gemm(planned=True, slot=31), Code.PLAN, 27, 28), (Gemm(planned=True, slot=2, y_bits=5), Code.PLAN, 29, 30),
    )  # fmt: skip
    coverage = sample_board(board_of(run, laps_ord_rsp_trace=answers))
    assert hit(coverage, "plans", "slots") == {"slot last, held nothing": 1, "slot last, held another plan": 1}
    assert hit(coverage, "plans", "found") == {
        "finds nothing, raw yes": 1, "finds shift outside, raw no": 1, "finds a plan, raw no": 1,
    }  # fmt: skip
    assert hit(coverage, "plans", "uses") == {"1": 2}
    assert hit(coverage, "plans", "n_y") == {"4": 2}
    assert hit(coverage, "ends", "plan") == {"slot": 2}


def test_transfers_and_streams() -> None:
    offer, accept = np.array([1, 2, 3, 9]), np.array([4, 5, 8, 9])
    load = Load(target=Buffer.W, first=PARAMS.w_words - 1, count=4, cores=3)
    m = SourceLog(np.array([12, 13]), np.array([12, 25]))
    coverage = sampled(
        (load, Code.RANGE, 3, 10), (Gemm(), 0, 11, 30), (Store(target=Buffer.SM, count=2), 0, 10, 26),
        s=SourceLog(offer, accept), m=m,
    )  # fmt: skip
    assert hit(coverage, "transfers", "load_place") == {"load W, place crosses the end": 1}
    assert hit(coverage, "transfers", "broadcast") == {"own W, cores the first": 1}
    assert hit(coverage, "transfers", "absent") == {"yes": 1}
    assert hit(coverage, "transfers", "load_last") == {"load W, last right": 1}
    # Offered before the load began: two of them; the third waits for the port, the last for nothing.
    assert hit(coverage, "streams", "in_cause") == {"no load": 2, "port": 1, "none": 1}
    assert hit(coverage, "streams", "last_waits") == {"last no, out_wait 0": 1, "last yes, out_wait 10+": 1}
    assert hit(coverage, "streams", "compute") == {"GEMM": 1}


def test_waits() -> None:
    coverage = sampled(
        (Load(target=Buffer.X), 0, 10, 20), (Unknown(wait_load=1), Code.OPERATION, 21, 22),
        (Store(target=Buffer.Y, wait_load=1, wait_compute=1), 0, 23, 40), (Load(target=Buffer.X), 0, 21, 22),
        (Store(target=Buffer.Y, wait_load=2, wait_compute=1), 0, 41, 50),
        pushed=[10, 11, 12, 13, 14],
    )  # fmt: skip
    assert hit(coverage, "waits", "causes") == {
        "engine load, cause pushed": 1, "engine compute, cause load": 1, "engine store, cause compute": 1,
        "engine load, cause engine": 1, "engine store, cause engine": 1,
    }  # fmt: skip
    assert hit(coverage, "waits", "queues") == {
        "engine load, queue 1": 2, "engine compute, queue 1": 1, "engine store, queue 1": 1, "engine store, queue 2": 1,
    }  # fmt: skip
    assert hit(coverage, "waits", "distances")["engine load, of load, distance 1 to 63"] == 1


def test_commands_from_the_stream_in() -> None:
    words = SourceLog(np.array([3, 4, 5, 9, 20, 21, 22, 24]), np.array([3, 4, 7, 9, 20, 21, 23, 24]))
    run = run_of(
        (Store(target=Buffer.Y), 0, 2, 3), (Load(target=Buffer.X), 0, 11, 20), (Unknown(), Code.OPERATION, 26, 27),
        runs=((3, 1), (15, 1)), words=words,
    )  # fmt: skip
    run.held += [(Engine.LOAD, "none"), (Engine.COMPUTE, "load")]
    coverage = sample_board(board_of(run))
    assert hit(coverage, "runs", "causes") == {"engine load, cause none": 1, "engine compute, cause load": 1}
    assert hit(coverage, "runs", "gap") == {"0": 5, "1": 1}
    assert hit(coverage, "runs", "commands") == {"1": 2}
    assert hit(coverage, "runs", "identifiers") == {"count": 2}
    assert hit(coverage, "runs", "sources") == {
        "from_ PUSH, next stream in": 1, "from_ stream in, next stream in": 1,
    }  # fmt: skip


def test_two_counters_that_move_together() -> None:
    coverage = sampled(
        (Load(target=Buffer.X), 0, 10, 20), (Unknown(), Code.OPERATION, 19, 20),
        (Store(target=Buffer.Y, wait_load=1, wait_compute=1), 0, 21, 30), pushed=[10, 11, 12],
    )  # fmt: skip
    assert hit(coverage, "waits", "cause")["several"] == 1
    assert hit(coverage, "ends", "together") == {"load compute": 1}


def test_overlaps_and_ports() -> None:
    run = run_of(
        (Load(target=Buffer.Y, count=9), 0, 10, 29), (Gemm(), 0, 20, 49),
        (Store(target=Buffer.SW, count=9), 0, 50, 59), (Opt(config=replace(PLAIN, n=4)), 0, 50, 69),
    )  # fmt: skip
    run.lost += [("load Y", 22, 3), ("store state", 52, 1), ("core results", 30, 1)]
    coverage = sample_board(board_of(run))
    assert hit(coverage, "overlaps", "busy") == {
        "none": END + 1 - 60, "load": 10, "compute": 30, "load compute": 10, "compute store": 10,
    }  # fmt: skip
    assert hit(coverage, "overlaps", "ports") == {
        "port load and results, lost 2+": 1, "port store and state, lost 1": 1,
    }  # fmt: skip
    assert hit(coverage, "overlaps", "cores") == {"results": 1}
    assert hit(coverage, "overlaps", "with_load") == {"compute GEMM, load Y": 1, "compute OPT, load none": 1}
    assert hit(coverage, "overlaps", "starts") == {"compute store": 1}


@pytest.mark.parametrize(
    ("host", "taken", "meets"),
    [
        (50, (50, 90), "alone"),
        (90, (93, 90), "in the same cycle"),
        (88, (88, 91), "compute's waits for the host's"),
        (91, (94, 90), "the host's waits for compute's"),
    ],
)
def test_updates_that_meet(host: int, taken: tuple[int, int], meets: str) -> None:
    """`taken`: cycles of the host's and of the GEMM's, which is there from 90 on."""
    order = np.argsort(taken)
    offer = np.array([host, 90])[order] if meets != "in the same cycle" else np.array([90, 91])
    accept = np.sort(taken)
    log = SourceLog(offer, accept)
    run = run_of((Gemm(update=True), 0, 10, 95), laps=PartLog({"upd": log}, {}))
    run.host_updates, run.told[:] = [host], [90]
    run.told_offer[:] = [int(offer[accept == taken[1]][0])]
    answers = np.zeros(2, UPD_DTYPE)
    answers["cycle"] = accept + 3
    coverage = sample_board(board_of(run, laps_upd_rsp_trace=answers))
    assert hit(coverage, "updates", "meets") == {meets: 1}
    assert hit(coverage, "updates", "answers") == {"by host, code OK": 1, "by compute, code OK": 1}


def test_interrupts() -> None:
    rows = [
        (READ, Reg.IRQ_STATUS, 9),
        (WRITE, Reg.IRQ_STATUS, 1),
        (WRITE, Reg.IRQ_ENABLE, 2),
        (READ, Reg.ERROR, 2 << 24),
    ]
    axil = np.zeros(len(rows), AXIL_DTYPE)
    for at, (kind, address, data) in enumerate(rows):
        axil[at] = (at, at, kind << 16, address, data)
    coverage = sample_board(board_of(run_of(), top_axil=axil))
    assert hit(coverage, "interrupts", "reads") == {
        "cause load, read 1": 1, "cause compute, read 0": 1, "cause store, read 0": 1, "cause failure, read 1": 1,
    }  # fmt: skip
    assert hit(coverage, "interrupts", "writes")["cause load, write cleared"] == 1
    assert hit(coverage, "interrupts", "enables")["cause compute, enable on"] == 1
    assert hit(coverage, "interrupts", "errors") == {"2 or more": 1}


def test_resets() -> None:
    load, gemm = Load(target=Buffer.X), Gemm(k=300)
    starts = np.array([(5, 0 << 24), (6, 1 << 24)], CMD_DTYPE)
    descs = SourceLog(np.array([8, 20]), np.array([8, 20]))
    words = SourceLog(np.arange(6), np.array([0, 1, 2, 3, 4, -1]))
    run = run_of(pushed=[4, 5, 8])
    run.sources.runs, run.sources.words = [2, 2], words
    board = board_of(run, top_start=starts, core0_desc=SimpleNamespace(log=descs))
    board.run = run_of()
    board.spans, board.batches = [(0, 50), (60, END)], [[Issue(load), Issue(gemm), Issue(load)], []]
    coverage = sample_board(board)
    assert hit(coverage, "reset", "busy") == {"load compute": 1}
    assert hit(coverage, "reset", "command") == {"LOAD": 1, "GEMM": 1}
    assert hit(coverage, "reset", "queued") == {"yes": 1}
    assert hit(coverage, "reset", "chunk") == {"later": 1}
    assert hit(coverage, "reset", "run") == {"within a command": 1}


def test_a_bin_that_is_not_hit_is_reported_and_a_failing_run_does_not_count(tmp_path: Path) -> None:
    run = run_of((Gemm(m=1, n=16), 0, 1, 100))
    info = RunInfo("top", "verilator", "smoke", 1, run_dir=tmp_path)
    good = sample(info, board_of(run))
    assert RunCoverage.read(GROUPS, tmp_path / FILE_NAME).passed
    summary = summarise(merge(GROUPS, [RunCoverage("top", "smoke", 1, "verilator", True, good)]))
    assert not summary["passed"]
    assert "products.jobs: 9+" in summary["uncovered"]
    assert "products.jobs: 1" not in summary["uncovered"]
    diverged = board_of(run)
    diverged.verdict.diverge("store", 3, "word 0", 1, 2)
    assert not any(counts.any() for *_, counts in sample(info, diverged))
    assert json.loads((tmp_path / FILE_NAME).read_text(encoding="utf-8"))["passed"] is False
    merged = merge(GROUPS, [RunCoverage("top", "smoke", 1, "verilator", False, good)])
    assert merged.runs == []
    assert not any(counts.any() for *_, counts in merged.coverage)


def test_a_bin_called_unreachable_that_is_hit_is_a_contradiction() -> None:
    out = Coverage(GROUPS)
    Sampler(out, run_of((Opt(config=PLAIN), Code.SIZE, 1, 2)), [[], [Opt(config=PLAIN)], []], [[], [0], []]).sample()
    assert summarise(Merged(out, ["smoke"]))["contradictions"] == ["ends.codes: command OPT, code SIZE"]
