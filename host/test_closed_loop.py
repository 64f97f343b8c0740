"""The closed loop: who says which format when, what is reported, min_order, determinism, and that it learns."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from host.closed_loop import (
    COLUMNS,
    ClassSettings,
    ClosedLoop,
    Driven,
    Format,
    Key,
    LapsController,
    Query,
    Recorder,
    StepDone,
    Update,
    answer,
    make_loop,
    queries,
)
from host.digits import Digits
from host.fixed import FixedConfig, TrainConfig, accuracy, init_layers, order_rng, train
from host.layers import Conv, Dense, conv3, dense
from host.network import load_network
from host.settings import SETTINGS
from models.common.tensors import GemmTensors
from models.ioss.oracle import count_pairs, kept_product
from models.laps.config import Band, Entry, Limits, TensorClass, TensorStats
from models.laps.value import Laps
from studies import make_updates, measure
from studies.make_tensors import count_issues
from studies.measure import Tally, Task, Variant

A, W, E, G = TensorClass
SMALL = dense((2, 24, 16, 3))
SMALL_CNN = (conv3(8, 1, 4), conv3(4, 4, 4), Dense(16, 10))
MLP, CNN = (load_network(name).lowered for name in ("mlp", "cnn"))
SHIPPED = Path(__file__).resolve().parents[1] / "data" / "laps" / "digits_updates.npz"


def _rings(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes in the unit square by distance from the centre."""
    pixels = np.random.default_rng(3).random((count, 2))
    return pixels, np.digitize(np.hypot(*(pixels - 0.5).T), [0.22, 0.4])


def _images(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(9)
    return rng.integers(0, 17, (count, 64)) / 16, rng.integers(0, 10, count)


class Fixed:
    """A controller that answers what a test wants and keeps what it is told."""

    def __init__(self, n: int = 2, after: Callable[[int], Format] | None = None, order: int = 0) -> None:
        self.n, self.after, self.order = n, after, order
        self.told: list[tuple[int, TensorClass, TensorStats]] = []
        self.steps = 0

    def formats(self, layer: int, cls: TensorClass) -> Format:
        fl = {A: 4, W: 5, E: 6, G: 4}[cls]
        return Format(4 if cls == G else self.n, fl)

    def report(self, layer: int, cls: TensorClass, stats: TensorStats) -> Format:
        self.told.append((layer, cls, stats))
        return self.after(len(self.told)) if self.after else self.formats(layer, cls)

    def min_order(self, x: Key, w: Key, y: Key, k: int) -> int:
        return self.order

    def step(self) -> None:
        self.steps += 1


def _loop(layers: tuple[Conv | Dense, ...], controller: Fixed, seed: int = 1) -> Driven:
    start = init_layers(layers, np.random.default_rng([seed, 0]))
    formats = {Key(at, cls): controller.formats(at, cls) for at in range(len(layers)) for cls in TensorClass}
    loop = ClosedLoop(layers, start, TrainConfig(), FixedConfig(), np.random.default_rng([seed, 1]), formats)
    return Driven(loop, controller)


# ------------------------------------------------------------------------------------------------------------ requests


def test_requests_come_in_their_order() -> None:
    loop = _loop(SMALL, Fixed()).loop
    work, asked, reply = loop.iteration(*_rings(8)), [], None
    while True:
        try:
            request = work.send(reply)
        except StopIteration:
            break
        asked.append(request)
        reply = 0 if isinstance(request, Query) else Format(2, 4) if isinstance(request, Update) else None
    assert [each.gemm for each in asked[:7]] == ["fp1", "fp2", "bp2", "bp3", "wg1", "wg2", "wg3"]
    keys = [each.key for each in asked[7:-1]]
    assert keys == [(0, W), (0, A), (1, W), (1, A), (2, W), (2, A), (2, E), (2, G), (1, E), (1, G), (0, E), (0, G)]
    assert isinstance(asked[-1], StepDone)
    assert set(loop.formats.values()) == {Format(2, 4)}


def test_an_asynchronous_driver_gets_the_same_training() -> None:
    """As a bench would drive it, with the answers from elsewhere."""
    pixels, labels = _rings(32)
    network = make_loop(SMALL, TrainConfig(), RINGS)
    other = make_loop(SMALL, TrainConfig(), RINGS)

    async def elsewhere(request: Query | Update | StepDone) -> object:
        await asyncio.sleep(0)
        return answer(other.controller, request)

    async def iteration() -> float:
        work, reply = other.loop.iteration(pixels, labels), None
        while True:
            try:
                request = work.send(reply)
            except StopIteration as end:
                return end.value.loss
            reply = await elsewhere(request)

    for _ in range(4):
        assert asyncio.run(iteration()) == network.step(pixels, labels).loss
    assert other.loop.formats == network.loop.formats


@pytest.mark.parametrize("layers", [MLP, CNN])
def test_queries_name_the_inner_length_of_the_gemms(layers: tuple[Conv | Dense, ...]) -> None:
    network = _loop(layers, Fixed())
    gemms = {gemm.name: gemm for gemm in network.step(*_images(8)).gemms}
    asked = {query.gemm: query for query in queries(layers, 8)}
    assert set(gemms) - set(asked) == {f"fp{len(layers)}"}
    for name, query in asked.items():
        assert query.k == gemms[name].shape[1]
        assert {query.x.cls, query.w.cls, query.y.cls} == {"fp": {A, W}, "bp": {E, W}, "wg": {E, A, G}}[name[:2]]


@pytest.mark.parametrize(("layers", "data"), [(SMALL, _rings), (SMALL_CNN, _images)])
def test_formats_are_those_before_the_tensor_was_made(layers, data) -> None:
    """Answers of an iteration change nothing in it and everything in the next one."""
    controller = Fixed(after=lambda told: Format(3, told % 5))
    network = _loop(layers, controller)
    pixels, labels = data(16)
    for gemm in network.step(pixels, labels).gemms:
        assert (gemm.x_bits, gemm.w_bits) == (8, 8)
        assert gemm.x_fl == (4 if gemm.name.startswith("fp") else 6)
    said = {(layer, cls): told % 5 for told, (layer, cls, _) in enumerate(controller.told, start=1)}
    for gemm in network.step(pixels, labels).gemms:
        at = int(gemm.name[2:]) - 1
        x, w = {"fp": (A, W), "bp": (E, W), "wg": (E, A)}[gemm.name[:2]]
        assert (gemm.x_bits, gemm.w_bits, gemm.x_fl, gemm.w_fl) == (12, 12, said[at, x], said[at, w])
    assert controller.steps == 2


@pytest.mark.parametrize(("layers", "data"), [(SMALL, _rings), (SMALL_CNN, _images)])
def test_statistics_are_those_of_the_tensors(layers, data) -> None:
    """Against the GEMMs' operands, where a tensor is one, and against the raw values that were rounded."""
    controller = Fixed(n=1)  # much saturates
    network = _loop(layers, controller)
    pixels, labels = data(16)
    masters = [w.copy() for w in network.loop.network.params.weights]
    gemms = {gemm.name: gemm for gemm in network.step(pixels, labels).gemms}
    told = {(layer, cls): stats for layer, cls, stats in controller.told}
    assert len(told) == len(controller.told) == 4 * len(layers)
    for at, master in enumerate(masters):
        z = np.rint(master * 32)  # FL 5
        q = gemms[f"fp{at + 1}"].w
        assert np.array_equal(q, np.clip(z, -8, 7))
        expected = (z.size, np.sum(q != z), np.sum(q == 0), int(np.abs(z).max()).bit_length(), np.abs(q).sum())
        assert told[at, W] == TensorStats(*map(int, expected))
    assert sum(each.overflow for each in told.values()) > 0
    z = np.rint(pixels * 16)
    expected = (z.size, np.sum(z > 15), np.sum(z == 0), int(z.max()).bit_length(), np.minimum(z, 15).sum())
    assert told[0, A] == TensorStats(*map(int, expected))
    for at in range(len(layers)):
        error = gemms[f"wg{at + 1}"].x  # spread by the transpose of pooling, which only adds zeros
        assert told[at, E].sum_abs == np.abs(error).sum()
        assert told[at, E].values - told[at, E].zeros == np.count_nonzero(error)
        raw = gemms[f"wg{at + 1}"].product()
        assert told[at, G].values == raw.size
        assert told[at, G].max_bit == max(int(abs(v)) for v in _shifted(raw, 10 - 4)).bit_length()


def _shifted(raw: np.ndarray, shift: int) -> list[int]:
    """Rounded to nearest even by Python's integers."""
    half = 1 << shift - 1
    out = []
    for value in raw.ravel().tolist():
        floor, rest = value >> shift, value & (1 << shift) - 1
        out.append(floor + (rest > half or (rest == half and floor & 1)))
    return out


# ------------------------------------------------------------------------------------------------------------ min_order


@pytest.mark.parametrize(("x_bits", "w_bits"), [(4, 8), (8, 8), (16, 12), (16, 16)])
@pytest.mark.parametrize("masked", [False, True])
def test_min_order_leaves_out_slice_products(x_bits: int, w_bits: int, masked: bool) -> None:
    rng = np.random.default_rng([x_bits, w_bits])
    x = rng.integers(0, 1 << x_bits, (5, 9))
    w = rng.integers(-1 << w_bits - 1, 1 << w_bits - 1, (9, 20)) * (rng.random((9, 20)) < 0.3)
    w[0, 0] = -1 << w_bits - 1
    mask = rng.random((5, 20)) < 0.5 if masked else None
    gemm = GemmTensors("a", x, w, x_bits, w_bits, True, False, 0, 0, mask)
    for order in range(x_bits // 4 + w_bits // 4):
        kept = kept_product(x, w, x_bits // 4, w_bits // 4, 16, order, mask=mask)
        assert np.array_equal(gemm.product(order), kept)
        count = count_pairs(x, w, x_bits // 4, w_bits // 4, 16, order, mask)
        assert (count_issues(gemm, 16, order).issues, count_issues(gemm, 16, order).dense16) == (
            count.issues,
            count.dense,
        )
    assert not np.array_equal(gemm.product(1), gemm.product())


def test_min_order_of_the_controller_is_used() -> None:
    pixels, labels = _rings(32)
    full, some = _loop(SMALL, Fixed()), _loop(SMALL, Fixed(order=1))
    a, b = full.step(pixels, labels), some.step(pixels, labels)
    assert set(a.min_orders) == {0}
    assert [b.min_orders[[g.name for g in b.gemms].index(name)] for name in ("fp1", "fp3", "bp2", "wg3")] == [
        1,
        0,
        1,
        1,
    ]
    second = {g.name: g for g in b.gemms}["fp2"]
    first = b.gemms[0]
    acc = first.product(1) + 0  # biases are still 0
    expected = np.clip(np.rint(np.maximum(acc, 0) / 2.0 ** (first.x_fl + first.w_fl - second.x_fl)), 0, 255)
    assert np.array_equal(second.x, expected)
    assert not np.array_equal(second.x, a.gemms[1].x)


# ----------------------------------------------------------------------------------------------------------------- LAPS


# Two coordinates, their weights and errors need 8 bits.
RINGS = replace(
    SETTINGS,
    classes={
        **SETTINGS.classes,
        W: replace(SETTINGS.classes[W], n=2),
        E: ClassSettings(Band(-3072, 2048), n=2, fl=6),
    },
    pixels=Entry(fl=7, n=2, is_unsigned=True, pin_n=True),
)


def test_laps_follows_the_statistics() -> None:
    """Every answer is what a second LAPS says to the recorded stream, and every format used is an answer."""
    pixels, labels = _rings(256)
    config = TrainConfig(batch=32, epochs=4)
    network = make_loop(SMALL, config, RINGS)
    recorder = network.controller = Recorder(network.controller)
    laps = Laps()
    for address, word in RINGS.writes(network.loop.network.params):
        assert laps.write(address, word) == 0
    for done in train(network, pixels, labels, config, order_rng(config)):
        for gemm in done.step.gemms:
            x = Key(int(gemm.name[2:]) - 1, A if gemm.name.startswith("fp") else E)
            entry = laps.entry(*x)
            assert (gemm.x_bits, gemm.x_fl) == (4 * entry.n, entry.fl)
        for row in recorder.rows[-12:]:
            said = laps.update(row[0], row[1], TensorStats(*row[2:7]))
            assert (said.n, said.fl) == row[7:]
    assert len(recorder.rows) == 12 * 32
    assert len({row[8] for row in recorder.rows if row[1] == E}) > 2


def test_the_closed_loop_learns_and_repeats() -> None:
    pixels, labels = _rings(512)
    config = TrainConfig(sizes=(2, 24, 16, 3), batch=32, epochs=30)
    losses = []
    for _ in range(2):
        network = make_loop(SMALL, config, RINGS)
        losses.append([done.step.loss for done in train(network, pixels, labels, config, order_rng(config))])
    assert losses[0] == losses[1]
    assert np.mean(losses[0][-16:]) < np.mean(losses[0][:16]) / 2
    assert accuracy(network, pixels, labels) > 0.9


def test_a_copy_goes_on_like_the_original() -> None:
    pixels, labels = _images(32)
    network = make_loop(SMALL_CNN, TrainConfig(), SETTINGS)
    for _ in range(3):
        network.step(pixels, labels)
    other = copy.deepcopy(network)
    accuracy(other, pixels, labels)  # asks nothing and draws nothing
    for _ in range(3):
        a, b = network.step(pixels, labels), other.step(pixels, labels)
        assert a.loss == b.loss
        assert all(np.array_equal(g.x, h.x) for g, h in zip(a.gemms, b.gemms, strict=True))
    assert network.loop.formats == other.loop.formats


def test_refusals_are_errors() -> None:
    with pytest.raises(ValueError, match="refuses 0x0 at 0x201: VALUE"):
        LapsController([(0x201, 0)])
    controller = LapsController()
    with pytest.raises(ValueError, match="STATS"):
        controller.report(0, W, TensorStats(0))
    with pytest.raises(ValueError, match="LENGTH"):
        controller.min_order(Key(0, A), Key(0, W), Key(1, A), 0)


def test_settings_reach_the_registers() -> None:
    start = init_layers(MLP, np.random.default_rng(1))
    laps = LapsController(SETTINGS.writes(start)).laps
    assert laps.entry(0, A) == Entry(fl=3, n=1, is_unsigned=True)
    assert laps.entry(1, A) == Entry(fl=6, n=2, is_unsigned=True)
    assert laps.entry(2, G).pin_n
    for at, weights in enumerate(start.weights):
        scaled = np.abs(weights).max() * 2.0 ** laps.entry(at, W).fl
        assert laps.entry(at, W).n == 1
        assert 3.5 < scaled < 7.5
    assert (laps.band[E], laps.limits[E], laps.band[A]) == (Band(-3072, 0), Limits(), Band(128, 1280))


# ------------------------------------------------------------------------------------------------- records and figures


def test_shipped_updates_are_what_laps_answers() -> None:
    with np.load(SHIPPED) as data:
        columns = [data[name].tolist() for name in COLUMNS]
        writes = data["writes"].tolist()
    laps = LapsController(writes).laps
    rows = list(zip(*columns, strict=True))
    assert len(rows) == 660 * 12
    for at, row in enumerate(rows, start=1):
        said = laps.update(row[0], row[1], TensorStats(*row[2:7]))
        assert (said.code, said.n, said.fl) == (0, *row[7:])
        if at % 12 == 0:
            laps.step()
    assert SHIPPED.stat().st_size < 200_000


def _synthetic(seed: int) -> Digits:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 17, (140, 64)) / 16
    return Digits(pixels, rng.integers(0, 10, 140), pixels[:10], rng.integers(0, 10, 10))


def test_make_updates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_updates, "load_digits", _synthetic)
    out = tmp_path / "new" / "u.npz"
    done = CliRunner().invoke(make_updates.main, ["--out", str(out), "--epochs", "2"])
    assert done.exit_code == 0, done.output
    with np.load(out) as data:
        assert set(data.files) == {"writes", *COLUMNS}
        assert len(data["values"]) == 2 * 2 * 12
        assert data["values"][:2].tolist() == [64 * 64, 64 * 64]
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = CliRunner().invoke(make_updates.main, ["--out", str(tmp_path / "file" / "u.npz"), "--epochs", "1"])
    assert done.exit_code == 1
    assert done.output.splitlines()[-1].startswith("Error: cannot write")


def test_average_bits_are_weighted_by_macs() -> None:
    tally = Tally()
    network = _loop(SMALL, Fixed(n=1))
    network.loop.formats[Key(0, W)] = Format(3, 4)
    tally.add(network.step(*_rings(4)))
    macs = {"fp": (2 * 24, 24 * 16, 16 * 3), "bp": (0, 24 * 16, 16 * 3), "wg": (2 * 24, 24 * 16, 16 * 3)}
    total = 4 * sum(map(sum, macs.values()))
    assert tally.macs == total
    assert tally.bits == pytest.approx((4 * total + (12 - 4) / 2 * 4 * macs["fp"][0]) / total)
    assert Tally().bits == 32
    assert Tally().speedup is None


@pytest.mark.parametrize("net", ["mlp", "cnn"])
def test_variants_start_alike(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.digits.load_digits", _synthetic)
    ticks: list[int] = []
    variants = (Variant("float32"), Variant("16", FixedConfig(16, 16, 16)), Variant("LAPS", settings=SETTINGS))
    done = [measure.run(each, Task(net), 2, 1, ticks.append) for each in variants]
    assert sum(ticks) == 3 * 2 * 2
    assert done[1].loss[0] == pytest.approx(done[0].loss[0], rel=0.02)
    assert (done[0].average_bits, done[1].average_bits, done[0].predicted_speedup) == (32, 16, None)
    assert done[2].average_bits < 8
    assert len(done[2].formats) == 4
    assert not done[0].formats
