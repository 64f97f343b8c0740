from __future__ import annotations

from dataclasses import replace

import hjson
import numpy as np
import pytest

from host.energy import (
    DEFAULT,
    Counts,
    Energies,
    EnergyError,
    Meter,
    added,
    dense_energy,
    processor_energy,
    product_counts,
    ratio,
)
from host.mapper import Format, Mapper, ModelBackend, Operand, Product
from models.top.config import Buffer, TopParams
from models.top.value import Processor

TOP = TopParams()


@pytest.fixture(scope="module")
def energies():
    return Energies.load()


def test_published_points(energies):
    assert energies.add(8) == pytest.approx(0.03)
    assert energies.add(32) == pytest.approx(0.1)
    assert energies.add(20) == pytest.approx(0.065)
    assert energies.add(4) == pytest.approx(0.015)
    assert energies.add(64) == pytest.approx(0.2)
    assert energies.mult(8, 8) == pytest.approx(0.2)
    assert energies.mult(32, 32) == pytest.approx(3.1)
    assert energies.mult(4, 5) == pytest.approx(0.2 * 20 / 64)
    assert energies.mult(16, 16) == pytest.approx(256 * (0.2 / 64 + (3.1 / 1024 - 0.2 / 64) / 3))
    assert energies.mult(64, 64) == pytest.approx(12.4)
    for size, pj in ((8, 10), (32, 20), (1024, 100)):
        assert energies.sram(size << 10, 64) == pytest.approx(pj)
        assert energies.sram(size << 10, 128, True) == pytest.approx(2 * pj)
    assert energies.sram(2 << 10, 64) == pytest.approx(5)
    assert 20 < energies.sram(128 << 10, 64) < 100
    assert energies.fp("fp_mult", 16) == 1.1
    with pytest.raises(EnergyError, match="no width of 24"):
        energies.fp("fp_add", 24)


def test_parts_by_hand(energies):
    counts = Counts(issues=10, macs=1000, outputs=32, tile_writes=4, dense_tile_writes=8)
    counts.reads[Buffer.X] = 3
    counts.parameters["adam"] = 2
    mine = processor_energy(counts, energies, TOP)
    assert mine["multiply"] == pytest.approx(160 * 0.0625)
    assert mine["accumulate"] == pytest.approx(160 * 0.1 * (34 + 37 + 40) / 32)
    assert mine["tiles"] == pytest.approx(160 * 10 * 5 / 64 + 4 * 20)  # 8 KB
    assert mine["drain"] == pytest.approx(32 * 4 * 0.125)
    assert mine["buffers"] == pytest.approx(3 * energies.sram(1 << 17, 128))
    assert mine["optimiser"] == pytest.approx(2 * energies.optimiser("adam"))
    floating, integer = (dense_energy(counts, energies, TOP, each) for each in (True, False))
    assert floating["multiply"] + floating["accumulate"] == pytest.approx(2000)
    assert integer["multiply"] == pytest.approx(1000 * energies.mult(16, 16))
    assert integer["tiles"] == pytest.approx(1000 * 2.5 + 8 * 20)
    assert floating["optimiser"] == pytest.approx(2 * (9 * 3.7 + 6 * 0.9))
    assert ratio(floating, mine, ["multiply"]) == pytest.approx(1100 / 10)
    assert ratio(floating, mine) == pytest.approx(sum(floating.values()) / sum(mine.values()))
    assert ratio(floating, processor_energy(Counts(), energies, TOP)) == float("inf")


def metered(bits, zeros, params=TOP, count=True):
    rng = np.random.default_rng(1)
    n, top = bits // 4, 1 << bits - 1
    x, w = (rng.integers(1 - top, top, shape) * (rng.random(shape) > zeros) for shape in ((32, 40), (40, 50)))
    meter, mapper = Meter(params), Mapper(params)
    program = mapper.program()
    mapper.product(program, Product(Operand(x, n), Operand(w, n), Format(n - 1, shift=8)))
    ModelBackend(Processor(params, count_pairs=count), seen=meter.seen).run(program.actions)
    return meter.counts


def test_counts_of_a_product(energies):
    dense, sparse = metered(16, 0), metered(4, 0.8)
    assert dense.macs == sparse.macs == 32 * 40 * 64
    assert dense.issues <= 16 * dense.macs // 16
    assert dense.issues > 14 * dense.macs // 16
    # 16 bits: nothing is smaller than in the dense array
    for buffer in (Buffer.X, Buffer.W, Buffer.Y):
        assert dense.reads[buffer] - dense.dense_reads[buffer] == 0
        assert dense.writes[buffer] == dense.dense_writes[buffer]
    assert dense.reads[Buffer.X] == 4 * 32 * 5
    assert dense.reads[Buffer.Y] == 32 * 4 * 2  # the store
    assert dense.tile_writes == dense.dense_tile_writes == 4 * 80 * 8
    assert sparse.reads[Buffer.X] == 4 * 32 * 2
    mine = [processor_energy(each, energies, TOP) for each in (dense, sparse)]
    other = dense_energy(sparse, energies, TOP, False)
    assert ratio(other, mine[1]) > 4
    assert ratio(dense_energy(dense, energies, TOP, False), mine[0], ["multiply"]) < 1
    # split or not, on one core or four: the dense array's operands are loaded as often as the processor's
    for params in (replace(TOP, w_words=256), replace(TOP, x_words=128), replace(TOP, cores=4)):
        some = metered(16, 0, params)
        assert some.writes == some.dense_writes
        assert some.reads == some.dense_reads
        assert some.issues == dense.issues
    with pytest.raises(EnergyError, match="count_pairs=True"):
        metered(8, 0, count=False)


@pytest.mark.parametrize("bits", [4, 8, 12, 16])
def test_counts_of_a_product_alone_are_those_of_the_processor(bits):
    meter = metered(bits, 0.5)
    alone = product_counts((32, 40, 50), (bits // 4, bits // 4), 1, meter.issues, TOP)
    for name in ("issues", "macs", "outputs", "tile_writes", "dense_tile_writes"):
        assert getattr(alone, name) == getattr(meter, name)
    for name in ("reads", "writes", "dense_reads", "dense_writes"):
        for buffer in (Buffer.X, Buffer.W):
            assert getattr(alone, name)[buffer] == getattr(meter, name)[buffer], (name, buffer)
    assert alone.writes[Buffer.Y] == alone.dense_writes[Buffer.Y] == 32 * 4 * 2
    both = added([alone, meter])
    assert both.issues == 2 * meter.issues
    assert both.reads[Buffer.X] == 2 * meter.reads[Buffer.X]
    assert added([]) == Counts()


def test_a_users_file(tmp_path, energies):
    own = hjson.loads(DEFAULT.read_text(encoding="utf-8"))
    path = tmp_path / "own.hjson"
    own["mult"]["8"] = 0.4
    path.write_text(hjson.dumps(own), encoding="utf-8")
    assert Energies.load(path).mult(8, 8) == pytest.approx(0.4)
    for change, text in (
        ({"mult": None}, "mult must give"),
        ({"sram": {"8": 10}}, "two at least"),
        ({"add": {"8": "much"}}, "add must give"),
        ({"slice_mult": [4]}, "slice_mult|form that"),
        ({"optimiser": {"adam": {}}}, "form that"),
        ({"more": 1}, "unknown keys more"),
        ({"sram": {"8": 0, "32": 20}}, "sram must give"),
        ({"sram": {"8": 10, "8.0": 20}}, "sram must give"),
        ({"mult": {"8": "inf"}}, "mult must give"),
        ({"dense_bits": 12}, "no width of 12"),
        ({"write_factor": "nan"}, "form that"),
        ({"drain_adds": [4]}, "form that"),
        ({"optimiser": [1]}, "form that"),
    ):
        path.write_text(hjson.dumps({**own, **change}), encoding="utf-8")
        with pytest.raises(EnergyError, match=text) as caught:
            Energies.load(path)
        assert "\n" not in str(caught.value)
    own.pop("sram")
    path.write_text(hjson.dumps(own), encoding="utf-8")
    with pytest.raises(EnergyError, match="has no sram"):
        Energies.load(path)
    path.write_text("hello", encoding="utf-8")
    with pytest.raises(EnergyError, match="is not Hjson with an object at its top"):
        Energies.load(path)
    path.write_text("{a: [", encoding="utf-8")
    with pytest.raises(EnergyError, match="is not Hjson"):
        Energies.load(path)
    with pytest.raises(EnergyError, match="no such file"):
        Energies.load(tmp_path / "none.hjson")
    assert energies.optimiser("adam") > energies.optimiser("momentum") > 0
