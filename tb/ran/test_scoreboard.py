"""The RAN's scoreboard after the wrap of tags: it must fail on what is wrong there, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from models.common.formats import YBits
from models.ran.config import TAGS, RanDescriptor, RanParams
from models.ran.cycle import OUT_DTYPE, Stimulus, job_numbers
from models.ran.value import pack_results
from tb.lib.scoreboard import Verdict
from tb.ran.program import Program, Work
from tb.ran.scoreboard import job_results, judge_results

PARAMS = RanParams(rows=4, lanes=32)
JOBS = TAGS + 50  # a beat each: 32 results of 4 bits
DESC = RanDescriptor(YBits.B4, lanes=32, n_jobs=JOBS)


def _values(number: int) -> np.ndarray:
    """Results (32,) that differ from those of the job with the same tag."""
    return (np.arange(32) + number // TAGS + number) % 16 - 8


def _work() -> dict[int, Work]:
    zero = np.zeros(32, np.int64)
    return {number: Work(DESC, total=_values(number).astype(np.int64), start=zero) for number in range(JOBS)}


def _out(order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The output stream of jobs in the given order."""
    out = np.zeros(len(order), OUT_DTYPE)
    out["last"], out["jobs"], out["bits"], out["tag"][:, 0] = 1, 1, YBits.B4, order % TAGS
    lanes = (np.arange(32)[None, :] + (order // TAGS + order)[:, None]) % 16 - 8
    return out, pack_results(lanes, YBits.B4)


def _judge(out: np.ndarray, data: np.ndarray) -> Verdict:
    verdict = Verdict()
    try:
        found = job_results(PARAMS, dict.fromkeys(range(JOBS), DESC), out, data)
    except ValueError as error:
        verdict.diverge("result", 0, "output stream", str(error), "every job once")
        return verdict
    judge_results(verdict, PARAMS, _work(), found, 0)
    return verdict


def test_a_right_run_beyond_the_wrap_passes() -> None:
    order = np.arange(JOBS)
    order[TAGS - 2 : TAGS + 2] = order[TAGS - 2 : TAGS + 2][::-1]  # out of order across the wrap
    verdict = _judge(*_out(order))
    assert not verdict.divergences
    assert verdict.checks["value"] >= 2 * 32 * JOBS


def test_a_wrong_result_behind_the_wrap_is_named_by_its_number() -> None:
    out, data = _out(np.arange(JOBS))
    data[TAGS + 7, 0] ^= 1
    first = _judge(out, data).first
    assert first is not None
    assert f"job {TAGS + 7} lane 0" in first.what


def test_a_job_twice_behind_the_wrap_is_told() -> None:
    order = np.arange(JOBS)
    order[TAGS + 4] = TAGS + 3
    first = _judge(*_out(order)).first
    assert first is not None
    assert f"job {TAGS + 3} left twice" in first.observed


def test_results_of_the_job_with_the_same_tag_are_wrong() -> None:
    out, data = _out(np.arange(JOBS))
    data[TAGS + 1] = data[1]
    first = _judge(out, data).first
    assert first is not None
    assert f"job {TAGS + 1}" in first.what


def test_numbers_of_covered_tags() -> None:
    descs = [RanDescriptor(n_jobs=16383)] * 5
    stim = Stimulus.__new__(Stimulus)
    stim.descs = descs
    accepted, codes = np.array([0, 1, 2, 3, 50]), np.zeros(5, np.uint8)
    tags, cycles = np.array([0, 65531, 65532, 3]), np.array([1, 49, 51, 51])
    assert job_numbers(stim, accepted, codes, tags, cycles).tolist() == [0, 65531, 65532, TAGS + 3]


def test_a_program_has_one_record_of_partial_sums_a_tag() -> None:
    program = Program(PARAMS)
    for _ in range(5):
        program.descriptor(RanDescriptor(start=2, lanes=32, n_jobs=16383))
    program.psum(3, np.zeros(32))
    with pytest.raises(ValueError, match=f"job {TAGS + 3}: .* one record a tag"):
        program.psum(TAGS + 3, np.zeros(32))
