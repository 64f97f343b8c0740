"""`make mutate`: how many single mutations of a block's RTL its tests notice.

All mutants of a block are in one build (mutants.py); a mutant costs runs, each a process forked from a simulation that
has imported everything (flow/core/server.py). A mutant's runs go in the order that has killed fastest so far, the first
that fails ends it. What the quick runs leave is compared with the RTL as it is (equivalence.py); what differs meets the
proofs on its file (mutate_proofs.py) and the other runs. Runs with the default parameters go first, what survives them
meets those with other parameters, which have builds of their own. Engine and bookkeeping are those of `make regress`:
dask.distributed, a record for each mutant, kept as it comes and valid as long as the digest of all that decides it is
the same.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hjson
import numpy as np
from rich.console import Console

from flow.commands.equivalence import equivalent
from flow.commands.mutants import FILE, Mutant, Schema, make_schema
from flow.commands.mutate_proofs import PREFIX, broken
from flow.commands.operators import OPERATORS
from flow.commands.regress_run import Steps, alone
from flow.core.building import Build, build
from flow.core.cluster import ClusterLost, connect, why
from flow.core.jobs import portable, read_json, write_json
from flow.core.server import Ended, server
from flow.core.simulate import judge, transaction_logs
from flow.core.tools import tool_versions
from tb.lib.contract import Block, RunSpec
from tb.lib.errors import UserError
from tb.lib.paths import BUILD, ROOT, shown, source_files
from tb.lib.runinfo import OUT_OF_BOUND
from tb.lib.testlist import block_runs

STORE = BUILD / "mutate"
REASONS = "mutants.hjson"  # in a block's folder
KILLED, TIMEOUT, SURVIVED = "killed", "timeout", "survived"
CYCLE_FACTOR, CYCLES_MORE = 3, 2000  # bound of a mutant's run, from the cycles without a mutant
CPU_FACTOR, CPU_MORE, WALL_FACTOR = 4.0, 5.0, 20.0  # seconds, from those without a mutant
FIRST = ("smoke", "constrained_random")  # before anything is learnt
QUICK = 0.2  # share of all runs' time that a mutant meets before a proof is tried
PRIOR = 3.0  # runs that what is known of the whole block counts as, against what is known of a file


# --- what runs ----------------------------------------


def run_name(block: Block, spec: RunSpec) -> str:
    """Names a run of a block's list: test, seed, parameters that are not the default, configuration."""
    params = "".join(f"-{name}{value}" for name, value in spec.params.items() if value != block.params[name].default)
    config = {name: value for name, value in spec.config.items() if name != "reduced"}
    mark = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:4] if config else ""
    return f"{spec.test}-{spec.seed}{params}{mark and '-' + mark}"


def run_sets(block: Block) -> list[tuple[dict[str, int], dict[str, RunSpec]]]:
    """(parameters, runs by name) of the list on Verilator, the default parameters first."""
    sets: dict[str, tuple[dict[str, int], dict[str, RunSpec]]] = {}
    usual = block.resolve_params(None)
    for spec in block_runs(block.tests, "verilator"):
        if spec.test in block.test_params:  # a bench of its own: it would double the mutants' builds
            continue
        params = block.resolve_params(spec.params)
        key = json.dumps(params, sort_keys=True)
        sets.setdefault(key, (params, {}))[1][run_name(block, spec)] = spec
    return sorted(sets.values(), key=lambda each: each[0] != usual)


@dataclass(frozen=True)
class Stage:
    """A block with one set of parameters, built with all its mutants: what a worker needs. `clean`: cycles and seconds
    of processor time of every run without a mutant; `learnt`: (tries, kills) by file and run."""

    block: Block
    built: Build
    specs: Mapping[str, RunSpec]
    folder: Path
    clean: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    learnt: Mapping[str, Mapping[str, Sequence[int]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a run said: `status`, the boundary that saw it first, the error line, cycles, seconds of processor time, and
    digests of its transaction logs, if wanted."""

    status: str
    boundary: str
    error: str
    cycles: int
    cpu: float
    logs: Mapping[str, str] = field(default_factory=dict)


def mutant_run(stage: Stage, name: str, number: int, digest_logs: bool = False) -> Outcome:
    """One run with the mutant of this number (0: none)."""
    spec, clean = stage.specs[name], stage.clean.get(name)
    forks = server(stage.block, stage.built)
    folder = forks.folder / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(dict(spec.config), sort_keys=True), encoding="utf-8")
    if number:
        (folder / FILE).write_text(str(number), encoding="utf-8")
    cpu = CPU_FACTOR * clean["cpu"] + CPU_MORE if clean else 3600.0
    bound = int(CYCLE_FACTOR * clean["cycles"] + CYCLES_MORE) if clean and clean["cycles"] else 0
    environment = {
        "TS_CONFIG": str(folder / "config.json"), "TS_RUN_DIR": str(folder), "TS_TEST": spec.test,
        "TS_SEED": str(spec.seed), "TS_BOUND": str(bound),
    }  # fmt: skip
    ended = forks.run(folder, spec.test, spec.seed, environment, cpu, WALL_FACTOR * cpu)
    return _judged(ended, folder, spec.test, digest_logs)


def _judged(ended: Ended, folder: Path, test: str, digest_logs: bool) -> Outcome:
    result, error, _ = judge(ended, folder, test, ended.seconds)
    result = result or {}
    late = ended.timed_out or OUT_OF_BOUND in error
    first = result.get("first_divergence")
    boundary = str(first.get("boundary")) if isinstance(first, dict) else ""
    if error.startswith("TS_ASSERT ") and not boundary:
        boundary = f"assertion {error.split()[1]}"
    status = TIMEOUT if late else KILLED if error else SURVIVED
    logs = transaction_logs(folder) if digest_logs else {}
    return Outcome(status, boundary, error[:300], int(result.get("cycles") or 0), ended.cpu, logs)


# --- on a worker ----------------------------------------

_tried: dict[str, dict[str, dict[str, list[int]]]] = {}  # by block, file and run: [tries, kills]


def _order(stage: Stage, file: str) -> list[str]:
    """Runs of a stage, those first that kill most a second."""
    known = _tried.setdefault(stage.block.name, {})
    if not known:
        known.update({each: {run: list(pair) for run, pair in runs.items()} for each, runs in stage.learnt.items()})
    total: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for runs in known.values():
        for run, (tries, kills) in runs.items():
            total[run][0] += tries
            total[run][1] += kills

    def worth(run: str) -> float:
        tries, kills = total[run]
        guess = 0.5 if run.rsplit("-", 1)[0] in FIRST or run.startswith(FIRST) else 0.1
        rate = (kills + PRIOR * guess) / (tries + PRIOR)
        tries, kills = known.get(file, {}).get(run, (0, 0))
        return (kills + PRIOR * rate) / (tries + PRIOR) / max(stage.clean[run]["cpu"], 0.2)

    return sorted(stage.specs, key=worth, reverse=True)


def clean_run(stage: Stage, name: str) -> dict[str, Any]:
    """A run without a mutant."""
    done = mutant_run(stage, name, 0, digest_logs=True)
    return {"name": name, **dataclasses.asdict(done)}


def quick_runs(stage: Stage) -> list[str]:
    """The shortest runs of a stage, which together take a fifth of its time."""
    cost = {name: max(stage.clean[name]["cpu"], 0.01) for name in stage.specs}
    quick, left = [], QUICK * sum(cost.values())
    for name in sorted(cost, key=lambda each: (cost[each], each)):
        left -= cost[name]
        if left < 0:
            break
        quick.append(name)
    return quick


def try_mutant(
    stage: Stage,
    mutant: Mutant,
    digest: str,
    store: Path,
    deadline: float | None,
    every: bool,
    names: Sequence[str] | None = None,
) -> dict[str, Any] | None:
    """Runs a mutant until a run fails (`every`: all runs; `names`: only these) and keeps its record, which is returned;
    None if it was too late to start."""
    path = record_path(stage.block, mutant.key, store)
    record = read_json(path)
    if not isinstance(record, dict) or record.get("digest") != digest:
        record = {"key": mutant.key, "digest": digest, "status": SURVIVED, "by": "", "boundary": "", "error": ""}
        record |= {"tried": {}, "seconds": 0.0, "proof": ""}
    if deadline is not None and time.time() >= deadline:
        return None
    for name in _order(stage, mutant.file):
        if name in record["tried"] or (names is not None and name not in names):
            continue
        done = mutant_run(stage, name, mutant.number)
        record["tried"][name] = done.status
        record["seconds"] = round(record["seconds"] + done.cpu, 3)
        pair = _tried[stage.block.name].setdefault(mutant.file, {}).setdefault(name, [0, 0])
        pair[0] += 1
        if done.status != SURVIVED:
            pair[1] += 1
            if record["status"] == SURVIVED:
                record |= {"status": done.status, "by": name, "boundary": done.boundary, "error": done.error}
            if not every:
                break
    write_json(path, record)
    return record


def record_path(block: Block, key: str, store: Path) -> Path:
    """Where a mutant's record is."""
    return store / block.name / "mutants" / f"{key}.json"


# --- the command ----------------------------------------


@dataclass(frozen=True)
class Request:
    """What `make mutate` is asked for. `count`: so many, drawn with `seed` (None: all); `keys`: only these; `minutes`:
    no mutant starts later; `every`: every run of every mutant, for the matrix; `goal`: per cent that must be noticed;
    `other`: runs with other parameters too; `runs`: only these; `quick`: builds in half the time, runs in twice."""

    blocks: tuple[Block, ...]
    count: int | None = None
    seed: int = 1
    operators: tuple[str, ...] = tuple(OPERATORS)
    keys: tuple[str, ...] = ()
    workers: int = 2
    scheduler: str | None = None
    minutes: float | None = None
    restart: bool = False
    every: bool = False
    goal: float | None = None
    other: bool = True
    runs: tuple[str, ...] = ()
    quick: bool = False
    store: Path = STORE


@dataclass
class Score:
    """What came of a block: its mutants that were asked for, with a record each if they ran; `total`: how many there
    are; `equivalent`: why, by key; `runs`: the names of all runs; `problems`: reasons that do not hold, in lines."""

    block: Block
    mutants: tuple[Mutant, ...]
    total: int
    skipped: Mapping[str, int]
    records: dict[str, dict[str, Any]]
    equivalent: dict[str, str]
    runs: dict[str, float]
    problems: list[str]
    seconds: float

    def of(self, *status: str) -> list[Mutant]:
        """Mutants that are not equivalent, by the status of their record."""
        return [
            each
            for each in self.mutants
            if each.key not in self.equivalent and self.records.get(each.key, {}).get("status", "not run") in status
        ]

    def score(self) -> float:
        """Share of noticed mutants among those that ran and are not known to be equivalent; rounded down."""
        noticed, missed = len(self.of(KILLED, TIMEOUT)), len(self.of(SURVIVED))
        return math.floor(10000 * noticed / max(1, noticed + missed)) / 10000


def _imported(block: Block) -> list[str]:
    """Folders of tb/ that a block's runs depend on."""
    names, todo = set(), {block.name, "lib"}
    while todo:
        name = todo.pop()
        names.add(name)
        for path in source_files([f"tb/{name}"], {".py"}):
            if not path.name.startswith("test_"):
                todo |= (
                    set(re.findall(r"^\s*(?:from|import) tb\.(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
                    - names
                )
    return [f"tb/{name}" for name in sorted(names)]


def runs_digest(block: Block) -> str:
    """Digest of what decides a run beside the RTL and its mutants: bench, tests, models, data, tools."""
    paths = source_files([*_imported(block), "models", "host", "data", "requirements.txt"])
    digest = hashlib.sha256(json.dumps(tool_versions("verilator"), sort_keys=True).encode())
    for path in sorted({*paths, *(Path(name) for name in block.tb_sources if Path(name).is_absolute())}):
        if path.suffix != ".patch" and path.name != REASONS and not path.name.startswith("test_"):
            digest.update(f"\0{path}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:20]


def load_reasons(block: Block) -> dict[str, str]:
    """Why mutants are equivalent, by key, from the block's reviewed file. `UserError` if it is not of that form."""
    path = ROOT / "tb" / block.name / REASONS
    if not path.is_file():
        return {}
    try:
        entries = hjson.loads(path.read_text(encoding="utf-8"))["reasons"]
        return {key: str(entry["why"]) for entry in entries for key in entry["mutants"]}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{shown(path)}: must hold a list 'reasons', each with why and mutants: {error}") from error


def chosen(schema: Schema, request: Request) -> list[Mutant]:
    """The mutants that are asked for. `UserError` for a key that there is not."""
    everything = list(schema.mutants)
    if request.keys:
        found = [each for each in everything if each.key in request.keys]
        if missing := set(request.keys) - {each.key for each in found}:
            raise UserError(
                f"there is no mutant {', '.join(sorted(missing))} of {schema.block.name} with these sources"
            )
        return found
    wanted = [each for each in everything if each.operator in request.operators]
    if request.count is None or request.count >= len(wanted):
        return wanted
    rng = np.random.default_rng([request.seed, *schema.block.name.encode()])
    return [wanted[index] for index in sorted(rng.choice(len(wanted), request.count, replace=False))]


def prepare(
    block: Block,
    params: Mapping[str, int],
    store: Path,
    jobs: int = 2,
    quick: bool = False,
    operators: Sequence[str] = tuple(OPERATORS),
) -> tuple[Schema, Build, Path]:
    """Schema and build of a block with one set of parameters, and the folder of both: with the mutants of these
    operators only, which for a few builds in a fraction of the time. `quick` as in `build`."""
    schema = make_schema(block, params, operators)
    name = "-".join(f"{each}{value}" for each, value in params.items()) or "default"
    some = "" if set(operators) == set(OPERATORS) else "-" + "-".join(sorted(operators))
    folder = store / block.name / "schema" / f"{name}{some}"
    # Lines get long and arms redundant; nothing of it is a mistake of the sources.
    quiet = ("-Wno-fatal", "-Wno-lint", "-Wno-style")
    mutated = dataclasses.replace(block, rtl=schema.write(folder), verilator_args=(*block.verilator_args, *quiet))
    return schema, build(mutated, "verilator", params, jobs=jobs, quick=quick), folder


@dataclass
class _Work:
    """A block on its way through the stages."""

    request: Request
    block: Block
    cluster: Any
    console: Console
    deadline: float | None

    def over(self) -> bool:
        return self.deadline is not None and time.time() >= self.deadline

    def each(self, what: str, tasks: Mapping[str, Sequence[Any]], function: Any, done: Any, kind: str) -> None:
        """Carries out tasks by key on the cluster."""
        mark = hashlib.sha256(json.dumps([str(self.request.store), time.time()]).encode()).hexdigest()[:8]

        def ended(key: str, future: Future) -> None:
            try:
                result = future.result(timeout=10)
            except UserError:
                raise
            except Exception as problem:
                raise UserError(f"{self.block.name} {key}: {why(problem, kind)}") from problem
            progress.step(late=result is None)
            done(key, result)

        with Steps(self.console, what, len(tasks), self.cluster.threads) as progress:
            futures = {
                key: self.cluster.client.submit(function, *arguments, key=(kind, f"{key}@{mark}"), pure=False)
                for key, arguments in tasks.items()
            }
            self.cluster.drain(futures, ended, progress.tick)

    def pending(
        self,
        todo: Sequence[Mutant],
        specs: set[str],
        digest: str,
        records: dict[str, dict[str, Any]],
        usual: bool,
    ) -> list[str]:
        """Keys of the mutants that have runs before them; earlier commands' results go into `records`."""
        pending = []
        for each in todo:
            path = record_path(self.block, each.key, self.request.store)
            record = read_json(path)
            fits = isinstance(record, dict) and record.get("digest") == digest
            if fits and self.request.restart and usual:
                path.unlink(missing_ok=True)
                fits = False
            if fits:
                records[each.key] = record
            if not fits or _open(record, specs, self.request.every, usual):
                pending.append(each.key)
        if kept := len(todo) - len(pending):
            self.console.print(
                f"{self.block.name}: {kept} results are those of earlier commands (RESTART=1 runs all anew)"
            )
        return pending

    def run(
        self,
        stage: Stage,
        mutants: Sequence[Mutant],
        digest: str,
        records: dict[str, dict[str, Any]],
        what: str,
        names: Sequence[str] | None = None,
    ) -> None:
        """Runs mutants; what came of them goes into `records`."""

        def done(key: str, record: dict[str, Any] | None) -> None:
            if record is not None:
                records[key] = record

        given = (digest, self.request.store, self.deadline, self.request.every, names)
        tasks = {each.key: (stage, each, *given) for each in mutants}
        if tasks:
            self.each(f"{self.block.name}: {what}", tasks, try_mutant, done, "mutant")

    def clean(self, stage: Stage, digest: str) -> Stage:
        """Every run without a mutant, which must pass; kept as long as the digest is the same."""
        path = stage.folder / "clean.json"
        kept = read_json(path)
        if not isinstance(kept, dict) or kept.get("digest") != digest:
            found: dict[str, dict[str, Any]] = {}
            tasks = {name: (stage, name) for name in stage.specs}
            self.each(f"{self.block.name}: runs without a mutant", tasks, clean_run, found.__setitem__, "clean")
            for name, each in found.items():
                if each["status"] != SURVIVED:
                    raise UserError(f"{self.block.name} {name} fails without a mutant: {each['error']}")
            kept = {"digest": digest, "runs": found}
            write_json(path, kept)
        return dataclasses.replace(stage, clean=kept["runs"])


def mutate_block(request: Request, block: Block, cluster: Any, console: Console, deadline: float | None) -> Score:
    """All stages of one block. Raises `UserError` for what a user can mend."""
    start = time.monotonic()
    work = _Work(request, block, cluster, console, deadline)
    digest = ""
    mutants: list[Mutant] = []
    records: dict[str, dict[str, Any]] = {}
    runs: dict[str, float] = {}
    first: Schema | None = None  # with all mutants
    operators: tuple[str, ...] = ()
    tests = runs_digest(block)
    reasons = load_reasons(block)
    learnt_path = request.store / block.name / "learnt.json"
    for params, listed in run_sets(block):
        usual = first is None
        specs = {name: spec for name, spec in listed.items() if not request.runs or name in request.runs}
        if not specs:
            continue
        if not usual and (not request.other or work.over()):
            break
        todo = mutants
        if not usual:
            # Those that are proved equivalent as well: the proof is for the default parameters.
            todo = [each for each in mutants if records.get(each.key, {}).get("status") == SURVIVED]
            todo = [each for each in todo if not set(specs) <= set(records[each.key]["tried"])]
            if not request.keys:
                todo = [each for each in todo if each.key not in reasons]
            if not todo:
                continue
        if first is None:
            # A result does not depend on which other mutants are in the build.
            first = make_schema(block, params)
            digest = hashlib.sha256(f"{first.digest()}{tests}".encode()).hexdigest()[:20]
            todo = mutants = chosen(first, request)
            operators = tuple({each.operator for each in mutants}) if request.keys else request.operators
        console.print(f"{block.name}: building the mutants{'' if usual else f' with {_shown(block, params)}'}")
        schema, built, folder = prepare(block, params, request.store, request.workers, request.quick, operators)
        numbers = {each.key: each for each in schema.mutants}
        stage = Stage(portable(block), built, specs, folder, learnt=read_json(learnt_path) or {})
        stage = work.clean(stage, f"{schema.digest()}{tests}")
        runs |= {name: float(each["cpu"]) for name, each in stage.clean.items()}
        pending = [numbers[key] for key in work.pending(todo, set(specs), digest, records, usual) if key in numbers]
        # Neighbours kill alike: spread, they tell sooner which runs kill.
        pending.sort(key=lambda mutant: mutant.key)
        try:
            if usual and not request.every:
                work.run(stage, pending, digest, records, "mutants, quick runs", quick_runs(stage))
                prove_equivalence(work, schema, pending, digest, records)
                meet_proofs(work, schema, pending, records)
            left = [each for each in pending if _open(records.get(each.key), set(specs), request.every, usual)]
            work.run(stage, left, digest, records, "mutants")
        finally:
            write_json(learnt_path, learnt(mutants, records))
    if first is None:
        raise UserError(f"the test list of {block.name} names no run on Verilator")
    found = Score(
        block, tuple(mutants), len(first.mutants), first.skipped, records, {}, runs, [], time.monotonic() - start
    )
    judge_reasons(found, first, reasons)
    return found


def _open(record: Mapping[str, Any] | None, specs: set[str], every: bool, usual: bool) -> bool:
    """Whether a mutant has runs before it: it survived, nothing proves it equivalent, and not all of `specs` is tried.
    What is proved holds for the default parameters (`usual`)."""
    if record is None:
        return True
    over = record["status"] != SURVIVED or bool(usual and record.get("proof"))
    return (every or not over) and not specs <= set(record["tried"])


def prove_equivalence(
    work: _Work, schema: Schema, mutants: Sequence[Mutant], digest: str, records: dict[str, dict[str, Any]]
) -> None:
    """Tries a proof for each of `mutants` that has survived so far and keeps those that there are in the records."""
    block, store = work.block, work.request.store
    some = [each for each in mutants if records.get(each.key, {}).get("status") == SURVIVED]
    if not some or work.over():
        return
    work.console.print(f"{block.name}: comparing {len(some)} mutants with the RTL as it is")
    proofs = equivalent(schema, some, store / block.name / "equivalence")
    for key, proof in proofs.items():
        records[key] = {**records[key], "proof": proof}
        write_json(record_path(block, key, store), records[key])
    work.console.print(f"{block.name}: {len(proofs)} of {len(some)} are proved to change nothing")


def meet_proofs(work: _Work, schema: Schema, mutants: Sequence[Mutant], records: dict[str, dict[str, Any]]) -> None:
    """Tries the proofs on the file of each of `mutants` that is open so far; what breaks one is noticed."""
    block, store = work.block, work.request.store
    some = [each for each in mutants if (found := records.get(each.key)) and _open(found, {PREFIX}, False, True)]
    if not some or work.over():
        return
    fails = broken(schema, some, store / block.name / "proofs")
    for each in some:
        record = records[each.key]
        record["tried"][PREFIX] = SURVIVED
        if each.key in fails:
            name, what = fails[each.key]
            record["tried"] |= {name: KILLED}
            record |= {"status": KILLED, "by": name, "boundary": "", "error": f"{what} does not hold"}
        write_json(record_path(block, each.key, store), record)
    work.console.print(f"{block.name}: {len(fails)} of {len(some)} break a proof")


def judge_reasons(score: Score, schema: Schema, reasons: Mapping[str, str]) -> None:
    """Takes over reasons that hold, and proofs; reasons that do not are problems."""
    known = {each.key: each for each in schema.mutants}
    where = f"tb/{score.block.name}/{REASONS}"
    for key, text in reasons.items():
        record = score.records.get(key)
        if key not in known:
            score.problems.append(f"{where}: {key} is no mutant of these sources any more: remove it")
        elif record is not None and record["status"] != SURVIVED:
            score.problems.append(f"{where}: {key} is called equivalent, but {record['by']} notices it: remove it")
        else:
            score.equivalent[key] = text
    for key, record in score.records.items():
        if record.get("proof") and record["status"] == SURVIVED:
            score.equivalent[key] = f"proved: {record['proof']}"


def learnt(mutants: Iterable[Mutant], records: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, list[int]]]:
    """(tries, kills) by file and run."""
    out: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for each in mutants:
        for run, status in records.get(each.key, {}).get("tried", {}).items():
            pair = out[each.file][run]
            pair[0] += 1
            pair[1] += status != SURVIVED
    return out


def _shown(block: Block, params: Mapping[str, int]) -> str:
    return " ".join(f"{name}={value}" for name, value in params.items() if value != block.params[name].default)


def mutate(request: Request, console: Console) -> list[Score]:
    """Every block's score. Raises `UserError` for what a user can mend."""
    deadline = None if request.minutes is None else time.time() + 60 * request.minutes
    scores: list[Score] = []
    with alone(request.store):
        try:
            with connect(request.scheduler, request.workers, request.store) as cluster:
                for block in request.blocks:
                    scores.append(mutate_block(request, block, cluster, console, deadline))
        except ClusterLost as error:
            raise UserError(f"{error}: the same command resumes where this one ended") from error
    return scores


# --- ranking ----------------------------------------


def ranking(score: Score) -> dict[str, Any]:
    """What the matrix says of runs and proofs: kills, those that alone kill something (of mutants that met every run),
    and a small set that kills all that is known to be killed: greedily, most kills a second first."""
    matrix = {
        key: {run for run, status in record["tried"].items() if status != SURVIVED}
        for key, record in score.records.items()
        if record["status"] != SURVIVED
    }
    complete = {key for key in matrix if set(score.runs) <= set(score.records[key]["tried"])}
    seconds = {run: 0.0 for killers in matrix.values() for run in killers} | score.runs
    kills: dict[str, int] = dict.fromkeys(seconds, 0)
    first: dict[str, int] = dict.fromkeys(seconds, 0)
    only: dict[str, int] = dict.fromkeys(seconds, 0)
    for key, killers in matrix.items():
        first[score.records[key]["by"]] = first.get(score.records[key]["by"], 0) + 1
        for run in killers:
            kills[run] = kills.get(run, 0) + 1
        if key in complete and len(killers) == 1:
            only[next(iter(killers))] += 1
    left, chosen_runs = dict(matrix), []
    while left:
        counts: dict[str, int] = defaultdict(int)
        for killers in left.values():
            for run in killers:
                counts[run] += 1
        best = max(counts, key=lambda run: (counts[run] / max(score.runs.get(run, 1.0), 0.2), run))
        chosen_runs.append({"run": best, "kills": counts[best], "seconds": round(score.runs.get(best, 0.0), 2)})
        left = {key: killers for key, killers in left.items() if best not in killers}
    return {
        "complete": len(complete),
        "runs": {
            run: {"first": first[run], "kills": kills[run], "only": only[run], "seconds": round(cost, 2)}
            for run, cost in seconds.items()
        },
        "set": chosen_runs,
    }


def content(scores: Sequence[Score], request: Request) -> dict[str, Any]:
    """Everything that the reports say, for JSON."""
    blocks = {each.block.name: _block_content(each) for each in scores}
    counts = ("mutants", "killed", "timeouts", "equivalent", "proved", "not_run")
    sums = {name: sum(each[name] for each in blocks.values()) for name in counts}
    survivors = [{"block": name, **survivor} for name, each in blocks.items() for survivor in each["survivors"]]
    noticed = sums["killed"] + sums["timeouts"]
    problems = [line for each in blocks.values() for line in each["problems"]]
    for name, each in blocks.items():
        if request.goal is not None and 100 * each["score"] < request.goal and not each["not_run"]:
            problems.append(
                f"{name}: {100 * each['score']:.2f} % of the mutants are noticed, the goal is {request.goal:g} %"
            )
    return {
        "status": "fail" if problems else "incomplete" if sums["not_run"] else "pass",
        "score": math.floor(10000 * noticed / max(1, noticed + len(survivors))) / 10000,
        **sums,
        "survivors": survivors,
        "problems": problems,
        "operators": list(request.operators),
        "sample": request.count,
        "seed": request.seed,
        "by_operator": _by_operator(scores),
        "blocks": blocks,
    }


def _by_operator(scores: Sequence[Score]) -> dict[str, dict[str, Any]]:
    out = {}
    for operator in OPERATORS:
        mine = [(score, mutant) for score in scores for mutant in score.mutants if mutant.operator == operator]
        states = [_state(score, mutant) for score, mutant in mine]
        noticed, missed = states.count(KILLED) + states.count(TIMEOUT), states.count(SURVIVED)
        if mine:
            out[operator] = {
                "mutants": len(mine), "killed": states.count(KILLED), "timeouts": states.count(TIMEOUT),
                "equivalent": states.count("equivalent"), "survivors": missed, "not_run": states.count("not run"),
                "score": math.floor(10000 * noticed / max(1, noticed + missed)) / 10000,
            }  # fmt: skip
    return out


def _state(score: Score, mutant: Mutant) -> str:
    if mutant.key in score.equivalent:
        return "equivalent"
    return str(score.records.get(mutant.key, {}).get("status", "not run"))


def _block_content(score: Score) -> dict[str, Any]:
    states = {each.key: _state(score, each) for each in score.mutants}
    values = list(states.values())
    return {
        "title": score.block.title,
        "score": score.score(),
        "all": score.total,
        "mutants": len(values),
        "killed": values.count(KILLED),
        "timeouts": values.count(TIMEOUT),
        "equivalent": values.count("equivalent"),
        "proved": sum(why.startswith("proved: ") for why in score.equivalent.values()),
        "not_run": values.count("not run"),
        "skipped": dict(score.skipped),
        "seconds": round(score.seconds, 1),
        "run_seconds": round(sum(record["seconds"] for record in score.records.values()), 1),
        "by_operator": _by_operator([score]),
        "survivors": [_facts(score, each) for each in score.mutants if states[each.key] == SURVIVED],
        "equivalents": [
            {**_facts(score, each), "why": score.equivalent[each.key]}
            for each in score.mutants
            if states[each.key] == "equivalent"
        ],
        "matrix": {
            each.key: {
                "operator": each.operator,
                "file": each.file,
                "line": each.line,
                "what": each.what,
                **{name: score.records[each.key][name] for name in ("status", "by", "boundary", "tried")},
            }
            for each in score.mutants
            if each.key in score.records
        },
        "ranking": ranking(score),
        "problems": score.problems,
    }


def _facts(score: Score, mutant: Mutant) -> dict[str, Any]:
    record = score.records.get(mutant.key, {})
    return {
        "key": mutant.key, "file": mutant.file, "line": mutant.line, "module": mutant.module,
        "operator": mutant.operator, "what": mutant.what, "diff": mutant.diff(),
        "runs": sum(not run.startswith(PREFIX) for run in record.get("tried", {})),
    }  # fmt: skip
