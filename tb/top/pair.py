"""Scoreboard of a pair inside the processor: that of block `gemm`, over a run of any length in bounded memory.

A run is judged part by part, from one moment at which the pair is at rest to another. The largest traces are read a
part at a time, and the models begin each part with what they kept at the end of the one before, so that what is
compared is what a judgement of the whole compares. Moments come from what was seen of `busy_o`; the models must be at
rest there, too, or the part grows to the next one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from models.ioss import cycle as core_cycle
from models.ran import cycle as ran_cycle
from models.top.config import TopParams
from tb.gemm.program import GemmParams
from tb.gemm.scoreboard import EV_BUSY, GemmScoreboard
from tb.lib.scoreboard import Verdict, compare_counters, event_levels
from tb.lib.streams import Recording, places
from tb.ran.trace import RanTraces
from tb.top.trace import PairProgram, pair_part, pair_seen

I64 = npt.NDArray[np.int64]
PART = 16_384  # cycles with products in a part, if there is a moment of rest after them: some 150 MB
SETTLED = 3  # cycles without busy_o after which the pair may be at rest


class PairScoreboard(GemmScoreboard):
    """Is given the `top` processor's parameters, which `pair` of it this is, what the whole processor has `heard`, and
    the `spans` between resets."""

    top: TopParams
    pair: int
    heard: Mapping[str, Any]
    spans: list[tuple[int, int]]

    def judge(self) -> Verdict:
        """Judges part by part; results and counters belong to the last span."""
        self.params = GemmParams(self.top.core, self.top.ran)
        self.products, self.drained, self.parts = [], True, 0
        counters, self.counters = self.counters, None
        for base, end in self.spans:
            self._begin()
            begin, place, least = base, 0, PART
            for at, done in self._moments(base, end):
                if done - place < least:
                    continue
                if self._part(begin, at, end):
                    begin, place, least = at, done, PART
                else:  # what has gone wrong may never rest
                    least = 2 * (done - place)
            self._part(begin, end, end)
        if counters is not None and self.spans:
            for number, counted in enumerate(self.counted):
                compare_counters(self.verdict, counters[number], counted, self.spans[-1][1])
        return self.verdict

    def _begin(self) -> None:
        """What is known when a reset has ended."""
        self.core.since, self.since, self.vectors = core_cycle.AFTER_RESET, ran_cycle.AFTER_RESET, 0
        self.counted: list[tuple[I64, I64]] = []

    def _moments(self, base: int, end: int) -> Iterator[tuple[int, int]]:
        """Cycles in a span at which the pair seems to be at rest, and how many records of products lie before each."""
        levels = event_levels(self.heard[f"core{self.pair}_gemm_event"], EV_BUSY)
        moments = [
            cycle + SETTLED
            for (cycle, busy), (until, _) in pairwise([*levels, (end, True)])
            if not busy and base < cycle + SETTLED < min(until, end)
        ]
        products = self.heard[f"core{self.pair}_product"]
        found = products.places(moments) if isinstance(products, Recording) else places(products["cycle"], moments)
        return zip(moments, found, strict=True)

    def _part(self, begin: int, edge: int, end: int) -> bool:
        """Judges what lies between two moments, the last one perhaps the end of the span; whether the models were at
        rest in the last: otherwise nothing was judged."""
        taps, traces = pair_part(self.heard, self.pair, begin, edge)
        data = {name: tap.data for name, tap in taps.items()}
        self.programs = [[PairProgram.of(self.top, data, self.since.jobs, self.vectors)]]  # type: ignore[list-item]
        self.part, self.cycles, self.seen = (begin, edge), edge, pair_seen(taps, traces, edge)
        self.ends = end == self.spans[-1][1]
        whole = self.verdict
        self.verdict = Verdict(divergences=list(whole.divergences))
        try:
            super().judge()
        except Exception:
            if edge == end:
                raise
            self.verdict = whole  # work that was cut in the middle
            return False
        part, self.verdict = self.verdict, whole
        core, ran = self.core.epochs[-1].prediction, self.epochs[-1].prediction
        vectors = int(self.core.inputs.vec_last.sum())
        # All of it is as large as the part.
        self.core.epochs, self.epochs, self.core.seen, self.seen = [], [], {}, {}
        if edge != end:
            if core.rest is None or ran.rest is None:
                return False
            self.core.since, self.since, self.vectors = core.rest, ran.rest, self.vectors + vectors
        new = [(each.row_counters, each.global_counters) for each in (core, ran)]
        old = self.counted or [(np.zeros_like(rows), np.zeros_like(whole)) for rows, whole in new]
        self.counted = [(rows + more, whole + other) for (rows, whole), (more, other) in zip(old, new, strict=True)]
        self.parts += 1
        for kind, number in part.checks.items():
            whole.count(kind, number)
        whole.mismatches += part.mismatches
        whole.divergences[:] = part.divergences
        return True

    def _spans(self, traces: RanTraces) -> list[tuple[int, int]]:
        return [self.part]

    def _results(self, *args: Any) -> None:
        """Only of the last span: what a reset ends may lack results."""
        if self.ends:
            super()._results(*args)
