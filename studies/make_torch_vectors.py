"""Records PyTorch's own optimisers as a yardstick for the float64 oracles: python -m studies.make_torch_vectors.

Run it where PyTorch is installed (torch==2.13.0; it is not one of this project's requirements). A small stream of
float64 gradients goes through Adam, AdamW and SGD with momentum; weights after every step are kept. Writes an .npz
with `g` (T x P), `w0` (P), `version` and, for each case of `CASES`, `<case>` (T x P), all float64.

Errors: a missing PyTorch ends with one line and a non-zero exit code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from models.common import floats

# Name of the optimiser in torch.optim, and its arguments.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "adam": ("Adam", {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}),
    "adam_other": ("Adam", {"lr": 3e-2, "betas": (0.5, 0.98), "eps": 1e-3}),
    "adamw": ("AdamW", {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1}),
    "momentum": ("SGD", {"lr": 1e-2, "momentum": 0.9}),
    "sgd": ("SGD", {"lr": 1e-1, "momentum": 0.0}),
}
STEPS, SIZE = 100, 8
SCALES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)


def stream() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Gradients (T, P), of scales from 1e-6 to 10 and with zeros, and first weights (P,), half of them 0: those are
    nothing but sums of updates."""
    rng = np.random.default_rng(12)
    g = (floats.normal(rng, (STEPS, SIZE)) + 0.2) * np.array(SCALES)
    g[rng.random((STEPS, SIZE)) < 0.2] = 0
    return g, floats.normal(rng, SIZE) * (np.arange(SIZE) % 2)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("data/optc/torch_vectors.npz"))
def main(out: Path) -> None:
    """Runs the optimisers and records."""
    try:
        import torch
    except ImportError as error:
        raise click.ClickException("there is no PyTorch: pip install torch==2.13.0, outside .venv") from error
    g, w0 = stream()
    kept: dict[str, Any] = {"g": g, "w0": w0, "version": np.array(torch.__version__)}
    for case, (name, arguments) in CASES.items():
        w = torch.nn.Parameter(torch.from_numpy(w0.copy()))
        optimiser = getattr(torch.optim, name)([w], **arguments)
        rows = []
        for row in g:
            w.grad = torch.from_numpy(row.copy())
            optimiser.step()
            rows.append(w.detach().numpy().copy())
        kept[case] = np.array(rows)
    np.savez_compressed(out, **kept)
    print(f"{out}: {len(CASES)} cases of {STEPS} steps by PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
