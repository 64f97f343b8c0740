"""What the bench of the processor hears inside it (tb_top.sv): taps and traces of the parts, and requests of each part
made of the taps' payloads, as the parts' own scoreboards take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.rounding import RAND_BITS
from models.ioss.config import Descriptor
from models.laps.config import TensorStats
from models.laps.cycle import Query, RegAccess, Update
from models.optc.config import OptcConfig
from models.ran.config import RanDescriptor, RspCode
from models.top.config import TopParams
from tb.gemm.program import RAN_CODE
from tb.ioss.env import trace_configs as core_traces
from tb.ioss.scoreboard import Inputs
from tb.laps.program import Program as LapsProgram
from tb.laps.trace import DTYPES as LAPS_DTYPES
from tb.lib.agents import TapConfig, TraceConfig
from tb.lib.scoreboard import EVENT_DTYPE
from tb.lib.streams import Tap, places
from tb.optc.env import trace_dtypes as optc_dtypes
from tb.optc.program import Program as OptcProgram
from tb.ran.trace import _PSUM_OFFER, NEVER
from tb.ran.trace import trace_configs as ran_traces

I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
PAIR_TAPS = {"desc": 4, "tile": 5, "vec": 5, "bias": 5, "psum": 5, "req": 1, "out": 1}
LAPS_TAPS = {"reg": 2, "upd": 5, "ord": 2, "step": 1}
OPTC_TAPS = {"cfg": 9, "in": 16}
AXIL_DTYPE = np.dtype([(name, "<u4") for name in ("since", "cycle", "op", "address", "data")])
M_DTYPE = np.dtype([("valid", "<u4"), ("cycle", "<u4"), ("last", "<u4"), ("data", "u1", (16,))])
CMD_DTYPE = np.dtype([("cycle", "<u4"), ("head", "<u4")])
TOP_EVENT_DTYPE = np.dtype([("cycle", "<u4"), ("data", "<u4")])
EV_BUSY, EV_IRQ = 6, 7
PSUM_TRACES = ("psum_offer", "psum_accept")  # of the memory that the pair's own bench has
WIDE = ("issue", "product", "shift_trace", "tree_trace", "swap_trace", "quant_trace")  # of a pair: up to 1 KB a cycle


def folders(params: TopParams) -> list[str]:
    """Folders that the bench writes into."""
    return [*(f"core{core}" for core in range(params.cores)), "laps", "optc"]


def tap_configs(params: TopParams, run_dir: Path) -> tuple[TapConfig, ...]:
    """Every tap of the bench."""
    pairs = [
        TapConfig(run_dir / f"core{core}", name, words, f"core{core}_")
        for core in range(params.cores)
        for name, words in PAIR_TAPS.items()
    ]
    laps = [TapConfig(run_dir / "laps", name, words, "laps_") for name, words in LAPS_TAPS.items()]
    optc = [TapConfig(run_dir / "optc", name, words, "optc_") for name, words in OPTC_TAPS.items()]
    return (*pairs, *laps, *optc)


def trace_configs(params: TopParams, run_dir: Path) -> tuple[TraceConfig, ...]:
    """Every trace of the bench."""
    out = [
        TraceConfig(run_dir / f"{name}.bin", dtype, f"top_{name}")
        for name, dtype in (
            ("axil", AXIL_DTYPE),
            ("m", M_DTYPE),
            ("cmd", CMD_DTYPE),
            ("start", CMD_DTYPE),
            ("top_event", TOP_EVENT_DTYPE),
        )
    ]
    for core in range(params.cores):
        folder = run_dir / f"core{core}"
        pair = [*core_traces(params.core, folder), *ran_traces(params.ran, folder)]
        pair.append(TraceConfig(folder / "gemm_event.bin", EVENT_DTYPE, "gemm_event"))
        out += [
            TraceConfig(each.path, each.dtype, f"core{core}_{each.name}", each.name in WIDE)
            for each in pair
            if not each.name.startswith(PSUM_TRACES)
        ]
    for name, dtype in LAPS_DTYPES.items():
        out.append(TraceConfig(run_dir / "laps" / f"{name}.bin", dtype, f"laps_{name}_trace"))
    for name, dtype in optc_dtypes(4).items():
        out.append(TraceConfig(run_dir / "optc" / f"{name}.bin", dtype, f"optc_{name}_trace"))
    return tuple(out)


def within(log: Any, base: int, end: int) -> npt.NDArray[np.bool_]:
    """Which offers of a source's log were made in a span of cycles."""
    return (log.offer >= base) & (log.offer < end)


def _bytes(words: U32) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(words[:, :4]).view(np.uint8).reshape(-1, 16)


@dataclass
class PairProgram:
    """What a pair was given between two resets, as `tb.gemm.program.GemmProgram` says it of what it gives."""

    params: TopParams
    core: Inputs
    ran: list[RanDescriptor]
    bias_data: npt.NDArray[np.uint8]
    bias_last: npt.NDArray[np.bool_]
    first_job: int = 0
    final: set[int] = field(default_factory=set)
    placements: tuple[Any, ...] = ()

    @classmethod
    def of(cls, params: TopParams, data: dict[str, U32], first_job: int = 0, vectors: int = 0) -> PairProgram:
        """From payloads that the taps of a core heard, after so many jobs and vectors."""
        descs, ran = [], []
        for row in data["desc"].tolist():
            core, last = _descriptor(sum(word << 32 * at for at, word in enumerate(row)))
            descs.append(core)
            ran.append(last)
        last = (data["vec"][:, 4] >> 16 & 1).astype(bool)
        tag = (vectors + np.cumsum(last) - last).astype(np.uint16)
        operands = Inputs(
            descs, _bytes(data["tile"]), (data["tile"][:, 4] & 1).astype(bool), _bytes(data["vec"]), last, tag,
            (data["vec"][:, 4] & 0xFFFF).astype(np.uint32),
        )  # fmt: skip
        return cls(params, operands, ran, _bytes(data["bias"]), (data["bias"][:, 4] & 1).astype(bool), first_job)

    def codes(self) -> list[int]:
        """The answer to each descriptor."""
        out = []
        for desc, ran in zip(self.core.descs, self.ran, strict=True):
            core, own = desc.check(self.params.core), ran.check(self.params.ran)
            out.append(int(core) if core else RAN_CODE + own if own != RspCode.OK else 0)
        return out


def _descriptor(word: int) -> tuple[Descriptor, RanDescriptor]:
    """Both parts' descriptors of the tap's payload (tb/gemm/gemm_desc.svh), lowest field first."""
    widths = (
        ("min_order", 3), ("w_slices", 3), ("x_slices", 3), ("compensate", 1), ("w_unsigned", 1), ("x_unsigned", 1),
        ("reduce_factor", 4), ("k_len", 16), ("n_jobs", 16), ("y_bits", 3), ("y_unsigned", 1), ("relu", 1),
        ("round", 2), ("rand_bits", 2), ("shift", 6), ("start", 2), ("lanes", 6), ("stat_last", 1),
        ("draw", 32),
    )  # fmt: skip
    values: dict[str, Any] = {}
    for name, width in widths:
        values[name] = word & ((1 << width) - 1)
        word >>= width
    for name in ("compensate", "w_unsigned", "x_unsigned", "y_unsigned", "relu", "stat_last"):
        values[name] = bool(values[name])
    core = Descriptor(
        values["x_slices"], values["w_slices"], values["x_unsigned"], values["w_unsigned"], values["min_order"],
        values["compensate"], values["reduce_factor"], values["k_len"], values["n_jobs"],
    )  # fmt: skip
    del values["min_order"]
    assert values["rand_bits"] < len(RAND_BITS)
    return core, RanDescriptor(**values)


def pair_part(seen: Mapping[str, Any], core: int, base: int, end: int) -> tuple[dict[str, Tap], dict[str, Any]]:
    """Taps and traces of a core in a span of cycles."""
    prefix, taps, traces = f"core{core}_", {}, {}
    for name, each in seen.items():
        if not name.startswith(prefix):
            continue
        if isinstance(each, np.ndarray):
            traces[name[len(prefix) :]] = each[slice(*places(each["cycle"], [base, end]))]
        else:
            (taps if isinstance(each, Tap) else traces)[name[len(prefix) :]] = each.between(base, end)
    return taps, traces


def pair_seen(taps: Mapping[str, Tap], traces: Mapping[str, Any], cycles: int) -> dict[str, Any]:
    """What the pair's own scoreboard wants to have seen."""
    psum = taps["psum"]
    offer = np.zeros(len(psum.data), _PSUM_OFFER)
    offer["offer"], offer["data"] = psum.log.offer, _bytes(psum.data)
    offer["head"] = (psum.data[:, 4] & 1) << 16
    accept = np.where(psum.log.accept < 0, NEVER, psum.log.accept).astype("<u4")
    return {
        **traces,
        **{name: taps[name].log for name in ("desc", "tile", "vec", "bias")},
        "req": taps["req"].ready[:, None],
        "out": taps["out"].ready[:, None],
        "stat": np.broadcast_to(np.True_, (cycles, 1)),
        "psum_offer_trace": offer,
        "psum_accept_trace": accept,
    }


def laps_program(seen: dict[str, Any]) -> LapsProgram:
    """All requests to LAPS."""
    program = LapsProgram()
    for low, high in seen["laps_reg"].data.tolist():
        program.regs.append((RegAccess(bool(high >> 12 & 1), high & 0xFFF, low), 0))
    for row in seen["laps_upd"].data.tolist():
        word = sum(part << 32 * at for at, part in enumerate(row))
        counts = (word >> low & 0xFFFF_FFFF for low in (10, 42, 74))
        stats = TensorStats(*counts, word >> 106 & 0x3F, word >> 112)
        program.upds.append((Update(word & 0xFF, word >> 8 & 3, stats), 0))
    for low, high in seen["laps_ord"].data.tolist():
        word = low | high << 32
        refs = [divmod(word >> 10 * at & 0x3FF, 4) for at in range(3)]
        program.ords.append((Query(*refs, word >> 30 & 0xFFFF), 0))
    program.steps = [0] * len(seen["laps_step"].data)
    return program


def optc_program(seen: dict[str, Any]) -> OptcProgram:
    """All passes of the OPTC."""
    program = OptcProgram(4)
    for row in seen["optc_cfg"].data.tolist():
        word = sum(part << 32 * at for at, part in enumerate(row))
        program.configs.append((OptcConfig.of(word), False, 0))
    data = seen["optc_in"].data.reshape(-1, 4, 4)
    signed = data.view("<i4").astype(np.int64)
    signed[:, 2] = data[:, 2]
    program.beats.append((signed, np.zeros(len(signed), np.int64)))
    return program
