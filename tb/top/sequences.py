"""Stimuli of the processor's tests: random buffers and commands, and such that are refused for one reason."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from host.mapper import extents
from models.common.formats import YBits
from models.common.rounding import Round
from models.common.slices import values_per_beat
from models.ioss.config import LEGAL_REDUCE
from models.laps.config import Entry
from models.optc.config import Mode
from models.optc.config import RspCode as OptcCode
from models.top.config import (
    CMD_WORDS,
    LANES,
    LOADABLE,
    MAX_M,
    STORABLE,
    Action,
    Buffer,
    Command,
    Gemm,
    Issue,
    Load,
    Opt,
    Plan,
    Read,
    Reg,
    Store,
    TopParams,
    Unknown,
    Windows,
    Write,
    command_of,
)
from tb.optc.sequences import random_config, random_state

U8 = npt.NDArray[np.uint8]
STATUS_READS = (*range(Reg.STAT, Reg.STAT + 24, 4), Reg.ERROR, Reg.DONE, Reg.IRQ_STATUS)


def random_words(rng: np.random.Generator, count: int, zeros: float = 0.4) -> U8:
    """Words (count, 16) with a share of zero bytes."""
    data = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    return np.where(rng.random(data.shape) < zeros, 0, data).astype(np.uint8)


class Serial:
    """Commands that wait for every one before them, numbered on; `done` is what the done counters will be."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.done = [0, 0, 0]
        self.number = 0
        self.known: dict[tuple[Buffer, int], int] = {}  # words from 0 on that were loaded, by buffer and core

    def add(self, command: Command, stream: U8 | None = None, waits: bool = True) -> None:
        """Adds a command; `waits`: for every one before it."""
        if waits:
            command = replace(command, **self.waits())
        self.actions.append(Issue(command, stream, self.number % 256))
        self.done[command.engine] += 1
        self.number += 1

    def issue(self, issue: Issue) -> None:
        """Adds a push as it is."""
        self.actions.append(issue)
        self.done[issue.command.engine] += 1
        self.number += 1

    def waits(self, less: int = 0) -> dict[str, int]:
        """What a command waits for that waits for every one before it, but the last `less` of each engine."""
        names = ("wait_load", "wait_compute", "wait_store")
        return {name: (done - less) % 256 for name, done in zip(names, self.done, strict=True)}

    def load(self, buffer: Buffer, first: int, words: U8, cores: int = 15, waits: bool = True) -> None:
        """Loads words."""
        self.add(Load(target=buffer, first=first, count=len(words), cores=cores), words, waits)

    def store(self, buffer: Buffer, first: int, count: int, waits: bool = True) -> None:
        """Stores words."""
        self.add(Store(target=buffer, first=first, count=count), None, waits)

    def write(self, address: int, value: int) -> None:
        """Writes a register after everything."""
        self.actions.append(Write(address, value))

    def take(self) -> list[Action]:
        """The actions since the last time."""
        actions, self.actions = self.actions, []
        return actions


def together(serial: Serial, compute: Command, store: Store) -> None:
    """A compute command and a store that start in one cycle: both wait for a load of a word that is pushed last."""
    loads, computes, stores = serial.done
    waits = {**serial.waits(), "wait_load": (loads + 1) % 256}
    serial.add(replace(compute, **waits), waits=False)
    serial.add(replace(store, **waits), waits=False)
    word = Load(target=Buffer.X, first=8000, wait_compute=computes % 256, wait_store=stores % 256)
    serial.add(word, np.zeros((1, 16), np.uint8), waits=False)


def in_one_cycle(serial: Serial, *commands: Command) -> None:
    """Commands, one per engine, that start in one cycle: after a load of 250 words, pushed while it is under way."""
    serial.load(Buffer.X, 7000, np.zeros((250, 16), np.uint8))
    waits = serial.waits()
    for command in commands:
        stream = np.zeros((command.count, 16), np.uint8) if isinstance(command, Load) and command.count else None
        serial.add(replace(command, **waits), stream, waits=False)


def every_pair(values: int) -> list[int]:
    """The shortest sequence of 0 .. values - 1 in which every two follow each other, and each itself."""
    out = []
    for first in range(values):
        out.append(first)
        for second in range(first + 1, values):
            out += [first, second]
    return [*out, 0]


def host_update(serial: Serial, layer: int, cls: int, words: tuple[int, ...] = (100, 1, 10, 3000, 0, 9)) -> None:
    """A host's update of LAPS: values, overflow, zeros, sum of magnitudes (two words), longest bit length."""
    for at, word in enumerate((*words[:5], words[5] << 10 | 4 * layer + cls)):
        serial.write(Reg.UPD + 4 * at, word)
    serial.write(Reg.UPD_PUSH, 1)


def random_issue(rng: np.random.Generator, serial: Serial, params: TopParams, operation: int) -> Issue | None:
    """A command of random words, waits only for what is done; None for one that would run long or read what was never
    written: a product or pass that is not refused, a transfer that is not short."""
    words = [int(word) for word in rng.integers(0, 1 << 32, CMD_WORDS)]
    words[0] = words[0] & 0xF0 | operation
    if rng.random() < 0.7:
        words[0] &= 0xF  # the only target of most operations
    waits = serial.waits(int(rng.integers(60)))
    command = replace(command_of(words), **waits)
    match command:
        case Gemm():
            good = command.m and command.n and command.k and command.m <= MAX_M
            if command.target == 0 and good and not command.planned and command.check(params) == 0:
                return None
        case Opt():
            if command.target == 0 and command.config.check() == OptcCode.OK:
                return None
        case Load() | Store():
            if command.target in (*LOADABLE, *STORABLE):
                return None
    spare = sum(word << 32 * at for at, word in enumerate(words))
    fixed = sum(word << 32 * at for at, word in enumerate(command_of(words).words()))
    return Issue(command, None, serial.number % 256, spare ^ fixed)


def random_gemm(rng: np.random.Generator, params: TopParams, **fixed: Any) -> Gemm:
    """A product that the pairs take, whose operands and results lie in the lower parts of the buffers."""
    for _ in range(1000):
        reduce_factor = int(rng.choice([1, 1, 2, 4, 8]))
        chunked = rng.random() < 0.25
        span = reduce_factor * params.depth
        k = span + int(rng.integers(1, span)) if chunked and span <= 256 else int(rng.integers(1, min(span, 200) + 1))
        y_bits = int(rng.integers(6))
        raw = y_bits >= YBits.RAW32
        n_x, n_w = (int(n) for n in rng.integers(1, 5, 2))
        fields: dict[str, Any] = {
            "m": int(rng.integers(1, 20)), "k": k, "n": int(rng.integers(1, 70)), "n_x": n_x, "n_w": n_w,
            "min_order": int(rng.integers(0, n_x + n_w - 1)) if rng.random() < 0.3 else 0,
            "x_unsigned": bool(rng.integers(2)), "w_unsigned": bool(rng.integers(2)),
            "compensate": bool(rng.random() < 0.3), "reduce_factor": reduce_factor, "y_bits": y_bits,
            "y_unsigned": bool(not raw and rng.integers(2)), "relu": bool(not raw and rng.integers(2)),
            "round": int(rng.choice(list(Round))), "rand_bits": int(rng.integers(4)),
            "shift": 0 if raw else int(rng.integers(0, 24)), "biases": bool(rng.integers(2)),
            "masks": bool(rng.integers(2)), "write_masks": bool(rng.integers(2)),
            "bias_first": 7000, "psum_first": 8000, "y_step": 1500, "a_step": 64, "psum_step": 1500,
        }  # fmt: skip
        gemm = Gemm(**{**fields, **fixed})
        if gemm.check(params) == 0:
            return gemm
    raise ValueError(f"no product that the pairs take has {fixed}")


def random_windows(rng: np.random.Generator, n: int) -> Windows:
    """Windows that can be made of values of `n` slices: small images, or such of which only a part fits the ring."""
    while True:
        kernel = [int(each) for each in rng.integers(1, 5, 2)]
        pads = [int(rng.integers(0, (each + 1) // 2)) for each in kernel]
        channels = int(rng.choice([1, 1, 2, 3, 5, 8, 16, 31, 150]))
        windows = Windows(
            channels,
            int(rng.integers(1, 10)),
            int(rng.integers(1, 7)),
            *kernel,
            *pads,
            int(rng.choice([1, 1, 1, 2, 3])),
        )
        if windows.fit(n):
            return windows


def window_fields(windows: Windows, words: int) -> dict[str, int]:
    """Fields of a GEMM; `words` of images."""
    return {**asdict(windows), "image_words": words}


def random_window_product(
    rng: np.random.Generator, serial: Serial, params: TopParams, which: str, **fixed: Any
) -> Gemm:
    """A product of windows (`which`: x, w, both) that the pairs take, with its images and other operand loaded."""
    for _ in range(1000):
        n = int(rng.integers(1, 5))
        windows = random_windows(rng, n)
        images, length = int(rng.integers(1, 6)), windows.length
        places = windows.places[0] * windows.places[1]
        words = -(-images * windows.image // values_per_beat(n))
        if rng.random() < 0.2:  # the last images are not there
            words = int(rng.integers(0, words + 1))
        # The whole windows, or a little more or less.
        elements = max(1, length + int(rng.choice([0, 0, 0, -1, 3])))
        jobs = max(1, images * places - int(rng.integers(0, 3)))
        fields: dict[str, Any] = {"n_x": n, "n_w": n} | window_fields(windows, words)
        if which != "w":
            fields |= {"x_windows": True, "m": min(jobs, 19), "k": elements}
        if which != "x":
            fields |= {"w_windows": True, "k": jobs, "n": min(elements, 60)}
        if which == "both":
            fields["k"] = max(1, min(elements, jobs))
        factors = [each for each in LEGAL_REDUCE if -(-fields["k"] // (each * params.depth)) <= 3]
        fields |= {"reduce_factor": int(rng.choice(factors)), "narrow": bool(rng.random() < 0.3)}
        if Gemm(**{"m": 1, "n": 1, **fields, **fixed}).bad_windows(params):
            continue
        try:
            return random_product(rng, serial, params, **{**fields, **fixed})
        except ValueError:
            continue
    raise ValueError(f"no product of windows has {fixed}")


def random_product(rng: np.random.Generator, serial: Serial, params: TopParams, **fixed: Any) -> Gemm:
    """A product that the pairs take, with its operands loaded."""
    gemm = random_gemm(rng, params, **fixed)
    supply(rng, serial, params, gemm)
    return gemm


def result_words(gemm: Gemm, params: TopParams, core: int) -> int:
    """Words in Y that a core's results take, the last one perhaps in part."""
    return -(-gemm.result_size * len(gemm.tiles_of(core, params.cores)) * gemm.m // 16)


def store_results(serial: Serial, gemm: Gemm, params: TopParams) -> None:
    """Stores what every core left."""
    for core in range(params.cores):
        words = result_words(gemm, params, core)
        if words:
            serial.store(Buffer.Y, gemm.y_first + core * gemm.y_step, words)
            if gemm.write_masks:
                masks = -(-len(gemm.tiles_of(core, params.cores)) * gemm.m // 8)
                serial.store(Buffer.A, gemm.a_first + core * gemm.a_step, masks)


def supply(rng: np.random.Generator, serial: Serial, params: TopParams, gemm: Gemm) -> None:
    """Random words, of another kind every time, where X and W are not known as far as `gemm` reads: what was never
    written is x on Icarus."""
    for extent in extents(gemm, params):
        if extent.buffer not in (Buffer.X, Buffer.W) or (gemm.biases and extent.first == gemm.bias_first):
            continue
        place = (extent.buffer, extent.core)
        first, end = serial.known.get(place, 0), extent.end
        if end > first:
            words = random_words(rng, end - first, float(rng.choice([0.1, 0.5, 0.9])))
            serial.load(extent.buffer, first, words, 1 << extent.core if extent.buffer == Buffer.W else 15)
            serial.known[place] = end


def fill(rng: np.random.Generator, serial: Serial, params: TopParams) -> None:
    """Biases, masks of another kind in every core, and what results may leave open; operands: `supply`."""
    for core in range(params.cores):
        serial.load(Buffer.W, 7000, random_words(rng, 4 * 5, 0.5), 1 << core)
        serial.load(Buffer.M, 0, random_words(rng, 16, 0.6), 1 << core)
    # What results do not fill: both simulators must know it. Only results write A: masks of 96 jobs, all 0.
    cores = params.cores
    blank = Gemm(m=96, n=16 * cores, n_x=1, n_w=1, y_bits=YBits.B4, shift=20, y_step=1500, a_step=64, write_masks=True)
    supply(rng, serial, params, blank)
    serial.add(blank)
    for first in range(0, cores * 1500, 1500):
        serial.load(Buffer.Y, first, np.zeros((1500, 16), np.uint8))


def random_pass(rng: np.random.Generator, serial: Serial, n: int, mode: Mode | None = None) -> Opt:
    """Loads state and gradients of `n` parameters, with anything after them in the last word; the pass over them."""
    config = random_config(rng, n, mode)
    beats = -(-n // 4)
    padded = np.full((4, 4 * beats), 0x5A5A_5A5A, np.int64)
    padded[:, :n] = np.stack(random_state(rng, n))
    words = (padded & 0xFFFF_FFFF).astype("<u4").view(np.uint8).reshape(4, beats, 16)
    state, gradients, copies = (int(at) for at in rng.integers(0, 900, 3))
    for buffer, data in zip((Buffer.SW, Buffer.SM, Buffer.SV), words[:3], strict=True):
        serial.load(buffer, state, data)
    serial.load(Buffer.Y, 2000 + gradients, words[3])
    serial.load(Buffer.Y, copies, np.zeros((beats, 16), np.uint8))
    return Opt(state=state, gradients=2000 + gradients, copies=copies, config=config)


def random_feed(
    rng: np.random.Generator, serial: Serial, params: TopParams, windows: bool = False, **given: Any
) -> tuple[Gemm, Opt]:
    """A product that feeds a pass, and the pass, which comes first; operands and state are loaded. `given`: fields of
    the product, without windows."""
    raw = {
        "feeds": True, "y_bits": int(YBits.RAW32), "shift": 0, "relu": False, "y_unsigned": False, "write_masks": False,
        "narrow": False,
    }  # fmt: skip
    if windows:
        gemm = random_window_product(
            rng, serial, params, str(rng.choice(["x", "w"])) if params.cores == 1 else "x", **raw
        )
    else:
        gemm = random_product(rng, serial, params, **raw, **given)
    n = LANES * gemm.m * gemm.tiles
    config, words = random_config(rng, n), n // 4
    config = replace(config, copy_round=config.copy_round % 2)  # nothing is drawn
    state, copies = (int(at) for at in rng.integers(0, 900, 2))
    values = np.stack(random_state(rng, n))[:3]
    data = (values & 0xFFFF_FFFF).astype("<u4").view(np.uint8).reshape(3, words, 16)
    for buffer, each in zip((Buffer.SW, Buffer.SM, Buffer.SV), data, strict=True):
        serial.load(buffer, state, each)
        serial.load(buffer, params.words_of(buffer) - words, each)
    serial.load(Buffer.Y, copies, np.zeros((words, 16), np.uint8))
    serial.load(Buffer.Y, params.y_words - words, np.zeros((words, 16), np.uint8))
    return gemm, Opt(state=state, copies=copies, fed=True, config=config)


def mixed(rng: np.random.Generator, serial: Serial, params: TopParams) -> None:
    """Every operation, and commands of any words; how the ordered ones ended."""
    fill(rng, serial, params)
    gemm = random_product(rng, serial, params)
    serial.add(gemm)
    store_results(serial, gemm, params)
    opt = random_pass(rng, serial, 60)
    serial.add(opt)
    serial.store(Buffer.SW, opt.state, 15)
    serial.add(Plan(x=1, w=2, y=3, k=9, slot=5))
    serial.add(Store(target=Buffer.X))
    serial.actions += [Read(address) for address in STATUS_READS]
    # Refused in any order.
    for operation in (0, 1, 2, 3, 4, 5, 6, 15):
        issue = random_issue(rng, serial, params, operation)
        if issue is not None:
            serial.issue(issue)
    serial.write(Reg.ERROR_CLEAR, 0)


def full_queues(rng: np.random.Generator, serial: Serial, params: TopParams) -> None:
    """More commands of an engine than its queue holds, while the first is under way; loads after them."""
    gemm = random_product(rng, serial, params, m=20, k=60, n=16, n_x=2, n_w=2, reduce_factor=1, min_order=0)
    serial.load(Buffer.Y, 13000, random_words(rng, 30))
    waits = serial.waits()
    serial.add(gemm)
    for _ in range(7):
        serial.add(Unknown(code=9, **waits), waits=False)
    for _ in range(7):
        serial.add(Store(target=Buffer.Y, first=13000, count=30, **waits), waits=False)
    for count in (5, 3):
        load = Load(target=Buffer.X, first=7000, count=count, **waits)
        serial.add(load, random_words(rng, count), waits=False)
    serial.load(Buffer.X, 7000, random_words(rng, 3))
    serial.store(Buffer.Y, 13000, 1)


def a_few(rng: np.random.Generator, serial: Serial) -> None:
    """A few commands."""
    serial.load(Buffer.Y, 13000, random_words(rng, 20))
    serial.store(Buffer.Y, 13000, 20)
    serial.add(Unknown(code=7))


def entry_writes(layer: int, cls: int, entry: Entry) -> list[Action]:
    """Writes of an entry of LAPS' table."""
    at = Reg.LAPS + 4 * 2 * (4 * layer + cls)
    return [Write(at + 4 * word, data) for word, data in enumerate(entry.words)]
