"""Stimulus of the IOSS core as data: descriptors, tile beats and vector beats with the idle gaps before them.

A `Program` is what virtual sequences play and what the scoreboard's model gets as input. `Program.gemm` is the mapping
that a host would use: LANES consecutive columns and RF * DEPTH consecutive elements a tile (docs/ioss/README.md, Work).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.ioss.config import CoreParams, Descriptor
from models.ioss.value import pack_jobs, pack_tile
from tb.lib.agents import BurstItem
from tb.lib.streams import source_records

U8 = npt.NDArray[np.uint8]
MAX_JOBS = 0xFFFF
TAGS = 1 << 16


@dataclass(frozen=True)
class Placement:
    """Where a job's result belongs in a GEMM's output: row `m`, columns from `n0`."""

    gemm: int
    m: int
    n0: int


@dataclass
class Program:
    """Beats in the order of the streams. Arrays are appended in chunks; `finish` joins them.

    Jobs are numbered from `first_job` on; `placements[job - first_job]` tells where a job (tag = number mod 65536) adds
    its result.
    """

    params: CoreParams
    descs: list[Descriptor] = field(default_factory=list)
    desc_gap: list[int] = field(default_factory=list)
    first_job: int = 0
    placements: list[Placement] = field(default_factory=list)
    _tile: list[tuple[U8, npt.NDArray[np.bool_], npt.NDArray[np.integer]]] = field(default_factory=list)
    _vec: list[
        tuple[U8, npt.NDArray[np.bool_], npt.NDArray[np.integer], npt.NDArray[np.uint16], npt.NDArray[np.uint32]]
    ] = field(default_factory=list)
    jobs: int = 0

    def descriptor(self, desc: Descriptor, gap: int = 0) -> None:
        """Adds a descriptor (legal or not)."""
        self.descs.append(desc)
        self.desc_gap.append(gap)

    def tile_beats(self, beats: U8, last: npt.ArrayLike | None = None, gap: npt.ArrayLike = 0) -> None:
        """Adds tile beats (B, 16); `last` defaults to the final beat only."""
        flags = np.zeros(len(beats), bool)
        flags[-1:] = True
        if last is not None:
            flags = np.asarray(last, bool)
        self._tile.append((beats, flags, np.broadcast_to(np.asarray(gap), (len(beats),))))

    def job_beats(
        self,
        beats: U8,
        tags: npt.ArrayLike,
        masks: npt.ArrayLike = 0,
        last: npt.ArrayLike | None = None,
        gap: npt.ArrayLike = 0,
    ) -> None:
        """Adds jobs: beats (J, B, 16), tags (J,), masks (J,); `last` (J, B) defaults to each job's final beat."""
        count, length = beats.shape[:2]
        flags = np.zeros((count, length), bool)
        flags[:, -1] = True
        if last is not None:
            flags = np.broadcast_to(np.asarray(last, bool), (count, length))
        wide = (count, length)
        tag = np.broadcast_to(np.asarray(tags, np.uint16).reshape(-1, 1), wide).reshape(-1)
        mask = np.broadcast_to(np.asarray(masks, np.uint32).reshape(-1, 1), wide).reshape(-1)
        gaps = np.broadcast_to(np.asarray(gap), wide).reshape(-1)
        self._vec.append((beats.reshape(-1, 16), flags.reshape(-1), gaps, tag, mask))

    def tile(self, desc: Descriptor, w: npt.NDArray[np.integer], gap: npt.ArrayLike = 0, pad_fill: int = 0) -> None:
        """Adds a legal descriptor and its tile `w` (K, L)."""
        self.descriptor(desc)
        self.tile_beats(pack_tile(desc, self.params, w, pad_fill=pad_fill), gap=gap)

    def vectors(
        self,
        desc: Descriptor,
        x: npt.NDArray[np.integer],
        masks: npt.ArrayLike = 0,
        gap: npt.ArrayLike = 0,
        pad_fill: int = 0,
    ) -> None:
        """Adds jobs `x` (J, K) with running tags."""
        tags = (self.first_job + self.jobs + np.arange(len(x))) % TAGS
        self.jobs += len(x)
        self.job_beats(pack_jobs(desc, x, pad_fill), tags, masks, gap=gap)

    def gemm(
        self,
        x: npt.NDArray[np.integer],
        w: npt.NDArray[np.integer],
        x_slices: int,
        w_slices: int,
        *,
        x_unsigned: bool = False,
        w_unsigned: bool = False,
        mask: npt.NDArray[np.bool_] | None = None,
        min_order: int = 0,
        compensate: bool = False,
        reduce_factor: int = 1,
        gap: int = 0,
        index: int = 0,
    ) -> None:
        """Adds the tiles and jobs of `x` (M, K) @ `w` (K, N); `mask` (M, N) marks outputs known to be zero."""
        (m_total, k_total), n_total = x.shape, w.shape[1]
        lanes, span = self.params.lanes, reduce_factor * self.params.depth
        for n0 in range(0, n_total, lanes):
            width = min(lanes, n_total - n0)
            dead = np.ones((m_total, lanes), bool)
            dead[:, :width] = False if mask is None else mask[:, n0 : n0 + width]
            masks = (dead.astype(np.uint64) << np.arange(lanes, dtype=np.uint64)).sum(axis=1).astype(np.uint32)
            for k0 in range(0, k_total, span):
                tile = np.zeros((min(span, k_total - k0), lanes), np.int64)
                tile[:, :width] = w[k0 : k0 + span, n0 : n0 + width]
                for m0 in range(0, m_total, MAX_JOBS):
                    part = slice(m0, min(m_total, m0 + MAX_JOBS))
                    desc = Descriptor(
                        x_slices, w_slices, x_unsigned, w_unsigned, min_order, compensate, reduce_factor,
                        len(tile), part.stop - part.start,
                    )  # fmt: skip
                    self.tile(desc, tile, gap)
                    self.vectors(desc, x[part, k0 : k0 + span], masks[part], gap)
                    self.placements += [Placement(index, m, n0) for m in range(part.start, part.stop)]

    # ---- joined arrays -----------------------------------------------------------------------------------------------
    @property
    def tile_data(self) -> U8:
        """(BT, 16)."""
        return np.concatenate([part[0] for part in self._tile]) if self._tile else np.zeros((0, 16), np.uint8)

    @property
    def tile_last(self) -> npt.NDArray[np.bool_]:
        """(BT,)."""
        return np.concatenate([part[1] for part in self._tile]) if self._tile else np.zeros(0, bool)

    @property
    def tile_gap(self) -> npt.NDArray[np.int64]:
        """(BT,)."""
        return np.concatenate([part[2] for part in self._tile]) if self._tile else np.zeros(0, np.int64)

    @property
    def vec_data(self) -> U8:
        """(BV, 16)."""
        return np.concatenate([part[0] for part in self._vec]) if self._vec else np.zeros((0, 16), np.uint8)

    def _vec_field(self, index: int, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
        return np.concatenate([part[index] for part in self._vec]) if self._vec else np.zeros(0, dtype)

    @property
    def vec_last(self) -> npt.NDArray[np.bool_]:
        """(BV,)."""
        return self._vec_field(1, bool)

    @property
    def vec_gap(self) -> npt.NDArray[np.int64]:
        """(BV,)."""
        return self._vec_field(2, np.int64)

    @property
    def vec_tag(self) -> npt.NDArray[np.uint16]:
        """(BV,)."""
        return self._vec_field(3, np.uint16)

    @property
    def vec_mask(self) -> npt.NDArray[np.uint32]:
        """(BV,)."""
        return self._vec_field(4, np.uint32)

    def bound(self) -> int:
        """Cycles after which this program is over with every consumer always ready, however badly it goes: everything
        one after the other, every pair issued by one row."""
        pairs = sum(d.k_len * d.x_slices * d.w_slices * d.n_jobs for d in self.descs if not d.check(self.params))
        gaps = int(self.tile_gap.sum() + self.vec_gap.sum() + sum(self.desc_gap))
        return 200 + 8 * len(self.descs) + len(self.tile_data) + len(self.vec_data) + gaps + pairs + 4 * self.jobs

    # ---- records for the transactors ---------------------------------------------------------------------------------
    def bursts(self) -> dict[str, BurstItem]:
        """One burst for each source that has something to play: desc, tile, vec."""
        out: dict[str, BurstItem] = {}
        if self.descs:
            words = [
                d.n_jobs << 32 | d.k_len << 16 | d.reduce_factor << 12 | d.x_unsigned << 11 | d.w_unsigned << 10
                | d.compensate << 9 | d.x_slices << 6 | d.w_slices << 3 | d.min_order
                for d in self.descs
            ]  # fmt: skip
            payload = np.array(words, ">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
            out["desc"] = BurstItem("desc", source_records(self.desc_gap, payload), len(words))
        if self._tile:
            payload = np.hstack([self.tile_last[:, None].astype(np.uint8), self.tile_data[:, ::-1]])
            out["tile"] = BurstItem("tile", source_records(self.tile_gap, payload), len(payload))
        if self._vec:
            head = np.hstack(
                [
                    self.vec_mask.astype(">u4").reshape(-1, 1).view(np.uint8),
                    self.vec_tag.astype(">u2").reshape(-1, 1).view(np.uint8),
                    self.vec_last[:, None].astype(np.uint8),
                ]
            )
            payload = np.hstack([head, self.vec_data[:, ::-1]])
            out["vec"] = BurstItem("vec", source_records(self.vec_gap, payload), len(payload))
        return out
