"""Host software of the processor as a library: products, optimiser passes and updates into commands and stream words,
and stored words back into matrices.

Source: docs/top/README.md. A `Program` is a batch of actions; it works out what every command waits for from the words
that it reads and writes. A `Mapper` lays operands out and splits products that do not fit. A `Backend` carries actions
out: the value model here, a simulation of the RTL elsewhere. Errors: `MapError`, one line.

Buffers are used as rings: what is loaded next goes after what was loaded last, so that a load has to wait for a
product only when it comes round to its operands. Parts of a split product take at most half of a buffer, so that the
next part comes in while one computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from host.layers import Images
from models.common.formats import YBits
from models.common.generator import NUMBERS, PRODUCT_DRAWS, TILE_DRAWS
from models.common.rounding import Round
from models.common.slices import check_range, pack, unpack, values_per_beat
from models.common.tensors import exact_matmul
from models.ioss.config import tile_beats, vec_beats
from models.ioss.value import pack_jobs, pack_tile
from models.optc.value import State
from models.ran.config import LEGAL_REDUCE, sum_bound
from models.ran.value import unpack_results
from models.top.config import (
    BIAS_WORDS,
    DONE_RANGE,
    LANES,
    MASKS_A_WORD,
    MAX_M,
    PER_CORE,
    PSUM_WORDS,
    RECORDS,
    STAT_WORDS,
    STATE_A_WORD,
    STATES,
    WORD_BYTES,
    Action,
    Answer,
    Buffer,
    Command,
    Engine,
    Gemm,
    Issue,
    Load,
    Opt,
    Plan,
    Read,
    Reg,
    Store,
    TopParams,
    Update,
    Write,
)
from models.top.value import Processor, Result, Stats, mask_bits, mask_bytes

U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
EPOCH = 32  # commands; three epochs must stay below half the range of a done counter
MAX_COUNT = (1 << 16) - 1  # words of one load or store, and the largest address


class MapError(ValueError):
    """Something that the processor cannot do; the message is one line."""


class Backend(Protocol):
    """Who carries actions out; errors of the processor are raised."""

    def run(self, actions: Sequence[Action]) -> Answer:
        """Carries a batch out, in order as far as waits ask; returns when everything is done."""


# ---- programs --------------------------------------------------------------------------------------------------------
class Extent(NamedTuple):
    """Words that a command touches, of a buffer or of `RECORDS`; `core` is 0 for what all cores share (X: its copies
    are alike)."""

    buffer: int
    core: int
    first: int
    end: int
    writes: bool


def extents(command: Command, params: TopParams, kept: Opt | None = None) -> list[Extent]:
    """Words that a good command reads and writes; `kept`: the pass that it would feed."""
    match command:
        case Load():
            buffer = Buffer(command.target)
            cores = [c for c in range(params.cores) if command.cores >> c & 1] if buffer in PER_CORE else [0]
            return [Extent(buffer, core, command.first, command.first + command.count, True) for core in cores]
        case Store():
            return [Extent(command.target, 0, command.first, command.first + command.count, False)]
        case Plan():
            return [Extent(RECORDS, 0, 2 * STAT_WORDS + command.slot, 2 * STAT_WORDS + command.slot + 1, True)]
        case Opt() if not command.fed:
            words = -(-command.config.n // STATE_A_WORD)
            gradients = Extent(Buffer.Y, 0, command.gradients, command.gradients + words, False)
            return [*_pass_extents(command), gradients]
        case Gemm():
            out = [*_gemm_extents(command, params), Extent(RECORDS, 0, 0, STAT_WORDS, True)]
            return out + _pass_extents(kept) if command.feeds and kept else out
    return []


def _pass_extents(command: Opt) -> list[Extent]:
    """State, copies and record."""
    words = -(-command.config.n // STATE_A_WORD)
    out = [Extent(each, 0, command.state, command.state + words, True) for each in command.states]
    out.append(Extent(RECORDS, 0, STAT_WORDS, 2 * STAT_WORDS, True))
    return [*out, Extent(Buffer.Y, 0, command.copies, command.copies + command.copy_words, True)]


def _gemm_extents(command: Gemm, params: TopParams) -> Iterator[Extent]:
    descs = [command.descriptors(params, at)[0] for at in range(len(command.chunks(params)))]
    x_words = command.image_words if command.x_windows else command.m * sum(vec_beats(desc) for desc in descs)
    yield Extent(Buffer.X, 0, command.x_first, command.x_first + x_words, False)
    for core in range(params.cores):
        tiles = len(command.tiles_of(core, params.cores))
        if not tiles:
            continue
        w_words = tiles * sum(tile_beats(desc, params.core) for desc in descs)
        if command.w_windows:
            w_words = command.image_words
        spans = [(Buffer.W, core, command.w_first, w_words, False)]
        if command.biases:
            spans.append((Buffer.W, core, command.bias_first, BIAS_WORDS * tiles, False))
        if command.masks:
            spans.append((Buffer.M, core, command.mask_first, -(-tiles * command.m // MASKS_A_WORD), False))
        words = -(-tiles * command.m * command.result_size // WORD_BYTES)
        if not command.feeds:
            spans.append((Buffer.Y, 0, command.y_first + core * command.y_step, words, True))
        if command.write_masks:
            words = -(-tiles * command.m // MASKS_A_WORD)
            spans.append((Buffer.A, 0, command.a_first + core * command.a_step, words, True))
        if len(descs) > 1:
            first = command.psum_first + core * command.psum_step
            spans.append((Buffer.Y, 0, first, tiles * command.m * PSUM_WORDS, True))
        for buffer, at, first, words, writes in spans:
            yield Extent(buffer, at, first, first + words, writes)


class Scheduler:
    """Works out the done counters that commands wait for; lives as long as the processor is not reset.

    A command waits for every earlier one of another engine that touches its words, where one of the two writes. It also
    waits for all commands of the epoch before the last, so that no counter is ever half its range away from what
    somebody waits for. `done`: commands that the processor has finished already, by engine.
    """

    def __init__(self, params: TopParams, done: tuple[int, int, int] = (0, 0, 0)) -> None:
        self.params = params
        self.issued = list(done)
        self._floors = [list(done), list(done)]  # counts at the ends of the epochs before the last and before
        self._in_epoch = 0
        self._touched: dict[tuple[int, int], list[tuple[Extent, Engine, int]]] = {}
        self._kept: Opt | None = None

    def place(self, command: Command) -> Command:
        """The command with its waits."""
        if self._in_epoch == EPOCH:
            self._floors = [self._floors[1], list(self.issued)]
            self._in_epoch = 0
            self._forget()
        self._in_epoch += 1
        waits = list(self._floors[0])
        if isinstance(command, Opt) and command.fed:
            self._kept = command
        mine = extents(command, self.params, self._kept)
        for extent in mine:
            for other, engine, count in self._touched.get((extent.buffer, extent.core), ()):
                if (extent.writes or other.writes) and extent.first < other.end and other.first < extent.end:
                    waits[engine] = max(waits[engine], count)
        engine = command.engine
        waits[engine] = self.issued[engine]  # its own commands are done in order
        self.issued[engine] += 1
        for extent in mine:
            places = self._touched.setdefault((extent.buffer, extent.core), [])
            places.append((extent, engine, self.issued[engine]))
        load, compute, store = (each % DONE_RANGE for each in waits)
        return replace(command, wait_load=load, wait_compute=compute, wait_store=store)

    def _forget(self) -> None:
        """What everybody waits for anyway."""
        for places in self._touched.values():
            places[:] = [place for place in places if place[2] > self._floors[0][place[1]]]


class Program:
    """A batch of actions; positions of stores and reads in its `Answer` are given out."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.actions: list[Action] = []
        self._stores = self._reads = 0

    def issue(self, command: Command, stream: U8 | None = None) -> None:
        """Adds a command."""
        self.actions.append(Issue(self.scheduler.place(command), stream, len(self.actions) % 256))

    def load(self, buffer: Buffer, first: int, words: U8, core: int | None = None) -> None:
        """Loads words (n, 16); W and M: into `core`, None: into all."""
        params = self.scheduler.params
        cores = 0
        if buffer in PER_CORE:
            cores = (1 << params.cores) - 1 if core is None else 1 << core
        self.issue(Load(target=buffer, first=first, cores=cores, count=len(words)), words)

    def store(self, buffer: int, first: int, count: int) -> int:
        """Stores words of a buffer, or of `RECORDS`; their place in `Answer.stored`."""
        self.issue(Store(target=buffer, first=first, count=count))
        self._stores += 1
        return self._stores - 1

    def write(self, address: int, value: int) -> None:
        """Writes a register, when everything before is done."""
        self.actions.append(Write(address, value))

    def read(self, address: int, count: int = 1) -> slice:
        """Reads registers, when everything before is done; their places in `Answer.read`."""
        self.actions += [Read(address + 4 * at) for at in range(count)]
        self._reads += count
        return slice(self._reads - count, self._reads)

    def update(self, entry: int, stats: Stats) -> None:
        """Gives LAPS statistics of a tensor; `entry` = 4 * layer + class."""
        values, overflow, zeros, low, high, longest = stats.words()
        self.issue(
            Update(
                values=values, overflow=overflow, zeros=zeros, sum_low=low, sum_high=high, y=entry, max_bit=longest
            )
        )  # fmt: skip

    def stat(self) -> Callable[[Answer], list[int]]:
        """STAT after what was issued; gives what turns the answer into its words."""
        return self._record(0, STAT_WORDS)

    def opt_stat(self) -> Callable[[Answer], list[int]]:
        """OPT_STAT likewise."""
        return self._record(STAT_WORDS, STAT_WORDS)

    def slots(self, first: int, count: int = 1) -> Callable[[Answer], list[int]]:
        """Slots of the plan table likewise, four words each."""
        return self._record(2 * STAT_WORDS + first, count)

    def _record(self, first: int, count: int) -> Callable[[Answer], list[int]]:
        place = self.store(RECORDS, first, count)
        return lambda answer: np.ascontiguousarray(answer.stored[place]).view("<u4").reshape(-1).tolist()


class ModelBackend:
    """The value model as a backend.

    Args:
        processor: the model.
        rng: shuffles engines (as `Processor.run`).
        seen: is told of every command.
    """

    def __init__(
        self,
        processor: Processor,
        rng: np.random.Generator | None = None,
        seen: Callable[[Command, Result], None] = lambda *_: None,
    ) -> None:
        self.processor, self.rng, self.seen = processor, rng, seen

    def run(self, actions: Sequence[Action]) -> Answer:
        """Raises `MapError` if the processor refused something."""
        answer = self.processor.run(actions, self.rng, self.seen)
        error = self.processor.error
        if error is not None:
            raise MapError(
                f"the processor refused command {error.id}: {error.code.name} of engine {error.engine.name},"
                f" detail {error.detail}"
            )
        return answer


# ---- products --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Operand:
    """Integers `q` (2-D) of `n` slices."""

    q: npt.NDArray[np.integer]
    n: int
    unsigned: bool = False


@dataclass(frozen=True)
class Format:
    """How results leave."""

    y_bits: int = YBits.B8
    unsigned: bool = False
    relu: bool = False
    round: int = Round.NEAREST
    rand_bits: int = 0
    shift: int = 0


RAW32, RAW64 = Format(YBits.RAW32), Format(YBits.RAW64)


@dataclass(frozen=True)
class Product:
    """Y = X W + bias: x (M, K), w (K, N), mask (M, N) True = known to be zero, bias (N,) in units of the sum.

    `slot`: planned; operands and `out` must have the formats that the slot holds. `update`: entry of LAPS (4 * layer +
    class) that the results' statistics move. `masks`: the results' masks are wanted, too. `reduce_factor` None: the
    smallest with which K needs no partial sums, if there is one. `x_images`, `w_images`: what rows of x or w are
    windows of; the images are loaded instead where the processor can make the windows. `draw`: number of the
    first job's draws, less SEED; None: far from those of every other product.
    """

    x: Operand
    w: Operand
    out: Format = Format()
    mask: Bools | None = None
    bias: I64 | None = None
    min_order: int = 0
    compensate: bool = False
    reduce_factor: int | None = None
    slot: int | None = None
    update: int | None = None
    masks: bool = False
    x_images: Images | None = None
    w_images: Images | None = None
    draw: int | None = None
    name: str = "product"

    @property
    def shape(self) -> tuple[int, int, int]:
        """M, K, N."""
        return (*self.x.q.shape, self.w.q.shape[1])


@dataclass(frozen=True)
class ProductResult:
    """y (M, N); masks (M, N) if they were wanted. `update`: statistics that the host has to send to LAPS, because the
    product was split, with their entry."""

    y: I64
    masks: Bools | None
    update: tuple[int, Stats] | None


@dataclass(frozen=True)
class _Part:
    """One GEMM command of a product: rows from m0, columns from n0; where its results are, its statistics, and those of
    results that feed."""

    command: Gemm
    m0: int
    n0: int
    store: int | None = None
    masks: int | None = None
    stat: Callable[[Answer], list[int]] | None = None


def _scatter(command: Gemm, cores: int) -> Iterator[tuple[int, int, int]]:
    """(core, place among the core's tiles, tile)."""
    for core in range(cores):
        for at, tile in enumerate(command.tiles_of(core, cores)):
            yield core, at, tile


@dataclass
class Outcome:
    """Where a product's results are in the answer of its program."""

    product: Product
    params: TopParams
    parts: list[_Part] = field(default_factory=list)

    @property
    def used(self) -> Product:
        """The product with the reduce factor and the draws that it was given."""
        first = self.parts[0].command
        return replace(self.product, reduce_factor=first.reduce_factor, draw=first.draw)

    def seen(self, answer: Answer) -> tuple[int, int]:
        """Of results that have fed a pass: how many did not fit 32 bits, the longest bit length."""
        (part,) = self.parts
        assert part.stat is not None
        stat = Stats.of(part.stat(answer))
        return stat.overflow, stat.max_bit

    def result(self, answer: Answer) -> ProductResult:
        """Results from stored words. Raises `MapError` for words that are missing."""
        m, _, n = self.product.shape
        y = np.zeros((m, -(-n // LANES) * LANES), np.int64)
        masks = np.zeros(y.shape, bool) if self.product.masks else None
        stats = None
        for part in self.parts:
            command = part.command
            assert part.store is not None
            if len(answer.stored) <= part.store:
                raise MapError(f"{self.product.name}: the answer has no stored words {part.store}")
            data = answer.stored[part.store].reshape(-1)
            size, lanes = command.result_size, LANES // 2 if command.narrow else LANES
            rows = slice(part.m0, part.m0 + command.m)
            for core, at, tile in _scatter(command, self.params.cores):
                first = WORD_BYTES * core * command.y_step + at * command.m * size
                values = data[first : first + command.m * size].reshape(command.m, size)
                columns = slice(part.n0 + LANES * tile, part.n0 + LANES * tile + LANES)
                kept = slice(columns.start, columns.start + lanes)
                y[rows, kept] = unpack_results(values, command.y_bits, bool(command.y_unsigned), lanes)
                if masks is not None and part.masks is not None:
                    first = WORD_BYTES * core * command.a_step + 2 * at * command.m
                    bits = answer.stored[part.masks].reshape(-1)[first : first + 2 * command.m]
                    masks[rows, columns] = mask_bits(bits, command.m)
            if part.stat is not None:
                mine = Stats.of(part.stat(answer))
                stats = mine if stats is None else stats.plus(mine)
        update = None if stats is None or self.product.update is None else (self.product.update, stats)
        y, kept = y[:, :n], None if masks is None else masks[:, :n]
        if self.product.w_images is not None:
            back = np.argsort(self.product.w_images.order)
            y, kept = y[:, back], None if kept is None else kept[:, back]
        return ProductResult(y, kept, update)


def _ordered(product: Product) -> Product:
    """The product with elements of K, or columns, in the order of its images' windows."""
    x, w = product.x, product.w
    if product.x_images is not None:
        order = product.x_images.order
        x, w = replace(x, q=x.q[:, order]), replace(w, q=w.q[order])
    if product.w_images is None:
        return replace(product, x=x, w=w)
    order = product.w_images.order
    mask, bias = (None if each is None else each[..., order] for each in (product.mask, product.bias))
    return replace(product, x=x, w=replace(w, q=w.q[:, order]), mask=mask, bias=bias)


def _image_words(images: Images | None, n: int) -> U8:
    """Words (words, 16) of values of `n` slices."""
    assert images is not None
    return pack(images.values.astype(np.int64), n)


def _key(words: Sequence[U8]) -> bytes:
    """What tiles are known by: their words, of every core."""
    return b"|".join(each.tobytes() for each in words)


class _Ring:
    """Hands out places of a buffer, one after the other and round again."""

    def __init__(self, words: int) -> None:
        self.limit, self._next = words, 0

    def take(self, words: int, half: bool = False) -> int:
        """First of `words` words; `half`: of the half that was not taken last."""
        if half:
            middle = self.limit // 2
            at = middle if 0 < self._next <= middle else 0
            self._next = self.limit if at else max(words, 1)
            return at
        if self._next + words > self.limit:
            self._next = 0
        at = self._next
        self._next += words
        return at


@dataclass(frozen=True)
class GradientLayout:
    """How the parameters of a tensor (M, N) lie in results of 16 lanes: `place` (M, N) is each one's number among
    `count`, padding included."""

    place: I64
    count: int

    @property
    def words(self) -> int:
        """Of state or gradients."""
        return -(-self.count // STATE_A_WORD)

    def spread(self, values: npt.NDArray[np.integer]) -> I64:
        """(count,) from (M, N); padding is 0."""
        out = np.zeros(self.count, np.int64)
        out[self.place] = values
        return out

    def gather(self, flat: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """(M, N) from (at least count,)."""
        return flat[self.place]


class Mapper:
    """Lays out operands in the buffers of one processor. `reserve` keeps words for good, the rest are rings.

    Tiles stay in W until the ring comes round to them: a product whose tiles are still there, or were fetched ahead,
    does not load them again.

    Products and passes that round stochastically are numbered from `seed` on; their draws follow from that number, from
    row and column, or from the parameter, however the product is split and over however many cores.
    """

    def __init__(self, params: TopParams, done: tuple[int, int, int] = (0, 0, 0)) -> None:
        self.params = params
        self.scheduler = Scheduler(params, done)
        self._rings = {buffer: _Ring(params.words_of(buffer)) for buffer in Buffer}
        self._drawing = 0  # products and passes that drew since the seed
        self._resident: dict[bytes, tuple[int, int]] = {}  # tiles in W: first word and the one after the last

    def forget(self) -> None:
        """The processor was reset: counters begin anew, and nothing is known of its buffers."""
        self.scheduler = Scheduler(self.params)
        self.drop_tiles()

    def drop_tiles(self) -> None:
        """Tiles in W are not used again, whatever they are."""
        self._resident.clear()

    def seed(self, program: Program, value: int) -> None:
        """Writes SEED, from which all draws count; products are numbered anew."""
        program.write(Reg.SEED, value)
        self._drawing = 0

    def _draws(self, rounding: int, raw: bool = False) -> int:
        """Where the draws of the next product or pass begin, far from every other's."""
        if raw or rounding != Round.STOCHASTIC:
            return 0
        self._drawing += 1
        return PRODUCT_DRAWS * (self._drawing - 1) % NUMBERS

    def program(self) -> Program:
        """A new batch."""
        return Program(self.scheduler)

    def reserve(self, buffer: Buffer, words: int, what: str = "a reservation") -> int:
        """Takes words out of the ring; their first address."""
        ring = self._rings[buffer]
        if words > ring.limit:
            raise MapError(f"{what} needs {words} words of buffer {buffer.name}, {ring.limit} are left: make it larger")
        ring.limit -= words
        return ring.limit

    # ---- products ----------------------------------------------------------------------------------------------------
    def product(
        self, program: Program, product: Product, gradients: int | None = None, stored: bool = True,
        feeds: bool = False,
    ) -> Outcome:  # fmt: skip
        """Adds a product to a program.

        Args:
            program: what it is added to.
            product: what to compute.
            gradients: results (of format raw 32) stay in Y from this word on, in the order of `layout`.
            stored: results are stored, too.
            feeds: results (of format raw 32) feed the pass that the program has issued last, `fed`; they are not there
                for anybody else, their statistics are. `can_feed` says whether that can be.
        """
        self._check(product)
        factor = self._reduce_factor(product)
        outcome = Outcome(product, self.params)
        product = _ordered(product)
        m_total, _, n_total = product.shape
        tiles = -(-n_total // LANES)
        in_place = gradients is not None or feeds
        product, rows, columns = self._divided(product, factor, in_place)
        shared = m_total <= rows
        x_first: int | None = None
        blocks = [(t0, min(t0 + columns, tiles)) for t0 in range(0, tiles, columns)]
        split = len(blocks) > 1 or not shared
        at = gradients
        draw = product.draw
        if draw is None:
            draw = self._draws(product.out.round, product.out.y_bits in (YBits.RAW32, YBits.RAW64))
        for t0, t1 in blocks:
            n0, n1 = LANES * t0, min(LANES * t1, n_total)
            base = self._command(product, factor, rows, n1 - n0, in_place)
            w_first, bias_first = self._load_w(program, product, base, n0, split)
            for m0 in range(0, m_total, rows):
                m = min(rows, m_total - m0)
                command = replace(
                    base, m=m, w_first=w_first, bias_first=bias_first, draw=(draw + TILE_DRAWS * t0 + m0) % NUMBERS
                )
                if x_first is None or not shared:
                    x_first = self._load_x(program, product, command, m0, split)
                command = replace(command, x_first=x_first)
                if product.mask is not None:
                    command = replace(
                        command, mask_first=self._load_masks(program, product.mask, command, m0, n0, split)
                    )
                command = replace(command, feeds=True) if feeds else command
                command = self._place_results(command, at, split)
                if at is not None:
                    at += self._y_words(command)
                if product.update is not None and not split:
                    command = replace(command, update=True, y=product.update)
                program.issue(command)
                outcome.parts.append(self._take(program, product, command, m0, n0, split, stored and not feeds))
        return outcome

    def fetch_ahead(self, program: Program, product: Product, in_place: bool = False) -> None:
        """Loads the tiles of a product that comes later, so that they come in while others compute; nothing if it
        takes several commands. Of `product.x` shape and precision matter, not its values. `in_place`: as with
        `gradients` or `feeds`."""
        try:
            factor = self._reduce_factor(product)
            product, rows, columns = self._divided(_ordered(product), factor, in_place)
        except MapError:
            return
        m, _, n = product.shape
        if rows < m or columns < -(-n // LANES):
            return
        words = self._tile_words(product, self._command(product, factor, m, n, in_place), 0)
        if _key(words) not in self._resident:
            self._load_tiles(program, words, self._take_w(max(map(len, words)), False))

    def _divided(self, product: Product, factor: int, in_place: bool) -> tuple[Product, int, int]:
        """Rows and tiles of a command, and the product without images if these do not fit, or would be those of a
        part: windows are counted from the first image on."""
        m, _, n = product.shape
        if product.x_images or product.w_images:
            try:
                rows, columns = self._blocks(product, factor, in_place)
            except MapError:
                rows = columns = 0
            if (not product.x_images or rows == m) and (not product.w_images or columns >= -(-n // LANES)):
                return product, rows, columns
            product = replace(product, x_images=None, w_images=None)
        return product, *self._blocks(product, factor, in_place)

    def fits(self, product: Product, in_place: bool = False) -> bool:
        """The product can be done; `in_place`: with results that stay in Y as gradients."""
        try:
            self._check(product)
            self._divided(_ordered(product), self._reduce_factor(product), in_place)
        except MapError:
            return False
        return True

    def can_feed(self, product: Product) -> bool:
        """The product is one command of one core, so that its results can feed a pass."""
        if self.params.cores > 1 or product.out != RAW32 or not self.fits(product, True):
            return False
        factor = self._reduce_factor(product)
        return self._divided(_ordered(product), factor, True)[2] >= -(-product.shape[2] // LANES)

    def layout(self, m: int, n: int, order: I64 | None = None) -> GradientLayout:
        """Of a tensor whose gradient is a product (m, n) that stays in Y: tile by tile, whatever the formats. `order`:
        that of the windows which its second operand is made of."""
        tiles = -(-n // LANES)
        column = np.arange(tiles * LANES)
        place = (column // LANES * m + np.arange(m)[:, None]) * LANES + column % LANES
        place = place[:, :n]
        return GradientLayout(place if order is None else place[:, np.argsort(order)], tiles * m * LANES)

    def _check(self, product: Product) -> None:
        name, (m, k, n) = product.name, product.shape
        if product.w.q.shape[0] != k or 0 in (m, k, n):
            raise MapError(f"{name}: X {product.x.q.shape} and W {product.w.q.shape} cannot be multiplied")
        if k > MAX_COUNT or n > MAX_COUNT:
            raise MapError(f"{name}: K = {k}, N = {n}: a command takes at most {MAX_COUNT}")
        for what, each in (("X", product.x), ("W", product.w)):
            if not 1 <= each.n <= 4:
                raise MapError(f"{name}: {what} has {each.n} slices; operands have 1 .. 4")
            try:
                check_range(each.q, 4 * each.n, each.unsigned)
            except ValueError as error:
                raise MapError(f"{name}: {what}: {error}") from None
        for what, each, of in (("X", product.x, product.x_images), ("W", product.w, product.w_images)):
            if of is None:
                continue
            some = np.unique(np.r_[: min(64, len(each.q)), max(0, len(each.q) - 64) : len(each.q)])
            made = of.windows.take(of.values, some, 0, len(of.order))
            if len(of.order) != each.q.shape[1] or not np.array_equal(made, each.q[some][:, of.order]):
                raise MapError(f"{name}: {what} is not what the windows of its images are")
        if product.mask is not None and product.mask.shape != (m, n):
            raise MapError(f"{name}: the mask has shape {product.mask.shape}, the result {(m, n)}")
        if product.bias is not None:
            if product.bias.shape != (n,):
                raise MapError(f"{name}: the bias has shape {product.bias.shape}, the result {n} columns")
            if int(np.abs(product.bias).max()) >> 31:
                raise MapError(f"{name}: a bias has 32 bits, and one is {int(np.abs(product.bias).max())}")

    def _reduce_factor(self, product: Product) -> int:
        """Rows that share a job, with the check that no accumulator has to be limited."""
        params, (_, k, _) = self.params, product.shape
        most = (1 << params.acc_w - 1) - 1

        def bound(factor: int) -> int:
            length = min(k, factor * params.depth)
            x, w = product.x, product.w
            return sum_bound(length, x.n, w.n, x.unsigned, w.unsigned, product.compensate)

        legal = [each for each in LEGAL_REDUCE if each <= params.rows and bound(each) <= most]
        if product.reduce_factor is not None:
            legal = [product.reduce_factor] if product.reduce_factor in legal else []
        if not legal:
            raise MapError(
                f"{product.name}: no reduce_factor lets sums of {4 * product.x.n} x {4 * product.w.n} bits fit the"
                f" accumulator of {params.acc_w} bits: use fewer bits or ACC_W=48"
            )
        factor = next((each for each in legal if each * params.depth >= k), legal[-1])
        # Start values are limited to what the chunk leaves of the accumulator.
        rest = most - bound(factor)
        largest = 2 * k * int(np.abs(product.x.q).max()) * int(np.abs(product.w.q).max())
        start = 0 if product.bias is None else int(np.abs(product.bias).max())
        if k > factor * params.depth and largest + start > rest:
            largest = 2 * int(exact_matmul(np.abs(product.x.q.astype(np.int64)), np.abs(product.w.q)).max())
        if start > rest or (k > factor * params.depth and largest + start > rest):
            raise MapError(
                f"{product.name}: sums over K = {k} can pass the accumulator of {params.acc_w} bits: use fewer bits or"
                " ACC_W=48"
            )
        return factor

    def _command(self, product: Product, factor: int, m: int, n: int, in_place: bool = False) -> Gemm:
        out, fields = product.out, dict[str, Any]()
        # What is loaded of both operands cannot be windows: a command has one kind of images.
        for which, operand, of in (("x", product.x, product.x_images), ("w", product.w, product.w_images)):
            if of is None or fields or (which == "w" and self.params.cores > 1) or not of.windows.fit(operand.n):
                continue
            words = -(-len(of.values) // values_per_beat(operand.n))
            if words <= MAX_COUNT:
                fields = {f"{which}_windows": True, "image_words": words, **asdict(of.windows)}
        return Gemm(
            **fields, narrow=n <= LANES // 2 and product.shape[2] == n and not in_place,
            m=m, k=product.shape[1], n=n, n_x=product.x.n, n_w=product.w.n, min_order=product.min_order,
            x_unsigned=product.x.unsigned, w_unsigned=product.w.unsigned, compensate=product.compensate,
            reduce_factor=factor, y_bits=out.y_bits, y_unsigned=out.unsigned, relu=out.relu, round=out.round,
            rand_bits=out.rand_bits, shift=out.shift, biases=product.bias is not None,
            masks=product.mask is not None, planned=product.slot is not None, slot=product.slot or 0,
            write_masks=product.masks,
        )  # fmt: skip

    def _tile_count(self, command: Gemm) -> int:
        """Tiles of the core that has most."""
        return -(-command.tiles // self.params.cores)

    def _used(self, command: Gemm) -> int:
        """Cores that have a tile."""
        return min(self.params.cores, command.tiles)

    def _y_words(self, command: Gemm) -> int:
        if command.feeds:
            return 0
        each = -(-self._tile_count(command) * command.m * command.result_size // WORD_BYTES)
        return each * self._used(command)

    def _needs(self, command: Gemm) -> dict[Buffer, int]:
        """Words that a command takes, of one core in W and M."""
        params, tiles, used = self.params, self._tile_count(command), self._used(command)
        descs = [command.descriptors(params, at)[0] for at in range(len(command.chunks(params)))]
        masks = -(-tiles * command.m // MASKS_A_WORD)
        psums = tiles * command.m * PSUM_WORDS * used if len(descs) > 1 else 0
        x_words = command.m * sum(vec_beats(desc) for desc in descs)
        w_words = tiles * sum(tile_beats(desc, params.core) for desc in descs)
        return {
            Buffer.X: command.image_words if command.x_windows else x_words,
            Buffer.W: (command.image_words if command.w_windows else w_words) + tiles * BIAS_WORDS * command.biases,
            Buffer.M: masks if command.masks else 0,
            Buffer.Y: self._y_words(command) + psums,
            Buffer.A: masks * used if command.write_masks else 0,
        }

    def _blocks(self, product: Product, factor: int, in_place: bool) -> tuple[int, int]:
        """Rows and tiles of a command: as few commands as the buffers allow."""
        m_total, _, n_total = product.shape
        tiles, cores = -(-n_total // LANES), self.params.cores
        best: tuple[int, int, int] | None = None
        short = None
        # In place, a core has one tile of a command, so that results lie tile by tile.
        most = 1 if in_place and cores > 1 else -(-tiles // cores)
        for groups in range(most, 0, -1):
            columns = groups * cores

            def fits(rows: int, columns: int = columns) -> Buffer | None:
                """The buffer that is too small."""
                whole = rows >= m_total and columns >= tiles
                width = min(n_total, columns * LANES)
                needs = self._needs(self._command(product, factor, min(rows, m_total), width, in_place))
                if in_place:
                    needs[Buffer.Y] = 0 if len(self._chunks(product, factor)) == 1 else needs[Buffer.Y]
                for buffer, words in needs.items():
                    if words > self._rings[buffer].limit // (1 if whole else 2):
                        return buffer
                return None

            low, high = 0, min(m_total, MAX_M)
            while low < high:
                rows = (low + high + 1) // 2
                if fits(rows) is None:
                    low = rows
                else:
                    high = rows - 1
            if low == 0:
                short = fits(1)
                continue
            if in_place and low < m_total:
                short = short or fits(m_total)
                continue
            parts = -(-m_total // low) * -(-tiles // columns)
            if best is None or parts < best[0]:
                best = parts, low, columns
        if best is None:
            assert short is not None
            raise MapError(
                f"{product.name} ({m_total} x {product.shape[1]} x {n_total}): not even one row and one group of tiles"
                f" fit buffer {short.name}: make it larger or K smaller"
                if not in_place
                else f"{product.name}: a gradient of {m_total} rows does not fit buffer {short.name}: make it larger"
            )
        return best[1], best[2]

    def _chunks(self, product: Product, factor: int) -> list[tuple[int, int]]:
        return self._command(product, factor, 1, 1).chunks(self.params)

    def _load_x(self, program: Program, product: Product, command: Gemm, m0: int, split: bool) -> int:
        if command.x_windows:
            words = _image_words(product.x_images, command.n_x)
        else:
            x = product.x.q[m0 : m0 + command.m]
            parts = []
            for at, (lo, hi) in enumerate(command.chunks(self.params)):
                desc = command.descriptors(self.params, at)[0]
                parts.append(pack_jobs(desc, x[:, lo:hi]).reshape(-1, WORD_BYTES))
            words = np.concatenate(parts)
        first = self._rings[Buffer.X].take(len(words), split)
        program.load(Buffer.X, first, words)
        return first

    def _take_w(self, words: int, split: bool) -> int:
        """Words of W; what was in them is there no longer."""
        first = self._rings[Buffer.W].take(words, split)
        end = first + words
        self._resident = {key: span for key, span in self._resident.items() if span[1] <= first or end <= span[0]}
        return first

    def _tile_words(self, product: Product, command: Gemm, n0: int) -> list[U8]:
        """Tiles as they lie in W, or images of windows, of every core that has some."""
        params = self.params
        if command.w_windows:
            return [_image_words(product.w_images, command.n_w)]
        w = np.zeros((command.k, command.tiles * LANES), np.int64)
        w[:, : command.n] = product.w.q[:, n0 : n0 + command.n]
        out = []
        for core in range(self._used(command)):
            parts = []
            for at, (lo, hi) in enumerate(command.chunks(params)):
                desc = command.descriptors(params, at)[0]
                tiles = command.tiles_of(core, params.cores)
                parts += [pack_tile(desc, params.core, w[lo:hi, LANES * t : LANES * t + LANES]) for t in tiles]
            out.append(np.concatenate(parts))
        return out

    def _load_tiles(self, program: Program, words: list[U8], first: int) -> None:
        for core, mine in enumerate(words):
            program.load(Buffer.W, first, mine, core)
        self._resident[_key(words)] = first, first + max(map(len, words))

    def _load_w(self, program: Program, product: Product, command: Gemm, n0: int, split: bool) -> tuple[int, int]:
        """First words of tiles and of biases."""
        most = self._needs(command)[Buffer.W]
        biases = BIAS_WORDS * self._tile_count(command) * command.biases
        words = self._tile_words(product, command, n0)
        key = _key(words)
        if key in self._resident:
            bias_first = self._take_w(biases, split) if biases else 0
        if key in self._resident:  # the biases did not take their place
            first = self._resident[key][0]
        else:
            first = self._take_w(most, split)
            bias_first = first + most - biases
            self._load_tiles(program, words, first)
        if command.biases:
            bias = np.zeros(command.tiles * LANES, "<i4")
            assert product.bias is not None
            bias[: command.n] = product.bias[n0 : n0 + command.n]
            for core in range(self._used(command)):
                tiles = command.tiles_of(core, self.params.cores)
                mine = np.concatenate([bias[LANES * t : LANES * t + LANES] for t in tiles]).view(np.uint8)
                program.load(Buffer.W, bias_first, mine.reshape(-1, WORD_BYTES), core)
        return first, bias_first if command.biases else 0

    def _load_masks(self, program: Program, mask: Bools, command: Gemm, m0: int, n0: int, split: bool) -> int:
        dead = np.ones((command.m, command.tiles * LANES), bool)
        dead[:, : command.n] = mask[m0 : m0 + command.m, n0 : n0 + command.n]
        first = self._rings[Buffer.M].take(self._needs(command)[Buffer.M], split)
        for core in range(self._used(command)):
            tiles = command.tiles_of(core, self.params.cores)
            data = np.concatenate([mask_bytes(dead[:, LANES * t : LANES * t + LANES]) for t in tiles])
            words = np.zeros((-(-len(data) // WORD_BYTES), WORD_BYTES), np.uint8)
            words.reshape(-1)[: len(data)] = data
            program.load(Buffer.M, first, words, core)
        return first

    def _place_results(self, command: Gemm, at: int | None, split: bool) -> Gemm:
        needs, used, tiles = self._needs(command), self._used(command), self._tile_count(command)
        y_words = self._y_words(command)
        ring = needs[Buffer.Y] if at is None else needs[Buffer.Y] - y_words
        first = self._rings[Buffer.Y].take(ring, split)
        psums = first + y_words if at is None else first
        a_first = self._rings[Buffer.A].take(needs[Buffer.A], split)
        chunked = len(command.chunks(self.params)) > 1
        return replace(
            command, y_first=first if at is None else at, y_step=y_words // used, a_first=a_first,
            a_step=needs[Buffer.A] // used, psum_first=psums if chunked else 0,
            psum_step=tiles * command.m * PSUM_WORDS if chunked else 0,
        )  # fmt: skip

    def _take(
        self, program: Program, product: Product, command: Gemm, m0: int, n0: int, split: bool, stored: bool
    ) -> _Part:
        stat = program.stat() if command.feeds or (split and product.update is not None) else None
        store = masks = None
        if stored:
            store = program.store(Buffer.Y, command.y_first, self._y_words(command))
        if product.masks:
            masks = program.store(Buffer.A, command.a_first, self._needs(command)[Buffer.A])
        return _Part(command, m0, n0, store, masks, stat)

    # ---- optimiser ---------------------------------------------------------------------------------------------------
    def load_state(self, program: Program, first: int, state: State) -> None:
        """Loads w, m, v (count,) into the state buffers."""
        for buffer, values in zip(STATES, state, strict=True):
            program.load(buffer, first, words32(values))

    def store_state(self, program: Program, first: int, count: int) -> Callable[[Answer], State]:
        """Stores w, m, v; gives what turns the answer into them."""
        words = -(-count // STATE_A_WORD)
        at = [program.store(buffer, first, words) for buffer in STATES]

        def take(answer: Answer) -> State:
            kinds = ("<i4", "<i4", "<u4")
            return State(
                *(
                    answer.stored[one].view(kind).reshape(-1)[:count].astype(np.int64)
                    for one, kind in zip(at, kinds, strict=True)
                )
            )

        return take

    def optimise(self, program: Program, command: Opt) -> Callable[[Answer], tuple[list[int], I64]]:
        """A pass; gives what turns the answer into the record (words of OPT_STAT) and the copies (n,)."""
        config = command.config
        command = replace(command, config=replace(config, draw=self._draws(config.copy_round)))
        program.issue(command)
        return self.passed(program, command)

    def passed(self, program: Program, command: Opt) -> Callable[[Answer], tuple[list[int], I64]]:
        """As `optimise`, of the pass that was the last to be carried out."""
        config = command.config
        record = program.opt_stat()  # first: what compute does next may wait for it
        stored = program.store(Buffer.Y, command.copies, command.copy_words)

        def take(answer: Answer) -> tuple[list[int], I64]:
            return record(answer), unpack(answer.stored[stored], config.copy_format + 1)[: config.n]

        return take

    def plan(self, program: Program, slot: int, x: int, w: int, y: int, k: int) -> Callable[[Answer], list[int]]:
        """Asks LAPS about a product (entries 4 * layer + class); gives what turns the answer into the slot's words."""
        program.issue(Plan(x=x, w=w, y=y, k=k, slot=slot))
        return program.slots(slot)


def words32(values: npt.NDArray[np.integer]) -> U8:
    """Words (n, 16) of 32-bit values, padded with zeros."""
    padded = np.zeros(-(-len(values) // STATE_A_WORD) * STATE_A_WORD, np.int64)
    padded[: len(values)] = values
    return (padded & 0xFFFF_FFFF).astype("<u4").view(np.uint8).reshape(-1, WORD_BYTES)


def signed32(words: U8, count: int) -> I64:
    """Signed 32-bit values (count,) of words (n, 16)."""
    return np.ascontiguousarray(words).view("<i4").reshape(-1)[:count].astype(np.int64)
