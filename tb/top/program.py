"""What a host does, as the bench's transactors play it: register accesses on AXI4-Lite and words on the stream in.

Commands are pushed with PUSH, or come from the stream in after a write of RUN (docs/top/run.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.top.config import CMD_WORDS, Action, Issue, Read, Reg, Store, Write
from tb.lib.agents import BurstItem
from tb.lib.streams import source_records

U8 = npt.NDArray[np.uint8]
WRITE, READ, POLL = range(3)
HOST_BYTES, S_BYTES = 16, 17
FULL = (6, 10, 14)  # bits of STATUS that are set while the queue of load, compute, store is full
PENDING = 1 << 18  # of UPD_ANSWER
RUNNING = 1 << 3  # of STATUS: commands are still to come from the stream in
QUEUED_OR_BUSY = 0x7777 | RUNNING
MAX_RUN = (1 << 16) - 1


@dataclass
class Program:
    """Accesses (operation, address, data, mask) and words of a host, with idle cycles before each word.

    `staged` is what CMD holds: words that do not change are not written again. With `streamed` commands come from the
    stream in, each before its load's data, whose words are told apart by `commands`; TLAST of theirs means nothing and
    is now 0, now 1.
    """

    accesses: list[tuple[int, int, int, int]] = field(default_factory=list)
    pauses: dict[int, int] = field(default_factory=dict)  # idle cycles before an access, by its number
    words: list[tuple[U8, bool]] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    streamed: bool = False
    running: bool = False  # commands may still be to come from the stream in
    commands: list[bool] = field(default_factory=list)  # of every word: it is a part of a command
    sources: list[bool] = field(default_factory=list)  # of every command: it comes from the stream in
    refused: set[int] = field(default_factory=set)  # numbers of accesses that are answered with SLVERR
    staged: list[int | None] = field(default_factory=lambda: [None] * CMD_WORDS)
    reads: int = 0
    stored: int = 0

    def access(self, operation: int, address: int, data: int = 0, mask: int = 0) -> None:
        """A raw access."""
        self.accesses.append((operation, address, data, mask))

    def drain(self) -> None:
        """Waits until no command waits, is carried out, or is still to come."""
        self.running = False
        self.access(POLL, Reg.STATUS, 0, QUEUED_OR_BUSY)

    def add(self, actions: Sequence[Action], gap: int = 0) -> None:
        """A host's actions; `gap`: idle cycles before each word of the stream in."""
        behind = False  # commands are under way
        run: list[Issue] = []
        for action in actions:
            if isinstance(action, Issue):
                behind = True
                if self.streamed:
                    self._stream(action, gap)
                    if run and (action.id != (run[-1].id + 1) % 256 or len(run) == MAX_RUN):
                        self._run(run)
                    run.append(action)
                else:
                    self._push(action)
                self.sources.append(self.streamed)
                self._data(action, gap)
                if isinstance(action.command, Store):
                    self.stored += action.command.count
                continue
            self._run(run)
            if behind and not (isinstance(action, Write) and action.at_once):
                self.drain()
                behind = False
            if isinstance(action, Write):
                self.pauses[len(self.accesses)] = action.gap
                if action.refused:
                    self.refused.add(len(self.accesses))
                self.access(WRITE, action.address, action.value)
                if action.address == Reg.UPD_PUSH and not action.refused:
                    self.access(POLL, Reg.UPD_ANSWER, 0, PENDING)
            else:
                assert isinstance(action, Read)
                self.access(READ, action.address)
                self.reads += 1
        self._run(run)

    def _add_words(self, words: U8, last: Sequence[bool], gap: int, command: bool) -> None:
        self.words += list(zip(words, last, strict=True))
        self.gaps += [gap] * len(words)
        self.commands += [command] * len(words)

    def _data(self, issue: Issue, gap: int) -> None:
        if issue.stream is not None:
            words = np.asarray(issue.stream, np.uint8).reshape(-1, 16)
            self._add_words(words, [at == len(words) - 1 for at in range(len(words))], gap, False)

    def _stream(self, issue: Issue, gap: int) -> None:
        words = issue.stream_words()
        self._add_words(words, [bool(issue.id + at & 1) for at in range(len(words))], gap, True)

    def _run(self, run: list[Issue]) -> None:
        """Lets the stream in bring these commands, whose identifiers count on; empties the list."""
        if not run:
            return
        if self.running:
            self.access(POLL, Reg.STATUS, 0, RUNNING)
        self.running = True
        self.access(WRITE, Reg.RUN, len(run) | run[0].id << 24)
        run.clear()

    def _push(self, issue: Issue) -> None:
        for at, word in enumerate(issue.words()):
            if self.staged[at] != word:
                self.access(WRITE, Reg.CMD + 4 * at, word)
                self.staged[at] = word
        self.access(POLL, Reg.STATUS, 0, 1 << FULL[issue.command.engine] | RUNNING)
        self.access(WRITE, Reg.PUSH, issue.id)

    def bursts(self) -> dict[str, list[BurstItem]]:
        """For the agents, by stream."""
        out: dict[str, list[BurstItem]] = {}
        if self.accesses:
            words = b"".join(
                (data | mask << 32 | address << 64 | operation << 80).to_bytes(HOST_BYTES, "big")
                for operation, address, data, mask in self.accesses
            )
            payload = np.frombuffer(words, np.uint8).reshape(-1, HOST_BYTES)
            gaps = [self.pauses.get(at, 0) for at in range(len(payload))]
            out["host"] = [BurstItem("host", source_records(gaps, payload), len(payload))]
        if self.words:
            data = np.array([word for word, _ in self.words], np.uint8)
            last = np.array([end for _, end in self.words], np.uint8)
            payload = np.hstack([last[:, None], data[:, ::-1]])
            out["s"] = [BurstItem("s", source_records(np.array(self.gaps), payload), len(payload))]
        return out
