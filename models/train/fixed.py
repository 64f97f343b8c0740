"""Training in dynamic fixed point: quantisers, the three integer GEMM phases and a small multi-layer perceptron.

Source: docs/conventions.md ("Numbers") for operands; the rounding rules of the RAN (nearest-even, centred stochastic)
for requantisation. Reconstruction, from public information only: the paper gives no number format below "bit-slice",
see the documents.

Operands are integers `q` of `bits` bits with one fraction length per tensor, value = ``q * 2**-fl``. The *dynamic rule*
used here takes, for every tensor at every iteration, the largest `fl` at which its largest magnitude does not saturate;
LAPS with its history comes on top of this module, not in it. Weights and errors are signed; pixels and post-ReLU
activations are unsigned.

For layer l (1-based) with input X (batch x in), weights W (in x out) and error dY (batch x out):

===== ======================= ================== ======== ==========================================
GEMM  broadcast `x`           stationary `w`     mask     result
===== ======================= ================== ======== ==========================================
fp    X (batch x in)          W (in x out)       none     pre-activation without bias
bp    dY (batch x out)        W^T (out x in)     ReLU'=0  dX = error of the layer below
wg    dY^T (out x batch)      X (batch x in)     none     dW^T
===== ======================= ================== ======== ==========================================

There is no bp for layer 1 (nobody needs the gradient of the pixels). **On the host**, hence in none of the GEMMs: the
bias (added to the raw sum as an integer of the sum's own fraction length; its gradient is the column sum of dY),
softmax and cross-entropy, the choice of `fl`, and the optimiser (momentum SGD on float64 master weights, requantised at
every iteration).

Repeatable: outside softmax only exactly rounded operations are used, and softmax is followed by an 8-bit quantiser, so
one seed gives the same integers on every machine unless an ulp of `exp` decides a rounding. Errors: ValueError for
shapes and settings that make no sense.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.common.slices import operand_range
from models.common.tensors import GemmTensors

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

    m' = beta m + g, w' = w - lr m', g = mean gradient of the batch.
    """

    sizes: tuple[int, ...] = (64, 64, 32, 10)
    batch: int = 64
    epochs: int = 25
    seed: int = 1
    lr: float = 0.125
    beta: float = 0.875


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


def saturate(values: Int64Array, bits: int, unsigned: bool) -> Int32Array:
    """`values` limited to the operand range."""
    low, high = operand_range(bits, unsigned)
    return np.clip(values, low, high).astype(np.int32)


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
    scaled = np.ldexp(values.astype(np.float64), fl)
    if rounding is Rounding.NEAREST_EVEN:
        rounded = np.rint(scaled)
    else:
        step = rng.integers(0, 1 << random_bits, scaled.shape)
        rounded = np.floor(scaled + np.ldexp(step + 0.5, -random_bits))
    low, high = operand_range(bits, unsigned)
    return Quantised(np.clip(rounded, low, high).astype(np.int32), fl, bits, unsigned)


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
    """What one iteration gave: mean cross-entropy before the update; its GEMMs, fp1 .. wg<n> (none in float)."""

    loss: float
    gemms: tuple[GemmTensors, ...]


def init_params(sizes: tuple[int, ...], rng: np.random.Generator) -> Params:
    """He-uniform weights (limit sqrt(6 / in)) and zero biases, float64. Uniform, because that repeats bit by bit.

    Raises ValueError if `sizes` is no network.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"a network has at least an input and an output size, all >= 1, not {sizes}")
    pairs = list(pairwise(sizes))
    weights = [rng.uniform(-1.0, 1.0, (n_in, n_out)) * math.sqrt(6.0 / n_in) for n_in, n_out in pairs]
    return Params(weights, [np.zeros(n_out) for _, n_out in pairs])


def softmax_error(logits: FloatArray, labels: npt.NDArray[np.integer]) -> tuple[float, FloatArray]:
    """Mean cross-entropy of (batch x classes) logits, and the gradient of its *sum*: softmax - one-hot, in [-1, 1]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    power = np.exp(shifted)
    total = power.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(np.mean(np.log(total[:, 0]) - shifted[rows, labels]))
    error = power / total
    error[rows, labels] -= 1
    return loss, error


class _Momentum:
    """m' = beta m + g; w' = w - lr m', in the type of the parameters."""

    def __init__(self, params: Params, lr: float, beta: float) -> None:
        self._params = params
        self._lr, self._beta = lr, beta
        self._state = [np.zeros_like(p) for p in (*params.weights, *params.biases)]

    def update(self, grad_w: list[FloatArray], grad_b: list[FloatArray]) -> None:
        tensors = (*self._params.weights, *self._params.biases)
        for tensor, grad, m in zip(tensors, (*grad_w, *grad_b), self._state, strict=True):
            m *= m.dtype.type(self._beta)
            m += grad
            tensor -= tensor.dtype.type(self._lr) * m


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
            tensor -= self._lr * (m / (1 - 0.9**self._t)) / (np.sqrt(v / (1 - 0.999**self._t)) + 1e-8)


class FloatMlp:
    """The reference: the same network and start in float32; momentum unless `optimiser` makes another."""

    def __init__(
        self, params: Params, config: TrainConfig, optimiser: Callable[[Params], Adam] | None = None
    ) -> None:
        self.params = params.copy(np.float32)
        self.optimiser = optimiser(self.params) if optimiser else _Momentum(self.params, config.lr, config.beta)

    def _forward(self, pixels: FloatArray) -> list[FloatArray]:
        acts = [pixels.astype(np.float32)]
        for layer, (w, b) in enumerate(zip(self.params.weights, self.params.biases, strict=True)):
            y = acts[-1] @ w + b
            acts.append(y if layer == len(self.params.weights) - 1 else np.maximum(y, np.float32(0)))
        return acts

    def logits(self, pixels: FloatArray) -> FloatArray:
        """Outputs (batch x classes) for values (batch x in)."""
        return self._forward(pixels)[-1]

    def step(self, pixels: FloatArray, labels: npt.NDArray[np.integer]) -> Step:
        """One iteration on values (batch x in) and class labels (batch)."""
        acts = self._forward(pixels)
        loss, error = softmax_error(acts[-1], labels)
        grad_w, grad_b = [], []
        for layer in reversed(range(len(self.params.weights))):
            grad_w.insert(0, acts[layer].T @ error / np.float32(len(labels)))
            grad_b.insert(0, error.sum(axis=0) / np.float32(len(labels)))
            if layer:
                error = np.where(acts[layer] > 0, error @ self.params.weights[layer].T, np.float32(0))
        self.optimiser.update(grad_w, grad_b)
        return Step(loss, ())


@dataclass(frozen=True)
class _Forward:
    gemms: list[GemmTensors]
    inputs: list[Quantised]  # of every layer
    off: list[npt.NDArray[np.bool_]]  # ReLU' = 0, of every hidden layer's output
    logits: FloatArray


class FixedMlp:
    """The network in dynamic fixed point: every GEMM on integers, float64 master weights.

    `pixel_range` is the largest value an input can have; it fixes the inputs' fraction length for the whole run.
    """

    def __init__(
        self,
        params: Params,
        config: TrainConfig,
        fixed: FixedConfig,
        rng: np.random.Generator,
        pixel_range: float = 1.0,
    ) -> None:
        self.params = params.copy(np.float64)
        self._optimiser = _Momentum(self.params, config.lr, config.beta)
        self._fixed = fixed
        self._rng = rng
        self._pixel_fl = dynamic_fl(pixel_range, fixed.activation_bits, True)

    def _forward(self, pixels: FloatArray, training: bool) -> _Forward:
        cfg, rng = self._fixed, self._rng
        nearest = Rounding.NEAREST_EVEN
        # Inference rounds to nearest, so that measuring accuracy draws no random number and cannot change the run.
        w_rounding, a_rounding = (cfg.weight_rounding, cfg.activation_rounding) if training else (nearest, nearest)
        gemms: list[GemmTensors] = []
        inputs = [quantise(pixels, self._pixel_fl, cfg.activation_bits, True, nearest, rng)]
        off: list[npt.NDArray[np.bool_]] = []
        for layer, (master, bias) in enumerate(zip(self.params.weights, self.params.biases, strict=True), start=1):
            fl = dynamic_fl(float(np.abs(master).max()), cfg.weight_bits, False)
            w = quantise(master, fl, cfg.weight_bits, False, w_rounding, rng, cfg.random_bits)
            gemm = _gemm(f"fp{layer}", inputs[-1], w)
            gemms.append(gemm)
            acc_fl = gemm.x_fl + gemm.w_fl
            acc = gemm.product() + np.rint(np.ldexp(bias, acc_fl)).astype(np.int64)
            if layer < len(self.params.weights):
                off.append(acc <= 0)
                relu = np.maximum(acc, 0)
                inputs.append(requantise(relu, acc_fl, cfg.activation_bits, True, a_rounding, rng, cfg.random_bits))
        return _Forward(gemms, inputs, off, np.ldexp(acc.astype(np.float64), -acc_fl))

    def logits(self, pixels: FloatArray) -> FloatArray:
        """Outputs (batch x classes) for values (batch x in) >= 0; everything rounds to nearest."""
        return self._forward(pixels, training=False).logits

    def step(self, pixels: FloatArray, labels: npt.NDArray[np.integer]) -> Step:
        """One iteration on values (batch x in) >= 0 and class labels (batch)."""
        cfg, rng = self._fixed, self._rng
        fwd = self._forward(pixels, training=True)
        loss, error = softmax_error(fwd.logits, labels)
        fl = dynamic_fl(float(np.abs(error).max()), cfg.error_bits, False)
        dy = quantise(error, fl, cfg.error_bits, False, cfg.error_rounding, rng, cfg.random_bits)
        bp: list[GemmTensors] = []
        wg: list[GemmTensors] = []
        grad_w: list[FloatArray] = []
        grad_b: list[FloatArray] = []
        for layer in reversed(range(len(fwd.gemms))):
            x, forward = fwd.inputs[layer], fwd.gemms[layer]
            gemm = _gemm(f"wg{layer + 1}", _transposed(dy), x)
            wg.insert(0, gemm)
            grad_w.insert(0, np.ldexp(gemm.product().T.astype(np.float64), -(dy.fl + x.fl)) / len(labels))
            grad_b.insert(0, np.ldexp(dy.q.sum(axis=0, dtype=np.int64).astype(np.float64), -dy.fl) / len(labels))
            if layer:
                w = Quantised(forward.w, forward.w_fl, forward.w_bits, forward.w_unsigned)
                gemm = _gemm(f"bp{layer + 1}", dy, _transposed(w), fwd.off[layer - 1])
                bp.insert(0, gemm)
                dy = requantise(
                    gemm.product(), dy.fl + w.fl, cfg.error_bits, False, cfg.error_rounding, rng, cfg.random_bits
                )
        self._optimiser.update(grad_w, grad_b)
        return Step(loss, (*fwd.gemms, *bp, *wg))


def _transposed(t: Quantised) -> Quantised:
    return Quantised(np.ascontiguousarray(t.q.T), t.fl, t.bits, t.unsigned)


def _gemm(name: str, x: Quantised, w: Quantised, mask: npt.NDArray[np.bool_] | None = None) -> GemmTensors:
    return GemmTensors(name, x.q, w.q, x.bits, w.bits, x.unsigned, w.unsigned, x.fl, w.fl, mask)


# ------------------------------------------------------------------------------------------------------------- training


@dataclass(frozen=True)
class Progress:
    """One finished iteration: epoch and iteration from 1, and what it gave."""

    epoch: int
    iteration: int
    step: Step


def train(
    network: FixedMlp | FloatMlp,
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
    per_epoch = len(pixels) // config.batch
    for epoch in range(1, config.epochs + 1):
        order = rng.permutation(len(pixels))
        for iteration in range(1, per_epoch + 1):
            chosen = order[(iteration - 1) * config.batch : iteration * config.batch]
            yield Progress(epoch, iteration, network.step(pixels[chosen], labels[chosen]))


def make_networks(config: TrainConfig, fixed: FixedConfig) -> tuple[FixedMlp, FloatMlp]:
    """The fixed-point network and its float32 reference, from the same start.

    `config.seed` has independent streams: 0 start, 1 rounding, 2 order of the images (`order_rng`), 3 split of the
    data, 4 sample of recorded gradients.
    """
    start = init_params(config.sizes, np.random.default_rng([config.seed, 0]))
    return FixedMlp(start, config, fixed, np.random.default_rng([config.seed, 1])), FloatMlp(start, config)


def order_rng(config: TrainConfig) -> np.random.Generator:
    """A fresh generator of the order of images: the same for every network trained with `config.seed`."""
    return np.random.default_rng([config.seed, 2])


def accuracy(network: FixedMlp | FloatMlp, pixels: FloatArray, labels: npt.NDArray[np.integer]) -> float:
    """Share of images (0 .. 1) whose largest output is their label."""
    return float(np.mean(network.logits(pixels).argmax(axis=1) == labels))
