"""Stimulus of the RAN as data: descriptors, product streams, bypasses, start values, cancels, with idle gaps.

A `Program` is what virtual sequences play and what the scoreboard's model gets as input. It is legal by construction:
jobs are numbered from reset on, every group delivers its jobs in one order, and the bank alternates from job to job
(docs/ran/README.md, Work).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.ran.config import TAGS, RanDescriptor, RanParams, RspCode, Start
from models.ran.cycle import BYP_IN_DTYPE, PROD_IN_DTYPE
from tb.lib.agents import BurstItem
from tb.lib.streams import source_records

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
DESC_BYTES = 13
PSUM_BEATS = 32
PSUM_RECORD = 4 + 16 * PSUM_BEATS


def desc_words(desc: RanDescriptor, min_order: int = 0) -> int:
    """A descriptor as the 104 bits of the bench's payload (tb_ran.sv); `min_order` belongs to the IOSS core."""
    return (
        min_order | desc.w_slices << 3 | desc.x_slices << 6 | desc.compensate << 9 | desc.w_unsigned << 10
        | desc.x_unsigned << 11 | desc.reduce_factor << 12 | desc.k_len << 16 | desc.n_jobs << 32
        | desc.y_bits << 48 | desc.y_unsigned << 51 | desc.relu << 52 | desc.round << 53 | desc.rand_bits << 55
        | desc.shift << 57 | desc.start << 63 | desc.lanes << 65 | desc.stat_last << 71
        | desc.draw << 72
    )  # fmt: skip


def desc_burst(words: Sequence[int], gaps: Sequence[int]) -> BurstItem:
    """Descriptors as a burst of the source `desc`."""
    payload = np.frombuffer(b"".join(word.to_bytes(DESC_BYTES, "big") for word in words), np.uint8)
    payload = payload.reshape(-1, DESC_BYTES)
    return BurstItem("desc", source_records(list(gaps), payload), len(words))


def bias_beats(words: npt.ArrayLike) -> U8:
    """Beats (L / 4, 16) of a bias (L,)."""
    return np.asarray(words).astype("<i4").view(np.uint8).reshape(-1, 16)


def bias_burst(data: U8, last: npt.NDArray[np.bool_], gaps: npt.ArrayLike) -> BurstItem:
    """Bias beats (B, 16) as a burst of the source `bias`."""
    payload = np.hstack([last[:, None].astype(np.uint8), data[:, ::-1]])
    return BurstItem("bias", source_records(gaps, payload), len(payload))


def psum_record(beats: U8, gap: int = 0) -> bytes:
    """A record of psum.in.bin: partial sums (B, 16), offered `gap` cycles late."""
    body = b"".join(beat[::-1].tobytes() for beat in beats)
    return gap.to_bytes(2, "big") + len(beats).to_bytes(2, "big") + body.ljust(16 * PSUM_BEATS, b"\0")


@dataclass
class Work:
    """What a job is made of, for the oracles: its descriptor, its sum, its start value (None: framing was wrong)."""

    desc: RanDescriptor
    mask: int = 0
    total: I64 | None = None  # (L,); None: cancelled
    start: I64 | None = None  # (L,)


@dataclass
class Program:
    """Records in the order of the streams; `work` by job number from `first` on."""

    params: RanParams
    first: int = 0
    reduce_factor: int = 1
    banks: dict[int, int] = field(default_factory=dict)  # bank of the next job by group
    descs: list[RanDescriptor] = field(default_factory=list)
    desc_gap: list[int] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    bypasses: list[tuple[int, int, int]] = field(default_factory=list)  # tag, mask, gap
    cancels: list[tuple[int, bool, int]] = field(default_factory=list)  # tag, at once, gap
    psums: dict[int, bytes] = field(default_factory=dict)  # by tag
    psum_work: dict[int, U8] = field(default_factory=dict)  # beats by number
    cost: int = 0
    _prod: list[list[tuple[npt.NDArray[np.void], npt.NDArray[np.int16], I64]]] = field(default_factory=list)
    _bias: list[tuple[U8, npt.NDArray[np.bool_], I64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._prod = [[] for _ in range(self.params.rows)]

    @property
    def next(self) -> int:
        """Number of the next job to be announced."""
        return self.first + len(self.work)

    def descriptor(self, desc: RanDescriptor, gap: int = 0) -> int:
        """Adds a descriptor, legal or not; the number of its first job."""
        number = self.next
        self.descs.append(desc)
        self.desc_gap.append(gap)
        if desc.check(self.params) == RspCode.OK:
            if desc.reduce_factor != self.reduce_factor:
                self.reduce_factor = desc.reduce_factor
                self.banks = {}
            zero = np.zeros(self.params.lanes, np.int64) if desc.start == Start.ZERO else None
            self.work += [Work(desc, start=zero) for _ in range(desc.n_jobs)]
        return number

    def _at(self, number: int) -> Work:
        return self.work[number - self.first]

    def job(
        self,
        number: int,
        group: int,
        products: Sequence[tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]],
        mask: int = 0,
        gaps: Sequence[npt.ArrayLike] | None = None,
    ) -> None:
        """A job of a group: for every member its products (n, L) in half units and their orders (n,); n = 0 is a null.

        `gaps` gives the idle cycles before each product of each member.
        """
        work = self._at(number)
        work.mask, work.total = mask, np.zeros(self.params.lanes, np.int64)
        if not any(len(data) for data, _ in products):
            # The IOSS core would bypass a job without work: here member 0 has a product of zeros.
            products = [(np.zeros((1, self.params.lanes), np.int16), np.zeros(1, np.int64)), *products[1:]]
        bank = self.banks.get(group, 0)
        self.banks[group] = 1 - bank
        for member, (data, order) in enumerate(products):
            null = len(data) == 0
            if null:
                data, order = np.zeros((1, self.params.lanes), np.int16), np.zeros(1, np.int64)
            table = np.zeros(len(data), PROD_IN_DTYPE)
            row = group * work.desc.reduce_factor + member
            table["row"], table["order"], table["null"], table["bank"] = row, order, null, bank
            table["tag"], table["mask"] = number % TAGS, mask
            table["last"][-1] = 1
            wait = np.broadcast_to(np.asarray(0 if gaps is None else gaps[member]), (len(data),)).astype(np.int64)
            self._prod[row].append((table, np.asarray(data, np.int16), wait))
            self.cost += len(data) + int(wait.sum())
            weight = 16 ** np.asarray(order).astype(np.int64)
            work.total += (np.asarray(data).astype(np.int64) * weight[:, None] // 2).sum(axis=0)

    def bypass(self, number: int, mask: int = 0, gap: int = 0) -> None:
        """A job without products."""
        self._at(number).mask, self._at(number).total = mask, np.zeros(self.params.lanes, np.int64)
        self.bypasses.append((number % TAGS, mask, gap))
        self.cost += gap

    def cancel(self, number: int, gap: int = 0, at_once: bool = False) -> None:
        """A job that never comes; `at_once` does not wait for its descriptor."""
        self.cancels.append((number % TAGS, at_once, gap))
        self.cost += gap

    def bias(self, number: int, words: npt.ArrayLike, framing: int = 0, gap: npt.ArrayLike = 0) -> None:
        """The bias (L,) of the descriptor whose first job is `number`; `framing` beats fewer (< 0) or more (> 0)."""
        beats, last = self._framed(bias_beats(words), framing)
        gaps = np.broadcast_to(np.asarray(gap), (len(beats),)).astype(np.int64)
        self._bias.append((beats, last, gaps))
        self.cost += int(gaps.sum())
        good = np.zeros(self.params.lanes, np.int64)
        given = beats[: self.params.lanes // 4].reshape(-1).view("<i4").astype(np.int64)
        good[: len(given)] = given
        for job in range(number, number + self._at(number).desc.n_jobs):
            self._at(job).start = good

    def psum(self, number: int, words: npt.ArrayLike, framing: int = 0, gap: int = 0) -> None:
        """The partial sums (L,) of a job; `framing` and `gap` as above (one gap, before the first beat)."""
        width = 4 if self._at(number).desc.start == Start.PSUM32 else 8
        beats = np.asarray(words).astype(f"<i{width}").view(np.uint8).reshape(-1, 16)
        whole = len(beats)
        beats, _ = self._framed(beats, framing)
        if number % TAGS in self.psums and number not in self.psum_work:
            raise ValueError(f"job {number}: the memory of partial sums has one record a tag, and this program used it")
        self.psums[number % TAGS] = psum_record(beats, gap)
        self.psum_work[number] = beats
        self.cost += gap
        good = np.zeros(self.params.lanes, np.int64)
        given = beats[:whole].reshape(-1).view(f"<i{width}").astype(np.int64)
        good[: len(given)] = given
        self._at(number).start = good

    @staticmethod
    def _framed(beats: U8, framing: int) -> tuple[U8, npt.NDArray[np.bool_]]:
        if framing < 0:
            beats = beats[: max(1, len(beats) + framing)]
        elif framing > 0:
            beats = np.concatenate([beats, np.full((framing, 16), 0xA5, np.uint8)])
        last = np.zeros(len(beats), bool)
        last[-1] = True
        return beats, last

    # ---- joined arrays -----------------------------------------------------------------------------------------------
    def products(self) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int16]]:
        """Every product by row, in order; offers are not known yet."""
        parts = [part for row in self._prod for part in row]
        if not parts:
            return np.zeros(0, PROD_IN_DTYPE), np.zeros((0, self.params.lanes), np.int16)
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    @property
    def bias_data(self) -> U8:
        """(B, 16)."""
        return np.concatenate([part[0] for part in self._bias]) if self._bias else np.zeros((0, 16), np.uint8)

    @property
    def bias_last(self) -> npt.NDArray[np.bool_]:
        """(B,)."""
        return np.concatenate([part[1] for part in self._bias]) if self._bias else np.zeros(0, bool)

    @property
    def byp(self) -> npt.NDArray[np.void]:
        """Bypasses in order."""
        out = np.zeros(len(self.bypasses), BYP_IN_DTYPE)
        for n, (tag, mask, _) in enumerate(self.bypasses):
            out["tag"][n], out["mask"][n] = tag, mask
        return out

    def bound(self) -> int:
        """Cycles after which this program is over with every consumer always ready, however badly it goes."""
        beats = 40 * len(self.work) + 40 * len(self.descs)
        return 300 + self.cost + beats + int(sum(self.desc_gap))

    # ---- records for the transactors ---------------------------------------------------------------------------------
    def bursts(self) -> dict[str, list[BurstItem]]:
        """Bursts for each source that has something to play."""
        out: dict[str, list[BurstItem]] = {}
        lanes = self.params.lanes
        if self.descs:
            out["desc"] = [desc_burst([desc_words(desc) for desc in self.descs], self.desc_gap)]
        for row, parts in enumerate(self._prod):
            if not parts:
                continue
            table, data, gaps = (np.concatenate([part[n] for part in parts]) for n in range(3))
            bits = ((data.astype(np.int64)[:, :, None] >> np.arange(10)) & 1).astype(np.uint8).reshape(len(data), -1)
            low = np.packbits(bits, axis=1, bitorder="little")  # L * 10 bits, lowest first
            head = np.zeros((len(data), 8), np.uint8)  # flags, 0, tag, mask: lowest first
            head[:, 0] = table["order"] | table["bank"] << 3 | table["null"] << 4 | table["last"] << 5
            head[:, 2:4] = table["tag"].astype("<u2").reshape(-1, 1).view(np.uint8)
            head[:, 4:8] = table["mask"].astype("<u4").reshape(-1, 1).view(np.uint8)
            payload = np.hstack([low, head])[:, ::-1]
            assert payload.shape[1] == lanes * 10 // 8 + 8
            out.setdefault("prod", []).append(BurstItem("prod", source_records(gaps, payload), len(payload), row))
        if self.bypasses:
            table = self.byp
            mask = table["mask"].astype(">u4").reshape(-1, 1).view(np.uint8)
            payload = np.hstack([mask, table["tag"].astype(">u2").reshape(-1, 1).view(np.uint8)])
            out["byp"] = [BurstItem("byp", source_records([gap for *_, gap in self.bypasses], payload), len(payload))]
        if self._bias:
            gaps = np.concatenate([part[2] for part in self._bias])
            out["bias"] = [bias_burst(self.bias_data, self.bias_last, gaps)]
        if self.cancels:
            payload = np.array([[now, tag >> 8, tag & 0xFF] for tag, now, _ in self.cancels], np.uint8)
            records = source_records([gap for *_, gap in self.cancels], payload)
            out["cancel"] = [BurstItem("cancel", records, len(payload))]
        return out
