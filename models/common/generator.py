"""The generators of random bits: one LFSR a lane, for the RAN, the OPTC and LAPS.

Source: docs/ran/README.md, section "Random numbers". `L` lanes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
DRAW_BITS = 24

# Galois masks of 32 primitive polynomials of degree 32, one per lane.
LFSR_POLY = (
    0xD1485AD1, 0xF1A536F2, 0xF6A192AC, 0xA46479F7, 0xA32808C7, 0xFAF9EA80, 0xB7552BEE, 0xC48ED849,
    0x957AC1C6, 0x93196E06, 0x97E8BC88, 0xA427C70F, 0xC90638DF, 0xB43E134E, 0xD5C0F0CE, 0xAEFE0C72,
    0xDF4A7B9C, 0x9EA9B5BD, 0xE6D33D64, 0xE4D5314D, 0xA6699EAB, 0xA6D7F00F, 0xA8C65A25, 0xB8820355,
    0xEE2737AD, 0x85F55591, 0xD72B4BA9, 0xAF5D27D6, 0xE2D86BB0, 0x84B8C458, 0xE962BF91, 0xF244A9FB,
)  # fmt: skip
LANE_SEED = 0x9E3779B9
RESET_SEED = 1


# A generator's step is linear over GF(2): a matrix of 32 x 32 bits, kept as the images (32,) of the unit vectors.
def _step_images(poly: int) -> U32:
    units = np.left_shift(np.uint64(1), np.arange(32, dtype=np.uint64))
    return ((units >> np.uint64(1)) ^ np.where(units & np.uint64(1), np.uint64(poly), np.uint64(0))).astype(np.uint32)


def _apply(images: U32, state: U32) -> U32:
    """The matrix on states (...,): by tables of a byte's images."""
    low = np.zeros(1, np.uint32)
    tables = []
    for byte in range(4):
        table = low
        for bit in range(8):
            table = np.concatenate([table, table ^ images[8 * byte + bit]])
        tables.append(table)
    return (
        tables[0][state & 0xFF] ^ tables[1][state >> 8 & 0xFF] ^ tables[2][state >> 16 & 0xFF] ^ tables[3][state >> 24]
    )


def _leap_images(poly: int) -> U32:
    """Images of 32 steps: the matrix, squared five times."""
    images = _step_images(poly)
    for _ in range(5):
        images = _apply(images, images)
    return images


_LEAPS = [_leap_images(poly) for poly in LFSR_POLY]


def seeded(lanes: int, seed: int) -> U32:
    """States (L,) of the generators after a seed."""
    states = np.zeros(lanes, np.uint32)
    for lane in range(lanes):
        start = (seed ^ (lane + 1) * LANE_SEED) & 0xFFFFFFFF
        states[lane] = _apply(_LEAPS[lane], np.array([start or 0xFFFFFFFF], np.uint32))[0]
    return states


def run_states(states: U32, count: int) -> U32:
    """States (count + 1, L): the given ones and those after 1 .. `count` draws."""
    lanes = len(states)
    out = np.zeros((count + 1, lanes), np.uint32)
    for lane in range(lanes):
        images, have = _LEAPS[lane], 1
        out[0, lane] = states[lane]
        while have <= count:  # twice as many with every turn, by a leap as long as what is there
            more = min(have, count + 1 - have)
            out[have : have + more, lane] = _apply(images, out[:more, lane])
            images = _apply(images, images)
            have += more
    return out


def draws_of(states: U32) -> I64:
    """The 24-bit draws that states give."""
    return (states >> 8).astype(np.int64)


class Lfsr:
    """The generators of all lanes, draw by draw."""

    def __init__(self, lanes: int, seed: int = 1) -> None:
        self.states = seeded(lanes, seed)

    def draw(self, count: int = 1) -> I64:
        """The next draws (count, L)."""
        states = run_states(self.states, count)
        self.states = states[-1]
        return draws_of(states[:-1])
