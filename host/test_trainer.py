from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from host.closed_loop import Format, make_loop
from host.digits import load_digits
from host.fixed import FixedConfig, FloatNet, Rounding, TrainConfig, accuracy, init_layers, order_rng, train
from host.mapper import MapError, ModelBackend
from host.network import AvgPool, Conv, Dense, MaxPool, Network, ReLU, Residual, load_network
from host.optimiser import HostError, Rule
from host.settings import SETTINGS
from host.trainer import Driven, Moments, make_trainer
from models.common import floats
from models.laps.config import TensorClass
from models.laps.value import stats_of
from models.optc.config import Mode
from models.optc.value import State, round_nearest, update
from models.top.config import Buffer, TopParams
from models.top.value import Processor, opt_words
from studies.measure import Tally

RESIDUAL = Network(
    inputs=(8, 8, 1),
    layers=[
        Conv(4, padding=1), ReLU(),
        Residual([Conv(4, stride=2, padding=1, groups=2), ReLU(), Conv(4, padding=1)], [Conv(4, 1, stride=2)]), ReLU(),
        MaxPool(3, stride=1, padding=1),
        Residual([Conv(4, padding=1)]), ReLU(), AvgPool(3),
        Dense(10),
    ],
).lowered  # fmt: skip
MLP, CNN = (load_network(name).lowered for name in ("mlp", "cnn"))
NEAREST = FixedConfig(error_rounding=Rounding.NEAREST_EVEN)
SMALL = TopParams(x_words=256, w_words=512, m_words=32, y_words=4096)
TOP = TopParams()
FINE = replace(
    SETTINGS,
    classes={**SETTINGS.classes, TensorClass.ACTIVATION: replace(SETTINGS.classes[TensorClass.ACTIVATION], fl=14)},
)


@pytest.fixture(scope="module")
def data():
    return load_digits(1)


def processor_net(layers=MLP, top=TOP, rng=None, settings=SETTINGS, fixed=NEAREST, rule=None, **config):
    trainer = make_trainer(layers, TrainConfig(**config), settings, top, fixed, rule)
    return Driven(trainer, ModelBackend(Processor(top), rng))


def state_of(net, at):
    """Weights of a layer's state, in values."""
    tensor = net.trainer.tensors[at]
    words = net.backend.processor.memory(Buffer.SW)[tensor.state : tensor.state + tensor.layout.words]
    return np.ldexp(tensor.layout.gather(words.view("<i4").reshape(-1)).astype(float), -tensor.moments.fl_w)


def check_first_step(net, step):
    """Momentum's first step: w - lr * mean gradient, to one unit of the state; and the copies after it."""
    for at, tensor in enumerate(net.trainer.tensors):
        wg = next(each for each in step.gemms if each.name == f"wg{at + 1}")
        order = step.min_orders[step.gemms.index(wg)]
        g = np.ldexp(wg.product(order).astype(float), -wg.x_fl - wg.w_fl) / 64
        w = state_of(net, at)
        start = Moments.start(net.trainer.rule, 64, tensor.start).fl_w
        rounded = np.ldexp(np.rint(np.ldexp(tensor.start, start)), -start)
        assert np.abs(w - (rounded - 0.125 * g)).max() <= 0.5 * 2.0**-tensor.moments.fl_w
        made = net.trainer.weights[at].tensor
        assert np.abs(made.q.T - np.clip(np.ldexp(w, made.fl), -128, 127)).max() <= 0.5


@pytest.mark.parametrize(
    ("layers", "top", "settings"),
    [
        (MLP, TOP, SETTINGS),
        (MLP, replace(SMALL, cores=2), SETTINGS),
        (MLP, TOP, FINE),
        (CNN, replace(TOP, cores=4), SETTINGS),
        (RESIDUAL, TOP, SETTINGS),
        (RESIDUAL, replace(SMALL, cores=2), SETTINGS),
    ],
    ids=["mlp", "mlp-small", "mlp-host", "cnn", "residual", "residual-cut"],
)
def test_first_iteration_is_that_of_the_fixed_point_trainer(data, layers, top, settings):
    """Operands of every GEMM, loss, min_orders and the table after it: bit by bit, as nothing is random."""
    mine = processor_net(layers, top, np.random.default_rng(7), settings)
    other = make_loop(layers, TrainConfig(), settings, NEAREST)
    a = mine.step(data.train_pixels[:64], data.train_labels[:64])
    b = other.step(data.train_pixels[:64], data.train_labels[:64])
    for one, two in zip(a.gemms, b.gemms, strict=True):
        assert (one.name, one.x_fl, one.w_fl, one.x_bits, one.w_bits) == (
            two.name, two.x_fl, two.w_fl, two.x_bits, two.w_bits,
        )  # fmt: skip
        np.testing.assert_array_equal(one.x, two.x)
        np.testing.assert_array_equal(one.w, two.w)
        assert (one.mask is None and two.mask is None) or (one.mask == two.mask).all()
    assert a.loss == b.loss
    assert a.min_orders == b.min_orders
    assert mine.trainer.formats == other.loop.formats
    for key in mine.trainer.formats:
        got, want = mine.backend.processor.laps.entry(*key), other.controller.laps.entry(*key)
        if (
            key.cls == TensorClass.GRADIENT and not mine.trainer.totals.unfed
        ):  # nobody has seen what magnitude they have
            assert (got.signal, got.sig_valid) == (0, False)
            want = replace(want, signal=0, sig_valid=False)
        assert got == want
    assert (mine.trainer.totals.host_finished > 0) == (settings is FINE or layers is RESIDUAL)
    assert (mine.trainer.totals.cut > 0) == (layers is RESIDUAL and top is not TOP)
    names = [each.name.split("-")[0] for each in a.products]
    assert list(dict.fromkeys(names)) == [each.name for each in a.gemms]
    check_first_step(mine, a)


def test_step_size_halves(data):
    """Behind one iteration: the second one moves weights half as far."""
    nets = processor_net(), processor_net(halvings=(1,)), processor_net(halvings=(1, 1, 2))
    before, after = [], []
    for net in nets:
        net.step(data.train_pixels[:64], data.train_labels[:64])
        before.append(state_of(net, 0))
        net.step(data.train_pixels[64:128], data.train_labels[64:128])
        after.append(state_of(net, 0))
    np.testing.assert_array_equal(before[0], before[1])
    np.testing.assert_array_equal(before[0], before[2])
    unit = max(2.0 ** -net.trainer.tensors[0].moments.fl_w for net in nets)
    moved = [two - one for one, two in zip(before, after, strict=True)]
    assert np.abs(moved[0]).max() > 1000 * unit
    for each, share in zip(moved[1:], (1 / 2, 1 / 4), strict=True):
        assert np.abs(each - share * moved[0]).max() <= 2 * unit


def test_cores_and_order_of_engines_change_nothing(data):
    losses = []
    for top, seed in ((TOP, None), (TOP, 3), (replace(SMALL, cores=4), 4)):
        net = processor_net(top=top, rng=None if seed is None else np.random.default_rng(seed))
        run = [net.step(data.train_pixels[at : at + 64], data.train_labels[at : at + 64]).loss for at in (0, 64, 128)]
        losses.append((run, net.logits(data.test_pixels[:50]).tolist()))
    assert losses[0] == losses[1] == losses[2]


def test_copies_have_the_format_that_laps_asks_for(data):
    weight = replace(SETTINGS.classes[TensorClass.WEIGHT], fl=11)  # most overflow: FL goes down with the first update
    net = processor_net(settings=replace(SETTINGS, classes={**SETTINGS.classes, TensorClass.WEIGHT: weight}))
    seen = {net.trainer.weights[0].tensor.fl}
    for at in (0, 64, 128):
        net.step(data.train_pixels[at : at + 64], data.train_labels[at : at + 64])
        for layer, weights in enumerate(net.trainer.weights):
            chosen = net.trainer.formats[layer, TensorClass.WEIGHT]
            assert (weights.tensor.bits, weights.tensor.fl) == (4 * chosen.n, chosen.fl)
            seen.add(chosen.fl)
            # statistics, as if the RAN had quantised the state
            tensor = net.trainer.tensors[layer]
            words = net.backend.processor.memory(Buffer.SW)[tensor.state : tensor.state + tensor.layout.words]
            w = tensor.layout.gather(words.view("<i4").reshape(-1)).T.astype(np.int64)
            z = round_nearest(w, tensor.moments.fl_w - chosen.fl)
            want = stats_of(weights.tensor.q, z, weights.tensor.bits)
            assert replace(weights.stats, max_bit=want.max_bit) == want
            assert 0 <= weights.stats.max_bit - want.max_bit <= (want.overflow > 0)
    assert len(seen) > 1


def test_mlp_learns(data):
    config = TrainConfig(epochs=6)
    net = processor_net(fixed=FixedConfig())
    reference = FloatNet(MLP, init_layers(MLP, np.random.default_rng([1, 0])), config)
    shares = []
    tally = Tally()
    for each in (net, reference):
        for done in train(each, data.train_pixels, data.train_labels, config, order_rng(config)):
            tally.add(done.step)
        shares.append(accuracy(each, data.test_pixels, data.test_labels))
    assert shares[0] > 0.9
    assert shares[0] > shares[1] - 0.04
    assert 4 < tally.bits < 6.5
    assert tally.speedup > 16
    totals = net.trainer.totals
    assert totals.iterations == 6 * 22
    assert totals.sat_w == totals.sat_m == totals.sat_g == 0
    assert net.backend.processor.laps.steps == totals.iterations


def test_adam_learns(data):
    config = TrainConfig(epochs=2)
    net = processor_net(rule=Rule(Mode.ADAM, 4e-3), fixed=FixedConfig())
    for _ in train(net, data.train_pixels, data.train_labels, config, order_rng(config)):
        pass
    assert accuracy(net, data.test_pixels, data.test_labels) > 0.85
    assert net.trainer.totals.clipped == 0


@pytest.mark.parametrize("mode", list(Mode))
def test_state_follows_gradients_whose_fraction_length_jumps(mode):
    rng = np.random.default_rng(1)
    rule = Rule(mode, 2**-6 if mode == Mode.ADAM else 2**-3, 0.9, 0.99)
    w = floats.normal(rng, 50)
    moments = Moments.start(rule, 64, w)
    state = State(np.rint(np.ldexp(w, moments.fl_w)).astype(np.int64), *np.zeros((2, 50), np.int64))
    m, v = np.zeros(50), np.zeros(50)
    moved = rescales = 0
    for t in range(1, 60):
        g = np.ldexp(floats.normal(rng, 50), rng.integers(-3, 3)) * (100 if t == 30 else 1)
        fl = int(rng.choice([1, 9, 24])) if t % 7 == 0 else 12
        q = np.rint(np.ldexp(g, fl)).astype(np.int64)
        exact = np.ldexp(q.astype(float), -fl)
        before, config = moments.passes(rule.lr, 50, int(np.abs(q).max()), fl, Format(2, 5), mode == Mode.ADAM)
        rescales += len(before)
        for each in before:
            state = update(each, state, rng.integers(-(1 << 31), 1 << 31, 50)).state
        moved += config.fl_g != fl
        done = update(config, state, round_nearest(q, fl - config.fl_g))
        moments.done(config, opt_words(done.statistics))
        state = done.state
        assert done.statistics.sat_w == done.statistics.sat_m == done.statistics.sat_v == 0
        if mode == Mode.ADAM:
            m += 0.1 * (exact - m)
            v += 0.01 * (exact * exact - v)
            w -= rule.lr * m / (1 - 0.9**t) / np.sqrt(v / (1 - 0.99**t))
        else:
            m = 0.9 * m + exact
            w -= rule.lr / 64 * m
    assert np.abs(np.ldexp(state.w.astype(float), -moments.fl_w) - w).max() < 2e-4
    assert moved
    assert rescales or mode == Mode.MOMENTUM  # where m is kept coarse for the gradients' sake


def test_regraded_gradients_arrive(data):
    """The state's FL far from the gradient's: the host moves the gradients, and the step is the same."""
    net = processor_net()
    tensor = net.trainer.tensors[0]
    tensor.moments.fl_m, tensor.moments.bits = 30, (tensor.moments.bits[0], 5, 0)
    step = net.step(data.train_pixels[:64], data.train_labels[:64])
    assert net.trainer.totals.regraded == 1
    check_first_step(net, step)


def test_errors_in_one_line(data):
    with pytest.raises(MapError, match="17 layers: LAPS has 16"):
        make_trainer([MLP[0]] * 17, TrainConfig(), SETTINGS, TOP)
    with pytest.raises(MapError, match="11 random bits"):
        make_trainer(MLP, TrainConfig(), SETTINGS, TOP, replace(NEAREST, random_bits=11))
    with pytest.raises(MapError, match="weights take 1,643 words of the state buffers, which have 512"):
        make_trainer(MLP, TrainConfig(), SETTINGS, replace(TOP, s_words=512))
    with pytest.raises(MapError, match="64 images, not 3"):
        processor_net().step(data.train_pixels[:3], data.train_labels[:3])
    with pytest.raises(HostError, match="cannot be copied"):
        Moments.start(Rule(Mode.MOMENTUM, 0.1), 1, np.ones(3)).copy_only(3, Format(2, 60))
    moments = Moments(Rule(Mode.MOMENTUM, 1000.0), 1, 40, (30, 0, 0))
    with pytest.raises(HostError, match="RspFl"):
        moments.passes(1000.0, 3, 1, -70, Format(2, -70))
