"""What other settings of LAPS would give: python -m studies.study_laps [--net cnn] [--seeds 3].

Each row changes one thing of `SETTINGS`. Accuracy is on 360 test images, so one image is .28 points; differences below
about half a point of the mean of a few seeds say nothing. Errors: one line and a non-zero exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import click
from rich.console import Console

from host.closed_loop import ClassSettings, Settings
from host.digits import DigitsError
from host.fixed import FixedConfig
from host.network import shipped
from host.settings import SETTINGS, changed
from models.laps.config import RESET_BANDS, Band, Entry, Limits, Rules, Slot, TensorClass, Tolerance
from studies.measure import Task, TrainingError, Variant, rows_of, run_all, table_of

ACTIVATION, WEIGHT, ERROR, GRADIENT = TensorClass


ONE_SLICE = Limits(n_max=1)
VARIANTS = (
    Variant("float32"),
    Variant("8/8/4 bits", FixedConfig(8, 8, 4)),
    Variant("LAPS", settings=SETTINGS),
    Variant("min_order 0", settings=replace(SETTINGS, most=0)),
    Variant("pixels start with 2 slices", settings=replace(SETTINGS, pixels=None)),
    Variant(
        "pixels exact: 2 slices, FL 4",
        settings=replace(SETTINGS, pixels=Entry(fl=4, n=2, is_unsigned=True, pin_n=True, pin_fl=True)),
    ),
    Variant("errors start with 2 slices", settings=changed(ERROR, n=2, fl=7)),
    Variant("errors 2 slices", settings=changed(ERROR, band=Band(-3072, 2048), n=2, fl=7)),
    Variant(
        "errors: mean of non-zero values, 0 to 5",
        settings=changed(ERROR, band=Band(0, 1280), rules=Rules(nonzero=1), limits=Limits(n_max=2)),
    ),
    Variant("activations 1 slice", settings=changed(ACTIVATION, limits=ONE_SLICE, n=1, fl=2)),
    Variant(
        "activations 1 slice, tolerance 1.5 %",
        settings=changed(ACTIVATION, limits=ONE_SLICE, n=1, fl=2, tolerance=Tolerance(1000)),
    ),
    Variant("weights 1 slice", settings=changed(WEIGHT, limits=ONE_SLICE)),
    Variant("weights: 0 to 8", settings=changed(WEIGHT, band=RESET_BANDS[WEIGHT])),
    Variant("weights: 0 to 8, start with 2 slices", settings=changed(WEIGHT, band=RESET_BANDS[WEIGHT], n=2)),
    Variant("weights start with 2 slices", settings=changed(WEIGHT, n=2)),
    Variant(
        "weights 1 slice for 5 epochs, then 2",
        settings=replace(SETTINGS, schedule=(Slot(0, 0b10, 1, 1, 1), Slot(110, 0b10, 1, 2, 2))),
    ),
    Variant(
        "activations and weights 12 bits for the last third",
        settings=replace(SETTINGS, schedule=(Slot(440, 0b11, 1, 3, 3),)),
    ),
    Variant(
        "all bands 0 to 8, errors start with 2 slices",
        settings=Settings(
            {
                ACTIVATION: ClassSettings(fl=6),
                WEIGHT: ClassSettings(fl=None),
                ERROR: ClassSettings(fl=7),
                GRADIENT: ClassSettings(n=4, fl=11, pin_n=True),
            }
        ),
    ),
)


@click.command()
@click.option("--net", type=click.Choice(shipped()), default="mlp", show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True)
@click.option("--seeds", type=click.IntRange(1, 64), default=5, show_default=True, help="Seeds 1 .. SEEDS.")
@click.option("--only", multiple=True, help="Rows whose name contains this; may be given several times.")
def main(net: str, epochs: int, seeds: int, only: Sequence[str]) -> None:
    """Trains and prints the table."""
    chosen = [each for each in VARIANTS if not only or any(part in each.name for part in only)]
    if not chosen:
        raise click.ClickException(f"no row's name contains {' or '.join(only)}")
    try:
        outcomes = run_all(Task(net), epochs, range(1, seeds + 1), 2, chosen)
    except (DigitsError, TrainingError) as error:
        raise click.ClickException(str(error)) from None
    Console(width=110).print(table_of(net, epochs, range(1, seeds + 1), rows_of(outcomes)))


if __name__ == "__main__":
    main()
