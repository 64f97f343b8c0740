"""The OPTC's one list of runs: `make test` takes all of it on both simulators."""

from __future__ import annotations

from tb.lib.testlist import TestEntry

ONE, EIGHT = {"LANES": 1}, {"LANES": 8}

TESTS: tuple[TestEntry, ...] = (
    TestEntry("smoke", "every parameter set must build and work", params=({}, ONE, EIGHT)),
    TestEntry(
        "constrained_random",
        "120 tensors a run",
        seeds=(1, 2, 3, 4),
        params=({}, ONE),
        icarus_config={"tensors": 8},
    ),
    TestEntry("stopped_consumer", "nine stops a run", icarus_config={"stop": 60}, late=("icarus",)),
    TestEntry("reset_in_the_middle", "13 resets a run", seeds=(1, 2), icarus_config={"resets": 2}),
    TestEntry("refused_configurations", "all codes in every run", late=("icarus",)),
    TestEntry("single_mode", "either rule alone", params=({"MODES": 1}, {"MODES": 2}), icarus_config={"tensors": 8}),
    TestEntry("roots", "all of them", icarus_config={"step": 97}, directed=True, late=("icarus",)),
    TestEntry("quotients", "a grid", icarus_config={"divisors": 2}, late=("icarus",)),
    TestEntry(
        "recorded_stream",
        "fixed data; all steps, both rules",
        icarus_config={"steps": 6},
        directed=True,
        late=("verilator",),
    ),
    TestEntry(
        "user_gradients",
        "files that the test makes; those of a user by test_commands.py",
        config={"example": True},
        late=("icarus",),
    ),
    TestEntry("following", "600 steps of either rule", icarus_config={"steps": 6}, late=("icarus",)),
    TestEntry("dead_weights", "no choice left to a seed", icarus_config={"steps": 20}, late=("verilator",)),
    TestEntry("full_rate", "no choice left to a seed", params=({}, ONE, EIGHT), icarus_config={"beats": 200}),
    TestEntry("corner_configurations", "1200 tensors a run", icarus_config={"tensors": 30}, late=("icarus",)),
    TestEntry("corner_values", "all of them", icarus_config={"configs": 0}, late=("icarus",)),
    TestEntry("rounding_ties", "all of them", directed=True, late=("icarus",)),
    TestEntry("quotient_limits", "a grid", icarus_config={"step": 3}, late=("icarus",)),
    TestEntry("state_limits", "no choice left to a seed", directed=True),
    TestEntry("all_saturate", "no choice left to a seed", icarus_config={"n": 203}, directed=True, late=("icarus",)),
    TestEntry("tensor_lengths", "all of them", icarus_config={"beats": [1, 50]}, late=("icarus",)),
    TestEntry("waiting", "stops of every length in every run", icarus_config={"tensors": 3}, late=("icarus",)),
    TestEntry("draws", "the seed gives values", late=("icarus",)),
)
