"""A training on the RTL, cut into segments of some iterations: each is one simulation from reset on, checked as a
whole, and begins where the one before left a checkpoint (`make train`, docs/top/training.md, Training)."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from host.data import load_data
from host.digits import Digits
from host.energy import Counts
from host.fixed import Adam, FixedConfig, FloatNet, Rounding, Step, TrainConfig, accuracy, init_layers, order_rng, train
from host.mapper import Product
from host.network import Network, load_network
from host.optimiser import Rule
from host.settings import SETTINGS
from host.trainer import OnProcessor, make_trainer
from models.common.files import FileError, one_line, write_whole
from models.common.floats import fingerprint
from models.common.generator import NUMBERS
from models.ioss.config import GlobalCounter as CoreGlobal
from models.ioss.config import RowCounter as CoreRow
from models.laps.config import TensorClass
from models.optc.config import Mode
from models.ran.config import GlobalCounter as RanGlobal
from models.ran.config import RanDescriptor
from models.ran.config import RowCounter as RanRow
from models.top.config import LANES, Buffer, Engine, Gemm, Opt, TopParams
from tb.gemm.block import BLOCK as PAIR
from tb.gemm.capture import Capture, replay_command, save_all
from tb.gemm.program import Product as PairProduct
from tb.top.timing import Run

ADAM_LR = 4e-3
PLANNED = ("mlp", "cnn")  # networks whose least comparisons are in the testplan
SEGMENT = {"mlp": 22}  # iterations of a simulation, otherwise 1: what is traced of them has to fit memory
TEST_BATCH = 60
PHASES = ("fp", "bp", "wg", "optimiser", "plan", "other")


@dataclass(frozen=True)
class Plan:
    """What is trained: network as `load_network` takes it, update rule, formats (`laps`: by LAPS; otherwise 8 bits,
    fraction lengths by LAPS); data (empty: the network's own) and how many training and test images of it."""

    net: str = "mlp"
    optimiser: str = "momentum"
    laps: bool = True
    seed: int = 1
    data: str = ""
    images: Sequence[int] | None = None
    rounding: str = Rounding.STOCHASTIC.value  # of errors

    @property
    def network(self) -> Network:
        """As it is declared. Raises `NetworkError`."""
        return load_network(self.net)

    @property
    def source(self) -> str:
        """Where data comes from."""
        return self.data or self.network.data

    def load(self) -> Digits:
        """The data. Raises `DataError`, `DigitsError`."""
        return load_data(self.source, self.network, self.seed, self.images)

    def config(self, images: int, epochs: int = 1) -> TrainConfig:
        """Of the training with so many training images."""
        return self.network.config(images, self.seed, epochs)

    @property
    def rule(self) -> Rule | None:
        """None: the configuration's momentum."""
        return Rule(Mode.ADAM, ADAM_LR) if self.optimiser == "adam" else None

    def trainer(self, params: TopParams, images: int) -> OnProcessor:
        """A trainer at its start, for so many training images."""
        network = self.network
        settings, fixed = network.settings, FixedConfig(error_rounding=Rounding(self.rounding))
        if not self.laps:
            eight = {
                cls: replace(each, n=2, pin_n=True) if cls != TensorClass.GRADIENT else each
                for cls, each in settings.classes.items()
            }
            eight[TensorClass.ERROR] = replace(eight[TensorClass.ERROR], fl=7)
            pixels = replace(SETTINGS.pixels, n=2, fl=6, pin_n=True)
            settings = replace(settings, classes=eight, pixels=pixels)
        return make_trainer(network.lowered, self.config(images), settings, params, fixed, self.rule)

    def float32(self, data: Any, epochs: int) -> tuple[list[float], list[float]]:
        """(loss, accuracy) of every epoch of the same training in float32."""
        layers, config = self.network.lowered, self.config(len(data.train_labels), epochs)
        optimiser = (lambda params: Adam(params, ADAM_LR)) if self.optimiser == "adam" else None
        net = FloatNet(layers, init_layers(layers, np.random.default_rng([self.seed, 0])), config, optimiser)
        losses: list[list[float]] = [[] for _ in range(epochs)]
        shares: list[float] = []
        for done in train(net, data.train_pixels, data.train_labels, config, order_rng(config)):
            losses[done.epoch - 1].append(done.step.loss)
            if done.iteration == len(data.train_labels) // config.batch:
                shares.append(accuracy(net, data.test_pixels, data.test_labels))
        return [float(np.mean(each)) for each in losses], shares


def batch_of(plan: Plan, iteration: int, images: int) -> npt.NDArray[np.int64]:
    """Images of an iteration (from 0 on) of the whole training."""
    config = plan.config(images)
    epoch, at = divmod(iteration, images // config.batch)
    rng = order_rng(config)
    for _ in range(epoch + 1):
        order = rng.permutation(images)
    return order[at * config.batch : (at + 1) * config.batch]


def segment_seed(plan: Plan, first: int) -> int:
    """Seed (31 bits) of the draws on the chip in the segment that begins with iteration `first`. Hashed, so that the
    numbers of segments lie far apart."""
    return int(np.random.SeedSequence([plan.seed, 5, first]).generate_state(1)[0]) >> 1


@dataclass(frozen=True)
class Span:
    """An iteration (from 0 on) of a run: the cycle at which it began and the one at which it was over; its products,
    and the product of each of its GEMM commands."""

    iteration: int
    begin: int
    end: int
    products: tuple[Product, ...]
    gemm_commands: tuple[str, ...] = ()


def span_at(spans: Sequence[Span], cycle: int) -> Span | None:
    """The iteration in which a cycle lies, None if in none."""
    return next((each for each in spans if each.begin <= cycle < each.end), None)


def cycles_by_phase(run: Run, spans: Sequence[Span]) -> dict[str, int]:
    """Cycles of iterations by what the compute engine did: products forwards (`fp`), of errors backwards (`bp`), of
    weight gradients (`wg`), optimiser passes, plans; `other`: none of it, so loads, stores and the host."""
    out = dict.fromkeys(PHASES, 0)
    done = run.done[Engine.COMPUTE]
    carried = list(zip(run.carried_out(Engine.COMPUTE), done, strict=False))
    for span in spans:
        names = iter(span.gemm_commands)
        busy = 0
        for (command, _, begun), end in carried:
            if not span.begin <= begun < span.end:
                continue
            phase = (
                next(names)[:2] if isinstance(command, Gemm) else "optimiser" if isinstance(command, Opt) else "plan"
            )
            out[phase] += int(end) - begun
            busy += int(end) - begun
        out["other"] += span.end - span.begin - busy
    return out


def pair_product(product: Product) -> PairProduct:
    """What the host asked of the processor, in the terms of one pair."""
    out = product.out
    final = RanDescriptor(int(out.y_bits), out.unsigned, out.relu, int(out.round), out.rand_bits, out.shift)
    assert product.reduce_factor is not None
    return PairProduct(
        product.x.q, product.w.q, product.x.n, product.w.n, final, product.name, product.x.unsigned,
        product.w.unsigned, product.min_order, product.compensate, product.reduce_factor, product.mask, product.bias,
    )  # fmt: skip


def save_captures(
    folder: Path, plan: Plan, span: Span, seed: int, params: Mapping[str, int], sim: str
) -> list[dict[str, str]]:
    """Saves every product of an iteration as <folder>/<name>.npz; name, file and command that replays it of each.

    `seed`: SEED in the segment. Raises `TensorError`."""
    origin = {
        "net": plan.net, "optimiser": plan.optimiser, "formats": "laps" if plan.laps else "8bit", "seed": plan.seed,
        "iteration": span.iteration + 1,
    }  # fmt: skip
    captures = [
        Capture(pair_product(each), (seed + (each.draw or 0)) % NUMBERS, {**origin, "gemm": each.name})
        for each in span.products
    ]
    # What is at its default is left out of the line.
    usual = {"SIM": "verilator", **PAIR.resolve_params(None)}
    mine = {"SIM": sim, **params}
    words = {name: mine[name] for name in usual if mine.get(name, usual[name]) != usual[name]}
    paths = save_all(folder, captures)
    return [
        {"name": each.product.name, "file": str(path), "replay": replay_command(path, words)}
        for each, path in zip(captures, paths, strict=True)
    ]


def save_checkpoint(path: Path, trainer: OnProcessor) -> None:
    """Writes a suspended trainer and the fingerprint of the arithmetic that led to it, as a whole or not at all. Raises
    `FileError`."""
    write_whole(path, pickle.dumps((fingerprint(), trainer)))


def load_checkpoint(path: Path) -> OnProcessor:
    """Reads a suspended trainer of this clone. Raises `FileError` for anything else, and if another arithmetic led to
    it: the training would go on with bits that no machine gives from the start."""
    try:
        made_by, trainer = pickle.loads(path.read_bytes())
    except Exception as error:  # damaged bytes make pickle raise almost anything
        raise FileError(path, f"damaged checkpoint ({one_line(error)})") from None
    if made_by != fingerprint():
        raise FileError(
            path,
            f"left by a machine whose floating point differs (fingerprint {made_by}, here {fingerprint()}): delete its "
            "folder, or continue there",
        )
    if not isinstance(trainer, OnProcessor):
        raise FileError(path, f"damaged checkpoint (it holds {type(trainer).__name__})")
    return trainer


def least_checks(steps: Sequence[Step]) -> dict[str, int]:
    """What a segment of any network must at least compare: every result, and of the jobs (rows of a tile) a share, as
    those that masks or zeros skip have no slice."""
    shapes = [gemm.shape for step in steps for gemm in step.gemms]
    jobs = sum(m * -(-n // LANES) for m, _, n in shapes)
    return {"value": sum(m * n for m, _, n in shapes), "slice": max(1, jobs // 8), "cycle": max(1, jobs // 2)}


def same_state(mine: OnProcessor, other: OnProcessor) -> str:
    """What differs first between two suspended trainers; nothing: an empty string."""
    (states, words), (theirs, said) = mine.kept, other.kept
    names = [tensor.name for tensor in (*mine.tensors, *mine.bias_tensors)]
    for name, one, two in zip(names, states, theirs, strict=True):
        for what, a, b in zip("wmv", one, two, strict=True):
            if not np.array_equal(a, b):
                return f"{what} of {name}"
    if words != said:
        address = next(a for (a, x), (_, y) in zip(words, said, strict=True) if x != y)
        return f"LAPS' register {address:#x}"
    if any(not np.array_equal(a, b) for a, b in zip(mine.biases, other.biases, strict=True)):
        return "biases on the host"
    for name, one, two in zip(
        names, (*mine.tensors, *mine.bias_tensors), (*other.tensors, *other.bias_tensors), strict=True
    ):
        if one.moments != two.moments:
            return f"fraction lengths of {name}"
    return "formats" if mine.formats != other.formats else ""


def words_of(counts: Counts) -> dict[str, dict[str, int]]:
    """Words (128 bits) that were `read` and `written`, by buffer."""
    return {
        kind: {buffer.name.lower(): words[buffer] for buffer in Buffer}
        for kind, words in (("read", counts.reads), ("written", counts.writes))
    }


def step_record(step: Step, trainer: OnProcessor) -> dict[str, Any]:
    """What a report wants to know of an iteration."""
    macs = bit_macs = dense16 = dense = 0
    for gemm in step.gemms:
        m, k, n = gemm.shape
        tiles = -(-n // LANES)
        macs += m * k * n
        bit_macs += m * k * n * (gemm.x_bits + gemm.w_bits) / 2
        dense16 += m * k * tiles * 16
        dense += m * k * tiles * gemm.x_bits * gemm.w_bits // 16
    formats = {
        f"{layer}.{TensorClass(cls).name.lower()}": [fmt.n, fmt.fl] for (layer, cls), fmt in trainer.formats.items()
    }
    return {
        "loss": step.loss, "macs": macs, "bit_macs": bit_macs, "dense16": dense16, "dense": dense, "formats": formats,
        "min_orders": dict(zip([gemm.name for gemm in step.gemms], step.min_orders, strict=True)),
    }  # fmt: skip


def counter_record(counters: list[Any]) -> dict[str, int]:
    """Counters of all pairs, added up, by name; the RAN's with `ran_` before it."""
    out: dict[str, int] = {}
    for (rows, whole), (ran_rows, ran_whole) in counters:
        for prefix, kind, values in (
            ("", CoreRow, rows.sum(axis=0)),
            ("", CoreGlobal, whole),
            ("ran_", RanRow, ran_rows.sum(axis=0)),
            ("ran_", RanGlobal, ran_whole),
        ):
            for one in kind:
                name = prefix + one.name.lower()
                out[name] = out.get(name, 0) + int(values[one])
    return out


def totals(trainer: OnProcessor) -> Mapping[str, int]:
    """What the host counted."""
    return asdict(trainer.totals)
