"""Files of captures: one product in the pair's terms (docs/gemm/README.md, Captures). The bench reads them
(tb/gemm/capture.py); everything here needs NumPy alone, so that any program can write one.

A capture is a compressed .npz with `x` (M x K) and `w` (K x N) in the smallest integer type that holds them, `mask`
(M x N, bool) and `bias` (N, int64) if there are any, and `meta`, a JSON object as text: `format` (1), `name`, the
fields of `OPTIONS` and `FINAL`, `seed`, where the numbers of draws begin, and `origin`, an object that says where it
came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.common.files import save_npz
from models.common.tensors import compact

IntArray = npt.NDArray[np.integer]

FORMAT = 1
OPTIONS = ("n_x", "n_w", "x_unsigned", "w_unsigned", "min_order", "compensate", "reduce_factor")
FINAL = ("y_bits", "y_unsigned", "relu", "round", "rand_bits", "shift")
FLAGS = ("x_unsigned", "w_unsigned", "compensate", "y_unsigned", "relu")
MAX_ISSUES = 100_000_000  # that one run traces
MOST_JOBS_OF_A_STAGE = 16384  # partial sums that the bench remembers (ran_psum_memory.sv)


def save_capture(
    path: Path,
    x: IntArray,
    w: IntArray,
    fields: Mapping[str, Any],
    name: str,
    seed: int,
    origin: Mapping[str, Any],
    mask: npt.NDArray[np.bool_] | None = None,
    bias: IntArray | None = None,
) -> None:
    """Writes a capture; `fields`: those of `OPTIONS` and `FINAL`. The same capture gives the same bytes. Raises
    `FileError` if it cannot be written."""
    meta = {"format": FORMAT, "name": name, "seed": seed, "origin": dict(origin)}
    meta |= {each: bool(fields[each]) if each in FLAGS else int(fields[each]) for each in (*OPTIONS, *FINAL)}
    arrays: dict[str, Any] = {"x": compact(x), "w": compact(w), "meta": np.array(json.dumps(meta))}
    if mask is not None:
        arrays["mask"] = mask
    if bias is not None:
        arrays["bias"] = np.asarray(bias, np.int64)
    save_npz(path, arrays)
