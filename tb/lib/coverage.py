"""Functional coverage: what is to be seen, declared as data, and how often runs have seen it (docs/environment.md).

A block declares `CoverGroup`s of `Coverpoint`s and `Cross`es. A run counts its bins in a `Coverage` with whole arrays
of bin indices and writes them to `functional.json` in its folder. `merge` adds up the runs that passed, `summarise`
says what is covered and what is not, and `write_ucis` hands the merged counts on as UCIS XML.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tb.lib.runinfo import RunInfo

FILE_NAME = "functional.json"
NO_BIN = -1
Counts = npt.NDArray[np.int64]


class CoverageError(ValueError):
    """A declaration, a sample or a file that does not fit."""


@dataclass(frozen=True)
class Ignore:
    """Bins that cannot be reached, with the reason. `when` gets the bin's labels, one argument a point."""

    when: Callable[..., bool]
    reason: str


@dataclass(frozen=True)
class Coverpoint:
    """Bins by label. `edges`, if given, are the lower bounds of the bins for values (`index`).

    A bin is covered by `at_least` samples, the point by the share `goal` of its bins.
    """

    name: str
    bins: tuple[str, ...]
    doc: str = ""
    at_least: int = 1
    goal: float = 1.0
    ignore: tuple[Ignore, ...] = ()
    edges: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_goal(self.name, self.bins, self.goal, self.at_least)
        if self.edges and (len(self.edges) != len(self.bins) or list(self.edges) != sorted(set(self.edges))):
            raise CoverageError(f"{self.name}: one ascending edge a bin is needed")

    @classmethod
    def ranges(cls, name: str, doc: str, *edges: int, **more: Any) -> Coverpoint:
        """A point whose bins are `edges[0]` .. `edges[1] - 1` and so on; the last one is open."""
        bounds = itertools.pairwise((*edges, None))
        bins = tuple(f"{a}+" if b is None else str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in bounds)
        return cls(name, bins, doc, edges=edges, **more)

    def index(self, values: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Bin indices of values; `NO_BIN` below the first edge."""
        if not self.edges:
            raise CoverageError(f"{self.name} has labels only")
        return np.searchsorted(np.array(self.edges), np.asarray(values), side="right") - 1

    def bin(self, label: str) -> int:
        """Index of the bin called `label`."""
        return self.bins.index(label)


@dataclass(frozen=True)
class Cross:
    """Every combination of the bins of points of the same group, sampled together."""

    name: str
    points: tuple[str, ...]
    doc: str = ""
    at_least: int = 1
    goal: float = 1.0
    ignore: tuple[Ignore, ...] = ()


@dataclass(frozen=True)
class CoverGroup:
    """Coverpoints and crosses that belong together."""

    name: str
    items: tuple[Coverpoint | Cross, ...]
    doc: str = ""

    def __post_init__(self) -> None:
        names = [item.name for item in self.items]
        if len(set(names)) != len(names):
            raise CoverageError(f"group {self.name}: two items have one name")
        for item in self.items:
            if isinstance(item, Cross):
                missing = [point for point in item.points if point not in self.points]
                if missing:
                    raise CoverageError(f"{self.name}.{item.name}: no point {missing[0]} in the group")
                _check_goal(item.name, self.labels(item), item.goal, item.at_least)

    @cached_property
    def points(self) -> dict[str, Coverpoint]:
        """The group's coverpoints by name."""
        return {item.name: item for item in self.items if isinstance(item, Coverpoint)}

    def shape(self, item: Coverpoint | Cross) -> tuple[int, ...]:
        """Numbers of bins of the points after an item."""
        return tuple(len(self.points[name].bins) for name in _names(item))

    def _parts(self, item: Coverpoint | Cross) -> Iterator[tuple[str, ...]]:
        return itertools.product(*(self.points[name].bins for name in _names(item)))

    def labels(self, item: Coverpoint | Cross) -> list[str]:
        """Labels of an item's bins; of a cross `point label, point label`."""
        if isinstance(item, Coverpoint):
            return list(item.bins)
        return [", ".join(f"{n} {label}" for n, label in zip(item.points, p, strict=True)) for p in self._parts(item)]

    def reasons(self, item: Coverpoint | Cross) -> list[str | None]:
        """Why each bin is ignored; None for those that count."""
        return [next((rule.reason for rule in item.ignore if rule.when(*p)), None) for p in self._parts(item)]


def _names(item: Coverpoint | Cross) -> tuple[str, ...]:
    return item.points if isinstance(item, Cross) else (item.name,)


def _check_goal(name: str, bins: Sequence[str], goal: float, at_least: int) -> None:
    if not bins or len(set(bins)) != len(bins):
        raise CoverageError(f"{name}: bins must have different labels, and there must be one")
    if not 0 <= goal <= 1 or at_least < 1:
        raise CoverageError(f"{name}: goal must lie in 0..1, at_least above 0")


class Coverage:
    """Counts of every bin of every item of `groups`."""

    def __init__(self, groups: Sequence[CoverGroup]) -> None:
        self.groups = {group.name: group for group in groups}
        if len(self.groups) != len(groups):
            raise CoverageError("two groups have one name")
        self.counts: dict[str, dict[str, Counts]] = {
            group.name: {item.name: np.zeros(math.prod(group.shape(item)), np.int64) for item in group.items}
            for group in groups
        }

    def sample(self, group: str, weights: npt.ArrayLike | None = None, /, **columns: npt.ArrayLike) -> None:
        """Counts samples given as one array of bin indices a point; a negative index is no sample.

        All items of the group are counted of whose points columns are given. `weights`: how often each sample counts.
        Raises `CoverageError` for an unknown point or an index after the last bin.
        """
        declared = self.groups[group]
        unknown = set(columns) - set(declared.points)
        if unknown:
            raise CoverageError(f"{group} has no point {', '.join(sorted(unknown))}")
        arrays = [np.atleast_1d(np.asarray(column)).ravel() for column in columns.values()]
        times = None if weights is None else np.atleast_1d(np.asarray(weights)).ravel()
        if times is not None:
            *arrays, times = np.broadcast_arrays(*arrays, times)
        else:
            arrays = list(np.broadcast_arrays(*arrays))
        table = dict(zip(columns, arrays, strict=True))
        for name, indices in table.items():
            if indices.size and indices.max() >= len(declared.points[name].bins):
                raise CoverageError(f"{group}.{name}: index {indices.max()} lies past the last bin")
        for item in declared.items:
            if all(name in table for name in _names(item)):
                self._count(group, item.name, [table[name] for name in _names(item)], declared.shape(item), times)

    def _count(
        self,
        group: str,
        item: str,
        columns: list[npt.NDArray[Any]],
        shape: tuple[int, ...],
        times: npt.NDArray[Any] | None,
    ) -> None:
        flat, inside = columns[0].astype(np.int64, copy=False), columns[0] >= 0
        for column, size in zip(columns[1:], shape[1:], strict=True):
            inside = inside & (column >= 0)
            flat = flat * size + column
        if not inside.all():
            flat, times = flat[inside], None if times is None else times[inside]
        if times is None:
            added = np.bincount(flat, minlength=math.prod(shape))
        else:
            added = np.zeros(math.prod(shape), np.int64)
            np.add.at(added, flat, times.astype(np.int64))
        self.counts[group][item] += added

    def add(self, other: Coverage) -> None:
        """Adds the counts of `other`, which must have the same declaration."""
        for group, item, counts in other:
            self.counts[group][item] += counts

    def __iter__(self) -> Iterator[tuple[str, str, Counts]]:
        for group, items in self.counts.items():
            for item, counts in items.items():
                yield group, item, counts

    def bins(self, group: str, item: str) -> dict[str, int]:
        """Counts of an item by label."""
        declared = self.groups[group]
        which = next(entry for entry in declared.items if entry.name == item)
        return dict(zip(declared.labels(which), self.counts[group][item].tolist(), strict=True))

    def as_dict(self) -> dict[str, dict[str, dict[str, int]]]:
        """Counts by group, item and bin."""
        return {group: {item: self.bins(group, item) for item in items} for group, items in self.counts.items()}

    @classmethod
    def from_dict(cls, groups: Sequence[CoverGroup], data: Mapping[str, Any]) -> Coverage:
        """Inverse of `as_dict`; `CoverageError` unless group, item and bin names are those of `groups`."""
        coverage = cls(groups)
        named = {group: list(items) for group, items in coverage.counts.items()}
        if {group: list(items) for group, items in data.items()} != named:
            raise CoverageError("its groups and items are not those of the declaration: run the test again")
        for group, item, counts in coverage:
            if list(data[group][item]) != list(coverage.bins(group, item)):
                raise CoverageError(f"the bins of {group}.{item} are not those of the declaration: run the test again")
            counts[:] = list(data[group][item].values())
        return coverage


@dataclass(frozen=True)
class RunCoverage:
    """The counts of one run. Only those of a run that passed may be merged."""

    block: str
    test: str
    seed: int
    sim: str
    passed: bool
    coverage: Coverage

    @property
    def name(self) -> str:
        """How reports call the run."""
        return f"{self.test} seed {self.seed} {self.sim}"

    def write(self, run_dir: Path) -> Path:
        """Writes `functional.json` into a run's folder."""
        path = run_dir / FILE_NAME
        head = {name: getattr(self, name) for name in ("block", "test", "seed", "sim", "passed")}
        path.write_text(json.dumps({**head, "groups": self.coverage.as_dict()}, indent=1), encoding="utf-8")
        return path

    @classmethod
    def read(cls, groups: Sequence[CoverGroup], path: Path) -> RunCoverage:
        """Reads a run's `functional.json`. A `result.json` beside it that says otherwise overrules its `passed`."""
        data = json.loads(path.read_text(encoding="utf-8"))
        passed = bool(data["passed"])
        result = path.with_name("result.json")
        if result.exists():
            passed = passed and json.loads(result.read_text(encoding="utf-8")).get("status") == "pass"
        try:
            coverage = Coverage.from_dict(groups, data["groups"])
        except CoverageError as error:
            raise CoverageError(f"{path}: {error}") from error
        return cls(data["block"], data["test"], int(data["seed"]), data["sim"], passed, coverage)


@dataclass(frozen=True)
class KeptRun:
    """A run that passed, of which only what it counted is kept, as `collect` wants it; `run_dir` has the file."""

    test: str
    seed: int
    sim: str
    run_dir: Path
    passed: bool = True


@dataclass
class Merged:
    """Sum of runs; `notes` say what was left out."""

    coverage: Coverage
    runs: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def merge(groups: Sequence[CoverGroup], runs: Iterable[RunCoverage]) -> Merged:
    """Adds up the runs that passed; leaves out the others, with a note each."""
    merged = Merged(Coverage(groups))
    for run in runs:
        if run.passed:
            merged.coverage.add(run.coverage)
            merged.runs.append(run.name)
        else:
            merged.notes.append(f"{run.name} failed: its coverage does not count")
    return merged


def collect(groups: Sequence[CoverGroup], results: Iterable[Any]) -> Merged:
    """Merges the runs behind `RunResult`s (of flow.core.simulate); notes those that left no file."""
    runs: list[RunCoverage] = []
    notes: list[str] = []
    for result in results:
        path = result.run_dir / FILE_NAME
        if path.exists():
            run = RunCoverage.read(groups, path)
            runs.append(replace(run, passed=run.passed and result.passed))
        else:
            why = "measured no functional coverage" if result.passed else "failed and left no coverage"
            notes.append(f"{result.test} seed {result.seed} {result.sim} {why}")
    merged = merge(groups, runs)
    merged.notes += notes
    return merged


def percent(covered: int, total: int) -> float:
    """Share in per cent, rounded down to two places, so that 100 means all."""
    return math.floor(10000 * covered / total) / 100 if total else 100.0


def summarise(merged: Merged) -> dict[str, Any]:
    """What is covered, for JSON: shares, every item's bins, and lists of uncovered and of ignored bins.

    `passed` is false if an item misses its goal, if no run counts, or if a bin declared unreachable was hit.
    """
    coverage = merged.coverage
    groups: list[dict[str, Any]] = []
    uncovered: list[str] = []
    contradictions: list[str] = []
    for group in coverage.groups.values():
        items = [_item_summary(group, item, coverage.counts[group.name][item.name]) for item in group.items]
        for item in items:
            where = f"{group.name}.{item['name']}"
            uncovered += [f"{where}: {name}" for name in item["uncovered"]]
            contradictions += [f"{where}: {entry['bin']}" for entry in item["ignored"] if entry["count"]]
        groups.append({"name": group.name, "doc": group.doc, "items": items, **_shares(items)})
    return {
        "passed": bool(merged.runs) and not contradictions and all(i["passed"] for g in groups for i in g["items"]),
        **_shares(groups),
        "runs": merged.runs,
        "notes": merged.notes,
        "uncovered": uncovered,
        "contradictions": contradictions,
        "groups": groups,
    }


def joint_summaries(summaries: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The summaries of several blocks as one; groups, bins and runs get the block's name."""
    groups = [
        {**group, "name": f"{name}.{group['name']}"} for name, each in summaries.items() for group in each["groups"]
    ]
    lines = {
        key: [f"{name}.{line}" for name, each in summaries.items() for line in each[key]]
        for key in ("uncovered", "contradictions")
    }
    notes = {
        key: [f"{name}: {line}" for name, each in summaries.items() for line in each[key]] for key in ("runs", "notes")
    }
    passed = bool(summaries) and all(each["passed"] for each in summaries.values())
    return {"passed": passed, **_shares(groups), **lines, **notes, "groups": groups}


def _shares(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    covered, total = sum(part["covered"] for part in parts), sum(part["total"] for part in parts)
    return {"covered": covered, "total": total, "percent": percent(covered, total)}


def _item_summary(group: CoverGroup, item: Coverpoint | Cross, counts: Counts) -> dict[str, Any]:
    labels, reasons, hits = group.labels(item), group.reasons(item), counts.tolist()
    counted = [(label, n) for label, n, reason in zip(labels, hits, reasons, strict=True) if reason is None]
    missing = [label for label, n in counted if n < item.at_least]
    covered, total = len(counted) - len(missing), len(counted)
    return {
        "name": item.name,
        "doc": item.doc,
        "kind": "cross" if isinstance(item, Cross) else "point",
        "points": list(_names(item)),
        "axes": [list(group.points[name].bins) for name in _names(item)],
        "at_least": item.at_least,
        "goal": 100 * item.goal,
        "covered": covered,
        "total": total,
        "percent": percent(covered, total),
        "passed": covered >= item.goal * total,
        "bins": dict(counted),
        "uncovered": missing,
        "ignored": [
            {"bin": label, "count": n, "reason": reason}
            for label, n, reason in zip(labels, hits, reasons, strict=True)
            if reason is not None
        ],
    }


# ------------------------------------------------------------------------------------------------------------ exchange
def write_ucis(path: Path, block: str, merged: Merged) -> Path:
    """Writes merged counts as UCIS XML with pyucis: one history node a run, one covergroup a group.

    UCIS XML gives a bin of a cross no kind, so ignored bins of crosses are left out; those of points are marked.
    """
    from ucis import UCIS_INSTANCE, UCIS_OTHER
    from ucis.cover_data import CoverData
    from ucis.cover_type_t import CoverTypeT
    from ucis.mem.mem_factory import MemFactory
    from ucis.xml.xml_factory import XmlFactory

    db = MemFactory.create()
    db.setWrittenBy("trainslice")
    for run in merged.runs:
        node = db.createHistoryNode(None, run, run, "TEST")
        node.setTestStatus(1)
    instance = db.createInstance(block, None, 1, UCIS_OTHER, UCIS_INSTANCE, None, 0)
    for group in merged.coverage.groups.values():
        scope = instance.createCovergroup(group.name, None, 1, UCIS_OTHER)
        inside = scope.createCoverInstance(group.name, None, 1, UCIS_OTHER)
        points: dict[str, Any] = {}
        for item in sorted(group.items, key=lambda item: isinstance(item, Cross)):
            if isinstance(item, Cross):
                node = inside.createCross(item.name, None, 1, UCIS_OTHER, [points[name] for name in item.points])
            else:
                node = points[item.name] = inside.createCoverpoint(item.name, None, 1, UCIS_OTHER)
            node.setAtLeast(item.at_least)
            node.setGoal(round(100 * item.goal))
            counts = merged.coverage.counts[group.name][item.name].tolist()
            for label, count, reason in zip(group.labels(item), counts, group.reasons(item), strict=True):
                if reason is not None and isinstance(item, Cross):
                    continue
                data = CoverData(CoverTypeT.CVGBIN if reason is None else CoverTypeT.IGNOREBIN, 0)
                data.data = count
                node.createNextCover(label, data, None)
    with path.open("w", encoding="utf-8") as file:
        XmlFactory.write(db, file)
    return path


def read_ucis(path: Path) -> dict[str, dict[str, dict[str, int]]]:
    """Counts by group, item and bin of a UCIS XML file, read with pyucis."""
    from ucis.cover_type_t import CoverTypeT
    from ucis.scope_type_t import ScopeTypeT
    from ucis.xml.xml_factory import XmlFactory

    every = CoverTypeT.CVGBIN | CoverTypeT.IGNOREBIN
    out: dict[str, dict[str, dict[str, int]]] = {}
    for instance in XmlFactory.read(str(path)).scopes(ScopeTypeT.INSTANCE):
        for group in instance.scopes(ScopeTypeT.COVERGROUP):
            items = out.setdefault(group.getScopeName(), {})
            for inside in group.scopes(ScopeTypeT.COVERINSTANCE):
                for item in inside.scopes(ScopeTypeT.COVERPOINT | ScopeTypeT.CROSS):
                    bins = items.setdefault(item.getScopeName(), {})
                    for entry in item.coverItems(every):
                        bins[entry.getName()] = int(entry.getCoverData().data)
    return out


def write_run(run_info: RunInfo, coverage: Coverage, passed: bool) -> None:
    """Writes the counts of a run as `functional.json` into its folder."""
    RunCoverage(run_info.block, run_info.test, run_info.seed, run_info.sim, passed, coverage).write(run_info.run_dir)


def functional(block: str, groups: Sequence[CoverGroup], results: Iterable[Any], folder: Path) -> dict[str, Any]:
    """The hook of `Block`: merged coverage of `RunResult`s (`summarise`), also as UCIS (functional.xml) in `folder`."""
    merged = collect(groups, results)
    folder.mkdir(parents=True, exist_ok=True)
    write_ucis(folder / "functional.xml", block, merged)
    return summarise(merged)
