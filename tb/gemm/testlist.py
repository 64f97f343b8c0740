"""The pair's one list of runs: `make test` takes all of it on both simulators, `make coverage` those on Verilator with
the default parameters."""

from __future__ import annotations

from tb.lib.testlist import TestEntry

SMALL = {"ROWS": 4, "LANES": 8, "DEPTH": 32}
WIDE = {"ROWS": 2, "LANES": 32, "DEPTH": 64, "ACC_W": 48}
ONE_BANK = {"BANKS": 1}

TESTS: tuple[TestEntry, ...] = (
    TestEntry(
        "smoke", "no choice left to a seed; every parameter set must build and work", params=({}, SMALL, WIDE, ONE_BANK)
    ),
    TestEntry(
        "real_tensors",
        "fixed data",
        icarus_config={"sets": ["early"], "gemms": ["bp3"], "rows": 24},
        directed=True,
        late=("icarus",),
    ),
    TestEntry(
        "user_tensors",
        "files that the test makes; those of a user by test_commands.py",
        config={"example": True},
        late=("icarus",),
    ),
    TestEntry("captured", "a capture that the test makes; those of trainings by test_captures.py", late=("icarus",)),
    TestEntry(
        "reduce_sweep",
        "fixed data; both numbers of banks",
        params=({}, ONE_BANK),
        icarus_config={"sets": ["early"], "gemms": ["bp3"], "rows": 8, "factors": [1, 8]},
        directed=True,
        late=("verilator",),
    ),
    TestEntry(
        "shapes",
        "any values do",
        seeds=(1, 2),
        icarus_config={"chains": 2, "factors": [2], "rows": 3},
        late=("icarus",),
    ),
    TestEntry(
        "formats", "all formats and precisions in every run", icarus_config={"jobs": 3, "share": 12}, late=("icarus",)
    ),
    TestEntry("back_pressure", "the stops are fixed", icarus_config={"stop": 200, "jobs": 12}, late=("icarus",)),
    TestEntry("illegal_descriptors", "all codes in every run"),
    TestEntry("same_draws", "the seed only gives values", icarus_config={"rows": 8}, late=("icarus",)),
    TestEntry("refused_jobs", "24 tiles a run", seeds=(1, 2), icarus_config={"tiles": 6}),
    TestEntry(
        "reset_mid_jobs",
        "8 resets a run, at moments of the seed",
        seeds=(1, 2),
        icarus_config={"resets": 2},
        late=("icarus",),
    ),
    TestEntry("many_jobs", "33,000 jobs a run", sims=("verilator",)),
    TestEntry(
        "constrained_random",
        "30 tiles a run",
        seeds=(1, 2, 3, 4),
        params=({}, SMALL),
        icarus_config={"tiles": 8, "jobs": 6, "max_k": 20},
    ),
)
