"""What every block's scoreboard shares: collecting what the monitors publish, comparing in bulk, and the verdict.

A scoreboard has passed only if something was compared, nothing diverged, and at least the number of comparisons that
the test declares was made (docs/environment.md, Verdict).
"""

from __future__ import annotations

import contextlib
import enum
import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pyuvm import ConfigDB, UVMConfigItemNotFound, uvm_analysis_export, uvm_analysis_port, uvm_scoreboard

from tb.lib.runinfo import RunInfo

KINDS = ("value", "slice", "cycle")
EV_RESET = 5  # kind of the events of rst_ni
EVENT_DTYPE = np.dtype([("cycle", "<u4"), ("data", "<u4")])  # of an event trace
RSP_DTYPE = np.dtype([("cycle", "<i8"), ("code", "u1")])
# What a packed number of a table holds, by name; a name of a code as it is. Declared beside the trace's format.
Unpack = Callable[[int], Mapping[str, int | str]]
Layouts = Mapping[str, Unpack]  # by column, or by element of one that holds several ("word[3]")
CYCLES = ("cycle", "valid", "valid_cycle", "since")  # columns that hold cycles: decimal, in the bench's numbering
MOST_FIELDS = 8  # that a line shows
CounterTables = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]  # of each row, of the whole


@dataclass(frozen=True)
class Divergence:
    """Where a boundary first differs from the model: cycle, what, and both values; of entries of tables the `fields`
    that differ: (name, observed, expected)."""

    boundary: str
    cycle: int
    what: str
    observed: str
    expected: str
    fields: tuple[tuple[str, str, str], ...] = ()

    def line(self) -> str:
        """One line for people."""
        head = f"{self.boundary} at cycle {self.cycle}: {self.what}: "
        if not self.fields:
            return f"{head}observed {self.observed}, expected {self.expected}"
        shown = [f"{name} {got} expected {want}" for name, got, want in self.fields[:MOST_FIELDS]]
        more = len(self.fields) - len(shown)
        return head + ", ".join(shown) + (f", and {more} more fields" if more else "")


@dataclass
class Verdict:
    """Comparisons made by kind, mismatches found, and the first divergence of each boundary in the order of checking.

    `mismatches` counts differing entries up to the first divergence's table, not consequences in later boundaries.
    """

    checks: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    divergences: list[Divergence] = field(default_factory=list)
    mismatches: int = 0

    def count(self, kind: str, number: int) -> None:
        """Adds `number` comparisons of `kind`."""
        self.checks[kind] += int(number)

    def diverge(
        self,
        boundary: str,
        cycle: int,
        what: str,
        observed: Any,
        expected: Any,
        mismatches: int = 1,
        fields: tuple[tuple[str, str, str], ...] = (),
    ) -> None:
        """Notes a divergence."""
        self.divergences.append(Divergence(boundary, int(cycle), what, str(observed), str(expected), fields))
        self.mismatches += mismatches

    @property
    def first(self) -> Divergence | None:
        """The earliest divergence; of those in one cycle the one that was checked first (upstream)."""
        return min(self.divergences, key=lambda d: d.cycle, default=None)

    def error(self, minimum: dict[str, int]) -> str:
        """One line, empty if passed. `minimum` gives the comparisons by kind that must have been made."""
        if self.first:
            return self.first.line()
        if not any(self.checks.values()):
            return "nothing was compared"
        for kind, least in minimum.items():
            if self.checks[kind] < least:
                return f"only {self.checks[kind]} {kind} comparisons were made, the test declares at least {least}"
        return ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "checks": dict(self.checks),
            "mismatches": self.mismatches,
            "first_divergence": asdict(self.first) if self.first else None,
            "divergences": [asdict(d) for d in sorted(self.divergences, key=lambda d: d.cycle)[:20]],
        }


def named(codes: type[enum.IntEnum]) -> Unpack:
    """A code by its name."""
    known = {int(code): code.name for code in codes}
    return lambda word: {"": known.get(word, f"{word:#x}")}


def bits(*fields: tuple[str, int]) -> Unpack:
    """A word of (name, width), lowest first; the name "" is for bits without a meaning."""

    def unpack(word: int) -> dict[str, int]:
        out, low = {}, 0
        for name, width in fields:
            if name:
                out[name] = word >> low & ((1 << width) - 1)
            low += width
        return out

    return unpack


def _entry(row: np.void, base: int, layouts: Layouts) -> dict[str, str]:
    """An entry's fields as they are shown: cycles decimal and in the bench's numbering, everything else hexadecimal."""
    out: dict[str, str] = {}
    for name in row.dtype.names or ():
        for place, value in np.ndenumerate(row[name]):
            whole = name + "".join(f"[{at}]" for at in place)
            if name in CYCLES:
                out[whole] = str(int(value) + base)
                continue
            unpack = layouts.get(whole, layouts.get(name))
            parts = unpack(int(value)) if unpack else {"": int(value)}
            for part, each in parts.items():
                out[f"{whole}.{part}" if part else whole] = each if isinstance(each, str) else f"{each:#x}"
            if unpack and "" not in parts:
                out[f"{whole} as a whole"] = f"{int(value):#x}"
    return out


def _show(entry: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in entry.items() if not name.endswith(" as a whole"))


def _differing(got: Mapping[str, str], want: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """The fields that differ; a packed number as a whole only if none of its fields does."""
    out = {name: (name, value, want[name]) for name, value in got.items() if value != want[name]}
    for name in [each for each in out if each.endswith(" as a whole")]:
        whole = name.removesuffix(" as a whole")
        if any(each.startswith(f"{whole}.") for each in out):
            del out[name]
    return tuple(out.values())


def word_fields(got: int, want: int, unpack: Unpack) -> tuple[tuple[str, str, str], ...]:
    """The fields of one packed number that differ, as `Verdict.diverge` takes them."""
    dtype = np.dtype([("word", "<u8")])
    both = [_entry(np.array((word,), dtype)[()], 0, {"word": unpack}) for word in (got, want)]
    return tuple((name.removeprefix("word."), *values) for name, *values in _differing(*both))


def compare_tables(
    verdict: Verdict,
    boundary: str,
    what: str,
    observed: npt.NDArray[Any],
    expected: npt.NDArray[Any],
    *,
    cycle: str = "cycle",
    kinds: tuple[str, ...] = ("cycle",),
    base: int = 0,
    layouts: Layouts | Callable[[np.void], Layouts] | None = None,
) -> bool:
    """Compares two tables (structured arrays of one dtype, in order of time) entry by entry.

    Counts one comparison of every kind in `kinds` per entry. The divergence's cycle is the earlier one of the two first
    differing entries, plus `base`. `layouts` says what packed columns hold, or is a function that says it of an entry
    (the expected one, if there is one). Returns whether they are equal.
    """
    both = min(len(observed), len(expected))
    different = observed[:both] != expected[:both]
    for kind in kinds:
        verdict.count(kind, max(len(observed), len(expected)))
    bad = np.flatnonzero(different)
    if len(bad) == 0 and len(observed) == len(expected):
        return True
    at = int(bad[0]) if len(bad) else both
    got = observed[at] if at < len(observed) else None
    want = expected[at] if at < len(expected) else None
    cycles = [int(entry[cycle]) for entry in (got, want) if entry is not None and entry[cycle] >= 0]
    number = len(bad) + abs(len(observed) - len(expected))
    known = layouts(want if want is not None else got) if callable(layouts) else layouts or {}
    entries = [None if entry is None else _entry(entry, base, known) for entry in (got, want)]
    fields = _differing(*entries) if None not in entries else ()
    if fields:
        shown = [", ".join(f"{each[0]}={each[side]}" for each in fields) for side in (1, 2)]
    else:
        shown = ["nothing" if entry is None else _show(entry) for entry in entries]
    verdict.diverge(boundary, min(cycles) + base, f"{what} {at}", *shown, number, fields)
    return False


def row_slices(table: npt.NDArray[np.void], rows: int) -> list[slice]:
    """Where the entries of each of `rows` rows lie in a table that is sorted by its field `row`."""
    # Edges of the field's own type: otherwise the whole column would be converted.
    edges = np.searchsorted(table["row"], np.arange(rows + 1).astype(table["row"].dtype))
    return [slice(*pair) for pair in itertools.pairwise(edges)]


def compare_by_row(
    verdict: Verdict,
    boundary: str,
    what: str,
    observed: npt.NDArray[np.void],
    expected: npt.NDArray[np.void],
    rows: int,
    *,
    kinds: tuple[str, ...] = ("cycle",),
    base: int = 0,
    layouts: Mapping[str, Unpack] | None = None,
) -> bool:
    """`compare_tables` for each of `rows` rows of tables that are sorted by their field `row`."""
    same = True
    for row, (mine, wanted) in enumerate(zip(row_slices(observed, rows), row_slices(expected, rows), strict=True)):
        tables = (observed[mine], expected[wanted])
        same &= compare_tables(verdict, boundary, f"row {row} {what}", *tables, kinds=kinds, base=base, layouts=layouts)
    return same


def cycle_table(cycles: npt.NDArray[np.int64]) -> npt.NDArray[np.void]:
    """Cycles (N,) as a table of one field, for `compare_tables`."""
    out = np.zeros(len(cycles), np.dtype([("cycle", "<i8")]))
    out["cycle"] = cycles
    return out


def answer_table(accept: npt.NDArray[np.int64], code: npt.NDArray[np.int64], horizon: int) -> npt.NDArray[np.void]:
    """Answers to requests that were taken at `accept` (-1: were not), a cycle later each, before `horizon`."""
    due = (accept >= 0) & (accept + 1 < horizon)
    out = np.zeros(int(due.sum()), RSP_DTYPE)
    out["cycle"], out["code"] = accept[due] + 1, code[due]
    return out


def seen_when(want: npt.NDArray[Any], seen: npt.NDArray[Any], end: int) -> None:
    """Cycles of what the value model names are those seen; what is missing was not there at the end."""
    both = min(len(want), len(seen))
    want[:both], want[both:] = seen[:both], end


def compare_values(
    verdict: Verdict,
    boundary: str,
    what: str,
    observed: npt.NDArray[np.void],
    expected: npt.NDArray[np.void],
    end: int,
    *,
    base: int = 0,
    cut: bool = False,
) -> bool:
    """`compare_tables` of everything but the cycles (CHECK=value); entries count as values. What is missing was not
    there at `end`; of a span that a reset cuts, it may be missing."""
    wanted = expected[: len(observed)].copy() if cut else expected.copy()
    for name in wanted.dtype.names or ():
        if name in ("cycle", "valid", "valid_cycle"):
            seen_when(wanted[name], observed[name], end)
    return compare_tables(verdict, boundary, what, observed, wanted, kinds=("value",), base=base)


@dataclass(frozen=True)
class Timing:
    """A line of what CHECK=value reports and does not judge: cycles of the RTL under test beside the model's."""

    what: str
    yours: int
    model: int


def event_levels(records: npt.NDArray[np.void], kind: int) -> list[tuple[int, bool]]:
    """(cycle, new level) of every event of `kind` in an event trace (`data`: kind in the top byte, level lowest)."""
    mine = records[records["data"] >> 24 == kind]
    return [(int(cycle), bool(data & 1)) for cycle, data in zip(mine["cycle"], mine["data"], strict=True)]


def reset_spans(edges: list[tuple[int, bool]], cycles: int) -> list[tuple[int, int]]:
    """(begin, end) of every span outside reset, from the logged values of rst_ni; `cycles` ends the last one."""
    ends = [cycle for cycle, _ in edges[1:]] + [cycles]
    return [(cycle, end) for (cycle, value), end in zip(edges, ends, strict=True) if value]


def wave_or_none(wave: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    """A ready waveform as models take it: None if it is always high."""
    return None if wave.all() else wave


def compare_counters(
    verdict: Verdict, got: CounterTables, want: CounterTables, cycle: int, before: CounterTables | None = None
) -> None:
    """Counters of rows and of the whole (32 bits, wrapping) that were read at `cycle`; `before`: what had been counted
    when they were cleared."""
    for name, mine, wanted, less in zip(("row counter", "counter"), got, want, before or (0, 0), strict=True):
        expected = (wanted - less) % (1 << 32)
        verdict.count("value", expected.size)
        if not np.array_equal(mine, expected):
            at = tuple(int(n) for n in np.argwhere(mine != expected)[0])
            verdict.diverge("counter", cycle, f"{name} {at}", mine[at], expected[at], int((mine != expected).sum()))


class Scoreboard(uvm_scoreboard):
    """Collects what monitors publish by name (`imp`) and what the test tells of the run (`told`), and judges in its
    check_phase; a block's scoreboard implements `judge`. Whoever listens to `judged` gets it afterwards.

    A part's scoreboard inside another one is told nothing: the outer one gives it what it needs and calls `judge`.
    """

    params: Any  # the block's parameters (PARAMS in the ConfigDB)
    cycles: int  # of the run
    drained: bool  # whether work ended within its bound

    def build_phase(self) -> None:
        self.seen: dict[str, Any] = {}
        self.verdict = Verdict()
        self.least = 0  # comparisons of values that `judge_values` must make, from the stimulus
        self.timing: list[Timing] = []
        self.failure: Exception | None = None  # what ended the judgement too early
        self.is_told = False
        self.imp = _Collector("imp", self)
        self.told = _Told("told", self)
        self.judged = uvm_analysis_port("judged", self)
        with contextlib.suppress(UVMConfigItemNotFound):  # a part inside another scoreboard
            self.params = ConfigDB().get(self, "", "PARAMS")

    def tell(self, run: Mapping[str, Any]) -> None:
        """Takes what the test says of the run: values of attributes that the class declares."""
        declared = {name for each in type(self).__mro__ for name in inspect.get_annotations(each)}
        for name, value in run.items():
            if name not in declared:
                raise AttributeError(f"{type(self).__name__} declares no {name}, which the test tells it")
            setattr(self, name, value)
        self.is_told = True

    def check_phase(self) -> None:
        """Judges the run that it was told of. A failure of the judgement itself is kept for the test's result, unless
        something has diverged before: then it may be the cause, and counts."""
        if not self.is_told:
            return
        info: RunInfo = ConfigDB().get(self, "", "RUN")
        try:
            if info.check == "value":
                self.verdict = self.judge_values()
            else:
                self.verdict = self.judge()
                self.judged.write(self)
        except Exception as failure:
            if self.verdict.first is None:
                self.failure = failure
                return
            self.logger.warning("the judgement ended early: %s: %s", type(failure).__name__, failure)
        made = ", ".join(f"{number:,} {kind}" for kind, number in self.verdict.checks.items())
        self.logger.info("compared %s; mismatches: %d", made, self.verdict.mismatches)
        for each in self.verdict.divergences:
            self.logger.debug("%s", each.line())

    def judge(self) -> Verdict:
        """Compares everything collected with the model."""
        raise NotImplementedError

    def judge_values(self) -> Verdict:
        """Compares values and order at the outputs alone (CHECK=value); fills `least` and `timing`."""
        raise NotImplementedError

    def not_drained(self, cycle: int) -> None:
        """Notes that the bound on cycles was reached first."""
        self.verdict.diverge("drain", cycle, "work left when the bound on cycles was reached", "busy", "quiet")


class SpannedScoreboard(Scoreboard):
    """Compares the spans between resets one by one; a block gives `BLOCK` (its events are in the trace <BLOCK>_event)
    and `_epoch`."""

    BLOCK: str
    epochs: list[Any]

    def judge(self) -> Verdict:
        """Splits the run at resets and compares each part."""
        self.epochs = []
        for base, end in reset_spans(event_levels(self.seen[f"{self.BLOCK}_event_trace"], EV_RESET), self.cycles):
            self._epoch(base, end)
        self._whole()
        if not self.drained:
            self.not_drained(self.cycles)
        return self.verdict

    def _epoch(self, base: int, end: int) -> None:
        """Compares what lies between two resets, appends to `epochs`."""
        raise NotImplementedError

    def _whole(self) -> None:
        """What is compared of the run as a whole."""

    def _within(self, name: str, base: int, end: int) -> npt.NDArray[Any]:
        """Records of a trace in a span, cycles counted from its begin."""
        table = self.seen[f"{name}_trace"]
        table = table[(table["cycle"] >= base) & (table["cycle"] < end)].copy()
        for column in ("cycle", "valid"):
            if column in (table.dtype.names or ()):
                table[column] -= base
        return table


class _Collector(uvm_analysis_export):
    def write(self, datum: tuple[str, Any]) -> None:
        name, data = datum
        parent = self.get_parent()
        assert isinstance(parent, Scoreboard)
        parent.seen[name] = data
        parent.logger.debug("saw %s", name)


class _Told(uvm_analysis_export):
    def write(self, datum: Mapping[str, Any]) -> None:
        parent = self.get_parent()
        assert isinstance(parent, Scoreboard)
        parent.tell(datum)
