"""The processor's one list of runs: `make test` takes all of it on both simulators."""

from __future__ import annotations

from tb.lib.testlist import BOTH, TestEntry

TWO, FOUR = {"CORES": 2}, {"CORES": 4}
SMALL = {"UNRULY": 1, "ROWS": 2, "DEPTH": 32, "LAYERS": 4}
UNRULY_TESTS = ("abuse", "abuse_kept")

TESTS: tuple[TestEntry, ...] = (
    TestEntry("smoke", "every parameter set must build and work", params=({}, TWO)),
    TestEntry("smoke", "Verilator's C++ of four cores takes minutes to compile", params=(FOUR,), sims=("icarus",)),
    TestEntry("constrained_random", "21 products a run", seeds=(1, 2), sims=("verilator",)),
    TestEntry(
        "constrained_random",
        "two products a run",
        sims=("icarus",),
        icarus_config={"rounds": 1, "products": 1},
        late=("icarus",),
    ),
    TestEntry(
        "constrained_random",
        "as smoke",
        params=(FOUR,),
        sims=("icarus",),
        icarus_config={"rounds": 1, "products": 1},
        late=("icarus",),
    ),
    TestEntry("passes", "16 passes a run", icarus_config={"passes": 4}),
    TestEntry("planned", "ten products a run", icarus_config={"slots": 2}, late=("icarus",)),
    TestEntry("refusals", "all codes in every run", icarus_config={"changes": 7}, late=("icarus",)),
    TestEntry("overlapped", "ten products a run", icarus_config={"products": 3}, late=("icarus",)),
    TestEntry("back_pressure", "twelve products a run", icarus_config={"styles": 1, "products": 2}, late=("icarus",)),
    TestEntry("counters", "every counter wraps in a run", icarus_config={"rounds": 20}),
    TestEntry("training", "two iterations of the MLP", late=("icarus",)),
    TestEntry("shapes", "100 products a run", icarus_config={"factors": 1, "pairs": 3, "tiles": 20}, late=("icarus",)),
    TestEntry(
        "transfers",
        "every buffer beside every command in a run",
        icarus_config={"kinds": 0, "jobs": 200},
        late=("icarus",),
    ),
    TestEntry("in_step", "everything in every run", icarus_config={"rounds": 3}, late=("icarus",)),
    TestEntry("windows", "72 products a run", icarus_config={"products": 2}, late=("icarus",)),
    TestEntry("windows", "24 products a run", params=(TWO,), sims=("verilator",), late=("verilator",)),
    TestEntry("feeding", "33 products a run", icarus_config={"products": 2}, late=("icarus",)),
    TestEntry(
        "feeding",
        "refusals alone: one core feeds",
        params=(TWO,),
        sims=("verilator",),
        config={"products": 7},
        late=("verilator",),
    ),
    TestEntry("ports", "every port in a run", icarus_config={"rounds": 1}, late=("icarus",)),
    TestEntry("cores", "15 products a run", icarus_config={"narrow": True}, late=("icarus",)),
    TestEntry("cores", "15 products a run", params=(TWO,), icarus_config={"narrow": True}),
    TestEntry("same_draws", "every way in a run", icarus_config={"seeds": 1}, late=("icarus",)),
    TestEntry("same_draws", "as above", params=(TWO,), icarus_config={"seeds": 1}, late=BOTH),
    TestEntry("same_draws", "as smoke", params=(FOUR,), sims=("icarus",), icarus_config={"seeds": 1}, late=("icarus",)),
    TestEntry("any_words", "250 commands a run", icarus_config={"commands": 20, "slots": 4}, late=("icarus",)),
    TestEntry("updates", "every moment in a run", icarus_config={"step": 4}, late=("icarus",)),
    TestEntry("resets", "every engine in a run", icarus_config={"cases": 2}, late=("icarus",)),
    TestEntry("limits", "every limit in a run", icarus_config={"every": 8}),
    TestEntry("limits", "every limit in a run", params=(TWO,), icarus_config={"every": 8}),
    TestEntry("limits", "as smoke", params=(FOUR,), sims=("icarus",), icarus_config={"every": 12}, late=("icarus",)),
    TestEntry("far", "every limit in a run of 500,000 cycles", sims=("verilator",)),
    TestEntry("far_windows", "every limit in a run", sims=("verilator",), late=BOTH),
    TestEntry("padding", "both kinds in a run", params=({}, TWO), icarus_config={"kinds": 1}, late=("icarus",)),
    TestEntry("run", "200 commands and seven resets a run", icarus_config={"products": 1, "resets": 1}),
    TestEntry("reset_in_the_middle", "seven resets a run", icarus_config={"resets": 1}, late=("icarus",)),
    TestEntry(
        "abuse",
        "eight programs a second",
        params=(SMALL,),
        config={"mix": "everything", "programs": 500},
        icarus_config={"programs": 1},
    ),
    *(
        TestEntry(
            "abuse",
            "as above",
            params=(SMALL,),
            sims=("verilator",),
            config={"mix": mix, "programs": 500},
            late=("verilator",),
        )
        for mix in ("commands", "breaches", "resets", "accesses")
    ),
    TestEntry("abuse_kept", "every program in a run", params=(SMALL,), directed=True),
)
