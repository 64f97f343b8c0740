"""Random bits for the RAN, the OPTC and LAPS: a function of a number and a lane, without state.

Source: docs/ran/README.md, section "Random numbers". A draw's number says which it is (of a job, of a beat of
parameters, of an update), so draws do not depend on the order in which they are made. `J` draws, `L` lanes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
DRAW_BITS = 24
RESET_SEED = 1
NUMBERS = 1 << 32  # of draws: the next one after the last is 0
PRODUCT_DRAWS = 0x9E37_79B9  # numbers from one product or pass of a host to the next: multiples of it lie far apart
TILE_DRAWS = 1 << 16  # numbers from a product's tile of columns to the next: no more rows have draws of their own

MIX_START = 0x9E3779B9
# Places of a step; steps shift to the left and to the right in turn.
MIX_STEPS = (
    (13, 6, 14), (17, 5, 6), (6, 2, 11), (7, 12, 14), (3, 2, 3), (12, 8, 9), (8, 6, 10), (6, 5, 9), (11, 2, 10),
)  # fmt: skip
# Places by which a lane's five copies of the mixed word are rotated to the right.
LANE_TAPS = (
    (3, 7, 9, 13, 23), (6, 16, 21, 23, 30), (6, 12, 18, 20, 27), (2, 12, 18, 24, 26),
    (1, 9, 16, 17, 23), (1, 14, 15, 17, 21), (11, 12, 20, 25, 30), (5, 10, 11, 30, 31),
    (0, 2, 3, 4, 27), (1, 17, 21, 22, 28), (8, 14, 21, 28, 31), (0, 8, 13, 18, 26),
    (8, 10, 13, 14, 28), (6, 13, 22, 24, 26), (16, 22, 23, 27, 28), (1, 13, 24, 29, 30),
    (5, 8, 15, 30, 31), (1, 7, 14, 19, 29), (5, 8, 19, 22, 29), (3, 4, 13, 22, 26),
    (1, 4, 10, 15, 29), (9, 13, 16, 17, 20), (12, 13, 17, 21, 26), (7, 20, 23, 24, 27),
    (5, 10, 24, 25, 27), (1, 3, 14, 18, 21), (8, 12, 17, 20, 22), (10, 11, 15, 22, 25),
    (18, 20, 22, 28, 31), (4, 8, 9, 20, 31), (2, 4, 13, 25, 31), (4, 19, 25, 26, 29),
)  # fmt: skip


def mixed(numbers: npt.ArrayLike) -> U32:
    """The mixed words (J,) of numbers, which count modulo 2^32: another word for every number."""
    word = (np.asarray(numbers, np.int64) & 0xFFFF_FFFF).astype(np.uint32) ^ np.uint32(MIX_START)
    for at, (a, b, c) in enumerate(MIX_STEPS):
        if at % 2 == 0:
            word = word ^ word << np.uint32(a) ^ (word << np.uint32(b) & word << np.uint32(c))
        else:
            word = word ^ word >> np.uint32(a) ^ (word >> np.uint32(b) & word >> np.uint32(c))
    return word


def draws(numbers: npt.ArrayLike, lanes: int) -> I64:
    """The 24-bit draws (J, L) of numbers (J,)."""
    words = mixed(numbers)
    out = np.zeros((len(words), lanes), np.int64)
    for lane, taps in enumerate(LANE_TAPS[:lanes]):
        state = np.zeros_like(words)
        for tap in taps:
            state ^= words >> np.uint32(tap) | words << np.uint32((32 - tap) % 32)
        out[:, lane] = state >> np.uint32(32 - DRAW_BITS)
    return out
