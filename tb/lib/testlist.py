"""A block's one list of tests: what runs with which seeds, parameters and simulators, and why that many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tb.lib.contract import RunSpec

BOTH = ("verilator", "icarus")


@dataclass(frozen=True)
class TestEntry:
    """A test with its runs. `seeds` with `why`; `params` are further parameter sets beside the default one; `config`
    reaches the test; `icarus_config` replaces entries of it on Icarus, which is a hundred times slower. Such runs, and
    those with other parameters, say so to the test (`reduced`), which then has to make fewer comparisons. `directed`
    says that a regression runs the list's seed alone: others would repeat the run, as no choice is left to the seed or
    recorded data is replayed, or a statistical bar is set for this one (`why` says which).

    `make test` takes a part of the runs (`early`): the first `early_seeds` seeds on every simulator but those in
    `late`, one seed of parameters beside the default on one simulator. `make test RUNS=all` and `make regress` take
    all."""

    __test__ = False
    test: str
    why: str
    seeds: Sequence[int] = (1,)
    sims: Sequence[str] = BOTH
    params: Sequence[Mapping[str, int]] = ({},)
    config: Mapping[str, Any] = field(default_factory=dict)
    icarus_config: Mapping[str, Any] = field(default_factory=dict)
    directed: bool = False
    late: Sequence[str] = ()
    early_seeds: int = 1

    def __post_init__(self) -> None:
        if not self.seeds or (self.directed and len(self.seeds) > 1):
            raise ValueError(f"{self.test}: a directed test has one seed, any other test at least one")

    def runs(self, sim: str, seeds: int | None = None) -> Iterator[RunSpec]:
        """The runs of this test on one simulator, with the list's own seeds or with 1..`seeds`."""
        if sim not in self.sims:
            return
        shorter = dict(self.icarus_config) if sim == "icarus" else {}
        for params in self.params:
            reduced = {"reduced": True} if shorter or params else {}
            for seed in self.seeds if seeds is None or self.directed else range(1, seeds + 1):
                yield RunSpec(self.test, seed, sim, params, {**self.config, **shorter, **reduced})

    def early(self, spec: RunSpec) -> bool:
        """Whether `make test` makes this run of the test."""
        seeds = tuple(self.seeds)[: 1 if spec.params else self.early_seeds]
        if spec.seed not in seeds or spec.sim in self.late:
            return False
        # Icarus builds in a second, Verilator in half a minute.
        return not spec.params or spec.sim == "icarus" or "icarus" not in self.sims


def early_runs(entries: Sequence[TestEntry], sim: str) -> tuple[RunSpec, ...]:
    """The runs of a list that `make test` makes on one simulator."""
    return tuple(spec for entry in entries for spec in entry.runs(sim) if entry.early(spec))


def block_runs(
    entries: Sequence[TestEntry], sim: str, default_params_only: bool = False, seeds: int | None = None
) -> tuple[RunSpec, ...]:
    """All runs of a list on one simulator; coverage looks at the default parameters alone. `seeds`: as in `runs`."""
    runs = (spec for entry in entries for spec in entry.runs(sim, seeds))
    return tuple(spec for spec in runs if not (default_params_only and spec.params))
