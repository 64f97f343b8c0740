"""Value level of the processor: what every command does to buffers, LAPS and registers, without cycles.

Source: docs/top/README.md. Buffers are arrays of words, uint8 (words, 16). Commands of an engine are carried out in
order, each as a whole; between engines any order is possible that the waits allow (`Processor.run` can shuffle them).

Draws of stochastic rounding belong to jobs and parameters, so nothing here depends on an order of completion. Where the
page leaves something open, the reading taken here is named at the place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.common.generator import RESET_SEED, draws
from models.common.rounding import Round, bit_length
from models.common.slices import split, unpack
from models.common.tensors import exact_matmul
from models.ioss.config import Descriptor as CoreDescriptor
from models.ioss.config import tile_beats, vec_beats
from models.ioss.oracle import PairCount, count_pairs
from models.ioss.value import unpack_tile, unpack_vectors
from models.laps.config import LapsParams, RegCode, TensorStats
from models.laps.config import RspCode as LapsCode
from models.laps.value import Laps, UpdateAnswer
from models.optc.config import Mode
from models.optc.config import RspCode as OptcCode
from models.optc.value import State, Statistics, update
from models.ran.config import RanDescriptor, Start
from models.ran.value import pack_results, quantise, saturate
from models.top.config import (
    BIAS_WORDS,
    ID_VALUE,
    LANES,
    LOADABLE,
    MASKS_A_WORD,
    MAX_M,
    OPT_LANES,
    PER_CORE,
    QUEUE_DEPTH,
    RECORDS,
    SLOTS,
    STATES,
    STORABLE,
    WORD_BYTES,
    Action,
    Answer,
    Buffer,
    Code,
    Command,
    Engine,
    ErrorRecord,
    Gemm,
    Issue,
    Load,
    Opt,
    Plan,
    PlanSlot,
    Reg,
    Store,
    TopParams,
    Update,
    Write,
    command_of,
    reached,
    result_bytes,
)

U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
PSUM_BYTES = 8 * LANES
MOST_COUNT = 255  # reading: ERROR.count stays there


class BusError(ValueError):
    """A register access that the processor answers with SLVERR or DECERR."""


class StuckError(ValueError):
    """Commands that wait for something that never comes."""


# ---- sums ------------------------------------------------------------------------------------------------------------
def tile_sums(desc: CoreDescriptor, x: npt.NDArray[np.integer], w: npt.NDArray[np.integer], dead: Bools) -> I64:
    """What the IOSS core's products of jobs `x` (M, K) on tiles `w` (T, K, L) add up to, (T, M, L).

    `dead` (T, M, L) are the out_masks; sums of dead lanes are 0. Pairs below `min_order` are left out; with
    `compensate`, issued pairs of that order carry the half-range mean of what is dropped.
    """
    tiles, k_len, lanes = w.shape
    flat = w.transpose(1, 0, 2).reshape(k_len, tiles * lanes)
    if desc.min_order == 0:
        sums = exact_matmul(x, flat)
    else:
        xs, ws = _signed_slices(x, desc.x_slices), _signed_slices(flat, desc.w_slices)
        sums = np.zeros((len(x), tiles * lanes), np.int64)
        for i, part in enumerate(xs):
            kept = sum((ws[j] << 4 * (i + j) for j in range(desc.w_slices) if i + j >= desc.min_order), start=0)
            if isinstance(kept, np.ndarray):
                sums += part @ kept
    out = sums.reshape(len(x), tiles, lanes).transpose(1, 0, 2)
    if desc.compensate and desc.min_order:
        out = out + _compensation(desc, x, w, dead)
    return np.where(dead, 0, out)


def _signed_slices(q: npt.NDArray[np.integer], n: int) -> list[I64]:
    sign, slices = split(q, n)
    return [np.where(sign, -1, 1) * slices[..., i].astype(np.int64) for i in range(n)]


def _compensation(desc: CoreDescriptor, x: npt.NDArray[np.integer], w: npt.NDArray[np.integer], dead: Bools) -> I64:
    """What compensation adds, (T, M, L): only where the pair is issued, which a single live lane decides."""
    xs = _signed_slices(x, desc.x_slices)
    half = 1 << 4 * desc.min_order - 1
    out = np.zeros(dead.shape, np.int64)
    for at, tile in enumerate(w):
        on = split(tile, desc.w_slices)[1] != 0  # (K, L, j)
        live = (~dead[at]).astype(np.int64)  # (M, L)
        sign = np.sign(tile).astype(np.int64)
        for j in range(1, desc.w_slices):
            i = desc.min_order - j
            if 0 <= i < desc.x_slices:
                issued = live @ on[:, :, j].T.astype(np.int64) > 0  # (M, K)
                out[at] += half * ((xs[i] * issued) @ sign)
    return out


# ---- results ---------------------------------------------------------------------------------------------------------
class Stats(NamedTuple):
    """Statistics of a GEMM's results (registers STAT)."""

    values: int = 0
    overflow: int = 0
    zeros: int = 0
    sum_abs: int = 0
    max_bit: int = 0

    def words(self) -> list[int]:
        """Of the registers."""
        return [
            self.values, self.overflow, self.zeros, self.sum_abs & 0xFFFF_FFFF, self.sum_abs >> 32, self.max_bit,
        ]  # fmt: skip

    @classmethod
    def of(cls, words: Sequence[int]) -> Stats:
        """Of the registers' words."""
        return cls(words[0], words[1], words[2], words[3] | words[4] << 32, words[5])

    def plus(self, other: Stats) -> Stats:
        """Of both together."""
        sums = [mine + its for mine, its in zip(self[:4], other[:4], strict=True)]
        return Stats(*sums, max(self.max_bit, other.max_bit))

    def record(self) -> TensorStats:
        """As LAPS takes it."""
        return TensorStats(self.values, self.overflow, self.zeros, self.max_bit, self.sum_abs)


@dataclass
class Activity:
    """What a command moved, for the energy proxy; words of 128 bits by buffer."""

    reads: dict[Buffer, int] = field(default_factory=lambda: dict.fromkeys(Buffer, 0))
    writes: dict[Buffer, int] = field(default_factory=lambda: dict.fromkeys(Buffer, 0))
    pairs: PairCount | None = None
    jobs: int = 0
    outputs: int = 0
    parameters: int = 0
    mode: Mode | None = None  # of the pass over them
    window_words: int = 0  # into the rings of windows, of all cores
    window_beats: int = 0  # made of them


@dataclass
class Result:
    """Of a command: its error record (None: it did well), what a store gave, what it moved."""

    error: ErrorRecord | None = None
    stored: U8 | None = None
    activity: Activity = field(default_factory=Activity)


# ---- the processor ---------------------------------------------------------------------------------------------------
class Processor:
    """Buffers, plan table, LAPS and registers, as after reset (buffers hold zeros).

    `count_pairs`: activities of GEMMs say how many slice pairs were issued and skipped (slow).
    """

    def __init__(self, params: TopParams = TopParams(), count_pairs: bool = False) -> None:  # noqa: B008  (frozen)
        self.params, self.count_pairs = params, count_pairs
        self._memory: dict[tuple[Buffer, int], U8] = {}
        for buffer in Buffer:
            for core in range(params.cores if buffer in PER_CORE else 1):
                self._memory[buffer, core] = np.zeros((params.words_of(buffer), WORD_BYTES), np.uint8)
        self.laps = Laps(LapsParams(params.layers))
        self.plan: list[PlanSlot | None] = [None] * SLOTS
        self.kept: Opt | None = None  # the pass that the next product may feed
        self.stat = Stats()
        self.opt_stat = Statistics(0)
        self.answer = UpdateAnswer(LapsCode.OK)
        self.update_words = [0] * 6
        self.done = [0, 0, 0]
        self.error: ErrorRecord | None = None
        self.errors = 0
        self.irq_status = self.irq_enable = 0
        self.stream: deque[U8] = deque()  # packets that no load has taken yet
        self._ranged = False
        self.seed_word = RESET_SEED
        self.to_come = 0  # of a RUN that nothing follows: commands are the same wherever they come from

    def memory(self, buffer: Buffer, core: int = 0) -> U8:
        """The words (words, 16) of a buffer, of core `core` if every core has its own."""
        return self._memory[buffer, core if buffer in PER_CORE else 0]

    # ---- buffers -----------------------------------------------------------------------------------------------------
    def _read(self, activity: Activity, buffer: Buffer, first: int, count: int, core: int = 0) -> U8:
        """Words; those past the end are 0. Addresses do not wrap."""
        memory = self.memory(buffer, core)
        out = np.zeros((count, WORD_BYTES), np.uint8)
        have = max(0, min(count, len(memory) - first))
        out[:have] = memory[first : first + have]
        self._ranged |= have < count
        activity.reads[buffer] += count
        return out

    def _write(self, activity: Activity, buffer: Buffer, first: int, data: U8, core: int = 0, size: int = 16) -> None:
        """Bytes (n,) from word `first` on, in parts of `size` bytes; parts past the end are not written, and the rest
        of a word keeps what it held."""
        memory = self.memory(buffer, core).reshape(-1)
        at = WORD_BYTES * first
        have = max(0, min(len(data), len(memory) - at))
        memory[at : at + have] = data[:have]
        self._ranged |= have < len(data)
        activity.writes[buffer] += -(-len(data) // max(size, WORD_BYTES)) * max(1, size // WORD_BYTES)

    # ---- commands ----------------------------------------------------------------------------------------------------
    def execute(self, command: Command | Sequence[int], id: int = 0, stream_in: U8 | None = None) -> Result:
        """Carries a command (or its words) out; waits are not looked at.

        Args:
            command: what to do.
            id: as pushed.
            stream_in: a packet (words, 16) after those that are still there; its last word has TLAST.

        Raises `StuckError` for a load without a packet.
        """
        if not isinstance(command, Command):
            command = command_of(command)
        if stream_in is not None:
            self.stream.append(np.asarray(stream_in, np.uint8).reshape(-1, WORD_BYTES))
        self._ranged = False
        result = Result()
        code, detail = self._carry_out(command, result)
        if code == Code.OK and self._ranged:
            code = Code.RANGE
        engine = command.engine
        self.done[engine] = (self.done[engine] + 1) % 256
        self.irq_status |= 1 << engine
        if code != Code.OK:
            result.error = ErrorRecord(code, engine, detail, id)
            self.irq_status |= 8
            self.error = self.error or result.error
            self.errors = min(self.errors + 1, MOST_COUNT)
        return result

    def _carry_out(self, command: Command, result: Result) -> tuple[Code, int]:
        if command.engine == Engine.COMPUTE and command.target:
            return Code.OPERATION, 0
        match command:
            case Load():
                return self._load(command, result), 0
            case Store():
                return self._store(command, result), 0
            case Gemm():
                return self._gemm(command, result)
            case Opt():
                return self._opt(command, result)
            case Plan():
                return self._ask(command)
            case Update():
                return self._tell(command)
        return Code.OPERATION, 0

    def _load(self, command: Load, result: Result) -> Code:
        if command.target not in LOADABLE:
            return Code.OPERATION
        buffer, cores = Buffer(command.target), [0]
        if buffer in PER_CORE:
            cores = [core for core in range(self.params.cores) if command.cores >> core & 1]
        if command.count == 0 or not cores:
            return Code.SIZE
        if not self.stream:
            raise StuckError(
                f"a load of {command.count} words into {buffer.name} waits for a stream that does not come"
            )
        packet = self.stream.popleft()
        for core in cores:
            self._write(result.activity, buffer, command.first, packet[: command.count].reshape(-1), core)
        if buffer == Buffer.X:
            result.activity.writes[buffer] *= self.params.cores
        return Code.OK if len(packet) == command.count else Code.FRAMING  # before an address past the end

    def _store(self, command: Store, result: Result) -> Code:
        if command.target not in STORABLE:
            return Code.OPERATION
        if command.count == 0:
            return Code.SIZE
        if command.target == RECORDS:
            result.stored = self._records(command.first, command.count)
        else:
            result.stored = self._read(result.activity, Buffer(command.target), command.first, command.count)
        return Code.OK

    def _records(self, first: int, count: int) -> U8:
        """Words of the records; those past the end are 0."""
        words = [*self.stat.words(), 0, 0, *opt_words(self.opt_stat)]
        for slot in self.plan:
            words += slot.words if slot else (0,) * 4
        out = np.zeros((count, WORD_BYTES), np.uint8)
        here = np.array(words, "<u4").view(np.uint8).reshape(-1, WORD_BYTES)[first : first + count]
        out[: len(here)] = here
        self._ranged |= len(here) < count
        return out

    def _tell(self, command: Update) -> tuple[Code, int]:
        self.answer = self.laps.update(*divmod(command.y, 4), command.record)
        if self.answer.code != LapsCode.OK:
            return Code.UPDATE, int(self.answer.code)
        return Code.OK, 0

    def _ask(self, command: Plan) -> tuple[Code, int]:
        said = self.laps.order(*(divmod(each, 4) for each in (command.x, command.w, command.y)), command.k)
        if said.code != LapsCode.OK:
            return Code.PLAN, int(said.code)
        self.plan[command.slot] = PlanSlot(said.order, *said.n, *said.fl, said.shift)
        return Code.OK, 0

    # ---- GEMM --------------------------------------------------------------------------------------------------------
    def planned(self, command: Gemm) -> Gemm | None:
        """The command with what its slot says; None if that cannot be."""
        slot = self.plan[command.slot]
        if slot is None or not (command.raw or 0 <= slot.shift <= 63):
            return None
        command = replace(command, n_x=slot.n_x, n_w=slot.n_w, min_order=slot.order)
        return command if command.raw else replace(command, y_bits=slot.n_y - 1, shift=slot.shift)

    def _gemm(self, command: Gemm, result: Result) -> tuple[Code, int]:
        if 0 in (command.m, command.n, command.k) or command.m > MAX_M:
            return Code.SIZE, 0
        if command.planned:
            planned = self.planned(command)
            if planned is None:
                return Code.PLAN, 0
            command = planned
        if code := command.check(self.params):
            return Code.GEMM, code
        if command.bad_windows(self.params):
            return Code.WINDOW, 0
        if command.bad_feed(self.params, self.kept):
            return Code.FEED, 0
        if command.feeds and self.kept and (refused := self.kept.config.check()) != OptcCode.OK:
            return Code.OPTC, int(refused)
        chunks = command.chunks(self.params)
        stats = Stats()
        for index in range(len(chunks)):
            last = index == len(chunks) - 1
            for core in range(self.params.cores):
                tiles = command.tiles_of(core, self.params.cores)
                if tiles:
                    part, y = self._chunk(command, index, core, tiles, result.activity)
                    stats = stats.plus(part) if last else stats
                    if last and command.feeds and self.kept:
                        self._pass(self.kept, y.reshape(-1), result.activity)
        self.stat = stats
        if command.update:
            self.answer = self.laps.update(*divmod(command.y, 4), stats.record())
            if self.answer.code != LapsCode.OK:
                return (Code.RANGE, 0) if self._ranged else (Code.UPDATE, int(self.answer.code))
        return Code.OK, 0

    def _chunk(self, command: Gemm, index: int, core: int, tiles: list[int], activity: Activity) -> tuple[Stats, I64]:
        """One chunk of K on one core; statistics of what left, and that (jobs, lanes)."""
        params, count, m, chunks = self.params, len(tiles), command.m, command.chunks(self.params)
        desc, ran = command.descriptors(params, index)
        before = [command.descriptors(params, each)[0] for each in range(index)]
        length, size = vec_beats(desc), tile_beats(desc, params.core)
        lo, hi = chunks[index]
        if command.x_windows:
            values = self._images(activity, Buffer.X, command, 0, m - 1, count, core)
            x = command.windows.take(values, np.arange(m), lo, hi - lo)
            activity.window_beats += count * m * length
        else:
            at = command.x_first + sum(m * vec_beats(each) for each in before)
            beats = self._read(activity, Buffer.X, at, m * length, core)
            activity.reads[Buffer.X] += (count - 1) * m * length  # each tile reads it again
            x = unpack_vectors(desc, beats.reshape(m, length, WORD_BYTES))
        if command.w_windows:
            values = self._images(activity, Buffer.W, command, lo, hi - 1, count, core)
            w = command.windows.take(values, np.arange(lo, hi), 0, LANES * count)
            w = w.reshape(hi - lo, count, LANES).transpose(1, 0, 2)
            activity.window_beats += count * size
        else:
            at = command.w_first + sum(count * tile_beats(each, params.core) for each in before)
            beats = self._read(activity, Buffer.W, at, count * size, core).reshape(count, size, WORD_BYTES)
            w = np.stack([unpack_tile(desc, params.core, tile) for tile in beats])
        masks = np.zeros((count, m, LANES), bool)
        if command.masks:
            words = -(-count * m // MASKS_A_WORD)
            masks = mask_bits(self._read(activity, Buffer.M, command.mask_first, words, core), count * m)
            masks = masks.reshape(count, m, LANES)
        sums = tile_sums(desc, x, w, masks)
        lanes = np.array([command.lanes_of(tile) for tile in tiles])
        inside = np.broadcast_to((np.arange(LANES) < lanes[:, None])[:, None, :], sums.shape)
        start = np.clip(self._start(command, ran, core, count, activity), -ran.limit(params.ran), ran.limit(params.ran))
        dead = masks | ~inside
        s = np.where(dead, 0, sums + start).reshape(count * m, LANES)
        draw = None
        if ran.round == Round.STOCHASTIC:
            first = np.array([command.first_draw(self.seed_word, tile) for tile in tiles])
            draw = draws((first[:, None] + np.arange(m)).ravel(), LANES)
        z = quantise(s, ran, draw)
        y, over = saturate(z, ran)
        live = inside.reshape(count * m, LANES)
        if not (command.feeds and index == len(chunks) - 1):
            self._leave(command, ran, index, core, y, dead.reshape(s.shape) | (ran.relu & (s <= 0)), activity)
        activity.jobs += count * m
        activity.outputs += int(live.sum())
        if self.count_pairs:
            activity.pairs = _plus(activity.pairs, _pairs(desc, x, w, masks))
        stats = Stats(
            int(live.sum()), int((over & live).sum()), int(((y == 0) & live).sum()),
            0 if ran.raw else int(np.abs(y[live]).sum()), int(bit_length(z[live]).max(initial=0)),
        )  # fmt: skip
        return stats, y

    def _images(
        self, activity: Activity, buffer: Buffer, command: Gemm, first: int, last: int, passes: int, core: int
    ) -> npt.NDArray[np.int32]:
        """Values of the images as windows `first` .. `last` need them, read anew in each pass; others are 0."""
        of_x = buffer == Buffer.X
        n, unsigned = (command.n_x, command.x_unsigned) if of_x else (command.n_w, command.w_unsigned)
        low, high = command.windows.words(n, first, last, command.image_words)
        words = np.zeros((high, WORD_BYTES), np.uint8)
        at = command.x_first if of_x else command.w_first
        words[low:] = self._read(activity, buffer, at + low, high - low, core)
        activity.reads[buffer] += (passes - 1) * (high - low)
        activity.window_words += passes * (high - low)
        return unpack(words, n, bool(unsigned), np.int32)

    def _start(self, command: Gemm, ran: RanDescriptor, core: int, count: int, activity: Activity) -> I64:
        """Start values, (T, 1 or M, L)."""
        if ran.start == Start.BIAS:
            words = self._read(activity, Buffer.W, command.bias_first, BIAS_WORDS * count, core)
            return words.view("<i4").astype(np.int64).reshape(count, 1, LANES)
        if ran.start == Start.PSUM64:
            first = command.psum_first + core * command.psum_step
            words = self._read(activity, Buffer.Y, first, PSUM_BYTES * count * command.m // WORD_BYTES)
            return words.view("<i8").astype(np.int64).reshape(count, command.m, LANES)
        return np.zeros((count, 1, LANES), np.int64)

    def _leave(
        self, command: Gemm, ran: RanDescriptor, index: int, core: int, y: I64, off: Bools, activity: Activity
    ) -> None:
        """Results (J, L) and their masks go to their places."""
        data = pack_results(y, ran.y_bits)
        last = index == len(command.chunks(self.params)) - 1
        size = result_bytes(ran.y_bits)
        if last and command.narrow:
            size = command.result_size
            data = np.ascontiguousarray(data.reshape(len(y), -1)[:, :size])
        first = command.y_first + core * command.y_step if last else command.psum_first + core * command.psum_step
        self._write(activity, Buffer.Y, first, data.reshape(-1), size=size)
        if last and command.write_masks:
            self._write(activity, Buffer.A, command.a_first + core * command.a_step, mask_bytes(off), size=2)

    # ---- OPT ---------------------------------------------------------------------------------------------------------
    def _opt(self, command: Opt, result: Result) -> tuple[Code, int]:
        if command.fed:
            self.kept = command
            return Code.OK, 0
        code = command.config.check()
        if code != OptcCode.OK:
            return Code.OPTC, int(code)
        words = -(-command.config.n // OPT_LANES)
        g = self._read(result.activity, Buffer.Y, command.gradients, words).view("<i4").reshape(-1).astype(np.int64)
        self._pass(command, g, result.activity)
        return Code.OK, 0

    def _pass(self, command: Opt, g: I64, activity: Activity) -> None:
        """A pass with gradients `g` (n or more,)."""
        config = command.config
        n, words = config.n, -(-config.n // OPT_LANES)
        kinds = dict(zip(command.states, ("<i4", "<i4", "<u4"), strict=False))
        read = [
            self._read(activity, buffer, command.state, words).view(kind).reshape(-1)[:n].astype(np.int64)
            for buffer, kind in kinds.items()
        ]
        if len(read) < len(STATES):
            read.append(np.zeros(n, np.int64))
        draw = None
        if config.copy_round == Round.STOCHASTIC:
            draw = draws(self.seed_word + config.draw + np.arange(words), OPT_LANES).reshape(-1)[:n]
        done = update(config, State(*read), g[:n], draw)
        for (buffer, kind), values in zip(kinds.items(), done.state, strict=False):
            whole = np.zeros(words * OPT_LANES, np.int64)  # padding lanes leave as 0
            whole[:n] = values
            self._write(activity, buffer, command.state, whole.astype(kind).view(np.uint8))
        copies = np.zeros(words * OPT_LANES, np.int64)
        copies[:n] = done.y
        data = pack_results(copies.reshape(-1, OPT_LANES), config.copy_format)
        self._write(activity, Buffer.Y, command.copies, data.reshape(-1), size=data.shape[1])
        activity.parameters, activity.mode = n, Mode(config.mode)
        self.opt_stat = done.statistics

    # ---- registers ---------------------------------------------------------------------------------------------------
    def write(self, address: int, value: int) -> None:
        """A host's write. Raises `BusError` where the processor answers with an error, and for what the value level
        does not have: CMD and PUSH (commands go through `execute` or `run`) and the pairs' counters."""
        if address >= Reg.LAPS and address < Reg.COUNTERS:
            code = self.laps.write((address - Reg.LAPS) // 4, value)
            if code != RegCode.OK:
                raise BusError(f"LAPS refuses {value:#x} at {address:#x}: {code.name}")
        elif address == Reg.IRQ_STATUS:
            self.irq_status &= ~value
        elif address == Reg.IRQ_ENABLE:
            self.irq_enable = value & 0xF
        elif address == Reg.ERROR_CLEAR:
            self.error, self.errors = None, 0
        elif address == Reg.RUN:
            self.to_come = value & 0xFFFF
        elif address == Reg.SEED:
            self.seed_word = value
        elif address == Reg.STEP:
            self.laps.step()
        elif Reg.UPD <= address < Reg.UPD_PUSH:
            self.update_words[(address - Reg.UPD) // 4] = value
        elif address == Reg.UPD_PUSH:
            words = self.update_words
            values, overflow, zeros, low, high, last = words
            record = TensorStats(values, overflow, zeros, last >> 10 & 0x3F, low | (high & 0xFFFF) << 32)
            self.answer = self.laps.update(*divmod(last & 0x3FF, 4), record)
        else:
            raise BusError(f"the value level has no register at {address:#x} that can be written")

    def read(self, address: int) -> int:
        """A host's read; errors as `write`."""
        if Reg.LAPS <= address < Reg.COUNTERS:
            code, data = self.laps.read((address - Reg.LAPS) // 4)
            if code != RegCode.OK:
                raise BusError(f"LAPS has no register at {address:#x}")
            return data
        if Reg.PLAN <= address < Reg.PLAN + 16 * SLOTS:
            slot, word = divmod((address - Reg.PLAN) // 4, 4)
            here = self.plan[slot]
            return here.words[word] if here else 0
        for register, words in (
            (Reg.UPD, self.update_words),
            (Reg.STAT, self.stat.words()),
            (Reg.OPT_STAT, opt_words(self.opt_stat)),
        ):
            if register <= address < register + 4 * len(words):
                return words[(address - register) // 4]
        p, said = self.params, self.answer
        one = {
            Reg.ID: ID_VALUE,
            Reg.PARAMS: p.cores | p.rows << 8 | p.lanes << 16 | p.layers << 24,
            Reg.STATUS: 0,
            Reg.IRQ_STATUS: self.irq_status,
            Reg.IRQ_ENABLE: self.irq_enable,
            Reg.DONE: self.done[0] | self.done[1] << 8 | self.done[2] << 16,
            Reg.ERROR: self.error.word(self.errors) if self.error else 0,
            Reg.SEED: self.seed_word,
            Reg.RUN: self.to_come,
            Reg.UPD_ANSWER: (said.fl & 0xFF) | said.n << 8 | int(said.events) << 11 | int(said.code) << 16,
        }
        if address not in one:
            raise BusError(f"the value level has no register at {address:#x} that can be read")
        return one[Reg(address)]

    # ---- batches -----------------------------------------------------------------------------------------------------
    def run(
        self,
        actions: Sequence[Action],
        rng: np.random.Generator | None = None,
        seen: Callable[[Command, Result], None] = lambda *_: None,
    ) -> Answer:
        """Pushes commands in order, as queues have room, and carries them out as waits allow.

        Args:
            actions: what a host does.
            rng: picks among the engines that could start; None: the oldest command, so that none is overtaken for long.
            seen: is told of every command.

        Raises `StuckError` where nothing can go on, `BusError` for a register.
        """
        answer = Answer()
        queues: tuple[deque[tuple[int, Issue]], ...] = (deque(), deque(), deque())
        stored: dict[int, U8] = {}
        waiting = deque(enumerate(actions))
        while waiting or any(queues):
            while waiting:
                at, action = waiting[0]
                if isinstance(action, Issue):
                    queue = queues[action.command.engine]
                    if len(queue) == QUEUE_DEPTH:
                        break
                    queue.append((at, action))
                    if action.stream is not None:
                        self.stream.append(action.stream)
                elif any(queues):
                    break
                elif isinstance(action, Write):
                    if not action.refused:
                        self.write(action.address, action.value)
                else:
                    answer.read.append(self.read(action.address))
                waiting.popleft()
            ready = [each for each in Engine if queues[each] and self._starts(queues[each][0][1].command)]
            if not ready:
                if not any(queues):
                    continue
                heads = ", ".join(
                    f"{type(q[0][1].command).__name__} waits for {q[0][1].command.waits}" for q in queues if q
                )
                raise StuckError(f"no engine can go on with done counters {tuple(self.done)}: {heads}")
            engine = (
                min(ready, key=lambda each: queues[each][0][0]) if rng is None else ready[int(rng.integers(len(ready)))]
            )
            at, issue = queues[engine].popleft()
            result = self.execute(issue.command, issue.id)
            seen(issue.command, result)
            if result.stored is not None:
                stored[at] = result.stored
        answer.stored = [stored[at] for at in sorted(stored)]
        return answer

    def _starts(self, command: Command) -> bool:
        return all(reached(done, wait) for done, wait in zip(self.done, command.waits, strict=True))


def opt_words(stats: Statistics) -> list[int]:
    """Registers OPT_STAT."""
    bits = stats.bits_w | stats.bits_m << 6 | stats.bits_v << 12
    return [
        stats.values, stats.sat_w, stats.sat_m, stats.sat_v, stats.sat_copy, stats.clipped, stats.eps_used, bits,
    ]  # fmt: skip


def mask_bits(words: U8, jobs: int) -> Bools:
    """Masks (jobs, 16) from words (n, 16) of M or A."""
    masks = words.reshape(-1).view("<u2")[:jobs]
    return (masks[:, None] >> np.arange(LANES, dtype=np.uint16) & 1).astype(bool)


def mask_bytes(off: Bools) -> U8:
    """Bytes (2 jobs,) of masks (jobs, 16), as in M and A."""
    masks = (off.astype(np.uint32) << np.arange(LANES, dtype=np.uint32)).sum(axis=1)
    return masks.astype("<u2").view(np.uint8)


def _pairs(desc: CoreDescriptor, x: npt.NDArray[np.integer], w: npt.NDArray[np.integer], dead: Bools) -> PairCount:
    total = None
    for tile, mask in zip(w, dead, strict=True):
        counted = count_pairs(x, tile, desc.x_slices, desc.w_slices, LANES, desc.min_order, mask)
        total = _plus(total, counted)
    assert total is not None
    return total


def _plus(a: PairCount | None, b: PairCount) -> PairCount:
    if a is None:
        return b
    return PairCount(*(getattr(a, name) + getattr(b, name) for name in ("issues", "mask", "x", "w", "order", "dense")))
