"""Make the shipped tensor sets: train on the digits in fixed point and save the GEMMs of an early and a late iteration.

``python -m studies.make_tensors`` writes early.npz (epoch 1, iteration 5) and late.npz (last iteration of the last
epoch), each with fp1 fp2 fp3 bp2 bp3 wg1 wg2 wg3, and prints the accuracy beside a float32 run with the same start and
order of images, the density of non-zero slices and the number of issues the IOSS core's rules leave
(docs/ioss/README.md, "Which slice pairs are issued", min_order 0).

Errors: bad options, no scikit-learn and files that cannot be written end with one line and a non-zero exit code.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from host.digits import Digits, DigitsError, load_digits
from host.fixed import FixedConfig, FixedMlp, FloatMlp, TrainConfig, accuracy, make_networks, order_rng, train
from models.common.slices import split
from models.common.tensors import GemmTensors, TensorError, save_set

EARLY_ITERATION = 5  # the very first iterations still show the start rather than training
DENSE_PAIRS = 16  # slice pairs of a dense 16b x 16b product


@dataclass(frozen=True)
class IssueCount:
    """Work of one GEMM on the core. Units: row cycles (one issued slice pair on all lanes of one tile).

    issues: after skipping; dense: without, at the operands' own precision; dense16: without, every operand 4 slices.
    """

    issues: int
    dense: int
    dense16: int

    @property
    def speedup(self) -> float:
        """Predicted speed-up over dense 16b x 16b at equal utilisation; infinite if nothing is left to do."""
        return self.dense16 / self.issues if self.issues else float("inf")


def count_issues(gemm: GemmTensors, lanes: int = 16, min_order: int = 0) -> IssueCount:
    """Count what the core issues: slice pairs (k, i, j) of every job and every tile of `lanes` columns.

    A pair counts if x slice i is not zero, w slice j is not zero in at least one live lane (`mask` false), and
    i + j >= `min_order`. Lanes past the last column are never live. Raises ValueError if `lanes` < 1.
    """
    if lanes < 1:
        raise ValueError(f"a tile has at least one lane, not {lanes}")
    m, k, n = gemm.shape
    n_x, n_w = gemm.x_bits // 4, gemm.w_bits // 4
    x_on = split(gemm.x, n_x)[1] != 0
    w_on = (split(gemm.w, n_w)[1] != 0).transpose(2, 1, 0)  # (j, n, k)
    # x slices of every element that meet w slice j at no order below min_order, by j
    partners = [np.count_nonzero(x_on[:, :, max(min_order - j, 0) :], axis=-1) for j in range(n_w)]
    issues = 0
    for start in range(0, n, lanes):
        tile = slice(start, start + lanes)
        for j in range(n_w):
            if gemm.mask is None:
                issues += int((partners[j] @ w_on[j, tile].any(axis=0)).sum())
            else:  # what keeps a slice alive differs from job to job
                awake = (~gemm.mask[:, tile]).astype(np.float32) @ w_on[j, tile].astype(np.float32) > 0
                issues += int(partners[j][awake].sum())
    elements = m * k * -(-n // lanes)
    return IssueCount(issues, elements * n_x * n_w, elements * DENSE_PAIRS)


def slice_density(q: npt.NDArray[np.integer], bits: int) -> tuple[float, ...]:
    """Share of non-zero slices (0 .. 1) at every slice position, lowest first."""
    return tuple(float(v) for v in np.mean(split(q, bits // 4)[1] != 0, axis=tuple(range(q.ndim))))


def _run(
    network: FixedMlp | FloatMlp, data: Digits, config: TrainConfig, label: str, progress: Progress
) -> tuple[tuple[GemmTensors, ...], tuple[GemmTensors, ...]]:
    """Train; return the GEMMs of the early and of the last iteration."""
    per_epoch = len(data.train_labels) // config.batch
    task = progress.add_task(label, total=config.epochs * per_epoch)
    early: tuple[GemmTensors, ...] = ()
    late: tuple[GemmTensors, ...] = ()
    for done in train(network, data.train_pixels, data.train_labels, config, order_rng(config)):
        late = done.step.gemms
        if done.epoch == 1 and done.iteration == min(EARLY_ITERATION, per_epoch):
            early = late
        progress.advance(task)
    return early, late


def _table(title: str, gemms: tuple[GemmTensors, ...]) -> Table:
    table = Table(title=f"{title}: non-zero slices (lowest, highest), issues on tiles of 16 lanes")
    for column in ("GEMM", "M x K x N", "x", "w", "masked", "issues", "dense 16b", "speed-up"):
        table.add_column(column, justify="left" if column == "GEMM" else "right")

    def density(q: npt.NDArray[np.integer], bits: int, fl: int, unsigned: bool) -> str:
        shares = " ".join(f"{share:.2f}" for share in slice_density(q, bits))
        return f"{'u' if unsigned else 's'}{bits} fl {fl:2d}: {shares}"

    total = IssueCount(0, 0, 0)
    for g in gemms:
        count = count_issues(g)
        total = IssueCount(total.issues + count.issues, total.dense + count.dense, total.dense16 + count.dense16)
        x, w = density(g.x, g.x_bits, g.x_fl, g.x_unsigned), density(g.w, g.w_bits, g.w_fl, g.w_unsigned)
        masked = "" if g.mask is None else f"{g.mask.mean():.2f}"
        row = (g.name, " x ".join(map(str, g.shape)), x, w, masked, str(count.issues), str(count.dense16))
        table.add_row(*row, f"{count.speedup:.1f}")
    table.add_section()
    table.add_row("all", "", "", "", "", str(total.issues), str(total.dense16), f"{total.speedup:.1f}")
    return table


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/digits"),
    help="Directory of early.npz and late.npz.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1, 10_000),
    default=TrainConfig.epochs,
    help="Epochs; late.npz is the last iteration.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=TrainConfig.seed,
    help="Start, split, order and rounding follow from it.",
)
@click.option("--batch", type=click.IntRange(1, 1024), default=TrainConfig.batch, help="Images an iteration.")
def main(out: Path, epochs: int, seed: int, batch: int) -> None:
    """Train 64-64-32-10 on the digits in 8-bit dynamic fixed point and save the GEMM operands of two iterations."""
    console = Console(width=None if Console().is_terminal else 130)
    config = TrainConfig(batch=batch, epochs=epochs, seed=seed)
    try:
        data = load_digits(seed)
    except DigitsError as error:
        raise click.ClickException(str(error)) from None
    fixed, reference = make_networks(config, FixedConfig())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        early, late = _run(fixed, data, config, "fixed point", progress)
        _run(reference, data, config, "float32", progress)
    fixed_share = accuracy(fixed, data.test_pixels, data.test_labels)
    float_share = accuracy(reference, data.test_pixels, data.test_labels)
    console.print(
        f"accuracy on {len(data.test_labels)} test images: fixed point {fixed_share:.2%}, float32 {float_share:.2%}"
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, gemms in (("early", early), ("late", late)):
            path = out / f"{name}.npz"
            save_set(path, gemms)
            console.print(_table(name, gemms))
            console.print(f"wrote {path} ({path.stat().st_size} bytes)")
    except (TensorError, OSError) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
