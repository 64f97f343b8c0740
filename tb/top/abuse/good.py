"""A program that must be right, whatever the host did before: it fills every buffer, and uses every engine.

A product in two chunks of K with biases, masks and results of 8 bits, a pass of ADAM, a product that fills A. What
leaves is what the value model says. After a reset a plan and a product by it come on top: what LAPS holds without one
is the host's own affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from models.common.formats import YBits
from models.laps.config import Entry
from models.top.config import CMD_WORDS, Action, Buffer, Gemm, Issue, Opt, Plan, Read, Reg, TopParams, Write
from models.top.value import Processor
from tb.optc.sequences import PLAIN
from tb.top.abuse.program import Script, engine_of, with_waits
from tb.top.sequences import Serial, entry_writes, random_words

U8 = npt.NDArray[np.uint8]
READS = tuple(range(Reg.STAT, Reg.STAT + 24, 4))


@dataclass(frozen=True)
class Good:
    """Actions of a host in order, words of every packet out, and what READS give at the end."""

    actions: tuple[Action, ...]
    packets: tuple[tuple[int, ...], ...]
    read: tuple[int, ...]

    @property
    def commands(self) -> int:
        """How many there are."""
        return sum(isinstance(each, Issue) for each in self.actions)

    def script(self, done: Sequence[int], reset: bool) -> Script:
        """Its script, for done counters that stand at `done`."""
        script, counts = Script(), list(done)
        staged: list[int | None] = [0 if reset else None] * CMD_WORDS
        if reset:
            script.wave("reset", 0, 3)
        for action in self.actions:
            if isinstance(action, Write):
                script.write(action.address, action.value)
            elif isinstance(action, Issue):
                words = with_waits(action.words(), counts)
                counts[engine_of(words)] += 1
                script.push(words, action.id, staged=staged)
                if action.stream is not None:
                    for at, word in enumerate(action.stream):
                        last = at == len(action.stream) - 1
                        script.offer("s", int.from_bytes(bytes(word), "little") | last << 128)
        return script


def _product(params: TopParams) -> Gemm:
    return Gemm(
        m=3, k=params.depth + 8, n=17, n_x=2, n_w=1, w_first=4, bias_first=100, mask_first=1, y_first=2, a_first=1,
        psum_first=10, y_step=3, psum_step=24, biases=True, masks=True, write_masks=True, relu=True, shift=6,
    )  # fmt: skip


def make_good(params: TopParams, planned: bool) -> Good:
    """The program for these parameters, with what the value model makes of it."""
    rng = np.random.default_rng(7)
    serial = Serial()

    def load(buffer: Buffer) -> None:
        serial.load(buffer, 0, random_words(rng, params.words_of(buffer), 0.3))

    for buffer in (Buffer.SW, Buffer.SM, Buffer.SV, Buffer.Y):
        load(buffer)
    serial.add(Opt(state=1, gradients=0, copies=9, config=replace(PLAIN, n=13)))
    for buffer in (Buffer.SW, Buffer.SM, Buffer.SV):
        serial.store(buffer, 0, params.words_of(buffer))
    for buffer in (Buffer.X, Buffer.W, Buffer.M):
        load(buffer)
    jobs = 8 * params.a_words // params.cores
    serial.add(
        Gemm(
            m=jobs, k=1, n=16 * params.cores, n_x=1, n_w=1, y_bits=YBits.B4, shift=2, y_first=20, y_step=8,
            a_step=params.a_words // params.cores, write_masks=True, relu=True,
        )
    )  # fmt: skip
    load(Buffer.Y)
    serial.add(_product(params))
    if planned:
        for cls, entry in enumerate((Entry(3, 2), Entry(4, 1), Entry(1, 2))):
            serial.actions += entry_writes(1, cls, entry)
        serial.add(Plan(x=4, w=5, y=6, k=params.depth, slot=30))
        serial.add(
            replace(_product(params), k=params.depth, planned=True, slot=30, y_first=60, n=16, write_masks=False)
        )
    serial.store(Buffer.A, 0, params.a_words)
    serial.store(Buffer.Y, 0, params.y_words)
    actions = tuple(serial.take())
    answer = Processor(params).run([*actions, *map(Read, READS)])
    return Good(actions, tuple(_packet(words) for words in answer.stored), tuple(answer.read))


def _packet(words: U8) -> tuple[int, ...]:
    return tuple(int.from_bytes(bytes(word), "little") for word in words)
