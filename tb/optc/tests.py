"""Tests of the OPTC. What they verify stands in testplan.hjson, their runs in testlist.py.

Class names are test names (`make sim BLOCK=optc TEST=...`). Configuration keys that a test takes stand in its
docstring.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyuvm

from models.optc.config import MAX_CLIP, Mode, Scalar
from models.optc.host import WIDTH, Rule
from tb.common.scoreboard import Verdict
from tb.common.waves import gaps, ready_wave
from tb.optc.env import OptcTest
from tb.optc.gradients import RECORDED_RULES, GradientTest, recorded
from tb.optc.options import MODES, load_stream
from tb.optc.program import Program
from tb.optc.sequences import PLAIN, random_config, random_state


@pyuvm.test()
class smoke(OptcTest):
    """Both modes, tensors that fill their last beat and that do not, a pass at full rate."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = Program(self.lanes)
        for mode in Mode:
            for n in (1, self.lanes, 37, 8 * self.lanes):
                program.tensor(replace(PLAIN, mode=mode, n=n), random_state(rng, n))
        await self.play(program)


@pyuvm.test()
class constrained_random(OptcTest):
    """Random legal configurations of both modes, random and corner states, gaps, consumers that stop, seeds.
    Config: `tensors`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for _ in range(self.run_info.config.get("tensors", 120) // 8):
            style = ("none", "rare", "frequent", "starved")[int(rng.integers(4))]
            await self.back_pressure({"out": ready_wave(rng, style, 600), "stat": ready_wave(rng, style, 40)})
            program = Program(self.lanes)
            program.seeds = [(int(rng.integers(1 << 32)), int(rng.integers(200))) for _ in range(3)]
            for _ in range(8):
                config = random_config(rng, int(rng.integers(1, 120)))
                beats = -(-config.n // self.lanes)
                wait = gaps(rng, ("none", "rare", "frequent")[int(rng.integers(3))], beats)
                program.tensor(config, random_state(rng, config.n), wait)
            await self.play(program)


@pyuvm.test()
class stopped_consumer(OptcTest):
    """Results and statistics are not taken for thousands of cycles while the pipeline is full. Config: `stop`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        stop = self.run_info.config.get("stop", 3000)
        for sinks in (("out",), ("stat",), ("out", "stat")):
            for on in (1, 60, 140):
                await self.back_pressure(dict.fromkeys(sinks, np.array([[on, stop], [3, 40]] + [[1, 2]] * 30)))
                program = Program(self.lanes)
                for _ in range(3):
                    config = random_config(rng, 100 * self.lanes)
                    program.tensor(config, random_state(rng, config.n))
                await self.play(program)


@pyuvm.test()
class reset_in_the_middle(OptcTest):
    """Resets in a tensor, in its drain and while a record waits; what follows is as from the start.
    Config: `resets`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for moment in (20, 60, 110, *rng.integers(2, 160, self.run_info.config.get("resets", 10)).tolist()):
            program = Program(self.lanes)
            for _ in range(2):
                config = random_config(rng, 50 * self.lanes)
                program.tensor(config, random_state(rng, config.n))
            await self.start(program)
            await self.cycles_pass(moment)
            await self.reset()
        program = Program(self.lanes)
        config = random_config(rng, 99)
        program.tensor(config, random_state(rng, 99))
        await self.play(program)


@pyuvm.test()
class refused_configurations(OptcTest):
    """Every code, with the next legal tensor right; configurations in the middle of a tensor are refused and change
    nothing."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        bad = [
            {"n": 0}, {"fl_v": 31}, {"fl_w": 64}, {"fl_w": -65}, {"fl_m": 64}, {"fl_g": -65}, {"pre_v": 1},
            {"fl_m": 37},
            {"fl_m": -2}, {"fl_v": 60}, {"fl_v": -6}, {"step": Scalar(1, 11)}, {"step": Scalar(1, 64)},
            {"step": Scalar(9, 63), "fl_w": 10}, {"c1": Scalar(3, 1)}, {"c2": Scalar(3, 1)}, {"c1": Scalar(1, 48)},
            {"wd": Scalar(1, 48)}, {"wd": Scalar(2, 0)}, {"eps_mant": 32767}, {"eps_exp": 16}, {"clip": 0},
            {"clip": MAX_CLIP + 1}, {"copy_format": 4}, {"copy_round": 3}, {"copy_shift": 32},
        ]  # fmt: skip
        for mode in Mode:
            program = Program(self.lanes)
            for change in bad:
                config = replace(PLAIN, mode=mode, n=5)
                if replace(config, **change).check() == 0:  # what ADAM alone needs does not bind momentum
                    continue
                program.configs.append((replace(config, **change), True, 0))
                program.tensor(config, random_state(rng, 5))
            await self.play(program)
        for gap in (1, 5, 20):
            program = Program(self.lanes)
            config = replace(PLAIN, n=40 * self.lanes)
            program.tensor(config, random_state(rng, config.n), 2)
            for mode in Mode:  # legal ones, at the wrong time
                program.configs.append((random_config(rng, 7, mode), False, gap))
            program.tensor(replace(config, mode=Mode.MOMENTUM), random_state(rng, config.n))
            await self.play(program)
        for gap in (12, 30, 48):  # offered while the pipeline drains: taken behind it
            program = Program(self.lanes)
            config = replace(PLAIN, n=4 * self.lanes)
            program.tensor(config, random_state(rng, config.n))
            program.configs.append((replace(config, mode=Mode.MOMENTUM), False, gap))
            program.load(config.n, random_state(rng, config.n))
            await self.play(program)


@pyuvm.test()
class roots(OptcTest):
    """The root of r^2 - 1, r^2 and r^2 + 1 for every r of 16 bits, through the pipeline. Config: `step` (of r)."""

    async def body(self) -> None:
        r = np.arange(1, 1 << 16, self.run_info.config.get("step", 1), dtype=np.int64)
        v = np.concatenate([r * r - 1, r * r, r * r + 1])
        zero = np.zeros_like(v)
        config = replace(PLAIN, n=len(v), c2=Scalar(0, 0), c1=Scalar(0, 0), fl_v=30, fl_m=20)
        program = Program(self.lanes)
        program.tensor(config, (zero, zero + (1 << 20), v, zero))
        await self.play(program)


@pyuvm.test()
class quotients(OptcTest):
    """Divisors across their range, dividends of every remainder class around multiples. Config: `divisors`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = Program(self.lanes)
        for d in np.linspace(1 << 15, (1 << 16) - 1, self.run_info.config.get("divisors", 24)).astype(int).tolist():
            # v = 0: eps is the divisor.
            m = np.concatenate([np.arange(d)[:: max(1, d // 4000)], rng.integers(0, 1 << 31, 500)])
            near = d * rng.integers(1, (1 << 31) // d, 500)
            m = np.concatenate([m, near - 1, near, near + 1, [(1 << 31) - 1, -(1 << 31)]])
            m[::2] = np.where(m[::2] > -(1 << 31), -m[::2], m[::2])
            zero = np.zeros_like(m)
            for fl_m, k in ((31, 15), (31, 0), (27, 12)):
                config = replace(
                    PLAIN, n=len(m), fl_m=fl_m, fl_g=fl_m, fl_v=30, c1=Scalar(0, 0), c2=Scalar(0, 0), eps_mant=d,
                    eps_exp=k, step=Scalar(3, 20),
                )  # fmt: skip
                program.tensor(config, (zero, m, zero, zero))
        await self.play(program)


@pyuvm.test()
class dead_weights(OptcTest):
    """Steps with gradients of zero for ever leave weights without a first moment where they were. Config: `steps`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        n = self.lanes
        self.w, _, v, _ = random_state(rng, n)
        zero = np.zeros(n, np.int64)
        program = Program(self.lanes)
        for step in range(self.run_info.config.get("steps", 10_000)):
            program.tensor(replace(PLAIN, mode=Mode(step % 2), n=n, wd=Scalar(0, 0)), (self.w, zero, v, zero))
        await self.play(program)

    def judge(self, cycles: int) -> Verdict:
        verdict = super().judge(cycles)
        result = self.env.scoreboard.epochs[-1].result
        moved = (result["w"] != self.w & 0xFFFF_FFFF).any(axis=1)
        verdict.count("value", len(result))
        if moved.any():
            verdict.diverge("output", int(result["cycle"][moved][0]), "dead weight", "moved", "where it was")
        return verdict


@pyuvm.test()
class recorded_stream(GradientTest):
    """The gradients of a real training, from the host's floats to the weights that leave the core; bars on update error
    and drift. Config: `modes` (adam, momentum, sgd), `steps`, `width` (of a group; 0: one group), `out`, `picture`."""

    async def body(self) -> None:
        config = self.run_info.config
        g, w0 = recorded()
        g = g[: config.get("steps")]
        for mode in config.get("modes", ["adam", "momentum"]):
            self.add(mode, RECORDED_RULES[mode], g, w0, width=config.get("width", WIDTH) or None)
        await self.play_streams()


@pyuvm.test()
class user_gradients(GradientTest):
    """A user's gradients; the drift alone is a check. Config: g, w0 (files; w0 may be null), mode, rule (fields of
    Rule), out, picture."""

    async def body(self) -> None:
        config = self.run_info.config
        g, w0 = load_stream(Path(config["g"]), Path(config["w0"]) if config["w0"] else None)
        self.add(config["mode"], Rule(MODES[config["mode"]], **config["rule"]), g, w0, ("drift",))
        await self.play_streams()


@pyuvm.test()
class following(GradientTest):
    """Gradients whose scale climbs, jumps by a million, falls and is nothing for a while: FLs follow, and nothing
    saturates. Config: `steps` (of each of the five parts), `decades` (factor on the changes; 0: none)."""

    LEAST: ClassVar = {"pre_w": 3, "pre_m": 12, "pre_v": 10, "only rescaling": 7}  # a constant scale has half of it

    async def body(self) -> None:
        rng, config = self.run_info.rng(), self.run_info.config
        steps = config.get("steps", 120)
        # Decades of the scale at the ends of each part.
        ends = ((0, 1.5), (-4, -4), (2, 2), (2, -1), (-1, 3))
        scale = 10.0 ** (config.get("decades", 1) * np.concatenate([np.linspace(*pair, steps) for pair in ends]))
        g = (rng.normal(size=(len(scale), 6 * self.lanes)) + 0.3) * scale[:, None]
        g *= 10.0 ** rng.uniform(-2, 0, g.shape[1])
        g[steps + steps // 2 : 2 * steps] = 0
        w0 = rng.normal(size=g.shape[1]) * 1e-4
        # Behind a fall of the scale ADAM's updates are small against the unit of u: no bar on their tail.
        self.add("adam", Rule(Mode.ADAM, 1e-3, eps=1e-12), g, w0, ("p50", "drift"))
        self.add("momentum", Rule(Mode.MOMENTUM, 1e-3), g, w0)
        await self.play_streams()

    def judge(self, cycles: int) -> Verdict:
        verdict = super().judge(cycles)
        for stream in self.streams:
            totals = stream.run.host.totals
            moved = {**totals.follows, "only rescaling": totals.rescales}
            for name, least in self.LEAST.items():
                if name == "pre_v" and stream.name == "momentum":
                    continue
                verdict.count("value", 1)
                if moved[name] < least:
                    what = f"passes of {stream.name}, {name}"
                    verdict.diverge("result", cycles, what, moved[name], f"at least {least}")
        return verdict
