"""Files between Python and the transactors in tb/lib/sv: bursts in, logs of offers and transfers out.

Formats: headers of ts_source.sv and ts_sink.sv. Cycles are the bench's absolute cycle numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

NEVER = 0xFFFF_FFFF
MAX_GAP = 0xFFFF
U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]


def source_records(gap: npt.ArrayLike, payload: U8) -> bytes:
    """Records for a source: `gap` (n,) idle cycles before each offer, `payload` (n, bytes), highest byte first.

    Raises `ValueError` for a gap outside 0..65535.
    """
    gaps = np.broadcast_to(np.asarray(gap), (len(payload),))
    if len(gaps) and not 0 <= gaps.min() <= gaps.max() <= MAX_GAP:
        raise ValueError(f"a gap must lie in 0..{MAX_GAP}")
    return np.hstack([gaps.astype(">u2").reshape(-1, 1).view(np.uint8), payload]).tobytes()


def sink_records(on_off: npt.ArrayLike) -> bytes:
    """Records for a sink: `on_off` (n, 2), cycles ready and cycles not ready, 0..65535 each."""
    pairs = np.asarray(on_off).reshape(-1, 2)
    if len(pairs) and not 0 <= pairs.min() <= pairs.max() <= MAX_GAP:
        raise ValueError(f"a run must lie in 0..{MAX_GAP}")
    return pairs.astype(">u2").tobytes()


@dataclass(frozen=True)
class SourceLog:
    """What became of a source's records, in order. `offer` and `accept`: cycles, -1 where it did not happen."""

    offer: I64
    accept: I64

    @classmethod
    def read(cls, path: Path, records: int) -> SourceLog:
        """The log of a source that was given `records` records; those that were never reached read -1."""
        words = np.fromfile(path, "<u4").astype(np.int64)
        words[words == NEVER] = -1
        full = np.full(2 * records, -1, np.int64)
        full[: len(words)] = words
        return cls(full[0::2], full[1::2])


@dataclass(frozen=True)
class Tap:
    """What a tap (ts_tap.sv) heard: offers, transfers, payloads (records, words), the waveform of ready (cycles,)."""

    log: SourceLog
    data: npt.NDArray[np.uint32]
    ready: npt.NDArray[np.bool_]

    def between(self, base: int, end: int) -> Tap:
        """What was offered in a span of cycles."""
        part = slice(*places(self.log.offer, [base, end]))
        return Tap(SourceLog(self.log.offer[part], self.log.accept[part]), self.data[part], self.ready)

    @classmethod
    def read(cls, folder: Path, name: str, words: int, cycles: int) -> Tap:
        """The files of the tap `name` in `folder`, of payloads of `words` words."""
        data = np.fromfile(folder / f"{name}.data.bin", "<u4").reshape(-1, words)
        log = SourceLog.read(folder / f"{name}.log.bin", len(data))
        return cls(log, data, read_ready(folder / f"{name}_0.log.bin", cycles))


def read_ready(path: Path, cycles: int) -> npt.NDArray[np.bool_]:
    """The `ready` waveform (cycles,) of a sink: high until its first logged change."""
    words = np.fromfile(path, "<u4")
    toggles = (words & 0x7FFF_FFFF).astype(np.int64)
    edges = np.concatenate([[0], toggles, [max(cycles, int(toggles[-1]) if len(toggles) else 0)]])
    values = np.concatenate([[True], (words >> 31).astype(bool)])
    return np.repeat(values, np.diff(edges))[:cycles]


@dataclass(frozen=True)
class Recording:
    """A binary trace on disk that is read in parts; `dtype` has a column `cycle`, in which records are in order."""

    path: Path
    dtype: np.dtype

    def places(self, cycles: Sequence[int]) -> list[int]:
        """Numbers of the first records in or after each of some cycles."""
        if not self.path.stat().st_size:
            return [0] * len(cycles)
        return places(np.memmap(self.path, self.dtype, "r")["cycle"], cycles)

    def between(self, base: int, end: int) -> npt.NDArray[np.void]:
        """The records of a span of cycles."""
        first, stop = self.places([base, end])
        return np.fromfile(self.path, self.dtype, stop - first, offset=first * self.dtype.itemsize)


def places(column: npt.NDArray[np.integer], cycles: Sequence[int]) -> list[int]:
    """Where in a column of cycles, which is in order, the first one in or after each of some cycles is."""
    # Few elements are looked at: a column of a table or of a file stays where it is.
    return [bisect_left(range(len(column)), cycle, key=lambda at: int(column[at])) for cycle in cycles]
