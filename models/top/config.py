"""Parameters, buffers, commands, error codes and register addresses of the processor.

Source: docs/top/README.md, sections "Parameters", "Buffers", "Commands", "Errors"; addresses: rtl/top/registers.hjson.
A command's fields are those of the page; `words` packs them, `of` unpacks them. Illegal values are legal stimuli.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from models.common.commands import CMD_WORDS, FIELDS, HEAD, Bits, Engine, Operation
from models.common.formats import CONTAINER, YBits
from models.common.generator import NUMBERS, TILE_DRAWS
from models.common.rounding import Round
from models.common.slices import values_per_beat
from models.ioss.config import CoreParams
from models.ioss.config import Descriptor as CoreDescriptor
from models.laps.config import LEGAL_LAYERS, TensorStats
from models.optc.config import Mode, OptcConfig
from models.ran.config import RanDescriptor, RanParams, Start

I64 = npt.NDArray[np.int64]
LEGAL_CORES = (1, 2, 4)
LANES = 16
OPT_LANES = 4
WORD_BYTES = 16
QUEUE_DEPTH = 4
SLOTS = 32
MAX_M = 16383
DONE_RANGE = 256
BIAS_WORDS = 4  # of a tile
PSUM_WORDS = 8  # of a job, raw 64
MASKS_A_WORD = 8
STATE_A_WORD = 4
COPIES_A_WORD = 8  # of 12 and 16 bits
RAN_CODE = 16
OPT_CFG_WORDS = 9
RECORDS = 8  # target of a STORE: STAT, OPT_STAT and the plan table
STAT_WORDS = 2  # of each of the first two
RECORD_WORDS = 2 * STAT_WORDS + SLOTS
CMD_BEATS = 4  # words of 128 bits that are a command in the stream in
WINDOW_SPAN = 448  # units of 4 bits, from a window's first value to its last


class Buffer(IntEnum):
    """Numbers of the buffers (`target`)."""

    X = 0
    W = 1
    M = 2
    Y = 3
    A = 4
    SW = 5
    SM = 6
    SV = 7


STATES = (Buffer.SW, Buffer.SM, Buffer.SV)
LOADABLE = (Buffer.X, Buffer.W, Buffer.M, Buffer.Y, *STATES)
STORABLE = (Buffer.Y, Buffer.A, *STATES, RECORDS)
PER_CORE = (Buffer.W, Buffer.M)  # a load says which cores take it


ENGINE = {
    Operation.LOAD: Engine.LOAD,
    Operation.GEMM: Engine.COMPUTE,
    Operation.OPT: Engine.COMPUTE,
    Operation.STORE: Engine.STORE,
    Operation.PLAN: Engine.COMPUTE,
    Operation.UPDATE: Engine.COMPUTE,
}


class Code(IntEnum):
    """Why a command failed (`ERROR.code`)."""

    OK = 0
    OPERATION = 1
    SIZE = 2
    RANGE = 3
    FRAMING = 4
    PLAN = 5
    GEMM = 6
    OPTC = 7
    UPDATE = 8
    WINDOW = 9
    FEED = 10


class Reg(IntEnum):
    """Byte addresses."""

    ID = 0x000
    PARAMS = 0x004
    STATUS = 0x008
    IRQ_STATUS = 0x00C
    IRQ_ENABLE = 0x010
    DONE = 0x014
    ERROR = 0x018
    ERROR_CLEAR = 0x01C
    SEED = 0x020
    STEP = 0x024
    PUSH = 0x028
    CYCLES = 0x02C
    RUN = 0x030
    CMD = 0x040
    UPD = 0x080
    UPD_PUSH = 0x098
    UPD_ANSWER = 0x09C
    STAT = 0x0A0
    OPT_STAT = 0x0C0
    PLAN = 0x200
    LAPS = 0x4000
    COUNTERS = 0x8000


ID_VALUE = 0x5453_4C31


@dataclass(frozen=True)
class TopParams:
    """Parameters of an instance; sizes of the buffers in words of 128 bits."""

    cores: int = 1
    rows: int = 8
    lanes: int = LANES
    depth: int = 128
    acc_w: int = 40
    banks: int = 2
    layers: int = 16
    x_words: int = 8192
    w_words: int = 8192
    m_words: int = 1024
    y_words: int = 16384
    s_words: int = 4096

    def __post_init__(self) -> None:
        for name, legal in (("cores", LEGAL_CORES), ("lanes", (LANES,)), ("layers", LEGAL_LAYERS)):
            if getattr(self, name) not in legal:
                raise ValueError(f"{name} must be one of {legal}, not {getattr(self, name)}")
        for name in ("x_words", "w_words", "m_words", "y_words", "s_words"):
            words = getattr(self, name)
            least = 16 if name == "y_words" else 2
            if not least <= words <= 1 << 16 or words & words - 1:
                raise ValueError(f"{name} must be a power of two from {least} to 65536, not {words}")
        _ = self.core, self.ran  # they check the rest

    @property
    def a_words(self) -> int:
        """Size of A: that of M."""
        return self.m_words

    @property
    def core(self) -> CoreParams:
        """Of every IOSS core."""
        return CoreParams(self.rows, self.lanes, self.depth)

    @property
    def ran(self) -> RanParams:
        """Of every RAN."""
        return RanParams(self.rows, self.lanes, self.acc_w, self.banks)

    def words_of(self, buffer: int) -> int:
        """Size of a buffer (of one core's, for X, W and M), or of `RECORDS`."""
        sizes = (
            self.x_words, self.w_words, self.m_words, self.y_words, self.a_words, *(self.s_words,) * 3, RECORD_WORDS
        )  # fmt: skip
        return sizes[buffer]


# ---- fields ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class Command:
    """What all commands have. `waits`: done counters (load, compute, store) that must have been reached."""

    operation: ClassVar[int]
    fields: ClassVar[Mapping[str, Bits]]

    target: int = 0
    wait_load: int = 0
    wait_compute: int = 0
    wait_store: int = 0

    @property
    def waits(self) -> tuple[int, int, int]:
        """By engine."""
        return self.wait_load, self.wait_compute, self.wait_store

    @property
    def engine(self) -> Engine:
        """Whose queue it goes into."""
        return ENGINE[Operation(self.operation)]

    def words(self) -> list[int]:
        """Sixteen 32-bit words. Raises `ValueError` for a value that does not fit its bits."""
        out = [0] * CMD_WORDS
        out[0] = int(self.operation)
        for name, bits in {**HEAD, **self.fields}.items():
            value = int(getattr(self, name))
            if value < 0 or value >> bits.width:
                raise ValueError(f"{type(self).__name__}.{name} is {value}; its {bits.width} bits hold no such value")
            out[bits.word] |= value << bits.low
        return out

    @classmethod
    def _of(cls, words: Sequence[int]) -> Self:
        values: dict[str, Any] = {
            name: words[bits.word] >> bits.low & (1 << bits.width) - 1 for name, bits in {**HEAD, **cls.fields}.items()
        }
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Unknown(Command):
    """A command whose operation does not exist; it is refused. The page says no engine: compute takes it."""

    operation: ClassVar[int] = 0
    fields: ClassVar[Mapping[str, Bits]] = {"code": Bits(0, 0, 4)}

    code: int = 0

    @property
    def engine(self) -> Engine:
        """Whose queue it goes into."""
        return Engine.COMPUTE


@dataclass(frozen=True, kw_only=True)
class Load(Command):
    """Stream in to a buffer: `count` words from `first` on; `cores` (bits): who takes it, for W and M."""

    operation: ClassVar[int] = Operation.LOAD
    fields: ClassVar[Mapping[str, Bits]] = FIELDS[Operation.LOAD]

    first: int = 0
    cores: int = 0
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Store(Command):
    """Buffer, or `RECORDS`, to stream out: `count` words from `first` on."""

    operation: ClassVar[int] = Operation.STORE
    fields: ClassVar[Mapping[str, Bits]] = FIELDS[Operation.STORE]

    first: int = 0
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Plan(Command):
    """Asks LAPS about a product; x, w and y are {layer, class}: 4 * layer + class."""

    operation: ClassVar[int] = Operation.PLAN
    fields: ClassVar[Mapping[str, Bits]] = FIELDS[Operation.PLAN]

    x: int = 0
    w: int = 0
    y: int = 0
    k: int = 1
    slot: int = 0


@dataclass(frozen=True, kw_only=True)
class Update(Command):
    """Gives LAPS statistics of a tensor, y = {layer, class}; the sum of magnitudes has 48 bits."""

    operation: ClassVar[int] = Operation.UPDATE
    fields: ClassVar[Mapping[str, Bits]] = FIELDS[Operation.UPDATE]

    values: int = 0
    overflow: int = 0
    zeros: int = 0
    sum_low: int = 0
    sum_high: int = 0
    y: int = 0
    max_bit: int = 0

    @property
    def record(self) -> TensorStats:
        """As LAPS takes it."""
        return TensorStats(self.values, self.overflow, self.zeros, self.max_bit, self.sum_low | self.sum_high << 32)


@dataclass(frozen=True, kw_only=True)
class Opt(Command):
    """An optimiser pass over state, gradients and copies. `fed`: it is kept until a product feeds it its gradients."""

    operation: ClassVar[int] = Operation.OPT
    fields: ClassVar[Mapping[str, Bits]] = FIELDS[Operation.OPT]

    state: int = 0
    gradients: int = 0
    copies: int = 0
    fed: bool = False
    config: OptcConfig  # its draws are counted from SEED on

    @property
    def states(self) -> tuple[Buffer, ...]:
        """Buffers that it reads and writes: momentum has no second moment."""
        return STATES if self.config.mode == Mode.ADAM else STATES[:2]

    @property
    def copy_words(self) -> int:
        """Words in Y that the copies take."""
        return -(-self.config.n // values_per_beat(self.config.copy_format + 1))

    def words(self) -> list[int]:
        """Sixteen 32-bit words."""
        out = super().words()
        word = self.config.word
        out[3 : 3 + OPT_CFG_WORDS] = [word >> 32 * at & 0xFFFF_FFFF for at in range(OPT_CFG_WORDS)]
        return out

    @classmethod
    def _of(cls, words: Sequence[int]) -> Self:
        values: dict[str, Any] = {
            name: words[bits.word] >> bits.low & (1 << bits.width) - 1 for name, bits in {**HEAD, **cls.fields}.items()
        }
        config = OptcConfig.of(sum(words[3 + at] << 32 * at for at in range(OPT_CFG_WORDS)))
        return cls(config=config, **values)


@dataclass(frozen=True)
class Windows:
    """Windows of images that lie one after the other, row by row, `channels` values a column (docs/top/windows.md).

    A window takes `kernel_rows` x `kernel_columns` columns; windows follow each other every `stride` columns and rows,
    and reach `pad_rows`, `pad_columns` over the image's borders, where values are 0.
    """

    channels: int
    columns: int
    rows: int
    kernel_rows: int
    kernel_columns: int
    pad_rows: int = 0
    pad_columns: int = 0
    stride: int = 1

    @property
    def places(self) -> tuple[int, int]:
        """Windows of an image: rows and columns of them."""
        high = self.rows + 2 * self.pad_rows - self.kernel_rows
        wide = self.columns + 2 * self.pad_columns - self.kernel_columns
        return high // self.stride + 1, wide // self.stride + 1

    @property
    def length(self) -> int:
        """Values of a window."""
        return self.kernel_rows * self.kernel_columns * self.channels

    @property
    def image(self) -> int:
        """Values of an image."""
        return self.rows * self.columns * self.channels

    @property
    def span(self) -> int:
        """Values from a window's first to its last, as they lie."""
        return ((self.kernel_rows - 1) * self.columns + self.kernel_columns) * self.channels

    def fit(self, n: int) -> bool:
        """Whether windows of values of `n` slices can be made."""
        sizes = (self.channels, self.columns, self.rows, self.kernel_rows, self.kernel_columns, self.stride)
        fields = FIELDS[Operation.GEMM]
        if any(value >> fields[name].width for name, value in asdict(self).items()):
            return False
        if 0 in sizes or 2 * self.pad_rows >= self.kernel_rows or 2 * self.pad_columns >= self.kernel_columns:
            return False
        if self.kernel_rows > self.rows + 2 * self.pad_rows:
            return False
        if self.kernel_columns > self.columns + 2 * self.pad_columns:
            return False
        return self.span * 32 <= WINDOW_SPAN * values_per_beat(n)

    def begins(self, jobs: I64) -> tuple[I64, I64, I64]:
        """Of windows number `jobs`: image, first row and column, padding included."""
        high, wide = self.places
        image, place = np.divmod(jobs, high * wide)
        row, column = np.divmod(place, wide)
        return image, row * self.stride - self.pad_rows, column * self.stride - self.pad_columns

    def first_value(self, jobs: I64) -> I64:
        """Number of the value with which windows begin, as the images lie; padding too counts as if it lay there."""
        image, row, column = self.begins(jobs)
        return image * self.image + (row * self.columns + column) * self.channels

    def take(self, values: npt.NDArray[np.integer], jobs: I64, first: int, count: int) -> npt.NDArray[np.integer]:
        """Values `first` .. `first + count - 1` of windows `jobs`, (jobs, count), from images (values,); 0 for padding,
        past the window's end and past that of the images."""
        at = np.arange(first, first + count)
        kernel_row, rest = np.divmod(at, self.kernel_columns * self.channels)
        kernel_column, channel = np.divmod(rest, self.channels)
        image, row, column = (each[:, None] for each in self.begins(jobs))
        y, x = row + kernel_row, column + kernel_column
        inside = (y >= 0) & (y < self.rows) & (x >= 0) & (x < self.columns) & (at < self.length)
        place = image * self.image + (y * self.columns + x) * self.channels + channel
        inside &= place < len(values)
        return np.where(inside, np.append(values, 0)[np.where(inside, place, -1)], 0)

    def words(self, n: int, first: int, last: int, image_words: int) -> tuple[int, int]:
        """Words (from, to) of images of `n` slices that windows number `first` .. `last` make the processor read: in
        order, from the first one's begin to one word past the last one's end, as far as there are images."""
        begin, end = (int(each) for each in self.first_value(np.array([first, last], np.int64)))
        a_word = values_per_beat(n)
        low = min(max(begin // a_word, 0), image_words)
        high = (end + self.span - 1) // a_word + 2
        return low, max(min(high, image_words), low)


@dataclass(frozen=True, kw_only=True)
class Gemm(Command):
    """Y = X W. Addresses in words; `y_step`, `a_step`, `psum_step`: between one core and the next."""

    operation: ClassVar[int] = Operation.GEMM
    fields: ClassVar[Mapping[str, Bits]] = FIELDS[Operation.GEMM]

    m: int = 1
    k: int = 1
    n: int = 1
    x_first: int = 0
    w_first: int = 0
    bias_first: int = 0
    mask_first: int = 0
    y_first: int = 0
    a_first: int = 0
    psum_first: int = 0
    y_step: int = 0
    a_step: int = 0
    psum_step: int = 0
    n_x: int = 2
    n_w: int = 2
    min_order: int = 0
    x_unsigned: bool = False
    w_unsigned: bool = False
    compensate: bool = False
    reduce_factor: int = 1
    y_bits: int = YBits.B8
    y_unsigned: bool = False
    relu: bool = False
    round: int = 0
    rand_bits: int = 0
    shift: int = 0
    biases: bool = False
    masks: bool = False
    planned: bool = False
    slot: int = 0
    update: bool = False
    y: int = 0
    write_masks: bool = False
    x_windows: bool = False
    w_windows: bool = False
    narrow: bool = False
    feeds: bool = False
    channels: int = 0
    columns: int = 0
    rows: int = 0
    kernel_rows: int = 0
    kernel_columns: int = 0
    pad_rows: int = 0
    pad_columns: int = 0
    stride: int = 0
    image_words: int = 0
    draw: int = 0  # number of the first job's draws, less SEED

    @property
    def windows(self) -> Windows:
        """Of its images."""
        return Windows(
            self.channels, self.columns, self.rows, self.kernel_rows, self.kernel_columns, self.pad_rows,
            self.pad_columns, self.stride,
        )  # fmt: skip

    def bad_windows(self, params: TopParams) -> bool:
        """Whether it asks for windows that cannot be made: tiles of windows take one core."""
        bad_x = self.x_windows and not self.windows.fit(self.n_x)
        return bool(bad_x or (self.w_windows and (params.cores > 1 or not self.windows.fit(self.n_w))))

    def bad_feed(self, params: TopParams, kept: Opt | None) -> bool:
        """Whether its results shall feed a pass that they cannot feed: those of one core, raw 32, as many as the pass
        has parameters; nothing of it may be drawn, as jobs end in any order."""
        if not self.feeds:
            return False
        results = LANES * self.m * self.tiles
        whole = self.y_bits == YBits.RAW32 and not self.narrow and not self.write_masks and params.cores == 1
        drawn = kept is not None and kept.config.copy_round == Round.STOCHASTIC
        return not whole or drawn or results != (kept.config.n if kept else 0)

    @property
    def raw(self) -> bool:
        """Whether results leave as raw sums."""
        return self.y_bits in (YBits.RAW32, YBits.RAW64)

    @property
    def result_size(self) -> int:
        """Bytes that a job's result takes in Y."""
        return result_bytes(self.y_bits) // (2 if self.narrow else 1)

    @property
    def tiles(self) -> int:
        """Tiles of columns."""
        return -(-self.n // LANES)

    def tiles_of(self, core: int, cores: int) -> list[int]:
        """Tiles that a core computes, in order."""
        return list(range(core, self.tiles, cores))

    def lanes_of(self, tile: int) -> int:
        """Columns of a tile."""
        return min(LANES, self.n - LANES * tile)

    def chunks(self, params: TopParams) -> list[tuple[int, int]]:
        """Elements (from, to) of every chunk of K."""
        span = self.reduce_factor * params.depth or self.k
        return [(lo, min(lo + span, self.k)) for lo in range(0, self.k, span)]

    def first_draw(self, seed: int, tile: int) -> int:
        """Number of the draws of a tile's first job, when SEED holds `seed`."""
        return (seed + self.draw + TILE_DRAWS * tile) % NUMBERS

    def descriptors(self, params: TopParams, index: int, lanes: int = LANES) -> tuple[CoreDescriptor, RanDescriptor]:
        """The pair's descriptor of a tile with `lanes` columns in chunk `index`; draws are left at 0 (`first_draw`).

        Partial sums leave as raw 64, rounded to nearest (raw sums are not rounded: no draw).
        """
        chunks = self.chunks(params)
        lo, hi = chunks[index]
        core = CoreDescriptor(
            self.n_x, self.n_w, bool(self.x_unsigned), bool(self.w_unsigned), self.min_order, bool(self.compensate),
            self.reduce_factor, hi - lo, self.m,
        )  # fmt: skip
        start = Start.PSUM64 if index else Start.BIAS if self.biases else Start.ZERO
        shared: dict[str, Any] = {
            "start": start, "lanes": lanes, "reduce_factor": self.reduce_factor, "n_jobs": self.m,
            "x_slices": self.n_x, "w_slices": self.n_w, "x_unsigned": bool(self.x_unsigned),
            "w_unsigned": bool(self.w_unsigned), "compensate": bool(self.compensate), "k_len": hi - lo,
            "stat_last": index == len(chunks) - 1,
        }  # fmt: skip
        if index < len(chunks) - 1:
            return core, RanDescriptor(YBits.RAW64, **shared)
        return core, RanDescriptor(
            self.y_bits, bool(self.y_unsigned), bool(self.relu), self.round, self.rand_bits, self.shift, **shared
        )

    def check(self, params: TopParams) -> int:
        """The pair's code: of the first descriptor that it would refuse, 0 if none."""
        for index in range(len(self.chunks(params))):
            core, ran = self.descriptors(params, index)
            if code := int(core.check(params.core)):
                return code
            if code := int(ran.check(params.ran)):
                return RAN_CODE + code
        return 0


def result_bytes(y_bits: int) -> int:
    """Bytes that a job's result takes in Y."""
    return LANES * CONTAINER[YBits(y_bits)] // 8


_KINDS: dict[int, type[Command]] = {
    Operation.LOAD: Load, Operation.GEMM: Gemm, Operation.OPT: Opt, Operation.STORE: Store, Operation.PLAN: Plan,
    Operation.UPDATE: Update,
}  # fmt: skip


def command_of(words: Sequence[int]) -> Command:
    """The command of its sixteen words."""
    return _KINDS.get(words[0] & 0xF, Unknown)._of(words)


# ---- plan table and registers ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class PlanSlot:
    """What LAPS answered: slices, fraction lengths and shift of a product's tensors."""

    order: int
    n_x: int
    n_w: int
    n_y: int
    fl_x: int
    fl_w: int
    fl_y: int
    shift: int

    @property
    def words(self) -> tuple[int, int, int, int]:
        """As registers PLAN + 4 slot .. + 3."""
        head = 1 | self.n_x << 1 | self.n_w << 4 | self.n_y << 7 | self.order << 10
        fls = (self.fl_x & 0xFF) | (self.fl_w & 0xFF) << 8 | (self.fl_y & 0xFF) << 16
        return head, fls, self.shift & 0xFFFF_FFFF, 0

    @classmethod
    def of(cls, words: Sequence[int]) -> PlanSlot | None:
        """The inverse; None if the slot is empty."""
        head, fls, shift = words[:3]
        if not head & 1:
            return None
        fl = [signed(fls >> 8 * at, 8) for at in range(3)]
        return cls(head >> 10 & 3, head >> 1 & 7, head >> 4 & 7, head >> 7 & 7, *fl, signed(shift, 32))


@dataclass(frozen=True)
class ErrorRecord:
    """A failed command. `detail`: the code of the part that refused."""

    code: Code
    engine: Engine
    detail: int = 0
    id: int = 0

    def word(self, count: int) -> int:
        """As register ERROR."""
        return int(self.code) | self.engine << 4 | self.detail << 8 | self.id << 16 | count << 24


def signed(value: int, bits: int) -> int:
    """The lowest `bits` bits as a two's-complement number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def reached(done: int, wait: int) -> bool:
    """Whether a done counter has reached what a command waits for."""
    return (done - wait) % DONE_RANGE < DONE_RANGE // 2


# ---- what a host does ------------------------------------------------------------------------------------------------
Words = Any  # uint8 (words, 16)


@dataclass(frozen=True)
class Issue:
    """Pushes a command; `stream` (words, 16): what a load takes, its last word with TLAST. `spare`: what the bits of
    its sixteen words hold that mean nothing, lowest word first."""

    command: Command
    stream: Words | None = None
    id: int = 0
    spare: int = 0

    def words(self) -> list[int]:
        """The sixteen words that are pushed. Raises `ValueError` if a bit of `spare` means something."""
        words = [word | self.spare >> 32 * at & 0xFFFF_FFFF for at, word in enumerate(self.command.words())]
        if command_of(words) != self.command:
            raise ValueError(f"spare bits {self.spare:#x} change a {type(self.command).__name__}")
        return words

    def stream_words(self) -> Words:
        """The words (4, 16) of the stream in that are this command, while RUN is not 0."""
        return np.array(self.words(), "<u4").view(np.uint8).reshape(-1, WORD_BYTES)


@dataclass(frozen=True)
class Write:
    """Writes a register when every earlier command is done; with `at_once` as soon as the host can, `gap` idle cycles
    after its access before. The value model carries both out in order: what `at_once` writes must not matter to the
    commands under way. `refused`: it is answered with SLVERR, and changes nothing."""

    address: int
    value: int
    at_once: bool = False
    gap: int = 0
    refused: bool = False


@dataclass(frozen=True)
class Read:
    """Reads a register when every earlier command is done. UPD_ANSWER is read again while `pending` is set."""

    address: int


Action = Issue | Write | Read


@dataclass
class Answer:
    """What a batch of actions gave: words of every store (in order), data of every read (in order)."""

    stored: list[Words] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
