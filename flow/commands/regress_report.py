"""Reports of a regression: one JSON, one JUnit XML, one self-contained page, and a line in the history.

The page opens on the verdict and the failures, grouped by what they share. Coverage is merged over runs that passed;
testplans are closed by what ran here.
"""

from __future__ import annotations

import io
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
from junitparser import Error, Failure, JUnitXml, Properties, Property, TestCase, TestSuite
from matplotlib.figure import Figure

from flow.commands.regress_run import NOT_RUN, Outcome, Request
from flow.core import codecov
from flow.core.charts import FAIL, INK, PASS, axes_of, svg
from flow.core.coverage_report import Report
from flow.core.jobs import CODE, FUNCTIONAL, folder, signature, write_json
from models.common.files import write_whole
from tb.lib.contract import Block
from tb.lib.coverage import KeptRun
from tb.lib.errors import UserError
from tb.lib.paths import ROOT, shown
from tb.lib.testplan import CHECKS, STAGES, Testpoint, load_testplan

TEMPLATE = Path(__file__).with_name("regress_report.html.j2")
HISTORY = "history.jsonl"
HISTORY_SHOWN = 40
SLOWEST = 12
JOBS_SHOWN = 6  # of a group of failures, before the rest is folded


# --- content ----------------------------------------


def content(outcome: Outcome, request: Request) -> dict[str, Any]:
    """Everything that the reports say, for JSON."""
    records = [outcome.records[job.id] for job in outcome.jobs]
    failed = [record for record in records if record["status"] == "fail"]
    missing = [record for record in records if record["status"] == NOT_RUN]
    status = "fail" if failed else "incomplete" if missing else "pass"
    coverage = {block.name: _coverage(block, records, request) for block in request.blocks}
    return {
        "status": status,
        "date": datetime.fromtimestamp(outcome.started).astimezone().isoformat(timespec="seconds"),
        "digest": ", ".join(sorted(set(outcome.digests.values()))),
        "sim": request.sim,
        "seeds": request.seeds,
        "workers": request.scheduler or request.workers,
        "interrupted": outcome.interrupted,
        "total": len(records),
        "passed": sum(record["status"] == "pass" for record in records),
        "failed": len(failed),
        "not_run": [record["id"] for record in missing],
        "kept": len(outcome.kept),
        "build_seconds": round(outcome.build_seconds, 2),
        "run_seconds": round(outcome.run_seconds, 2),
        "wall_seconds": round(outcome.wall_seconds, 2),
        "builds": outcome.builds,
        "blocks": [_block_row(block, records, coverage[block.name]) for block in request.blocks],
        "failures": group_failures(failed),
        "testplan": closure(request.blocks, records),
        "coverage": coverage,
        "repeated": repeated(records),
        "jobs": [{**record, "kept": record["id"] in outcome.kept} for record in records],
    }


def _block_row(block: Block, records: Sequence[Mapping[str, Any]], coverage: Mapping[str, Any]) -> dict[str, Any]:
    mine = [record for record in records if record["block"] == block.name]
    return {
        "name": block.name,
        "title": block.title,
        "total": len(mine),
        **{status.replace(" ", "_"): sum(r["status"] == status for r in mine) for status in ("pass", "fail", NOT_RUN)},
        "tests": len({record["test"] for record in mine}),
        "seeds": len({record["seed"] for record in mine}),
        "run_seconds": round(sum(record["seconds"] for record in mine), 2),
        "cycles": sum(record.get("cycles") or 0 for record in mine),
        "checks": {kind: sum(record.get("checks", {}).get(kind, 0) for record in mine) for kind in CHECKS},
        "functional": (coverage.get("functional") or {}).get("percent"),
    }


def group_failures(failed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Failures that share a signature, the largest group first."""
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in failed:
        groups[record.get("signature") or signature(record["block"], record["error"], None)].append(record)
    return [
        {
            "signature": name,
            "count": len(group),
            "block": group[0]["block"],
            "tests": sorted({record["test"] for record in group}),
            "jobs": [record["id"] for record in group],
        }
        for name, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def repeated(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tests of which two seeds played the same run: their entry in the list should say `directed`."""
    seen: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        if record["status"] == "pass" and record["logs"]:
            same = json.dumps([record["params"], record["config"], record["logs"]], sort_keys=True)
            seen[record["block"], record["test"], same].append(record)
    return sorted(
        {f"{block} {test}" for (block, test, _), group in seen.items() if len({r["seed"] for r in group}) > 1}
    )


# --- testplan ----------------------------------------


def closure(blocks: Sequence[Block], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Testpoints by stage: `stages` counts those mapped, run, passed; `points` says of each what it lacks.

    Mapped: each of its tests is in the block's list. Run: each has run. Passed: all of these runs passed, and each made
    at least the comparisons that the testpoint declares.
    """
    points: list[dict[str, Any]] = []
    for block in blocks:
        if block.testplan is None:
            continue
        mine = [record for record in records if record["block"] == block.name]
        listed = {entry.test for entry in block.tests}
        points += [_point(block, point, mine, listed) for point in load_testplan(ROOT / block.testplan)]
    stages = {
        stage: {
            "total": sum(point["stage"] == stage for point in points),
            **{what: sum(point["stage"] == stage and point[what] for point in points) for what in _STEPS},
        }
        for stage in STAGES
    }
    return {"stages": stages, "points": points}


_STEPS = ("mapped", "run", "passed")


def _point(block: Block, point: Testpoint, records: Sequence[Mapping[str, Any]], listed: set[str]) -> dict[str, Any]:
    mine = [record for record in records if record["test"] in point.tests]
    ran = [record for record in mine if record["status"] != NOT_RUN]
    idle = [test for test in point.tests if test not in {record["test"] for record in ran}]
    made: dict[str, Any] = {}
    short: list[str] = []
    for reduced, need in ((False, point.checks), (True, point.reduced)):
        counts = [
            r.get("checks", {}) for r in ran if bool(r["config"].get("reduced")) is reduced and r["status"] == "pass"
        ]
        if not counts:
            continue
        least = {kind: min(count.get(kind, 0) for count in counts) for kind in CHECKS}
        made["reduced" if reduced else "full"] = {kind: [least[kind], need[kind]] for kind in CHECKS}
        short += [f"{least[kind]} of {need[kind]} {kind} comparisons" for kind in CHECKS if least[kind] < need[kind]]
    failed = sum(record["status"] == "fail" for record in ran)
    lacks = [f"no run of {test}" for test in idle] + ([_runs(failed, "failed")] if failed else []) + short
    skipped = len(mine) - len(ran)
    return {
        "block": block.name,
        "name": point.name,
        "stage": point.stage,
        "stimulus": point.stimulus,
        "check": point.check,
        "tests": list(point.tests),
        "mapped": set(point.tests) <= listed,
        "run": not idle,
        "passed": not lacks and not skipped,
        "runs": len(ran),
        "failed": failed,
        "made": made,
        "lacks": lacks + ([_runs(skipped, "did not run")] if skipped else []),
        "jobs": [record["id"] for record in ran if record["status"] == "fail"],
    }


def _runs(number: int, what: str) -> str:
    return f"{number} run{'s' if number != 1 else ''} {what}"


# --- coverage ----------------------------------------


def _coverage(block: Block, records: Sequence[Mapping[str, Any]], request: Request) -> dict[str, Any]:
    """Coverage merged over the runs of `block` that passed: functional over those of whose parameters bins speak
    (`Block.covers`), code over those whose code counts (`Block.counts_code`); None for what was not measured,
    `problems` in lines."""
    passed = [record for record in records if record["block"] == block.name and record["status"] == "pass"]
    out: dict[str, Any] = {"functional": None, "code": None, "runs": 0, "problems": []}
    if request.sim != "verilator":
        return out
    measured = [
        record
        for record in passed
        if block.covers(record["params"]) and (folder(record["id"], request.store) / FUNCTIONAL).is_file()
    ]
    if block.functional_coverage is not None and measured:
        runs = [
            KeptRun(record["test"], record["seed"], record["sim"], folder(record["id"], request.store))
            for record in measured
        ]
        summary = block.functional_coverage(runs)
        names = ("percent", "covered", "total", "uncovered", "contradictions")
        out["functional"] = {name: summary.get(name) for name in names}
        out["runs"] = len(measured)
        out["problems"] += [f"declared unreachable, but hit: {name}" for name in summary.get("contradictions") or ()]
    files = [
        folder(record["id"], request.store) / CODE
        for record in passed
        if record["coverage"] and block.counts_code(record["params"])
    ]
    if files:
        try:
            merged = codecov.merge(files).of(block.coverage_files)
            exclusions = codecov.load_exclusions(block.name)
            try:
                code = codecov.report(merged, exclusions)
            except UserError as error:
                # More seeds than `make coverage` takes may reach what an exclusion calls unreachable.
                out["problems"].append(str(error))
                code = codecov.report(merged)
        except (UserError, OSError) as error:
            out["problems"].append(f"code coverage cannot be merged: {error}")
        else:
            out["code_runs"] = len(files)
            shares = Report(block.name, block.title, None, code, len(files)).as_dict()
            out["code"] = {
                "kinds": {kind: totals.as_dict() for kind, totals in code.kinds.items()},
                "uncovered": {kind: shares["uncovered"][kind] for kind in codecov.KINDS},
                "goals": dict(block.coverage_goals),
                "excluded": len(code.excluded),
            }
    return out


def _overall(coverage: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Shares over all blocks, by kind, of what was measured; rounded down."""
    sums: dict[str, list[int]] = {}
    for each in coverage.values():
        parts = {"functional": each["functional"], **((each["code"] or {}).get("kinds") or {})}
        for kind, part in parts.items():
            if part and part["total"]:
                total = sums.setdefault(kind, [0, 0])
                total[0] += part["covered"]
                total[1] += part["total"]
    return {kind: int(10000 * covered / total) / 100 for kind, (covered, total) in sums.items()}


def _measured(coverage: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Of how many blocks each kind was measured."""
    code = sum(each["code"] is not None for each in coverage.values())
    functional = sum(each["functional"] is not None for each in coverage.values())
    return {"functional": functional, **dict.fromkeys(codecov.KINDS, code)}


# --- history ----------------------------------------


def add_history(data: Mapping[str, Any], store: Path) -> list[dict[str, Any]]:
    """Adds this regression to the history; all of it, oldest first. Broken lines are left out."""
    line = {name: data[name] for name in ("date", "digest", "sim", "seeds", "status", "total", "passed", "failed")}
    line["not_run"] = len(data["not_run"])
    line["blocks"] = [row["name"] for row in data["blocks"]]
    line["coverage"] = _overall(data["coverage"])
    line["seconds"] = data["wall_seconds"]
    path = store / HISTORY
    with path.open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(line) + "\n")
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(text)
        except ValueError:
            continue
        if isinstance(entry, dict) and set(line) <= set(entry):
            lines.append(entry)
    return lines


# --- pictures ----------------------------------------


def history_picture(history: Sequence[Mapping[str, Any]]) -> str:
    """Passed, failed and not run of the last regressions, and their coverage."""
    same = [entry for entry in history if all(entry[key] == history[-1][key] for key in ("blocks", "sim"))]
    last = same[-HISTORY_SHOWN:]
    width = max(len(last), 12)
    places = range(len(last))
    measured = any(entry["coverage"] for entry in last)
    figure = Figure(figsize=(9.5, 3.1 if measured else 1.8))
    axes = axes_of(figure, 2 if measured else 1, 1, 1)
    base = [0] * len(last)
    for name, colour in (("passed", PASS), ("failed", FAIL), ("not_run", "#c9ced4")):
        values = [entry[name] for entry in last]
        axes.bar(places, values, bottom=base, color=colour, width=0.7, label=name.replace("_", " "))
        base = [a + b for a, b in zip(base, values, strict=True)]
    axes.set_ylabel("jobs", fontsize=8, color=INK)
    axes.set_xlim(-0.6, width - 0.4)
    axes.legend(fontsize=8, frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), labelcolor=INK)
    if measured:
        axes.set_xticks([])
        axes = axes_of(figure, 2, 1, 2)
        kinds = list(dict.fromkeys(kind for entry in last for kind in entry["coverage"]))
        for kind in kinds:
            points = [(at, entry["coverage"][kind]) for at, entry in enumerate(last) if kind in entry["coverage"]]
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, linewidth=1.2, label=kind)
        axes.set_xlim(-0.6, width - 0.4)
        axes.set_ylabel("coverage %", fontsize=8, color=INK)
        axes.legend(fontsize=8, frameon=False, ncols=5, loc="upper right", bbox_to_anchor=(1, -0.25), labelcolor=INK)
    every = max(1, len(last) // 12)
    axes.set_xticks(
        list(places)[::every], [entry["date"][5:16].replace("T", "\n") for entry in last][::every], fontsize=7
    )
    return svg(figure, "history")


def timeline_picture(jobs: Sequence[Mapping[str, Any]], started: float) -> str:
    """Which worker ran what when; empty if nothing ran."""
    ran = [job for job in jobs if job.get("started") and job["started"] >= started and not job["kept"]]
    if not ran:
        return ""
    workers = sorted({job["worker"] for job in ran})
    figure = Figure(figsize=(9.5, 0.6 + 0.32 * len(workers)))
    axes = axes_of(figure, 1, 1, 1)
    for status, colour in (("pass", PASS), ("fail", FAIL)):
        mine = [job for job in ran if job["status"] == status]
        axes.barh(
            [workers.index(job["worker"]) for job in mine],
            [job["seconds"] for job in mine],
            left=[job["started"] - started for job in mine],
            color=colour,
            edgecolor="white",
            linewidth=0.4,
            height=0.7,
        )
    axes.set_yticks(range(len(workers)), [f"worker {number}" for number in range(1, len(workers) + 1)], fontsize=8)
    axes.set_xlabel("seconds from the start", fontsize=8, color=INK)
    axes.set_xlim(0)
    return svg(figure, "timeline")


# --- files ----------------------------------------


def write_junit(data: Mapping[str, Any], path: Path) -> None:
    """A suite a block, a case a job; what did not run is an error."""
    xml = JUnitXml("regression")
    for row in data["blocks"]:
        suite = TestSuite(row["name"])
        for job in data["jobs"]:
            if job["block"] != row["name"]:
                continue
            case = TestCase(job["id"], f"{job['block']}.{job['test']}", job["seconds"])
            if job["status"] != "pass":
                kind = Failure if job["status"] == "fail" else Error
                said = kind(_xml(job["error"]), job["status"])
                lines = [job["error"], f"replay: {job['replay']}", *job.get("log_tail", ())]
                said.text = _xml("\n".join(lines))
                case.result = [said]
            suite.add_testcase(case)
        properties = Properties()
        properties.add_property(Property("digest", data["digest"]))
        properties.add_property(Property("sim", data["sim"]))
        suite.append(properties)
        xml.add_testsuite(suite)
    xml.update_statistics()
    out = io.BytesIO()
    xml.write(out, pretty=True)
    write_whole(path, out.getvalue())


def _xml(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


def _variant(job: Mapping[str, Any], block: Block) -> str:
    """Parameters and configuration of a job that are not the default."""
    given = {name: value for name, value in job["params"].items() if value != block.params[name].default}
    config = {name: value for name, value in job["config"].items() if name != "reduced"}
    return " ".join(f"{name}={value}" for name, value in {**given, **config}.items())


def page(data: Mapping[str, Any], history: Sequence[Mapping[str, Any]], blocks: Sequence[Block], started: float) -> str:
    """The page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATE.parent, ROOT / "flow" / "core"]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["span"] = _span
    environment.filters["tail"] = _readable
    environment.filters["share"] = lambda value: f"{value:.2f}".rstrip("0").rstrip(".") + " %"
    variants = {block.name: block for block in blocks}
    jobs = {job["id"]: {**job, "variant": _variant(job, variants[job["block"]])} for job in data["jobs"]}
    ran = [job for job in data["jobs"] if job["status"] != NOT_RUN]
    tests: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for job in jobs.values():
        tests[job["block"], job["test"]].append(job)
    return environment.get_template(TEMPLATE.name).render(
        data=data,
        jobs=jobs,
        tests=tests,
        slowest=sorted(ran, key=lambda job: -job["seconds"])[:SLOWEST],
        overall=_overall(data["coverage"]),
        measured=_measured(data["coverage"]),
        SHOWN=JOBS_SHOWN,
        kinds=("functional", *codecov.KINDS),
        history=history,
        history_picture=history_picture(history),
        timeline=timeline_picture(data["jobs"], started),
        words={"pass": "passed", "fail": "FAILED", "incomplete": "INCOMPLETE", NOT_RUN: "not run"},
    )


def _readable(lines: Sequence[str]) -> str:
    """The end of a log without frames of asterisks and the wide left margin of cocotb's messages."""
    kept = [line.rstrip() for line in lines if line.strip().strip("*")]
    wide = [margin for line in kept if (margin := len(line) - len(line.lstrip())) >= 20]
    return "\n".join(
        line.replace(" " * min(wide), "    ", 1) if wide and line[:20].isspace() else line for line in kept
    )


def _span(seconds: float) -> str:
    """3.2 s, 4 min 05 s, 1 h 02 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def write_reports(outcome: Outcome, request: Request) -> tuple[dict[str, Any], dict[str, Path]]:
    """Writes all reports into the store: (content, files by kind)."""
    data = content(outcome, request)
    store = request.store
    store.mkdir(parents=True, exist_ok=True)
    files = {"page": store / "regress.html", "junit": store / "junit.xml", "json": store / "regress.json"}
    write_json(files["json"], data)
    write_junit(data, files["junit"])
    history = add_history(data, store)
    write_whole(files["page"], page(data, history, request.blocks, outcome.started))
    return data, files


def summary_lines(data: Mapping[str, Any], files: Mapping[str, Path]) -> list[str]:
    """What the console says at the end."""
    lines = []
    for group in data["failures"]:
        lines.append(f"FAIL {group['count']} x {group['signature']}")
        lines += [f"  replay: make replay ID={name}" for name in group["jobs"][:3]]
        if group["count"] > 3:
            lines.append(f"  and {group['count'] - 3} more on the page")
    if data["not_run"]:
        why = next(job["error"] for job in data["jobs"] if job["status"] == NOT_RUN)
        lines.append(f"NOT RUN: {len(data['not_run'])} of {data['total']} jobs ({why}); the same command runs them:")
        lines += [f"  {name}" for name in data["not_run"][:10]]
        if len(data["not_run"]) > 10:
            lines.append(f"  and {len(data['not_run']) - 10} more in the report")
    lines += [f"problem: {each['problems'][0]}" for each in data["coverage"].values() if each["problems"]]
    lines += [f"note: seeds of {test} repeat one run: its entry should say directed" for test in data["repeated"]]
    stages = data["testplan"]["stages"]
    closed = ", ".join(f"{stage} {row['passed']} of {row['total']}" for stage, row in stages.items() if row["total"])
    if closed:
        lines.append(f"testpoints passed: {closed}")
    shares = ", ".join(f"{kind} {share} %" for kind, share in _overall(data["coverage"]).items())
    if shares:
        lines.append(f"coverage: {shares}")
    lines += [f"{name}: {shown(path)}" for name, path in files.items()]
    lines.append(
        f"{ {'pass': 'PASS', 'fail': 'FAIL', 'incomplete': 'INCOMPLETE'}[data['status']] } "
        f"{data['passed']} of {data['total']} jobs passed, {data['failed']} failed, {len(data['not_run'])} not run; "
        f"{data['wall_seconds']:.1f} s (build {data['build_seconds']:.1f} s, run {data['run_seconds']:.1f} s)"
    )
    return lines
