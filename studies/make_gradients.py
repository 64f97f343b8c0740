"""Records the gradients of a real training for the OPTC: python -m studies.make_gradients.

The digits MLP 64-64-32-10 is trained in float32 by ADAM; of its parameters a fixed sample, spread over all layers, is
kept: rules act on each parameter alone, so the sample is an exact part of the stream. Writes an .npz with `g` (T x P),
`w0` (P), both float32, and `tensor` (P) int8: weights of layer 1, 2, 3, then biases (0 .. 5).

Errors: no scikit-learn and files that cannot be written end with one line and a non-zero exit code.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from host.digits import DigitsError, load_digits
from host.fixed import Adam, FloatMlp, Params, TrainConfig, init_params, order_rng, train

LR = 1e-3


class Recorder(Adam):
    """ADAM that keeps the gradients of the parameters at `pick`, counted over weights, then biases."""

    def __init__(self, params: Params, pick: npt.NDArray[np.int64]) -> None:
        super().__init__(params, LR)
        self.pick = pick
        self.rows: list[npt.NDArray[np.float32]] = []

    def update(self, grad_w: list[npt.NDArray[np.floating]], grad_b: list[npt.NDArray[np.floating]]) -> None:
        """Keeps what is wanted, then steps."""
        self.rows.append(np.concatenate([grad.ravel() for grad in (*grad_w, *grad_b)])[self.pick])
        super().update(grad_w, grad_b)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("data/optc/digits_gradients.npz"))
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True)
@click.option("--keep", type=click.IntRange(1, 6000), default=384, show_default=True, help="parameters recorded")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
def main(out: Path, epochs: int, keep: int, seed: int) -> None:
    """Trains and records."""
    config = TrainConfig(epochs=epochs, seed=seed)
    try:
        data = load_digits(seed)
    except DigitsError as error:
        raise click.ClickException(str(error)) from error
    start = init_params(config.sizes, np.random.default_rng([seed, 0]))
    tensors = (*start.weights, *start.biases)
    tensor = np.repeat(np.arange(len(tensors), dtype=np.int8), [each.size for each in tensors])
    pick = np.sort(np.random.default_rng([seed, 4]).choice(len(tensor), keep, replace=False))
    network = FloatMlp(start, config, lambda params: Recorder(params, pick))
    run = train(network, data.train_pixels, data.train_labels, config, order_rng(config))
    losses = [each.step.loss for each in run]
    w0 = np.concatenate([each.ravel() for each in tensors])[pick].astype(np.float32)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(out, g=np.array(network.optimiser.rows), w0=w0, tensor=tensor[pick])
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error}") from error
    print(f"{out}: {len(losses)} steps of {keep} parameters, loss {losses[0]:.3f} to {losses[-1]:.3f}")


if __name__ == "__main__":
    main()
