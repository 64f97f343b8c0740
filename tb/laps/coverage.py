"""Functional coverage of LAPS: the bins (docs/laps/README.md gives the terms) and how a run fills them.

Everything is sampled after the verdict. The sampler replays what was taken, in its order, on a value model of its own,
so that it sees table and registers as every request met them.
"""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.laps.config import (
    CLASSES,
    LAYOUTS,
    MAX_STEP,
    STEP,
    Entry,
    Event,
    LapsParams,
    RegCode,
    RspCode,
    TensorClass,
    TensorStats,
    place_of,
)
from models.laps.cycle import BUSY_CYCLES, Prediction, Query, RegAccess, Stimulus, Update
from models.laps.value import Laps, UpdateAnswer
from tb.lib.coverage import Coverage, CoverGroup, Coverpoint, Cross, Ignore, functional, write_run
from tb.lib.paths import REPORTS
from tb.lib.runinfo import RunInfo

PLACES = (*LAYOUTS, "none")
CLASS_NAMES = tuple(cls.name.lower() for cls in TensorClass)
NO_YES = ("no", "yes")
SLICES = ("1", "2", "3", "4")
STREAMS = ("reg", "upd", "ord")
BANDS = ("nothing yet", "below", "low", "low + 1", "inside", "high - 1", "high", "above")
PINS = ("none", "n", "FL", "both")
OFFERED = ("reg", "upd", "ord", "reg upd", "reg ord", "upd ord", "all")
PHASES = ("idle", "A + 1", "A + 2", "A + 3")
_EMPTY = "no values, no signal to smooth"

REGISTER = CoverGroup(
    "register",
    (
        Coverpoint("place", PLACES, "what lies at the address"),
        Coverpoint("access", ("read", "write")),
        Coverpoint("code", tuple(code.name for code in RegCode)),
        Cross("answers", ("place", "access", "code"), ignore=(
            Ignore(lambda p, a, c: (p == "none") != (c == "ADDRESS"), "RegAddress is for what is no register"),
            Ignore(lambda p, a, c: a == "read" and c == "VALUE", "a read has no value"),
            Ignore(lambda p, a, c: p in ("SEED", "COUNTER") and c == "VALUE", "every value is legal"),
        )),
        Coverpoint("layer", ("first", "middle", "last"), "of entries"),
        Coverpoint("counter", ("zero", "some"), "counters read"),
        Coverpoint("run", ("1", "2+"), "accesses in consecutive cycles"),
    ),
    "register accesses",
)  # fmt: skip

UPDATE = CoverGroup(
    "update",
    (
        Coverpoint("tensor", CLASS_NAMES),
        Coverpoint("code", tuple(code.name for code in RspCode if code != RspCode.LENGTH)),
        Cross("code_by_class", ("tensor", "code")),
        Coverpoint("event", tuple(str(event.name).lower() for event in Event), "of accepted updates"),
        Cross("events", ("tensor", "event")),
        Coverpoint("layer", ("first", "middle", "last")),
        Coverpoint.ranges("values", "of the tensor", 1, 2, 256, 1 << 16, 1 << 31),
        Coverpoint("zeros", ("none", "some", "all but one", "all")),
        Coverpoint("nonzero", NO_YES, "the mean counts only values that are not zero"),
        Cross("mean_of", ("zeros", "nonzero")),
        Coverpoint.ranges("mean", "log2 of the mean magnitude", -32, -8, -1, 0, 1, 8, 16),
    ),
    "updates",
)

FL = CoverGroup(
    "fl",
    (
        Coverpoint("n", SLICES, "before the update"),
        Coverpoint("sign", ("signed", "unsigned")),
        Coverpoint(
            "excess", ("-2 and less", "-1", "0", "1", "2..14", "15", "16 and more"), "bits above the capacity"
        ),
        Coverpoint("over", NO_YES),
        Cross("capacity", ("n", "sign", "excess", "over")),
        Coverpoint("calm", ("no", "counted", "due"), "updates with nothing above half scale"),
        Coverpoint("hold", ("1", "2", "3..254", "255")),
        Cross("calm_by_hold", ("hold", "calm"), ignore=(
            Ignore(lambda h, c: h == "1" and c == "counted", "the first calm update is due"),
        )),
        Coverpoint("limit", ("free", "at fl_min", "at fl_max", "below", "above"), "where FL lies in its limits"),
        Coverpoint("move", ("down", "none", "up"), "what the rule wants"),
        Cross("limits", ("limit", "move")),
        Coverpoint("pin", PINS),
        Cross("pins", ("pin", "over")),
        Coverpoint("tolerance", ("0", "fixed", "random")),
        Coverpoint("count", ("none", "below", "at", "above"), "overflow against what is tolerated"),
        Cross("tolerated", ("tolerance", "count"), ignore=(
            Ignore(lambda t, c: t == "0" and c in ("below", "at"), "nothing is tolerated"),
        )),
    ),
    "FL's rule",
)  # fmt: skip

N = CoverGroup(
    "n",
    (
        Coverpoint("band", BANDS, "where the signal lies, FL's move in it"),
        Coverpoint("n", SLICES),
        Cross("band_by_n", ("band", "n")),
        Coverpoint("pin", PINS),
        Cross("band_by_pin", ("band", "pin")),
        Coverpoint("wanted", ("down", "none", "up")),
        Coverpoint("reason", ("none", "bounds", "band")),
        Coverpoint("outcome", ("nothing wanted", "dwell", "FL's limits", "happened")),
        Cross("changes", ("wanted", "reason", "outcome"), ignore=(
            Ignore(lambda w, r, o: (w == "none") != (r == "none"), "what is wanted has a reason"),
            Ignore(lambda w, r, o: (w == "none") != (o == "nothing wanted"), "only what is wanted can happen"),
        )),
        Coverpoint("from", SLICES, "n before a change that happened"),
        Coverpoint("to", SLICES),
        Cross("transitions", ("from", "to"), ignore=(
            Ignore(lambda a, b: abs(int(a) - int(b)) != 1, "one slice at a time"),
        )),
        Coverpoint("dwell", ("first moment", "one short", "far from it", "long past"), "against dwell_min"),
        Cross("dwell_by_wanted", ("dwell", "wanted")),
        Coverpoint("smooth", tuple(map(str, range(8)))),
        Coverpoint("step", ("first", "down", "none", "up"), "of the smoothed signal"),
        Cross("smoothing", ("smooth", "step")),
        Coverpoint("signal", ("free", "low end", "high end"), "limited to 16 bits"),
        Coverpoint("slot", ("none", "0", "1", "2", "3"), "that gives the bounds of n"),
        Coverpoint("tensor", CLASS_NAMES),
        Cross("schedule", ("slot", "tensor")),
        Coverpoint("slots", ("0", "1", "2+"), "slots that apply"),
    ),
    "n's rule",
)  # fmt: skip

QUERY = CoverGroup(
    "query",
    (
        Coverpoint("code", tuple(code.name for code in RspCode if code != RspCode.STATS)),
        Coverpoint("order", ("0", "1", "2", "3")),
        Coverpoint("bound", ("0", "1", "2", "3"), "by n"),
        Coverpoint("most", ("0", "1", "2", "3")),
        Cross("orders", ("order", "bound"), ignore=(Ignore(lambda o, b: o > b, "n bounds the order"),)),
        Cross("orders_by_most", ("order", "most"), ignore=(Ignore(lambda o, m: o > m, "`most` bounds the order"),)),
        Coverpoint("decides", ("zero", "formula", "n", "most"), "what decided"),
        Coverpoint.ranges("shift", "s", -192, -1, 0, 1, 8, 16, 64),
        Coverpoint("length", ("1", "power of two", "just above one", "other"), "K"),
        Coverpoint("slices", ("x fewer", "equal", "w fewer")),
    ),
    "queries",
)

TIMING = CoverGroup(
    "timing",
    (
        Coverpoint("stream", STREAMS),
        Coverpoint.ranges("wait", "cycles from offer to transfer", 0, 1, 2, 3, 4, 5, 9),
        Cross(
            "waits",
            ("stream", "wait"),
            ignore=(
                Ignore(
                    lambda s, w: s == "reg" and w in ("4", "5-8", "9+"), "nothing is preferred to a register access"
                ),
            ),
        ),
        Coverpoint("before", STREAMS, "request taken before"),
        Coverpoint("gap", ("none", "idle cycles"), "between two requests"),
        Cross("neighbours", ("before", "stream", "gap")),
        Coverpoint("offered", OFFERED, "in a cycle that takes one"),
        Coverpoint("phase", PHASES, "of the machine when a step is done"),
        Coverpoint("counter", ("counts", "loses to a write", "at its largest"), "what the step does"),
    ),
    "the machine and its three streams",
)

RESET = CoverGroup(
    "reset",
    (
        Coverpoint("phase", PHASES, "of the machine when a reset comes"),
        Coverpoint("busy_with", ("nothing", "upd", "ord")),
        Cross("met", ("phase", "busy_with"), ignore=(
            Ignore(lambda p, b: (p == "idle") != (b == "nothing"), "an idle machine is busy with nothing"),
        )),
        Coverpoint("waiting", ("nothing", "something"), "requests offered and not taken"),
    ),
    "resets in the middle of work",
)  # fmt: skip

GROUPS = (REGISTER, UPDATE, FL, N, QUERY, TIMING, RESET)


def _bin(group: CoverGroup, point: str, value: int) -> int:
    return bisect.bisect_right(group.points[point].edges, value) - 1


def _third(layer: int, layers: int) -> int:
    return 0 if layer == 0 else 2 if layer == layers - 1 else 1


class Sampler:
    """Fills a `Coverage` from epochs."""

    def __init__(self, params: LapsParams, out: Coverage) -> None:
        self.params, self.out = params, out
        self.rows: dict[tuple[str, ...], list[tuple[int, ...]]] = defaultdict(list)

    def _add(self, group: str, **columns: int) -> None:
        """A sample, kept until `flush`: a call of numpy each would take longer than the simulation."""
        self.rows[group, *columns].append(tuple(columns.values()))

    def flush(self) -> None:
        """Counts what was kept."""
        for (group, *names), rows in self.rows.items():
            self.out.sample(group, **dict(zip(names, np.array(rows, np.int64).T, strict=True)))
        self.rows.clear()

    def epoch(self, stim: Stimulus, want: Prediction, in_the_middle: bool) -> None:
        """One epoch; `in_the_middle`: a reset ended it."""
        self.laps = Laps(self.params)
        taken = sorted(
            (int(at), stream, number)
            for stream, cycles in enumerate((want.reg_accept, want.upd_accept, want.ord_accept))
            for number, at in enumerate(cycles)
            if at >= 0
        )
        self._timing(stim, want, taken)
        steps, done = np.unique(stim.steps).tolist(), 0
        for at, stream, number in taken:
            while done < len(steps) and steps[done] < at:
                self._step(steps[done], taken, lost=False)
                done += 1
            if stream == 0:
                access = RegAccess(*stim.regs[number])
                lost = access.write and access.addr == STEP and done < len(steps) and steps[done] == at
                self._register(access, lost and access.data <= MAX_STEP, at, taken)
                done += lost and access.data <= MAX_STEP
            elif stream == 1:
                self._update(Update(*stim.upds[number]))
            else:
                self._query(Query(*stim.ords[number]))
        for cycle in steps[done:]:
            self._step(cycle, taken, lost=False)
        if in_the_middle:
            self._reset(stim, want, taken)
        self.flush()

    # ---- steps, registers --------------------------------------------------------------------------------------------
    def _phase(self, cycle: int, taken: list[tuple[int, int, int]]) -> tuple[int, int]:
        """(phase, stream it is busy with, 0 for nothing) in a cycle."""
        place = bisect.bisect_left(taken, (cycle,)) - 1
        if place >= 0 and taken[place][1] and cycle - taken[place][0] <= BUSY_CYCLES:
            return cycle - taken[place][0], taken[place][1]
        return 0, 0

    def _step(self, cycle: int, taken: list[tuple[int, int, int]], lost: bool) -> None:
        counter = 1 if lost else 2 if self.laps.steps == MAX_STEP else 0
        self._add("timing", phase=self._phase(cycle, taken)[0], counter=counter)
        if not lost:
            self.laps.step()

    def _register(self, access: RegAccess, lost: bool, cycle: int, taken: list[tuple[int, int, int]]) -> None:
        place = place_of(access.addr, self.params.layers)
        if access.write:
            code = self.laps.write(access.addr, access.data)
        else:
            code, data = self.laps.read(access.addr)
            if place is not None and place.layout == "COUNTER":
                self._add("register", counter=int(data > 0))
        name = PLACES.index(place.layout) if place else len(LAYOUTS)
        self._add("register", place=name, access=int(access.write), code=int(code))
        if place is not None and place.layout.startswith("ENTRY"):
            self._add("register", layer=_third(place.index // CLASSES, self.params.layers))
        if lost:
            self._step(cycle, taken, lost=True)

    # ---- updates -----------------------------------------------------------------------------------------------------
    def _update(self, update: Update) -> None:
        layer, cls, stats = update
        laps = self.laps
        if layer >= self.params.layers or not stats.check():
            answer = laps.update(layer, cls, stats)
            self._add("update", tensor=cls, code=int(answer.code))
            return
        old, slices = laps.entry(layer, cls), laps.slices(cls)
        applying = [
            number
            for number, slot in enumerate(laps.slots)
            if slot.enable and slot.classes >> cls & 1 and laps.steps >= slot.from_step
        ]
        answer = laps.update(layer, cls, stats)
        assert answer.entry is not None
        self._add("update", tensor=cls, code=int(answer.code))
        for bit in range(len(Event)):
            if int(answer.events) >> bit & 1:
                self._add("update", tensor=cls, event=bit)
        live = stats.values - stats.zeros
        zeros = 3 if live == 0 else 2 if live == 1 and stats.zeros else int(stats.zeros > 0)
        self._add(
            "update",
            layer=_third(layer, self.params.layers),
            values=_bin(UPDATE, "values", stats.values),
            zeros=zeros,
            nonzero=laps.rules[cls].nonzero,
        )
        if live:
            self._add("update", mean=_bin(UPDATE, "mean", answer.mean // 256))
        slot = applying[-1] + 1 if applying else 0
        self._add("n", slot=slot, tensor=cls, slots=min(len(applying), 2))
        self._fl(old, cls, stats, answer)
        self._n(old, cls, stats, answer, slices)

    @staticmethod
    def _pin(old: Entry) -> int:
        return int(old.pin_n) + 2 * int(old.pin_fl)

    def _fl(self, old: Entry, cls: int, stats: TensorStats, answer: UpdateAnswer) -> None:
        rules, limits, tolerance = self.laps.rules[cls], self.laps.limits[cls], self.laps.tolerance[cls]
        excess = stats.max_bit - old.capacity
        at = bisect.bisect_right((-1, 0, 1, 2, 15, 16), excess)
        pinned = self._pin(old)
        self._add("fl", pin=pinned, over=int(answer.over))
        permitted, seen = stats.values * answer.tolerance, stats.overflow << 16
        # Rounded down: "at" is the largest count that is tolerated.
        most = permitted >> 16
        count = 3 if seen > permitted else 0 if stats.overflow == 0 else 2 if stats.overflow == most else 1
        kind = 0 if answer.tolerance == 0 and not tolerance.random else 1 + tolerance.random
        self._add("fl", tolerance=kind, count=count)
        self._add("fl", n=old.n - 1, sign=int(old.is_unsigned), excess=at, over=int(answer.over))
        if old.pin_fl:
            return
        calm = not answer.over and excess < 0
        due = calm and old.quiet + 1 >= rules.hold
        hold = {1: 0, 2: 1, 255: 3}.get(rules.hold, 2)
        self._add("fl", calm=int(calm) + int(due), hold=hold)
        place = (
            3 if old.fl < limits.fl_min else 4 if old.fl > limits.fl_max
            else 1 if old.fl == limits.fl_min else 2 if old.fl == limits.fl_max else 0
        )  # fmt: skip
        self._add("fl", limit=place, move=0 if answer.over else 2 if due else 1)

    def _n(self, old: Entry, cls: int, stats: TensorStats, answer: UpdateAnswer, slices: tuple[int, int]) -> None:
        assert answer.entry is not None
        new, rules, band = answer.entry, self.laps.rules[cls], self.laps.band[cls]
        change = new.n - old.n
        # The signal that was held against the band: the change taken out again, where it was not limited.
        signal = new.signal - 1024 * change if new.sig_valid else 0
        edges = [band.low, band.low + 1, band.low + 2, band.high - 1, band.high, band.high + 1]
        where = 1 + bisect.bisect_right(edges, signal) if new.sig_valid else 0
        limited = new.signal in (-(1 << 15), (1 << 15) - 1)
        if limited:
            where = 1 if new.signal < 0 else 7
        pin = self._pin(old)
        self._add("n", band=where, n=old.n - 1, pin=pin)
        self._add("n", signal=0 if not limited or not new.sig_valid else 1 if new.signal < 0 else 2)
        n_min, n_max = slices
        wanted, reason = 0, 0
        if not pin:
            if old.n < n_min or old.n > n_max:
                wanted, reason = (1 if old.n < n_min else -1), 1
            elif where == 1 and old.n < n_max:
                wanted, reason = 1, 2
            elif where == 7 and old.n > n_min:
                wanted, reason = -1, 2
        past = old.dwell + 1 - rules.dwell_min
        blocked = past >= 0 and not change
        outcome = 0 if not wanted else 3 if change else 2 if blocked else 1
        self._add("n", wanted=wanted + 1, reason=reason, outcome=outcome)
        moment = 0 if past == 0 else 1 if past == -1 else 2 if past < 0 else 3
        self._add("n", dwell=moment, wanted=wanted + 1)
        if change:
            self._add("n", **{"from": old.n - 1, "to": new.n - 1})
        if stats.zeros < stats.values:
            delta = answer.mean - old.signal >> rules.smooth
            step = 0 if not old.sig_valid else 2 + (delta > 0) - (delta < 0)
            self._add("n", smooth=rules.smooth, step=step)

    # ---- queries -----------------------------------------------------------------------------------------------------
    def _query(self, query: Query) -> None:
        answer = self.laps.order(*query)
        codes = [code for code in RspCode if code != RspCode.STATS]
        self._add("query", code=codes.index(answer.code))
        if answer.code != RspCode.OK:
            return
        bound, most = min(answer.n[:2]) - 1, self.laps.most
        free = (2 * (answer.shift + 2) - (query.k - 1).bit_length()) // 8
        decides = 0 if free <= 0 else 1 if free <= min(bound, most) else 2 if bound <= most else 3
        power = query.k & (query.k - 1) == 0
        above = query.k > 2 and (query.k - 1) & (query.k - 2) == 0
        self._add(
            "query",
            order=answer.order,
            bound=bound,
            most=most,
            decides=decides,
            shift=_bin(QUERY, "shift", answer.shift),
            length=0 if query.k == 1 else 1 if power else 2 if above else 3,
            slices=1 + (answer.n[0] > answer.n[1]) - (answer.n[0] < answer.n[1]),
        )

    # ---- timing, resets ----------------------------------------------------------------------------------------------
    def _timing(self, stim: Stimulus, want: Prediction, taken: list[tuple[int, int, int]]) -> None:
        spans = []
        for stream, (offer, accept) in enumerate((
            (stim.reg_offer, want.reg_accept), (stim.upd_offer, want.upd_accept), (stim.ord_offer, want.ord_accept),
        )):  # fmt: skip
            done = accept >= 0
            waits = TIMING.points["wait"].index((accept - offer)[done])
            self.out.sample("timing", stream=np.full(len(waits), stream), wait=waits)
            here = offer >= 0
            spans.append((offer[here], np.where(accept < 0, stim.horizon, accept)[here]))
        run = 1
        for (before, first, _), (now, second, _) in itertools.pairwise(taken):
            pause = now - before - (1 if first == 0 else BUSY_CYCLES + 1)
            self._add("timing", before=first, stream=second, gap=int(pause > 0))
            run = run + 1 if first == second == 0 and now == before + 1 else 1
            if second == 0:
                self._add("register", run=int(run > 1))
        cycles = np.array([at for at, *_ in taken], np.int64)
        here = np.zeros((3, len(cycles)), bool)
        for stream, (offer, accept) in enumerate(spans):
            if len(offer):
                at = np.searchsorted(offer, cycles, side="right") - 1
                here[stream] = (at >= 0) & (accept[np.maximum(at, 0)] >= cycles)
        which = here[0] + 2 * here[1] + 4 * here[2]
        self.out.sample("timing", offered=np.array([-1, 0, 1, 3, 2, 4, 5, 6])[which])

    def _reset(self, stim: Stimulus, want: Prediction, taken: list[tuple[int, int, int]]) -> None:
        phase, stream = self._phase(stim.horizon, taken)
        waiting = any(
            ((offer >= 0) & (accept < 0)).any()
            for offer, accept in (
                (stim.reg_offer, want.reg_accept), (stim.upd_offer, want.upd_accept), (stim.ord_offer, want.ord_accept),
            )
        )  # fmt: skip
        self.out.sample("reset", phase=phase, busy_with=stream, waiting=int(waiting))


def sample_epochs(params: LapsParams, epochs: Sequence[Any]) -> Coverage:
    """Coverage of the epochs (`stim`, `prediction`) of one run; every one but the last was ended by a reset."""
    coverage = Coverage(GROUPS)
    sampler = Sampler(params, coverage)
    for at, epoch in enumerate(epochs):
        sampler.epoch(epoch.stim, epoch.prediction, at < len(epochs) - 1)
    return coverage


def sample(run_info: RunInfo, params: LapsParams, board: Any) -> Coverage:
    """Samples a run that its scoreboard has judged; one that diverged counts nothing."""
    passed = board.verdict.first is None
    coverage = sample_epochs(params, board.epochs) if passed else Coverage(GROUPS)
    write_run(run_info, coverage, passed)
    return coverage


def functional_coverage(results: Sequence[Any], folder: Path = REPORTS / "laps") -> dict[str, Any]:
    """The hook of `Block`."""
    return functional("laps", GROUPS, results, folder)
