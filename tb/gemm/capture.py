"""Captures: one product of a training, as a file that the pair replays (docs/gemm/README.md, Captures).

host/captures.py writes the file, and says what is in it. Pickled data is never read.

Errors: `TensorError`, one line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from host.captures import FINAL, FLAGS, FORMAT, MAX_ISSUES, OPTIONS, save_capture
from models.common.files import FileError
from models.common.formats import YBits
from models.common.tensors import TensorError, check_matrix, exact_matmul, read_npz
from models.ioss.config import Descriptor
from models.ran.config import MAX_JOBS, RanDescriptor, sum_bound
from tb.gemm.program import MOST_JOBS_OF_A_STAGE, GemmParams, GemmProgram, Product
from tb.lib.paths import shown
from tb.lib.replay import definition

MAX_BIAS = 1 << 31
ARRAYS = {"x", "w", "mask", "bias", "meta"}


@dataclass(frozen=True)
class Capture:
    """A product, where the numbers of its draws begin, and where it came from."""

    product: Product
    seed: int = 1
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Where it came from, for people."""
        return ", ".join(f"{name} {value}" for name, value in self.origin.items())

    def save(self, path: Path) -> None:
        """Writes the file; the same capture gives the same bytes. Raises `TensorError` if it cannot be written."""
        product = self.product
        fields = {each: getattr(product, each) for each in OPTIONS}
        fields |= {each: getattr(product.final, each) for each in FINAL}
        try:
            save_capture(
                path, product.x, product.w, fields, product.name, self.seed, self.origin, product.mask, product.bias
            )
        except FileError as error:
            raise TensorError(str(error)) from None

    @classmethod
    def load(cls, path: Path) -> Capture:
        """Reads the file. Raises `TensorError` for one that is missing, damaged, foreign or inconsistent."""
        arrays = read_npz(path)
        meta = _meta(path, arrays)
        try:
            return cls(_product(arrays, meta), meta["seed"], meta["origin"])
        except TensorError as error:
            raise TensorError(f"{path}: {error}") from None

    def check(self, params: GemmParams) -> None:
        """Raises `TensorError` if a pair with `params` cannot compute it, with what to change."""
        product, lanes = self.product, params.core.lanes
        m, k, n = product.shape
        most = (1 << params.ran.acc_w - 1) - 1
        span = product.reduce_factor * params.core.depth
        if product.reduce_factor > params.core.rows:
            raise TensorError(f"its reduce_factor {product.reduce_factor} needs ROWS={product.reduce_factor} or more")
        tiles = -(-n // lanes)
        if m > MAX_JOBS or (k > span and m * tiles > MOST_JOBS_OF_A_STAGE):
            raise TensorError(
                f"{m} rows are too many: the RAN takes {MAX_JOBS}, and {MOST_JOBS_OF_A_STAGE} jobs with several chunks"
            )
        desc, ran = _descriptor(product, min(k, span))
        code = desc.check(params.core) or ran.check(params.ran)
        if code:
            raise TensorError(f"the pair refuses its descriptor ({code.name}); ACC_W=48 allows longer sums and shifts")
        issues = product.x.size * product.n_x * product.n_w * tiles
        if issues > MAX_ISSUES:
            raise TensorError(f"it could take {issues:,} issues, more than the {MAX_ISSUES:,} that one run traces")
        if product.compensate and product.min_order and product.mask is not None and product.mask.any():
            raise TensorError("compensation under a mask: there is no oracle of it")
        # As the host decides it (host/mapper.py): start values are limited to what a chunk leaves.
        start = 0 if product.bias is None else int(np.abs(product.bias).max())
        chunk = sum_bound(
            min(k, span), product.n_x, product.n_w, product.x_unsigned, product.w_unsigned, product.compensate
        )
        largest = 0
        if k > span:
            largest = 2 * int(exact_matmul(np.abs(product.x.astype(np.int64)), np.abs(product.w)).max())
        if chunk + start + largest > most:
            raise TensorError(f"its sums could overflow accumulators of {params.ran.acc_w} bits: take ACC_W=48")


def _descriptor(product: Product, k_len: int) -> tuple[Descriptor, RanDescriptor]:
    """Of a chunk of `k_len` elements, with the format of the last one."""
    desc = Descriptor(
        product.n_x, product.n_w, product.x_unsigned, product.w_unsigned, product.min_order, product.compensate,
        product.reduce_factor, k_len, product.shape[0],
    )  # fmt: skip
    return desc, GemmProgram.ran_part(replace(product.final, lanes=1), desc)


def _meta(path: Path, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The checked object; ranges that other parameters decide are left to `Capture.check`."""
    if not {"x", "w", "meta"} <= set(arrays) <= ARRAYS or arrays["meta"].dtype.kind != "U":
        raise TensorError(f"{path}: not a capture (it holds {', '.join(sorted(arrays)) or 'nothing'})")
    try:
        meta = json.loads(str(arrays["meta"]))
    except (ValueError, RecursionError) as error:
        raise TensorError(f"{path}: damaged capture (meta is not JSON: {error})") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        kind = meta.get("format") if isinstance(meta, dict) else None
        raise TensorError(f"{path}: format {kind}, this program reads format {FORMAT}")
    kinds: dict[str, type] = {"name": str, "origin": dict, "seed": int}
    kinds |= {name: bool if name in FLAGS else int for name in (*OPTIONS, *FINAL)}
    for name, kind in kinds.items():
        if type(meta.get(name)) is not kind:
            raise TensorError(f"{path}: damaged capture ({name} is {meta.get(name)!r}, not of type {kind.__name__})")
    limits = {
        "n_x": 4, "n_w": 4, "seed": (1 << 32) - 1, "y_bits": int(max(YBits)), "round": 2, "rand_bits": 3, "shift": 63,
        "min_order": 6, "reduce_factor": 8,
    }  # fmt: skip
    for name, most in limits.items():
        least = 1 if name in ("n_x", "n_w", "reduce_factor") else 0
        if not least <= meta[name] <= most:
            raise TensorError(f"{path}: damaged capture ({name} is {meta[name]}, legal are {least}..{most})")
    return meta


def _product(arrays: Mapping[str, Any], meta: Mapping[str, Any]) -> Product:
    x = check_matrix(arrays["x"], 4 * meta["n_x"], meta["x_unsigned"], "x")
    w = check_matrix(arrays["w"], 4 * meta["n_w"], meta["w_unsigned"], "w")
    if x.shape[1] != w.shape[0]:
        raise TensorError(f"x {x.shape} and w {w.shape} cannot be multiplied")
    shape = (x.shape[0], w.shape[1])
    mask, bias = arrays.get("mask"), arrays.get("bias")
    if mask is not None and (mask.dtype != np.bool_ or mask.shape != shape):
        raise TensorError(f"mask is bool {shape}, not {mask.dtype} {mask.shape}")
    if bias is not None:
        if bias.dtype.kind not in "iu" or bias.shape != shape[1:]:
            raise TensorError(f"bias is {shape[1]} integers, not {bias.dtype} {bias.shape}")
        if not -MAX_BIAS <= int(bias.min()) <= int(bias.max()) < MAX_BIAS:
            raise TensorError("bias does not fit 32 signed bits")
        bias = bias.astype(np.int64)
    final = RanDescriptor(**{name: meta[name] for name in FINAL})
    return Product(x, w, final=final, name=meta["name"], mask=mask, bias=bias, **{n: meta[n] for n in OPTIONS})


def save_all(folder: Path, captures: Sequence[Capture]) -> list[Path]:
    """Writes <folder>/<name>.npz of each; the files. Makes the folder. Raises `TensorError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TensorError(f"{folder}: cannot be made ({error.strerror or error})") from None
    paths = [folder / f"{each.product.name}.npz" for each in captures]
    for path, capture in zip(paths, captures, strict=True):
        capture.save(path)
    return paths


def replay_command(path: Path, variables: Mapping[str, Any]) -> str:
    """The command that replays a capture; `variables`: simulator and parameters of the pair."""
    words = {**variables, "CAPTURE": shown(path)}
    return " ".join(["make sim BLOCK=gemm", *(definition(name, value) for name, value in words.items())])
