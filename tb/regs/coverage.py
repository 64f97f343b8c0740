"""Functional coverage of the processor's registers: the bins (docs/top/README.md gives the terms) and how a run fills
them.

Everything is sampled after the verdict, from the accesses as the model carried them out and from what it notes of
events.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.common.axil import STROBE_ALL, Resp
from models.regs.events import ENGINES
from models.regs.map import load_map
from tb.lib.coverage import Coverage, CoverGroup, Coverpoint, Cross, Ignore, functional, write_run
from tb.lib.paths import REPORTS
from tb.lib.runinfo import RunInfo

REGS = load_map()
NAMES = tuple(register.name for register in REGS.registers)
WINDOWS = tuple(window.name for window in REGS.windows)
PLACES = (*NAMES, *WINDOWS, "none")
CODES = tuple(code.name for code in Resp)
ACCESSES = ("read", "write")
ENGINE_SETS = tuple(
    " ".join(name for engine, name in enumerate(ENGINES) if number >> engine & 1) for number in range(1, 8)
)
NO_YES = ("no", "yes")


def _readable(place: str) -> bool:
    return place not in NAMES or REGS.register(place).readable


def _writable(place: str) -> bool:
    return place not in NAMES or REGS.register(place).writable


ACCESS = CoverGroup(
    "access",
    (
        Coverpoint("place", PLACES, "what lies at the address"),
        Coverpoint("access", ACCESSES),
        Coverpoint("code", CODES),
        Cross("answers", ("place", "access", "code"), ignore=(
            Ignore(lambda p, a, c: p in NAMES and c == "DECERR", "there is a register"),
            Ignore(lambda p, a, c: p == "none" and c == "OKAY", "there is no register"),
            Ignore(lambda p, a, c: p == "none" and a == "read" and c == "SLVERR", "a read has no strobes"),
            Ignore(lambda p, a, c: a == "read" and c == "SLVERR" and _readable(p), "every read is legal"),
            Ignore(lambda p, a, c: a == "read" and c == "OKAY" and not _readable(p), "write only"),
            Ignore(lambda p, a, c: a == "write" and c == "OKAY" and not _writable(p), "read only"),
            Ignore(lambda p, a, c: p == "COUNTERS" and a == "write" and c == "OKAY", "read only"),
        )),
        Coverpoint("strobe", tuple(f"{n:04b}" for n in range(STROBE_ALL + 1)), "of writes"),
        Coverpoint("low", ("0", "1", "2", "3"), "lowest bits of the address"),
        Cross("refused_at_port", ("strobe", "low")),
        Coverpoint("low_of", ("0", "1", "2", "3"), "of both kinds"),
        Cross("misaligned", ("access", "low_of")),
    ),
    "accesses",
)  # fmt: skip

PORT = CoverGroup(
    "port",
    (
        Coverpoint("first", ("AW", "W", "together"), "transfers of a write"),
        Coverpoint.ranges("apart", "cycles between them", 0, 1, 2, 3, 5, 9),
        Cross("orders", ("first", "apart"), ignore=(
            Ignore(lambda f, a: (f == "together") != (a == "0"), "together is no cycle apart"),
        )),
        Coverpoint("kind", ACCESSES),
        Coverpoint.ranges("hold", "cycles that an answer waits", 0, 1, 2, 5),
        Cross("held", ("kind", "hold")),
        Coverpoint("rival", ("none", "older", "same cycle", "younger"), "of the other kind, complete by then"),
        Cross("choices", ("kind", "rival")),
        Coverpoint("blocked", NO_YES, "waited for the answer before it to be taken"),
        Cross("blocks", ("kind", "blocked")),
        Coverpoint.ranges("wait", "cycles from complete to answer", 2, 3, 4, 5, 6, 9, 17),
    ),
    "the port",
)  # fmt: skip

EVENT = CoverGroup(
    "event",
    (
        Coverpoint("failed", ENGINE_SETS, "engines that fail in a cycle"),
        Coverpoint("record", ("first", "kept", "with the clear", "count full"), "what ERROR does"),
        Cross("failures", ("failed", "record")),
        Coverpoint("done", ENGINE_SETS, "engines that are done in a cycle"),
        Coverpoint("status_clear", NO_YES, "IRQ_STATUS is written in the same cycle"),
        Cross("kept_events", ("done", "status_clear")),
        Coverpoint("operation", tuple(map(str, range(16))), "pushed"),
        Coverpoint("push", ("accepted", "full", "RUN is not 0")),
        Cross("pushes", ("operation", "push")),
        Coverpoint("answer", ("a GEMM's", "a GEMM's, host waits", "a GEMM's, host taken", "the host's"), "of LAPS"),
        Coverpoint("update", ("sent", "pending")),
        Coverpoint("run", ("accepted", "RUN is not 0")),
    ),
    "events and what the host causes",
)  # fmt: skip

GROUPS = (ACCESS, PORT, EVENT)


def _place(addr: int) -> int:
    found, window = REGS.at(addr), REGS.window_at(addr)
    if addr & 3 or not (found or window):
        return len(PLACES) - 1
    return PLACES.index(found[0].name if found else window[0].name)  # type: ignore[index]


def sample_epochs(epochs: Sequence[Any]) -> Coverage:
    """Coverage of the epochs of one run."""
    out = Coverage(GROUPS)
    codes = {code: at for at, code in enumerate(Resp)}
    for epoch in epochs:
        for one in epoch.order:
            if one.code < 0:
                continue
            kind, low = int(one.write), one.addr & 3
            out.sample("access", place=_place(one.addr), access=kind, code=codes[one.code])
            out.sample("access", access=kind, low_of=low)
            if one.write:
                out.sample("access", strobe=one.strobe, low=low)
                apart = one.data_accept - one.addr_accept
                first = 0 if apart > 0 else 1 if apart < 0 else 2
                out.sample("port", first=first, apart=int(PORT.points["apart"].index(abs(apart))))
            out.sample("port", wait=int(PORT.points["wait"].index(one.valid - one.complete)))
            if one.taken >= one.valid and one.taken < epoch.end:
                out.sample("port", kind=kind, hold=int(PORT.points["hold"].index(one.taken - one.valid)))
            out.sample("port", kind=kind, rival=one.rival)
            out.sample("port", kind=kind, blocked=int(one.blocked))
        for group, columns in epoch.registers.samples:
            out.sample(group, **columns)
    return out


def sample(run_info: RunInfo, board: Any) -> Coverage:
    """Samples a run that its scoreboard has judged; one that diverged counts nothing."""
    passed = board.verdict.first is None
    coverage = sample_epochs(board.epochs) if passed else Coverage(GROUPS)
    write_run(run_info, coverage, passed)
    return coverage


def functional_coverage(results: Sequence[Any], folder: Path = REPORTS / "regs") -> dict[str, Any]:
    """The hook of `Block`."""
    return functional("regs", GROUPS, results, folder)
