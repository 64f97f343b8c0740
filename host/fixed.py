"""Training in dynamic fixed point: quantisers, the three integer GEMM phases and networks of the layers in layers.py.

Source: docs/conventions.md ("Numbers") for operands; the rounding rules of the RAN (nearest-even, centred stochastic)
for requantisation. Reconstruction, from public information only: the paper gives no number format below "bit-slice",
see the documents.

Operands are integers `q` of `bits` bits with one fraction length per tensor, value = ``q * 2**-fl``. Who chooses bits
and `fl` is a `Formats`. The *dynamic rule* (`DynamicRule`) takes, for every tensor at every iteration, the largest `fl`
at which its largest magnitude does not saturate; LAPS with its history comes in by the same door (closed_loop.py).
Weights, errors and gradients are signed; pixels and post-ReLU activations are unsigned.

For layer l (1-based) with input X (batch x in), weights W (in x out) and error dY (batch x out); a convolution is
lowered to the same (layers.py):

===== ======================= ================== ======== ==========================================
GEMM  broadcast `x`           stationary `w`     mask     result
===== ======================= ================== ======== ==========================================
fp    X (batch x in)          W (in x out)       none     pre-activation without bias
bp    dY (batch x out)        W^T (out x in)     ReLU'=0  dX = error of the layer below
wg    dY^T (out x batch)      X (batch x in)     none     dW^T
===== ======================= ================== ======== ==========================================

There is no bp for layer 1 (nobody needs the gradient of the pixels). **On the host**, hence in none of the GEMMs: the
bias (added to the raw sum as an integer of the sum's own fraction length; its gradient is the column sum of dY),
lowering and pooling, softmax and cross-entropy, and the optimiser (momentum SGD on float64 master weights, requantised
at every iteration).

Repeatable: in fixed point only integers and operations are used whose rounding IEEE 754 fixes, in a stated order
(models/common/floats.py has the exponential of softmax), so one seed gives the same integers on every machine.

Errors: ValueError for shapes and settings that make no sense.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from host.layers import INPUT, Layer, check_layers, dense, start_weights, wires
from models.common import floats
from models.common.slices import operand_range
from models.common.tensors import GemmTensors
from models.laps.config import TensorClass, TensorStats
from models.laps.value import stats_of

FloatArray = npt.NDArray[np.floating]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]

FL_MIN, FL_MAX = -128, 127  # fraction lengths stay within 8 signed bits


class Rounding(Enum):
    """How a quantiser disposes of the fraction."""

    NEAREST_EVEN = "nearest-even"
    STOCHASTIC = "stochastic"


@dataclass(frozen=True)
class Quantised:
    """A tensor in dynamic fixed point: value = ``q * 2**-fl``; `q` int32 of any shape, within the range of `bits`."""

    q: Int32Array
    fl: int
    bits: int
    unsigned: bool

    def value(self) -> npt.NDArray[np.float64]:
        """The real numbers that the operands stand for (exact)."""
        return np.ldexp(self.q.astype(np.float64), -self.fl)


@dataclass(frozen=True)
class FixedConfig:
    """Number format of every tensor class: 4, 8, 12 or 16 bits; `random_bits` (>= 8) serve each stochastic rounding."""

    weight_bits: int = 8
    activation_bits: int = 8
    error_bits: int = 8
    weight_rounding: Rounding = Rounding.NEAREST_EVEN
    activation_rounding: Rounding = Rounding.NEAREST_EVEN
    error_rounding: Rounding = Rounding.STOCHASTIC
    random_bits: int = 8


@dataclass(frozen=True)
class TrainConfig:
    """One training run: layer sizes from input to output, batch, epochs, seed, and momentum SGD.

    m' = beta m + g, w' = w - lr m', g = mean gradient of the batch; lr halves after each of `halvings` iterations.
    """

    sizes: tuple[int, ...] = (64, 64, 32, 10)
    batch: int = 64
    epochs: int = 25
    seed: int = 1
    lr: float = 0.125
    beta: float = 0.875
    halvings: tuple[int, ...] = ()

    def step_size(self, done: int) -> float:
        """Step size of the iteration that follows on `done` others."""
        return math.ldexp(self.lr, -sum(done >= each for each in self.halvings))


# ----------------------------------------------------------------------------------------------------------- quantisers


def dynamic_fl(largest: float, bits: int, unsigned: bool) -> int:
    """Largest fraction length at which magnitude `largest` still fits after rounding to nearest; bits - 1 for zero.

    (Stochastic rounding may carry a magnitude beyond that one further; it then saturates, by less than one LSB.)
    Raises ValueError if `largest` is negative or not finite.
    """
    if not math.isfinite(largest) or largest < 0:
        raise ValueError(f"largest magnitude is {largest}")
    if largest == 0:
        return bits - 1
    top = operand_range(bits, unsigned)[1]
    fl = (bits if unsigned else bits - 1) - math.frexp(largest)[1]
    if math.ldexp(largest, fl) >= top + 0.5:  # the topmost half LSB would round out of range
        fl -= 1
    return max(FL_MIN, min(FL_MAX, fl))


def saturate(values: Int64Array | npt.NDArray[np.float64], bits: int, unsigned: bool) -> Int32Array:
    """Integers (of any type) limited to the operand range."""
    low, high = operand_range(bits, unsigned)
    return np.clip(values, low, high).astype(np.int32)


def round_values(
    values: FloatArray, fl: int, rounding: Rounding, rng: np.random.Generator, random_bits: int = 8
) -> npt.NDArray[np.float64]:
    """Host side: real numbers in LSBs of `fl`, rounded to integers but not limited. Same rules as `round_shift`."""
    scaled = np.ldexp(values.astype(np.float64), fl)
    if rounding is Rounding.NEAREST_EVEN:
        return np.rint(scaled)
    step = rng.integers(0, 1 << random_bits, scaled.shape)
    return np.floor(scaled + np.ldexp(step + 0.5, -random_bits))


def quantise(
    values: FloatArray,
    fl: int,
    bits: int,
    unsigned: bool,
    rounding: Rounding,
    rng: np.random.Generator,
    random_bits: int = 8,
) -> Quantised:
    """Host side: real numbers to operands. Same rounding rules as `requantise`; saturates."""
    rounded = round_values(values, fl, rounding, rng, random_bits)
    return Quantised(saturate(rounded, bits, unsigned), fl, bits, unsigned)


def round_shift(
    acc: Int64Array, shift: int, rounding: Rounding, rng: np.random.Generator, random_bits: int = 8
) -> Int64Array:
    """``acc * 2**-shift`` rounded to integers, in integer arithmetic only; a shift <= 0 is an exact left shift.

    Stochastic: ``(acc + r) >> shift`` with r = (u + 1/2) steps, u uniform in 0 .. 2**random_bits - 1 and one step =
    2**(shift - random_bits). The half step centres it: the mean over u is the fraction rounded to `random_bits` bits,
    so there is no drift towards minus infinity; for shift <= random_bits the mean is exact.
    """
    if shift <= 0:
        return acc << -shift
    if rounding is Rounding.NEAREST_EVEN:
        floor = acc >> shift
        rest = acc - (floor << shift)
        half = 1 << (shift - 1)
        return floor + ((rest > half) | ((rest == half) & (floor & 1 == 1)))
    u = rng.integers(0, 1 << random_bits, acc.shape)
    extra = shift - random_bits
    r = (u << extra) + (1 << (extra - 1)) if extra > 0 else u >> -extra
    return (acc + r) >> shift


def requantise(
    acc: Int64Array,
    acc_fl: int,
    bits: int,
    unsigned: bool,
    rounding: Rounding,
    rng: np.random.Generator,
    random_bits: int = 8,
) -> Quantised:
    """Accumulators with fraction length `acc_fl` to operands, at the `fl` of the dynamic rule."""
    largest = math.ldexp(float(np.abs(acc).max(initial=0)), -acc_fl)
    fl = dynamic_fl(largest, bits, unsigned)
    return Quantised(
        saturate(round_shift(acc, acc_fl - fl, rounding, rng, random_bits), bits, unsigned), fl, bits, unsigned
    )


# ------------------------------------------------------------------------------------------------------------- networks


@dataclass
class Params:
    """Master weights, one entry a layer: weights (in x out) and biases (out)."""

    weights: list[FloatArray]
    biases: list[FloatArray]

    def copy(self, dtype: type[np.floating]) -> Params:
        """The same numbers, converted."""
        return Params([w.astype(dtype) for w in self.weights], [b.astype(dtype) for b in self.biases])


@dataclass(frozen=True)
class Step:
    """What one iteration gave: mean cross-entropy before the update; its GEMMs, fp1 .. wg<n> (none in float), the
    lowest order that each of them kept, and, on the processor, the products as it was given them."""

    loss: float
    gemms: tuple[GemmTensors, ...]
    min_orders: tuple[int, ...] = ()
    products: tuple[Any, ...] = ()  # host.mapper.Product


def init_params(sizes: tuple[int, ...], rng: np.random.Generator) -> Params:
    """He-uniform weights and zero biases of fully connected layers, float64.

    Raises ValueError if `sizes` is no network.
    """
    return init_layers(dense(sizes), rng)


def init_layers(layers: Sequence[Layer], rng: np.random.Generator) -> Params:
    """He-uniform weights and zero biases, float64. Raises ValueError if `layers` are no network."""
    check_layers(layers)
    return Params(start_weights(layers, rng), [np.zeros(each.shape[1]) for each in layers])


def softmax_error(logits: FloatArray, labels: npt.NDArray[np.integer]) -> tuple[float, FloatArray]:
    """Mean cross-entropy of (batch x classes) logits, and the gradient of its *sum*: softmax - one-hot, in [-1, 1].

    In float64, by operations that give the same on every machine: it decides the bits of errors.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    power = floats.exp(shifted)
    total = floats.total(power, axis=1)
    rows = np.arange(len(labels))
    loss = math.fsum(floats.log(total) - shifted[rows, labels]) / len(labels)
    error = power / total[:, None]
    error[rows, labels] -= 1
    return loss, error


class _Momentum:
    """m' = beta m + g; w' = w - lr m', in the type of the parameters."""

    def __init__(self, params: Params, config: TrainConfig) -> None:
        self._params, self._config, self._done = params, config, 0
        self._state = [np.zeros_like(p) for p in (*params.weights, *params.biases)]

    def update(self, grad_w: list[FloatArray], grad_b: list[FloatArray]) -> None:
        tensors = (*self._params.weights, *self._params.biases)
        lr = self._config.step_size(self._done)
        self._done += 1
        for tensor, grad, m in zip(tensors, (*grad_w, *grad_b), self._state, strict=True):
            m *= m.dtype.type(self._config.beta)
            m += grad
            tensor -= tensor.dtype.type(lr) * m


class Adam:
    """ADAM with beta1 .9, beta2 .999, in the type of the parameters (Kingma and Ba, ICLR 2015, algorithm 1)."""

    def __init__(self, params: Params, lr: float) -> None:
        self._params, self._lr, self._t = params, lr, 0
        self._state = [(np.zeros_like(p), np.zeros_like(p)) for p in (*params.weights, *params.biases)]

    def update(self, grad_w: list[FloatArray], grad_b: list[FloatArray]) -> None:
        """One step of every tensor."""
        self._t += 1
        tensors = (*self._params.weights, *self._params.biases)
        for tensor, grad, (m, v) in zip(tensors, (*grad_w, *grad_b), self._state, strict=True):
            m += 0.1 * (grad - m)
            v += 0.001 * (grad * grad - v)
            tensor -= (
                self._lr
                * (m / (1 - floats.whole_power(0.9, self._t)))
                / (np.sqrt(v / (1 - floats.whole_power(0.999, self._t))) + 1e-8)
            )


class Optimiser(Protocol):
    """Moves the parameters that it was made for."""

    def update(self, grad_w: list[FloatArray], grad_b: list[FloatArray]) -> None:
        """One step by mean gradients."""


class FloatNet:
    """The reference in float32; momentum unless `optimiser` makes another.

    Its sums are those of NumPy and its BLAS, in an order that depends on the machine: figures of it may differ in the
    last digits from machine to machine, and nothing compares them to the bit.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        params: Params,
        config: TrainConfig,
        optimiser: Callable[[Params], Optimiser] | None = None,
    ) -> None:
        check_layers(layers)
        self.layers = tuple(layers)
        self.wires = wires(self.layers)
        self.params = params.copy(np.float32)
        self.optimiser = optimiser(self.params) if optimiser else _Momentum(self.params, config)

    def _forward(self, pixels: FloatArray) -> tuple[list[FloatArray], dict[int, Any], dict[int, Any]]:
        """Columns that every layer multiplies, then the logits; of the hidden layers' outputs ReLU' = 0, and routes."""
        columns, closed, routes = [], {}, {}
        given: dict[int, FloatArray] = {INPUT: pixels.astype(np.float32)}
        for at, (layer, w, b) in enumerate(zip(self.layers, self.params.weights, self.params.biases, strict=True)):
            columns.append(layer.columns(given[self.wires.source[at]]))
            x = columns[-1] @ w + b
            for part in layer.add:
                x = x + given[part].reshape(x.shape)
            if layer.linear or at + 1 == len(self.layers):
                given[at] = x
            else:
                given[at], closed[at], routes[at] = layer.pool(np.maximum(x, np.float32(0)), x <= 0)
        return [*columns, x], closed, routes

    def logits(self, pixels: FloatArray) -> FloatArray:
        """Outputs (batch x classes) for values (batch x in)."""
        return self._forward(pixels)[0][-1]

    def gradients(
        self, pixels: FloatArray, labels: npt.NDArray[np.integer]
    ) -> tuple[float, list[FloatArray], list[FloatArray]]:
        """Mean cross-entropy, and the mean gradients of weights and biases."""
        columns, closed, routes = self._forward(pixels)
        loss, error = softmax_error(columns[-1], labels)
        grad_w: list[FloatArray] = []
        grad_b: list[FloatArray] = []
        last = len(self.layers) - 1
        errors, sums = {last: error.astype(np.float32)}, dict[int, FloatArray]()
        for at in reversed(range(len(self.layers))):
            layer = self.layers[at]
            if at in sums:
                below = np.where(closed[at], np.float32(0), sums.pop(at))
                errors[at] = layer.spread(below, routes[at])
            error = errors.pop(at)
            gradient = columns[at].T @ error / np.float32(len(labels))
            grad_w.insert(0, gradient if layer.absent is None else np.where(layer.absent, np.float32(0), gradient))
            grad_b.insert(0, error.sum(axis=0) / np.float32(len(labels)))
            parts = [(part, error.reshape(len(labels), -1)) for part in layer.add]
            if self.wires.has_bp(at):
                below = layer.from_rows(layer.back_columns(error) @ layer.back_weights(self.params.weights[at]))
                parts.append((self.wires.source[at], below))
            for part, values in parts:
                if part != INPUT and self.layers[part].linear:
                    errors[part] = error
                elif part != INPUT:
                    sums[part] = sums[part] + values if part in sums else values
        return loss, grad_w, grad_b

    def step(self, pixels: FloatArray, labels: npt.NDArray[np.integer]) -> Step:
        """One iteration on values (batch x in) and class labels (batch)."""
        loss, grad_w, grad_b = self.gradients(pixels, labels)
        self.optimiser.update(grad_w, grad_b)
        return Step(loss, ())


class FloatMlp(FloatNet):
    """The reference of fully connected layers."""

    def __init__(
        self, params: Params, config: TrainConfig, optimiser: Callable[[Params], Optimiser] | None = None
    ) -> None:
        super().__init__(_dense_layers(params), params, config, optimiser)


class Formats(Protocol):
    """Who chooses number formats and what slice products may be left out. Layers count from 0."""

    def choose(
        self, layer: int, cls: TensorClass, values: npt.NDArray[np.generic], fl: int = 0
    ) -> tuple[int, int] | None:
        """(bits, fraction length) of the tensor that `values` * 2**-fl become; None: a gradient stays exact."""

    def min_order(self, gemm: str) -> int:
        """Lowest order kept of a GEMM, by its name."""


class DynamicRule:
    """Bits by class; the largest fraction length that fits the tensor itself; nothing is left out.

    `pixel_range` is the largest value an input can have; it fixes the inputs' fraction length for the whole run.
    """

    def __init__(self, fixed: FixedConfig, pixel_range: float = 1.0) -> None:
        self._bits = {
            TensorClass.ACTIVATION: fixed.activation_bits,
            TensorClass.WEIGHT: fixed.weight_bits,
            TensorClass.ERROR: fixed.error_bits,
        }
        self._pixels = fixed.activation_bits, dynamic_fl(pixel_range, fixed.activation_bits, True)

    def choose(
        self, layer: int, cls: TensorClass, values: npt.NDArray[np.generic], fl: int = 0
    ) -> tuple[int, int] | None:
        """As the protocol says."""
        if cls == TensorClass.GRADIENT:
            return None
        if cls == TensorClass.ACTIVATION and layer == 0:
            return self._pixels
        largest = math.ldexp(float(np.abs(values).max(initial=0)), -fl)
        return self._bits[cls], dynamic_fl(largest, self._bits[cls], cls == TensorClass.ACTIVATION)

    def min_order(self, gemm: str) -> int:
        """0."""
        return 0


@dataclass(frozen=True)
class Made:
    """A tensor that an iteration quantised, before pooling or its transpose, and `z`: the same rounded, before
    saturation. Layers count from 0. `absent`: elements of a convolution in groups that are none, and zero."""

    layer: int
    cls: TensorClass
    tensor: Quantised
    z: npt.NDArray[np.generic]
    absent: int = 0

    @property
    def stats(self) -> TensorStats:
        """What LAPS is told."""
        return without(stats_of(self.tensor.q, self.z, self.tensor.bits, self.tensor.unsigned), self.absent)


@dataclass(frozen=True)
class Pass:
    """Forward and backward pass of one batch: what `Step` says, mean gradients (float64), and the quantised tensors in
    the order in which they are made: weights and activations of layer 1, 2, ..., then errors and gradients of the last
    layer, ..., 1."""

    step: Step
    grad_w: list[FloatArray]
    grad_b: list[FloatArray]
    made: tuple[Made, ...]


def without(stats: TensorStats, absent: int) -> TensorStats:
    """Statistics less so many zeros."""
    return replace(stats, values=stats.values - absent, zeros=stats.zeros - absent) if absent else stats


def absent_of(layer: Layer) -> int:
    """Elements of a layer's weights that are none."""
    return 0 if layer.absent is None else int(layer.absent.sum())


@dataclass
class _Forward:
    gemms: list[GemmTensors]
    made: list[Made]
    columns: list[Quantised]  # X of every layer
    off: dict[int, npt.NDArray[np.bool_]]  # ReLU' = 0, of every hidden layer's output
    routes: dict[int, Any]  # what `spread` needs, the same
    logits: FloatArray


class FixedNet:
    """A network in dynamic fixed point: every GEMM on integers, float64 master weights, momentum unless `optimiser`
    makes another. `fixed` says how tensors are rounded; bits and fraction lengths are those that `formats` chooses.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        params: Params,
        config: TrainConfig,
        fixed: FixedConfig,
        rng: np.random.Generator,
        formats: Formats,
        optimiser: Callable[[Params], Optimiser] | None = None,
    ) -> None:
        check_layers(layers)
        self.layers = tuple(layers)
        self.wires = wires(self.layers)
        self.params = params.copy(np.float64)
        self.formats = formats
        self.optimiser = optimiser(self.params) if optimiser else _Momentum(self.params, config)
        self._fixed = fixed
        self._rng = rng

    def _from_values(self, layer: int, cls: TensorClass, values: FloatArray, rounding: Rounding) -> Made:
        bits, fl = _chosen(self.formats, layer, cls, values)
        unsigned = cls == TensorClass.ACTIVATION
        z = round_values(values, fl, rounding, self._rng, self._fixed.random_bits)
        return Made(layer, cls, Quantised(saturate(z, bits, unsigned), fl, bits, unsigned), z)

    def _from_sums(self, layer: int, cls: TensorClass, acc: Int64Array, acc_fl: int, rounding: Rounding) -> Made:
        bits, fl = _chosen(self.formats, layer, cls, acc, acc_fl)
        unsigned = cls == TensorClass.ACTIVATION
        z = round_shift(acc, acc_fl - fl, rounding, self._rng, self._fixed.random_bits)
        return Made(layer, cls, Quantised(saturate(z, bits, unsigned), fl, bits, unsigned), z)

    def _forward(self, pixels: FloatArray, training: bool) -> _Forward:
        cfg, nearest = self._fixed, Rounding.NEAREST_EVEN
        # Inference rounds to nearest, so that measuring accuracy draws no random number and cannot change the run.
        w_rounding, a_rounding = (cfg.weight_rounding, cfg.activation_rounding) if training else (nearest, nearest)
        made = {INPUT: self._from_values(0, TensorClass.ACTIVATION, pixels, nearest)}
        given: dict[int, Quantised] = {INPUT: made[INPUT].tensor}
        sums: dict[int, FloatArray] = {}  # of linear layers
        fwd = _Forward([], [], [], {}, {}, pixels)
        for at, (layer, master, bias) in enumerate(
            zip(self.layers, self.params.weights, self.params.biases, strict=True)
        ):
            below = self.wires.source[at]
            w = self._from_values(at, TensorClass.WEIGHT, master, w_rounding)
            fwd.made.append(replace(w, absent=absent_of(layer)))
            if self.wires.takes[at] == at:
                fwd.made.append(made[below])
            fwd.columns.append(_moved(given[below], layer.columns))
            gemm = _gemm(f"fp{at + 1}", fwd.columns[-1], w.tensor)
            fwd.gemms.append(gemm)
            acc_fl = gemm.x_fl + gemm.w_fl
            acc = gemm.product(self.formats.min_order(gemm.name)) + np.rint(np.ldexp(bias, acc_fl)).astype(np.int64)
            if layer.linear:
                sums[at] = np.ldexp(acc.astype(np.float64), -acc_fl)
            elif at + 1 < len(self.layers):
                cls, entry = TensorClass.ACTIVATION, self.wires.gives[at]
                if layer.add:
                    total = added(acc, acc_fl, [sums[part] if part in sums else given[part] for part in layer.add])
                    made[at] = self._from_values(entry, cls, np.maximum(total, 0), a_rounding)
                    closed = total <= 0
                else:
                    made[at] = self._from_sums(entry, cls, np.maximum(acc, 0), acc_fl, a_rounding)
                    closed = acc <= 0
                q, fwd.off[at], fwd.routes[at] = layer.pool(made[at].tensor.q, closed)
                given[at] = replace(made[at].tensor, q=q)
        fwd.logits = np.ldexp(acc.astype(np.float64), -acc_fl)
        return fwd

    def logits(self, pixels: FloatArray) -> FloatArray:
        """Outputs (batch x classes) for values (batch x in) >= 0; everything rounds to nearest."""
        return self._forward(pixels, training=False).logits

    def compute(self, pixels: FloatArray, labels: npt.NDArray[np.integer]) -> Pass:
        """The three phases on values (batch x in) >= 0 and class labels (batch); the parameters stay."""
        cfg = self._fixed
        fwd = self._forward(pixels, training=True)
        loss, error = softmax_error(fwd.logits, labels)
        last = len(self.layers) - 1
        made = self._from_values(last, TensorClass.ERROR, error, cfg.error_rounding)
        made_of, errors = {last: made}, {last: made.tensor}
        sums: dict[int, list[FloatArray]] = {}
        bp: list[GemmTensors] = []
        wg: list[GemmTensors] = []
        grad_w: list[FloatArray] = []
        grad_b: list[FloatArray] = []
        for at in reversed(range(len(self.layers))):
            layer, x, forward = self.layers[at], fwd.columns[at], fwd.gemms[at]
            if at in sums:
                total = layer.spread(joined(sums.pop(at), fwd.off[at]), fwd.routes[at])
                made_of[at] = self._from_values(at, TensorClass.ERROR, total, cfg.error_rounding)
                errors[at] = made_of[at].tensor
            dy = errors.pop(at)
            if at in made_of:
                fwd.made.append(made_of[at])
            gemm = _gemm(f"wg{at + 1}", _moved(dy, np.transpose), x, transposed(layer.absent))
            wg.insert(0, gemm)
            acc, acc_fl = gemm.product(self.formats.min_order(gemm.name)), dy.fl + x.fl
            if self.formats.choose(at, TensorClass.GRADIENT, acc, acc_fl) is None:
                gradient = np.ldexp(acc.T.astype(np.float64), -acc_fl)
            else:
                made = self._from_sums(at, TensorClass.GRADIENT, acc, acc_fl, Rounding.NEAREST_EVEN)
                fwd.made.append(replace(made, absent=absent_of(layer)))
                gradient = made.tensor.value().T
            grad_w.insert(0, gradient / len(labels))
            grad_b.insert(0, np.ldexp(dy.q.sum(axis=0, dtype=np.int64).astype(np.float64), -dy.fl) / len(labels))
            for part in layer.add:
                if part != INPUT and self.layers[part].linear:
                    errors[part] = dy
                elif part != INPUT:
                    sums.setdefault(part, []).append(dy.value().reshape(len(labels), -1))
            if self.wires.has_bp(at):
                below = self.wires.source[at]
                w = Quantised(forward.w, forward.w_fl, forward.w_bits, forward.w_unsigned)
                mask = layer.to_rows(fwd.off[below])
                gemm = _gemm(f"bp{at + 1}", _moved(dy, layer.back_columns), _moved(w, layer.back_weights), mask)
                bp.insert(0, gemm)
                acc, acc_fl = gemm.product(self.formats.min_order(gemm.name)), dy.fl + w.fl
                if self.wires.adds[below]:
                    values = layer.from_rows(np.ldexp(acc.astype(np.float64), -acc_fl))
                    sums.setdefault(below, []).append(values)
                    continue
                made_of[below] = self._from_sums(below, TensorClass.ERROR, acc, acc_fl, cfg.error_rounding)
                low, route = self.layers[below], fwd.routes[below]
                errors[below] = _moved(
                    made_of[below].tensor, lambda q, up=layer, to=low, way=route: to.spread(up.from_rows(q), way)
                )
        gemms = (*fwd.gemms, *bp, *wg)
        step = Step(loss, gemms, tuple(self.formats.min_order(gemm.name) for gemm in gemms))
        return Pass(step, grad_w, grad_b, tuple(fwd.made))

    def step(self, pixels: FloatArray, labels: npt.NDArray[np.integer]) -> Step:
        """One iteration on values (batch x in) >= 0 and class labels (batch)."""
        done = self.compute(pixels, labels)
        self.optimiser.update(done.grad_w, done.grad_b)
        return done.step


class FixedMlp(FixedNet):
    """Fully connected layers under the dynamic rule; `pixel_range` as there."""

    def __init__(
        self,
        params: Params,
        config: TrainConfig,
        fixed: FixedConfig,
        rng: np.random.Generator,
        pixel_range: float = 1.0,
    ) -> None:
        super().__init__(_dense_layers(params), params, config, fixed, rng, DynamicRule(fixed, pixel_range))


def _dense_layers(params: Params) -> tuple[Layer, ...]:
    return dense([params.weights[0].shape[0], *(w.shape[1] for w in params.weights)])


def added(acc: Int64Array, acc_fl: int, parts: Sequence[FloatArray | Quantised]) -> FloatArray:
    """Sums (R x n) and what is added to them, in this order, in float64."""
    total = np.ldexp(acc.astype(np.float64), -acc_fl)
    for part in parts:
        total = total + (part.value() if isinstance(part, Quantised) else part).reshape(total.shape)
    return total


def joined(parts: Sequence[FloatArray], off: npt.NDArray[np.bool_]) -> FloatArray:
    """Errors (batch x features) from several layers, added in this order in float64; 0 where ReLU was closed."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return np.where(off, 0.0, total)


def transposed(absent: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_] | None:
    """What a weight gradient has no place for."""
    return None if absent is None else absent.T


def _chosen(
    formats: Formats, layer: int, cls: TensorClass, values: npt.NDArray[np.generic], fl: int = 0
) -> tuple[int, int]:
    chosen = formats.choose(layer, cls, values, fl)
    if chosen is None:
        raise ValueError(f"a tensor of class {cls.name.lower()} needs a format")
    return chosen


def _moved(t: Quantised, move: Callable[[Any], Any]) -> Quantised:
    """The same operands at other places."""
    return Quantised(np.ascontiguousarray(move(t.q)), t.fl, t.bits, t.unsigned)


def _gemm(name: str, x: Quantised, w: Quantised, mask: npt.NDArray[np.bool_] | None = None) -> GemmTensors:
    return GemmTensors(name, x.q, w.q, x.bits, w.bits, x.unsigned, w.unsigned, x.fl, w.fl, mask)


# ------------------------------------------------------------------------------------------------------------- training


@dataclass(frozen=True)
class Progress:
    """One finished iteration: epoch and iteration from 1, and what it gave."""

    epoch: int
    iteration: int
    step: Step


class Network(Protocol):
    """What can be trained and measured."""

    def step(self, pixels: FloatArray, labels: npt.NDArray[np.integer]) -> Step:
        """One iteration on values (batch x in) and class labels (batch)."""

    def logits(self, pixels: FloatArray) -> FloatArray:
        """Outputs (batch x classes) for values (batch x in)."""


def train(
    network: Network,
    pixels: FloatArray,
    labels: npt.NDArray[np.integer],
    config: TrainConfig,
    rng: np.random.Generator,
) -> Iterator[Progress]:
    """Run `config.epochs` epochs, an item an iteration.

    Every epoch is a new permutation; images that fill no batch sit it out. Raises ValueError if there is no full batch.
    """
    if config.batch < 1 or config.epochs < 1 or len(pixels) < config.batch or len(pixels) != len(labels):
        raise ValueError(
            f"{len(pixels)} images, {len(labels)} labels: no run of {config.epochs} epochs in batches of {config.batch}"
        )
    for epoch, iteration, chosen in batches(len(pixels), config, rng):
        yield Progress(epoch, iteration, network.step(pixels[chosen], labels[chosen]))


def batches(
    images: int, config: TrainConfig, rng: np.random.Generator
) -> Iterator[tuple[int, int, npt.NDArray[np.int64]]]:
    """Epoch and iteration, both from 1, and the numbers of the batch's images, as `train` takes them."""
    for epoch in range(1, config.epochs + 1):
        order = rng.permutation(images)
        for iteration in range(1, images // config.batch + 1):
            yield epoch, iteration, order[(iteration - 1) * config.batch : iteration * config.batch]


def make_networks(config: TrainConfig, fixed: FixedConfig) -> tuple[FixedMlp, FloatMlp]:
    """The fixed-point network and its float32 reference, from the same start.

    `config.seed` has independent streams: 0 start, 1 rounding, 2 order of the images (`order_rng`), 3 split of the
    data, 4 sample of recorded gradients, 5 seeds of draws on the chip, by the iteration from which on they count.
    """
    start = init_params(config.sizes, np.random.default_rng([config.seed, 0]))
    return FixedMlp(start, config, fixed, np.random.default_rng([config.seed, 1])), FloatMlp(start, config)


def order_rng(config: TrainConfig) -> np.random.Generator:
    """A fresh generator of the order of images: the same for every network trained with `config.seed`."""
    return np.random.default_rng([config.seed, 2])


def accuracy(network: Network, pixels: FloatArray, labels: npt.NDArray[np.integer]) -> float:
    """Share of images (0 .. 1) whose largest output is their label."""
    return float(np.mean(network.logits(pixels).argmax(axis=1) == labels))
