"""The floor that `make test` sets under functional coverage.

Every run of a block's list that passed leaves its counts here (`keep`); when all tests have run, `missed` merges them.
A change that lets a test see less, or drops one, so fails `make test` and not only `make coverage`, which counts code
too. Counts of earlier calls do not count (`clear`).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flow.core.simulate import RunResult
from tb.lib.contract import Block, RunSpec
from tb.lib.coverage import FILE_NAME, KeptRun
from tb.lib.paths import BUILD

FOLDER = BUILD / "tests"
FLOOR = 100.0  # per cent of every block's bins: these runs are those of `make coverage`, and more
NAMED = 10  # bins that a line of `missed` names


def clear(folder: Path = FOLDER) -> None:
    """Forgets the counts of earlier calls."""
    shutil.rmtree(folder, ignore_errors=True)


def keep(block: Block, spec: RunSpec, result: RunResult, folder: Path = FOLDER) -> None:
    """Keeps the counts of a run that passed, if bins speak of its parameters (`Block.covers`)."""
    counts = result.run_dir / FILE_NAME
    if not (result.passed and block.covers(spec.params)) or not counts.is_file():
        return
    place = folder / block.name / f"{spec.test}@{spec.sim}@{spec.seed}@{result.run_dir.name}"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(counts, place / FILE_NAME)


def measure(blocks: Sequence[Block], folder: Path = FOLDER) -> dict[str, Mapping[str, Any]]:
    """The summary of each block's functional coverage, of those that measure any."""
    summaries: dict[str, Mapping[str, Any]] = {}
    for block in blocks:
        if block.functional_coverage is None:
            continue
        kept = []
        for place in sorted((folder / block.name).glob("*")):
            test, sim, seed, _ = place.name.split("@")
            kept.append(KeptRun(test, int(seed), sim, place))
        summaries[block.name] = block.functional_coverage(kept)
    return summaries


def missed(summaries: Mapping[str, Mapping[str, Any]], floor: float = FLOOR) -> list[str]:
    """A line for every block below `floor` per cent or that reached what it calls unreachable."""
    lines = []
    for name, summary in summaries.items():
        if summary["percent"] < floor:
            rest = summary["uncovered"]
            more = f" and {len(rest) - NAMED} more" if len(rest) > NAMED else ""
            lines.append(
                f"functional coverage of {name} is {summary['percent']} % of {summary['total']} bins in "
                f"{len(summary['runs'])} runs, the floor {floor} %: not seen {'; '.join(rest[:NAMED])}{more}"
                " (a seed that reached them may have drawn otherwise: see early_seeds in the block's testlist.py)"
            )
        lines += [
            f"functional coverage of {name}: declared unreachable, but hit: {bin}" for bin in summary["contradictions"]
        ]
    return lines
