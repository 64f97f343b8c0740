"""Tests of the OPTC. What they verify stands in testplan.hjson, their runs in testlist.py.

Class names are test names (`make sim BLOCK=optc TEST=...`). Configuration keys that a test takes stand in its
docstring.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyuvm

from host.optimiser import WIDTH, Rule
from models.common import floats
from models.common.files import save_arrays
from models.common.generator import NUMBERS
from models.common.rounding import RAND_BITS, Round
from models.optc.config import MAX_CLIP, Mode, OptcConfig, Scalar
from models.optc.cycle import LATENCY
from tb.lib.scoreboard import Verdict
from tb.lib.waves import gaps, ready_wave
from tb.optc.env import OptcTest
from tb.optc.gradients import RECORDED_RULES, GradientTest, recorded
from tb.optc.options import MODES, load_stream
from tb.optc.program import Program
from tb.optc.scoreboard import check_rate
from tb.optc.sequences import PLAIN, corner_config, corner_states, random_config, random_state


@pyuvm.test()
class smoke(OptcTest):
    """Both modes, tensors that fill their last beat and that do not, a pass at full rate."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = Program(self.lanes)
        for mode in self.rules:
            for n in (1, self.lanes, 37, 8 * self.lanes):
                program.tensor(replace(PLAIN, mode=mode, n=n), random_state(rng, n))
        await self.play(program)


@pyuvm.test()
class constrained_random(OptcTest):
    """Random legal configurations of both modes, random and corner states, gaps, consumers that stop.
    Config: `tensors`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for _ in range(self.run_info.config.get("tensors", 120) // 8):
            style = ("none", "rare", "frequent", "starved")[int(rng.integers(4))]
            await self.back_pressure({"out": ready_wave(rng, style, 600), "stat": ready_wave(rng, style, 40)})
            program = Program(self.lanes)
            for _ in range(8):
                config = random_config(rng, int(rng.integers(1, 120)), self.only)
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
                    config = random_config(rng, 100 * self.lanes, self.only)
                    program.tensor(config, random_state(rng, config.n))
                await self.play(program)


@pyuvm.test()
class reset_in_the_middle(OptcTest):
    """Resets in a tensor, in its drain and while a record waits; what follows is as from the start.
    Config: `resets`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        await self.directed()
        for moment in (20, 60, 110, *rng.integers(2, 160, self.run_info.config.get("resets", 10)).tolist()):
            program = Program(self.lanes)
            for _ in range(2):
                config = random_config(rng, 50 * self.lanes, self.only)
                program.tensor(config, random_state(rng, config.n))
            await self.start(program)
            await self.cycles_pass(moment)
            await self.reset()
        program = Program(self.lanes)
        config = random_config(rng, 99, self.only)
        program.tensor(config, random_state(rng, 99))
        await self.play(program)

    async def directed(self) -> None:
        """Resets in every state of the core, a tensor of either mode after each."""
        rng, lanes = self.run_info.rng("directed"), self.lanes
        moments = {"empty": 4, "inside": 27, "draining": 27, "idle": 120, "held": 120, "record": 120}
        for (mode, after), state in itertools.product(itertools.product(Mode, Mode), moments):
            program = Program(lanes)
            # What is not to drain is announced to be far longer than what comes of it.
            n = (1 << 24) - 1 if state in ("empty", "inside") else 4 * lanes
            program.configs.append((replace(random_config(rng, 4 * lanes, mode), n=n), True, 0))
            if state != "empty":
                program.load(4 * lanes, random_state(rng, 4 * lanes))
            if state in ("held", "record"):
                await self.back_pressure({"out" if state == "held" else "stat": np.array([[1, 3 * LATENCY]])})
            await self.start(program)
            await self.cycles_pass(moments[state])
            await self.reset()
            program = Program(lanes)
            program.tensor(random_config(rng, 9, after), random_state(rng, 9))
            await self.play(program)


@pyuvm.test()
class refused_configurations(OptcTest):
    """Every code, with the next legal tensor right; configurations in the middle of a tensor are refused and change
    nothing."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        bad = [
            {"n": 0}, {"fl_v": 31}, {"fl_w": 64}, {"fl_w": -65}, {"fl_m": 64}, {"fl_g": -65}, {"pre_v": 1},
            {"fl_v": 64}, {"fl_v": -66}, {"fl_m": 37}, {"fl_m": -3}, {"fl_v": 60}, {"fl_v": -6},
            # Far beyond, where a narrower difference would be legal again.
            {"fl_m": 63, "fl_g": -64}, {"fl_m": -64, "fl_g": 63}, {"step": Scalar(1, 255), "fl_w": -20},
            {"step": Scalar(1, 128 + 25)},
            {"fl_m": 60, "fl_g": 60, "fl_v": -20}, {"fl_m": -20, "fl_g": -20, "fl_v": 40},
            {"step": Scalar(1, 11)}, {"step": Scalar(1, 64)},
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
        program = Program(self.lanes)
        for change in bad:  # one after the other, then a legal one of every field at other values
            program.configs.append((replace(replace(PLAIN, n=5), **change), True, 0))
        for exp in (1 << bit for bit in range(8)):  # every bit of an exponent counts
            for name in ("c1", "c2", "wd", "step"):
                program.configs.append((replace(PLAIN, n=0, **{name: Scalar(0xFFFF, exp)}), True, 0))
            program.configs.append((replace(PLAIN, n=0, eps_exp=exp, eps_mant=exp * 257), True, 0))
        program.tensor(replace(PLAIN, n=7), random_state(rng, 7))
        await self.play(program)
        # Offered while the pipeline drains and while the record waits: taken after it, refused or not.
        for gap in (20, 75):
            await self.back_pressure({"stat": np.array([[1, 200], [3, 200]])})
            program = Program(self.lanes)
            config = replace(PLAIN, n=4 * self.lanes)
            program.tensor(config, random_state(rng, config.n))
            program.configs.append((replace(config, n=0), False, gap))
            program.tensor(config, random_state(rng, config.n))
            program.configs.append((replace(config, mode=Mode.MOMENTUM), False, gap))
            program.load(config.n, random_state(rng, config.n))
            await self.play(program)
        for gap in (12, 30, 48):  # offered while the pipeline drains: taken after it
            program = Program(self.lanes)
            config = replace(PLAIN, n=4 * self.lanes)
            program.tensor(config, random_state(rng, config.n))
            program.configs.append((replace(config, mode=Mode.MOMENTUM), False, gap))
            program.load(config.n, random_state(rng, config.n))
            await self.play(program)


@pyuvm.test()
class single_mode(OptcTest):
    """A core with one rule: what asks for the other one is refused, before every other reason but an open tensor, and
    changes nothing. Config: `tensors`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        left_out = [mode for mode in Mode if mode not in self.rules]
        program = Program(self.lanes)
        for number in range(self.run_info.config.get("tensors", 30)):
            for mode in left_out:
                other = random_config(rng, 7, mode)
                program.configs.append((replace(other, n=0) if number % 3 == 0 else other, True, 0))
            for mode in self.rules:
                n = int(rng.integers(1, 80))
                program.tensor(random_config(rng, n, mode), random_state(rng, n))
        n = 40 * self.lanes
        program.tensor(replace(PLAIN, mode=self.rules[0], n=n), random_state(rng, n), 2)
        program.configs += [(random_config(rng, 7, mode), False, 5) for mode in Mode]
        program.tensor(replace(PLAIN, mode=self.rules[-1], n=n), random_state(rng, n))
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

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        result = self.env.scoreboard.epochs[-1].result
        moved = (result["w"] != self.w & 0xFFFF_FFFF).any(axis=1)
        verdict.count("value", len(result))
        if moved.any():
            verdict.diverge("output", int(result["cycle"][moved][0]), "dead weight", "moved", "where it was")


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
    """A user's gradients; drift and weights that are off are checks. Config: g, w0 (files; w0 may be null), mode, rule
    (fields of Rule), out, picture; or `example`: gradients that the test makes."""

    def example(self) -> dict[str, Any]:
        """The configuration of a few steps of noise about a slope."""
        rng = self.run_info.rng("gradients")
        arrays = {
            "g": floats.normal(rng, (12, 3 * self.lanes + 1), 0.01, 0.02),
            "w0": floats.normal(rng, 3 * self.lanes + 1, 0, 0.3),
        }
        files = {name: str(path) for name, path in save_arrays(self.run_info.run_dir, **arrays).items()}
        return {**files, "mode": "adam", "rule": {"lr": 1e-3, "weight_decay": 0.01}}

    async def body(self) -> None:
        config = self.example() if self.run_info.config.get("example") else self.run_info.config
        g, w0 = load_stream(Path(config["g"]), Path(config["w0"]) if config["w0"] else None)
        self.add(config["mode"], Rule(MODES[config["mode"]], **config["rule"]), g, w0, ("drift", "off_weights"))
        await self.play_streams()


@pyuvm.test()
class following(GradientTest):
    """Gradients whose scale climbs, jumps by a million, falls and is nothing for a while: FLs follow, and nothing
    saturates. Config: `steps` (of each of the five parts), `decades` (factor on the changes; 0: none)."""

    LEAST: ClassVar = {"pre_w": 3, "pre_m": 12, "pre_v": 10, "only rescaling": 5}  # a constant scale has half of it

    async def body(self) -> None:
        rng, config = self.run_info.rng(), self.run_info.config
        steps = config.get("steps", 120)
        # Decades of the scale at the ends of each part.
        ends = ((0, 1.5), (-4, -4), (2, 2), (2, -1), (-1, 3))
        scale = floats.power(
            10.0, config.get("decades", 1) * np.concatenate([np.linspace(*pair, steps) for pair in ends])
        )
        g = (floats.normal(rng, (len(scale), 6 * self.lanes)) + 0.3) * scale[:, None]
        g *= floats.power(10.0, floats.uniform(rng, -2, 0, g.shape[1]))
        g[steps + steps // 2 : 2 * steps] = 0
        w0 = floats.normal(rng, g.shape[1]) * 1e-4
        # After a fall of the scale, ADAM's updates are small against the unit of u: no bar on their tail.
        self.add("adam", Rule(Mode.ADAM, 1e-3, eps=1e-12), g, w0, ("p50", "drift"))
        self.add("momentum", Rule(Mode.MOMENTUM, 1e-3), g, w0)
        await self.play_streams()

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        for stream in self.streams:
            totals = stream.run.host.totals
            moved = {**totals.follows, "only rescaling": totals.rescales}
            for name, least in self.LEAST.items():
                if name == "pre_v" and stream.name == "momentum":
                    continue
                verdict.count("value", 1)
                if moved[name] < least:
                    what = f"passes of {stream.name}, {name}"
                    verdict.diverge("result", self.cycles, what, moved[name], f"at least {least}")


@pyuvm.test()
class full_rate(OptcTest):
    """One result a lane and cycle over a long tensor, 49 cycles after its parameters, in both modes: measured on the
    traces, without the model. Config: `beats`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        self.beats = self.run_info.config.get("beats", 6000)
        program = Program(self.lanes)
        for mode in Mode:
            config = random_config(rng, self.beats * self.lanes, mode)
            program.tensor(config, random_state(rng, config.n))
        await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        seen = self.env.scoreboard.seen
        taken, out = seen["in"].accept, seen["out_trace"]
        offered, left = out["valid"].astype(np.int64), out["cycle"].astype(np.int64)
        for mode in Mode:
            mine = slice(mode * self.beats, (mode + 1) * self.beats)
            check_rate(verdict, f"mode {mode.name}", taken[mine], offered[mine], left[mine], 49)


@pyuvm.test()
class corner_configurations(OptcTest):
    """Fields at their limits in both modes; reserved bits of the word mean nothing. Config: `tensors`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for reserved in (0, -1, 0):
            program = Program(self.lanes, reserved=reserved)
            for _ in range(self.run_info.config.get("tensors", 1200) // 3):
                config = corner_config(rng, int(rng.integers(1, 4 * self.lanes)), Mode(int(rng.integers(2))))
                program.tensor(config, random_state(rng, config.n))
            await self.play(program)


@pyuvm.test()
class corner_values(OptcTest):
    """Every combination of corner values of w, m, v and g in both modes; the widest numbers that there are inside.
    Config: `configs`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        state = corner_states()
        n = len(state[0])
        program = Program(self.lanes)
        for mode in Mode:
            program.tensor(replace(PLAIN, mode=mode, n=n), state)
            program.tensor(replace(PLAIN, mode=mode, n=n, c1=Scalar(1, 0), c2=Scalar(1, 0), wd=Scalar(1, 1)), state)
            for _ in range(self.run_info.config.get("configs", 2)):
                program.tensor(random_config(rng, n, mode), state)
        zero = np.zeros(5, np.int64)
        for mode in Mode:
            program.tensor(replace(PLAIN, mode=mode, n=5), (zero, zero, zero, zero))
        self.widest(program)
        await self.play(program)

    def widest(self, program: Program) -> None:
        """Gradients aligned seven places to the left, their differences to m, squares before 0 and 62 places to the
        right, and every product, at their largest and smallest."""
        ends = [-(1 << 31), (1 << 31) - 1]
        state = np.meshgrid(ends, ends, [0, (1 << 32) - 1], ends)
        w, m, v, g = (axis.ravel().astype(np.int64) for axis in state)
        for mode, exp, fl_v in itertools.product(Mode, (16, 47), (40, -22)):
            most = Scalar(0xFFFF, exp)
            config = replace(
                PLAIN, mode=mode, n=len(w), fl_w=20, fl_m=27, fl_v=fl_v, fl_g=20, c1=most, c2=most, wd=most,
                step=Scalar(0xFFFF, 30),
            )  # fmt: skip
            program.tensor(config, (w, m, v, g))


@pyuvm.test()
class rounding_ties(OptcTest):
    """Every place that rounds to the nearest integer, with every fraction at small shifts, ties among them."""

    async def body(self) -> None:
        x = np.arange(-64, 64, dtype=np.int64)
        zero, n = np.zeros_like(x), len(x)
        half, one = Scalar(1, 2), Scalar(0, 0)
        program = Program(self.lanes)
        for mode in Mode:
            still = replace(PLAIN, mode=mode, n=n, c1=one, c2=one, wd=one, step=Scalar(0, 40))
            for change in (
                {"pre_w": -2}, {"pre_m": -2}, {"pre_v": -2}, {"fl_m": 27}, {"c1": half}, {"c2": half, "fl_v": 58},
                {"wd": half}, {"step": Scalar(1, 13 if mode == Mode.ADAM else 0), "fl_w": 27, "copy_shift": 2},
            ):  # fmt: skip
                config = replace(still, **change)
                for m, g in ((x, zero), (zero, x), (x, x[::-1])):
                    program.tensor(config, (x, m, x + 64, g))
            for rounding in Round:
                program.tensor(replace(still, copy_round=int(rounding), copy_shift=3), (x, x, x + 64, x))
        await self.play(program)


@pyuvm.test()
class quotient_limits(OptcTest):
    """Quotients of 0, next to the clip and beyond it, from every denominator and every shift of the dividend.
    Config: `step` (of the clips and the eps)."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = Program(self.lanes)
        # (eps_exp, FL_v / 2, FL_m) for FL_g = 0, from the longest shift to the right to the longest to the left.
        places = ((0, -31, 7), (0, -17, 7), (0, -16, 7), (0, -10, 7), (0, -9, 7), (0, -8, 0), (2, -1, 2), (9, 0, -9),
                  (10, 0, -9), (15, 0, -16), (15, 0, -17), (15, 0, -31))  # fmt: skip
        for exp, half_fl_v, fl_m in places:
            shift, step = exp + 16 + half_fl_v - fl_m, self.run_info.config.get("step", 1)
            for clip in (1, 3, 1 << 16, MAX_CLIP)[::step]:
                for eps in (1 << 15, 40001, (1 << 16) - 1)[::step]:
                    near = [(q * eps >> shift if shift >= 0 else q * eps << -shift) for q in (1, clip, clip + 1)]
                    m = np.array([0, 1, (1 << 31) - 1, *(a + d for a in near for d in (-1, 0, 1, 2))], np.int64)
                    m = np.concatenate([m, -m, [-(1 << 31)]]).clip(-(1 << 31), (1 << 31) - 1)
                    zero = np.zeros_like(m)
                    # Below eps, above it, and the same; v = 0 takes eps too.
                    for v in (0, 1, max(1, (eps * eps >> 2 * exp) - 1), -(-eps * eps >> 2 * exp), (1 << 32) - 1):
                        config = replace(
                            PLAIN, n=len(m), fl_g=0, fl_m=fl_m, fl_v=2 * half_fl_v, c1=Scalar(0, 0), c2=Scalar(0, 0),
                            eps_mant=eps, eps_exp=exp, clip=clip, step=Scalar(3, 20),
                        )  # fmt: skip
                        program.tensor(config, (rng.integers(-99, 99, len(m)), m, zero + v, zero))
        await self.play(program)


@pyuvm.test()
class state_limits(OptcTest):
    """m', w' and v' at the largest and smallest value of the state and one unit on either side of it, so that an error
    of one in a bound shows as a wrong value or a wrong count."""

    async def body(self) -> None:
        low, top = -(1 << 31), (1 << 31) - 1
        none, one = Scalar(0, 0), Scalar(1, 0)
        still = replace(PLAIN, mode=Mode.MOMENTUM, fl_w=20, fl_m=20, fl_v=40, fl_g=20, c1=none, c2=none, wd=none)
        program = Program(self.lanes)

        def play(config: OptcConfig, w: object, m: object, v: object, g: object) -> None:
            state = [np.asarray(x, np.int64) for x in np.broadcast_arrays(w, m, v, g)]
            program.tensor(replace(config, n=len(state[0])), tuple(state))

        around = np.array([-2, -1, 0, 1, 2])
        for edge in (low, top):  # momentum: m' = m + g
            play(replace(still, step=Scalar(0, 20)), 0, edge, 0, around)
            play(replace(still, step=Scalar(0, 20)), 0, (edge - around).clip(low, top), 0, around)
        for edge in (low, top):  # w' = w - m'
            play(replace(still, step=one), edge, around, 0, 0)
            play(replace(still, step=Scalar(0, 0), wd=one), [edge, edge, 1, 0, -1], 0, 0, 0)
        # ADAM: m' = m + c1 (g - m), v' = v + c2 (g^2 - v); 2^16 has the square 2^32, one more than v holds.
        adam = replace(still, mode=Mode.ADAM, step=Scalar(0, 20))
        for edge in (low, top):
            play(replace(adam, c1=one), 0, 0, 0, (edge - around).clip(low, top))
            play(replace(adam, c1=one, fl_m=21), 0, 0, 0, [edge // 2 - 1, edge // 2, edge // 2 + 1])
        for v in (0, (1 << 32) - 2, (1 << 32) - 1):
            play(replace(adam, c2=one), 0, 0, v, [(1 << 16) - 1, 1 << 16, (1 << 16) + 1, -(1 << 16), 0])
            play(adam, 0, 0, v, [(1 << 16) - 1, 1 << 16, (1 << 16) + 1, -(1 << 16), 0])
        await self.play(program)


@pyuvm.test()
class all_saturate(OptcTest):
    """Tensors in which every parameter saturates, is clipped and divided by eps: counts up to their length.
    Config: `n`."""

    async def body(self) -> None:
        n = self.run_info.config.get("n", (1 << 16) + 3)
        one, top = np.ones(n, np.int64), (1 << 31) - 1
        program = Program(self.lanes)
        for sign in (1, -1):
            for mode in Mode:
                # v saturates as it is rescaled and then follows a gradient of 0.
                config = replace(
                    PLAIN, mode=mode, n=n, pre_w=3, pre_m=3, pre_v=2, c1=Scalar(0, 0), c2=Scalar(1, 0), clip=1,
                    copy_shift=0, fl_m=20,
                )  # fmt: skip
                program.tensor(config, (sign * top * one, sign * top * one, ((1 << 32) - 1) * one, 0 * one))
        await self.play(program)


@pyuvm.test()
class tensor_lengths(OptcTest):
    """Tensors around the pipeline's length and around full last beats, in both modes, with the configuration that was
    before and with others. Config: `beats`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        program = Program(self.lanes)
        for beats in self.run_info.config.get("beats", (1, 2, 48, 49, 50, 199, 200)):
            for rest in range(self.lanes):
                for mode in (*Mode, *reversed(Mode)):
                    config = replace(PLAIN, mode=mode, n=beats * self.lanes - rest)
                    program.tensor(config, random_state(rng, config.n))
        await self.play(program)


@pyuvm.test()
class waiting(OptcTest):
    """Everything waits for everything: long tensors under short stops, records that are not taken, beats that come
    long before their tensor and long after the beat before. Config: `tensors`."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for style in ("frequent", "starved"):
            await self.back_pressure({"out": ready_wave(rng, style, 3000), "stat": ready_wave(rng, style, 3000)})
            program = Program(self.lanes)
            for mode in Mode:
                for _ in range(2):
                    config = random_config(rng, 150 * self.lanes, mode)
                    program.tensor(config, random_state(rng, config.n), gaps(rng, "frequent", 150))
            for _ in range(self.run_info.config.get("tensors", 30)):
                config = random_config(rng, int(rng.integers(1, 3 * self.lanes)))
                program.tensor(config, random_state(rng, config.n))
            await self.play(program)
        for stop in (1300, 120):
            await self.back_pressure({"out" if stop > 1000 else "stat": np.array([[1, stop]])})
            program = Program(self.lanes)
            program.tensor(replace(PLAIN, n=2), random_state(rng, 2))
            await self.play(program)
        for mode in Mode:
            # Results are held; beats are offered 1200 cycles before the tensor opens, then far apart.
            await self.back_pressure({"out": np.array([[1300, 1300]])})
            program = Program(self.lanes)
            config = random_config(rng, 60 * self.lanes, mode)
            for late in (1200, 3):
                wait = np.zeros(60, np.int64)
                wait[[20, 40]] = 70, 49
                program.configs.append((config, True, late))
                program.load(config.n, random_state(rng, config.n), wait)
            await self.play(program)
        for pause in (1, 150, 2, 50, 53, 56):
            program = Program(self.lanes)
            for _ in range(2):
                config = random_config(rng, self.lanes)
                program.configs.append((config, False, pause))
                program.load(config.n, random_state(rng, config.n))
            await self.play(program)


@pyuvm.test()
class draws(OptcTest):
    """Draws belong to parameters: a tensor again, with a consumer that stops, has the same copies; one of other numbers
    has others; numbers pass 2^32."""

    async def body(self) -> None:
        rng = self.run_info.rng()
        for bits in range(4):
            n = 150 * self.lanes
            config = replace(
                random_config(rng, n, self.only or Mode(bits % 2)), copy_round=int(Round.STOCHASTIC),
                copy_rand_bits=bits, copy_shift=9, copy_format=3, draw=NUMBERS - 70 if bits % 2 else bits,
            )  # fmt: skip
            state = random_state(rng, n)
            for style, draw in (("none", config.draw), ("frequent", config.draw), ("none", config.draw + 1)):
                await self.back_pressure({"out": ready_wave(rng, style, 600)})
                program = Program(self.lanes)
                program.tensor(replace(config, draw=draw), state)
                await self.play(program)
        program = Program(self.lanes)
        program.tensor(replace(config, n=1), tuple(each[:1] for each in state))
        await self.play(program)

    def conclude(self, verdict: Verdict) -> None:
        super().conclude(verdict)
        if verdict.divergences:
            return
        copies = self.env.scoreboard.epochs[-1].result["y"][:-1].reshape(4, 3, -1)
        verdict.count("value", copies[:, 1:].size)
        for bits, (one, again, other) in enumerate(copies):
            if (one != again).any():
                verdict.diverge(
                    "result", self.cycles, f"copies again, {RAND_BITS[bits]} random bits", "others", "the same"
                )
            if (one == other).all():
                verdict.diverge(
                    "result",
                    self.cycles,
                    f"copies of other numbers, {RAND_BITS[bits]} random bits",
                    "the same",
                    "others",
                )
