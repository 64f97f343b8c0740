"""LAPS' one list of runs: `make test` takes all of it on both simulators."""

from __future__ import annotations

from tb.lib.testlist import TestEntry

FOUR, MANY = {"LAYERS": 4}, {"LAYERS": 64}

TESTS: tuple[TestEntry, ...] = (
    TestEntry("smoke", "every parameter set must build and work", params=({}, FOUR, MANY)),
    TestEntry(
        "constrained_random",
        "3,600 updates a run",
        seeds=(1, 2, 3, 4),
        params=({}, FOUR),
        icarus_config={"rounds": 4},
        early_seeds=4,
    ),
    TestEntry(
        "registers",
        "every address, no choice left to a seed",
        icarus_config={"stride": 17},
        directed=True,
        late=("icarus",),
    ),
    TestEntry("refusals", "all codes in every run", directed=True),
    TestEntry("thresholds", "no choice left to a seed", directed=True, late=("icarus",)),
    TestEntry(
        "promises", "5,760 updates of 96 entries a run", seeds=(1, 2), icarus_config={"rounds": 1}, late=("icarus",)
    ),
    TestEntry(
        "zeros_for_ever", "no choice left to a seed", icarus_config={"updates": 40}, directed=True, late=("icarus",)
    ),
    TestEntry("limits", "all limits in every run"),
    TestEntry("schedules", "all phases in every run", late=("icarus",)),
    TestEntry("tolerances", "750 draws a class", icarus_config={"updates": 400}, late=("icarus",)),
    TestEntry("queries", "a grid", icarus_config={"step": 9}, directed=True, late=("icarus",)),
    TestEntry("back_to_back", "768 updates a run", params=({}, MANY), icarus_config={"rounds": 1}, late=("icarus",)),
    TestEntry("arbitration", "ten patterns a run", late=("icarus",)),
    TestEntry("recorded_statistics", "one recording: 7,920 updates of 660 iterations", directed=True, late=("icarus",)),
    TestEntry("closed_loop", "an epoch of the MLP", late=("icarus",)),
    TestEntry(
        "closed_loop",
        "four iterations of the CNN: its trainer is the slow part",
        sims=("verilator",),
        config={"net": "cnn", "iterations": 4, "reduced": True},
    ),
    TestEntry("reset_in_the_middle", "33 resets a run", seeds=(1, 2), icarus_config={"resets": 3}),
)
