"""The jobs of a regression: one simulation each, with an ID, a record that is kept, and the digest that it holds for.

A job's record is build/regress/jobs/<ID>/job.json, written last and atomically by who ran the job; the coverage of a
job that passed lies beside it. A record counts as long as its `digest` is that of the sources: a regression runs only
jobs that have none. ID: <block>-<test>-<simulator>-<seed>-<hash of parameters and configuration>.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import gzip
import hashlib
import json
import logging
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flow.core.building import BuildError, build
from flow.core.simulate import RunResult, run, transaction_logs
from flow.core.tools import tool_versions
from models.common.files import write_whole
from models.common.floats import check_platform
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, ROOT, SOURCES, shown, source_files
from tb.lib.testlist import block_runs

REGRESS = BUILD / "regress"
FUNCTIONAL, CODE = "functional.json", "coverage.dat.gz"
LABEL = "regress"  # of run folders: nobody else empties them
_KEPT = {"config.json", "sim.log", "result.json", "results.xml"}  # of a run that passed; its traces take too much room
# What a run does not take, and a worker cannot (functions of the block's command line).
_LOCAL = ("options", "sim_options", "print_report", "functional_coverage", "bench", "check", "tests", "coverage_runs")


@dataclass(frozen=True)
class Job:
    """One simulation of a regression; `params` are all of the block's, `coverage` counts code coverage."""

    block: str
    test: str
    sim: str
    seed: int
    params: Mapping[str, int]
    config: Mapping[str, Any] = field(default_factory=dict)
    coverage: bool = False

    @functools.cached_property
    def id(self) -> str:
        """Short, and the same in every regression."""
        identity = json.dumps([dict(self.params), dict(self.config)], sort_keys=True)
        return f"{self.block}-{self.test}-{self.sim}-{self.seed}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"

    @property
    def configuration(self) -> tuple[Any, ...]:
        """What the build depends on: jobs with the same share one."""
        return (self.block, self.sim, tuple(sorted(self.params.items())), self.coverage)

    def facts(self) -> dict[str, Any]:
        """The head of the job's record."""
        return {"id": self.id, **dataclasses.asdict(self)}


def plan_jobs(blocks: Iterable[Block], sim: str, seeds: int | None, coverage: bool) -> list[Job]:
    """Every run of every block's test list; `seeds`: as in `TestEntry.runs`.

    Code coverage is counted with the parameters that `make coverage` counts it with. Raises `UserError` if there is
    nothing to run.
    """
    jobs: dict[str, Job] = {}
    for block in blocks:
        for spec in block_runs(block.tests, sim, seeds=seeds):
            params = block.resolve_params(spec.params)
            counts = coverage and block.counts_code(params)
            job = Job(block.name, spec.test, sim, spec.seed, params, spec.config, counts)
            jobs.setdefault(job.id, job)
    if not jobs:
        raise UserError(f"the test lists name no run on {sim}")
    return list(jobs.values())


def portable(block: Block) -> Block:
    """What a worker needs of a block, without functions."""
    defaults = {each.name: each.default for each in dataclasses.fields(Block)}
    return dataclasses.replace(block, **{name: defaults[name] for name in _LOCAL})


# --- digest ----------------------------------------


def _files(block: Block) -> list[Path]:
    own = [ROOT / name for name in (*block.rtl, *block.tb_sources)]  # absolute names stay
    return sorted({*source_files(SOURCES), *own})


_digests: dict[tuple[Any, ...], str] = {}


def source_digest(block: Block, sim: str) -> str:
    """Digest of everything that decides a result beside the job: sources, models, data, requirements, tools."""
    files = _files(block)
    try:
        state = tuple((str(path), (stat := path.stat()).st_mtime_ns, stat.st_size) for path in files)
        key = (sim, state)
        if key not in _digests:
            digest = hashlib.sha256(json.dumps(tool_versions(sim), sort_keys=True).encode())
            for path in files:
                content = path.read_bytes()
                digest.update(f"\0{path}\0{len(content)}\0".encode() + content)
            _digests.clear()
            _digests[key] = digest.hexdigest()[:20]
    except OSError as error:
        raise UserError(f"cannot read a source: {error}") from error
    return _digests[key]


def _flow_digest() -> str:
    """Digest of the code that a worker holds in memory."""
    digest = hashlib.sha256()
    for path in source_files(("flow", "tb/lib"), {".py"}):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_LOADED = _flow_digest()


def check_sources(block: Block, sim: str, digest: str) -> None:
    """Raises `UserError` on a worker that has, or was started with, other sources than the regression."""
    where = f"the worker on {socket.gethostname()}"
    if (wrong := check_platform()) is not None:
        raise UserError(f"{where}: {wrong}")
    if _flow_digest() != _LOADED:
        raise UserError(f"{where} was started with other sources: start it again")
    if source_digest(block, sim) != digest:
        raise UserError(f"{where} sees other sources in {ROOT}: they changed during the regression, or it has others")


# --- records ----------------------------------------


def write_json(path: Path, content: Any) -> None:
    """Writes `path` so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(content, indent=1, default=str) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file; None if there is none, or it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def folder(job_id: str, store: Path = REGRESS) -> Path:
    """Where a job's record and coverage lie."""
    return store / "jobs" / job_id


def load_record(job: Job, digest: str, store: Path) -> dict[str, Any] | None:
    """The job's record if it holds for `digest` and the simulation came to its own end."""
    record = read_json(folder(job.id, store) / "job.json")
    if not isinstance(record, dict) or record.get("digest") != digest or record.get("coverage") != job.coverage:
        return None
    return record if record.get("final") else None


def save_record(record: Mapping[str, Any], store: Path) -> None:
    """Keeps a job's record."""
    write_json(folder(record["id"], store) / "job.json", record)


def forget(job: Job, store: Path) -> None:
    """Removes a job's record, so that it runs again."""
    shutil.rmtree(folder(job.id, store), ignore_errors=True)


def signature(block: str, error: str, boundary: str | None) -> str:
    """What failures of one cause share: the boundary that diverged first, or the error without its numbers."""
    if boundary:
        return f"{block}: first divergence at {boundary}"
    first = (error.strip().splitlines() or ["failed"])[0]
    return f"{block}: " + re.sub(r"\b(0x[0-9a-fA-F]+|[0-9a-f]{8,}|\d+(\.\d+)?)\b", "#", first)[:200]


def failure(job: Job, digest: str, error: str, *, final: bool = False, tail: Iterable[str] = ()) -> dict[str, Any]:
    """The record of a job that left no result of its own."""
    return {
        **job.facts(),
        "digest": digest,
        "status": "fail",
        "final": final,
        "error": error,
        "signature": signature(job.block, error, None),
        "log_tail": list(tail),
        "replay": f"make replay ID={job.id}",
        "seconds": 0.0,
    }


def find_job(job_id: str | None, store: Path = REGRESS) -> Job:
    """The job of the last regression with this ID. `UserError` that names the nearest ones if there is none."""
    last = read_json(store / "regress.json")
    if not isinstance(last, dict) or not last.get("jobs"):
        raise UserError("there is no regression to replay from: run 'make regress' first")
    known = {job["id"]: job for job in last["jobs"]}
    if job_id not in known:
        names = [group["jobs"][0] for group in last["failures"]] or list(known)
        near = difflib.get_close_matches(job_id or "", known, n=3, cutoff=0.4) or names[:3]
        asked = f"ID={job_id} is not a job of the last regression" if job_id else "ID says which job to replay"
        raise UserError(f"{asked}: {', '.join(near)}{', ...' if len(known) > len(near) else ''}")
    names = {each.name for each in dataclasses.fields(Job)}
    return Job(**{name: value for name, value in known[job_id].items() if name in names})


# --- on a worker ----------------------------------------


def late(deadline: float | None) -> bool:
    """Whether nothing may start any more."""
    return deadline is not None and time.time() >= deadline


def build_job(block: Block, job: Job, digest: str, threads: int, deadline: float | None) -> dict[str, Any]:
    """Builds what `job` runs on: `seconds` that it took (a build of an earlier command takes none), `error` lines,
    `late`: nothing was done."""
    if late(deadline):
        return {"late": True, "seconds": 0.0, "error": ""}
    check_sources(block, job.sim, digest)
    start, error = time.monotonic(), ""
    try:
        build(block, job.sim, job.params, coverage=job.coverage, jobs=threads)
    except BuildError as problem:
        error = str(problem)
    return {"late": False, "seconds": round(time.monotonic() - start, 2), "error": error}


def run_job(
    block: Block, job: Job, digest: str, store: Path, timeout: float, deadline: float | None
) -> dict[str, Any] | None:
    """Runs a job and keeps its record, which is returned; None if it was too late to start.

    A record that is there already (of a worker that died before it could say so) is not made twice.
    """
    kept = load_record(job, digest, store)
    if kept is not None:
        return kept
    if late(deadline):
        return None
    check_sources(block, job.sim, digest)
    started = time.time()
    logging.getLogger("_VerilatorRunner").disabled = logging.getLogger("_IcarusRunner").disabled = True  # we judge
    result = run(
        block, job.sim, job.test, job.seed, job.params, job.config, coverage=job.coverage, timeout=timeout, label=LABEL,
        forked=digest,
    )  # fmt: skip
    if result.passed and job.coverage and result.coverage is None:
        result = dataclasses.replace(result, passed=False, error="the simulation wrote no coverage.dat")
    forget(job, store)
    record = _record(job, digest, result) | {"started": started, "worker": f"{socket.gethostname()}:{os.getpid()}"}
    if result.passed:
        _keep_coverage(result, folder(job.id, store))
        _prune(result.run_dir)
    save_record(record, store)
    return record


def _record(job: Job, digest: str, result: RunResult) -> dict[str, Any]:
    said = result.result or {}
    divergence = said.get("first_divergence")
    boundary = divergence.get("boundary") if isinstance(divergence, dict) and not result.passed else None
    if not result.passed and boundary is None and result.error.startswith("TS_ASSERT "):
        boundary = f"assertion {result.error.split()[1]}"
    record = {
        **job.facts(),
        "digest": digest,
        "status": "pass" if result.passed else "fail",
        # Another try of a simulation that was killed may end otherwise.
        "final": not (result.timed_out or result.exit_status == -9),
        "seconds": round(result.seconds, 3),
        "cycles": said.get("cycles"),
        "checks": said.get("checks", {}),
        "minimum": said.get("minimum", {}),
        "error": result.error,
        "replay": result.replay,
        "run_dir": shown(result.run_dir),
        "log": shown(result.log),
        "logs": transaction_logs(result.run_dir) if result.passed else {},
    }
    if not result.passed:
        record["signature"] = signature(job.block, result.error, boundary)
        record["boundary"] = boundary
        record["log_tail"] = list(result.log_tail) or _tail(result.log)
    return record


def _tail(log: Path, lines: int = 20) -> list[str]:
    try:
        return log.read_text(errors="replace", encoding="utf-8").splitlines()[-lines:]
    except OSError:
        return []


def _keep_coverage(result: RunResult, where: Path) -> None:
    where.mkdir(parents=True, exist_ok=True)
    source = result.run_dir / FUNCTIONAL
    if source.is_file():
        shutil.copyfile(source, where / FUNCTIONAL)
    if result.coverage is not None:
        with result.coverage.open("rb") as data, gzip.open(where / CODE, "wb", compresslevel=3) as out:
            shutil.copyfileobj(data, out)


def _prune(run_dir: Path) -> None:
    for path in run_dir.iterdir():
        if path.name not in _KEPT:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
