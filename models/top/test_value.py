from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.common.formats import YBits
from models.common.generator import NUMBERS, PRODUCT_DRAWS, draws
from models.common.rounding import Round
from models.common.slices import operand_range, unpack
from models.ioss.config import Descriptor
from models.ioss.oracle import kept_product
from models.ioss.value import accumulate, pack_jobs, pack_tile, products
from models.laps.config import Entry, TensorClass, TensorStats
from models.laps.value import Laps
from models.optc.config import Mode, OptcConfig, Scalar
from models.optc.value import State, update
from models.ran.value import quantise, saturate, unpack_results
from models.top.config import (
    LANES,
    Buffer,
    Code,
    Engine,
    Gemm,
    Issue,
    Load,
    Opt,
    Plan,
    PlanSlot,
    Read,
    Reg,
    Store,
    TopParams,
    Unknown,
    Write,
    command_of,
    reached,
)
from models.top.value import (
    BusError,
    Processor,
    Stats,
    StuckError,
    mask_bits,
    mask_bytes,
    opt_words,
    tile_sums,
)

SMALL = TopParams(cores=2, rows=4, depth=32)
ONE = replace(SMALL, cores=1)


def operands(rng, shape, n, unsigned):
    low, high = operand_range(4 * n, unsigned)
    small = rng.integers(0, 2, shape) == 0
    return np.where(small, rng.integers(max(low, -7), 8, shape), rng.integers(low, high + 1, shape)) * (
        rng.random(shape) < 0.7
    )


def lay_out(p, c, x, w, mask=None, bias=None):
    """Writes operands straight into the buffers, by the page; no mapper in between."""
    params, span = p.params, c.reduce_factor * p.params.depth
    xs, ws = [], [[] for _ in range(params.cores)]
    for lo in range(0, c.k, span):
        hi = min(lo + span, c.k)
        desc = Descriptor(c.n_x, c.n_w, c.x_unsigned, c.w_unsigned, 0, False, c.reduce_factor, hi - lo, c.m)
        xs.append(pack_jobs(desc, x[:, lo:hi]).reshape(-1, 16))
        for t in range(c.tiles):
            tile = np.zeros((hi - lo, LANES), int)
            tile[:, : c.lanes_of(t)] = w[lo:hi, LANES * t : LANES * t + LANES]
            ws[t % params.cores].append(pack_tile(desc, params.core, tile))
    words = np.concatenate(xs)
    p.memory(Buffer.X)[c.x_first : c.x_first + len(words)] = words
    for core in range(params.cores):
        mine = range(core, c.tiles, params.cores)
        if not mine:
            continue
        words = np.concatenate(ws[core])
        p.memory(Buffer.W, core)[c.w_first : c.w_first + len(words)] = words
        if bias is not None:
            padded = np.zeros(c.tiles * LANES, "<i4")
            padded[: c.n] = bias
            words = np.concatenate([padded[LANES * t :][:LANES] for t in mine]).view(np.uint8).reshape(-1, 16)
            p.memory(Buffer.W, core)[c.bias_first : c.bias_first + len(words)] = words
        if mask is not None:
            dead = np.zeros((c.m, c.tiles * LANES), bool)
            dead[:, : c.n] = mask
            data = np.concatenate([mask_bytes(dead[:, LANES * t :][:, :LANES]) for t in mine])
            p.memory(Buffer.M, core).reshape(-1)[16 * c.mask_first :][: len(data)] = data


def results(p, c, y_bits, y_unsigned):
    """Y (M, N) and masks (M, N) as they lie in the buffers."""
    y, off = np.zeros((c.m, c.tiles * LANES), np.int64), np.zeros((c.m, c.tiles * LANES), bool)
    size = LANES * {0: 4, 1: 8, 2: 16, 3: 16, 4: 32, 5: 64}[y_bits] // 8
    for core in range(p.params.cores):
        for u, t in enumerate(range(core, c.tiles, p.params.cores)):
            at = 16 * (c.y_first + core * c.y_step) + u * c.m * size
            data = p.memory(Buffer.Y).reshape(-1)[at : at + c.m * size].reshape(c.m, size)
            y[:, LANES * t : LANES * t + LANES] = unpack_results(data, y_bits, y_unsigned, LANES)
            at = 16 * (c.a_first + core * c.a_step) + 2 * u * c.m
            masks = mask_bits(p.memory(Buffer.A).reshape(-1)[at : at + 2 * c.m], c.m)
            off[:, LANES * t : LANES * t + LANES] = masks
    return y[:, : c.n], off[:, : c.n]


@st.composite
def gemms(draw):
    raw = draw(st.integers(0, 3)) == 0
    n_x, n_w = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    c = Gemm(
        m=draw(st.integers(1, 9)), k=draw(st.integers(1, 150)), n=draw(st.integers(1, 70)),
        x_first=draw(st.integers(0, 9)), w_first=draw(st.integers(0, 9)), bias_first=4000, mask_first=draw(
            st.integers(0, 3)), y_first=draw(st.integers(0, 9)), a_first=draw(st.integers(0, 3)), psum_first=8000,
        y_step=700, a_step=100, psum_step=500, n_x=n_x, n_w=n_w, min_order=draw(st.integers(0, n_x + n_w - 2)),
        x_unsigned=draw(st.booleans()), w_unsigned=draw(st.booleans()), compensate=draw(st.booleans()),
        reduce_factor=draw(st.sampled_from((1, 2, 4))), y_bits=draw(st.integers(4, 5) if raw else st.integers(0, 3)),
        y_unsigned=not raw and draw(st.booleans()), relu=not raw and draw(st.booleans()),
        round=draw(st.integers(0, 2)), rand_bits=draw(st.integers(0, 3)), shift=0 if raw else draw(st.integers(0, 20)),
        biases=draw(st.booleans()), masks=draw(st.booleans()), write_masks=True,
    )  # fmt: skip
    return c, draw(st.sampled_from((1, 2, 4))), draw(st.integers(0, 2**32 - 1))


@settings(max_examples=60, deadline=None)
@given(gemms())
def test_gemm_against_whole_matrices(case):
    c, cores, seed = case
    rng = np.random.default_rng(seed)
    p = Processor(replace(SMALL, cores=cores))
    x, w = operands(rng, (c.m, c.k), c.n_x, c.x_unsigned), operands(rng, (c.k, c.n), c.n_w, c.w_unsigned)
    mask = rng.random((c.m, c.n)) < 0.3 if c.masks else None
    if c.compensate and c.masks and c.min_order:
        c = replace(c, compensate=False)  # the oracle has none of that; test_tile_sums has
    bias = rng.integers(-1 << 20, 1 << 20, c.n) if c.biases else None
    lay_out(p, c, x, w, mask, bias)
    p.seed_word = seed
    c = replace(c, draw=int(rng.integers(NUMBERS)))
    done = p.execute(c)
    assert done.error is None
    # chunks are summed exactly, so that one product says it all; compensation looks at tiles of 16 columns
    sums = np.zeros((c.m, c.n), np.int64)
    for lo, hi in c.chunks(p.params):
        sums += kept_product(x[:, lo:hi], w[lo:hi], c.n_x, c.n_w, LANES, c.min_order, c.compensate, mask)
    sums = sums + (0 if bias is None else bias)
    dead = np.zeros(sums.shape, bool) if mask is None else mask
    sums = np.where(dead, 0, sums)
    draw = np.zeros((c.m, c.tiles * LANES), np.int64)
    for t in range(c.tiles):
        draw[:, LANES * t : LANES * t + LANES] = draws(seed + c.draw + 65536 * t + np.arange(c.m), LANES)
    _, ran = c.descriptors(p.params, len(c.chunks(p.params)) - 1)
    z = quantise(sums, ran, draw[:, : c.n])
    want, over = saturate(z, ran)
    y, off = results(p, c, c.y_bits, c.y_unsigned)
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(off, dead | (sums <= 0 if c.relu else False))
    assert p.stat == Stats(
        c.m * c.n, int(over.sum()), int((want == 0).sum()), 0 if c.raw else int(np.abs(want).sum()),
        int(np.abs(z).max()).bit_length(),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_tile_sums_against_the_products_of_the_core(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n_x, n_w, rf = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4)), data.draw(st.sampled_from((1, 2)))
    order = data.draw(st.integers(0, n_x + n_w - 2))
    desc = Descriptor(n_x, n_w, False, False, order, True, rf, 20, 5)
    x, w = operands(rng, (5, 20), n_x, False), operands(rng, (2, 20, LANES), n_w, False)
    dead = rng.random((2, 5, LANES)) < data.draw(st.sampled_from((0, 0.5, 0.9)))
    dead[0, 0] = True
    got = tile_sums(desc, x, w, dead)
    for t in range(2):
        masks = (dead[t] << np.arange(LANES)).sum(axis=1)
        made = products(desc, w[t], x, masks)
        np.testing.assert_array_equal(got[t], accumulate(made.job, made.order, made.data, 5))


def test_partial_sums_are_clamped():
    c = Gemm(m=1, k=33, n=1, n_x=4, n_w=4, y_bits=YBits.RAW64, psum_first=100)
    p = Processor(replace(SMALL, cores=1))
    x, w = np.full((1, 33), -(1 << 15)), np.full((33, 1), -(1 << 15))
    lay_out(p, c, x, w)
    p.execute(replace(c, k=32))  # 2^35: nothing near the limit
    bias = replace(c, k=32, biases=True, bias_first=4000)
    p.memory(Buffer.W)[4000].view("<i4")[0] = (1 << 31) - 1
    p.execute(bias)
    assert results(p, bias, YBits.RAW64, False)[0][0, 0] == (1 << 35) + (1 << 31) - 1
    wide = replace(c, k=511, reduce_factor=4, biases=True, bias_first=4000)
    p = Processor(TopParams())
    lay_out(p, wide, np.full((1, 511), -(1 << 15)), np.full((511, 1), -(1 << 15)))
    p.memory(Buffer.W)[4000].view("<i4")[0] = (1 << 31) - 1
    assert p.execute(wide).error is None
    limit = (1 << 39) - 1 - (511 << 30)
    assert results(p, wide, YBits.RAW64, False)[0][0, 0] == (511 << 30) + min(limit, (1 << 31) - 1)


def test_sub_word_results_leave_their_neighbours():
    p = Processor(replace(SMALL, cores=1))
    c = Gemm(m=1, k=1, n=16, y_bits=YBits.B4, write_masks=True)
    lay_out(p, c, np.array([[1]]), np.full((1, 16), 3))
    p.memory(Buffer.Y)[0], p.memory(Buffer.A)[0] = 0xEE, 0xEE
    p.execute(c)
    assert p.memory(Buffer.Y)[0].tolist() == [0x33] * 8 + [0xEE] * 8
    assert p.memory(Buffer.A)[0].tolist() == [0, 0] + [0xEE] * 14


def test_words_of_commands_and_back():
    rng = np.random.default_rng(1)
    assert Load(target=1, first=3, cores=5, count=7, wait_load=1, wait_compute=2, wait_store=3).words()[:3] == [
        0x03020111, 3 | 5 << 16, 7,
    ]  # fmt: skip
    assert Gemm(m=2, k=3, n=4, x_first=5, biases=True, min_order=3, y_bits=2, slot=9).words()[:10] == [
        2, 3 | 2 << 16, 4 | 5 << 16, 0, 0, 0, 0, 0, 2 | 2 << 3 | 3 << 6 | 1 << 12 | 2 << 16 | 1 << 31, 9 << 2,
    ]  # fmt: skip
    assert Plan(x=5, w=6, slot=7, y=8, k=9).words()[:3] == [5, 5 | 6 << 10 | 7 << 20, 8 | 9 << 16]
    config = OptcConfig(
        Mode.ADAM, 5, 20, -3, 8, 9, Scalar(3, 4), Scalar(5, 6), Scalar(7, 8), Scalar(9, 10), pre_w=-4, pre_v=2
    )
    opt = Opt(state=1, gradients=2, copies=3, config=config)
    assert opt.words()[:4] == [3, 1 | 2 << 16, 3, 1 | 5 << 8]
    for command in (
        opt,
        Store(target=4, first=9, count=8),
        Plan(k=3),
        Gemm(relu=True, m=77),
        Unknown(code=9, target=3),
    ):
        assert command_of(command.words()).words() == command.words()
    assert command_of(opt.words()) == opt
    for _ in range(50):
        words = [2, *(int(v) for v in rng.integers(0, 2**32, 9)), *[0] * 6]
        words[7] &= 0xFFFF
        words[9] &= (1 << 19) - 1
        assert command_of(words).words() == words
    with pytest.raises(ValueError, match="16 bits"):
        Load(first=1 << 16).words()


def test_loads_and_stores():
    p = Processor(SMALL)
    data = np.arange(64, dtype=np.uint8).reshape(4, 16)
    assert p.execute(Load(target=Buffer.W, first=8, count=4, cores=2), stream_in=data).error is None
    assert (p.memory(Buffer.W, 1)[8:12] == data).all()
    assert not p.memory(Buffer.W, 0).any()
    p.execute(Load(target=Buffer.Y, first=0, count=4), stream_in=data)
    assert (p.execute(Store(target=Buffer.Y, first=1, count=2)).stored == data[1:3]).all()
    assert p.done == [2, 0, 1]
    assert p.read(Reg.DONE) == 2 | 1 << 16
    # too short, too long
    for count, kept in ((5, 4), (3, 3)):
        q = Processor(SMALL)
        assert q.execute(Load(target=Buffer.X, count=count), 77, data).error.code == Code.FRAMING
        assert (q.memory(Buffer.X)[:4].sum(axis=1) > 0).sum() == kept
        assert q.read(Reg.ERROR) == Code.FRAMING | Engine.LOAD << 4 | 77 << 16 | 1 << 24
    with pytest.raises(StuckError, match="does not come"):
        p.execute(Load(target=Buffer.X))


def test_range():
    p = Processor(TopParams(y_words=16, s_words=8))
    data = np.full((4, 16), 5, np.uint8)
    assert p.execute(Load(target=Buffer.Y, first=14, count=4), stream_in=data).error.code == Code.RANGE
    got = p.execute(Store(target=Buffer.Y, first=14, count=4))
    assert got.error.code == Code.RANGE
    assert got.stored.sum(axis=1).tolist() == [80, 80, 0, 0]
    # the first failure is kept, later ones are counted; clearing forgets both
    assert p.read(Reg.ERROR) == Code.RANGE | 2 << 24
    p.write(Reg.ERROR_CLEAR, 1)
    assert p.read(Reg.ERROR) == 0
    c = Gemm(m=17, k=1, n=16)
    assert p.execute(c).error.code == Code.RANGE
    # a load that is framed wrongly, too, says that
    assert p.execute(Load(target=Buffer.Y, first=14, count=5), stream_in=data).error.code == Code.FRAMING


def test_refused_commands():
    p = Processor(SMALL)
    data = np.zeros((1, 16), np.uint8)
    wanted = [
        (Unknown(code=7), Code.OPERATION, 0),
        (Load(target=4), Code.OPERATION, 0),
        (Store(target=0), Code.OPERATION, 0),
        (Load(target=0, count=0), Code.SIZE, 0),
        (Load(target=1, cores=4), Code.SIZE, 0),
        (Store(target=3, count=0), Code.SIZE, 0),
        (Gemm(m=0), Code.SIZE, 0),
        (Gemm(m=16384), Code.SIZE, 0),
        (Gemm(planned=True, slot=3), Code.PLAN, 0),
        (Gemm(n_x=0), Code.GEMM, 1),
        (Gemm(reduce_factor=0, k=500), Code.GEMM, 3),
        (Gemm(min_order=3), Code.GEMM, 5),
        (Gemm(round=3), Code.GEMM, 16 + 2),
        (Gemm(shift=40), Code.GEMM, 16 + 3),
        (Gemm(y_bits=4, relu=True), Code.GEMM, 16 + 4),
        (Gemm(y_bits=7, k=90), Code.GEMM, 16 + 1),
        (Opt(config=OptcConfig(Mode.MOMENTUM, 0, 0, 0, 0, 0, Scalar(0, 0), Scalar(0, 0))), Code.OPTC, 2),
        (Gemm(target=1), Code.OPERATION, 0),
        (Plan(target=1), Code.OPERATION, 0),
        (Plan(x=400), Code.PLAN, 1),
        (Plan(k=0), Code.PLAN, 3),
    ]
    for command, code, detail in wanted:
        error = p.execute(command).error
        assert (error.code, error.detail) == (code, detail), command
    assert sum(p.done) == len(wanted)
    assert p.errors == len(wanted)
    # what a refused load did not take is there for the next
    assert p.execute(Load(target=4), stream_in=data).error.code == Code.OPERATION
    assert p.execute(Load(target=0)).error is None


def test_plan_and_update():
    p, laps = Processor(SMALL), Laps()
    entries = {
        (0, TensorClass.ACTIVATION): Entry(8, 2, True),
        (0, TensorClass.WEIGHT): Entry(7, 1),
        (1, 0): Entry(5, 2),
    }
    for (layer, cls), entry in entries.items():
        laps.set_entry(layer, cls, replace(entry, is_unsigned=entry.is_unsigned or cls == 0))
        for word, data in enumerate(laps.entry(layer, cls).words):
            p.write(Reg.LAPS + 4 * (2 * (4 * layer + cls) + word), data)
    assert p.execute(Plan(x=0, w=1, y=4, k=20, slot=3)).error is None
    slot = PlanSlot.of([p.read(Reg.PLAN + 16 * 3 + 4 * at) for at in range(4)])
    assert slot == PlanSlot(0, 2, 1, 2, 8, 7, 5, 10)
    rng = np.random.default_rng(5)
    c = Gemm(
        m=3, k=20, n=20, n_x=2, n_w=1, x_unsigned=True, planned=True, slot=3, relu=True, y_unsigned=True, update=True,
        y=4, y_step=100,
    )  # fmt: skip
    x, w = rng.integers(0, 256, (3, 20)), rng.integers(-8, 8, (20, 20))
    lay_out(p, c, x, w)
    assert p.execute(replace(c, n_x=4, n_w=4, y_bits=3, shift=1)).error is None
    _, ran = replace(c, shift=10).descriptors(p.params, 0)
    z = quantise(x @ w, ran)
    y, over = saturate(z, ran)
    assert (results(p, c, YBits.B8, True)[0] == y).all()
    stats = TensorStats(60, int(over.sum()), int((y == 0).sum()), int(np.abs(z).max()).bit_length(), int(y.sum()))
    said = laps.update(1, 0, stats)
    assert p.answer == said
    assert p.laps.entry(1, 0) == said.entry
    assert p.read(Reg.UPD_ANSWER) & 0xFF == said.fl
    # the same from the host
    for at, word in enumerate([60, stats.overflow, stats.zeros, stats.sum_abs, 0, stats.max_bit << 10 | 4]):
        p.write(Reg.UPD + 4 * at, word)
    p.write(Reg.UPD_PUSH, 1)
    assert p.answer == laps.update(1, 0, stats)
    # raw results have no magnitudes: LAPS refuses, and the command has been carried out
    error = p.execute(replace(c, planned=False, relu=False, y_unsigned=False, y_bits=YBits.RAW32)).error
    assert (error.code, error.detail) == (Code.UPDATE, 2)
    assert (results(p, c, YBits.RAW32, False)[0] == x @ w).all()
    # a raw GEMM keeps its own format
    p.memory(Buffer.Y)[:] = 0
    assert p.execute(replace(c, relu=False, y_unsigned=False, update=False, y_bits=YBits.RAW32)).error is None
    assert (results(p, c, YBits.RAW32, False)[0] == x @ w).all()
    # a shift below 0 cannot be carried out
    p.execute(Plan(x=4, w=4, y=0, k=20, slot=4))
    p.write(Reg.LAPS, Entry(63, 2, True).words[0])
    p.execute(Plan(x=4, w=4, y=0, k=20, slot=4))
    assert p.execute(replace(c, slot=4)).error.code == Code.PLAN
    # unless nobody uses it
    raw = replace(c, slot=4, relu=False, y_unsigned=False, update=False, y_bits=YBits.RAW32)
    assert p.execute(raw).error is None


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("rounding", [Round.NEAREST, Round.STOCHASTIC])
def test_opt(rounding, mode):
    rng = np.random.default_rng(3)
    n = 21
    config = OptcConfig(
        mode, n, 28, 30, 30, 29, Scalar.of(0.1), Scalar.of(1e-3, 63), Scalar.of(1e-3), copy_shift=20,
        copy_round=rounding, copy_format=3, draw=NUMBERS - 12,
    )  # fmt: skip
    state = State(*(rng.integers(0 if at == 2 else -(1 << 24), 1 << 24, n) for at in range(3)))
    g = rng.integers(-(1 << 20), 1 << 20, n)
    p = Processor(SMALL)
    p.seed_word = 9
    for buffer, values in zip((Buffer.SW, Buffer.SM, Buffer.SV), state, strict=True):
        p.memory(buffer)[5:11].view("<i4").reshape(-1)[:] = np.pad(values, (0, 3), constant_values=-1)
    p.memory(Buffer.Y)[7:13].view("<i4").reshape(-1)[:n] = g
    p.memory(Buffer.Y)[100:104] = 0xEE
    done = p.execute(Opt(state=5, gradients=7, copies=100, config=config))
    assert done.error is None
    adam = mode == Mode.ADAM
    want = update(
        config,
        state if adam else state._replace(v=np.zeros_like(state.v)),
        g,
        draws(NUMBERS - 3 + np.arange(6), 4).reshape(-1)[:n] if rounding == Round.STOCHASTIC else None,
    )
    for buffer, values in zip((Buffer.SW, Buffer.SM, Buffer.SV), want.state, strict=True):
        moved = adam or buffer != Buffer.SV  # momentum leaves v alone
        after = [*values.tolist(), 0, 0, 0] if moved else [*state.v.tolist(), -1, -1, -1]
        assert p.memory(buffer)[5:11].view("<i4").reshape(-1).tolist() == after
        assert done.activity.reads[buffer] == done.activity.writes[buffer] == 6 * moved
    copies = p.memory(Buffer.Y)[100:104].view("<i2").reshape(-1)
    assert copies.tolist() == [*want.y.tolist(), 0, 0, 0, *[-0x1112] * 8]
    assert [p.read(Reg.OPT_STAT + 4 * at) for at in range(8)] == opt_words(want.statistics)


def test_engines_wait_and_order():
    a, b = np.full((1, 16), 1, np.uint8), np.full((1, 16), 2, np.uint8)
    actions = [
        Issue(Load(target=3, first=0), a),
        Issue(Store(target=3, first=0, wait_load=2)),
        Issue(Load(target=3, first=0), b),
        Read(Reg.DONE),
        Write(Reg.SEED, 5),
        Read(Reg.SEED),
    ]
    for seed in range(5):
        done = Processor(SMALL).run(actions, np.random.default_rng(seed))
        assert done.stored[0].tolist() == b.tolist()
        assert done.read == [2 | 1 << 16, 5]
    with pytest.raises(StuckError, match=r"no engine can go on with done counters \(0, 0, 0\): Store waits"):
        Processor(SMALL).run([Issue(Store(target=3, wait_compute=1))])
    # five loads that wait for a command after them: the queue is full
    with pytest.raises(StuckError, match="no engine"):
        Processor(SMALL).run([*[Issue(Load(target=3, wait_compute=1), a)] * 5, Issue(Plan())])
    assert Processor(SMALL).run([*[Issue(Load(target=3, wait_compute=1), a)] * 4, Issue(Plan())]).stored == []


def test_done_counters_wrap():
    assert reached(0, 0)
    assert reached(3, 250)
    assert not reached(250, 3)
    assert not reached(0, 1)


def _noisy(cores: int, seed: int, draw: int, m: int = 40, n: int = 70) -> np.ndarray:
    """Results (m, n) of the same operands, rounded stochastically."""
    rng = np.random.default_rng(1)
    c = Gemm(m=m, k=5, n=n, round=Round.STOCHASTIC, rand_bits=3, shift=6, draw=draw)
    params = TopParams(cores=cores)
    step = -(-c.tiles // cores) * m
    p, c = Processor(params), replace(c, y_step=step)
    lay_out(p, c, rng.integers(-128, 128, (m, 5)), rng.integers(-128, 128, (5, n)))
    p.write(Reg.SEED, seed)
    assert p.execute(c).error is None
    return results(p, c, c.y_bits, False)[0]


def test_cores_do_not_change_what_is_drawn():
    one = _noisy(1, 7, 5)
    for cores in (2, 4):
        assert np.array_equal(_noisy(cores, 7, 5), one)
    assert np.array_equal(_noisy(1, 5, 7), one)  # the sum counts
    assert (_noisy(1, 7, 6) != one).mean() > 0.1
    # A part of the rows, and of the columns, whose numbers begin with those that they have in the whole.
    rng = np.random.default_rng(1)
    x, w = rng.integers(-128, 128, (40, 5)), rng.integers(-128, 128, (5, 70))
    c = Gemm(m=13, k=5, n=32, round=Round.STOCHASTIC, rand_bits=3, shift=6, draw=5 + 20 + 65536 * 2)
    p = Processor(TopParams())
    lay_out(p, c, x[20:33], w[:, 32:64])
    p.seed_word = 7
    assert p.execute(c).error is None
    assert np.array_equal(results(p, c, c.y_bits, False)[0], one[20:33, 32:64])


@pytest.mark.parametrize("step", [21846, 32768, 43691, 65535])
def test_steps_between_cores_do_not_wrap(step):
    """Products of step and core beyond 16 bits, sums beyond 17: past the end, and nothing else is touched."""
    p = Processor(TopParams(cores=4))
    c = Gemm(m=1, k=1, n=64, n_x=1, n_w=1, y_bits=YBits.B8, y_step=step)
    lay_out(p, c, np.ones((1, 1), int), np.arange(1, 65)[None] % 8)
    error = p.execute(c).error
    assert error is not None
    assert error.code == Code.RANGE
    assert p.memory(Buffer.Y)[0].tolist() == [n % 8 for n in range(1, 17)]
    assert not p.memory(Buffer.Y)[1:].any()


@pytest.mark.parametrize(("bits", "words"), [(0, 1), (1, 2), (2, 4), (3, 4)])
def test_copies_take_containers_of_their_format(bits, words):
    p, config = Processor(SMALL), OptcConfig(
        Mode.MOMENTUM, 30, 8, 8, 0, 8, Scalar(0, 0), Scalar(0, 0), copy_format=bits
    )  # fmt: skip
    w = np.arange(-7, 23)
    p.memory(Buffer.SW)[:8].view("<i4").reshape(-1)[:30] = w
    p.memory(Buffer.Y)[50:55] = 0xEE
    opt = Opt(copies=50, config=config)
    done = p.execute(opt)
    limit = (8 << 4 * bits) - 1
    copies = unpack(p.memory(Buffer.Y)[50 : 50 + words], bits + 1)
    assert copies[:32].tolist() == [*np.clip(w, -limit - 1, limit).tolist(), 0, 0]
    assert done.activity.writes[Buffer.Y] == opt.copy_words == words
    assert (p.memory(Buffer.Y)[50 + words] == 0xEE).all()


def _feeding(p, mode=Mode.ADAM):
    """A product, the pass that it feeds (alone and with gradients from Y), operands loaded."""
    rng = np.random.default_rng(3)
    for buffer in (Buffer.X, Buffer.W):
        p.memory(buffer)[:60] = rng.integers(0, 256, (60, 16))
    for buffer in (Buffer.SW, Buffer.SM, Buffer.SV):
        p.memory(buffer)[:60].view("<i4")[:] = rng.integers(0, 1 << 20, (60, 4))
    gemm = Gemm(m=3, k=20, n=30, y_bits=YBits.RAW32, y_first=100)
    config = OptcConfig(
        mode, 96, 28, 20, 20, 18, Scalar.of(0.1), Scalar.of(1e-3, 63), Scalar.of(1e-3), copy_shift=8,
        copy_format=3,
    )  # fmt: skip
    return gemm, Opt(state=1, copies=40, gradients=100, config=config)


@pytest.mark.parametrize("mode", Mode)
def test_a_product_feeds_a_pass(mode):
    """As if its results had gone to Y; twice, as the pass stays."""
    one, two = Processor(ONE), Processor(ONE)
    for p in (one, two):
        gemm, opt = _feeding(p, mode)
    assert one.execute(replace(opt, fed=True, gradients=0)).activity.parameters == 0
    for _ in range(2):
        done = one.execute(replace(gemm, feeds=True))
        two.execute(gemm)
        two.execute(opt)
        assert done.error is None
        assert done.activity.parameters == 96
        assert done.activity.mode == mode
        assert one.opt_stat == two.opt_stat
        for buffer in (Buffer.SW, Buffer.SM, Buffer.SV):
            assert (one.memory(buffer) == two.memory(buffer)).all()
        assert (one.memory(Buffer.Y)[40:52] == two.memory(Buffer.Y)[40:52]).all()
    assert not one.memory(Buffer.Y)[100:124].any()
    assert one.stat == two.stat


@pytest.mark.parametrize(
    ("change", "opt_change", "code"),
    [
        ({}, {}, None), ({"y_bits": YBits.RAW64}, {}, Code.FEED), ({"narrow": True, "n": 8}, {}, Code.FEED),
        ({"write_masks": True}, {}, Code.FEED), ({}, {"n": 95}, Code.FEED), ({"m": 4}, {}, Code.FEED),
        ({}, {"copy_round": Round.STOCHASTIC}, Code.FEED), ({}, {"copy_shift": 32}, Code.OPTC),
    ],
)  # fmt: skip
def test_what_cannot_feed_is_refused(change, opt_change, code):
    p = Processor(ONE)
    gemm, opt = _feeding(p)
    assert p.execute(replace(gemm, feeds=True)).error.code == Code.FEED  # nothing is kept
    p.execute(replace(opt, fed=True, config=replace(opt.config, **opt_change)))
    error = p.execute(replace(gemm, feeds=True, **change)).error
    assert (error and error.code) == code


def test_one_core_alone_feeds():
    p = Processor(SMALL)
    gemm, opt = _feeding(p)
    p.execute(replace(opt, fed=True))
    assert p.execute(replace(gemm, feeds=True)).error.code == Code.FEED


@pytest.mark.parametrize(("n", "code"), [(64, None), (65, Code.RANGE), (4 * 65536, Code.RANGE)])
def test_passes_up_to_the_last_word_of_the_state_and_beyond(n, code):
    p = Processor(TopParams(s_words=16))
    config = OptcConfig(Mode.MOMENTUM, n, 28, 30, 30, 29, Scalar.of(0.1), Scalar.of(1e-3, 63), Scalar.of(1e-3))
    error = p.execute(Opt(config=config, copies=8192)).error
    assert (error and error.code) == code
    assert p.read(Reg.OPT_STAT) == n


def test_products_and_passes_draw_apart():
    """Noise of cores' tiles and of passes, as a host numbers products and passes: uncorrelated, whatever the seed."""
    count, far = 10000, 3
    for seed in (1, 0x9E37_79B9, 0xFFFF_FFFF):
        starts = [Gemm(draw=draw).first_draw(seed, tile) for draw in (0, PRODUCT_DRAWS) for tile in range(4)]
        starts.append((seed + 2 * PRODUCT_DRAWS) % NUMBERS)
        drawn = [draws(start + np.arange(count), 4) for start in starts]
        noise = [(each - each.mean(axis=0)) / each.std(axis=0) for each in drawn]
        for first, second in itertools.combinations(noise, 2):
            for shift in range(-far, far + 1):
                a, b = first[far : count - far], second[far + shift : count - far + shift]
                # Columns of different lanes too.
                assert np.abs(a.T @ b / len(a)).max() < 6 / np.sqrt(count)


def test_numbers_of_products_lie_far_apart():
    """The first thousand of a seed: further than the numbers of the largest product's tiles at a hundred of them."""
    starts = np.sort(PRODUCT_DRAWS * np.arange(1000) % NUMBERS)
    assert np.diff(starts).min() > 65536
    assert np.diff(np.sort(PRODUCT_DRAWS * np.arange(100) % NUMBERS)).min() > 256 * 65536


def test_registers_that_are_not_there():
    p = Processor(SMALL)
    for address in (0x1FC, Reg.PUSH, 0x8000, Reg.LAPS + 4 * 0x300):
        with pytest.raises(BusError):
            p.write(address, 0)
        with pytest.raises(BusError):
            p.read(address)
    with pytest.raises(BusError, match="VALUE"):
        p.write(Reg.LAPS + 4, 1 << 20)
    p.execute(Store(target=3))
    assert p.read(Reg.IRQ_STATUS) == 4
    p.write(Reg.IRQ_STATUS, 4)
    assert p.read(Reg.IRQ_STATUS) == 0
    assert p.read(Reg.PARAMS) == 2 | 4 << 8 | 16 << 16 | 16 << 24
    with pytest.raises(ValueError, match="cores"):
        TopParams(cores=3)
    with pytest.raises(ValueError, match="power of two"):
        TopParams(y_words=100)
