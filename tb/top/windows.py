"""When pieces of windows move and their words are asked for, to the cycle (docs/top/windows.md, Timing).

Lengths are in units of 4 bits, positions count from `BEFORE` words before the images, as the page says; cycles are the
bench's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.common.slices import values_per_beat
from models.ioss.config import member_lengths
from models.top.config import LANES, Gemm

I64 = npt.NDArray[np.int64]
BEAT = 32  # units in a word
RING = 16  # words
BEFORE = 16  # words
FAR = 1 << 22  # positions stay there


@dataclass(frozen=True)
class Piece:
    """Of window number `job` (of its pass): the last word that it needs (-1: none), whether it fills a beat, whether it
    is its window's last."""

    job: int
    word: int
    beat: bool
    last: bool


@dataclass
class Walk:
    """The windows that every pass of a chunk takes, for vectors (`tile` False) or rows of tiles.

    Args:
        command: a GEMM with windows, planned fields resolved.
        span: elements (from, to) of K in the chunk.
    """

    command: Gemm
    span: tuple[int, int]
    tile: bool
    unit: int = field(init=False)
    begin: I64 = field(init=False)  # positions, (jobs,)

    def __post_init__(self) -> None:
        command, (lo, hi) = self.command, self.span
        self.unit = BEAT // values_per_beat(command.n_w if self.tile else command.n_x)
        jobs = np.arange(lo, hi) if self.tile else np.arange(command.m)
        self.begin = np.minimum(command.windows.first_value(jobs) * self.unit + BEAT * BEFORE, FAR)

    @property
    def first_word(self) -> int:
        """That a pass asks for."""
        return max(int(self.begin[0]) // BEAT, BEFORE)

    def horizons(self) -> I64:
        """The last word that is asked for while each window is taken: one past the next window's, of the last its
        own's."""
        ends = (self.begin + self.command.windows.span * self.unit - 1) // BEAT + 1
        return np.append(ends[1:], ends[-1])

    def rooms(self) -> I64:
        """The first word for which the ring has no room while each window is taken."""
        return self.begin // BEAT + RING

    def pieces(self, number: int) -> Iterator[Piece]:
        """Of pass `number` (tiles: of columns from 16 * number on)."""
        windows, (lo, hi) = self.command.windows, self.span
        segment = windows.kernel_columns * windows.channels * self.unit
        line = windows.columns * windows.channels * self.unit
        lengths = member_lengths(hi - lo, self.command.reduce_factor)
        start = LANES * number if self.tile else lo
        # A vector's beat ends with every member, a tile's with every member's rows.
        parts = [LANES * self.unit] if self.tile else [each * self.unit for each in lengths if each]
        row_ends = set(np.cumsum(lengths).tolist()) if self.tile else set()
        fill = 0
        for job, begin in enumerate(self.begin.tolist()):
            at = start * self.unit
            row = min(at // segment, windows.kernel_rows - 1)
            offset = at - row * segment
            for number_of, length in enumerate(parts):
                left = length
                while left:
                    final = row == windows.kernel_rows - 1
                    rest = max(segment - offset, 0)
                    take = min(BEAT - fill, left) if final else min(BEAT - fill, left, rest)
                    need = min(rest, take)
                    left -= take
                    whole = not left and number_of == len(parts) - 1
                    ends = not left and (not self.tile or job + 1 in row_ends)
                    beat = fill + take == BEAT or ends
                    word = (begin + row * line + offset + need - 1) // BEAT if need else -1
                    yield Piece(job, word, beat, whole)
                    fill = 0 if beat else fill + take
                    offset += take
                    if not final and take == rest:
                        row, offset = row + 1, 0


@dataclass
class Pass:
    """What came out of a pass: cycles in which beats were filled, in which its last piece moved."""

    filled: list[int]
    end: int


def run_pass(walk: Walk, number: int, active: int, accepts: list[int], before: int, never: int) -> Pass:
    """A pass that may go on from cycle `active` on.

    Args:
        walk: its windows.
        number: of the pass in its chunk.
        active: first cycle.
        accepts: when its beats were taken, `never` those that were not.
        before: when the beat before them was taken; -1: there is none.
        never: a cycle after every other.
    """
    horizons, rooms = walk.horizons().tolist(), walk.rooms().tolist()
    here: dict[int, int] = {}  # first cycle in which a word can be used
    word, asked = walk.first_word, active - 1
    filled: list[int] = []
    cycle, job = active - 1, -1
    room = False  # for a second piece in `cycle`

    def least(piece: Piece) -> int:
        """First cycle that its words and the beats before it allow; `never`: not all of these were asked for."""
        least = 0 if piece.word < walk.first_word else here.get(piece.word, never)
        if piece.last and piece.job == len(rooms) - 1:
            last = horizons[piece.job]
            least = max(least, 0 if last < walk.first_word else here.get(last, never))
        if piece.beat:
            at = len(filled) - 1
            least = max(least, before if at < 0 else accepts[at] if at < len(accepts) else never)
        return least

    for piece in walk.pieces(number):
        # With the first piece of a beat, the second may move, also if it belongs to the next window.
        room = room and least(piece) <= cycle
        if piece.job != job:
            job = piece.job
            # From the cycle after the window before on this one decides what may be asked for.
            while word <= horizons[job] and word < rooms[job]:
                asked = max(asked + 1, cycle + 1)
                here[word] = asked + 2
                word += 1
        if not room:
            cycle = max(cycle + 1, least(piece))
        if piece.beat:
            filled.append(cycle)
        room = not room and not piece.beat
        if cycle >= never:
            cycle = never
            break
    return Pass(filled + [never] * (len(accepts) - len(filled)), cycle)
