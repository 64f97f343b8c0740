"""The floor under functional coverage; the runs are made up, merging is real."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flow.commands import test as tests
from flow.core import blocks, floor
from tb.lib.contract import RunSpec
from tb.lib.coverage import Coverage, CoverGroup, Coverpoint, Ignore, RunCoverage, collect, summarise

NEVER = Ignore(lambda size: size == "three", "there are two")
GROUPS = [CoverGroup("work", (Coverpoint("size", ("one", "two", "three"), ignore=(NEVER,)),))]
BLOCK: Any = SimpleNamespace(
    name="made",
    functional_coverage=lambda results: summarise(collect(GROUPS, results)),
    covers=lambda params: not params,
)
PLAIN: Any = SimpleNamespace(name="plain", functional_coverage=None)


def ran(folder: Path, spec: RunSpec, *seen: int, passed: bool = True, block: Any = BLOCK) -> None:
    """A run of `spec` that saw bins, handed to the floor."""
    run_dir = folder / f"{spec.test}-{spec.sim}-{spec.seed}-{len(spec.params)}"
    run_dir.mkdir(exist_ok=True)
    coverage = Coverage(GROUPS)
    coverage.sample("work", size=list(seen))
    RunCoverage("made", spec.test, spec.seed, spec.sim, True, coverage).write(run_dir)
    floor.keep(block, spec, SimpleNamespace(passed=passed, run_dir=run_dir), folder / "kept")  # type: ignore[arg-type]


def lines(folder: Path, least: float = floor.FLOOR) -> list[str]:
    return floor.missed(floor.measure([BLOCK, PLAIN], folder / "kept"), least)


def test_runs_fill_each_others_gaps(tmp_path: Path) -> None:
    ran(tmp_path, RunSpec("first"), 0)
    ran(tmp_path, RunSpec("first", sim="icarus"), 1)
    assert lines(tmp_path) == []


def test_below_the_floor(tmp_path: Path) -> None:
    ran(tmp_path, RunSpec("first"), 0)
    ran(tmp_path, RunSpec("first", seed=2), 0)
    ran(tmp_path, RunSpec("failed"), 1, passed=False)
    ran(tmp_path, RunSpec("other", params={"LANES": 2}), 1)
    assert lines(tmp_path) == [
        "functional coverage of made is 50.0 % of 2 bins in 2 runs, the floor 100.0 %: not seen work.size: two (a seed "
        "that reached them may have drawn otherwise: see early_seeds in the block's testlist.py)"
    ]
    assert lines(tmp_path, 50.0) == []


def test_no_run_is_no_coverage(tmp_path: Path) -> None:
    assert lines(tmp_path)[0].startswith("functional coverage of made is 0.0 % of 2 bins in 0 runs")
    ran(tmp_path, RunSpec("first"), 0, 1)
    assert lines(tmp_path) == []
    floor.clear(tmp_path / "kept")
    assert len(lines(tmp_path)) == 1


def test_a_bin_called_unreachable_that_is_hit(tmp_path: Path) -> None:
    ran(tmp_path, RunSpec("first"), 0, 1, 2)
    assert lines(tmp_path) == ["functional coverage of made: declared unreachable, but hit: work.size: three"]


@pytest.mark.parametrize(
    ("sim", "status", "seen", "verdict", "words"),
    [
        ("both", 0, (0, 1), 0, "functional coverage of these runs: made 100.0 % (floor 100.0 %)"),
        ("both", 0, (0,), 1, "FAIL functional coverage of made is 50.0 %"),
        ("both", 1, (0, 1), 1, "functional coverage of these runs: made 100.0 % (floor 100.0 %)"),
        ("both", 1, (0,), 1, "FAIL functional coverage of made is 50.0 %"),
        ("both", 1, (0,), 1, "tests failed: a run that did not pass counts nothing"),
        ("icarus", 0, (0,), 0, "functional coverage has no floor with SIM=icarus: that is half of the runs"),
    ],
)
def test_make_test_says_what_became_of_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sim: str,
    status: int,
    seen: tuple[int, ...],
    verdict: int,
    words: str,
) -> None:
    ran(tmp_path, RunSpec("of an earlier call"), 0, 1)

    def called(_: list[str], **__: Any) -> Any:
        ran(tmp_path, RunSpec("first"), *seen)
        return SimpleNamespace(returncode=status)

    monkeypatch.setattr(tests, "ensure_simulator", lambda _: None)
    monkeypatch.setattr(tests.subprocess, "run", called)
    monkeypatch.setattr(blocks, "all_blocks", lambda: [BLOCK, PLAIN])
    clear, measure = floor.clear, floor.measure
    monkeypatch.setattr(floor, "clear", lambda: clear(tmp_path / "kept"))
    monkeypatch.setattr(floor, "measure", lambda these: measure(these, tmp_path / "kept"))
    assert tests.main.callback(sim, "early", 1) == verdict
    said = capsys.readouterr().out
    assert words in said
    assert f"{'FAIL' if verdict else 'PASS'} make test" in said
