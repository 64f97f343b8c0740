"""The one list of IOSS tests: runs, seeds and the reason for their number; every command uses it."""

from __future__ import annotations

from tb.lib.testlist import TestEntry

SMALL = {"ROWS": 4, "LANES": 8, "DEPTH": 32}
TALL = {"ROWS": 16, "LANES": 16, "DEPTH": 64}

TESTS: tuple[TestEntry, ...] = (
    TestEntry("smoke", "no choice left to a seed; every parameter set must build and work", params=({}, SMALL, TALL)),
    TestEntry(
        "real_tensors",
        "fixed data",
        icarus_config={"sets": ["early"], "gemms": ["bp3"], "rows": 48},
        directed=True,
        late=("icarus",),
    ),
    TestEntry(
        "user_tensors",
        "files that the test makes; those of a user by test_commands.py",
        config={"example": True},
        late=("icarus",),
    ),
    TestEntry(
        "precision_pairs",
        "all pairs in every run; the seed only gives order and values",
        icarus_config={"jobs": 3},
        late=("icarus",),
    ),
    TestEntry("corner_vectors", "corners are the same for every seed", icarus_config={"slices": [1, 4], "depth": 0}),
    TestEntry(
        "min_order_compensation",
        "all orders in every run",
        icarus_config={"jobs": 3, "slices": [2, 3]},
        late=("icarus",),
    ),
    TestEntry("out_masks", "three precisions of 48 masks a run", seeds=(1, 2), late=("icarus",)),
    TestEntry(
        "idle_back_pressure",
        "20 pairs of styles a run, in an order of their own for each seed",
        seeds=(1, 2),
        icarus_config={"gaps": ["none", "frequent"], "ready": ["none", "frequent", "starved"], "jobs": 12},
        late=("icarus",),
    ),
    TestEntry(
        "bank_swap",
        "120 of 256 precision transitions a run: three seeds to see all",
        seeds=(1, 2, 3),
        icarus_config={"tiles": 30},
        late=("icarus",),
    ),
    TestEntry(
        "dispatch_patterns", "six tiles of 40 jobs a run", seeds=(1, 2), icarus_config={"rounds": 2}, late=("icarus",)
    ),
    TestEntry(
        "reduce_factors",
        "all changes twice a run",
        params=({}, TALL),
        icarus_config={"rounds": 1, "max_k": 4, "stalled": 0},
        late=("icarus",),
    ),
    TestEntry(
        "reset_mid_jobs",
        "12 resets a run, at moments that the seed chooses",
        seeds=(1, 2, 3, 4),
        icarus_config={"resets": 4},
        early_seeds=2,
    ),
    TestEntry("illegal_descriptors", "all codes in every run"),
    TestEntry(
        "framing_errors", "24 tiles and 120 jobs a run", seeds=(1, 2), icarus_config={"tiles": 10}, late=("icarus",)
    ),
    TestEntry(
        "withdrawn_valid",
        "160 beats a run, each withdrawn several times",
        sims=("verilator", "icarus"),
        late=("icarus",),
    ),
    TestEntry("long_tile", "nearly all jobs are alike", icarus_config={"jobs": 300}, directed=True, late=("icarus",)),
    TestEntry("counters", "the moment of the clear is fixed", late=("icarus",)),
    TestEntry(
        "constrained_random",
        "40 tiles a run; eight seeds found every fault that was planted while this list was made",
        seeds=(1, 2, 3, 4, 5, 6, 7, 8),
        params=({}, SMALL),
        icarus_config={"tiles": 20, "max_k": 24, "jobs": 8},
        early_seeds=3,
    ),
    TestEntry("metamorphic", "relations hold for any values", seeds=(1, 2), late=("icarus",)),
)
