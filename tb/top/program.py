"""What a host does, as the bench's transactors play it: register accesses on AXI4-Lite and words on the stream in."""

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
QUEUED_OR_BUSY = 0x7777


@dataclass
class Program:
    """Accesses (operation, address, data, mask) and words of a host, with idle cycles before each word.

    `staged` is what CMD holds: words that do not change are not written again.
    """

    accesses: list[tuple[int, int, int, int]] = field(default_factory=list)
    pauses: dict[int, int] = field(default_factory=dict)  # idle cycles before an access, by its number
    words: list[tuple[U8, bool]] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    staged: list[int | None] = field(default_factory=lambda: [None] * CMD_WORDS)
    reads: int = 0
    stored: int = 0

    def access(self, operation: int, address: int, data: int = 0, mask: int = 0) -> None:
        """A raw access."""
        self.accesses.append((operation, address, data, mask))

    def drain(self) -> None:
        """Waits until no command waits or is carried out."""
        self.access(POLL, Reg.STATUS, 0, QUEUED_OR_BUSY)

    def add(self, actions: Sequence[Action], gap: int = 0) -> None:
        """A host's actions; `gap`: idle cycles before each word of the stream in."""
        behind = False  # commands are under way
        for action in actions:
            if isinstance(action, Issue):
                behind = True
                self._push(action)
                if action.stream is not None:
                    words = np.asarray(action.stream, np.uint8).reshape(-1, 16)
                    self.words += [(word, at == len(words) - 1) for at, word in enumerate(words)]
                    self.gaps += [gap] * len(words)
                if isinstance(action.command, Store):
                    self.stored += action.command.count
                continue
            if behind and not (isinstance(action, Write) and action.at_once):
                self.drain()
                behind = False
            if isinstance(action, Write):
                self.pauses[len(self.accesses)] = action.gap
                self.access(WRITE, action.address, action.value)
                if action.address == Reg.UPD_PUSH:
                    self.access(POLL, Reg.UPD_ANSWER, 0, PENDING)
            else:
                assert isinstance(action, Read)
                self.access(READ, action.address)
                self.reads += 1

    def _push(self, issue: Issue) -> None:
        for at, word in enumerate(issue.words()):
            if self.staged[at] != word:
                self.access(WRITE, Reg.CMD + 4 * at, word)
                self.staged[at] = word
        self.access(POLL, Reg.STATUS, 0, 1 << FULL[issue.command.engine])
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
