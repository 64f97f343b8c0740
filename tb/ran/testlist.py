"""The RAN's one list of runs: `make test` takes all of it on both simulators, `make coverage` those on Verilator with
the default parameters."""

from __future__ import annotations

from tb.lib.testlist import TestEntry

SMALL = {"ROWS": 4, "LANES": 8}
WIDE = {"ROWS": 2, "LANES": 32, "ACC_W": 48}
ONE_BANK = {"BANKS": 1}

TESTS: tuple[TestEntry, ...] = (
    TestEntry(
        "smoke", "no choice left to a seed; every parameter set must build and work", params=({}, SMALL, WIDE, ONE_BANK)
    ),
    TestEntry(
        "real_tensors",
        "fixed data",
        icarus_config={"sets": ["early"], "gemms": ["bp3"], "rows": 48},
        directed=True,
        late=("icarus",),
    ),
    TestEntry(
        "rounding_modes",
        "all modes, formats and shifts in every run; the seed only gives values",
        seeds=(1, 2),
        icarus_config={"shifts": [1, 8], "formats": [0, 1, 4]},
        late=("icarus",),
    ),
    TestEntry("format_transitions", "all pairs in every run", icarus_config={"rounds": 1}, late=("icarus",)),
    TestEntry("reduce_factors", "all changes in every run", icarus_config={"rounds": 1, "jobs": 2}, late=("icarus",)),
    TestEntry("ragged_load", "the load is the same for every seed", icarus_config={"jobs": 24}, late=("icarus",)),
    TestEntry("stopped_consumer", "twelve stops a run", seeds=(1, 2), icarus_config={"stop": 100}, late=("icarus",)),
    TestEntry(
        "reset_full_banks",
        "12 resets a run, at moments that the seed chooses",
        seeds=(1, 2, 3),
        icarus_config={"resets": 3},
        early_seeds=2,
    ),
    TestEntry(
        "start_values", "all pairs of kinds in every run", seeds=(1, 2), icarus_config={"descs": 10}, late=("icarus",)
    ),
    TestEntry("psum_chain", "a chain holds for any values", icarus_config={"jobs": 12, "chunks": 3}, late=("icarus",)),
    TestEntry("bypass_and_cancel", "24 descriptors a run", seeds=(1, 2), icarus_config={"descs": 8}),
    TestEntry("illegal_descriptors", "all codes in every run", params=({}, WIDE)),
    TestEntry("statistics", "30 tensors a run", seeds=(1, 2), icarus_config={"tensors": 3}),
    TestEntry(
        "long_tensor",
        "65,700 jobs, nearly all alike: the seed only gives values after the wrap of tags; a minute on Icarus",
        sims=("verilator",),
        directed=True,
    ),
    TestEntry(
        "draws",
        "numbers that come again in every run; the seed gives values and who overtakes whom",
        icarus_config={"rounds": 1},
        late=("icarus",),
    ),
    TestEntry(
        "stochastic_unbiased",
        "a million draws; four standard errors, which among many seeds some exceed by chance",
        icarus_config={"jobs": 150},
        directed=True,
        late=("verilator",),
    ),
    TestEntry("full_rate", "no choice left to a seed", icarus_config={"jobs": 60}, late=("icarus",)),
    TestEntry("counters", "the moment of the clear is fixed", icarus_config={"moment": 150}, late=("icarus",)),
    TestEntry("second_reading", "14 descriptors a run; the third ends at rest", seeds=(3, 1, 2), sims=("verilator",)),
    TestEntry("second_reading", "14 descriptors a run", seeds=(1, 2, 3), params=(SMALL,)),
    TestEntry(
        "constrained_random",
        "72 descriptors a run",
        seeds=(1, 2, 3, 4, 5, 6),
        params=({}, SMALL, WIDE, ONE_BANK),
        icarus_config={"programs": 1, "descs": 8},
    ),
)
