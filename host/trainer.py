"""Training with every matrix product and every optimiser update done by the processor, LAPS inside.

Source: docs/top/README.md; the loop is that of closed_loop.py (formats are frozen for an iteration). `OnProcessor`
methods are generators of batches of actions (host.mapper) that are sent the answers; whoever drives them may run
the value model or, with `await`, the RTL. An iteration

1. asks for the plans of its GEMMs, then sends the statistics of weights and pixels;
2. fp1 .. : results leave in the planned format and move LAPS by themselves; the last one leaves raw, in 32 bits where
   they hold every sum: the logits;
3. for the last layer .. 1: bp, which moves LAPS by itself, the OPT pass over biases, and wg, whose raw sums feed the
   pass over weights as they drain; LAPS learns of them their longest bit length, which the host reads;
4. says that a step is done and reads the table.

The state (w, m, v) of all parameters stays in the state buffers; the weights of the next iteration are the copies that
an OPT pass gives, at the format that LAPS asked for in 1. Biases are read back from the state. On the host: lowering,
pooling, softmax, quantisation of pixels and of the last error, column sums of dY (gradients of biases), statistics of
weights, gradients, pixels and the last error, and fraction lengths of the state (`Moments`).

A result whose format is finer than its sum (shift below 0), or coarser than the accumulator, is none that the RAN can
give: such a GEMM leaves raw, and the host finishes it (counted as `host_finished`). So do results that something is
added to: sums of a residual addition, and errors that several layers give or that average pooling spreads. The host
adds them in float64 and rounds them as the RAN would have, with its own random numbers.

A pass that is fed begins before its gradients are known: its fraction lengths follow from the largest that they can
be, the largest sum of an output's errors times the largest operand. Momentum on one core is fed, where the product is
one command and the pass takes its fraction length, and LAPS chooses no number of slices of gradients. Otherwise wg's
raw sums stay in Y, the host counts them for LAPS, and the passes over weights and biases follow (counted as `unfed`).

A weight gradient whose inner length is too large for the buffers is cut into products whose raw sums the host adds up
and loads (counted as `cut`).

Gradients are sums over the batch: the step size of momentum is divided by the batch, ADAM's `eps` multiplied by it.
Momentum takes them as wg gives them. ADAM's v, a thousandth of a square, must be finer than the square of a unit of
the gradient: the host moves gradients to a finer fraction length and loads them (counted as `regraded`).
Stochastic rounding takes the order in which jobs complete: the value model takes order of jobs, so that errors differ
between it and the RTL unless the model is told the order.

Errors: MapError, HostError, one line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from host.closed_loop import ACTIVATION, ERROR, GRADIENT, WEIGHT, Key, Query, Settings, queries
from host.closed_loop import Format as TableFormat
from host.fixed import (
    FixedConfig,
    Params,
    Quantised,
    Rounding,
    Step,
    TrainConfig,
    absent_of,
    added,
    init_layers,
    joined,
    round_shift,
    round_values,
    saturate,
    softmax_error,
    transposed,
    without,
)
from host.layers import INPUT, Images, Layer, check_layers, wires
from host.mapper import (
    RAW32,
    RAW64,
    Backend,
    Format,
    GradientLayout,
    MapError,
    Mapper,
    Operand,
    Outcome,
    Product,
    Program,
    signed32,
    words32,
)
from host.optimiser import HostError, Rule
from models.common.floats import whole_power
from models.common.formats import YBits
from models.common.rounding import RAND_BITS, Round
from models.common.tensors import GemmTensors
from models.laps.config import SEED as LAPS_SEED
from models.laps.config import TensorStats, addresses
from models.laps.value import stats_of
from models.optc.config import MAX_CLIP, Mode, OptcConfig, RspCode, Scalar, adam_step, eps_of
from models.optc.value import State, round_nearest
from models.top.config import (
    COPIES_A_WORD,
    SLOTS,
    STATE_A_WORD,
    WORD_BYTES,
    Action,
    Answer,
    Buffer,
    Opt,
    Plan,
    PlanSlot,
    Reg,
    TopParams,
)
from models.top.value import Stats

I64 = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Batches = Generator[list[Action], Answer, Any]
S31 = (1 << 31) - 1
SLACK = 2  # places that must be free before a state's fraction length goes up
SPARE = 4  # places by which m stays below what the gradient's fraction length allows, as that one moves, too
PRE_LOW, PRE_HIGH = -4, 3
FL_LOW, FL_HIGH = -64, 62  # even, for v
MAX_SHIFT = 31  # of a copy
MOST_BITS = 48  # that LAPS takes


def _exponent(value: float) -> int:
    """Exponent e with 2^(e-1) <= value < 2^e; a very small one for 0."""
    return math.frexp(value)[1] if value > 0 else -200


@dataclass
class Totals:
    """What a host would like to know of a training."""

    iterations: int = 0
    host_finished: int = 0  # products that left raw because of their shift, or to be added to
    cut: int = 0  # weight gradients that were cut along their inner length
    unfed: int = 0  # that did not feed their pass
    regraded: int = 0  # gradients whose fraction length no pass could take
    rescales: int = 0  # passes that only rescale
    sat_w: int = 0
    sat_m: int = 0
    sat_v: int = 0
    sat_copy: int = 0
    sat_g: int = 0  # raw 32 sums at their limit
    clipped: int = 0
    eps_used: int = 0


@dataclass
class Moments:
    """Fraction lengths of a tensor's state on the chip, by bit lengths of the OPTC's records alone."""

    rule: Rule
    batch: int
    fl_w: int
    bits: tuple[int, int, int]  # of w, m, v
    fl_m: int = 0
    fl_v: int = 0
    t: int = 0

    @classmethod
    def start(cls, rule: Rule, batch: int, w: FloatArray) -> Moments:
        """For start values `w`."""
        rule.check()
        top = float(np.abs(w).max(initial=0.0))
        fl_w = min(28 - _exponent(max(top, 8 * rule.lr)), 63)
        return cls(rule, batch, fl_w, (int(np.rint(math.ldexp(top, fl_w))).bit_length(), 0, 0))

    def passes(
        self, lr: float, count: int, largest: int, fl_g: int, copy: TableFormat, free: bool = False
    ) -> tuple[list[OptcConfig], OptcConfig]:
        """Passes that only rescale, and the step's own, for gradients of at most `largest` with fraction length `fl_g`;
        `lr` is the step's, the rule's that of the first.

        The step's FL of gradients may be another one, which they must then be moved to; `free`: the host loads them
        anyway. Only the step's pass belongs to `done`. Raises `HostError` if there is none.
        """
        rule, adam = self.rule, self.rule.mode == Mode.ADAM
        self.t += 1
        big = math.ldexp(largest, -fl_g)
        w_bits, m_bits, v_bits = self.bits
        m_top = rule.beta1 * (math.ldexp(1.0, m_bits - self.fl_m) if m_bits else 0.0)
        m_top += (1 - rule.beta1) * big if adam else big
        target = 30 - _exponent(m_top) if m_top else fl_g
        if not free:  # magnitude must be followed, the gradient's FL only as far as one pass goes
            soft = min(target, fl_g + SPARE)
            target = min(target, max(soft, self.fl_m + PRE_LOW)) if m_bits else soft
        fl_m = _follow(self.fl_m, m_bits, target)
        fl_v, low, high = self.fl_v, fl_m - 7, fl_m + 31
        if adam:
            v_top = rule.beta2 * (math.ldexp(1.0, v_bits - fl_v) if v_bits else 0.0) + (1 - rule.beta2) * big * big
            most = FL_HIGH if free else 2 * (fl_g - 1)
            target = min(31 - _exponent(v_top), 43 - _exponent(big * big), most) if v_top else 2 * (fl_g - 1)
            fl_v = _follow(fl_v, v_bits, target & ~1, even=True)
            low, high = max(low, -(-fl_v // 2)), min(high, (fl_v + 63) // 2)
        step = adam_step(lr, rule.beta1, rule.beta2, self.t) if adam else lr / self.batch
        change = step * (MAX_CLIP / 65536 if adam else m_top)
        w_top = math.ldexp(1.0, w_bits - self.fl_w) + change
        # Momentum: the finest weights that a step in units of m can move.
        finest = 63 if adam else fl_m + Scalar.of(step, 63).exp
        fl_w = _follow(self.fl_w, max(w_bits, 1), min(30 - _exponent(w_top), finest))
        pre = [
            fl_w - self.fl_w,
            fl_m - self.fl_m if m_bits else 0,
            fl_v - self.fl_v if v_bits else 0,
        ]
        before = []
        while min(pre) < PRE_LOW:  # no FL matters to a pass that moves nothing
            now = [max(PRE_LOW, each) if each < 0 else 0 for each in pre]
            pre = [each - more for each, more in zip(pre, now, strict=True)]
            zero = Scalar(0, 0)
            rescale = OptcConfig(Mode.ADAM, count, 0, 0, 0, 0, zero, zero, pre_w=now[0], pre_m=now[1], pre_v=now[2])
            before.append(self._checked(rescale))
        scalar = Scalar.of(step, max(0, min(63, 63 - (16 if adam else fl_m) + fl_w)))
        eps = rule.eps * self.batch * math.sqrt(1 - whole_power(rule.beta2, self.t))
        config = OptcConfig(
            rule.mode, count, fl_w, fl_m, fl_v, max(low, min(fl_g, high)), Scalar.of(1 - rule.beta1), scalar,
            Scalar.of(1 - rule.beta2) if adam else Scalar(0, 0), Scalar.of(lr * rule.weight_decay),
            *(eps_of(eps, fl_v) if adam else ()), pre_w=pre[0], pre_m=pre[1], pre_v=pre[2], copy_format=copy.n - 1,
            copy_shift=fl_w - copy.fl,
        )  # fmt: skip
        return before, self._checked(config)

    def copy_only(self, count: int, copy: TableFormat) -> OptcConfig:
        """A pass that changes nothing but the copies; moments and gradients must be 0."""
        zero = Scalar(0, 0)
        return self._checked(
            OptcConfig(
                Mode.MOMENTUM,
                count,
                self.fl_w,
                self.fl_w,
                0,
                self.fl_w,
                zero,
                zero,
                copy_format=copy.n - 1,
                copy_shift=self.fl_w - copy.fl,
            )
        )

    def _checked(self, config: OptcConfig) -> OptcConfig:
        if not 0 <= config.copy_shift <= MAX_SHIFT:
            raise HostError(
                f"weights at FL {config.fl_w - config.copy_shift} cannot be copied from a state at FL {config.fl_w}:"
                " limit the FL of weights in LAPS"
            )
        code = config.check()
        if code != RspCode.OK:
            raise HostError(
                f"no pass can be configured (Rsp{code.name.title()}): step size and gradients lie too far apart"
            )
        return config

    def done(self, config: OptcConfig, record: Sequence[int]) -> None:
        """Takes a pass and the words of its record."""
        self.fl_w, self.fl_m, self.fl_v = config.fl_w, config.fl_m, config.fl_v
        self.bits = (record[7] & 63, record[7] >> 6 & 63, record[7] >> 12 & 63)


def _follow(fl: int, bits: int, target: int, even: bool = False) -> int:
    """Next FL of a state that may go up to `target`: down at once; up when there is slack, as far as a pass can."""
    target = max(FL_LOW, min(FL_HIGH, target))
    if bits == 0 or target <= fl:
        return target
    move = min(PRE_HIGH, target - fl)
    if move < SLACK:
        return fl
    return fl + (move & ~1 if even else move)


@dataclass
class Tensor:
    """Parameters of a layer on the chip. `layout` is that of their gradients; addresses are those of buffers."""

    name: str
    layout: GradientLayout
    moments: Moments
    state: int
    gradients: int
    copies: int
    start: FloatArray

    def command(self, config: OptcConfig, fed: bool = False) -> Opt:
        """A pass over it."""
        place = {"gradients": 0 if fed else self.gradients, "state": self.state, "copies": self.copies}
        return Opt(**place, fed=fed, config=config)


# A pass: layer, tensor, configuration, what turns the answer into record and copies, the store of a bias.
_Passed = tuple[int, Tensor, OptcConfig, Callable[[Answer], Any], int | None]


@dataclass
class _Weights:
    """Copies of a layer's weights, W (k x n), and their statistics."""

    tensor: Quantised
    stats: TensorStats


@dataclass
class _Forward:
    gemms: list[GemmTensors] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)
    columns: list[Quantised] = field(default_factory=list)
    images: list[Images | None] = field(default_factory=list)  # that columns are made of
    off: dict[int, Bools] = field(default_factory=dict)
    routes: dict[int, Any] = field(default_factory=dict)
    given: dict[int, Quantised] = field(default_factory=dict)  # what layers take, by the layer that gives it
    sums: dict[int, FloatArray] = field(default_factory=dict)  # of linear layers
    logits: FloatArray | None = None


@dataclass
class _Gradient:
    """Sums (n x k) of a weight gradient, their fraction length, the errors that they are of; `in_place`: in Y."""

    at: int
    sums: I64
    acc_fl: int
    dy: Quantised
    in_place: bool


@dataclass
class _Backward:
    """Errors of an iteration on their way down: dY by layer; of outputs whose errors add up, the parts."""

    errors: dict[int, Quantised]
    parts: dict[int, list[FloatArray]] = field(default_factory=dict)
    bp: list[GemmTensors] = field(default_factory=list)
    wg: list[GemmTensors] = field(default_factory=list)

    def add(self, at: int, values: FloatArray) -> None:
        """A part (batch x features) of the error of a layer's output."""
        self.parts.setdefault(at, []).append(values)


def check_room(layers: Sequence[Layer], top: TopParams) -> None:
    """Raises `MapError` if the parameters do not fit the processor's buffers."""
    mapper = Mapper(top)
    layouts = [mapper.layout(n, k) for k, n in (layer.shape for layer in layers)]
    state = sum(layout.words for layout in layouts) + sum(-(-layer.shape[1] // STATE_A_WORD) for layer in layers)
    if state > top.s_words:
        raise MapError(
            f"the network's {sum(math.prod(layer.shape) for layer in layers):,} weights take {state:,} words of the"
            f" state buffers, which have {top.s_words:,}: take smaller layers"
        )


class OnProcessor:
    """A network on a processor, from reset on: `start` first.

    Args:
        layers: the network; `Settings` and `Layers` of the processor must have room for it.
        params: start values.
        config: batch and momentum, unless `rule` gives another update rule.
        settings: what is written into LAPS.
        top: the processor.
        fixed: rounding of activations and errors.
        rng: rounds on the host.
        rule: of the optimiser.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        params: Params,
        config: TrainConfig,
        settings: Settings,
        top: TopParams,
        fixed: FixedConfig,
        rng: np.random.Generator,
        rule: Rule | None = None,
    ) -> None:
        check_layers(layers)
        if len(layers) > top.layers or 2 * len(layers) - 2 >= SLOTS:
            raise MapError(f"{len(layers)} layers: LAPS has {top.layers}, and the plan table room for {SLOTS // 2}")
        check_room(layers, top)
        if fixed.random_bits not in RAND_BITS:
            raise MapError(f"{fixed.random_bits} random bits: the RAN has {RAND_BITS}")
        self.layers, self.top, self.fixed, self.rng = tuple(layers), top, fixed, rng
        self.wires = wires(self.layers)
        self.rule = rule or Rule(Mode.MOMENTUM, config.lr, config.beta)
        self._config = None if rule else config  # whose step size changes
        self.batch, self.totals = config.batch, Totals()
        self.mapper = Mapper(top)
        self.products: list[Product] = []  # of the iteration under way, as the mapper was given them
        self.gemm_commands: list[str] = []  # of the same or the last iteration: each GEMM command's product, in order
        self._settings, self._params = settings, params
        self.formats = {key: TableFormat(entry.n, entry.fl) for key, entry in settings.entries(params).items()}
        self.min_orders: dict[str, int] = {}
        self._slots: dict[str, int] = {}
        self.weights: list[_Weights] = []
        self.biases = [b.astype(np.float64) for b in params.biases]
        self.tensors = [
            self._tensor(f"w{at + 1}", w.T, layer)
            for at, (w, layer) in enumerate(zip(params.weights, self.layers, strict=True))
        ]
        self.bias_tensors = [self._tensor(f"b{at + 1}", b) for at, b in enumerate(params.biases)]

    def _tensor(self, name: str, values: FloatArray, layer: Layer | None = None) -> Tensor:
        if layer is not None:
            images = layer.images(np.zeros((1, layer.features[0])))
            layout = self.mapper.layout(*values.shape, None if images is None else images.order)
        else:
            layout = GradientLayout(np.arange(len(values)), len(values))
        places = [
            self.mapper.reserve(buffer, words, f"{what} of {name}")
            for buffer, words, what in (
                (Buffer.SW, layout.words, "state"),
                (Buffer.Y, layout.words, "gradients"),
                (Buffer.Y, -(-layout.count // COPIES_A_WORD), "copies"),
            )
        ]
        return Tensor(name, layout, Moments.start(self.rule, self.batch, values), *places, values)

    # ---- start -------------------------------------------------------------------------------------------------------
    def start(self, seed: int = 1) -> Batches:
        """Writes LAPS' registers and the seed, loads the state, makes the first copies."""
        program = self.mapper.program()
        self.mapper.seed(program, seed)
        for address, word in self._settings.writes(self._params):
            program.write(Reg.LAPS + 4 * address, word)
        self._clear(program)
        taken = []
        for at, tensor in enumerate((*self.tensors, *self.bias_tensors)):
            w = np.rint(np.ldexp(tensor.start, tensor.moments.fl_w)).astype(np.int64)
            zero = np.zeros(tensor.layout.count, np.int64)
            self.mapper.load_state(program, tensor.state, State(tensor.layout.spread(w), zero, zero))
            if at < len(self.layers):
                program.load(Buffer.Y, tensor.gradients, words32(zero))
                config = tensor.moments.copy_only(tensor.layout.count, self.formats[Key(at, WEIGHT)])
                taken.append((at, config, self._pass(program, tensor, config)))
        answer = yield program.actions
        self.weights = [self._take_weights(at, config, take(answer)) for at, config, take in taken]

    def suspend(self) -> Batches:
        """Reads what the processor keeps of the training, for `resume` after another reset."""
        program = self.mapper.program()
        states = [
            self.mapper.store_state(program, tensor.state, tensor.layout.count)
            for tensor in (*self.tensors, *self.bias_tensors)
        ]
        words = [
            (address, program.read(Reg.LAPS + 4 * address))
            for address in addresses(self.top.layers)
            if address != LAPS_SEED
        ]
        answer = yield program.actions
        self.kept = (
            [take(answer) for take in states],
            [(address, answer.read[place][0]) for address, place in words],
        )

    def resume(self, seed: int) -> Batches:
        """Brings a processor after reset to where `suspend` left one; random numbers start from `seed`."""
        states, words = self.kept
        self.mapper.forget()
        program = self.mapper.program()
        self.mapper.seed(program, seed)
        program.write(Reg.LAPS + 4 * LAPS_SEED, seed)
        for address, word in words:
            program.write(Reg.LAPS + 4 * address, word)
        self._clear(program)
        for tensor, state in zip((*self.tensors, *self.bias_tensors), states, strict=True):
            self.mapper.load_state(program, tensor.state, state)
        yield program.actions

    def _clear(self, program: Program) -> None:
        """Words of copies that passes fill in part: what the host stores must hold something from the start."""
        for tensor in (*self.tensors, *self.bias_tensors):
            count = tensor.layout.count
            for word in sorted({count // each for each in (8, 16, 32) if count % each}):  # of 16, 8 and 4 bits
                program.load(Buffer.Y, tensor.copies + word, np.zeros((1, WORD_BYTES), np.uint8))

    def _pass(self, program: Program, tensor: Tensor, config: OptcConfig) -> Callable[[Answer], tuple[list[int], I64]]:
        return self.mapper.optimise(program, tensor.command(config))

    def _note(self, config: OptcConfig, record: Sequence[int]) -> None:
        totals = self.totals
        for name, value in zip(
            ("sat_w", "sat_m", "sat_v", "sat_copy", "clipped", "eps_used"), record[1:7], strict=True
        ):
            setattr(totals, name, getattr(totals, name) + value)

    def _take_weights(self, at: int, config: OptcConfig, taken: tuple[list[int], I64]) -> _Weights:
        """The next iteration's weights, and statistics of the copies as the RAN would count them."""
        record, copies = taken
        tensor = self.tensors[at]
        q = tensor.layout.gather(copies).T
        bits = 4 * (config.copy_format + 1)
        longest = int(np.abs(q).max()).bit_length()
        if record[4]:  # what did not fit, from the state's own bit length
            longest = max(longest, (record[7] & 63) - config.copy_shift)
        stats = TensorStats(q.size, record[4], int((q == 0).sum()), longest, int(np.abs(q).sum()))
        stats = without(stats, absent_of(self.layers[at]))
        tensor.moments.done(config, record)
        self._note(config, record)
        fl = config.fl_w - config.copy_shift
        return _Weights(Quantised(np.ascontiguousarray(q, np.int32), fl, bits, False), stats)

    # ---- products ----------------------------------------------------------------------------------------------------
    def _result(self, gemm: GemmTensors, y: Key, training: bool) -> tuple[Product, TableFormat, int]:
        """The product into an entry's format, that format, and its shift."""
        cls, fmt = y.cls, self.formats[y]
        slot = self._slots[gemm.name] if training else None
        rounding = {ACTIVATION: self.fixed.activation_rounding, ERROR: self.fixed.error_rounding}[cls]
        if not training:
            rounding = Rounding.NEAREST_EVEN
        shift = gemm.x_fl + gemm.w_fl - fmt.fl
        relu = cls == ACTIVATION
        stochastic = rounding == Rounding.STOCHASTIC
        product = self._product(gemm)
        if not 0 <= shift < self.top.acc_w:
            self.totals.host_finished += training
            return replace(product, out=RAW64), fmt, shift
        out = Format(
            YBits(fmt.n - 1), relu, relu, Round.STOCHASTIC if stochastic else Round.NEAREST,
            RAND_BITS.index(self.fixed.random_bits), shift,
        )  # fmt: skip
        update = 4 * y.layer + cls if training else None
        return replace(product, out=out, slot=slot, update=update, masks=relu), fmt, shift

    def _note_product(self, outcome: Outcome, training: bool = True) -> None:
        if training:
            self.products.append(outcome.used)
            self.gemm_commands += [outcome.product.name] * len(outcome.parts)

    def _product(self, gemm: GemmTensors) -> Product:
        return Product(
            Operand(gemm.x, gemm.x_bits // 4, gemm.x_unsigned), Operand(gemm.w, gemm.w_bits // 4, gemm.w_unsigned),
            mask=gemm.mask, min_order=self.min_orders.get(gemm.name, 0), name=gemm.name,
        )  # fmt: skip

    def _finish(
        self, outcome: Outcome, answer: Answer, y: Key, fmt: TableFormat, shift: int, updates: list[tuple[int, Stats]]
    ) -> tuple[Quantised, Bools]:
        """A result in its entry's format, and its masks; raw ones are rounded here. `updates`: what is left to send."""
        got, unsigned = outcome.result(answer), y.cls == ACTIVATION
        bits = 4 * fmt.n
        if outcome.product.out != RAW64:
            if got.update:
                updates.append(got.update)
            off = np.zeros(got.y.shape, bool) if got.masks is None else got.masks
            return Quantised(got.y.astype(np.int32), fmt.fl, bits, unsigned), off
        sums = np.maximum(got.y, 0) if unsigned else got.y
        z = round_shift(sums, min(shift, 62), Rounding.NEAREST_EVEN, self.rng)
        q = saturate(z, bits, unsigned)
        updates.append((4 * y.layer + y.cls, _stats(stats_of(q, z, bits, unsigned))))
        return Quantised(q, fmt.fl, bits, unsigned), got.y <= 0

    # ---- forward -----------------------------------------------------------------------------------------------------
    def _forward(self, pixels: Quantised, training: bool) -> Batches:
        fwd = _Forward(given={INPUT: pixels})
        updates: list[tuple[int, Stats]] = []
        for at, layer in enumerate(self.layers):
            last = at + 1 == len(self.layers)
            w = self.weights[at].tensor
            fwd.columns.append(_moved(fwd.given[self.wires.source[at]], layer.columns))
            gemm = _gemm(f"fp{at + 1}", fwd.columns[-1], w)
            images = layer.images(fwd.given[self.wires.source[at]].q)
            fwd.images.append(images)
            fwd.gemms.append(gemm)
            fwd.orders.append(self.min_orders.get(gemm.name, 0))
            acc_fl = gemm.x_fl + gemm.w_fl
            bias = np.clip(np.rint(np.ldexp(self.biases[at], acc_fl)), -S31, S31).astype(np.int64)
            program = self.mapper.program()
            self._send(program, updates)
            key = Key(self.wires.gives[at], ACTIVATION)
            if last or layer.linear or layer.add:
                self.totals.host_finished += training and not last
                product, fmt, shift = replace(self._product(gemm), out=_raw(gemm, bias)), None, 0
            else:
                product, fmt, shift = self._result(gemm, key, training)
            outcome = self.mapper.product(program, replace(product, bias=bias, x_images=images))
            self._note_product(outcome, training)
            if not last:
                self._fetch_forward(program, at + 1)
            elif training:
                self._fetch_backward(program, at, fwd)
            answer = yield program.actions
            if fmt is not None:
                y, closed = self._finish(outcome, answer, key, fmt, shift, updates)
            else:
                acc = outcome.result(answer).y
                sums = added(
                    acc, acc_fl, [fwd.sums[part] if part in fwd.sums else fwd.given[part] for part in layer.add]
                )
                if last:
                    fwd.logits = sums
                    break
                if layer.linear:
                    fwd.sums[at] = sums
                    continue
                y, closed = self._rounded(np.maximum(sums, 0), key, updates, training), sums <= 0
            if not training:
                updates.clear()
            q, fwd.off[at], fwd.routes[at] = layer.pool(y.q, closed)
            fwd.given[at] = replace(y, q=q)
        return fwd

    def _fetch_forward(self, program: Program, at: int) -> None:
        """Tiles of fp of a layer, while the one before it computes."""
        layer, w = self.layers[at], self.weights[at].tensor
        given = np.zeros((self.batch, layer.features[0]), np.int32)
        self._fetch(program, layer.columns(given), w, layer.images(given))

    def _fetch_backward(self, program: Program, at: int, fwd: _Forward) -> None:
        """Tiles of bp and wg of a layer likewise."""
        layer, forward = self.layers[at], fwd.gemms[at]
        errors = np.zeros((self.batch * layer.places, layer.shape[1]), np.int32)
        if self.wires.has_bp(at):
            w = Quantised(layer.back_weights(forward.w), forward.w_fl, forward.w_bits, forward.w_unsigned)
            self._fetch(program, layer.back_columns(errors), w, layer.back_images(errors))
        self._fetch(program, errors.T, fwd.columns[at], None, fwd.images[at], True)

    def _fetch(
        self, program: Program, x: npt.NDArray[np.integer], w: Quantised, x_images: Images | None = None,
        w_images: Images | None = None, in_place: bool = False,
    ) -> None:  # fmt: skip
        """`x`: of the shape that the operand will have. Results matter where they could be too long for Y."""
        out = RAW32 if in_place else Format()
        product = Product(
            Operand(x, 1), Operand(w.q, w.bits // 4, w.unsigned), out, x_images=x_images, w_images=w_images
        )  # fmt: skip
        self.mapper.fetch_ahead(program, product, in_place)

    def _rounded(self, values: FloatArray, key: Key, updates: list[tuple[int, Stats]], training: bool) -> Quantised:
        """What the host has added up, in its entry's format."""
        fmt, unsigned = self.formats[key], key.cls == ACTIVATION
        rounding = self.fixed.activation_rounding if unsigned else self.fixed.error_rounding
        z = round_values(
            values, fmt.fl, rounding if training else Rounding.NEAREST_EVEN, self.rng, self.fixed.random_bits
        )
        q = saturate(z, 4 * fmt.n, unsigned)
        updates.append((4 * key.layer + key.cls, _stats(stats_of(q, z, 4 * fmt.n, unsigned))))
        return Quantised(q, fmt.fl, 4 * fmt.n, unsigned)

    @staticmethod
    def _send(program: Program, updates: list[tuple[int, Stats]]) -> None:
        for entry, stats in updates:
            program.update(entry, stats)
        updates.clear()

    def _pixels(self, pixels: FloatArray) -> tuple[Quantised, TensorStats]:
        fmt = self.formats[Key(0, ACTIVATION)]
        z = round_values(pixels, fmt.fl, Rounding.NEAREST_EVEN, self.rng)
        q = saturate(z, 4 * fmt.n, True)
        return Quantised(q, fmt.fl, 4 * fmt.n, True), stats_of(q, z, 4 * fmt.n, True)

    def logits(self, pixels: FloatArray) -> Batches:
        """Outputs (batch x classes); everything rounds to nearest, LAPS stays."""
        fwd = yield from self._forward(self._pixels(pixels)[0], False)
        return fwd.logits

    # ---- iteration ---------------------------------------------------------------------------------------------------
    def iteration(self, pixels: FloatArray, labels: npt.NDArray[np.integer]) -> Batches:
        """One iteration on values (batch x in) >= 0 and class labels (batch); returns its `Step`. Raises `MapError`
        for another batch than that of the configuration."""
        if len(labels) != self.batch:
            raise MapError(f"an iteration has {self.batch} images, not {len(labels)}")
        self.products, self.gemm_commands = [], []
        self.mapper.drop_tiles()  # so that an iteration moves the same words after a checkpoint
        x, seen = self._pixels(pixels)
        copies = yield from self._begin(queries(self.layers, len(labels)), seen)
        fwd: _Forward = yield from self._forward(x, True)
        loss, error = softmax_error(fwd.logits, labels)
        updates: list[tuple[int, Stats]] = []
        last = len(self.layers) - 1
        back = _Backward({last: self._rounded(error, Key(last, ERROR), updates, True)})
        waiting: _Gradient | None = None  # that did not feed its pass
        after = list(self.weights)
        for at in reversed(range(len(self.layers))):
            self._join(at, fwd, back, updates)
            program = self.mapper.program()
            self._send(program, updates)
            passed = self._optimise(program, waiting, copies)
            product, acc_fl, dy = self._gradient_product(at, fwd, back)
            below = self._back_product(program, at, fwd, back)
            fed = self._feed(program, at, product, acc_fl, dy, copies[at])
            gradient = None if fed else self._weight_gradient(program, at, product, acc_fl, dy)
            if at:
                self._fetch_backward(program, at - 1, fwd)
            answer = yield program.actions
            self._after(passed, answer, after)
            waiting = gradient(answer) if gradient else None
            if fed:
                self._after(fed[0], answer, after)
                stats = self._fed_stats(at, *fed[1].seen(answer), acc_fl)
            else:
                assert waiting is not None
                stats = self._gradient_stats(at, waiting.sums, waiting.acc_fl)
            updates.append((4 * at + GRADIENT, stats))
            below(answer, updates)
        program = self.mapper.program()
        self._send(program, updates)
        passed = self._optimise(program, waiting, copies)
        program.write(Reg.STEP, 1)
        table = {key: self._read_format(program, key) for key in self.formats}
        answer = yield program.actions
        self._after(passed, answer, after)
        self.weights = after
        self.formats = {key: _format(answer.read[place][0]) for key, place in table.items()}
        self.totals.iterations += 1
        gemms = (*fwd.gemms, *back.bp, *back.wg)
        orders = tuple(self.min_orders.get(gemm.name, 0) for gemm in gemms)
        products = [each for gemm in gemms for each in self.products if each.name.split("-")[0] == gemm.name]
        self.products = []
        return Step(loss, gemms, orders, tuple(products))

    def _join(self, at: int, fwd: _Forward, back: _Backward, updates: list[tuple[int, Stats]]) -> None:
        """The error of a layer's sums, where it is added up from parts."""
        if at in back.parts:
            total = self.layers[at].spread(joined(back.parts.pop(at), fwd.off[at]), fwd.routes[at])
            back.errors[at] = self._rounded(total, Key(at, ERROR), updates, True)

    def _gradient_product(self, at: int, fwd: _Forward, back: _Backward) -> tuple[Product, int, Quantised]:
        """Product wg, raw, the fraction length of its sums, and the errors."""
        dy, columns = back.errors[at], fwd.columns[at]
        gemm = _gemm(f"wg{at + 1}", _moved(dy, np.transpose), columns, transposed(self.layers[at].absent))
        back.wg.insert(0, gemm)
        product = replace(self._product(gemm), out=RAW32, w_images=fwd.images[at])
        return product, gemm.x_fl + gemm.w_fl, dy

    def _feed(
        self, program: Program, at: int, product: Product, acc_fl: int, dy: Quantised, copy: TableFormat
    ) -> tuple[list[_Passed], Outcome] | None:
        """Adds the pass over a layer's biases, and wg, which feeds that over its weights; None if it cannot."""
        tensor, biases = self.tensors[at], self.bias_tensors[at]
        if self.rule.mode == Mode.ADAM or not self._settings.classes[GRADIENT].pin_n:
            return None
        if not self.mapper.can_feed(product):
            return None
        largest = int(np.abs(product.x.q).sum(axis=1, dtype=np.int64).max()) * int(np.abs(product.w.q).max())
        moments = replace(tensor.moments)
        try:
            before, config = moments.passes(self._step_size(), tensor.layout.count, largest, acc_fl, copy)
        except HostError:
            return None
        if config.fl_g != acc_fl:
            return None
        tensor.moments = moments
        passed = self._step(program, at, biases, dy.q.sum(axis=0, dtype=np.int64), dy.fl, False, copy)
        self._rescale(program, tensor, before)
        command = tensor.command(config, fed=True)
        program.issue(command)
        made = self.mapper.product(program, product, feeds=True)
        self._note_product(made)
        return [passed, (at, tensor, config, self.mapper.passed(program, command), None)], made

    def _weight_gradient(
        self, program: Program, at: int, product: Product, acc_fl: int, dy: Quantised
    ) -> Callable[[Answer], _Gradient]:
        """Adds wg; what turns the answer into the gradient."""
        self.totals.unfed += 1
        if self.mapper.fits(product, True):
            made = self.mapper.product(program, product, self.tensors[at].gradients)
            self._note_product(made)
            return lambda answer: _Gradient(at, made.result(answer).y, acc_fl, dy, True)
        self.totals.cut += 1
        parts = [self.mapper.product(program, each) for each in self._cut(replace(product, w_images=None))]
        for each in parts:
            self._note_product(each)
        return lambda answer: _Gradient(
            at, np.clip(sum(each.result(answer).y for each in parts), -S31 - 1, S31), acc_fl, dy, False
        )

    def _cut(self, whole: Product) -> list[Product]:
        """The same product in as few parts of its inner length as fit."""
        whole = replace(whole, out=RAW64)
        length = whole.shape[1]
        for count in range(2, length + 1):
            size = -(-length // count)
            parts = [
                replace(
                    whole, name=f"{whole.name}-{number}", x=replace(whole.x, q=whole.x.q[:, lo : lo + size]),
                    w=replace(whole.w, q=whole.w.q[lo : lo + size]),
                )
                for number, lo in enumerate(range(0, length, size), start=1)
            ]  # fmt: skip
            if all(self.mapper.fits(each, False) for each in (parts[0], parts[-1])):
                return parts
        raise MapError(f"{whole.name}: not even an inner length of 1 fits the buffers: make them larger")

    def _back_product(
        self, program: Program, at: int, fwd: _Forward, back: _Backward
    ) -> Callable[[Answer, list[tuple[int, Stats]]], None]:
        """Adds bp; what takes its result from the answer. What was added to the layer's sums gets their error."""
        layer, dy, forward = self.layers[at], back.errors.pop(at), fwd.gemms[at]
        for part in layer.add:
            if part != INPUT and self.layers[part].linear:
                back.errors[part] = dy
            elif part != INPUT:
                back.add(part, dy.value().reshape(self.batch, -1))
        if not self.wires.has_bp(at):
            return lambda answer, updates: None
        low = self.wires.source[at]
        w = Quantised(forward.w, forward.w_fl, forward.w_bits, forward.w_unsigned)
        mask = layer.to_rows(fwd.off[low])
        gemm = _gemm(f"bp{at + 1}", _moved(dy, layer.back_columns), _moved(w, layer.back_weights), mask)
        images = layer.back_images(dy.q)
        back.bp.insert(0, gemm)
        key = Key(low, ERROR)
        if self.wires.adds[low]:
            self.totals.host_finished += 1
            outcome = self.mapper.product(program, replace(self._product(gemm), out=RAW64, x_images=images))
            self._note_product(outcome)

            def add(answer: Answer, _: list[tuple[int, Stats]]) -> None:
                sums = outcome.result(answer).y.astype(np.float64)
                back.add(low, layer.from_rows(np.ldexp(sums, -gemm.x_fl - gemm.w_fl)))

            return add
        product, fmt, shift = self._result(gemm, key, True)
        outcome = self.mapper.product(program, replace(product, x_images=images))
        self._note_product(outcome)

        def take(answer: Answer, updates: list[tuple[int, Stats]]) -> None:
            made = self._finish(outcome, answer, key, fmt, shift, updates)[0]
            to, route = self.layers[low], fwd.routes[low]
            back.errors[low] = _moved(made, lambda q: to.spread(layer.from_rows(q), route))

        return take

    def _begin(self, asked: list[Query], pixels: TensorStats) -> Batches:
        """Plans, then updates of weights and pixels; the formats of the next weights."""
        program = self.mapper.program()
        heads: dict[str, Callable[[Answer], list[int]]] = {}
        for number, query in enumerate(asked):
            slot = min(number, SLOTS - 1)  # weight gradients, the last, need of their plans the orders alone
            x, w, y = (4 * each.layer + each.cls for each in (query.x, query.w, query.y))
            program.issue(Plan(x=x, w=w, y=y, k=query.k, slot=slot))
            if len(asked) > SLOTS:  # before the next one takes the slot
                heads[query.gemm] = program.slots(slot)
        self._slots = {query.gemm: min(number, SLOTS - 1) for number, query in enumerate(asked)}
        if not heads:
            table = program.slots(0, len(asked))
            heads = {
                name: lambda answer, slot=slot: table(answer)[4 * slot : 4 * slot + 4]  # type: ignore[misc]
                for name, slot in self._slots.items()
            }
        for at, weights in enumerate(self.weights):
            program.update(4 * at + WEIGHT, _stats(weights.stats))
        program.update(4 * 0 + ACTIVATION, _stats(pixels))
        self._fetch_forward(program, 0)
        formats = [self._read_format(program, Key(at, WEIGHT)) for at in range(len(self.layers))]
        answer = yield program.actions
        for name, take in heads.items():
            planned = PlanSlot.of(take(answer))
            assert planned is not None, "a plan that was not refused has filled its slot"
            self.min_orders[name] = planned.order
        return [_format(answer.read[place][0]) for place in formats]

    @staticmethod
    def _read_format(program: Program, key: Key) -> slice:
        """Reads the word of LAPS' table with an entry's format."""
        return program.read(Reg.LAPS + 8 * (4 * key.layer + key.cls))

    def _gradient_stats(self, at: int, sums: I64, acc_fl: int) -> Stats:
        fmt = self.formats[Key(at, GRADIENT)]
        self.totals.sat_g += int(((sums == S31) | (sums == -S31 - 1)).sum())
        z = round_shift(sums, min(acc_fl - fmt.fl, 62), Rounding.NEAREST_EVEN, self.rng)
        stats = stats_of(saturate(z, 4 * fmt.n, False), z, 4 * fmt.n, False)
        return _stats(without(stats, absent_of(self.layers[at])))

    def _fed_stats(self, at: int, overflow: int, longest: int, acc_fl: int) -> Stats:
        """As if a gradient that has fed its pass were in its entry's format: how long its largest sum is. Its magnitude
        is not known: with zeros alone LAPS leaves the signal as it is."""
        fmt = self.formats[Key(at, GRADIENT)]
        self.totals.sat_g += overflow
        longest = min(max(0, longest - acc_fl + fmt.fl), MOST_BITS) if longest else 0
        values = math.prod(self.layers[at].shape)
        stats = TensorStats(values, int(longest >= 4 * fmt.n), values, longest, 0)
        return _stats(without(stats, absent_of(self.layers[at])))

    def _step_size(self) -> float:
        """Of the present iteration."""
        return self._config.step_size(self.totals.iterations) if self._config else self.rule.lr

    def _optimise(self, program: Program, waiting: _Gradient | None, copies: list[TableFormat]) -> list[_Passed]:
        """Passes over the weights and biases of a layer whose gradient did not feed one."""
        if waiting is None:
            return []
        at, dy = waiting.at, waiting.dy
        return [
            self._step(program, at, self.tensors[at], waiting.sums, waiting.acc_fl, waiting.in_place, copies[at]),
            self._step(
                program, at, self.bias_tensors[at], dy.q.sum(axis=0, dtype=np.int64), dy.fl, False, copies[at]
            ),
        ]  # fmt: skip

    def _step(
        self, program: Program, at: int, tensor: Tensor, g: I64, fl: int, in_place: bool, copy: TableFormat
    ) -> _Passed:
        """A pass with gradients `g`; `in_place`: they are in Y."""
        moments, is_bias = tensor.moments, tensor is self.bias_tensors[at]
        copy = TableFormat(4, moments.fl_w - 16) if is_bias else copy  # a bias needs no copy
        top, free = int(np.abs(g).max()), not in_place or self.rule.mode == Mode.ADAM
        before, config = moments.passes(self._step_size(), tensor.layout.count, top, fl, copy, free)
        if is_bias:
            config = replace(config, copy_shift=16)
        if config.fl_g != fl or not in_place:
            moved = np.clip(round_nearest(g, fl - config.fl_g), -S31 - 1, S31)
            self.totals.regraded += in_place
            program.load(Buffer.Y, tensor.gradients, words32(tensor.layout.spread(moved)))
        self._rescale(program, tensor, before)
        take = self._pass(program, tensor, config)
        words = program.store(Buffer.SW, tensor.state, tensor.layout.words) if is_bias else None
        return at, tensor, config, take, words

    def _rescale(self, program: Program, tensor: Tensor, before: list[OptcConfig]) -> None:
        """Adds passes that only rescale."""
        for rescale in before:
            self.totals.rescales += 1
            program.issue(tensor.command(rescale))

    def _after(self, passed: list[_Passed], answer: Answer, weights: list[_Weights]) -> None:
        """Takes what passes gave: the next weights, and biases."""
        for at, tensor, config, take, words in passed:
            if words is None:
                weights[at] = self._take_weights(at, config, take(answer))
            else:
                tensor.moments.done(config, take(answer)[0])
                self._note(config, take(answer)[0])
                w = signed32(answer.stored[words], tensor.layout.count)
                self.biases[at] = np.ldexp(w.astype(np.float64), -config.fl_w)


def _raw(gemm: GemmTensors, bias: I64) -> Format:
    """The shorter raw format that holds every sum of a product."""
    x, w = (int(np.abs(each.astype(np.int64)).max(initial=0)) for each in (gemm.x, gemm.w))
    largest = gemm.shape[1] * x * w + int(np.abs(bias).max(initial=0))
    return RAW32 if largest <= S31 else RAW64


def _format(word: int) -> TableFormat:
    """Of word 0 of an entry."""
    fl = word & 0xFF
    return TableFormat(word >> 8 & 7, fl - 256 if fl > 127 else fl)


def _stats(record: TensorStats) -> Stats:
    return Stats(record.values, record.overflow, record.zeros, record.sum_abs, record.max_bit)


def _moved(t: Quantised, move: Callable[[Any], Any]) -> Quantised:
    """The same operands at other places."""
    return replace(t, q=np.ascontiguousarray(move(t.q)))


def _gemm(name: str, x: Quantised, w: Quantised, mask: Bools | None = None) -> GemmTensors:
    return GemmTensors(name, x.q, w.q, x.bits, w.bits, x.unsigned, w.unsigned, x.fl, w.fl, mask)


def drive(work: Batches, backend: Backend) -> Any:
    """Runs a generator of batches on a backend; what it returns."""
    answer = None
    while True:
        try:
            actions = work.send(answer)  # type: ignore[arg-type]
        except StopIteration as end:
            return end.value
        answer = backend.run(actions)


class Driven:
    """A trainer and its backend as a network, for `train` and `accuracy`; `resumed`: the trainer has begun before."""

    def __init__(self, trainer: OnProcessor, backend: Backend, seed: int = 1, resumed: bool = False) -> None:
        self.trainer, self.backend = trainer, backend
        drive(trainer.resume(seed) if resumed else trainer.start(seed), backend)

    def step(self, pixels: FloatArray, labels: npt.NDArray[np.integer]) -> Step:
        """One iteration."""
        return drive(self.trainer.iteration(pixels, labels), self.backend)

    def logits(self, pixels: FloatArray) -> FloatArray:
        """Outputs (batch x classes)."""
        return drive(self.trainer.logits(pixels), self.backend)


def make_trainer(
    layers: Sequence[Layer],
    config: TrainConfig,
    settings: Settings,
    top: TopParams,
    fixed: FixedConfig | None = None,
    rule: Rule | None = None,
) -> OnProcessor:
    """A trainer with the start values of `make_loop`."""
    start = init_layers(layers, np.random.default_rng([config.seed, 0]))
    rng = np.random.default_rng([config.seed, 1])
    return OnProcessor(layers, start, config, settings, top, fixed or FixedConfig(), rng, rule)
