"""Energy proxy: what commands did, times energies of operations, against a dense array of 16-bit multipliers.

Every number and assumption is in one file (data/energy/horowitz45.hjson), which a user can replace. Control, clocks,
wires and leakage are in none of the figures, nor is the host: ratios say more than picojoules.

Counted are, for GEMMs, slice products (issues x lanes) with shift, tree and accumulation, reads and writes of the
rows' tile memories, and drains; for the optimiser, operations of a parameter; for all, words of the buffers. The dense
array does the same products at 16 bits with nothing skipped, on the same buffers, whose words then hold 8 values.

Errors: `EnergyError`, one line.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from models.common.files import FileError, read_hjson
from models.common.slices import values_per_beat
from models.ioss.config import Descriptor, tile_beats, vec_beats
from models.optc.config import Mode
from models.top.config import LANES, PSUM_WORDS, STATES, WORD_BYTES, Buffer, Command, Gemm, Load, Opt, Store, TopParams
from models.top.value import Result

DEFAULT = Path(__file__).parents[1] / "data" / "energy" / "horowitz45.hjson"
WORD_BITS = 8 * WORD_BYTES
TILE_BANKS = 2
RING_BYTES = 256  # of windows (docs/top/windows.md)
DENSE_SLICES = 4
RULES = {Mode.MOMENTUM: "momentum", Mode.ADAM: "adam"}
POINTS = ("add", "mult", "fp_add", "fp_mult", "sram")


class EnergyError(ValueError):
    """A file of energies that cannot be used; the message is one line."""


# ---- energies --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Energies:
    """A file of energies; methods give pJ."""

    name: str
    table: Mapping[str, Any]

    @classmethod
    def load(cls, path: Path = DEFAULT) -> Energies:
        """Reads and checks a file. Raises `EnergyError`."""
        try:
            raw, known = read_hjson(path), read_hjson(DEFAULT)
        except FileError as error:
            raise EnergyError(str(error)) from None
        missing, extra = known.keys() - raw.keys(), raw.keys() - known.keys()
        if missing or extra:
            what = f"has no {', '.join(sorted(missing))}" if missing else f"has unknown keys {', '.join(sorted(extra))}"
            raise EnergyError(f"{path}: {what}; take {DEFAULT.name} as a pattern")
        for key in POINTS:
            points = raw[key]
            try:
                good = len(points) >= (2 if key == "sram" else 1)
                # A memory's energies are divided.
                pairs = [(float(at), float(pj)) for at, pj in points.items()]
                good = good and all(0 < at < math.inf and 0 <= pj < math.inf for at, pj in pairs)
                good = good and len(dict(pairs)) == len(pairs) and (key != "sram" or all(pj for _, pj in pairs))
            except (TypeError, ValueError, AttributeError):
                good = False
            if not good:
                raise EnergyError(f"{path}: {key} must give pJ by width or size, all numbers, two at least for sram")
        try:
            energies = cls(str(raw["name"]), raw)
            for rule in RULES.values():
                energies.optimiser(rule)
                energies.dense_optimiser(rule)
            numbers = [raw["write_factor"], raw["slice_bits"], raw["drain_adds"], raw["dense_bits"]]
            numbers += [*raw["slice_mult"], *raw["ran_add"]]
            good = len(raw["slice_mult"]) == 2 and all(float(each) >= 0 for each in numbers)
            # A training takes long: what its report will ask for must be there, and finite.
            some = Counts(1, 1, 1, 1, parameters=dict.fromkeys(RULES.values(), 1), dense_tile_writes=1)
            for each in (some.reads, some.writes, some.dense_reads, some.dense_writes):
                each.update(dict.fromkeys(Buffer, 1))
            params = TopParams()
            parts = [processor_energy(some, energies, params)]
            parts += [dense_energy(some, energies, params, floating) for floating in (False, True)]
            good = good and all(0 <= value < math.inf for each in parts for value in each.values())
        except EnergyError as error:
            raise EnergyError(f"{path}: {error}") from None
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError):
            good = False
        if not good:
            raise EnergyError(f"{path}: an assumption is not of the form that {DEFAULT.name} gives it")
        return energies

    def _points(self, key: str) -> list[tuple[float, float]]:
        return sorted((float(at), float(pj)) for at, pj in self.table[key].items())

    def add(self, bits: float) -> float:
        """An integer addition: linear between the points, in proportion beyond them."""
        points = self._points("add")
        low, high = points[0], points[-1]
        if bits <= low[0]:
            return low[1] * bits / low[0]
        if bits >= high[0]:
            return high[1] * bits / high[0]
        (a, e_a), (b, e_b) = next(pair for pair in itertools.pairwise(points) if pair[1][0] >= bits)
        return e_a + (e_b - e_a) * (bits - a) / (b - a)

    def mult(self, a: float, b: float) -> float:
        """An integer multiplication of `a` x `b` bits."""
        points = [(at, pj / (at * at)) for at, pj in self._points("mult")]
        width = math.sqrt(a * b)
        each = points[0][1] if width <= points[0][0] else points[-1][1]
        for (low, e_low), (high, e_high) in itertools.pairwise(points):
            if low < width < high:
                each = e_low + (e_high - e_low) * (width - low) / (high - low)
        return each * a * b

    def fp(self, key: str, bits: int) -> float:
        """A floating-point operation, `fp_add` or `fp_mult`. Raises `EnergyError` for a width that the file lacks."""
        for at, pj in self._points(key):
            if at == bits:
                return pj
        raise EnergyError(f"{self.name}: {key} has no width of {bits} bits")

    def sram(self, size: float, bits: float, write: bool = False) -> float:
        """An access of `bits` bits to a memory of `size` bytes."""
        points, kb = self._points("sram"), size / 1024
        pair = next((two for two in itertools.pairwise(points) if two[1][0] >= kb), (points[-2], points[-1]))
        (a, e_a), (b, e_b) = pair
        power = math.log(e_b / e_a) / math.log(b / a)
        return e_a * (kb / a) ** power * bits / 64 * (float(self.table["write_factor"]) if write else 1.0)

    def optimiser(self, rule: str) -> float:
        """The OPTC's operations on a parameter."""
        ops = self.table["optimiser"][rule]
        return sum(self.mult(*each) for each in ops["mult"]) + sum(self.add(each) for each in ops["add"])

    def dense_optimiser(self, rule: str) -> float:
        """The same in FP32."""
        ops = self.table["dense_optimiser"][rule]
        return ops["mult"] * self.fp("fp_mult", 32) + ops["add"] * self.fp("fp_add", 32)


# ---- counts ----------------------------------------------------------------------------------------------------------
def _by_buffer() -> dict[Buffer, int]:
    return dict.fromkeys(Buffer, 0)


@dataclass
class Counts:
    """Sums over commands. Words have 128 bits.

    issues: slice pairs, each on all lanes; macs: products of elements, padding lanes included; outputs: results of all
    chunks; tile_writes: words written into tile memories, every copy counted; window_words: written into rings of
    windows; window_beats: made of two words of such a ring; `dense_`: what the dense array would have done; parameters:
    by rule.
    """

    issues: int = 0
    macs: int = 0
    outputs: int = 0
    tile_writes: int = 0
    reads: dict[Buffer, int] = field(default_factory=_by_buffer)
    writes: dict[Buffer, int] = field(default_factory=_by_buffer)
    parameters: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RULES.values(), 0))
    dense_tile_writes: int = 0
    dense_reads: dict[Buffer, int] = field(default_factory=_by_buffer)
    dense_writes: dict[Buffer, int] = field(default_factory=_by_buffer)
    window_words: int = 0
    window_beats: int = 0
    dense_window_words: int = 0
    dense_window_beats: int = 0

    def since(self, before: Counts) -> Counts:
        """What was counted after `before`."""
        out: dict[str, Any] = {}
        for each in fields(self):
            now, then = getattr(self, each.name), getattr(before, each.name)
            out[each.name] = {key: now[key] - then[key] for key in now} if isinstance(now, dict) else now - then
        return Counts(**out)


def _window_words(command: Gemm, spans: Sequence[tuple[int, int]], words: int) -> int:
    """Words of 16-bit images that windows (from, to) need, each span read anew."""
    ranges = [command.windows.words(DENSE_SLICES, lo, hi - 1, words) for lo, hi in spans]
    return sum(high - low for low, high in ranges)


class Meter:
    """Adds up what a processor does; `seen` is the callback of `ModelBackend`.

    Its processor must count pairs (`Processor(params, count_pairs=True)`), else `EnergyError`.
    """

    def __init__(self, params: TopParams) -> None:
        self.params, self.counts = params, Counts()
        self._fresh: set[tuple[int, int]] = set()  # operands that no product has used: buffer, first word
        self._left: dict[int, tuple[int, int]] = {}  # results and copies in Y, by first word: words, those at 16 bits
        self._kept: Opt | None = None

    def seen(self, command: Command, result: Result) -> None:
        """Takes one command; those that were refused did nothing."""
        counts, activity = self.counts, result.activity
        for buffer in Buffer:
            counts.reads[buffer] += activity.reads[buffer]
            counts.writes[buffer] += activity.writes[buffer]
        if isinstance(command, Opt) and command.fed:
            self._kept = command
        if activity.mode is not None:
            counts.parameters[RULES[activity.mode]] += activity.parameters
        if isinstance(command, Gemm) and activity.jobs:
            self._gemm(command, result)
            return
        # Loads of X and W count with the first product that reads them, as a dense array's operands: 8 values a word.
        if isinstance(command, Load):
            self._fresh.add((command.target, command.first))
        reads, writes = dict(activity.reads), dict(activity.writes)
        if isinstance(command, Opt) and activity.parameters:
            writes[Buffer.Y] = self._copies(command)
        if isinstance(command, Store) and command.target == Buffer.Y:
            ours, dense = self._left.get(command.first, (0, 0))
            reads[Buffer.Y] = dense if ours == command.count else command.count
        for buffer in Buffer:
            counts.dense_reads[buffer] += reads[buffer]
            if buffer not in (Buffer.X, Buffer.W):
                counts.dense_writes[buffer] += writes[buffer]

    def _copies(self, command: Opt) -> int:
        """Words of a pass' copies at 16 bits."""
        dense = -(-command.config.n * 16 // WORD_BITS)
        self._left[command.copies] = command.copy_words, dense
        return dense

    @staticmethod
    def _places(command: Gemm) -> tuple[tuple[int, int], tuple[int, int]]:
        return (Buffer.X, command.x_first), (Buffer.W, command.w_first)

    def _gemm(self, command: Gemm, result: Result) -> None:
        counts, activity, params = self.counts, result.activity, self.params
        if activity.pairs is None:
            raise EnergyError("the processor does not count slice pairs: make it with count_pairs=True")
        counts.issues += activity.pairs.issues
        m, k, tiles = command.m, command.k, command.tiles
        counts.macs += m * k * tiles * LANES
        counts.outputs += m * tiles * LANES * len(command.chunks(params))
        copies = params.rows // command.reduce_factor
        bias = 4 * tiles if command.biases else 0
        descs = [command.descriptors(params, at)[0] for at in range(len(command.chunks(params)))]
        counts.tile_writes += tiles * sum(tile_beats(desc, params.core) for desc in descs) * copies
        values = WORD_BITS // 16
        tile = -(-k * LANES // values)
        vector = -(-k // values)
        counts.dense_tile_writes += tiles * tile * copies
        counts.window_words += activity.window_words
        counts.window_beats += activity.window_beats
        x_loaded = x_read = m * vector
        w_loaded = w_read = tiles * tile
        images = -(-command.image_words * values_per_beat(command.n_x if command.x_windows else command.n_w) // values)
        if command.x_windows:
            x_loaded, x_read = images, _window_words(command, [(0, m)], images)
            counts.dense_window_words += x_read * tiles
            counts.dense_window_beats += m * vector * tiles
        if command.w_windows:
            w_loaded, w_read = images, tiles * _window_words(command, command.chunks(params), images)
            counts.dense_window_words += w_read
            counts.dense_window_beats += tiles * tile
        psums = (len(command.chunks(params)) - 1) * m * tiles * PSUM_WORDS
        dense_y = m * tiles * (LANES // values if not command.raw else LANES * 32 // WORD_BITS) // (1 + command.narrow)
        self._left[command.y_first] = activity.writes[Buffer.Y] - psums, dense_y
        if command.feeds:
            assert self._kept is not None, "a product that was not refused has fed a pass"
            dense_y = self._copies(self._kept)
        new_x, new_w = (place in self._fresh for place in self._places(command))
        self._fresh.difference_update(self._places(command))
        for buffer, read, written in (
            (Buffer.X, x_read * tiles, x_loaded * params.cores * new_x),
            (Buffer.W, w_read + bias, (w_loaded + bias) * new_w),
            (Buffer.M, activity.reads[Buffer.M], 0),
            (Buffer.Y, psums, psums + dense_y),
            (Buffer.A, 0, activity.writes[Buffer.A]),
            *((buffer, activity.reads[buffer], activity.writes[buffer]) for buffer in STATES),
        ):
            counts.dense_reads[buffer] += read
            counts.dense_writes[buffer] += written


def product_counts(
    shape: tuple[int, int, int], slices: tuple[int, int], reduce_factor: int, issues: int, params: TopParams
) -> Counts:
    """Counts of one product M x K x N whose operands and results each go through their buffer once: X is written once
    and read for every tile of columns, W is written and read once, results leave as 16 bits. `slices`: of X and W."""
    (m, k, n), (n_x, n_w) = shape, slices
    tiles, copies, values = -(-n // LANES), params.rows // reduce_factor, WORD_BITS // 16
    chunk = params.depth * reduce_factor
    descs = [
        Descriptor(n_x, n_w, k_len=min(chunk, k - at), n_jobs=m, reduce_factor=reduce_factor)
        for at in range(0, k, chunk)
    ]
    counts = Counts(issues=issues, macs=m * k * tiles * LANES, outputs=m * tiles * LANES * len(descs))
    vector, tile = sum(map(vec_beats, descs)), sum(tile_beats(desc, params.core) for desc in descs)
    dense_vector, dense_tile = -(-k // values), -(-k * LANES // values)
    counts.tile_writes, counts.dense_tile_writes = tiles * tile * copies, tiles * dense_tile * copies
    results = m * tiles * LANES // values
    for reads, writes, of_x, of_w in (
        (counts.reads, counts.writes, vector, tile),
        (counts.dense_reads, counts.dense_writes, dense_vector, dense_tile),
    ):
        reads[Buffer.X], writes[Buffer.X] = m * of_x * tiles, m * of_x
        reads[Buffer.W], writes[Buffer.W] = tiles * of_w, tiles * of_w
        writes[Buffer.Y] = results
    return counts


def added(counts: Sequence[Counts]) -> Counts:
    """The sum of counts."""
    out: dict[str, Any] = {}
    for each in fields(Counts):
        values = [getattr(count, each.name) for count in counts] or [getattr(Counts(), each.name)]
        first = values[0]
        out[each.name] = (
            {key: sum(value[key] for value in values) for key in first} if isinstance(first, dict) else sum(values)
        )
    return Counts(**out)


# ---- picojoules ------------------------------------------------------------------------------------------------------
Parts = dict[str, float]


def _buffers(energies: Energies, params: TopParams, reads: Mapping[Buffer, int], writes: Mapping[Buffer, int]) -> float:
    total = 0.0
    for buffer in Buffer:
        size = params.words_of(buffer) * WORD_BYTES
        total += reads[buffer] * energies.sram(size, WORD_BITS)
        total += writes[buffer] * energies.sram(size, WORD_BITS, True)
    return total


def _rings(energies: Energies, words: int, beats: int) -> float:
    """Of windows: a beat is cut out of two words."""
    return words * energies.sram(RING_BYTES, WORD_BITS, True) + 2 * beats * energies.sram(RING_BYTES, WORD_BITS)


def _tile_bytes(params: TopParams) -> int:
    """Of a row's tile memory."""
    return TILE_BANKS * params.depth * LANES * 16 // 8


def processor_energy(counts: Counts, energies: Energies, params: TopParams) -> Parts:
    """PJ by part: multiply, accumulate, tiles, drain, buffers, optimiser."""
    table = energies.table
    products = counts.issues * LANES
    size = _tile_bytes(params)
    return {
        "multiply": products * energies.mult(*table["slice_mult"]),
        "accumulate": products * (sum(energies.add(each) for each in table["ran_add"]) + energies.add(params.acc_w)),
        "tiles": products * energies.sram(size, table["slice_bits"])
        + counts.tile_writes * energies.sram(size, WORD_BITS, True),
        "drain": counts.outputs * table["drain_adds"] * energies.add(params.acc_w),
        "buffers": _buffers(energies, params, counts.reads, counts.writes)
        + _rings(energies, counts.window_words, counts.window_beats),
        "optimiser": sum(count * energies.optimiser(rule) for rule, count in counts.parameters.items()),
    }


def dense_energy(counts: Counts, energies: Energies, params: TopParams, floating: bool) -> Parts:
    """PJ by part of the dense array, FP16 or int16."""
    table = energies.table
    bits = table["dense_bits"]
    size = _tile_bytes(params)
    return {
        "multiply": counts.macs * (energies.fp("fp_mult", bits) if floating else energies.mult(bits, bits)),
        "accumulate": counts.macs * (energies.fp("fp_add", 32) if floating else energies.add(params.acc_w)),
        "tiles": counts.macs * energies.sram(size, bits)
        + counts.dense_tile_writes * energies.sram(size, WORD_BITS, True),
        "drain": counts.outputs * table["drain_adds"] * energies.add(params.acc_w),
        "buffers": _buffers(energies, params, counts.dense_reads, counts.dense_writes)
        + _rings(energies, counts.dense_window_words, counts.dense_window_beats),
        "optimiser": sum(count * energies.dense_optimiser(rule) for rule, count in counts.parameters.items()),
    }


def ratio(dense: Parts, mine: Parts, parts: Sequence[str] | None = None) -> float:
    """How many times the dense array's energy is that of the processor, over some parts (None: all).

    Infinite if the processor took none.
    """
    names = tuple(mine) if parts is None else parts
    below = sum(mine[name] for name in names)
    return sum(dense[name] for name in names) / below if below else math.inf
