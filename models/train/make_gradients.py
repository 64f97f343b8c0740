"""Records the gradients of a real training for the OPTC: python -m models.train.make_gradients.

The digits MLP 64-64-32-10 is trained in float64 by ADAM (batch 64); of its parameters a fixed sample, spread over all
layers, is kept: rules act on each parameter alone, so the sample is an exact part of the stream. Writes an .npz with
`g` (T x P) float32, `w0` (P) float64 and `layer` (P) int8 (weights and bias of layer 1, 2, 3: 0 .. 5).
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from models.train.digits import DigitsError, load_digits
from models.train.fixed import init_params, softmax_error

SIZES = (64, 64, 32, 10)
LR, BETA1, BETA2 = 1e-3, 0.9, 0.999


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("data/optc/digits_gradients.npz"))
@click.option("--steps", default=660, show_default=True)
@click.option("--keep", default=384, show_default=True, help="parameters that are recorded")
@click.option("--seed", default=1, show_default=True)
def main(out: Path, steps: int, keep: int, seed: int) -> None:
    """Trains and records."""
    try:
        data = load_digits(seed)
    except DigitsError as error:
        raise click.ClickException(str(error)) from error
    rng = np.random.default_rng(seed)
    params = init_params(SIZES, rng)
    tensors = [np.asarray(t, np.float64) for pair in zip(params.weights, params.biases, strict=True) for t in pair]
    layer = np.repeat(np.arange(len(tensors)), [t.size for t in tensors])
    pick = np.sort(rng.choice(len(layer), keep, replace=False))
    first = np.concatenate([t.ravel() for t in tensors])[pick]
    moments = [(np.zeros_like(t), np.zeros_like(t)) for t in tensors]
    rows, loss = [], 0.0
    batches: list[np.ndarray] = []
    for t in range(1, steps + 1):
        if not batches:
            order = rng.permutation(len(data.train_labels))
            batches = [order[at : at + 64] for at in range(0, len(order) - 63, 64)]
        now = batches.pop()
        acts = [data.train_pixels[now]]
        for k in range(0, 6, 2):
            z = acts[-1] @ tensors[k] + tensors[k + 1]
            acts.append(np.maximum(z, 0) if k < 4 else z)
        loss, error = softmax_error(acts.pop(), data.train_labels[now])
        error = error / len(now)
        grads: list[np.ndarray] = []
        for k in (4, 2, 0):
            grads = [acts[k // 2].T @ error, error.sum(axis=0), *grads]
            error = (error @ tensors[k].T) * (acts[k // 2] > 0)
        rows.append(np.concatenate([g.ravel() for g in grads])[pick].astype(np.float32))
        for k, g in enumerate(grads):
            m, v = moments[k]
            m += (1 - BETA1) * (g - m)
            v += (1 - BETA2) * (g * g - v)
            tensors[k] -= LR * (m / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + 1e-8)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out, g=np.array(rows), w0=first, layer=layer[pick].astype(np.int8))
    print(f"{out}: {steps} steps of {keep} parameters, last loss {loss:.4f}, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
