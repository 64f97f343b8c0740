"""Records the statistics of a real training for LAPS: python -m studies.make_updates.

The digits MLP 64-64-32-10 is trained with the value model of LAPS in the loop (`SETTINGS`); every update and its answer
is kept. File layout: `Recorder.save`. Errors: no scikit-learn and files that cannot be written end with one line and a
non-zero exit code.
"""

from __future__ import annotations

from pathlib import Path

import click

from host.closed_loop import Recorder, make_loop
from host.digits import DigitsError, load_digits
from host.fixed import TrainConfig, accuracy, order_rng, train
from host.network import load_network
from host.settings import SETTINGS


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("data/laps/digits_updates.npz"))
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
def main(out: Path, epochs: int, seed: int) -> None:
    """Trains and records."""
    config = TrainConfig(epochs=epochs, seed=seed)
    try:
        data = load_digits(seed)
    except DigitsError as error:
        raise click.ClickException(str(error)) from error
    network = make_loop(load_network("mlp").lowered, config, SETTINGS)
    writes = SETTINGS.writes(network.loop.network.params)
    recorder = network.controller = Recorder(network.controller)
    for _ in train(network, data.train_pixels, data.train_labels, config, order_rng(config)):
        pass
    share = accuracy(network, data.test_pixels, data.test_labels)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        recorder.save(out, writes)
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error}") from error
    print(f"{out}: {len(recorder.rows)} updates, accuracy {share:.2%}, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
