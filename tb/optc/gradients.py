"""Base of the tests that play gradient streams, and the recorded one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from host.fidelity import BARS, Run, play
from host.optimiser import Host, Rule
from models.optc.config import Mode
from tb.lib.env import BlockEnv
from tb.lib.paths import REPORTS, ROOT
from tb.lib.scoreboard import Verdict
from tb.optc.env import OptcTest
from tb.optc.fidelity import draw, findings, observed, stream_report
from tb.optc.program import Program

F64 = npt.NDArray[np.float64]
RECORDED = ROOT / "data" / "optc" / "digits_gradients.npz"
# With these the recorded stream is played.
RECORDED_RULES = {
    "adam": Rule(Mode.ADAM, 1e-3),
    "momentum": Rule(Mode.MOMENTUM, 1e-2),
    "sgd": Rule(Mode.MOMENTUM, 0.1, 0.0),
}


def recorded() -> tuple[F64, F64]:
    """The recorded gradients (T, P) and first weights (P,)."""
    with np.load(RECORDED) as data:
        return data["g"].astype(np.float64), data["w0"].astype(np.float64)


@dataclass(frozen=True)
class Stream:
    """What was played: the run of the host, and the bars that are checks."""

    name: str
    g: F64
    run: Run
    bars: tuple[str, ...]


class GradientTest(OptcTest):
    """Base of the tests that play gradient streams: host and model run ahead, what the core gave is measured.
    Config: `out` (whether to keep the weights), `picture`."""

    def add(self, name: str, rule: Rule, g: F64, w0: F64, bars: tuple[str, ...] = tuple(BARS), **more: Any) -> Stream:
        """A stream after those that are there. `more` goes to the host."""
        stream = Stream(name, g, play(Host(rule, w0, **more), g), bars)
        self.streams.append(stream)
        return stream

    def make_env(self) -> BlockEnv:
        """The environment; no stream yet."""
        self.streams: list[Stream] = []
        return super().make_env()

    async def play_streams(self) -> None:
        """All streams, in one program."""
        program = Program(self.lanes)
        for stream in self.streams:
            for each in stream.run.passes:
                # The host's copy of the state; that the core gives the same is what the scoreboard checks.
                program.tensor(each.config, (*each.state, each.g))
        await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        """As every test, then the streams against float64."""
        super().conclude(verdict)
        config, right = self.run_info.config, not verdict.divergences
        entries, first, place = [], 0, 0
        for stream in self.streams:
            seen = observed(self.env.scoreboard, stream.run.passes, first, place, stream.g.shape, self.lanes)
            if seen is None:
                verdict.diverge("result", self.cycles, f"passes of {stream.name}", "some are missing", "all")
                break
            first, place = first + len(stream.run.passes), seen.end
            run = stream.run
            found = seen.fidelity(stream.g, run)
            for finding in findings(stream.name, stream.bars, found, seen, run.host.totals.sat_g):
                verdict.diverge("result", self.cycles, *finding)
            verdict.count("value", found.compared + len(stream.bars) + 1)
            entry = stream_report(stream.name, stream.g, run, seen, found, stream.bars)
            if config.get("picture"):
                path = REPORTS / "optc" / f"{self.run_info.run_dir.name}-{stream.name}.png"
                draw(path, stream.name, stream.g, run, seen, found, stream.bars)
                entry["picture"] = str(path)
            entries.append(entry)
            if right:
                self.keep(seen.w)
        self.report["streams"] = entries
