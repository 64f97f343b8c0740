"""Drive the processor from a bench of your own: AXI models from cocotbext-axi, oracles from NumPy, nothing else.

Written from docs/top/ alone; docs/guide/client.md walks through it. `client_top.sv` gives the ports the names that
cocotbext-axi looks for.
"""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Iterator, Mapping

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp, AxiStreamBus, AxiStreamSink, AxiStreamSource

ID, IRQ_STATUS, IRQ_ENABLE, ERROR, ERROR_CLEAR, PUSH, CMD = 0x000, 0x00C, 0x010, 0x018, 0x01C, 0x028, 0x040
LOAD, GEMM, OPT, STORE = 1, 2, 3, 4
X, W, Y, SW, SM, SV = 0, 1, 3, 5, 6, 7
ENGINES = {LOAD: 0, GEMM: 1, OPT: 1, STORE: 2}  # everything else goes to compute
CMD_OPERATION, CMD_SIZE = 1, 2
WORD = 16  # bytes
BOUND = 50_000  # cycles within which anything in this program ends

# Words 3..10 of an OPT: name -> (bit of the configuration, width).
OPTC = {
    "mode": (0, 1), "n": (8, 24), "fl_w": (32, 8), "fl_m": (40, 8), "fl_v": (48, 8), "fl_g": (56, 8),
    "c1_mant": (64, 16), "c1_exp": (80, 8), "c2_mant": (88, 16), "c2_exp": (104, 8),
    "step_mant": (112, 16), "step_exp": (128, 8), "wd_mant": (136, 16), "wd_exp": (152, 8),
    "eps_mant": (160, 16), "eps_exp": (176, 8), "clip": (184, 20), "copy_format": (204, 3), "copy_round": (207, 2),
    "copy_rand_bits": (209, 2), "copy_shift": (211, 6), "pre_w": (217, 3), "pre_m": (220, 3), "pre_v": (223, 3),
}  # fmt: skip


def pauses(share: float, seed: int) -> Iterator[bool]:
    """Whether a channel pauses, cycle by cycle."""
    draws = random.Random(seed)
    while True:
        yield draws.random() < share


class Processor:
    """The device at the end of its ports."""

    def __init__(self, dut: cocotb.handle.HierarchyObject) -> None:
        self.dut = dut
        self.pushed = [0, 0, 0]  # commands by engine: load, compute, store
        self.command = [0] * 16  # what CMD holds
        # Resets are the caller's; the models begin when the ports have left x.
        self.port = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk)

    @classmethod
    async def start(cls, dut: cocotb.handle.HierarchyObject, pause: float = 0.0) -> Processor:
        """A processor fresh from reset; `pause` is the share of cycles in which each channel of the host pauses."""
        logging.getLogger("cocotb.client_top").setLevel(logging.WARNING)  # else a line for each access
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="cocotbext")
        dut.rst_n.value = 0
        Clock(dut.clk, 10, "ns").start()
        await ClockCycles(dut.clk, 2)
        device = cls(dut)
        await ClockCycles(dut.clk, 2)
        dut.rst_n.value = 1
        if pause:
            write, read = device.port.write_if, device.port.read_if
            channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
            for seed, channel in enumerate((*channels, device.source, device.sink)):
                channel.set_pause_generator(pauses(pause, seed))
        return device

    async def soon(self, awaitable: object) -> object:
        """What `awaitable` gives, which must come within BOUND cycles."""
        return await with_timeout(awaitable, 10 * BOUND, "ns")

    async def write(self, address: int, *values: int) -> AxiResp:
        """The answer to writes of 32-bit words from `address` on."""
        data = b"".join(value.to_bytes(4, "little") for value in values)
        return (await self.soon(self.port.write(address, data))).resp

    async def read(self, address: int) -> int:
        """A register."""
        answer = await self.soon(self.port.read(address, 4))
        assert answer.resp == AxiResp.OKAY, f"read of {address:#x}: {answer.resp!r}"
        return int.from_bytes(answer.data, "little")

    async def push(self, operation: int, words: Mapping[int, int], target: int = 0, identifier: int = 0) -> None:
        """Pushes a command that waits for all that were pushed before it."""
        command = [operation | target << 4] + [words.get(index, 0) for index in range(1, 16)]
        for engine, count in enumerate(self.pushed):
            command[0] |= (count & 0xFF) << (8 + 8 * engine)
        changed = [index for index in range(16) if command[index] != self.command[index]]
        if changed:
            assert await self.write(CMD, *command[: changed[-1] + 1]) == AxiResp.OKAY
        self.command = command
        while (answer := await self.write(PUSH, identifier)) != AxiResp.OKAY:
            assert answer == AxiResp.SLVERR, f"push: {answer!r}"  # the queue is full
        self.pushed[ENGINES.get(operation, 1)] += 1

    async def load(self, buffer: int, first: int, values: np.ndarray) -> None:
        """Sends an array, in its bytes, to words of a buffer (of core 0)."""
        data = values.tobytes()
        data += bytes(-len(data) % WORD)
        await self.push(LOAD, {1: first | 1 << 16, 2: len(data) // WORD}, buffer)
        await self.source.send(data)

    async def store(self, buffer: int, first: int, words: int) -> bytes:
        """Words of a buffer, when all that was pushed is done."""
        await self.push(STORE, {1: first, 2: words}, buffer)
        frame = await self.soon(self.sink.recv())  # up to TLAST
        assert len(frame.tdata) == words * WORD
        return bytes(frame.tdata)

    async def no_error(self) -> None:
        """Checks that no command failed."""
        assert await self.read(ERROR) == 0


def rounded(sums: np.ndarray, shift: int) -> np.ndarray:
    """Integers times 2^-shift, to the nearest, ties to even, within 8 bits."""
    return np.clip(np.rint(sums / 2.0**shift), -128, 127).astype(np.int8)  # below 2^53: exact


async def product(device: Processor, x: np.ndarray, w: np.ndarray, shift: int) -> np.ndarray:
    """The product of x (M, K) and w (K, N), int8 and K at most 128, by the processor: int8."""
    (m, k), n = x.shape, w.shape[1]
    tiles = -(-n // 16)
    vectors = np.zeros((m, -(-k // WORD) * WORD), np.int8)  # a vector begins with a new word
    vectors[:, :k] = x
    padded = np.full((k, tiles * 16), 77, np.int8)  # past column N anything will do
    padded[:, :n] = w
    await device.load(X, 0, vectors)
    await device.load(W, 0, padded.reshape(k, tiles, 16).swapaxes(0, 1))  # by tile, element, lane
    n_x = n_w = 2  # slices: 8 bits
    form = n_x | n_w << 3 | 1 << 12 | 1 << 16 | shift << 25  # reduce_factor 1, y_bits 1 (8 bits), to the nearest
    await device.push(GEMM, {1: k | m << 16, 2: n, 8: form})
    results = np.frombuffer(await device.store(Y, 0, tiles * m), np.int8)  # by tile, job, lane
    rows = results.reshape(tiles, m, 16).swapaxes(0, 1).reshape(m, tiles * 16)
    assert not rows[:, n:].any(), "a result past column N is not 0"
    return rows[:, :n]


async def check_product(device: Processor, seed: int) -> None:
    """A random product against NumPy's."""
    draws = np.random.default_rng(seed)
    m, k, n = draws.integers(1, 8), draws.integers(20, 60), draws.integers(1, 33)
    x, w = (draws.integers(-128, 128, shape, np.int8) for shape in ((m, k), (k, n)))
    x[draws.random(x.shape) < 0.5] = 0
    want = rounded(x.astype(np.int64) @ w.astype(np.int64), 9)
    got = await device.soon(cocotb.start_soon(product(device, x, w, 9)))
    assert np.array_equal(got, want), f"{np.count_nonzero(got != want)} of {want.size} results differ"


def scalar(value: float) -> tuple[int, int]:
    """(mantissa of 16 bits, exponent) next to `value`."""
    exponent = 15 - int(np.floor(np.log2(value)))
    mantissa = round(value * 2.0**exponent)
    return (mantissa, exponent) if mantissa < 1 << 16 else (mantissa >> 1, exponent - 1)


async def check_optimiser(device: Processor, adam: bool, seed: int) -> None:
    """A pass of ADAM or of momentum against float64."""
    draws = np.random.default_rng(seed)
    count, step, c1, c2, decay, eps = 30, 1e-3, 0.1, 1e-3, 1e-5, 2.0**-18
    fl_w, fl_m, fl_v, fl_g = 30, 28, 36, 28
    real = {
        SW: draws.uniform(-1, 1, count), SM: draws.uniform(-0.1, 0.1, count),
        SV: draws.uniform(0.001, 0.05, count), Y: draws.uniform(-0.1, 0.1, count),
    }  # fmt: skip
    fls = {SW: fl_w, SM: fl_m, SV: fl_v, Y: fl_g}
    held = {buffer: np.rint(value * 2.0 ** fls[buffer]) for buffer, value in real.items()}
    for buffer, value in held.items():
        await device.load(buffer, 0, value.astype(np.uint32 if buffer == SV else np.int32))
    fields = {"mode": int(adam), "n": count, "fl_w": fl_w, "fl_m": fl_m, "fl_v": fl_v, "fl_g": fl_g}
    for name, value in (("c1", c1), ("c2", c2), ("step", step), ("wd", decay)):
        fields[f"{name}_mant"], fields[f"{name}_exp"] = scalar(value)
    fields |= {"eps_mant": 1 << 15, "eps_exp": 15, "clip": 8 << 16, "copy_format": 3, "copy_shift": 16}
    config = 0
    for name, value in fields.items():
        bit, width = OPTC[name]
        assert 0 <= value < 1 << width
        config |= value << bit
    copies = 100  # their first word in Y
    await device.push(OPT, {2: copies} | {3 + index: config >> 32 * index & 0xFFFFFFFF for index in range(8)})
    words = -(-count // 4)
    got_w = np.frombuffer(await device.store(SW, 0, words), np.int32)[:count].astype(np.int64)
    copy = np.frombuffer(await device.store(Y, copies, -(-count // 8)), np.int16)[:count]

    old, m, v, g = (held[buffer] * 2.0 ** -fls[buffer] for buffer in (SW, SM, SV, Y))
    if adam:
        m, v = m + c1 * (g - m), v + c2 * (g * g - v)
        update = step * m / np.maximum(np.sqrt(v), eps)
    else:
        m = m + g - c1 * m
        update = step * m
    moved = old - decay * old - got_w * 2.0**-fl_w
    error = np.abs(moved - update) / np.abs(update)
    assert np.median(error) <= 1e-4, f"median of the update error {np.median(error):.2e}"  # the page's bars
    assert np.quantile(error, 0.99) <= 2e-3, f"p99 of the update error {np.quantile(error, 0.99):.2e}"
    assert np.array_equal(copy, np.rint(got_w / 2.0**16)), "copies differ"
    rule = "ADAM" if adam else "momentum"
    cocotb.log.info("%s: median error %.1e, largest %.1e", rule, np.median(error), error.max())


async def check_refusal(device: Processor, operation: int, words: Mapping[int, int], code: int) -> None:
    """An illegal command raises the interrupt, leaves the error that the page names, and blocks nothing."""
    await device.write(IRQ_ENABLE, 1 << 3)
    await device.push(operation, words, identifier=0xA5)
    if not device.dut.irq.value:
        await device.soon(RisingEdge(device.dut.irq))
    error = await device.read(ERROR)
    assert (error & 0xF, error >> 16 & 0xFF, error >> 24) == (code, 0xA5, 1), f"ERROR {error:#010x}"
    assert error >> 4 & 3 == ENGINES.get(operation, 1)
    assert await device.write(ERROR_CLEAR, 0) == AxiResp.OKAY
    assert await device.write(IRQ_STATUS, 0xF) == AxiResp.OKAY
    await device.no_error()


async def everything(dut: cocotb.handle.HierarchyObject, pause: float) -> None:
    """Identification, products, both rules, refusals, a product again."""
    device = await Processor.start(dut, pause)
    assert await device.read(ID) == 0x54534C31
    assert await device.write(ID, 0) == AxiResp.SLVERR  # read only
    assert await device.write(0x03FC + 4, 0) == AxiResp.DECERR  # no register
    for seed in (1, 2):
        await check_product(device, seed)
    for adam in (True, False):
        await check_optimiser(device, adam, seed=3)
    await device.no_error()
    await check_refusal(device, 9, {}, CMD_OPERATION)
    await check_refusal(device, GEMM, {1: 8, 2: 16, 8: 2 | 2 << 3 | 1 << 12}, CMD_SIZE)  # M is 0
    await check_product(device, 4)
    await device.no_error()


@cocotb.test()
async def at_full_rate(dut: cocotb.handle.HierarchyObject) -> None:
    """A host that never pauses."""
    await everything(dut, 0.0)


@cocotb.test()
async def with_pauses(dut: cocotb.handle.HierarchyObject) -> None:
    """A host that pauses on every channel, four cycles in ten."""
    await everything(dut, 0.4)
