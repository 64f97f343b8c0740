"""The registers' one list of runs: `make test` takes all of it on both simulators."""

from __future__ import annotations

from tb.lib.testlist import TestEntry

TWO, FOUR = {"CORES": 2}, {"CORES": 4, "LAYERS": 64}

TESTS: tuple[TestEntry, ...] = (
    TestEntry("smoke", "every parameter set must build and work", params=({}, TWO, FOUR), directed=True),
    TestEntry(
        "access_policies",
        "no choice left to a seed",
        icarus_config={"stride": 40, "bits": 5},
        directed=True,
        late=("icarus",),
    ),
    TestEntry("addresses", "every word of the space", icarus_config={"stride": 43}, directed=True, late=("verilator",)),
    TestEntry(
        "addresses", "counters of four pairs", params=(FOUR,), config={"stride": 43}, directed=True, late=("verilator",)
    ),
    TestEntry("strobes", "no choice left to a seed", directed=True),
    TestEntry("port_orders", "no choice left to a seed", icarus_config={"reach": 3}, directed=True, late=("icarus",)),
    TestEntry(
        "traffic", "2,000 accesses a run", seeds=(1, 2, 3), params=({}, TWO), icarus_config={"rounds": 3}, early_seeds=1
    ),
    TestEntry("interrupts", "no choice left to a seed", directed=True, late=("icarus",)),
    TestEntry("failures", "every set of engines in every run"),
    TestEntry("pushes", "every operation and queue in every run", late=("icarus",)),
    TestEntry("updates", "every distance in every run", late=("icarus",)),
    TestEntry("records", "all windows in every run", params=({}, FOUR), icarus_config={"rounds": 2}),
    TestEntry("reset_between", "8 resets a run", icarus_config={"resets": 3}),
)
