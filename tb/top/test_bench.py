"""The processor's bare loop plays what a run played, and a difference is noticed. Nothing here is timed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flow.bench.common import BenchError
from flow.bench.top import cpp_loop, recorded, replay
from flow.core.blocks import get_block
from flow.core.simulate import run


@pytest.mark.late
def test_the_loop_does_the_same_work_and_a_difference_is_noticed(tmp_path: Path) -> None:
    block = get_block("top")
    done = run(block, "verilator", "smoke", label="bench")
    assert done.passed, done.summary()
    record = recorded(done.run_dir)
    assert len(record.words) == 8
    assert len(record.reads) > 8
    program = cpp_loop(block, block.resolve_params(None), quick=True)
    assert replay(program, record, tmp_path)["cycles"] == record.cycles
    stimulus = np.frombuffer(record.stimulus, "<u4").copy()
    stimulus[-2] ^= 0xFF  # a weight
    with pytest.raises(BenchError, match=r"not the same work: \w+ \d+ is"):
        replay(program, replace(record, stimulus=stimulus.tobytes()), tmp_path)
    with pytest.raises(BenchError, match=r"not the same work: environment counts .* cycles"):
        replay(program, replace(record, cycles=record.cycles + 1), tmp_path)
    reads = record.reads.copy()
    reads[0] ^= 1
    with pytest.raises(BenchError, match="not the same work: reads 0"):
        replay(program, replace(record, reads=reads), tmp_path)
