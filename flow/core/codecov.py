"""Reads Verilator's coverage.dat: line, branch, toggle and expression counts, kept apart.

A point is a line `C '<key><value>...' <count>` of the file, its fields marked by the characters 1 and 2: `f` file,
`l` line, `n` column, `page` (`v_line/<module>`, `v_branch/...`, `v_toggle/...`, `v_expr/...`), `o` what is counted,
`S` the lines it stands for, `h` the instance. Counts of several runs add up per instance; a point of the source
counts as covered if any instance has covered it. Only files below rtl/ count.

Exclusions stand in one Hjson file: by block a list of `{kind, file, line | text | pattern, reason}`: `line` a number or
'first-last', `text` a regular expression found in the source line, so that it follows the line, `pattern` one found in
what is counted (`o`); all that are given must fit. An exclusion removes uncovered points only, and one that removes
none is an error. Its reason says why nothing can reach the points; one that speaks of runs or tests is refused, since
what could be reached and is not counts as uncovered. Where a proof shows every value of a counter that no run could
wait for, `proof` names it.
"""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import hjson

from tb.lib.errors import UserError
from tb.lib.paths import ROOT, shown

KINDS = ("line", "branch", "toggle", "expr")
EXCLUSIONS = ROOT / "tb" / "coverage_exclusions.hjson"
_RECORD = re.compile(r"C '(.*)' (\d+)$")
_NOT_REACHED = re.compile(r"\b(runs?|tests?|test benches|simulat\w*|stimul\w*|covered elsewhere)\b", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Point:
    """A thing that is counted in the source: `comment` is Verilator's name for it, `lines` the source lines it stands
    for."""

    kind: str
    file: str
    line: int
    column: int
    comment: str
    lines: tuple[int, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind} {self.comment}"


@dataclass(frozen=True)
class Totals:
    """Covered and counted points; excluded ones are not counted."""

    covered: int
    total: int
    excluded: int = 0

    @property
    def percent(self) -> float:
        """Covered share in per cent; 100 if there is nothing to cover."""
        return 100.0 * self.covered / self.total if self.total else 100.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the share is rounded down, so that 100 means all."""
        return {
            "covered": self.covered,
            "total": self.total,
            "excluded": self.excluded,
            "percent": int(self.percent * 100) / 100,
        }


@dataclass(frozen=True)
class Exclusion:
    """One entry of the exclusions file."""

    kind: str
    file: str
    reason: str
    first: int | None = None
    last: int | None = None
    pattern: str | None = None
    proof: str = ""
    text: str | None = None

    @property
    def where(self) -> str:
        """What it names in the file, for messages."""
        return str(self.first or self.text or self.pattern)

    def matches(self, point: Point) -> bool:
        """Whether `point` is one of those meant."""
        if point.kind != self.kind or point.file != self.file:
            return False
        if self.first is not None and not self.first <= point.line <= (self.last or self.first):
            return False
        if self.text is not None and re.search(self.text, _source_line(point.file, point.line)) is None:
            return False
        return self.pattern is None or re.search(self.pattern, point.comment) is not None


@lru_cache
def _source(file: str) -> tuple[str, ...]:
    return tuple((ROOT / file).read_text(encoding="utf-8").splitlines())


def _source_line(file: str, number: int) -> str:
    return _source(file)[number - 1]


@dataclass
class CodeCoverage:
    """Counts of merged runs: point -> instance -> count."""

    counts: dict[Point, dict[str, int]] = field(default_factory=dict)

    def of(self, files: Sequence[str]) -> CodeCoverage:
        """The counts of some files alone; of all, if none is named."""
        if not files:
            return self
        return CodeCoverage({point: counts for point, counts in self.counts.items() if point.file in files})

    def count(self, point: Point) -> int:
        """Hits of `point` over all instances and runs."""
        return sum(self.counts[point].values())


@dataclass(frozen=True)
class CodeReport:
    """Totals per kind, per file and kind, per instance and kind; uncovered points; excluded points with their
    reason; `idle`: a line for every exclusion that excludes nothing uncovered."""

    kinds: Mapping[str, Totals]
    files: Mapping[str, Mapping[str, Totals]]
    instances: Mapping[str, Mapping[str, Totals]]
    uncovered: tuple[Point, ...]
    excluded: tuple[tuple[Point, str], ...]
    idle: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""

        def table(rows: Mapping[str, Mapping[str, Totals]]) -> dict[str, Any]:
            return {name: {kind: totals.as_dict() for kind, totals in row.items()} for name, row in rows.items()}

        return {
            "kinds": {kind: totals.as_dict() for kind, totals in self.kinds.items()},
            "files": table(self.files),
            "instances": table(self.instances),
            "uncovered": [_point_dict(point) for point in self.uncovered],
            "excluded": [{**_point_dict(point), "reason": reason} for point, reason in self.excluded],
        }


def _point_dict(point: Point) -> dict[str, Any]:
    return {"kind": point.kind, "file": point.file, "line": point.line, "comment": point.comment}


def _line_numbers(text: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return tuple(numbers)


def read_dat(path: Path) -> Iterable[tuple[str, int]]:
    """Every record of a coverage.dat (also of a gzipped one) as (key text, count), in file order. `UserError` for a
    file that is not one."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="replace") as handle:
        if not handle.readline().startswith("# SystemC::Coverage-"):
            raise UserError(f"{shown(path)} is not a coverage file of Verilator")
        for number, text in enumerate(handle, start=2):
            record = _RECORD.match(text)
            if record is None:
                raise UserError(f"{shown(path)}:{number}: not a coverage record")
            yield record[1], int(record[2])


def merge(paths: Iterable[Path], root: Path = ROOT, only: str = "rtl") -> CodeCoverage:
    """Sum of the counts of all files in `paths`, for sources below `root`/`only`.

    Raises `UserError` if a record is of no known kind: nothing may be dropped silently.
    """
    # A file has a record for every bit of every instance: add up first, take each key apart once.
    sums: dict[str, int] = {}
    for path in paths:
        for key, count in read_dat(path):
            sums[key] = sums.get(key, 0) + count
    merged: dict[Point, dict[str, int]] = {}
    root = root.resolve()
    resolved: dict[str, str | None] = {}
    for key, count in sums.items():
        fields = dict(item.split("\x02", 1) for item in key.split("\x01") if "\x02" in item)
        name = fields.get("f", "")
        if name not in resolved:
            file = Path(name).resolve()
            resolved[name] = file.relative_to(root).as_posix() if file.is_relative_to(root / only) else None
        relative = resolved[name]
        if relative is None:
            continue
        kind = fields.get("page", "").partition("/")[0].removeprefix("v_")
        line, column, what = int(fields.get("l", 0)), int(fields.get("n", 0)), fields.get("o", "")
        if kind not in KINDS:
            raise UserError(f"coverage of unknown kind '{fields.get('page')}' at {relative}:{line}")
        point = Point(kind, relative, line, column, what, _line_numbers(fields.get("S", "")))
        instances = merged.setdefault(point, {})
        instance = fields.get("h", "")
        instances[instance] = instances.get(instance, 0) + count
    _mend_wide_toggles(merged)
    return CodeCoverage(merged)


_BIT = re.compile(r"(.*)\[(\d+)\](:\d->\d)")
_WORD, _WIDE = 32, 64


def _mend_wide_toggles(merged: dict[Point, dict[str, int]]) -> None:
    """Takes out what Verilator 5.48 counts too much: in signals of more than 64 bits the toggles of bit b - 32 are also
    counted at bit b, because the macros in verilated_cov.h (VL_COV_TOGGLE_CHG_*_W) shift a 32-bit word by b."""
    signals: dict[tuple[str, int, int, str, str], dict[int, Point]] = {}
    for point in merged:
        found = _BIT.fullmatch(point.comment) if point.kind == "toggle" else None
        if found:
            key = (point.file, point.line, point.column, found[1], found[3])
            signals.setdefault(key, {})[int(found[2])] = point
    for bits in signals.values():
        if max(bits) < _WIDE:
            continue
        raw = {bit: dict(merged[point]) for bit, point in bits.items()}
        for bit, point in bits.items():
            for instance, count in raw.get(bit - _WORD, {}).items():
                own = merged[point].get(instance, 0)
                merged[point][instance] = max(0, own - count)


def load_exclusions(block: str, path: Path = EXCLUSIONS) -> list[Exclusion]:
    """The exclusions of a block; `UserError` for an entry of any block without a reason or otherwise unfit."""
    try:
        blocks = hjson.loads(path.read_text(encoding="utf-8"))
    except (OSError, hjson.HjsonDecodeError) as error:
        raise UserError(f"cannot read exclusions {shown(path)}: {error}") from error
    if not isinstance(blocks, dict) or not all(isinstance(entries, list) for entries in blocks.values()):
        raise UserError(f"{shown(path)}: must give every block a list of exclusions")
    found = {
        name: [
            _exclusion(dict(entry), f"{shown(path)}: {name}, exclusion {number}")
            for number, entry in enumerate(entries, start=1)
        ]
        for name, entries in blocks.items()
    }
    return found.get(block, [])


def _exclusion(entry: dict[str, Any], where: str) -> Exclusion:
    unknown = set(entry) - {"kind", "file", "line", "text", "pattern", "reason", "proof"}
    if unknown:
        raise UserError(f"{where}: unknown key {', '.join(sorted(unknown))}")
    if not str(entry.get("reason") or "").strip():
        raise UserError(f"{where} has no reason")
    if found := _NOT_REACHED.search(str(entry["reason"])):
        raise UserError(
            f"{where}: the reason must say why nothing can reach it, not what is done ('{found[0]}'): remove it, so "
            "that it counts as uncovered"
        )
    if entry.get("kind") not in KINDS:
        raise UserError(f"{where}: kind must be one of {', '.join(KINDS)}")
    if not entry.get("file") or not any(entry.get(key) for key in ("line", "text", "pattern")):
        raise UserError(f"{where}: file, and line, text or pattern, must be given")
    first = last = None
    if entry.get("line") is not None:
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", str(entry["line"]))
        if span is None:
            raise UserError(f"{where}: line must be a number or 'first-last'")
        first, last = int(span[1]), int(span[2] or span[1])
    for key in ("text", "pattern"):
        try:
            re.compile(entry.get(key) or "")
        except re.error as error:
            raise UserError(f"{where}: {key} is not a regular expression: {error}") from error
    return Exclusion(
        entry["kind"], entry["file"], str(entry["reason"]).strip(), first, last, entry.get("pattern"),
        str(entry.get("proof", "")), entry.get("text"),
    )  # fmt: skip


def report(coverage: CodeCoverage, exclusions: Sequence[Exclusion] = ()) -> CodeReport:
    """Totals and uncovered points of `coverage`; exclusions that fit no uncovered point are `idle`."""
    used: set[int] = set()
    reasons: dict[Point, str] = {}
    for point in coverage.counts:
        if coverage.count(point) == 0:
            fitting = [index for index, exclusion in enumerate(exclusions) if exclusion.matches(point)]
            used.update(fitting)
            if fitting:
                reasons[point] = exclusions[fitting[0]].reason
    idle = tuple(
        f"exclusion of {each.kind} at {each.file}:{each.where} excludes nothing uncovered: remove it"
        for index, each in enumerate(exclusions)
        if index not in used
    )
    return replace(_report(coverage, reasons), idle=idle)


def joint(parts: Mapping[str, tuple[CodeCoverage, CodeReport]]) -> CodeReport:
    """Of several blocks together: a point that two of them count is covered if one of them has covered it, and
    excluded if none has and one of them excludes it. Instances get the block's name."""
    coverage = joint_counts({name: coverage for name, (coverage, _) in parts.items()})
    reasons = {point: why for _, done in parts.values() for point, why in done.excluded}
    return _report(coverage, {point: why for point, why in reasons.items() if coverage.count(point) == 0})


def joint_counts(parts: Mapping[str, CodeCoverage]) -> CodeCoverage:
    """The counts of several blocks together; instances get the block's name."""
    counts: dict[Point, dict[str, int]] = defaultdict(dict)
    for name, coverage in parts.items():
        for point, instances in coverage.counts.items():
            counts[point] |= {f"{name}: {instance}": count for instance, count in instances.items()}
    return CodeCoverage(dict(counts))


def _report(coverage: CodeCoverage, reasons: Mapping[Point, str]) -> CodeReport:
    """Totals of `coverage`; `reasons`: of the uncovered points that do not count."""
    excluded: list[tuple[Point, str]] = []
    uncovered: list[Point] = []
    tally: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    by_instance: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for point in sorted(coverage.counts):
        hit = coverage.count(point) > 0
        reason = reasons.get(point)
        rows = [tally[point.file, point.kind]]
        for instance, count in coverage.counts[point].items():
            row = by_instance[instance, point.kind]
            row[0] += count > 0 and reason is None
            row[1] += reason is None
            row[2] += reason is not None
        for row in rows:
            row[0] += hit
            row[1] += reason is None
            row[2] += reason is not None
        if reason is not None:
            excluded.append((point, reason))
        elif not hit:
            uncovered.append(point)
    return CodeReport(
        kinds={kind: _sum(row for (_, k), row in tally.items() if k == kind) for kind in KINDS},
        files=_nest(tally),
        instances=_nest(by_instance),
        uncovered=tuple(uncovered),
        excluded=tuple(excluded),
    )


def _sum(rows: Iterable[Sequence[int]]) -> Totals:
    columns = list(zip(*rows, strict=True)) or [(0,), (0,), (0,)]
    return Totals(*(sum(column) for column in columns))


def _nest(rows: Mapping[tuple[str, str], Sequence[int]]) -> dict[str, dict[str, Totals]]:
    nested: dict[str, dict[str, Totals]] = {}
    for (name, kind), row in sorted(rows.items()):
        nested.setdefault(name, {})[kind] = Totals(*row)
    return nested


def grouped(points: Iterable[Point]) -> list[str]:
    """`points` as text, the bits and directions of a signal's toggles in one line: `file:line: toggle x[7:4],x[1]
    0->1`."""
    toggles: dict[tuple[str, int, str], dict[str, list[int | None]]] = {}
    lines: list[str] = []
    for point in points:
        parts = re.fullmatch(r"(.*?)(?:\[(\d+)\])?:(0->1|1->0)", point.comment) if point.kind == "toggle" else None
        if parts is None:
            lines.append(str(point))
            continue
        bits = toggles.setdefault((point.file, point.line, parts[1]), {})
        bits.setdefault(parts[3], []).append(int(parts[2]) if parts[2] is not None else None)
    for (file, line, signal), directions in toggles.items():
        text = "; ".join(f"{signal}{_ranges(bits)} {direction}" for direction, bits in sorted(directions.items()))
        lines.append(f"{file}:{line}: toggle {text}")
    return lines


def _ranges(bits: Sequence[int | None]) -> str:
    numbers = sorted(bit for bit in bits if bit is not None)
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    text = ",".join(f"{high}:{low}" if high != low else f"{low}" for low, high in reversed(spans))
    return f"[{text}]" if text else ""


def write_lcov(coverage: CodeCoverage, folder: Path) -> list[Path]:
    """One LCOV tracefile per kind: lines as DA, everything else as BRDA (LCOV knows no toggles), so that kinds never
    mix."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for kind in KINDS:
        files: dict[str, list[Point]] = defaultdict(list)
        for point in sorted(coverage.counts):
            if point.kind == kind:
                files[point.file].append(point)
        text: list[str] = []
        for file, points in files.items():
            text += ["TN:" + kind, f"SF:{file}"]
            hits: dict[int, int] = {}
            for point in points:
                for line in point.lines or (point.line,) if kind == "line" else (point.line,):
                    # A line in several blocks is as covered as its least covered block.
                    count = coverage.count(point)
                    hits[line] = min(hits.get(line, count), count)
            if kind == "line":
                text += [f"DA:{line},{count}" for line, count in sorted(hits.items())]
            else:
                text += [
                    f"BRDA:{point.line},{point.column},{index},{coverage.count(point)}"
                    for index, point in enumerate(points)
                ]
                text += [f"BRF:{len(points)}", f"BRH:{sum(coverage.count(point) > 0 for point in points)}"]
            text.append("end_of_record")
        path = folder / f"{kind}.info"
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
        written.append(path)
    return written
