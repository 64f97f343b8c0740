from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host import mapper as mapping
from host.mapper import (
    RAW32,
    RAW64,
    Format,
    MapError,
    Mapper,
    ModelBackend,
    Operand,
    Product,
    Scheduler,
    extents,
    signed32,
    words32,
)
from models.common.formats import YBits
from models.common.rounding import Round
from models.ioss.oracle import kept_product
from models.laps.config import Entry
from models.optc.config import Mode, OptcConfig, Scalar
from models.optc.value import State, update
from models.ran.config import RanDescriptor
from models.ran.value import quantise, saturate
from models.top.config import Answer, Buffer, Engine, Gemm, Issue, Load, Opt, Reg, Store, TopParams
from models.top.test_value import operands
from models.top.value import Processor, Stats, StuckError

TINY = TopParams(
    cores=2, rows=4, depth=32, x_words=64, w_words=512, m_words=8, y_words=512, s_words=64
)  # fmt: skip
ONE = replace(TINY, cores=1)


def wanted(product):
    """Sums, results and masks from whole matrices."""
    x, w = product.x, product.w
    mask = product.mask
    sums = kept_product(x.q, w.q, x.n, w.n, 16, product.min_order, product.compensate, mask)
    sums = sums + (0 if product.bias is None else product.bias)
    dead = np.zeros(sums.shape, bool) if mask is None else mask
    sums = np.where(dead, 0, sums)
    out = product.out
    ran = RanDescriptor(out.y_bits, out.unsigned, out.relu, out.round, out.rand_bits, out.shift)
    z = quantise(sums, ran)
    return z, saturate(z, ran)[0], dead | (out.relu & (sums <= 0))


def check(backend, mapper, products):
    program = mapper.program()
    outcomes = [mapper.product(program, product) for product in products]
    answer = backend.run(program.actions)
    for product, outcome in zip(products, outcomes, strict=True):
        got = outcome.result(answer)
        z, y, off = wanted(product)
        np.testing.assert_array_equal(got.y, y)
        if product.masks:
            np.testing.assert_array_equal(got.masks, off)
        if got.update:
            stats = got.update[1]
            assert stats.values == y.size
            assert stats.sum_abs == np.abs(y).sum()
            assert stats.overflow == (z != y).sum()
    return program, outcomes


@st.composite
def some_products(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    out = []
    for _ in range(draw(st.integers(1, 4))):
        m, k, n = draw(st.integers(1, 40)), draw(st.integers(1, 90)), draw(st.integers(1, 90))
        n_x, n_w = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        unsigned = draw(st.booleans())
        raw = draw(st.sampled_from((None, None, RAW32, RAW64)))
        fmt = raw or Format(draw(st.integers(0, 3)), draw(st.booleans()), draw(st.booleans()), shift=draw(
            st.integers(0, 12)))  # fmt: skip
        x, w = operands(rng, (m, k), n_x, unsigned), operands(rng, (k, n), n_w, False)
        out.append(Product(
            Operand(x, n_x, unsigned), Operand(w, n_w), fmt, rng.random((m, n)) < 0.3 if draw(st.booleans()) else None,
            rng.integers(-999, 999, n) if draw(st.booleans()) else None, draw(st.integers(0, n_x + n_w - 2)),
            masks=draw(st.booleans()), update=4 if raw is None and draw(st.booleans()) else None,
        ))  # fmt: skip
    return out, draw(st.sampled_from((1, 2, 4))), draw(st.integers(0, 2**32 - 1))


@settings(max_examples=60, deadline=None)
@given(some_products())
def test_products_whatever_the_order_of_engines(case):
    products, cores, seed = case
    params = replace(TINY, cores=cores)
    backend = ModelBackend(Processor(params), np.random.default_rng(seed))
    check(backend, Mapper(params), products)


def big(rng, m=70, k=40, n=100, **more):
    return Product(
        Operand(rng.integers(-100, 100, (m, k)), 2),
        Operand(rng.integers(-100, 100, (k, n)), 2),
        Format(shift=9),
        **more,
    )


def test_split_and_overlap():
    rng = np.random.default_rng(1)
    mapper = Mapper(TINY)
    program, outcomes = check(ModelBackend(Processor(TINY)), mapper, [big(rng, masks=True, update=4)])
    assert len(outcomes[0].parts) > 2
    program = mapper.program()
    mapper.product(program, big(rng))
    # the operands of the second part do not wait for the first product
    kinds = [each.command for each in program.actions if isinstance(each, Issue)]
    second = [at for at, each in enumerate(kinds) if isinstance(each, Gemm)][1]
    first = kinds.index(next(each for each in kinds if isinstance(each, Gemm)))
    between = [each for each in kinds[first:second] if isinstance(each, Load)]
    done = mapper.scheduler.issued[Engine.COMPUTE] - sum(isinstance(each, Gemm) for each in kinds)
    assert between
    assert all((done - each.wait_compute) % 256 < 128 for each in between)
    # one part where everything fits
    params = TopParams()
    program = Mapper(params).program()
    assert len(Mapper(params).product(program, big(rng)).parts) == 1


def test_missing_waits_show(monkeypatch):
    """The shuffled engines find a scheduler that forgets hazards."""
    rng = np.random.default_rng(2)
    products = [big(rng) for _ in range(3)]
    place = Scheduler.place
    for buffer in (Buffer.X, Buffer.Y):

        def forgetful(self, command, buffer=buffer):
            mine = extents(command, self.params)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(mapping, "extents", lambda *_: [each for each in mine if each.buffer != buffer])
                return place(self, command)

        monkeypatch.setattr(Scheduler, "place", forgetful)
        failed = 0
        for seed in range(6):
            try:
                check(ModelBackend(Processor(TINY), np.random.default_rng(seed)), Mapper(TINY), products)
            except AssertionError:
                failed += 1
        assert failed


def test_counters_stay_within_half_their_range():
    """Engines that run ahead as far as they may: nothing gets stuck over several turns of the counters."""

    class Last:
        """Prefers the engine that is furthest ahead."""

        def __init__(self, last):
            self.last = last

        def integers(self, count):
            return count - 1 if self.last else 0

    for last in (False, True):
        mapper, processor = Mapper(TINY), Processor(TINY)
        program = mapper.program()
        data = np.zeros((1, 16), np.uint8)
        for at in range(700):
            if at % 350 < 300:
                program.load(Buffer.X, at % 64, data)
            else:
                program.store(Buffer.Y, 0, 1)
                program.issue(Gemm(m=1, k=1, n=1, y_first=100))
        processor.run(program.actions, Last(last))
    stale = [Issue(Load(target=0), data) for _ in range(130)]
    with pytest.raises(StuckError):
        Processor(TINY).run([*stale, Issue(Store(target=3))])  # waits for 0, and 130 is not after 0


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_gradients_in_place_and_optimiser(cores):
    rng = np.random.default_rng(cores)
    params = replace(TINY, cores=cores, y_words=2048, s_words=512)
    mapper, processor = Mapper(params), Processor(params)
    backend = ModelBackend(processor, rng)
    m, n = 7, 70
    layout = mapper.layout(m, n)
    gradients, copies = mapper.reserve(Buffer.Y, layout.words), mapper.reserve(Buffer.Y, -(-layout.count // 8))
    w = rng.integers(-(1 << 20), 1 << 20, (m, n))
    zero = np.zeros((m, n), np.int64)
    program = mapper.program()
    mapper.load_state(program, 3, State(*(layout.spread(each) for each in (w, zero, zero))))
    product = Product(Operand(rng.integers(-99, 99, (m, 9)), 2), Operand(rng.integers(-99, 99, (9, n)), 2), RAW32)
    outcome = mapper.product(program, product, gradients)
    config = OptcConfig(
        Mode.MOMENTUM, layout.count, 20, 10, 0, 10, Scalar.of(0.1), Scalar.of(0.05), copy_format=3, copy_shift=8
    )
    done = mapper.optimise(program, Opt(state=3, gradients=gradients, copies=copies, config=config))
    state = mapper.store_state(program, 3, layout.count)
    answer = backend.run(program.actions)
    g = product.x.q @ product.w.q
    assert (outcome.result(answer).y == g).all()
    want = update(config, State(w.reshape(-1), zero.reshape(-1), zero.reshape(-1)), g.reshape(-1))
    record, values = done(answer)
    assert (layout.gather(values) == want.y.reshape(m, n)).all()
    for got, each in zip(state(answer), want.state, strict=True):
        assert (layout.gather(got) == each.reshape(m, n)).all()
    assert record[0] == layout.count
    assert signed32(words32(np.array([-5, 7, 9])), 3).tolist() == [-5, 7, 9]


def test_a_gradient_feeds_its_pass():
    """Whatever the order of engines: copies and state leave after the product, the next pass begins after it."""
    params = replace(ONE, y_words=2048, s_words=512)
    rng = np.random.default_rng(1)
    mapper, processor = Mapper(params), Processor(params)
    m, n = 7, 70
    layout = mapper.layout(m, n)
    copies = mapper.reserve(Buffer.Y, -(-layout.count // 8))
    w = rng.integers(-(1 << 20), 1 << 20, (m, n))
    zero = np.zeros((m, n), np.int64)
    program = mapper.program()
    mapper.load_state(program, 3, State(*(layout.spread(each) for each in (w, zero, zero))))
    product = Product(Operand(rng.integers(-99, 99, (m, 9)), 2), Operand(rng.integers(-99, 99, (9, n)), 2), RAW32)
    assert mapper.can_feed(product)
    config = OptcConfig(
        Mode.MOMENTUM, layout.count, 20, 10, 0, 10, Scalar.of(0.1), Scalar.of(0.05), copy_format=2, copy_shift=8
    )
    command = Opt(state=3, copies=copies, config=config, fed=True)
    program.issue(command)
    outcome = mapper.product(program, product, feeds=True)
    done, state = mapper.passed(program, command), mapper.store_state(program, 3, layout.count)
    answer = ModelBackend(processor, rng).run(program.actions)
    g = product.x.q @ product.w.q
    want = update(config, State(w.reshape(-1), zero.reshape(-1), zero.reshape(-1)), g.reshape(-1))
    record, values = done(answer)
    assert (layout.gather(values) == want.y.reshape(m, n)).all()
    for got, each in zip(state(answer), want.state, strict=True):
        assert (layout.gather(got) == each.reshape(m, n)).all()
    assert record[0] == layout.count
    assert outcome.seen(answer) == (0, int(np.abs(g).max()).bit_length())


def test_what_cannot_feed():
    x, w = Operand(np.ones((7, 9), np.int64), 2), Operand(np.ones((9, 70), np.int64), 2)
    assert Mapper(ONE).can_feed(Product(x, w, RAW32))
    assert not Mapper(TINY).can_feed(Product(x, w, RAW32))
    assert not Mapper(ONE).can_feed(Product(x, w, RAW64))
    assert not Mapper(replace(ONE, w_words=16)).can_feed(Product(x, w, RAW32))


def test_plan_and_update_of_the_host():
    mapper, processor = Mapper(TINY), Processor(TINY)
    for address, word in zip((Reg.LAPS, Reg.LAPS + 4), Entry(5, 2, True).words, strict=True):
        processor.write(address, word)
    program = mapper.program()
    take = mapper.plan(program, 2, 0, 1, 4, 10)
    program.update(0, Stats(10, 1, 2, 100, 12))
    answer = ModelBackend(processor).run(program.actions)
    assert take(answer)[0] & 1
    assert processor.laps.entry(0, 0).fl == 1
    rng = np.random.default_rng(1)
    slot = processor.plan[2]
    x = Operand(rng.integers(0, 9, (70, 40)), 2, True)
    product = replace(big(rng), x=x, slot=2, min_order=slot.order, out=Format(YBits.B8, shift=slot.shift))
    check(ModelBackend(processor), mapper, [product])


def test_errors_in_one_line():
    rng = np.random.default_rng(1)
    x, w = rng.integers(-8, 8, (3, 50)), rng.integers(-8, 8, (50, 20))
    fine = Product(Operand(x, 1), Operand(w, 1))
    mapper = Mapper(TINY)
    for product, text in (
        (replace(fine, w=Operand(w[1:], 1)), "cannot be multiplied"),
        (replace(fine, x=Operand(x * 2, 1)), "leave the range -8..7"),
        (replace(fine, x=Operand(x, 5)), "5 slices"),
        (replace(fine, mask=np.zeros((2, 2), bool)), "mask has shape"),
        (replace(fine, bias=np.zeros(3, np.int64)), "bias has shape"),
        (replace(fine, bias=np.full(20, 1 << 31)), "32 bits"),
        (replace(fine, reduce_factor=8), "no reduce_factor"),
        (Product(Operand(np.full((1, 3000), 32767), 4), Operand(np.full((3000, 1), 32767), 4)), "can pass the accum"),
        (replace(fine, x=Operand(np.zeros((1, 9000), int), 4), w=Operand(np.zeros((9000, 1), int), 4)), "fit buffer X"),
    ):
        with pytest.raises(MapError, match=text) as caught:
            mapper.product(mapper.program(), product)
        assert "\n" not in str(caught.value)
    with pytest.raises(MapError, match="does not fit buffer X"):
        mapper.product(mapper.program(), replace(big(rng), out=RAW32), 0)
    with pytest.raises(MapError, match="no stored words"):
        mapper.product(mapper.program(), fine).result(Answer())
    with pytest.raises(MapError, match="513 words of buffer Y"):
        mapper.reserve(Buffer.Y, 513)
    with pytest.raises(MapError, match="refused command 0: GEMM of engine COMPUTE, detail 1"):
        ModelBackend(Processor(TINY)).run([Issue(Gemm(n_x=0))])


def drawn(params, products, seed=None):
    """What products give that round stochastically, on a fresh processor."""
    mapper, backend, out = Mapper(params), ModelBackend(Processor(params)), []
    for product in products:
        program = mapper.program()
        if seed is not None and not out:
            mapper.seed(program, seed)
        outcome = mapper.product(program, product)
        out.append(outcome.result(backend.run(program.actions)).y)
    return out


def test_draws_follow_product_row_and_column():
    """However a product is split, and over however many cores; the next product draws anew, exact ones do not count."""
    rng = np.random.default_rng(4)
    noisy = replace(big(rng, 90, 10, 70), out=Format(YBits.B8, round=Round.STOCHASTIC, rand_bits=3, shift=9))
    exact = replace(noisy, out=Format(YBits.B8, shift=9))
    raw = replace(noisy, out=replace(RAW64, round=Round.STOCHASTIC))
    first, second = drawn(TopParams(), [noisy, noisy])
    assert (first != second).any()
    sums = (noisy.x.q @ noisy.w.q) / 512
    assert np.abs(first - np.clip(sums, -128, 127)).max() <= 1
    for params in (TINY, replace(TINY, cores=4), TopParams(cores=2)):
        split = len(Mapper(params).product(Mapper(params).program(), noisy).parts)
        assert (split > 1) == (params.x_words == TINY.x_words)
        assert np.array_equal(drawn(params, [noisy])[0], first)
        assert np.array_equal(drawn(params, [exact, noisy, raw, noisy])[3], second)
    assert (drawn(TINY, [noisy], 2)[0] != first).any()  # after reset the seed is 1
    assert np.array_equal(drawn(TINY, [noisy], 1)[0], first)


def loads_of(program, buffer):
    """Words of loads of a buffer in a program."""
    commands = [action.command for action in program.actions if isinstance(action, Issue)]
    return [each.count for each in commands if isinstance(each, Load) and each.target == buffer]


@pytest.mark.parametrize("cores", [1, 2])
def test_tiles_fetched_ahead_are_not_loaded_again(cores):
    params = replace(TINY, cores=cores, x_words=512, w_words=1024, y_words=2048)
    rng = np.random.default_rng(3)
    mapper, backend = Mapper(params), ModelBackend(Processor(params))
    product = big(rng, m=20, bias=rng.integers(-99, 99, 100))
    program = mapper.program()
    mapper.fetch_ahead(program, replace(product, x=Operand(np.zeros((20, 40), np.int64), 1), bias=None))
    ahead = loads_of(program, Buffer.W)
    assert ahead
    backend.run(program.actions)
    after, _ = check(backend, mapper, [product])
    assert sum(loads_of(after, Buffer.W)) == 4 * 7  # biases of seven tiles alone
    again, _ = check(backend, mapper, [product])
    assert sum(loads_of(again, Buffer.W)) == 4 * 7
    mapper.forget()
    backend = ModelBackend(Processor(params))
    anew, _ = check(backend, mapper, [product])
    assert sum(loads_of(anew, Buffer.W)) == sum(ahead) + 4 * 7


def test_tiles_that_were_overwritten_are_loaded_again():
    params = replace(ONE, x_words=512, y_words=2048)
    rng = np.random.default_rng(4)
    mapper, backend = Mapper(params), ModelBackend(Processor(params))
    products = [big(rng, m=10, k=30, n=16 * tiles) for tiles in (3, 4, 5, 3)]
    for product in (*products, products[0]):
        program = mapper.program()
        mapper.fetch_ahead(program, product)
        backend.run(program.actions)
        for _ in range(2):
            check(backend, mapper, [product, products[2]])


def test_what_takes_several_commands_is_not_fetched_ahead():
    mapper = Mapper(ONE)
    program = mapper.program()
    mapper.fetch_ahead(program, big(np.random.default_rng(5)))
    assert program.actions == []
