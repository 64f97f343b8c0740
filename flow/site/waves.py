"""Wave diagrams. Their cycles are those of the cycle models for a tiny piece of work, so that they cannot drift from
what the tests check; only the handshake law is drawn by hand.
"""

from __future__ import annotations

import numpy as np

from flow.site.draw import Waves
from models.common.axil import STROBE_ALL
from models.common.formats import YBits
from models.ioss import cycle as ioss_cycle
from models.ioss.config import CoreParams, Descriptor
from models.ioss.value import pack_tile, pack_vector
from models.laps import cycle as laps_cycle
from models.laps.config import TensorStats
from models.optc import cycle as optc_cycle
from models.optc.config import Mode, OptcConfig, Scalar
from models.ran import cycle as ran_cycle
from models.ran.config import RanDescriptor, RanParams
from models.regs.cycle import Access, Registers, Shape, predict
from models.regs.map import load_map
from tb.top.timing import granted, offers, starts


def _waits(offer: object, accept: object) -> list[int]:
    """Cycles in which a valid is high: from every offer to its transfer."""
    return [
        c for a, b in zip(np.atleast_1d(offer), np.atleast_1d(accept), strict=True) for c in range(int(a), int(b) + 1)
    ]


def _behind(accept: np.ndarray) -> np.ndarray:
    """Offers of a source without gaps: the first at 0, each one a cycle after the transfer before it."""
    return np.concatenate([[0], accept[:-1] + 1]).astype(np.int64)


def handshake() -> bytes:
    """The handshake law (by hand)."""
    w = Waves((0, 11))
    w.bit("valid", [1, 2, 3, 5, 6, 9])
    w.bus("payload", {1: "a", 2: "a", 3: "a", 5: "b", 6: "c", 9: "d"})
    w.bit("ready", [0, 3, 4, 5, 6, 7, 8, 9])
    w.bus("transfer", {3: "a", 5: "b", 6: "c", 9: "d"}, "5")
    return w.svg()


def ioss_job() -> bytes:
    """A tile and three jobs on a core with one row: load, issue, products, a bypass."""
    params = CoreParams(1, 8, 32)
    desc = Descriptor(2, 1, k_len=6, n_jobs=3)
    weights = np.zeros((6, 8), np.int64)
    weights[[0, 1, 3, 4]] = 3
    vectors = np.array([[5, 0, 1, 40, 0, 2], [0, 7, 0, 0, 33, 9], [0, 0, 8, 0, 0, 0]])
    tile = pack_tile(desc, params, weights)
    beats = [pack_vector(desc, x) for x in vectors]
    ends = np.concatenate([np.arange(len(each)) == len(each) - 1 for each in beats])
    tags = np.repeat(np.arange(3), [len(each) for each in beats]).astype(np.uint16)

    def run(tile_offer: np.ndarray, vec_offer: np.ndarray) -> ioss_cycle.Prediction:
        stim = ioss_cycle.Stimulus(
            [desc], np.zeros(1, np.int64), tile, np.arange(len(tile)) == len(tile) - 1, tile_offer,
            np.concatenate(beats), ends, tags, np.zeros(len(tags), np.uint32), vec_offer, 60,
        )  # fmt: skip
        return ioss_cycle.predict(params, stim)

    tile_offer, vec_offer = np.zeros(len(tile), np.int64), np.zeros(len(tags), np.int64)
    for _ in range(len(tile) + len(tags)):
        seen = run(tile_offer, vec_offer)
        tile_offer, vec_offer = _behind(seen.tile_accept), _behind(seen.vec_accept)
    assert (seen.jobs["done"] >= 0).all()
    w = Waves((0, int(max(seen.prod["cycle"].max(), seen.byp["cycle"].max())) + 1))
    w.bit("desc_valid_i", _waits([0], seen.desc_accept))
    w.bit("rsp_valid_o", seen.desc_accept + 1)
    w.bus("bank opens", {int(c): "O" for c in seen.opens}, "5")
    w.bit("tile_valid_i", _waits(tile_offer, seen.tile_accept))
    w.bit("tile_ready_o", range(int(seen.opens[0]) + 1, int(seen.tile_accept[-1]) + 1))
    w.bit("vec_valid_i", _waits(vec_offer, seen.vec_accept))
    w.bus("vector taken, tag", {int(c): int(t) for c, t in zip(seen.vec_accept, tags, strict=True)}, "5")
    w.bus("issue k, i, j", {int(i["cycle"]): f"{i['k']},{i['i']},{i['j']}" for i in seen.issue})
    w.bit("prod_valid_o", _waits(seen.prod["valid_cycle"], seen.prod["cycle"]))
    w.bus("prod_tag_o", {int(p["cycle"]): int(p["tag"]) for p in seen.prod})
    w.bus("prod_bank_o", {int(p["cycle"]): int(p["bank"]) for p in seen.prod})
    w.bit("prod_last_o", [p["cycle"] for p in seen.prod if p["last"]])
    w.bus("byp_tag_o", {c: int(b["tag"]) for b in seen.byp for c in range(int(b["valid_cycle"]), int(b["cycle"]) + 1)})
    return w.svg()


def ran_banks() -> bytes:
    """Two jobs on a group of two rows: one row goes on in the other bank while its neighbour finishes."""
    params = RanParams(2, 8)
    desc = RanDescriptor(YBits.B8, lanes=8, reduce_factor=2, n_jobs=3)
    counts = ((2, 3, 2), (5, 2, 2))  # products of every row for each job
    rows = [
        (row, job, at == count - 1) for row in (0, 1) for job, count in enumerate(counts[row]) for at in range(count)
    ]
    prod = np.zeros(len(rows), ran_cycle.PROD_IN_DTYPE)
    for at, (row, job, last) in enumerate(rows):
        prod[at] = (row, 0, 0, last, 0, job % 2, job, 0)

    def run() -> ran_cycle.Prediction:
        none, empty = np.zeros(0, np.int64), np.zeros((0, 16), np.uint8)
        stim = ran_cycle.Stimulus(
            [desc], np.zeros(1, np.int64), prod, np.full((len(prod), 8), 2, np.int16),
            np.zeros(0, ran_cycle.BYP_IN_DTYPE), np.zeros(0, ran_cycle.CANCEL_DTYPE),
            empty, np.zeros(0, bool), none, empty, np.zeros(0, bool), none, 80,
        )  # fmt: skip
        return ran_cycle.predict(params, stim)

    for _ in range(len(prod)):
        seen = run()
        for row in (0, 1):
            mine = prod["row"] == row
            prod["offer"][mine] = _behind(seen.prod_accept[mine])
    assert len(seen.jobs) == 3
    w = Waves((0, int(seen.out["cycle"].max()) + 1))
    w.bit("desc_valid_i", [0])
    for row in (0, 1):
        mine = prod["row"] == row
        taken = seen.prod_accept[mine]
        w.bit(f"prod_valid_i[{row}]", _waits(prod["offer"][mine], taken))
        tags = prod["tag"][mine]
        w.bus(f"row {row} job", {int(c): f"job {t}" for c, t in zip(taken, tags, strict=True)})
        banks = prod["bank"][mine]
        w.bus(f"row {row} bank", {int(c): int(b) for c, b in zip(taken, banks, strict=True)}, "5")
    for name, what in (("complete", "complete C"), ("select", "selected S"), ("swap", "leaves its bank X")):
        w.bus(what, {int(job[name]): int(job["tag"]) for job in seen.jobs}, "6")
    w.bus("quantised Q0", {int(job["quant"]): int(job["tag"]) for job in seen.jobs}, "6")
    w.bit("out_valid_o", _waits(seen.out["valid_cycle"], seen.out["cycle"]))
    beats = {int(o["cycle"]): "+".join(str(tag) for tag in o["tag"][: o["jobs"]]) for o in seen.out}
    w.bus("jobs in the beat", beats)
    return w.svg()


def optc_pipeline() -> bytes:
    """A tensor of twelve parameters through four lanes."""
    config = OptcConfig(Mode.ADAM, 12, fl_w=16, fl_m=16, fl_v=32, fl_g=16, c1=Scalar(1, 3), step=Scalar(1, 10))
    stim = optc_cycle.Stimulus(4, [config], np.array([0]), np.zeros(1, bool), np.array([2, 3, 4]), 80)
    seen = optc_cycle.predict(stim)
    assert (seen.out_accept >= 0).all()
    first, last = int(seen.beat_accept[0]), int(seen.out_accept[-1])
    spans = [(0, first + 3)]
    spans += [(first + stage - 1, first + stage + 3) for stage in (6, 24, 46)]
    spans[-1] = (first + 46 - 1, last + 2)
    w = Waves(*spans)
    w.bit("cfg_valid_i", seen.cfg_accept)
    w.bit("rsp_valid_o", seen.cfg_accept + 1)
    w.bus("beat taken", {int(c): b for b, c in enumerate(seen.beat_accept)}, "5")
    for name, stage in (("moment", "m', v' leave 6"), ("denom", "denominator leaves 24"), ("update", "u leaves 46")):
        w.bus(stage, {int(c): b for b, c in enumerate(seen.stages[name])}, "3")
    w.bit("out_valid_o", _waits(seen.out_valid, seen.out_accept))
    w.bus("result", {int(c): b for b, c in enumerate(seen.out_accept)}, "5")
    w.bit("stat_valid_o", [seen.stat[0][0]])
    return w.svg()


def laps_requests() -> bytes:
    """A register access, an update and a query offered at once, and an access while the machine is busy."""
    stim = laps_cycle.Stimulus(
        regs=[laps_cycle.RegAccess(False, 0)] * 2, reg_offer=np.array([1, 4]),
        upds=[laps_cycle.Update(0, 1, TensorStats(values=64, zeros=16, max_bit=7, sum_abs=1500))],
        upd_offer=np.array([1]),
        ords=[laps_cycle.Query((0, 0), (0, 1), (1, 0), 64)], ord_offer=np.array([1]), horizon=40,
    )  # fmt: skip
    seen = laps_cycle.predict(stim)
    w = Waves((0, int(seen.ord_answer[0]) + 1))
    w.bit("reg_valid_i", _waits(stim.reg_offer, seen.reg_accept))
    w.bit("upd_valid_i", _waits(stim.upd_offer, seen.upd_accept))
    w.bit("ord_valid_i", _waits(stim.ord_offer, seen.ord_accept))
    taken = ((seen.reg_accept, "R"), (seen.upd_accept, "U"), (seen.ord_accept, "Q"))
    w.bus("request taken", {int(at): name for accept, name in taken for at in accept}, "5")
    begun = (int(seen.upd_accept[0]), int(seen.ord_accept[0]))
    w.bit("busy_o", [at + ahead + 1 for at in begun for ahead in range(laps_cycle.BUSY_CYCLES)])
    w.bit("reg_rsp_valid_o", seen.reg_answer)
    w.bus("data", {int(seen.reg_answer[0]): "old", int(seen.reg_answer[1]): "new"}, "3")
    w.bit("upd_rsp_valid_o", seen.upd_answer)
    w.bit("ord_rsp_valid_o", seen.ord_answer)
    return w.svg()


def register_access() -> bytes:
    """A write and a read at the AXI4-Lite port, both offered at once; data of the write come two cycles late."""
    regs = load_map()
    write = Access(True, regs.address("SEED"), 7, STROBE_ALL, 1, 3, 0)
    read = Access(False, regs.address("ID"), 0, 0, 1, 1, 0)
    for _ in range(3):  # the host takes every answer at once
        registers = Registers(regs, Shape(), 0, [], np.ones(64, bool))
        predict(registers, [write], [read], np.ones(64, bool), 60)
        write.taken, read.taken = write.valid, read.valid
    w = Waves((0, max(write.valid, read.valid) + 1))
    w.bit("AWVALID", _waits(write.addr_offer, write.addr_accept))
    w.bus("AWADDR", dict.fromkeys(_waits(write.addr_offer, write.addr_accept), f"{write.addr:#05x}"))
    w.bit("WVALID", _waits(write.data_offer, write.data_accept))
    w.bit("ARVALID", _waits(read.addr_offer, read.addr_accept))
    w.bus("ARADDR", dict.fromkeys(_waits(read.addr_offer, read.addr_accept), f"{read.addr:#05x}"))
    w.bus("chosen", {write.chosen: "W", read.chosen: "R"}, "5")
    w.bus("taken by top_regs", {write.requested: "W", read.requested: "R"}, "5")
    w.bit("seed pulse", [at for at, *_ in registers.caused.pulses])
    w.bit("BVALID", [write.valid])
    w.bit("RVALID", [read.valid])
    w.bus("RDATA", {read.valid: "ID"})
    return w.svg()


def command_waits() -> bytes:
    """Two loads, a product that waits for the first, a store that waits for the product."""
    names = ("LOAD a", "GEMM", "LOAD b", "STORE")
    engines, waits = (0, 1, 0, 2), ((0, 0, 0), (1, 0, 0), (0, 0, 0), (0, 1, 0))
    pushed, words, product = (1, 3, 5, 7), (4, 0, 5, 3), 9
    done: list[list[int]] = [[], [], []]
    for _ in range(len(names)):  # an end moves the starts after it
        begun = starts(engines, waits, pushed, done)
        loads = [_load(s, count) for s, count in zip(begun[0], (words[0], words[2]), strict=True)]
        store, last = _store(begun[2][0], words[3])
        done = [[int(each[-1]) + 1 for each in loads], [begun[1][0] + product], [last]]
    w = Waves((0, done[2][0] + 2))
    w.bus("PUSH answered", dict(zip(pushed, ("La", "G", "Lb", "S"), strict=True)), "5")
    for at, engine in enumerate(("load", "compute", "store")):
        mine = [name for name, of in zip(names, engines, strict=True) if of == at]
        busy = {c: n for n, s, d in zip(mine, begun[at], done[at], strict=True) for c in range(s, d + 1)}
        w.bus(f"{engine} engine", busy)
        w.bit(f"{engine} done", done[at])
    w.bus("word in", {int(c): "a" if each is loads[0] else "b" for each in loads for c in each}, "6")
    w.bus("word out", dict.fromkeys(map(int, store), "y"), "6")
    for at, engine in enumerate(("load", "compute")):
        w.bus(f"DONE.{engine}", {c: sum(end < c for end in done[at]) for c in range(done[2][0] + 3)}, "5")
    return w.svg()


def _load(start: int, count: int) -> np.ndarray:
    """Cycles in which a load takes words that are always there."""
    return granted(np.full(count, start + 1, np.int64), np.zeros(0, np.int64), np.zeros(0, bool), chained=False)[1]


def _store(start: int, count: int) -> tuple[np.ndarray, int]:
    """Cycles in which a store's words leave, always taken, and its end."""
    accept = np.full(count, -1, np.int64)
    for _ in range(2 * count):
        got = granted(np.full(count, start + 1, np.int64), accept, np.zeros(0, bool))[1]
        accept = offers(got, accept)
    return accept, int(accept[-1]) + 1
