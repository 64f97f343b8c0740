"""`make net`: the products of an ONNX model on the RTL of the pair, layer by layer, sampled, with a report.

Rows of X are sampled, what is left is cut into pieces (tb/gemm/pieces.py), pieces are bundled into runs of the test
`captured` of block `gemm`, which checks every slice and cycle; the sums that left are put together again and compared
with NumPy's integer product of the whole operands. What a run gave is kept in build/net/<key>, a digest of the operands
and of all sources: the same command resumes where an earlier one ended. At any time only a few runs are in memory.

Errors: `UserError`, one line, before any simulation.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from flow.core.blocks import get_block
from flow.core.jobs import read_json, source_digest, write_json
from flow.core.processes import end_all
from flow.core.simulate import RunResult, run
from host.energy import Counts, Energies, added, dense_energy, processor_energy, product_counts, ratio
from host.net.graph import Layer, LayerError, NetError, Network, Prepared, Skipped, shown_shape
from host.net.lower import spread_rows
from models.common import floats
from models.common.tensors import exact_matmul
from models.top.config import TopParams
from tb.gemm.capture import Capture, replay_command, save_all
from tb.gemm.pieces import MOST_ISSUES, Format, Piece, count_issues, cut, product_of
from tb.gemm.program import GemmParams, Product, gemm_params
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, shown

I64 = npt.NDArray[np.int64]
SIM = "verilator"
MOST_PRODUCTS = 64  # of a run
BLOCK_ELEMENTS = 1 << 22  # of X in memory at a time
PROCESSOR = TopParams()  # whose energies count
KINDS = ("value", "slice", "cycle")
SKIPS = ("x", "w", "order", "mask")


# ---- what is asked for -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Sample:
    """Rows of each product: a number, a share, or all."""

    text: str
    rows: int | None = None
    share: Fraction | None = None

    @classmethod
    def parse(cls, text: str) -> Sample:
        """From `64`, `0.05` or `all`. Raises `UserError`."""
        with contextlib.suppress(ValueError):
            if text == "all":
                return cls(text)
            if text.isdecimal() and int(text) > 0:
                return cls(text, rows=int(text))
            if "." in text and 0 < (share := Fraction(text)) <= 1:
                return cls(text, share=share)
        raise UserError(f"SAMPLE={text}: give a number of rows (64), a share (0.05) or all")

    def pick(self, m: int) -> I64:
        """Rows of `m`, spread evenly, in order."""
        wanted = m if self.rows is None else self.rows
        if self.share is not None:
            wanted = -(-m * self.share.numerator // self.share.denominator)
        return spread_rows(m, wanted)


@dataclass(frozen=True)
class Request:
    """A call of `make net`."""

    model: Path
    input: Path
    layers: str | None = None
    sample: Sample = field(default_factory=lambda: Sample("64", 64))
    x_bits: int = 8
    w_bits: int = 8
    seed: int = 1
    jobs: int = 2
    dynamic: bool = False


@dataclass
class Work:
    """Everything that is known before the first simulation."""

    request: Request
    network: Network
    layers: list[Layer]
    skipped: list[Skipped]
    values: Mapping[str, npt.NDArray[Any]]
    evaluator: str
    size: int  # slice pairs of all samples

    def prepare(self, layer: Layer) -> Prepared:
        """The layer's operands."""
        return self.network.prepare(layer, self.values, self.request.x_bits, self.request.w_bits)

    def rows(self, prepared: Prepared) -> I64:
        """The rows that run."""
        return self.request.sample.pick(prepared.lowered.shape[0])

    def bundles(self, prepared: Prepared, params: GemmParams) -> Iterator[Bundle]:
        """The runs of a layer, made as they are asked for."""
        return bundles(prepared, self.rows(prepared), params)

    def whole_issues(self, prepared: Prepared, lanes: int) -> int | None:
        """Issues of all rows; None: those of the runs."""
        return whole_issues(prepared, lanes)


def plan(request: Request) -> Work:
    """Reads, evaluates and checks everything. Raises `UserError`."""
    if not os.access(BUILD.parent, os.W_OK):
        raise UserError(f"cannot write {shown(BUILD)}")
    try:
        network = Network.load(request.model)
        chosen = network.choose(request.layers)
        feeds = network.feed(request.input, request.dynamic)
        skipped = list(network.skipped)
        names: list[str] = []
        able = []
        for layer in chosen:
            try:
                names += [name for operand in network.operands(layer) for name in operand.names]
                able.append(layer)
            except LayerError as error:
                skipped.append(Skipped(layer.name, layer.op, str(error)))
        values, evaluator = network.evaluate(names, feeds)
        work = Work(request, network, [], skipped, values, evaluator, 0)
        for layer in able:
            try:
                prepared = work.prepare(layer)
            except LayerError as error:
                skipped.append(Skipped(layer.name, layer.op, str(error)))
                continue
            work.layers.append(layer)
            work.size += _pairs(prepared, len(work.rows(prepared)))
    except NetError as error:
        raise UserError(str(error)) from error
    if not work.layers:
        raise UserError("no layer can run: " + "; ".join(f"{each.op} {each.name}: {each.why}" for each in skipped))
    return work


def _pairs(prepared: Prepared, rows: int) -> int:
    _, k, n = prepared.lowered.shape
    return rows * k * n * prepared.lowered.parts * (prepared.x.bits // 4) * (prepared.w.bits // 4)


def pairs_of(product: Product) -> int:
    """Slice pairs of a product, skipped ones included."""
    return product.x.size * product.w.shape[1] * product.n_x * product.n_w


# ---- runs ------------------------------------------------------------------------------------------------------------
@dataclass
class Block:
    """Some sampled rows of a part: X, W and the sums that have come out."""

    part: int
    x: npt.NDArray[np.int32]
    w: npt.NDArray[np.int32]
    y: I64
    missing: int = 0  # pieces that have not come back

    def mismatches(self) -> int:
        """Sums that are not NumPy's."""
        return int(np.count_nonzero(self.y != exact_matmul(self.x, self.w)))


@dataclass
class Bundle:
    """What one run computes."""

    items: list[tuple[Block, Piece, Product]] = field(default_factory=list)
    issues: int = 0

    @property
    def pairs(self) -> int:
        """Slice pairs, skipped ones included."""
        return sum(pairs_of(product) for _, _, product in self.items)


def _blocks(prepared: Prepared, rows: I64) -> Iterator[Block]:
    lowered = prepared.lowered
    _, k, n = lowered.shape
    step = max(1, BLOCK_ELEMENTS // k)
    for part in range(lowered.parts):
        w = np.ascontiguousarray(lowered.w(part))
        for at in range(0, len(rows), step):
            x = lowered.x(part, rows[at : at + step])
            yield Block(part, x, w, np.zeros((len(x), n), np.int64))


def bundles(prepared: Prepared, rows: I64, params: GemmParams, most: int = MOST_ISSUES) -> Iterator[Bundle]:
    """The runs of a layer, made as they are asked for."""
    form = Format(prepared.x.bits // 4, prepared.w.bits // 4, prepared.x.unsigned, prepared.w.unsigned)
    bundle = Bundle()
    for block in _blocks(prepared, rows):
        pieces = list(cut(block.x, block.w, form, params, most))
        block.missing = len(pieces)
        for piece in pieces:
            if bundle.items and (bundle.issues + piece.issues > most or len(bundle.items) == MOST_PRODUCTS):
                yield bundle
                bundle = Bundle()
            name = f"product{len(bundle.items)}"
            bundle.items.append((block, piece, product_of(piece, block.x, block.w, form, params, name)))
            bundle.issues += piece.issues
    yield bundle


class Runner:
    """Runs bundles, or takes what an earlier command kept."""

    def __init__(self, work: Work) -> None:
        self.block = get_block("gemm")
        self.values = self.block.resolve_params(None)
        self.params = gemm_params(self.values)
        self.seed = work.request.seed
        self.model = work.request.model.name
        self.digest = source_digest(self.block, SIM)
        self.kept = 0

    def key(self, bundle: Bundle) -> str:
        """Digest of everything that decides what the run gives."""
        digest = hashlib.sha256(json.dumps([self.digest, self.values, self.seed]).encode())
        for _, _, product in bundle.items:
            digest.update(repr((product.shape, product.n_x, product.n_w, product.options)).encode())
            for array in (product.x, product.w, *([] if product.mask is None else [product.mask])):
                digest.update(np.ascontiguousarray(array, np.int32).tobytes())
        return digest.hexdigest()[:24]

    def run(self, bundle: Bundle, layer: str) -> tuple[dict[str, Any], list[I64]]:
        """The record of a run and the sums of its products. A record with `error` is that of a run that failed; it is
        not kept."""
        key = self.key(bundle)
        folder = BUILD / "net" / key
        sums, record = folder / "sums.npz", read_json(folder / "run.json")
        if isinstance(record, dict) and "issues_each" in record and sums.is_file():
            with contextlib.suppress(Exception), np.load(sums) as file:  # a damaged file: run again
                found = [file[name] for name in file.files]
                if len(found) == len(bundle.items):
                    self.kept += 1
                    return record, found
        shutil.rmtree(folder, ignore_errors=True)
        captures = [Capture(product, 1, self._origin(layer, at, piece)) for at, piece, product in bundle.items]
        paths = save_all(folder / "products", captures)
        config = {"captures": list(map(str, paths)), "sums": str(sums), "reduced": True}
        result = run(self.block, SIM, "captured", self.seed, self.values, config, label=f"net-{key[:8]}")
        record = _record(result)
        if "error" in record:
            record["replay"] = [replay_command(path, {"SIM": SIM}) for path in paths[:1]]
            return record, []
        with np.load(sums) as file:
            found = [file[name] for name in file.files]
        write_json(folder / "run.json", record)
        shutil.rmtree(folder / "products", ignore_errors=True)
        shutil.rmtree(result.run_dir, ignore_errors=True)  # traces are large, and checked
        return record, found

    def _origin(self, layer: str, block: Block, piece: Piece) -> dict[str, Any]:
        spans = {"rows": piece.rows, "k": piece.k, "columns": piece.columns}
        shown_spans = {name: f"{span.start}..{span.stop - 1}" for name, span in spans.items()}
        return {"model": self.model, "layer": layer, "part": block.part, **shown_spans}


def _record(result: RunResult) -> dict[str, Any]:
    details = result.result or {}
    seconds = round(result.seconds, 2)
    if not result.passed or not details.get("report"):
        found = int(details.get("mismatches", 0) or 0)
        return {
            "error": result.summary(),
            "mismatches": max(1, found),
            "checks": details.get("checks", {}),
            "seconds": seconds,
        }
    report = details["report"]
    gemms = report["gemms"]
    return {
        "issues": sum(each["issues"] for each in gemms),
        "issues_each": [each["issues"] for each in gemms],
        "dense16": sum(each["issues_dense"] for each in gemms),
        "busy": sum(each["busy_cycles"] for each in gemms),
        "cycles": report["cycles"],
        "skipped": {cause: sum(each["skipped"][cause] for each in gemms) for cause in SKIPS},
        "checks": details["checks"], "mismatches": details["mismatches"], "seconds": seconds,
    }  # fmt: skip


# ---- a layer ---------------------------------------------------------------------------------------------------------
def _signal_to_noise(prepared: Prepared, rows: I64) -> float | None:
    """What rounding the operands costs, in dB: energy of the float product over that of its error, of at most 64 of the
    sampled rows of at most 8 parts. None where the model gave integers, or nothing is lost."""
    if prepared.floats is None or prepared.x.scale is None or prepared.w.scale is None:
        return None
    few = rows[:: max(1, len(rows) // 64)]
    signal = noise = 0.0
    for part in range(0, prepared.lowered.parts, max(1, prepared.lowered.parts // 8)):
        real = prepared.floats.x(part, few).astype(np.float64) @ prepared.floats.w(part).astype(np.float64)
        integers = exact_matmul(prepared.lowered.x(part, few), prepared.lowered.w(part))
        error = integers * (prepared.x.scale * prepared.w.scale) - real
        signal += float((real * real).sum())
        noise += float((error * error).sum())
    if not noise or not signal:
        return None
    return float(10 * floats.log(signal / noise) / floats.log(10.0))


class Tally:
    """What a layer's runs add up to."""

    def __init__(self, prepared: Prepared, rows: I64) -> None:
        self.prepared, self.rows = prepared, rows
        self.records: list[dict[str, Any]] = []
        self.counts: list[Counts] = []
        self.compared = self.wrong = self.zeros_x = self.zeros_w = self.size_x = self.size_w = 0

    def take(self, bundle: Bundle, record: dict[str, Any], sums: Sequence[I64]) -> None:
        """Adds a run; a block whose last piece this was is compared."""
        self.records.append(record)
        for at, (block, piece, product) in enumerate(bundle.items):
            y, slices = sums[at], (product.n_x, product.n_w)
            issues = record["issues_each"][at]
            self.counts.append(product_counts(product.shape, slices, product.reduce_factor, issues, PROCESSOR))
            block.y[piece.rows, piece.columns] += y
            block.missing -= 1
            if block.missing == 0:
                self.compared += block.y.size
                self.wrong += block.mismatches()
                self.zeros_x += int(np.count_nonzero(block.x == 0))
                self.zeros_w += int(np.count_nonzero(block.w == 0))
                self.size_x, self.size_w = self.size_x + block.x.size, self.size_w + block.w.size

    def figures(self, rows_of_array: int, lanes: int) -> dict[str, Any]:
        """The layer's line of the report."""
        prepared, records = self.prepared, self.records
        lowered = prepared.lowered
        m, k, n = lowered.shape
        errors = [each for each in records if "error" in each]
        good = [each for each in records if "error" not in each]
        out: dict[str, Any] = {
            "name": prepared.layer.name, "op": prepared.layer.op, "shape": [m, k, n], "products": lowered.parts,
            "x_bits": prepared.x.bits, "w_bits": prepared.w.bits,
            "x_unsigned": prepared.x.unsigned, "w_unsigned": prepared.w.unsigned,
            "x_scale": prepared.x.scale, "w_scale": prepared.w.scale,
            "quantised": {"x": _origin_of(prepared.x.own), "w": _origin_of(prepared.w.own)},
            "sqnr_db": _signal_to_noise(prepared, self.rows),
            "sampled": len(self.rows), "sampled_share": len(self.rows) / m,
            "whole_dense16": 16 * m * k * -(-n // lanes) * lowered.parts,
            "mismatches": self.wrong + sum(each["mismatches"] for each in records),
            "compared": self.compared,
            "checks": {kind: sum(each["checks"].get(kind, 0) for each in records) for kind in KINDS},
            "runs": len(records), "errors": [each["error"] for each in errors],
            "replay": [line for each in errors for line in each.get("replay", [])],
        }  # fmt: skip
        for name in ("issues", "dense16", "busy", "cycles"):
            out[name] = sum(each[name] for each in good)
        out["skipped"] = {cause: sum(each["skipped"][cause] for each in good) for cause in SKIPS}
        out["zeros"] = {"x": _over(self.zeros_x, self.size_x), "w": _over(self.zeros_w, self.size_w)}
        out["energy"] = energies(self.counts)
        pairs, busy = out["issues"] + sum(out["skipped"].values()), rows_of_array * out["busy"]
        out |= {
            "pairs": pairs,
            "speedup": _over(out["dense16"], busy),
            "speedup_same_bits": _over(pairs, busy),
            "utilisation": _over(out["issues"], busy),
            "utilisation_with_loads": _over(out["issues"], rows_of_array * out["cycles"]),
        }
        return out


def energies(counts: Sequence[Counts]) -> dict[str, Any]:
    """The proxy of docs/measure.md for what ran: pJ by part, and how many times as much a dense array of 16 bits takes
    (FP16, integers)."""
    table, total = Energies.load(), added(counts)
    mine = processor_energy(total, table, PROCESSOR)
    dense = {
        name: dense_energy(total, table, PROCESSOR, floating) for name, floating in (("fp16", True), ("int16", False))
    }
    return {
        "pj": mine,
        "dense_pj": dense,
        **{f"over_{name}": ratio(parts, mine) if sum(mine.values()) else 0.0 for name, parts in dense.items()},
    }


def _over(a: float, b: float) -> float:
    return a / b if b else 0.0


def _origin_of(own: bool) -> str:
    return "model" if own else "tool"


def whole_issues(prepared: Prepared, lanes: int) -> int:
    """Issues of all rows, counted from the operands."""
    m = prepared.lowered.shape[0]
    n_w = prepared.w.bits // 4
    return sum(count_issues(block.x, block.w, n_w, lanes) for block in _blocks(prepared, np.arange(m)))


# ---- the whole -------------------------------------------------------------------------------------------------------
def _run_layer(
    work: Work, runner: Runner, prepared: Prepared, pool: ThreadPoolExecutor, advance: Callable[[int], None]
) -> Tally:
    """Runs a layer's bundles, a few at a time, in order; ends with the first that fails."""
    tally, jobs = Tally(prepared, work.rows(prepared)), work.request.jobs
    under_way: deque[tuple[Bundle, Future[tuple[dict[str, Any], list[I64]]]]] = deque()

    def finish() -> bool:
        bundle, future = under_way.popleft()
        record, sums = future.result()
        if "error" in record:
            tally.records.append(record)
            return False
        tally.take(bundle, record, sums)
        advance(bundle.pairs)
        return True

    good = True
    for bundle in work.bundles(prepared, runner.params):
        under_way.append((bundle, pool.submit(runner.run, bundle, prepared.layer.name)))
        while good and len(under_way) > jobs:
            good = finish()
        if not good:
            break
    while under_way:
        good = finish() and good
    return tally


def net(work: Work, console: Console) -> dict[str, Any]:
    """Runs every layer; the content of the report."""
    runner, request = Runner(work), work.request
    core = runner.params.core
    lines: list[dict[str, Any]] = []
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    pool = ThreadPoolExecutor(request.jobs)
    try:
        with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
            task = progress.add_task("starting", total=work.size)
            for layer in work.layers:
                prepared = work.prepare(layer)
                progress.update(task, description=f"{layer.name} {shown_shape(prepared.lowered.shape)}")
                tally = _run_layer(work, runner, prepared, pool, partial(progress.advance, task))
                entry = tally.figures(core.rows, core.lanes)
                found = work.whole_issues(prepared, core.lanes)
                entry["whole_issues"] = entry["issues"] if found is None else found
                lines.append(entry)
                progress.console.print(_line(entry), highlight=False, markup=False)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        end_all()
        raise
    pool.shutdown()
    return _content(work, runner, lines)


def _line(entry: Mapping[str, Any]) -> str:
    if entry["mismatches"]:
        return f"FAIL {entry['name']}: {entry['mismatches']:,} mismatches"
    return (
        f"{entry['name']}: {entry['issues']:,} issues, {entry['compared']:,} sums exact, "
        f"speed-up {entry['speedup']:.1f}, utilisation {entry['utilisation']:.3f}, "
        f"energy {entry['energy']['over_fp16']:.1f} times less than FP16"
    )


def totals(lines: Sequence[Mapping[str, Any]], rows_of_array: int) -> dict[str, Any]:
    """Figures of the network: every layer with the cycles that its whole work would take at the sampled rate."""
    good = [each for each in lines if each["busy"]]
    weight = {id(each): each["whole_dense16"] / each["dense16"] for each in good}

    def whole(*path: str) -> float:
        out = 0.0
        for each in good:
            value: Any = each
            for name in path:
                value = value[name]
            out += weight[id(each)] * value
        return out

    busy, pairs = rows_of_array * whole("busy"), whole("pairs")

    def picojoules(*path: str) -> float:
        parts = good[0]["energy"]["pj"] if good else {}
        return sum(whole("energy", *path, part) for part in parts)

    mine = picojoules("pj")
    return {
        "energy": {f"over_{name}": _over(picojoules("dense_pj", name), mine) for name in ("fp16", "int16")},
        "layers": len(lines),
        "speedup": _over(whole("dense16"), busy),
        "speedup_same_bits": _over(pairs, busy),
        "utilisation": _over(whole("issues"), busy),
        "utilisation_with_loads": _over(whole("issues"), rows_of_array * whole("cycles")),
        "skipped_share": {cause: _over(whole("skipped", cause), pairs) for cause in SKIPS},
        "sampled_share": _over(sum(each["dense16"] for each in good), sum(each["whole_dense16"] for each in lines)),
        "issues": sum(each["issues"] for each in lines),
        "whole_issues": sum(each["whole_issues"] for each in lines),
    }


def _content(work: Work, runner: Runner, lines: list[dict[str, Any]]) -> dict[str, Any]:
    request = work.request
    mismatches = sum(each["mismatches"] for each in lines)
    return {
        "status": "fail" if mismatches else "pass",
        "model": shown(request.model), "input": shown(request.input), "evaluator": work.evaluator,
        "sample": request.sample.text, "seed": request.seed, "sim": SIM, "parameters": dict(runner.values),
        "layers": lines,
        "skipped_layers": [{"name": each.name, "op": each.op, "why": each.why} for each in work.skipped],
        "totals": totals(lines, runner.params.core.rows),
        "mismatches": mismatches,
        "checks": {kind: sum(each["checks"][kind] for each in lines) for kind in KINDS},
        "compared": sum(each["compared"] for each in lines),
        "runs": sum(each["runs"] for each in lines), "runs_kept": runner.kept,
    }  # fmt: skip
