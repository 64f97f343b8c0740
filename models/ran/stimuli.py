"""Random legal stimuli for the RAN's models: what the IOSS core, bias and partial-sum memories and a host may send.

Source: docs/ran/README.md; docs/ioss/README.md, "Row pipeline", for what a product stream looks like. A source offers
its next item some cycles after the one before was taken, so offers follow from the block's answers: :func:`play` runs
the sources against the machine of reference.py, records the offers, and returns both them and the machine's answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np

from models.ran.config import TAGS, RanDescriptor, RanParams, RspCode, Start
from models.ran.cycle import BYP_IN_DTYPE, CANCEL_DTYPE, PROD_IN_DTYPE, SEED_DTYPE, Prediction, Stimulus
from models.ran.reference import Beat, Inputs, Machine, Product

T = TypeVar("T")


@dataclass
class Knobs:
    """What a random stimulus is like; rates are probabilities of an item or a cycle."""

    n_desc: int = 6
    max_jobs: int = 10
    max_products: int = 12  # of a member of a job
    reduce: tuple[int, ...] = (1,)
    formats: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    rounds: tuple[int, ...] = (0, 1, 2)
    starts: tuple[int, ...] = (0, 0, 1, 2, 3)
    bad_desc: float = 0.0
    stat_last: float = 0.4
    partial_lanes: float = 0.3
    gap: float = 0.2  # of a source between two items
    pause: float = 0.02  # the same, but long
    skew: float = 0.0  # share of jobs that go to group 0 in any case
    bypass: float = 0.1
    cancel: float = 0.0
    false_cancel: float = 0.0  # a cycle: cancel of a tag that is not covered
    masked: float = 0.3
    bad_frame: float = 0.0
    loose_psum: float = 0.0  # runs whose partial sums come unasked, `last` at random
    out_ready: float | None = None
    req_ready: float | None = None
    stat_ready: float | None = None
    seed: float = 0.01  # a cycle
    horizon: int = 1500


@dataclass
class Source(Generic[T]):
    """Offers its items one by one, each `gap` cycles behind the transfer of the one before."""

    items: list[T] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    offers: list[int] = field(default_factory=list)
    at: int = 0
    since: int = 0  # when the next one may be offered, its gap left out

    def show(self, t: int) -> T | None:
        """The item offered in cycle `t`."""
        if self.at >= len(self.items) or t < self.since + self.gaps[self.at]:
            return None
        if self.at == len(self.offers):
            self.offers.append(t)
        return self.items[self.at]

    def taken(self, t: int) -> None:
        """The item was taken in cycle `t`."""
        self.at += 1
        self.since = t + 1

    def offer_array(self) -> np.ndarray:
        """First cycle of each item's offer, -1: never offered."""
        return np.array(self.offers + [-1] * (len(self.items) - len(self.offers)), np.int64)


class Player:
    """Sources around the block."""

    def __init__(self, params: RanParams, seed: int, knobs: Knobs) -> None:
        self.params, self.knobs = params, knobs
        self.rng = np.random.default_rng(seed)
        self.descs: Source[RanDescriptor] = Source()
        self.rows: list[Source[Product]] = [Source() for _ in range(params.rows)]
        self.byp: Source[tuple[int, int]] = Source()
        self.bias: Source[Beat] = Source()
        self.psum: Source[Beat] = Source()
        self.to_cancel: list[int] = []
        self.calm = float(self.rng.random())  # how much of the gaps' rate this run has
        for number in range(knobs.n_desc):
            self.add(self.descs, self.descriptor(bad=number > 0 and self.rng.random() < knobs.bad_desc))
        self.work()
        self.loose = self.rng.random() < knobs.loose_psum
        if self.loose:
            for _ in range(knobs.horizon // 2):
                self.add(self.psum, Beat(self.rng.bytes(16), bool(self.rng.random() < 0.4)))

    # ---- what the sources hold
    def add(self, source: Source[T], item: T) -> None:
        rng, knobs = self.rng, self.knobs
        gap = int(rng.geometric(0.4)) if rng.random() < knobs.gap * self.calm else 0
        source.items.append(item)
        source.gaps.append(int(rng.integers(0, 60)) if rng.random() < knobs.pause * self.calm else gap)

    def descriptor(self, bad: bool) -> RanDescriptor:
        rng, knobs, params = self.rng, self.knobs, self.params
        y_bits = int(rng.choice(knobs.formats))
        raw = y_bits >= 4
        n_x, n_w = (int(v) for v in rng.integers(1, 5, 2))
        desc = RanDescriptor(
            y_bits=y_bits,
            y_unsigned=not raw and bool(rng.integers(2)),
            relu=not raw and bool(rng.integers(2)),
            round=int(rng.choice(knobs.rounds)),
            rand_bits=int(rng.integers(4)),
            shift=0 if raw else int(rng.integers(0, params.acc_w if rng.random() < 0.2 else 4 * (n_x + n_w))),
            start=int(rng.choice(knobs.starts)),
            lanes=int(rng.integers(1, params.lanes + 1)) if rng.random() < knobs.partial_lanes else params.lanes,
            stat_last=bool(rng.random() < knobs.stat_last),
            reduce_factor=int(rng.choice([rf for rf in knobs.reduce if rf <= params.rows])),
            n_jobs=int(rng.integers(1, knobs.max_jobs + 1)),
            x_slices=n_x,
            w_slices=n_w,
            x_unsigned=bool(rng.integers(2)),
            w_unsigned=bool(rng.integers(2)),
            compensate=bool(rng.integers(2)),
            k_len=int(rng.integers(1, 100)),
        )
        changes: tuple[dict[str, object], ...] = (
            {"y_bits": int(rng.integers(6, 8))},
            {"round": 3},
            {"shift": int(rng.integers(params.acc_w, 64))},
            {"y_bits": 4, "relu": True, "shift": 0},
            {"reduce_factor": int(rng.choice([0, 3, 9, 15, params.rows * 2 if params.rows < 8 else 5]))},
            {"lanes": int(rng.choice([0, params.lanes + 1]))},
            {"n_jobs": int(rng.choice([0, 16384, 65535]))},
            {"x_slices": int(rng.choice([0, 5, 7]))},
            {"k_len": 0},
            {"x_slices": 4, "w_slices": 4, "x_unsigned": True, "w_unsigned": True, "k_len": 65535},
        )
        return replace(desc, **changes[int(rng.integers(len(changes)))]) if bad else desc

    def work(self) -> None:
        """Products, bypasses, cancels and biases of every descriptor that is legal."""
        rng, knobs, params = self.rng, self.knobs, self.params
        rf, number = 1, 0
        jobs_of = [0] * params.rows
        for desc in self.descs.items:
            if desc.check(params) != RspCode.OK:
                continue
            if desc.reduce_factor != rf:
                rf, jobs_of = desc.reduce_factor, [0] * params.rows
            if desc.start == Start.BIAS:
                self.start_value(self.bias, desc)
            for _ in range(desc.n_jobs):
                tag = number % TAGS
                number += 1
                mask = int(rng.integers(1 << params.lanes)) if rng.random() < knobs.masked else 0
                kind = rng.random()
                if kind < knobs.bypass:
                    self.add(self.byp, (tag, mask))
                elif kind < knobs.bypass + knobs.cancel:
                    self.to_cancel.append(tag)
                else:
                    group = 0 if rng.random() < knobs.skew else int(rng.integers(params.rows // rf))
                    for member in range(rf):
                        row = group * rf + member
                        self.member(self.rows[row], desc, tag, mask, jobs_of[row] % 2)
                        jobs_of[row] += 1

    def member(self, source: Source[Product], desc: RanDescriptor, tag: int, mask: int, bank: int) -> None:
        """A row's share of a job: products whose sum keeps its share of the bound; or a null."""
        rng, lanes = self.rng, self.params.lanes
        if desc.reduce_factor > 1 and rng.random() < 0.15:
            self.add(source, Product((0,) * lanes, 0, True, True, bank, tag, mask))
            return
        count = int(rng.integers(1, self.knobs.max_products + 1)) if rng.random() < 0.8 else 1
        budget = np.full(lanes, desc.bound // desc.reduce_factor)
        for n in range(count):
            order = int(rng.integers(0, desc.x_slices + desc.w_slices - 1))
            data = rng.choice([-480, 480], lanes) if rng.random() < 0.2 else rng.integers(-480, 481, lanes)
            if order == 0:
                data = data // 2 * 2
            most = 2 * budget // 16**order
            data = np.clip(data, -(most // 2 * 2), most // 2 * 2)
            data = np.where(mask >> np.arange(lanes) & 1, 0, data)
            budget = budget - abs(data) * 16**order // 2
            # The mask beside products other than member 0's last does not count: noise.
            noise = mask if n == count - 1 else int(rng.integers(1 << lanes))
            product = Product(tuple(data.tolist()), order, n == count - 1, False, bank, tag, noise)
            self.add(source, product)

    def start_value(self, source: Source[Beat], desc: RanDescriptor) -> None:
        """Beats of a start value: small words, words around the limit, words of any size; framed wrongly at times."""
        rng, params = self.rng, self.params
        width = 64 if desc.start == Start.PSUM64 else 32
        limit = desc.limit(params)
        words = []
        for _ in range(params.lanes):
            kind = rng.random()
            if kind < 0.5:
                word = int(rng.integers(-(1 << 20), 1 << 20))
            elif kind < 0.7:
                word = int(rng.choice([-1, 1])) * limit + int(rng.integers(-1, 2))
            else:
                word = int.from_bytes(rng.bytes(width // 8), "little")
            words.append((word % (1 << width)).to_bytes(width // 8, "little"))
        data = b"".join(words)
        beats = [data[at : at + 16] for at in range(0, len(data), 16)]
        if rng.random() < self.knobs.bad_frame:
            if rng.random() < 0.5:
                beats = beats[: int(rng.integers(1, len(beats)))]
            else:
                beats += [rng.bytes(16) for _ in range(int(rng.integers(1, 4)))]
        for n, beat in enumerate(beats):
            self.add(source, Beat(beat, n == len(beats) - 1))

    # ---- the run
    def wave(self, rate: float | None) -> np.ndarray | None:
        if rate is None:
            return None
        size = self.knobs.horizon
        wave = self.rng.random(size) < rate
        pauses = np.repeat(self.rng.random(size // 16 + 1) < 0.15 * (rate < 1), 16)[:size]
        # A wave may end early: not ready from there on.
        return (wave & ~pauses)[: size if self.rng.random() < 0.7 else int(self.rng.integers(size // 2, size + 1))]

    def cancel(self, machine: Machine) -> int | None:
        """A tag to cancel in this cycle."""
        rng, knobs = self.rng, self.knobs
        if self.to_cancel and machine.slot_of(self.to_cancel[0]) is not None and rng.random() < 0.3:
            return self.to_cancel.pop(0)
        if rng.random() < knobs.false_cancel:
            tag = int(rng.integers(TAGS)) if rng.random() < 0.5 else (machine.next_number + int(rng.integers(3))) % TAGS
            return tag if machine.slot_of(tag) is None else None
        return None

    def play(self) -> tuple[Stimulus, Prediction]:
        """Runs up to the horizon; the observed stimulus, and what the block did."""
        rng, knobs, params = self.rng, self.knobs, self.params
        machine = Machine(params)
        req, out, stat = self.wave(knobs.req_ready), self.wave(knobs.out_ready), self.wave(knobs.stat_ready)
        cancels, seeds = [], []

        def ready(wave: np.ndarray | None, t: int) -> bool:
            return wave is None or (t < len(wave) and bool(wave[t]))

        for t in range(knobs.horizon):
            now = Inputs(params.rows, self.descs.show(t), [row.show(t) for row in self.rows], self.byp.show(t))
            now.bias, now.psum = self.bias.show(t), self.psum.show(t)
            now.psum_req_ready, now.out_ready, now.stat_ready = ready(req, t), ready(out, t), ready(stat, t)
            now.cancel = self.cancel(machine)
            if now.cancel is not None:
                cancels.append((t, now.cancel))
            if rng.random() < knobs.seed:
                now.seed = int(rng.integers(1 << 32)) if rng.random() < 0.8 else 0x9E3779B9
                seeds.append((t, now.seed))
            taken = machine.step(now)
            for source, yes in (
                (self.descs, taken.desc),
                (self.byp, taken.byp),
                (self.bias, taken.bias),
                (self.psum, taken.psum),
                *zip(self.rows, taken.prod, strict=True),
            ):
                if yes:
                    source.taken(t)
            if taken.request is not None and not self.loose:
                slot = machine.drain[-1].slot
                idle = self.psum.at == len(self.psum.items)
                self.start_value(self.psum, slot.desc)
                if idle:
                    self.psum.since = max(self.psum.since, t + 1)
        stim = self.stimulus(cancels, seeds)
        stim.psum_req_ready, stim.out_ready, stim.stat_ready = req, out, stat
        return stim, machine.result(stim)

    def stimulus(self, cancels: list[tuple[int, int]], seeds: list[tuple[int, int]]) -> Stimulus:
        prods = [
            (row, offer, p.order, p.last, p.null, p.bank, p.tag, p.mask)
            for row, source in enumerate(self.rows)
            for p, offer in zip(source.items, source.offer_array(), strict=True)
        ]
        data = [p.data for source in self.rows for p in source.items]

        def beats(source: Source[Beat]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            raw = b"".join(beat.data for beat in source.items)
            last = np.array([beat.last for beat in source.items], bool)
            return np.frombuffer(raw, np.uint8).reshape(-1, 16), last, source.offer_array()

        bias_data, bias_last, bias_offer = beats(self.bias)
        psum_data, psum_last, psum_offer = beats(self.psum)
        byp = [(offer, *item) for item, offer in zip(self.byp.items, self.byp.offer_array(), strict=True)]
        return Stimulus(
            descs=self.descs.items,
            desc_offer=self.descs.offer_array(),
            prod=np.array(prods, PROD_IN_DTYPE),
            prod_data=np.array(data, np.int16).reshape(-1, self.params.lanes),
            byp=np.array(byp, BYP_IN_DTYPE),
            cancel=np.array(cancels, CANCEL_DTYPE),
            seed=np.array(seeds, SEED_DTYPE),
            bias_data=bias_data,
            bias_last=bias_last,
            bias_offer=bias_offer,
            psum_data=psum_data,
            psum_last=psum_last,
            psum_offer=psum_offer,
            horizon=self.knobs.horizon,
        )


def play(params: RanParams, seed: int, knobs: Knobs) -> tuple[Stimulus, Prediction]:
    """A random stimulus as observed, and the reference's answer to it."""
    return Player(params, seed, knobs).play()

