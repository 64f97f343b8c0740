"""`make net TRACE=`: the captures of a folder as the layers of a network.

They are those of a PyTorch training (host/torch.py) or of one of ours (CAPTURE=). All are in one table, each as it was
recorded, with its mask and its smallest order, and with exact sums as results.

Errors: `UserError`, one line, before any simulation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from flow.commands.net_run import Block, Bundle, Request, Work, pairs_of
from flow.core.blocks import get_block
from host.net.graph import Prepared, Skipped
from host.net.lower import Matrices
from host.net.quantise import Quantised
from models.common.formats import YBits
from models.common.tensors import TensorError
from models.ran.config import RanDescriptor
from tb.gemm.capture import Capture
from tb.gemm.pieces import MOST_ISSUES, as_config, part_of, parts
from tb.gemm.program import GemmParams, Product, gemm_params
from tb.lib.errors import UserError
from tb.lib.paths import shown

PASSES = ("FP", "BP", "WG")
MOST = 10_000  # captures of a folder


@dataclass(frozen=True)
class Recorded:
    """A capture as a layer."""

    name: str
    op: str
    path: Path


@dataclass
class RecordedBlock(Block):
    """A product as a whole; its sums follow its mask and its smallest order."""

    product: Product | None = None
    lanes: int = 0

    def mismatches(self) -> int:
        """Sums that are not those of the oracle."""
        assert self.product is not None
        return int(np.count_nonzero(self.y != self.product.sums(self.lanes)))


@dataclass
class Trace(Work):
    """The captures of a folder."""

    def prepare(self, layer: Recorded) -> Prepared:  # type: ignore[override]
        """The capture's operands, all rows."""
        product = Capture.load(layer.path).product
        matrices = Matrices(product.shape, 1, product.x[None], product.w[None])
        x, w = (
            Quantised(np.empty(0, np.int32), 4 * slices, unsigned, None, own=True)
            for slices, unsigned in ((product.n_x, product.x_unsigned), (product.n_w, product.w_unsigned))
        )
        return Prepared(layer, matrices, x, w, None)  # type: ignore[arg-type]

    def rows(self, prepared: Prepared) -> np.ndarray:
        """All: the recording has sampled."""
        return np.arange(prepared.lowered.shape[0])

    def bundles(self, prepared: Prepared, params: GemmParams) -> Iterator[Bundle]:
        """A run for each piece; mostly one."""
        path, lanes = prepared.layer.path, params.core.lanes  # type: ignore[attr-defined]
        product = replace(Capture.load(path).product, final=RanDescriptor(YBits.RAW64), bias=None, name="product0")
        m, _, n = product.shape
        pieces = parts(product, params, MOST_ISSUES)
        block = RecordedBlock(0, product.x, product.w, np.zeros((m, n), np.int64), len(pieces), product, lanes)
        for piece in pieces:
            yield Bundle([(block, piece, part_of(product, 0, as_config(piece), lanes)[0])], piece.issues)

    def whole_issues(self, prepared: Prepared, lanes: int) -> int | None:
        """Those of the runs."""
        return None


def plan_trace(request: Request) -> Trace:
    """Reads and checks every capture of `request.model`, a folder. Raises `UserError`."""
    folder, params = request.model, gemm_params(get_block("gemm").resolve_params(None))
    paths = sorted(folder.rglob("*.npz")) if folder.is_dir() else [folder]
    if not paths:
        raise UserError(f"TRACE={shown(folder)}: there is no capture (*.npz) in it")
    if len(paths) > MOST:
        raise UserError(f"TRACE={shown(folder)}: {len(paths):,} captures, at most {MOST:,}: give a folder inside")
    layers, skipped, size = [], [], 0
    for path in paths:
        name = str(path.relative_to(folder).with_suffix("")) if folder.is_dir() else path.stem
        try:
            capture = Capture.load(path)
            for piece in parts(capture.product, params, MOST_ISSUES):
                part, _ = part_of(capture.product, 0, as_config(piece), params.core.lanes)
                replace(capture, product=part).check(params)
        except TensorError as error:
            skipped.append(Skipped(name, "capture", str(error)))
            continue
        product = capture.product
        kind = str(capture.origin.get("pass") or capture.origin.get("gemm") or product.name)[:2].upper()
        layers.append(Recorded(name, kind if kind in PASSES else "product", path))
        size += pairs_of(product)
    if not layers:
        raise UserError(f"no capture can run: {skipped[0].why}")
    return Trace(request, None, layers, skipped, {}, "recorded", size)  # type: ignore[arg-type]
