"""The workflow of GitHub Actions calls make with targets and variables that exist."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from flow.commands import registry
from flow.commands import test as tests
from flow.core import blocks
from flow.core.blocks import block_names
from tb.lib.paths import ROOT

WORKFLOW = ROOT / ".github/workflows/ci.yml"
NIGHTLY = WORKFLOW.with_name("nightly.yml")
OTHERS = ("setup", "clean")


def _values(job: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Every combination of a job's matrix."""
    matrix = job.get("strategy", {}).get("matrix", {})
    for each in itertools.product(*matrix.values()):
        yield {f"matrix.{name}": str(value) for name, value in zip(matrix, each, strict=True)}


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{\s*([\w.]+)\s*\}\}", lambda match: values[match[1]], text)


def problems(workflow: Mapping[str, Any]) -> list[str]:
    """What make would refuse: unknown targets and variables, illegal values."""
    commands = registry.commands()
    out = []
    for name, job in workflow["jobs"].items():
        for values, step in itertools.product(_values(job), job["steps"]):
            for line in _filled(step.get("run", ""), values).splitlines():
                words = shlex.split(line)
                if words[:1] != ["make"]:
                    continue
                given = dict(word.split("=", 1) for word in words[1:] if "=" in word)
                targets = [word for word in words[1:] if "=" not in word]
                out += [f"{name}: no target {each}" for each in targets if each not in (*commands, *OTHERS)]
                params = {
                    param.envvar: param for each in targets if each in commands for param in commands[each].params
                }
                for variable, value in given.items():
                    if variable not in params:
                        out.append(f"{name}: {' '.join(targets)} takes no {variable}")
                        continue
                    try:
                        params[variable].type.convert(value, params[variable], None)
                    except click.BadParameter as error:
                        out.append(f"{name}: {variable}={value}: {error.message}")
    return out


def _load(path: Path = WORKFLOW) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_every_night_all_tests_and_all_faults_and_mutants_of_every_block() -> None:
    workflow = _load(NIGHTLY)
    assert problems(workflow) == []
    assert set(workflow["jobs"]) == {"test", "faults", "mutants", "places"}
    assert any("RUNS=all" in step.get("run", "") for step in workflow["jobs"]["test"]["steps"])
    for name, job in workflow["jobs"].items():
        assert name in ("test", "places") or job["strategy"]["matrix"]["block"] == block_names()
        assert job["timeout-minutes"] < 360  # of a runner
    places = [step["run"] for step in workflow["jobs"]["places"]["steps"] if step.get("run", "").startswith(".ci/")]
    assert {place.split()[0] for place in places} == {".ci/odd_places.py"}
    assert {place.partition("--cxx ")[2] for place in places} == {"", "clang++", "ccache"}
    calls = [step.get("run", "") for step in workflow["jobs"]["mutants"]["steps"]]
    assert any("N=all" in call for call in calls)


def test_the_workflow_calls_what_exists() -> None:
    workflow = _load()
    assert problems(workflow) == []
    assert set(workflow["jobs"]) == {"lint", "test", "coverage", "docs"}
    calls = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    assert {"make lint", "make docs"} <= set(calls)
    assert set(workflow["jobs"]["test"]["strategy"]["matrix"]["sim"]) == set(tests.HALVES) - {"both"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        cached = [step["with"]["path"] for step in job["steps"] if step.get("uses", "").startswith("actions/cache")]
        assert any(".venv" in path for path in cached)
    assert workflow["concurrency"]["cancel-in-progress"] is True


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("make lint", "make lnt", "lint: no target lnt"),
        ("JOBS=4", "JOB=4", "test: test takes no JOB"),
        ("JOBS=4", "JOBS=0", "test: JOBS=0"),
        ("sim: [verilator, icarus]", "sim: [verilator, vcs]", "test: SIM=vcs: choose one of both, verilator, icarus"),
        ("make docs", "make docs SIM=icarus", "docs: docs takes no SIM"),
    ],
)
def test_what_make_would_refuse_is_found(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "ci.yml"
    assert old in WORKFLOW.read_text(encoding="utf-8")
    path.write_text(WORKFLOW.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert any(words in each for each in problems(_load(path)))


def test_the_halves_are_all_tests(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[list[str]] = []

    def called(command: list[str], **_: Any) -> Any:
        calls.append(command)
        return type("Done", (), {"returncode": 0})

    monkeypatch.setattr(tests, "ensure_simulator", lambda _: None)
    monkeypatch.setattr("flow.core.floor.clear", lambda: None)
    monkeypatch.setattr(blocks, "all_blocks", list)
    monkeypatch.setattr(tests.subprocess, "run", called)
    for sim in tests.HALVES:
        for runs in tests.RUNS_MARKS:
            assert tests.main.callback(sim, runs, 1) == 0
    marks = [command[command.index("-k") + 1] if "-k" in command else "" for command in calls]
    assert marks == [mark for mark in ("", "not icarus", "icarus") for _ in tests.RUNS_MARKS]
    assert [command[command.index("-m", 3) + 1] for command in calls] == ["not late", "not early"] * 3
    assert "PASS make test" in capsys.readouterr().out
