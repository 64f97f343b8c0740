"""Trainings compared: accuracy, average bits and predicted speed-up of float32, the dynamic rule and LAPS.

*Average bits*: mean over FP, BP and WG of (x bits + w bits) / 2, weighted by multiply-accumulates, over the whole
training. *Predicted speed-up*: slice pairs of a dense 16b x 16b array over those that the IOSS core issues
(`count_issues`; convolutions as the products they are lowered to), at equal utilisation. The host's share is in neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import numpy as np

from models.train.closed_loop import Driven, Settings, make_loop
from models.train.digits import load_digits
from models.train.fixed import (
    DynamicRule,
    FixedConfig,
    FixedNet,
    FloatNet,
    Network,
    Step,
    TrainConfig,
    accuracy,
    init_layers,
    order_rng,
    train,
)
from models.train.layers import NETWORKS, Layer
from models.train.make_tensors import count_issues


LEARNING_RATE = {"mlp": 1 / 8, "cnn": 1 / 16}  # a convolution's gradients add up over places
COUNTED = 4  # the whole run's issues are those of every so many iterations; epoch 1 is counted in full


@dataclass
class Tally:
    """Sums over iterations."""

    macs: int = 0
    bit_macs: float = 0.0
    issues: int = 0
    dense: int = 0

    def add(self, step: Step, count: bool = True) -> None:
        """The GEMMs of one iteration; `count`: issues, too."""
        for gemm, order in zip(step.gemms, step.min_orders, strict=True):
            m, k, n = gemm.shape
            self.macs += m * k * n
            self.bit_macs += m * k * n * (gemm.x_bits + gemm.w_bits) / 2
            if count:
                counted = count_issues(gemm, min_order=order)
                self.issues += counted.issues
                self.dense += counted.dense16

    @property
    def bits(self) -> float:
        """Average bits; 32 if nothing was counted (float32)."""
        return self.bit_macs / self.macs if self.macs else 32.0

    @property
    def speedup(self) -> float | None:
        """Predicted speed-up; None if nothing was counted."""
        return self.dense / self.issues if self.issues else None


@dataclass(frozen=True)
class Outcome:
    """One training. accuracy: share of test images, by epoch; loss: mean of every epoch; formats: n and FL of every
    entry of LAPS after every iteration, [iteration][layer][class][2]."""

    variant: str
    seed: int
    accuracy: list[float]
    loss: list[float]
    average_bits: float
    predicted_speedup: float | None
    epoch1_speedup: float | None
    formats: list[list[list[tuple[int, int]]]] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Without the history of formats."""
        return {key: value for key, value in asdict(self).items() if key != "formats"}


@dataclass(frozen=True)
class Variant:
    """A way to train: float32 (neither), the dynamic rule at `fixed`, or LAPS with `settings`."""

    name: str
    fixed: FixedConfig | None = None
    settings: Settings | None = None

    def network(self, layers: tuple[Layer, ...], config: TrainConfig) -> Network:
        """Ready to train; every variant starts with the same weights and sees the same order of images."""
        if self.settings is not None:
            return make_loop(layers, config, self.settings, self.fixed)
        start = init_layers(layers, np.random.default_rng([config.seed, 0]))
        if self.fixed is None:
            return FloatNet(layers, start, config)
        rng = np.random.default_rng([config.seed, 1])
        return FixedNet(layers, start, config, self.fixed, rng, DynamicRule(self.fixed))


def run(
    variant: Variant,
    net: str,
    epochs: int,
    seed: int,
    tick: Callable[[], None] = lambda: None,
    every_epoch: bool = True,
) -> Outcome:
    """One training on the digits; `tick` is called after every iteration."""
    layers = NETWORKS[net]
    config = TrainConfig(epochs=epochs, seed=seed, lr=LEARNING_RATE[net])
    data = load_digits(seed)
    network = variant.network(layers, config)
    total, first = Tally(), Tally()
    shares: list[float] = []
    losses: list[list[float]] = []
    history = []
    last = len(data.train_labels) // config.batch
    for done in train(network, data.train_pixels, data.train_labels, config, order_rng(config)):
        if done.iteration == 1:
            losses.append([])
        losses[-1].append(done.step.loss)
        total.add(done.step, count=done.iteration % COUNTED == 0)
        if done.epoch == 1:
            first.add(done.step)
        if isinstance(network, Driven):
            table = network.loop.formats
            history.append([[tuple(table[at, cls]) for cls in range(4)] for at in range(len(layers))])
        if done.iteration == last and (every_epoch or done.epoch == epochs):
            shares.append(accuracy(network, data.test_pixels, data.test_labels))
        tick()
    return Outcome(
        variant.name,
        seed,
        shares,
        [float(np.mean(each)) for each in losses],
        total.bits,
        total.speedup,
        first.speedup,
        history,
    )
