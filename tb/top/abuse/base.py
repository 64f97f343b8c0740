"""Test base: plays programs at the processor's ports, one after the other, in one long simulation.

A program is played from a reset on. Then the host ends what it began, keeps the rules, and waits until all is over.
What was seen is judged; a known good program must give right results, without a reset and after one. Hypothesis draws
programs, and shrinks one that fails to the shortest that still does.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cocotb
import hypothesis
import numpy as np
import numpy.typing as npt
from cocotb.task import bridge, resume
from cocotb.triggers import SimTimeoutError, ValueChange, with_timeout
from pyuvm import ConfigDB

from models.common.commands import Engine
from models.top.config import Buffer, TopParams
from tb.lib.env import BlockEnv, EnvConfig
from tb.lib.runinfo import CLOCK_NS
from tb.lib.scoreboard import Scoreboard, Verdict
from tb.lib.testbase import BlockTest
from tb.top.abuse.draw import MIXES, Mix, kinds_of, programs
from tb.top.abuse.good import READS, Good, make_good
from tb.top.abuse.judge import FINISHING, Finding, Watcher, record_text
from tb.top.abuse.program import Item, Program, Script, listing, read_program, script_of

PARAMS = {"CORES": "cores", "ROWS": "rows", "DEPTH": "depth", "ACC_W": "acc_w", "BANKS": "banks", "LAYERS": "layers"}
SIZES = {"x_words": 32, "w_words": 128, "m_words": 4, "y_words": 64, "s_words": 8}  # of tb_top's small buffers
KEPT = Path(__file__).parent / "kept"
SETTLE = 24  # cycles in which nothing happens: the host has played everything it can
PATIENCE = 4000  # cycles beside those that commands take
PROGRAM_BOUND = 100_000  # cycles of a program's own script: its longest store ends within
LONGEST = 60_000  # cycles: a program whose commands may take longer ends with a reset
GOOD_BOUND = 20_000
MOST_LOGGED = 1 << 20  # bytes of logs that a run keeps; of all it keeps a digest
HARMLESS = 0xFFFC  # an address for half an access that has lost its other half


class AbuseScoreboard(Scoreboard):
    """Is told what was compared while programs ran, and the finding of the one that failed."""

    checks: dict[str, int]
    finding: Finding | None

    def judge(self) -> Verdict:
        """The verdict."""
        for kind, number in self.checks.items():
            self.verdict.count(kind, number)
        if self.finding:
            one = self.finding
            self.verdict.diverge(one.boundary, one.cycle, one.what, one.observed, one.expected)
        return self.verdict


class AbuseTest(BlockTest):
    """Config: `mix` of items, `programs`: how many are tried; `program`: the file of one that is played instead."""

    TESTPLAN = Path(__file__).parents[1] / "testplan.hjson"
    MIX = "everything"
    PROGRAMS = 300

    def make_env(self) -> BlockEnv:
        """No agent, no monitor: the test plays scripts, and their logs are judged at once."""
        given = self.run_info.params
        assert given["UNRULY"], "tests abuse... need UNRULY=1"
        self.params = TopParams(**{field: given[name] for name, field in PARAMS.items()}, **SIZES)
        assert self.params.words_of(Buffer.Y) == SIZES["y_words"]
        self.good = {planned: make_good(self.params, planned) for planned in (False, True)}
        self.checks = {"value": 0, "slice": 0, "cycle": 0}
        self.tried: Counter[str] = Counter()
        self.finding: Finding | None = None
        self.failed: list[Item] = []
        self.scripts = self.simulated = 0
        self.told_lines = 0  # bytes of the simulator's log that were looked at
        self.digests, self.logged = hashlib.sha256(), 0
        config = EnvConfig(self.params, (), (), AbuseScoreboard)
        ConfigDB().set(self, "env", "CFG", config)
        return BlockEnv.create("env", self)

    def idle_inputs(self) -> None:
        """No transactor of the other host plays."""
        for name in ("host_credit_i", "s_credit_i", "m_credit_i", "go_i"):
            getattr(self.dut, name).value = 0

    # ---- a script ----------------------------------------------------------------------------------------------------
    async def play(self, watcher: Watcher, script: Script, settle: int, bound: int, **how: bool) -> None:
        """Plays a script to its end, and lets `watcher` follow what was seen."""
        folder = self.run_info.run_dir
        (folder / "script.in.bin").write_bytes(script.bytes_of(settle, bound, **how))
        self.scripts += 1
        self.dut.go_i.value = self.scripts
        try:
            await with_timeout(ValueChange(self.dut.done_o), (bound + 100) * CLOCK_NS, "ns")
        except SimTimeoutError:
            raise Finding("bench", bound, "the script's end", "none", f"{bound} cycles at most") from None
        log: npt.NDArray[np.uint32] = np.fromfile(folder / "script.log.bin", "<u4").reshape(-1, 6)
        self.simulated += int(log[-1, 0])
        self.digests.update(log.tobytes())
        if self.logged < MOST_LOGGED:
            with (folder / "abuse.bin").open("ab") as file:
                self.logged += file.write(log.tobytes())
        self._assertions()
        watcher.follow(log)

    def _assertions(self) -> None:
        """A failed assertion of the RTL, or of the bench, belongs to the program that runs."""
        ctypes.CDLL(None).fflush(None)
        with (self.run_info.run_dir / "sim.log").open("rb") as log:
            log.seek(self.told_lines)
            text = log.read()
        self.told_lines += len(text)
        found = [line for line in text.decode(errors="replace").splitlines() if line.startswith("TS_ASSERT ")]
        if found:
            raise Finding("assertion", 0, found[0].removeprefix("TS_ASSERT "), "failed", "holds")

    async def _run_good(self, watcher: Watcher, done: Sequence[int], reset: bool) -> None:
        """The program that must be right; `done`: where the done counters stand."""
        good: Good = self.good[reset]
        before = 0 if reset else len(watcher.seen.out)
        answers = 0 if reset else len(watcher.seen.b)
        await self.play(watcher, good.script(done, reset), SETTLE, GOOD_BOUND, idle=True)
        if watcher.late or watcher.busy:
            raise Finding("good", watcher.cycles, "the good program's end", "none", f"within {GOOD_BOUND} cycles")
        watcher.answered()
        refused = [at for at, answer in enumerate(watcher.seen.b[answers:]) if answer]
        if refused:
            raise Finding(
                "good", watcher.cycles, f"answer to write {refused[0]} of the good program", "an error", "OKAY"
            )
        got = [tuple(packet) for packet in watcher.seen.out[before:]]
        for at, (mine, want) in enumerate(zip(got, good.packets, strict=False)):
            for word, (a, b) in enumerate(zip(mine, want, strict=False)):
                if a != b:
                    raise Finding("good", watcher.cycles, f"word {word} of store {at}", f"{a:#034x}", f"{b:#034x}")
        if [*map(len, got)] != [*map(len, good.packets)]:
            raise Finding("good", watcher.cycles, "words of the stores", [*map(len, got)], [*map(len, good.packets)])
        read = await self._read(watcher, READS)
        if tuple(read) != good.read:
            raise Finding("good", watcher.cycles, "statistics of the last product", read, list(good.read))
        self.checks["value"] += sum(map(len, good.packets)) + len(read)

    async def _read(self, watcher: Watcher, addresses: Sequence[int]) -> list[int]:
        script = Script()
        for address in addresses:
            script.offer("ar", address)
        watcher.seen.reads = len(watcher.seen.r)
        await self.play(watcher, script, SETTLE, GOOD_BOUND)
        watcher.answered()
        return watcher.new_reads()

    # ---- a program ---------------------------------------------------------------------------------------------------
    async def one(self, program: Program) -> None:
        """Plays a program and judges it; raises `Finding`."""
        watcher = Watcher(self.params)
        self.tried["programs"] += 1
        self.tried.update(f"with {name}" for name in kinds_of(program))
        try:
            await self._abuse(watcher, program)
            await self._run_good(watcher, (0, 0, 0), reset=True)
        except Finding as finding:
            self.finding, self.failed = finding, list(program)
            raise
        finally:
            self.tried["answers"] += watcher.answers

    async def _abuse(self, watcher: Watcher, program: Program) -> None:
        await self.play(watcher, script_of(program), SETTLE, PROGRAM_BOUND)
        slowest = watcher.slowest()
        script = Script()
        addresses, data = watcher.half_access()
        for _ in range(addresses):
            script.offer("aw", HARMLESS)
        for _ in range(data):  # no strobe: refused
            script.offer("w", 0)
        if slowest > LONGEST:
            await self.play(watcher, script, SETTLE, PATIENCE, fill=True)
            self.tried["cut"] += 1
            return
        await self.play(watcher, script, SETTLE, slowest + PATIENCE, idle=True, fill=True)
        watcher.answered()
        done, error, status = await self._read(watcher, FINISHING)
        self.checks["slice"] += watcher.commands()
        self.checks["cycle"] += watcher.answers
        self.tried["commands"] += watcher.commands()
        self.tried[record_text(error).partition(",")[0] if error else "no error"] += 1
        if not watcher.ended(done, error, status):
            self.tried["waits for what never comes"] += 1
            return
        await self._run_good(watcher, [done >> 8 * engine & 0xFF for engine in Engine], reset=False)

    # ---- the test ----------------------------------------------------------------------------------------------------
    async def body(self) -> None:
        """Programs until one fails."""
        try:
            await self.one([])  # fills the buffers
            await self.abuse()
        except Finding as finding:
            self._failed(finding)

    async def abuse(self) -> None:
        """The programs; raises `Finding`."""
        config = self.run_info.config
        if config.get("program"):
            await self.one(read_program(Path(config["program"])))
        else:
            mix = MIXES[config.get("mix", self.MIX)]
            await bridge(self.search)(mix, config.get("programs", self.PROGRAMS))

    async def kept(self, name: str, program: Program) -> None:
        """Plays a program that was kept; a finding names it."""
        try:
            await self.one(program)
        except Finding as finding:
            finding.what = f"{name}: {finding.what}"
            raise

    def search(self, mix: Mix, count: int) -> None:
        """Draws `count` programs; raises the `Finding` of the shortest that fails."""

        @hypothesis.seed(self.run_info.seed)
        @hypothesis.settings(
            max_examples=count,
            database=None,
            deadline=None,
            print_blob=False,
            report_multiple_bugs=False,
            verbosity=hypothesis.Verbosity.quiet,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        )
        @hypothesis.given(programs(mix, self.params))
        def attempt(program: list[Item]) -> None:
            resume(self.one)(program)

        try:
            attempt()
        except hypothesis.errors.Flaky:
            assert self.finding
            self.finding.what += " (not every time: what came before matters)"
            raise self.finding from None
        except Finding:
            for at in reversed(range(len(self.failed))):  # what a program needs not: Hypothesis keeps a least number
                fewer = self.failed[:at] + self.failed[at + 1 :]
                with contextlib.suppress(Finding):
                    resume(self.one)(fewer)
            assert self.finding
            raise self.finding from None

    def _failed(self, finding: Finding) -> None:
        """Prints the program that failed, and keeps it in the run's folder."""
        self.finding = finding
        path = self.run_info.run_dir / "program.txt"
        text = listing(self.failed, str(finding))
        path.write_text(text, encoding="utf-8")
        cocotb.log.info("the shortest program that fails, of %d tried (%s):\n%s", self.tried["programs"], path, text)

    async def before_collect(self) -> None:
        """Keeps a digest of all that was seen, for the comparison of simulators."""
        (self.run_info.run_dir / "digest.bin").write_bytes(self.digests.digest())

    def told(self) -> dict[str, Any]:
        """What was compared, and found."""
        return {"checks": self.checks, "finding": self.finding}

    def conclude(self, verdict: Verdict) -> None:
        """As many programs as were asked for; what was tried."""
        wanted, tried = self.run_info.config.get("programs", 0), self.tried["programs"]
        if tried < wanted and not self.finding:
            verdict.diverge("programs", self.cycles, "programs tried", tried, f"{wanted} at least")
        self.report |= {
            "cycles": self.simulated,
            **{name: self.tried[name] for name in sorted(self.tried)},
            "program": listing(self.failed).splitlines(),
        }
