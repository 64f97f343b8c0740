"""Functional coverage of the processor as a whole: the bins (docs/top/README.md gives the terms) and how a run fills
them. Its parts have bins of their own.

Everything is sampled after the verdict, from what the scoreboard has put together of a run and found equal to the
models: commands as they were carried out, their codes, starts and ends, words and updates. Only what follows a run's
last reset is sampled, and what each reset met. `C` commands, `N` cycles.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.slices import values_per_beat
from models.ioss.config import LEGAL_REDUCE
from models.ioss.config import RspCode as CoreCode
from models.laps.config import RspCode as LapsCode
from models.optc.config import RspCode as OptcCode
from models.ran.config import RspCode as RanCode
from models.top.config import (
    CMD_BEATS,
    MASKS_A_WORD,
    OPT_LANES,
    PER_CORE,
    RAN_CODE,
    RECORDS,
    SLOTS,
    Buffer,
    Code,
    Command,
    Engine,
    Gemm,
    Load,
    Opt,
    Plan,
    Reg,
    Store,
)
from tb.lib.coverage import NO_BIN, Coverage, CoverGroup, Coverpoint, Cross, Ignore, functional, write_run
from tb.lib.paths import REPORTS
from tb.lib.runinfo import RunInfo
from tb.top.program import READ, WRITE
from tb.top.timing import CARRIED_OUT, REFUSED, Run, kept_passes

I64 = npt.NDArray[np.int64]
NO_YES = ("no", "yes")
ENGINES = tuple(engine.name.lower() for engine in Engine)
COMMANDS = ("LOAD", "GEMM", "OPT", "STORE", "PLAN", "UPDATE", "unknown")
KINDS = ("GEMM", "OPT", "PLAN", "UPDATE")  # what compute carries out
CODES = tuple(code.name for code in Code)
FORMATS = ("4", "8", "12", "16", "raw 32", "raw 64")
ROUNDS = ("nearest", "truncate", "stochastic")
SLICES = ("1", "2", "3", "4")
BUFFERS = tuple(buffer.name for buffer in Buffer)
STORES = (*BUFFERS, "records")
GIVES = {  # codes that a command can end with
    "LOAD": (Code.OK, Code.OPERATION, Code.SIZE, Code.RANGE, Code.FRAMING),
    "GEMM": (
        Code.OK,
        Code.OPERATION,
        Code.SIZE,
        Code.RANGE,
        Code.PLAN,
        Code.GEMM,
        Code.OPTC,
        Code.UPDATE,
        Code.WINDOW,
        Code.FEED,
    ),
    "OPT": (Code.OK, Code.OPERATION, Code.RANGE, Code.OPTC),
    "STORE": (Code.OK, Code.OPERATION, Code.SIZE, Code.RANGE),
    "PLAN": (Code.OK, Code.OPERATION, Code.PLAN),
    "UPDATE": (Code.OK, Code.OPERATION, Code.UPDATE),
    "unknown": (Code.OPERATION,),
}
# A GEMM's descriptors differ from a pair's: lanes follow from N, jobs are checked before (CmdSize), the IOSS core
# refuses what concerns both first.
PAIR_CODES = (
    *(f"IOSS {code.name}" for code in CoreCode if code not in (CoreCode.OK, CoreCode.JOBS, CoreCode.K_LEN)),
    *(f"RAN {code.name}" for code in (RanCode.BITS, RanCode.ROUND, RanCode.SHIFT, RanCode.RAW, RanCode.BOUND)),
)
OPTC_CODES = tuple(code.name for code in OptcCode if code not in (OptcCode.OK, OptcCode.BUSY, OptcCode.MODE))


NO_LOAD = Ignore(lambda *labels: "A" in labels, "a load of A is refused")
NO_STORE = Ignore(lambda *labels: bool({"X", "W", "M"} & set(labels)), "a store of X, W or M is refused")

ENDS = CoverGroup(
    "ends",
    (
        Coverpoint("command", COMMANDS, "as it ended"),
        Coverpoint("code", CODES),
        Cross("codes", ("command", "code"), ignore=(
            Ignore(lambda command, code: Code[code] not in GIVES[command], "no such code of this command (Errors)"),
        )),
        Coverpoint("engine", ENGINES),
        Coverpoint("outcome", ("well", "failed, carried out", "refused")),
        Coverpoint("next", ("well", "failed, carried out", "refused"), "the engine's command after it"),
        Cross("followed", ("engine", "outcome", "next")),
        Coverpoint("pair", PAIR_CODES, "code of the pair in `detail`"),
        Coverpoint("optc", OPTC_CODES, "code of the OPTC in `detail`"),
        Coverpoint("plan", ("slot", "LAYER", "LENGTH"), "CmdPlan: a GEMM's slot, or LAPS' code in `detail`"),
        Coverpoint("update", ("LAYER", "STATS"), "code of LAPS in `detail`, CmdUpdate"),
        Coverpoint("together", ("load compute", "load store", "compute store", "all"), "ends in one cycle"),
        Coverpoint(
            "failures", ("load compute", "load store", "compute store", "all"), "failures in one cycle: one is kept"
        ),
    ),
    "how commands ended",
)  # fmt: skip

PRODUCTS = CoverGroup(
    "products",
    (
        Coverpoint("x_slices", SLICES),
        Coverpoint("w_slices", SLICES),
        Cross("precisions", ("x_slices", "w_slices")),
        Coverpoint("format", FORMATS, "of the results"),
        Coverpoint("rounding", ROUNDS),
        Cross("rounding_by_format", ("format", "rounding"), ignore=(
            Ignore(lambda bits, _: bits.startswith("raw"), "raw results are not rounded"),
        )),
        Coverpoint("factor", tuple(map(str, LEGAL_REDUCE)), "reduce factor"),
        Cross("factor_by_format", ("factor", "format")),
        Coverpoint("chunks", ("1", "2", "3 or more"), "of K"),
        Cross("factor_by_chunks", ("factor", "chunks")),
        Coverpoint("last_chunk", ("whole", "shorter"), "against Depth * reduce factor"),
        Cross("last_chunks", ("chunks", "last_chunk")),
        Coverpoint("last_tile", ("fills the lanes", "does not")),
        Coverpoint.ranges("jobs", "M; a word holds masks of eight", 1, 2, MASKS_A_WORD, MASKS_A_WORD + 1),
        Coverpoint("biases", NO_YES),
        Coverpoint("masks", NO_YES),
        Coverpoint("write_masks", NO_YES),
        Coverpoint("update", NO_YES, "LAPS gets the statistics"),
        Coverpoint("planned", NO_YES),
        Coverpoint("relu", NO_YES),
        Coverpoint("y_sign", ("signed", "unsigned")),
        Coverpoint("signs", ("both signed", "X unsigned", "W unsigned", "both unsigned")),
        Coverpoint("order", ("0", "from 1", "from 1, compensated"), "least order"),
        Cross("biases_by_chunks", ("biases", "chunks")),
        Cross("masks_by_chunks", ("masks", "chunks")),
        Cross("masks_by_jobs", ("masks", "jobs")),
        Cross("write_masks_by_format", ("write_masks", "format")),
        Cross("update_by_chunks", ("update", "chunks")),
        Cross("update_by_planned", ("update", "planned")),
        Cross("planned_by_chunks", ("planned", "chunks")),
        Coverpoint("narrow", NO_YES, "results of eight lanes"),
        Cross("narrow_by_format", ("narrow", "format")),
        Coverpoint("feeds", NO_YES, "an optimiser pass"),
        Cross("feeds_by_chunks", ("feeds", "chunks")),
        Cross("feeds_by_last", ("feeds", "last_tile")),
        Cross("feeds_by_biases", ("feeds", "biases")),
        Cross("feeds_by_masks", ("feeds", "masks")),
        Cross("feeds_by_factor", ("feeds", "factor")),
        Coverpoint("tiles", ("0", "1", "2", "3 or more"), "of a core"),
        Cross("tiles_by_chunks", ("tiles", "chunks")),
        Cross("tiles_by_biases", ("tiles", "biases")),
        Cross("tiles_by_last", ("tiles", "last_tile"), "a core without tiles: of the others"),
    ),
    "GEMM as carried out",
)  # fmt: skip

WINDOWS = CoverGroup(
    "windows",
    (
        Coverpoint("of", ("vectors", "tiles", "both"), "what is made of images"),
        Coverpoint("slices", SLICES, "of a value"),
        Coverpoint("kernel_rows", ("1", "2", "3", "4 or more")),
        Coverpoint("kernel_columns", ("1", "2", "3", "4 or more")),
        Coverpoint("padding", ("none", "rows", "columns", "both")),
        Coverpoint("stride", ("1", "2", "3 or more")),
        Coverpoint("images", ("1", "2 or more")),
        Coverpoint("words", ("all", "not all"), "of the images that windows would need"),
        Coverpoint("length", ("whole", "less", "more"), "K, or N, against values of a window"),
        Coverpoint("chunks", ("1", "2 or more"), "of K"),
        Coverpoint("factor", tuple(map(str, LEGAL_REDUCE)), "reduce factor"),
        Coverpoint("tiles", ("1", "2 or more"), "of core 0, each a pass"),
        Coverpoint("masks", NO_YES),
        Coverpoint("biases", NO_YES),
        Cross("of_by_slices", ("of", "slices")),
        Cross("of_by_padding", ("of", "padding")),
        Cross("of_by_stride", ("of", "stride")),
        Cross("of_by_tiles", ("of", "tiles")),
        Cross("of_by_words", ("of", "words")),
    ),
    "GEMM with windows as carried out",
)

SEQUENCE = CoverGroup(
    "sequence",
    (
        Coverpoint("x_from", SLICES),
        Coverpoint("x_to", SLICES),
        Cross("x_slices", ("x_from", "x_to"), "slices of X, consecutive products"),
        Coverpoint("w_from", SLICES),
        Coverpoint("w_to", SLICES),
        Cross("w_slices", ("w_from", "w_to")),
        Coverpoint("format_from", FORMATS),
        Coverpoint("format_to", FORMATS),
        Cross("formats", ("format_from", "format_to")),
        Coverpoint("before", (*KINDS, "refused")),
        Coverpoint("behind", (*KINDS, "refused")),
        Cross("compute", ("before", "behind"), "what compute does one after the other"),
    ),
    "what follows what on compute",
)

PASSES = CoverGroup(
    "passes",
    (
        Coverpoint("mode", ("momentum", "ADAM")),
        Coverpoint("copy", FORMATS[:4], "bits of the copies"),
        Coverpoint("rounding", ROUNDS),
        Cross("copy_by_mode", ("mode", "copy")),
        Cross("copy_by_rounding", ("copy", "rounding")),
        Coverpoint("remainder", ("0", "1", "2", "3"), "parameters modulo those of a word"),
        Coverpoint("last_word", ("whole", "in part"), "of copies"),
        Cross("ends", ("remainder", "last_word")),
        Cross("last_by_copy", ("copy", "last_word")),
        Coverpoint.ranges("words", "of each buffer", 1, 2, 10, 49),
        Coverpoint("mode_from", ("momentum", "ADAM")),
        Coverpoint("mode_to", ("momentum", "ADAM")),
        Cross("modes", ("mode_from", "mode_to"), "consecutive passes"),
        Coverpoint("gradients", ("in Y", "fed"), "where they come from"),
        Cross("gradients_by_mode", ("gradients", "mode")),
        Cross("gradients_by_copy", ("gradients", "copy")),
        Cross("gradients_by_rounding", ("gradients", "rounding"), ignore=(
            Ignore(lambda of, rounding: of == "fed" and rounding == "stochastic", "refused: jobs end in any order"),
        )),
        Coverpoint("kept", ("just before", "with commands between", "fed before"), "the pass that a product feeds"),
        Coverpoint("windows", ("none", "vectors", "tiles"), "of the product that feeds"),
        Coverpoint("ends_at", ("inside", "state past its end", "copies past Y's"), "of a pass that is fed"),
    ),
    "OPT as carried out, by themselves or fed by a product",
)  # fmt: skip

PLANS = CoverGroup(
    "plans",
    (
        Coverpoint("slot", ("first", "between", "last")),
        Coverpoint("held", ("nothing", "another plan"), "what the slot held"),
        Cross("slots", ("slot", "held")),
        *(Coverpoint(name, SLICES, "answered") for name in ("n_x", "n_w", "n_y")),
        Coverpoint("order", ("0", "1", "2", "3"), "answered"),
        Coverpoint("shift", ("below 0", "0 to 63", "from 64"), "answered"),
        Coverpoint("finds", ("nothing", "shift outside", "a plan"), "what a planned GEMM finds in its slot"),
        Coverpoint("raw", NO_YES, "it gives raw results"),
        Cross("found", ("finds", "raw")),
        Coverpoint.ranges("uses", "GEMMs by one plan", 0, 1, 2),
    ),
    "PLAN and its use",
)

TRANSFERS = CoverGroup(
    "transfers",
    (
        Coverpoint("load", BUFFERS, "buffer", ignore=(NO_LOAD,)),
        Coverpoint(
            "store", STORES, "buffer", ignore=(NO_STORE,)
        ),
        Coverpoint.ranges("words", "of the command", 1, 2, 16, 256),
        Cross("load_words", ("load", "words"), ignore=(NO_LOAD,)),
        Cross(
            "store_words", ("store", "words"),
            ignore=(NO_STORE,),
        ),
        Coverpoint("last", ("right", "early", "late"), "TLAST of a load"),
        Cross("load_last", ("load", "last"), ignore=(NO_LOAD,)),
        Coverpoint("place", ("inside", "crosses the end", "past the end")),
        Cross("load_place", ("load", "place"), ignore=(NO_LOAD,)),
        Cross(
            "store_place", ("store", "place"),
            ignore=(NO_STORE,),
        ),
        Coverpoint("cores", ("the first", "another", "several"), "that take a load of W or M"),
        Coverpoint("own", ("W", "M")),
        Cross("broadcast", ("own", "cores")),
        Coverpoint("absent", NO_YES, "a load names cores that are not there"),
    ),
    "loads and stores as carried out",
)  # fmt: skip

CAUSES = ("pushed", "engine", "load", "compute", "store", "several")
WAITS = CoverGroup(
    "waits",
    (
        Coverpoint("engine", ENGINES),
        Coverpoint("cause", CAUSES, "what a command's start waited for last: its push, its engine, done counters"),
        Cross("causes", ("engine", "cause"), ignore=(
            Ignore(lambda engine, cause: engine == cause, "an engine is idle when its own counter has moved"),
        )),
        Coverpoint.ranges("wait", "cycles from the push", 0, 1, 10, 1000),
        Cross("wait_by_engine", ("engine", "wait")),
        Coverpoint("counter", ("below 128", "from 128", "wrapped"), "the engine's commands before this one"),
        Cross("counters", ("engine", "counter")),
        Coverpoint("distance", ("0", "1 to 63", "64 to 127"), "done counter less what is waited for, at the start"),
        Coverpoint("of", ENGINES, "the done counter's engine"),
        Cross("distances", ("engine", "of", "distance")),
        Coverpoint("queue", ("1", "2", "3", "4"), "commands in the engine's queue after a push"),
        Cross("queues", ("engine", "queue")),
    ),
    "waits and queues",
)  # fmt: skip

BUSY = ("none", "load", "compute", "load compute", "store", "load store", "compute store", "all")
PORTS = {
    ("load", "results"): 0, ("load", "copies"): 1, ("load", "state"): 2,
    ("store", "partial sums"): 3, ("store", "gradients"): 4, ("store", "state"): 5,
}  # fmt: skip
OVERLAPS = CoverGroup(
    "overlaps",
    (
        Coverpoint("busy", BUSY, "engines that carry something out, by cycle"),
        Coverpoint("starts", ("load compute", "load store", "compute store", "all"), "in one cycle"),
        Coverpoint("compute", KINDS),
        Coverpoint("load", (*BUFFERS, "none"), "a load at the same time", ignore=(NO_LOAD,)),
        Coverpoint("store", (*STORES, "none"), "a store at the same time", ignore=(NO_STORE,)),
        Cross("with_load", ("compute", "load"), ignore=(NO_LOAD,)),
        Cross("with_store", ("compute", "store"), ignore=(NO_STORE,)),
        Coverpoint(
            "port", tuple(f"{engine} and {what}" for engine, what in PORTS), "of whom a port made one wait for compute"
        ),
        Coverpoint.ranges("lost", "cycles in a row", 1, 2),
        Cross("ports", ("port", "lost")),
        Coverpoint("cores", ("results", "partial sums"), "a core that waits for one before it"),
        Coverpoint("unused", ("load", "store"), "of Sv, a word in a cycle in which a momentum pass has Sw's port"),
    ),
    "engines at the same time, and ports that two of them want",
)  # fmt: skip

FROM = ("Y", "A", "state", "records")
STREAMS = CoverGroup(
    "streams",
    (
        Coverpoint("in_cause", ("none", "no load", "port"), "why a word of the stream in waits"),
        Coverpoint.ranges("gap", "idle cycles between words of a load", 0, 1, 2),
        Coverpoint.ranges("out_wait", "cycles that a word of the stream out waits", 0, 1, 2, 10),
        Coverpoint("from_", FROM, "where it comes from"),
        Cross("out_waits", ("from_", "out_wait")),
        Coverpoint("compute", ("idle", *KINDS), "what compute does when a word has waited"),
        Coverpoint("last", NO_YES, "TLAST"),
        Cross("last_waits", ("last", "out_wait")),
    ),
    "streams in and out",
)

COMMAND_CAUSES = ("none", "run", "load", "queue")
RUNS = CoverGroup(
    "runs",
    (
        Coverpoint("engine", ENGINES, "of a command from the stream in"),
        Coverpoint("cause", COMMAND_CAUSES, "what its words waited for: RUN, a load, room in a queue"),
        Cross("causes", ("engine", "cause"), ignore=(
            Ignore(lambda engine, cause: (engine, cause) == ("load", "queue"), "there is room where no load is"),
        )),
        Coverpoint.ranges("gap", "idle cycles between words of a command", 0, 1, 2),
        Coverpoint.ranges("commands", "of a write of RUN", 1, 2, 16),
        Coverpoint("identifiers", ("count", "wrap"), "of these commands"),
        Coverpoint("from_", ("PUSH", "stream in"), "where a command came from"),
        Coverpoint("next", ("PUSH", "stream in"), "and the one after it"),
        Cross("sources", ("from_", "next")),
    ),
    "commands from the stream in",
)  # fmt: skip

MEETS = ("alone", "in the same cycle", "compute's waits for the host's", "the host's waits for compute's")
UPDATES = CoverGroup(
    "updates",
    (
        Coverpoint("by", ("host", "compute"), "registers, or a GEMM or an UPDATE"),
        Coverpoint("code", ("OK", "LAYER", "STATS"), "LAPS' answer"),
        Cross("answers", ("by", "code")),
        Coverpoint("meets", MEETS, "a host's update and one of compute"),
        Coverpoint("compute", ("idle", "GEMM", "UPDATE"), "at a host's update"),
    ),
    "updates of LAPS",
)  # fmt: skip

INTERRUPTS = CoverGroup(
    "interrupts",
    (
        Coverpoint("cause", ("load", "compute", "store", "failure"), "bit of IRQ_STATUS"),
        Coverpoint("read", ("0", "1"), "as the host reads it"),
        Cross("reads", ("cause", "read")),
        Coverpoint("write", ("kept", "cleared"), "by the host"),
        Cross("writes", ("cause", "write")),
        Coverpoint("enable", ("off", "on"), "as the host writes it"),
        Cross("enables", ("cause", "enable")),
        Coverpoint("errors", ("0", "1", "2 or more"), "failures that ERROR has counted, as the host reads it"),
    ),
    "interrupts and failures",
)

RESET = CoverGroup(
    "reset",
    (
        Coverpoint("busy", BUSY, "engines that a reset cuts off"),
        Coverpoint("command", COMMANDS[:4], "that it cuts off"),
        Coverpoint("queued", NO_YES, "commands wait"),
        Coverpoint("chunk", ("first", "later"), "of the product that it cuts off"),
        Coverpoint("run", ("0", "between commands", "within a command"), "RUN, and where the stream in is cut off"),
    ),
    "resets",
)

GROUPS = (
    ENDS, PRODUCTS, WINDOWS, SEQUENCE, PASSES, PLANS, TRANSFERS, WAITS, OVERLAPS, STREAMS, RUNS, UPDATES, INTERRUPTS,
    RESET,
)  # fmt: skip


# ---- what is made of a run -------------------------------------------------------------------------------------------
def _kind(command: Command) -> int:
    """Bin of `COMMANDS`."""
    name = type(command).__name__
    return COMMANDS.index("unknown" if name == "Unknown" else name.upper())


def _outcome(code: int) -> int:
    return 0 if code == Code.OK else 1 if code in (Code.RANGE, Code.UPDATE, Code.FRAMING) else 2


def _together(cycles: Sequence[I64]) -> list[int]:
    """Bins of cycles that several engines share: load compute, load store, compute store, all."""
    sets: dict[int, int] = {}
    for at, each in enumerate(cycles):
        for cycle in each.tolist():
            sets[cycle] = sets.get(cycle, 0) | 1 << at
    return [(3, 5, 6, 7).index(bits) for bits in sets.values() if bits in (3, 5, 6, 7)]


class Sampler:
    """Fills the bins from one run: what a scoreboard has judged after the last reset."""

    def __init__(self, out: Coverage, run: Run, issued: list[list[Command]], details: list[list[int]]) -> None:
        self.out, self.run, self.issued, self.details = out, run, issued, details
        self.busy = np.zeros((3, run.end + 1), bool)
        for engine in Engine:
            for begun, done in itertools.zip_longest(run.begun[engine].tolist(), run.done[engine].tolist()):
                self.busy[engine, begun : run.end if done is None else done + 1] = True

    def _add(self, group: str, /, **labels: Any) -> None:
        self.out.sample(group, **labels)

    def _bin(self, group: str, point: str, value: Any) -> Any:
        return self.out.groups[group].points[point].index(value)

    def ended(self, engine: Engine) -> Iterator[tuple[int, Command, Command, int, int, int]]:
        """Of every command that ended: number, as issued, as carried out, code, start, end."""
        run = self.run
        whole = zip(
            self.issued[engine], run.commands[engine], run.codes[engine], run.begun[engine].tolist(),
            run.done[engine].tolist(), strict=False,
        )  # fmt: skip
        for at, (issued, carried, code, begun, done) in enumerate(whole):
            yield at, issued, carried, code, begun, done

    def sample(self) -> None:
        """Everything but resets, updates, interrupts."""
        for engine in Engine:
            self._ends(engine)
        self.out.sample("ends", together=_together(self.run.done))
        failed = [np.array([done for *_, code, _, done in self.ended(engine) if code], np.int64) for engine in Engine]
        self.out.sample("ends", failures=_together(failed))
        self._products()
        self._sequence()
        self._passes()
        self._transfers()
        self._waits()
        self._overlaps()
        self._streams()
        self._runs()

    # ---- commands ----------------------------------------------------------------------------------------------------
    def _ends(self, engine: Engine) -> None:
        outcomes = []
        for at, issued, _, code, _, _ in self.ended(engine):
            detail = self.details[engine][at]
            outcomes.append(_outcome(code))
            self._add("ends", command=_kind(issued), code=code, engine=engine)
            if code == Code.GEMM:
                ran = detail >= RAN_CODE
                name = f"RAN {RanCode(detail - RAN_CODE).name}" if ran else f"IOSS {CoreCode(detail).name}"
                self._add("ends", pair=PAIR_CODES.index(name))
            elif code == Code.OPTC:
                self._add("ends", optc=OPTC_CODES.index(OptcCode(detail).name))
            elif code == Code.PLAN:
                names = ("slot", "LAYER", "LENGTH")
                self._add("ends", plan=names.index("slot" if isinstance(issued, Gemm) else LapsCode(detail).name))
            elif code == Code.UPDATE:
                self._add("ends", update=("LAYER", "STATS").index(LapsCode(detail).name))
        for first, second in itertools.pairwise(outcomes):
            self._add("ends", engine=engine, outcome=first, next=second)

    def _products(self) -> None:
        params = self.run.params
        for _, issued, command, code, _, _ in self.ended(Engine.COMPUTE):
            if not isinstance(command, Gemm) or code not in CARRIED_OUT:
                continue
            assert isinstance(issued, Gemm)
            chunks = command.chunks(params)
            last_tile = command.lanes_of(command.tiles - 1)
            fixed = {
                "x_slices": command.n_x - 1,
                "w_slices": command.n_w - 1,
                "format": command.y_bits,
                "rounding": NO_BIN if command.raw else command.round,
                "factor": LEGAL_REDUCE.index(command.reduce_factor),
                "chunks": min(len(chunks), 3) - 1,
                "last_chunk": int((chunks[-1][1] - chunks[-1][0]) % (command.reduce_factor * params.depth) > 0),
                "last_tile": int(last_tile < params.lanes),
                "jobs": self._bin("products", "jobs", command.m),
                **{
                    name: int(getattr(command, name))
                    for name in ("biases", "masks", "write_masks", "update", "relu", "narrow", "feeds")
                },
                "planned": int(issued.planned),
                "y_sign": NO_BIN if command.raw else int(command.y_unsigned),
                "signs": int(command.x_unsigned) + 2 * int(command.w_unsigned),
                "order": 0 if command.min_order == 0 else 1 + int(command.compensate),
            }
            self._add("products", **fixed)
            if command.x_windows or command.w_windows:
                self._windows(command)
            crossed = {name: fixed[name] for name in ("chunks", "biases", "last_tile")}
            for core in range(params.cores):
                tiles = min(len(command.tiles_of(core, params.cores)), 3)
                self._cores(tiles, crossed)

    def _windows(self, command: Gemm) -> None:
        windows, params = command.windows, self.run.params
        jobs = command.m if command.x_windows else command.k
        images = int(windows.begins(np.array([jobs - 1]))[0][0]) + 1
        n, taken = (command.n_x, command.k) if command.x_windows else (command.n_w, command.n)
        needed = -(-images * windows.image // values_per_beat(n))
        self._add(
            "windows", of=2 if command.x_windows and command.w_windows else int(command.w_windows), slices=n - 1,
            kernel_rows=min(windows.kernel_rows, 4) - 1, kernel_columns=min(windows.kernel_columns, 4) - 1,
            padding=(windows.pad_rows > 0) + 2 * (windows.pad_columns > 0), stride=min(windows.stride, 3) - 1,
            images=int(images > 1), words=int(command.image_words < needed),
            length=0 if taken == windows.length else 1 if taken < windows.length else 2,
            chunks=int(len(command.chunks(params)) > 1), factor=LEGAL_REDUCE.index(command.reduce_factor),
            tiles=int(len(command.tiles_of(0, params.cores)) > 1), masks=int(command.masks),
            biases=int(command.biases),
        )  # fmt: skip

    def _cores(self, tiles: int, crossed: dict[str, int]) -> None:
        """A core's tiles; crosses of other points alone were counted with the product."""
        counts = self.out.counts["products"]
        before = {name: counts[name].copy() for name in counts}
        self._add("products", tiles=tiles, **crossed)
        for name, old in before.items():
            if not name.startswith("tiles"):
                counts[name][:] = old

    def _sequence(self) -> None:
        kinds = []
        products = []
        for _, _, command, code, _, _ in self.ended(Engine.COMPUTE):
            well = code in CARRIED_OUT
            kinds.append(KINDS.index(type(command).__name__.upper()) if well else len(KINDS))
            if isinstance(command, Gemm) and well:
                products.append(command)
        for first, second in itertools.pairwise(kinds):
            self._add("sequence", before=first, behind=second)
        for one, two in itertools.pairwise(products):
            self._add(
                "sequence", x_from=one.n_x - 1, x_to=two.n_x - 1, w_from=one.n_w - 1, w_to=two.n_w - 1,
                format_from=one.y_bits, format_to=two.y_bits,
            )  # fmt: skip

    def _passes(self) -> None:
        modes = []
        ended = list(self.ended(Engine.COMPUTE))
        kept = kept_passes([each[2] for each in ended], [each[3] for each in ended])
        before, since = None, 0  # the pass that was fed last; commands since one was kept
        for (_, _, command, code, _, _), of in zip(ended, kept, strict=True):
            feeds = isinstance(command, Gemm) and command.feeds and code in CARRIED_OUT
            since += 1
            if isinstance(command, Opt) and command.fed:
                before, since = None, 0
            elif isinstance(command, Opt) and code in CARRIED_OUT:
                modes.append(self._pass(command, fed=False))
            elif feeds and isinstance(command, Gemm) and of:
                modes.append(self._pass(of, fed=True))
                windows = 2 if command.w_windows else int(command.x_windows)
                self._add("passes", kept=2 if before is of else int(since > 1), windows=windows)
                before = of
        for first, second in itertools.pairwise(modes):
            self._add("passes", mode_from=first, mode_to=second)

    def _pass(self, command: Opt, fed: bool) -> int:
        """A pass that was carried out; its mode."""
        config, params = command.config, self.run.params
        words = -(-config.n // OPT_LANES)
        a_word = values_per_beat(config.copy_format + 1) // OPT_LANES
        self._add(
            "passes", mode=int(config.mode), copy=config.copy_format, rounding=config.copy_round, gradients=int(fed),
            remainder=config.n % OPT_LANES, last_word=int(words % a_word > 0),
            words=self._bin("passes", "words", words),
        )  # fmt: skip
        if fed:
            far = command.state + words > params.s_words, command.copies + command.copy_words > params.y_words
            self._add("passes", ends_at=far.index(True) + 1 if any(far) else 0)
        return int(config.mode)

    def plans(self, answers: npt.NDArray[np.void]) -> None:
        """PLANs and their use; `answers` of LAPS to queries, in order."""
        slots: dict[int, tuple[int, int]] = {}  # shift, uses
        uses = []
        said = iter(answers)
        for _, issued, _, code, _, _ in self.ended(Engine.COMPUTE):
            if isinstance(issued, Plan) and code != Code.OPERATION:
                answer = next(said)
                if code != Code.OK:
                    continue
                held = issued.slot in slots
                if held:
                    uses.append(slots[issued.slot][1])
                shift = int(answer["shift"])
                slots[issued.slot] = shift, 0
                self._add(
                    "plans", slot=0 if issued.slot == 0 else 2 if issued.slot == SLOTS - 1 else 1, held=int(held),
                    order=int(answer["order"]), shift=0 if shift < 0 else 1 if shift < 64 else 2,
                    **{f"n_{name}": int(n) - 1 for name, n in zip("xwy", answer["n"], strict=True)},
                )  # fmt: skip
            elif isinstance(issued, Gemm) and issued.planned and code not in REFUSED:
                shift, used = slots.get(issued.slot, (None, 0))
                finds = 0 if shift is None else 2 if 0 <= shift <= 63 else 1
                self._add("plans", finds=finds, raw=int(issued.raw))
                if shift is not None:
                    slots[issued.slot] = shift, used + 1
        uses += [used for _, used in slots.values()]
        self.out.sample("plans", uses=self._bin("plans", "uses", uses))

    # ---- loads and stores --------------------------------------------------------------------------------------------
    def _place(self, command: Load | Store) -> int:
        size = self.run.params.words_of(command.target)
        return 2 if command.first >= size else 1 if command.first + command.count > size else 0

    def _transfers(self) -> None:
        run = self.run
        streams = self._streams_of_loads()
        for at, command, _, code, _, _ in self.ended(Engine.LOAD):
            if code in REFUSED:
                continue
            assert isinstance(command, Load)
            given = streams[at]
            self._add(
                "transfers", load=command.target, words=self._bin("transfers", "words", command.count),
                last=0 if given == command.count else 1 if given < command.count else 2, place=self._place(command),
            )  # fmt: skip
            if command.target in PER_CORE:
                taken = command.cores & (1 << run.params.cores) - 1
                cores = 2 if taken.bit_count() > 1 else 0 if taken == 1 else 1
                absent = int(command.cores > taken)
                self._add("transfers", own=command.target - Buffer.W, cores=cores, absent=absent)
        for _, command, _, code, _, _ in self.ended(Engine.STORE):
            if code in REFUSED:
                continue
            assert isinstance(command, Store)
            words = self._bin("transfers", "words", command.count)
            self.out.sample("transfers", store=command.target, words=words, place=self._place(command))

    def _streams_of_loads(self) -> list[int]:
        """Words that the host gave every load."""
        loads = [each for each in self.run.issues if each.command.engine == Engine.LOAD]
        return [0 if each.stream is None else np.asarray(each.stream).size // 16 for each in loads]

    # ---- waits -------------------------------------------------------------------------------------------------------
    def _waits(self) -> None:
        run = self.run
        number = [0, 0, 0]
        pushed: list[list[int]] = [[], [], []]
        for issue, push in zip(run.issues, run.sources.pushed, strict=False):
            pushed[issue.command.engine].append(push)
            engine, command = issue.command.engine, issue.command
            at = number[engine]
            number[engine] += 1
            started = run.begun[engine]
            queue = at + 1 - int(np.searchsorted(started, push))  # started before this cycle
            self._add("waits", engine=engine, queue=min(queue, 4) - 1)
            if at >= len(started):
                continue
            start = int(started[at])
            counts = [int(np.searchsorted(done, start)) for done in run.done]
            moved = [
                of for of in Engine
                if of != engine and counts[of] and run.done[of][counts[of] - 1] == start - 1
                and counts[of] % 256 == command.waits[of]
            ]  # fmt: skip
            cause = 0 if start == push else 2 + moved[0] if len(moved) == 1 else 5 if moved else 1
            self._add("waits", engine=engine, cause=cause, wait=self._bin("waits", "wait", start - push))
            self._add("waits", engine=engine, counter=0 if at < 128 else 1 if at < 256 else 2)
            for of in Engine:
                distance = (counts[of] - command.waits[of]) % 256
                self._add("waits", engine=engine, of=of, distance=0 if distance == 0 else 1 if distance < 64 else 2)

    # ---- engines at the same time ------------------------------------------------------------------------------------
    def _overlaps(self) -> None:
        run, busy = self.run, self.busy
        combination = np.bincount(busy[0] + 2 * busy[1] + 4 * busy[2], minlength=8)
        self.out.sample("overlaps", combination, busy=np.arange(8))
        self.out.sample("overlaps", starts=_together(run.begun))
        others = {
            engine: [
                (begun, done, int(command.target))
                for _, command, _, code, begun, done in self.ended(engine)
                if code not in REFUSED
            ]
            for engine in (Engine.LOAD, Engine.STORE)
        }
        for _, _, command, code, begun, done in self.ended(Engine.COMPUTE):
            if code not in CARRIED_OUT:
                continue
            kind = KINDS.index(type(command).__name__.upper())
            for engine, point in ((Engine.LOAD, "load"), (Engine.STORE, "store")):
                mine = {target for first, last, target in others[engine] if first <= done and last >= begun}
                bins = sorted(mine) or [len(BUFFERS if engine == Engine.LOAD else STORES)]
                self.out.sample("overlaps", compute=kind, **{point: bins})
        for what, cycle, lost in run.lost:
            if what in ("core results", "core partial sums"):
                self._add("overlaps", cores=int(what == "core partial sums"))
                continue
            engine, port = what.split()
            kind = self._compute_at(cycle)
            if port == "Y":
                names = ("results", "copies") if engine == "load" else ("partial sums", "gradients")
                port = names[int(kind == KINDS.index("OPT"))]
            self._add("overlaps", port=PORTS[engine, port], lost=self._bin("overlaps", "lost", lost))

        for engine in sorted(run.beside):
            self._add("overlaps", unused=("load", "store").index(engine))

    def _compute_at(self, cycle: int) -> int:
        """Bin of `KINDS` of what compute does in a cycle; `NO_BIN` if nothing or a refused command."""
        at = int(np.searchsorted(self.run.begun[Engine.COMPUTE], cycle, "right")) - 1
        if at < 0 or not self.busy[Engine.COMPUTE, cycle]:
            return NO_BIN
        name = type(self.run.commands[Engine.COMPUTE][at]).__name__.upper()
        return KINDS.index(name) if name in KINDS else NO_BIN

    # ---- streams -----------------------------------------------------------------------------------------------------
    def _streams(self) -> None:
        run = self.run
        at = 0
        for given, (_, _, _, code, begun, _) in zip(self._streams_of_loads(), self.ended(Engine.LOAD), strict=False):
            if code in REFUSED or not given:
                continue
            offer, accept = (each[at : at + given] for each in (run.sources.data.offer, run.sources.data.accept))
            at += given
            port = accept > np.maximum(offer, begun + 1)
            port[1:] &= accept[1:] > accept[:-1] + 1
            cause = np.where(port, 2, np.where(offer <= begun, 1, 0))
            gap = np.concatenate([[NO_BIN], self._bin("streams", "gap", offer[1:] - accept[:-1] - 1)])
            self.out.sample("streams", in_cause=cause)
            self.out.sample("streams", gap=gap)
        at = 0
        for _, command, _, code, _, _ in self.ended(Engine.STORE):
            if code in REFUSED:
                continue
            assert isinstance(command, Store)
            offer, accept = (each[at : at + command.count] for each in (run.m.offer, run.m.accept))
            at += command.count
            wait = accept - offer
            self.out.sample(
                "streams", out_wait=self._bin("streams", "out_wait", wait),
                from_=FROM.index(self._from(command)),
                last=np.arange(len(wait)) == command.count - 1,
            )  # fmt: skip
            held = offer[wait > 0]
            doing = [self._compute_at(int(cycle)) + 1 for cycle in held]
            self.out.sample("streams", compute=doing)

    @staticmethod
    def _from(command: Store) -> str:
        """Label of `FROM`."""
        names = {Buffer.Y: "Y", Buffer.A: "A", RECORDS: "records"}
        return names.get(command.target, "state")

    def _runs(self) -> None:
        run, sources = self.run, self.run.sources
        for engine, cause in run.held:
            self._add("runs", engine=engine, cause=COMMAND_CAUSES.index(cause))
        offer, accept = sources.words.offer, sources.words.accept
        inside = np.arange(1, len(offer)) % CMD_BEATS > 0
        self.out.sample("runs", gap=self._bin("runs", "gap", (offer[1:] - accept[:-1] - 1)[inside]))
        for first, second in itertools.pairwise(sources.streamed[: len(sources.pushed)]):
            self._add("runs", from_=int(first), next=int(second))
        ids = iter([issue.id for issue, streamed in zip(run.issues, sources.streamed, strict=True) if streamed])
        for _, of in itertools.groupby(sources.runs):
            mine = [next(ids) for _ in of]
            wraps = int(mine[-1] < mine[0])
            self._add("runs", commands=self._bin("runs", "commands", len(mine)), identifiers=wraps)

    # ---- LAPS, registers ---------------------------------------------------------------------------------------------
    def updates(self, answers: npt.NDArray[np.void]) -> None:
        """Updates of LAPS, the host's in the order of their pushes; `answers` in order."""
        run, log = self.run, self.run.laps.streams["upd"]
        accept, told = log.accept[log.accept >= 0], dict(zip(run.told_offer, run.told, strict=True))
        spans = []  # pending from, taken, answered, compute's
        pushed = iter(run.host_updates)
        for offer, taken, answer in zip(log.offer.tolist(), accept.tolist(), answers, strict=False):
            own = offer in told
            self._add("updates", by=int(own), code=("OK", "LAYER", "STATS").index(LapsCode(int(answer["code"])).name))
            spans.append((told[offer] if own else next(pushed), taken, int(answer["cycle"]), own))
        for at, (since, taken, answered, own) in enumerate(spans):
            near = [each for each in spans[max(0, at - 2) : at + 3] if each[3] != own]
            if own:
                continue
            meets = 0
            for first, other, said, _ in near:
                if since == first:
                    meets = 1
                elif taken < first <= answered:
                    meets = 2
                elif other < since <= said:
                    meets = 3
            kind, bins = self._compute_at(since), ("idle", "GEMM", "UPDATE")
            doing = "idle" if kind == NO_BIN else KINDS[kind]
            self._add("updates", meets=meets, compute=bins.index(doing) if doing in bins else 0)

    def interrupts(self, axil: npt.NDArray[np.void]) -> None:
        """The host's accesses of IRQ_STATUS, IRQ_ENABLE and ERROR."""
        op, address, data = axil["op"] >> 16, axil["address"], axil["data"]
        for point, kind, register in (
            ("read", READ, Reg.IRQ_STATUS), ("write", WRITE, Reg.IRQ_STATUS), ("enable", WRITE, Reg.IRQ_ENABLE),
        ):  # fmt: skip
            words = data[(op == kind) & (address == register)]
            for cause in range(4):
                self.out.sample("interrupts", cause=cause, **{point: words >> cause & 1})
        errors = data[(op == READ) & (address == Reg.ERROR)] >> 24
        self.out.sample("interrupts", errors=np.minimum(errors, 2))


def sample_resets(out: Coverage, board: Any) -> None:
    """What the resets between a run's spans met."""
    for batch, ((base, end), actions) in enumerate(zip(board.spans[:-1], board.batches[:-1], strict=True)):
        issued: list[list[Command]] = [[], [], []]
        for each in actions:
            if hasattr(each, "command"):
                issued[each.command.engine].append(each.command)
        busy = queued = 0
        starts, ends = (board.between(name, base, end) for name in ("top_start", "top_cmd"))
        sources = board.sources(batch, base, end)
        taken = int((sources.words.accept >= 0).sum())
        left = len(sources.runs) - taken // CMD_BEATS
        out.sample("reset", run=0 if left == 0 else 1 if taken % CMD_BEATS == 0 else 2)
        for engine in Engine:
            begun = starts["cycle"][starts["head"] >> 24 == engine]
            if len(begun) == (ends["head"] >> 24 == engine).sum():
                continue
            busy |= 1 << engine
            command = issued[engine][len(begun) - 1]
            out.sample("reset", command=_kind(command))
            if isinstance(command, Gemm):
                accept = board.seen["core0_desc"].log.accept
                given = int(((accept >= begun[-1]) & (accept < end)).sum())
                later = given > len(command.tiles_of(0, board.params.cores))
                out.sample("reset", chunk=int(later))
        queued = len(sources.pushed) > len(starts)
        out.sample("reset", busy=busy, queued=int(queued))


def sample_board(board: Any) -> Coverage:
    """Coverage of a run that its scoreboard has judged."""
    out = Coverage(GROUPS)
    sampler = Sampler(out, board.run, board.issued, board.details)
    sampler.sample()
    base, end = board.spans[-1]
    sampler.plans(board.between("laps_ord_rsp_trace", base, end))
    sampler.updates(board.between("laps_upd_rsp_trace", base, end))
    sampler.interrupts(board.between("top_axil", base, end))
    sample_resets(out, board)
    return out


def sample(run_info: RunInfo, board: Any) -> Coverage:
    """Samples a run; one that diverged counts nothing."""
    passed = board.verdict.first is None
    coverage = sample_board(board) if passed else Coverage(GROUPS)
    write_run(run_info, coverage, passed)
    return coverage


def functional_coverage(results: Sequence[Any], folder: Path = REPORTS / "top") -> dict[str, Any]:
    """The hook of `Block`."""
    return functional("top", GROUPS, results, folder)
