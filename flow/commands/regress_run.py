"""`make regress`: every run of every block's test list, on a Dask cluster of this machine or an existing one.

Engine is dask.distributed: a job is a task whose key holds the job's ID, so a job that ran twice (its worker died)
counts once. First every configuration is built, then everything runs. Results are kept as they come (core/jobs.py);
the same command after an interrupt runs what is missing. Reports: flow/commands/regress_report.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distributed import Future, KilledWorker
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from flow.core import jobs as jobs_module
from flow.core.cluster import CONNECT_SECONDS, Cluster, ClusterLost, check_workers, connect, why
from flow.core.jobs import Job, build_job, failure, load_record, portable, run_job, save_record
from flow.core.processes import DEFAULT_TIMEOUT
from tb.lib.contract import Block
from tb.lib.errors import UserError

LINE_SECONDS = 20.0  # between lines where there is no terminal
NOT_RUN = "not run"


@dataclass(frozen=True)
class Request:
    """What `make regress` is asked for. `seeds`: None for the test lists' own; `minutes`: no job starts later;
    `scheduler`: address of an existing cluster, otherwise `workers` processes here; `timeout` of a simulation, s."""

    blocks: tuple[Block, ...]
    sim: str = "verilator"
    seeds: int | None = None
    workers: int = 2
    minutes: float | None = None
    scheduler: str | None = None
    coverage: bool = False
    restart: bool = False
    timeout: float = DEFAULT_TIMEOUT
    store: Path = jobs_module.REGRESS


@dataclass
class Outcome:
    """What came of a regression: a record for every job of `jobs`, those that did not run among them.

    `kept`: IDs of records of an earlier command; `build_seconds`, `run_seconds`: wall-clock time of either phase;
    `builds`: seconds of every build; `interrupted`: why not everything ran, if so.
    """

    jobs: list[Job]
    digests: dict[str, str]
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    builds: dict[str, float] = field(default_factory=dict)
    build_seconds: float = 0.0
    run_seconds: float = 0.0
    started: float = field(default_factory=time.time)
    wall_seconds: float = 0.0
    interrupted: str = ""
    killed: bool = False  # by the user


# --- progress ----------------------------------------


class Steps:
    """Live on a terminal; a line now and then elsewhere."""

    def __init__(self, console: Console, what: str, total: int, threads: int) -> None:
        self.console, self.what, self.total, self.threads = console, what, total, threads
        self.done = self.failed = self.late = 0
        self.start = self.said = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[running]} running, {task.fields[failed]} failed, {task.fields[rate]:.1f}/min"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(what, total=total, running=0, failed=0, rate=0.0)

    def __enter__(self) -> Steps:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.tick()
        self.bar.stop()
        if not self.console.is_terminal and self.total:
            self._line()

    def _rate(self) -> float:
        return 60 * self.done / max(time.monotonic() - self.start, 1e-3)

    def step(self, failed: bool = False, late: bool = False) -> None:
        """One more is done, or came too late to start."""
        self.done += not late
        self.failed += failed
        self.late += late

    def tick(self) -> None:
        """Shows the state."""
        running = min(self.threads, self.total - self.done - self.late)
        self.bar.update(self.task, completed=self.done, running=running, failed=self.failed, rate=self._rate())
        if not self.console.is_terminal and time.monotonic() - self.said > LINE_SECONDS:
            self._line()

    def _line(self) -> None:
        self.said = time.monotonic()
        rate = self._rate()
        todo = self.total - self.done - self.late
        left = f", {60 * todo / rate:.0f} s left" if rate and todo else ""
        left += f", {self.late} not started" if self.late else ""
        print(
            f"{self.what}: {self.done} of {self.total} done, {self.failed} failed, {rate:.1f}/min{left}",
            file=self.console.file,
            flush=True,
        )


# --- the regression ----------------------------------------


@contextlib.contextmanager
def alone(store: Path) -> Iterator[None]:
    """One regression at a time writes to `store`."""
    store.mkdir(parents=True, exist_ok=True)
    with (store / "lock").open("w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError("another regression runs in this clone: wait for its end") from None
        yield


def regress(request: Request, console: Console) -> Outcome:
    """Runs what has no record yet. Raises `UserError` for what a user can mend before anything ran."""
    start = time.monotonic()
    deadline = None if request.minutes is None else time.time() + 60 * request.minutes
    planned = jobs_module.plan_jobs(request.blocks, request.sim, request.seeds, request.coverage)
    blocks = {block.name: block for block in request.blocks}
    digests = {name: jobs_module.source_digest(block, request.sim) for name, block in blocks.items()}
    outcome = Outcome(planned, digests)
    for job in planned:
        record = None if request.restart else load_record(job, digests[job.block], request.store)
        if record is not None:
            outcome.records[job.id] = record
            outcome.kept.add(job.id)
    todo = [job for job in planned if job.id not in outcome.kept]
    if outcome.kept:
        console.print(
            f"{len(outcome.kept)} of {len(planned)} results are those of earlier commands with the same sources "
            "(RESTART=1 runs all anew)"
        )
    if todo:
        todo.sort(key=lambda job: _last_seconds(job, request.store), reverse=True)
        for job in todo:
            jobs_module.forget(job, request.store)
        try:
            with connect(request.scheduler, min(request.workers, len(todo)), request.store) as cluster:
                workers = {name: portable(block) for name, block in blocks.items()}
                check_workers(cluster, workers[todo[0].block], request.sim, digests[todo[0].block])
                _Phases(cluster, request, outcome, workers, deadline, console).carry_out(todo)
        except KeyboardInterrupt:
            outcome.interrupted, outcome.killed = "interrupted", True
            _sweep(outcome, todo, request.store)
        except ClusterLost as error:
            outcome.interrupted = str(error)
            _sweep(outcome, todo, request.store)
    for job in planned:
        if job.id not in outcome.records:
            why = outcome.interrupted or f"TIME={request.minutes:g} minutes were over"
            outcome.records[job.id] = failure(job, digests[job.block], why) | {"status": NOT_RUN, "signature": ""}
    outcome.wall_seconds = time.monotonic() - start
    return outcome


def _sweep(outcome: Outcome, todo: Sequence[Job], store: Path) -> None:
    """Takes over records that were written while nobody listened any more."""
    for job in todo:
        record = load_record(job, outcome.digests[job.block], store)
        if record is not None:
            outcome.records.setdefault(job.id, record)


def _last_seconds(job: Job, store: Path) -> float:
    """What the job took last time: the longest begin first."""
    record = jobs_module.read_json(jobs_module.folder(job.id, store) / "job.json")
    return float(record.get("seconds") or 0) if isinstance(record, dict) else 0.0


def task_key(kind: str, name: str, job: Job, digest: str, store: Path) -> tuple[str, str]:
    """Key of a task: the same for the same work, another for the same job of other sources, or of another clone that
    uses the cluster. The first part names the group that the scheduler hands out one by one."""
    facts = json.dumps([digest, str(store), job.coverage])
    return kind, f"{name}@{hashlib.sha256(facts.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class _Phases:
    """What the two phases of a regression, builds and runs, work with. `blocks` as workers get them; `deadline` in
    seconds of time.time()."""

    cluster: Cluster
    request: Request
    outcome: Outcome
    blocks: Mapping[str, Block]
    deadline: float | None
    console: Console

    def carry_out(self, todo: Sequence[Job]) -> None:
        """Builds, then runs `todo`; notes how long each took."""
        start = time.monotonic()
        try:
            ready = self._build(todo)
        finally:
            self.outcome.build_seconds = time.monotonic() - start
        start = time.monotonic()
        try:
            self._run(ready)
        finally:
            self.outcome.run_seconds = time.monotonic() - start

    def _build(self, todo: Sequence[Job]) -> list[Job]:
        """Builds every configuration once; the jobs whose build is there. The others get a record that says why not."""
        users: dict[tuple[Any, ...], list[Job]] = defaultdict(list)
        for job in todo:
            users[job.configuration].append(job)
        threads = max(1, self.request.workers // len(users))
        ready: list[Job] = []

        def name(key: tuple[Any, ...]) -> str:
            block, sim, params, coverage = key
            given = [f"{each}={value}" for each, value in params if value != self.blocks[block].params[each].default]
            return " ".join([block, sim, *given, *(["coverage"] if coverage else [])])

        def submit(key: tuple[Any, ...]) -> Future:
            job = users[key][0]
            block = self.blocks[job.block]
            task = task_key(
                "build", name(key).replace(" ", "-"), job, self.outcome.digests[job.block], self.request.store
            )
            return self.cluster.client.submit(
                build_job, block, job, self.outcome.digests[job.block], threads, self.deadline, key=task, pure=False
            )

        def done(key: tuple[Any, ...], future: Future) -> None:
            error, tail, final = "", [], False
            try:
                result = future.result(timeout=CONNECT_SECONDS)
                error, *tail = result["error"].splitlines() or [""]
                final = bool(error)
            except Exception as problem:
                result, error = {"late": False, "seconds": 0.0}, why(problem, "build")
            progress.step(bool(error), result["late"])
            if result["late"]:
                return
            self.outcome.builds[name(key)] = result["seconds"]
            if not error:
                ready.extend(users[key])
                return
            for job in users[key]:
                record = failure(job, self.outcome.digests[job.block], error, final=final, tail=tail)
                _note(self.outcome, record, self.request.store)

        with Steps(self.console, "build", len(users), self.cluster.threads) as progress:
            self.cluster.drain({key: submit(key) for key in users}, done, progress.tick)
        order = {job.id: index for index, job in enumerate(todo)}
        return sorted(ready, key=lambda job: order[job.id])

    def _run(self, ready: Sequence[Job]) -> None:
        """Runs every job; one that killed its worker again, alone."""
        suspects: list[Job] = []
        known = {job.id: job for job in ready}

        def submit(job: Job) -> Future:
            digest = self.outcome.digests[job.block]
            arguments = (self.blocks[job.block], job, digest, self.request.store, self.request.timeout, self.deadline)
            task = task_key("run", job.id, job, digest, self.request.store)
            return self.cluster.client.submit(run_job, *arguments, key=task, pure=False)

        def done(job_id: str, future: Future) -> None:
            job = known[job_id]
            try:
                record = future.result(timeout=CONNECT_SECONDS)
            except KilledWorker as problem:
                if alone_now:
                    record = failure(job, self.outcome.digests[job.block], why(problem, "run"))
                    save_record(record, self.request.store)
                else:
                    # Its workers may have died of a neighbour: it gets another try, alone.
                    suspects.append(job)
                    return
            except Exception as problem:
                record = failure(job, self.outcome.digests[job.block], why(problem, "run"))
                save_record(record, self.request.store)
            if record is not None:
                self.outcome.records[job_id] = record
                if record["status"] != "pass":
                    self.console.print(
                        f"FAIL {job_id}: {record['error']}", markup=False, highlight=False, soft_wrap=True
                    )
            progress.step(record is not None and record["status"] != "pass", record is None)

        alone_now = False
        with Steps(self.console, "run", len(ready), self.cluster.threads) as progress:
            self.cluster.drain({job.id: submit(job) for job in ready}, done, progress.tick)
            alone_now = True
            for job in suspects:
                self.cluster.drain({job.id: submit(job)}, done, progress.tick)


def _note(outcome: Outcome, record: dict[str, Any], store: Path) -> None:
    save_record(record, store)
    outcome.records[record["id"]] = record
