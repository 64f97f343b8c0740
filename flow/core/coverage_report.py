"""The merged coverage report of a block: `coverage.html` for people, `coverage.json` for programs.

Input: the functional summary of `tb.lib.coverage.summarise` and the code coverage of `flow.core.codecov.report`. The
page opens on what is not covered. Shares are rounded down: 100 means all.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from flow.core.codecov import KINDS, CodeReport, Point, Totals, grouped
from models.common.files import write_whole
from tb.lib.paths import ROOT

TEMPLATE = Path(__file__).with_name("coverage_report.html.j2")
HTML_NAME, JSON_NAME = "coverage.html", "coverage.json"


@dataclass(frozen=True)
class Report:
    """What a report shows. `functional` and `code` may be None: not measured; `failed`: replay lines of failed runs."""

    block: str
    title: str
    functional: Mapping[str, Any] | None
    code: CodeReport | None
    runs: int
    failed: Sequence[str] = ()
    goals: Mapping[str, float] | None = None
    root: Path = ROOT

    def as_dict(self) -> dict[str, Any]:
        """The content of `coverage.json`; a share that was not measured is null."""
        functional = self.functional or {}
        shares = {kind: _percent(self.code.kinds.get(kind)) if self.code else None for kind in KINDS}
        points: dict[str, list[Point]] = defaultdict(list)
        for point in self.code.uncovered if self.code else ():
            points[point.kind].append(point)
        return {
            "block": self.block,
            "functional": functional.get("percent"),
            **shares,
            "uncovered": {
                "functional": list(functional.get("uncovered", ())),
                **{kind: grouped(points[kind]) for kind in KINDS},
            },
            "exclusions": [*_code_exclusions(self.code), *_ignored_bins(functional)],
            "contradictions": list(functional.get("contradictions", ())),
            "notes": list(functional.get("notes", ())),
            "runs": self.runs,
            "failed_runs": list(self.failed),
        }

    def html(self) -> str:
        """The page."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(TEMPLATE.parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters["share"] = _share
        return environment.get_template(TEMPLATE.name).render(
            report=self,
            data=self.as_dict(),
            kinds=KINDS,
            tiles=self._tiles(),
            missing=_missing_bins(self.functional or {}),
            groups=[_group_view(group) for group in (self.functional or {}).get("groups", ())],
            uncovered=self._uncovered_code(),
            exclusions=_by_reason(self.as_dict()["exclusions"]),
        )

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Writes both files into `folder`; returns their paths, the page first."""
        folder.mkdir(parents=True, exist_ok=True)
        page, data = folder / HTML_NAME, folder / JSON_NAME
        write_whole(page, self.html())
        write_whole(data, json.dumps(self.as_dict(), indent=1) + "\n")
        return page, data

    def _tiles(self) -> list[dict[str, Any]]:
        """The figures at the head of the page."""
        goals = self.goals or {}
        tiles = []
        if self.functional is not None:
            tiles.append({"name": "functional", **_part(self.functional), "goal": goals.get("functional", 100.0)})
        for kind in KINDS if self.code else ():
            totals = self.code.kinds.get(kind)
            if totals is not None and totals.total:
                tiles.append({"name": kind, **totals.as_dict(), "goal": goals.get(kind)})
        return tiles

    def _uncovered_code(self) -> list[dict[str, Any]]:
        """Uncovered points by file: number, text and findings of each line."""
        files: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for kind in KINDS if self.code else ():
            points = [point for point in self.code.uncovered if point.kind == kind]
            for text in grouped(points):
                file, line, what = text.split(":", 2)
                files[file][int(line)].append(what.strip())
        return [
            {
                "file": file,
                "lines": [
                    {"number": number, "text": _source(self.root / file, number), "what": lines[number]}
                    for number in sorted(lines)
                ],
            }
            for file, lines in sorted(files.items())
        ]


def _percent(totals: Totals | None) -> float | None:
    return totals.as_dict()["percent"] if totals is not None and totals.total else None


def _part(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {name: summary[name] for name in ("covered", "total", "percent")}


def _share(value: float) -> str:
    """100 %, 97.25 %, 97.5 %."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + " %"


def _source(path: Path, number: int) -> str:
    try:
        lines = path.read_text(errors="replace", encoding="utf-8").splitlines()
    except OSError:
        return ""
    return " ".join(lines[number - 1].split()) if 0 < number <= len(lines) else ""


def _code_exclusions(code: CodeReport | None) -> list[dict[str, str]]:
    return [{"what": str(point), "reason": reason} for point, reason in (code.excluded if code else ())]


def _ignored_bins(functional: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"what": f"{group['name']}.{item['name']}: {entry['bin']}", "reason": entry["reason"]}
        for group in functional.get("groups", ())
        for item in group["items"]
        for entry in item["ignored"]
    ]


def _by_reason(exclusions: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for entry in exclusions:
        reasons[entry["reason"]].append(entry["what"])
    return [{"reason": reason, "what": what} for reason, what in reasons.items()]


def _missing_bins(functional: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Items with uncovered bins."""
    return [
        {**item, "name": f"{group['name']}.{item['name']}", "anchor": f"{group['name']}-{item['name']}"}
        for group in functional.get("groups", ())
        for item in group["items"]
        if item["uncovered"]
    ]


def _group_view(group: Mapping[str, Any]) -> dict[str, Any]:
    return {**group, "items": [{**item, "table": _item_table(item)} for item in group["items"]]}


def _item_table(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item's counts as a table: the last point across, the others down. A cell is None where a bin is ignored."""
    axes = [[(name, label) for label in labels] for name, labels in zip(item["points"], item["axes"], strict=True)]

    def cell(parts: Sequence[tuple[str, str]]) -> int | None:
        label = ", ".join(f"{name} {value}" for name, value in parts) if item["kind"] == "cross" else parts[0][1]
        return item["bins"].get(label)

    rows = [
        {
            "head": " · ".join(value for _, value in down),
            "cells": [{"count": cell((*down, across)), "label": across[1]} for across in axes[-1]],
        }
        for down in itertools.product(*axes[:-1])
    ]
    return {
        "corner": " · ".join(item["points"][:-1]),
        "across": item["points"][-1],
        "columns": [label for _, label in axes[-1]],
        "rows": rows,
    }
