"""Traces on disk that are read in parts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from tb.lib.streams import Recording, SourceLog, Tap

DTYPE = np.dtype([("cycle", "<u4"), ("data", "u1", (3,))])


def test_parts_of_a_recording_make_up_the_whole(tmp_path: Path) -> None:
    records = np.zeros(100, DTYPE)
    records["cycle"] = np.sort(np.random.default_rng(1).integers(0, 60, 100))  # some cycles have several records
    records["data"] = np.arange(300).reshape(100, 3)
    records.tofile(tmp_path / "t.bin")
    recording = Recording(tmp_path / "t.bin", DTYPE)
    edges = [0, 7, 7, 8, 30, 59, 60, 1000]
    parts = [recording.between(*span) for span in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), records)
    assert all(part["cycle"].max(initial=0) < end for part, end in zip(parts, edges[1:], strict=True))
    assert recording.places([0, 60]) == [0, 100]


def test_a_recording_without_records_has_none(tmp_path: Path) -> None:
    (tmp_path / "t.bin").touch()
    assert len(Recording(tmp_path / "t.bin", DTYPE).between(0, 1 << 31)) == 0


def test_a_part_of_a_tap_holds_what_was_offered_in_it() -> None:
    log = SourceLog(np.array([2, 5, 5, 9]), np.array([4, 5, 8, -1]))
    tap = Tap(log, np.arange(8, dtype=np.uint32).reshape(4, 2), np.ones(12, bool))
    part = tap.between(5, 9)
    assert part.log.accept.tolist() == [5, 8]
    assert part.data.tolist() == [[2, 3], [4, 5]]
