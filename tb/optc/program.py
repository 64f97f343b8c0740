"""What a test plays into the OPTC: configurations and beats, as the model and as the transactors take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.optc.config import OptcConfig
from tb.lib.agents import BurstItem
from tb.lib.streams import source_records

I64 = npt.NDArray[np.int64]
CFG_BYTES = 36
WAIT = 1 << 231  # the bit of the word, one of those that mean nothing, that makes the bench wait


RESERVED = 0x7F << 1 | 0x1F << 226 | 0xFF_FFFF << 232  # other bits of the word that mean nothing


def cfg_word(config: OptcConfig, wait: bool, reserved: int = 0) -> bytes:
    """The configuration as the core's word (optc_pkg), highest byte first.
    `reserved`: its reserved bits."""
    return (config.word | WAIT * wait | reserved & RESERVED).to_bytes(CFG_BYTES, "big")


@dataclass
class Program:
    """`beats` holds (B, 4, L) arrays: w, m, v, g of every parameter; gaps are idle cycles before an offer; `reserved`:
    see `cfg_word`."""

    lanes: int
    configs: list[tuple[OptcConfig, bool, int]] = field(default_factory=list)
    beats: list[tuple[I64, I64]] = field(default_factory=list)
    reserved: int = 0

    def tensor(self, config: OptcConfig, arrays: tuple[I64, I64, I64, I64], gaps: npt.ArrayLike = 0) -> None:
        """A tensor (w, m, v, g), each (n,), after its configuration, which waits for the one before."""
        self.configs.append((config, True, 0))
        self.load(config.n, arrays, gaps)

    def load(self, n: int, arrays: tuple[I64, I64, I64, I64], gaps: npt.ArrayLike = 0) -> None:
        """Beats alone; the last one is padded with ones, which must not show."""
        count = -(-n // self.lanes)
        padded = np.ones((4, count * self.lanes), np.int64)
        padded[:, :n] = np.stack(arrays)
        data = padded.reshape(4, count, self.lanes).transpose(1, 0, 2)
        self.beats.append((data, np.broadcast_to(np.asarray(gaps, np.int64), (count,))))

    def data(self) -> I64:
        """All beats (B, 4, L)."""
        parts = [data for data, _ in self.beats]
        return np.concatenate(parts) if parts else np.zeros((0, 4, self.lanes), np.int64)

    def bound(self) -> int:
        """Cycles that it takes at most with sinks that are always ready."""
        gaps = sum(int(gap.sum()) for _, gap in self.beats) + sum(gap for *_, gap in self.configs)
        return gaps + len(self.data()) + 70 * len(self.configs) + 200

    def bursts(self) -> Mapping[str, list[BurstItem]]:
        """For the agents, by stream."""
        out: dict[str, list[BurstItem]] = {}
        words = np.array([list(cfg_word(config, wait, self.reserved)) for config, wait, _ in self.configs], np.uint8)
        if len(words):
            records = source_records(np.array([gap for *_, gap in self.configs]), words)
            out["cfg"] = [BurstItem("cfg", records, len(words))]
        data = self.data()
        if len(data):
            # w lowest, lane 0 lowest: as one number, highest byte first.
            flat = np.ascontiguousarray(data.reshape(len(data), -1)[:, ::-1] & 0xFFFF_FFFF, ">u4").view(np.uint8)
            gap = np.concatenate([gap for _, gap in self.beats])
            out["in"] = [BurstItem("in", source_records(gap, flat), len(data))]
        return out
