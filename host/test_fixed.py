"""The fixed-point trainer: rounding against exact fractions, saturation, the dynamic rule, and that it learns."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from host.fixed import (
    FixedConfig,
    FixedMlp,
    FloatMlp,
    Rounding,
    Step,
    TrainConfig,
    accuracy,
    dynamic_fl,
    init_params,
    make_networks,
    order_rng,
    quantise,
    requantise,
    round_shift,
    softmax_error,
    train,
)
from models.common import floats

NEAREST, STOCHASTIC = Rounding.NEAREST_EVEN, Rounding.STOCHASTIC


class _EveryRandom:
    """Stands in for a generator: hands out every random word once, so that a mean over it is exact."""

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
        assert low == 0
        assert shape[-1] == high
        return np.broadcast_to(np.arange(high), shape)


def _rng() -> np.random.Generator:
    return np.random.default_rng(7)


# ------------------------------------------------------------------------------------------------------------- rounding


@pytest.mark.parametrize("shift", [1, 2, 5, 11])
def test_nearest_even_equals_exact_rounding(shift: int) -> None:
    acc = np.arange(-5000, 5001, dtype=np.int64)
    expected = [round(Fraction(int(a), 1 << shift)) for a in acc]  # Python rounds a Fraction half to even
    assert round_shift(acc, shift, NEAREST, _rng()).tolist() == expected


def test_nearest_even_has_no_bias_over_a_full_period() -> None:
    acc = np.arange(-(1 << 9), 1 << 9, dtype=np.int64)  # two periods of the result's parity at shift 8
    y = round_shift(acc, 8, NEAREST, _rng())
    assert sum(Fraction(int(v)) - Fraction(int(a), 256) for v, a in zip(y, acc, strict=True)) == 0


def test_rounding_of_wide_accumulators() -> None:
    acc = np.array([(1 << 50) + 1, -(1 << 50) - 1, (3 << 29), -(3 << 29)], dtype=np.int64)
    assert round_shift(acc, 30, NEAREST, _rng()).tolist() == [round(Fraction(int(a), 1 << 30)) for a in acc]


@pytest.mark.parametrize("rounding", list(Rounding))
def test_left_shift_is_exact(rounding: Rounding) -> None:
    acc = np.array([-3, 0, 5], dtype=np.int64)
    assert round_shift(acc, 0, rounding, _rng()).tolist() == [-3, 0, 5]
    assert round_shift(acc, -4, rounding, _rng()).tolist() == [-48, 0, 80]


@pytest.mark.parametrize("shift", [1, 3, 8])
def test_stochastic_mean_is_exact_up_to_the_random_bits(shift: int) -> None:
    for value in range(-600, 601, 7):
        y = round_shift(np.full(256, value, dtype=np.int64), shift, STOCHASTIC, _EveryRandom())  # type: ignore[arg-type]
        assert Fraction(int(y.sum()), 256) == Fraction(value, 1 << shift)
        assert set(y.tolist()) <= {value >> shift, (value >> shift) + 1}


def test_stochastic_mean_is_centred_beyond_the_random_bits() -> None:
    shift = 12
    errors = []
    for value in range(-(1 << shift), 1 << shift):
        y = round_shift(np.full(256, value, dtype=np.int64), shift, STOCHASTIC, _EveryRandom())  # type: ignore[arg-type]
        errors.append(Fraction(int(y.sum()), 256) - Fraction(value, 1 << shift))
    assert max(abs(e) for e in errors) <= Fraction(1, 512)  # half a random step
    # Ties of the random step go up, which leaves 2**-(shift + 1); plain floor(z + r) leaves -2**-9, 16 times that.
    assert abs(sum(errors) / len(errors)) == Fraction(1, 1 << (shift + 1))


@pytest.mark.parametrize("value", [-1000, -937, -129, -1, 1, 64, 200, 1003])
@pytest.mark.parametrize("shift", [4, 10])
def test_stochastic_mean_within_four_standard_errors(value: int, shift: int) -> None:
    count = 20_000
    y = round_shift(
        np.full(count, value, dtype=np.int64), shift, STOCHASTIC, np.random.default_rng([value & 0xFFFF, shift])
    )
    z = value / (1 << shift)
    fraction = z - math.floor(z)
    centring = 0.5 / 256 if shift > 8 else 0.0
    assert abs(y.mean() - z) <= 4 * math.sqrt(fraction * (1 - fraction) / count) + centring


@pytest.mark.parametrize("value", [-3.7, -0.25, 0.001, 2.5, -17.0])
def test_host_quantiser_stochastic_mean(value: float) -> None:
    count = 20_000
    y = quantise(np.full(count, value), 0, 8, False, STOCHASTIC, np.random.default_rng(11)).q
    fraction = value - math.floor(value)
    assert abs(y.mean() - value) <= 4 * math.sqrt(fraction * (1 - fraction) / count) + 0.5 / 256


def test_host_quantiser_nearest_equals_exact_rounding() -> None:
    values = np.concatenate([np.arange(-40, 41) / 8, floats.normal(_rng(), 500)])
    y = quantise(values, 2, 8, False, NEAREST, _rng())
    assert y.q.tolist() == [round(Fraction(float(v)) * 4) for v in values]
    assert np.array_equal(y.value() * 4, y.q)


# --------------------------------------------------------------------------------------------------- range and fraction


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize(("unsigned", "low", "high"), [(False, -128, 127), (True, 0, 255)])
def test_quantisers_saturate(rounding: Rounding, unsigned: bool, low: int, high: int) -> None:
    y = quantise(np.array([-1e9, 1e9, 1.0]), 0, 8, unsigned, rounding, _rng())
    assert y.q.tolist() == [low, high, 1]
    assert y.q.dtype == np.int32


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("bits", [4, 8, 12, 16])
def test_requantise_uses_the_range_without_leaving_it(rounding: Rounding, unsigned: bool, bits: int) -> None:
    rng = _rng()
    for scale in (3, 1000, 1 << 30):
        acc = rng.integers(0 if unsigned else -scale, scale + 1, 2000)
        y = requantise(acc, 11, bits, unsigned, rounding, rng)
        top = (1 << (bits if unsigned else bits - 1)) - 1
        assert top // 2 <= np.abs(y.q).max() <= top + (not unsigned)
        step = 2.0**-y.fl
        assert np.abs(y.value() - acc * 2.0**-11).max() <= step * (0.5 if rounding is NEAREST else 1.0)


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_dynamic_fl_is_the_largest_that_fits(unsigned: bool, bits: int) -> None:
    top = (1 << (bits if unsigned else bits - 1)) - 1
    values = [1.0, 0.75, 3e-5, 12345.678, top, top + 0.49, top + 0.5, top + 1.0, math.nextafter(top + 0.5, 0.0)]
    for largest in values:
        fl = dynamic_fl(largest, bits, unsigned)
        assert round(Fraction(largest) * Fraction(2) ** fl) <= top
        assert round(Fraction(largest) * Fraction(2) ** (fl + 1)) > top


def test_dynamic_fl_corners() -> None:
    assert dynamic_fl(0.0, 8, False) == 7
    assert dynamic_fl(1e-300, 8, False) == 127
    assert dynamic_fl(1e300, 8, False) == -128
    for bad in (math.nan, math.inf, -1.0):
        with pytest.raises(ValueError, match="largest"):
            dynamic_fl(bad, 8, False)
    zero = requantise(np.zeros((2, 2), np.int64), 10, 8, False, STOCHASTIC, _rng())
    assert not zero.q.any()


# ------------------------------------------------------------------------------------------------------------- networks


def test_softmax_error_is_the_gradient() -> None:
    logits, labels = floats.normal(_rng(), (3, 4)) * 5, np.array([0, 3, 1])
    loss, error = softmax_error(logits, labels)
    small = 1e-6
    for row in range(3):
        for col in range(4):
            moved = logits.copy()
            moved[row, col] += small
            assert (softmax_error(moved, labels)[0] - loss) / small == pytest.approx(error[row, col] / 3, abs=1e-5)


def _rings(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes in the unit square by distance from the centre: not linearly separable."""
    pixels = np.random.default_rng(3).random((count, 2))
    radius = np.hypot(*(pixels - 0.5).T)
    return pixels, np.digitize(radius, [0.22, 0.4])


def _train_rings(fixed: FixedConfig, seed: int = 1) -> tuple[list[Step], FixedMlp, FloatMlp]:
    pixels, labels = _rings(512)
    config = TrainConfig(sizes=(2, 24, 16, 3), batch=32, epochs=30, seed=seed)
    network, reference = make_networks(config, fixed)
    steps = [done.step for done in train(network, pixels, labels, config, order_rng(config))]
    for _ in train(reference, pixels, labels, config, order_rng(config)):
        pass
    return steps, network, reference


@pytest.mark.parametrize("error_rounding", list(Rounding))
def test_fixed_point_training_learns(error_rounding: Rounding) -> None:
    pixels, labels = _rings(512)
    steps, network, reference = _train_rings(FixedConfig(error_rounding=error_rounding))
    first, last = (float(np.mean([s.loss for s in part])) for part in (steps[:16], steps[-16:]))
    assert first > 0.9
    assert last < first / 2.5
    assert accuracy(network, pixels, labels) > accuracy(reference, pixels, labels) - 0.03
    assert accuracy(network, pixels, labels) > 0.9


def test_one_seed_gives_the_same_integers() -> None:
    runs = [_train_rings(FixedConfig())[0] for _ in range(2)]
    for a, b in zip(runs[0][-1].gemms, runs[1][-1].gemms, strict=True):
        assert np.array_equal(a.x, b.x)
        assert np.array_equal(a.w, b.w)
    other = _train_rings(FixedConfig(), seed=2)[0]
    assert not np.array_equal(runs[0][-1].gemms[0].w, other[-1].gemms[0].w)


def test_measuring_accuracy_does_not_change_a_run() -> None:
    pixels, labels = _rings(64)
    config = TrainConfig(sizes=(2, 8, 3), batch=32, epochs=2)
    fixed = FixedConfig(weight_rounding=STOCHASTIC, activation_rounding=STOCHASTIC)
    quiet, watched = make_networks(config, fixed)[0], make_networks(config, fixed)[0]
    for _ in train(quiet, pixels, labels, config, order_rng(config)):
        pass
    for _ in train(watched, pixels, labels, config, order_rng(config)):
        accuracy(watched, pixels, labels)
    for a, b in zip(quiet.params.weights, watched.params.weights, strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("which", [0, 1], ids=["fixed", "float32"])
def test_step_size_halves_behind_as_many_iterations(which: int) -> None:
    pixels, labels = _rings(32)
    config = TrainConfig(sizes=(2, 12, 3), batch=32, beta=0.0, lr=0.5, halvings=(1, 2, 2))
    fixed = FixedConfig(16, 16, 16, error_rounding=NEAREST)
    network, steady = make_networks(config, fixed)[which], make_networks(replace(config, halvings=()), fixed)[which]
    for share in (1, 1 / 2, 1 / 8, 1 / 8):
        steady.params.weights[:] = [each.copy() for each in network.params.weights]
        steady.params.biases[:] = [each.copy() for each in network.params.biases]
        start = network.params.weights[0].copy()
        network.step(pixels, labels)
        steady.step(pixels, labels)
        moved = network.params.weights[0] - start
        assert np.abs(moved).max() > 1e-4
        assert np.allclose(moved, share * (steady.params.weights[0] - start), rtol=1e-4, atol=1e-6)


def test_gemms_are_the_gradient_of_the_loss() -> None:
    """With 16-bit operands the three phases agree with the float reference's update."""
    pixels, labels = _rings(32)
    config = TrainConfig(sizes=(2, 12, 8, 3), batch=32, epochs=1, beta=0.0, lr=1.0)
    wide = FixedConfig(16, 16, 16, error_rounding=NEAREST)
    network, reference = make_networks(config, wide)
    before = network.params.copy(np.float64)
    network.step(pixels, labels)
    reference.step(pixels, labels)
    for start, a, b in zip(before.weights, network.params.weights, reference.params.weights, strict=True):
        assert np.abs((a - start) - (b - start)).max() <= 2e-3 * np.abs(b - start).max()
    for a, b in zip(network.params.biases, reference.params.biases, strict=True):
        assert np.allclose(a, b, rtol=2e-3, atol=1e-5)


def test_gemm_names_and_shapes() -> None:
    pixels, labels = _rings(32)
    config = TrainConfig(sizes=(2, 12, 8, 3), batch=32)
    gemms = make_networks(config, FixedConfig())[0].step(pixels, labels).gemms
    assert {g.name: g.shape for g in gemms} == {
        "fp1": (32, 2, 12),
        "fp2": (32, 12, 8),
        "fp3": (32, 8, 3),
        "bp2": (32, 8, 12),
        "bp3": (32, 3, 8),
        "wg1": (12, 32, 2),
        "wg2": (8, 32, 12),
        "wg3": (3, 32, 8),
    }


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="network"):
        init_params((4,), _rng())
    with pytest.raises(ValueError, match="network"):
        init_params((4, 0), _rng())
    pixels, labels = _rings(8)
    config = TrainConfig(sizes=(2, 3), batch=9)
    with pytest.raises(ValueError, match="batches of 9"):
        next(train(make_networks(config, FixedConfig())[0], pixels, labels, config, _rng()))
