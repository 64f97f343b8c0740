"""One number for every bit of a training: python -m studies.digest NET EPOCHS.

Trains a network on the value model of the processor (LAPS and stochastic rounding on) and prints the SHA-256 of
every operand of every GEMM, with its formats, in order. The same on every machine and with every setting of NumPy and
its BLAS: test_platforms.py holds the expected values.
"""

from __future__ import annotations

import hashlib

import click
import numpy as np

from host.data import load_data
from host.fixed import order_rng, train
from host.mapper import ModelBackend
from host.network import load_network, shipped
from host.settings import SETTINGS
from host.trainer import Driven, make_trainer
from models.top.config import TopParams
from models.top.value import Processor


def training_digest(net: str, epochs: int, seed: int = 1) -> str:
    """SHA-256 of the operands of a training of `epochs` epochs."""
    top, network = TopParams(), load_network(net)
    data = load_data(network.data, network, seed)
    config = network.config(len(data.train_labels), seed, epochs)
    trained = Driven(make_trainer(network.lowered, config, SETTINGS, top), ModelBackend(Processor(top)))
    digest = hashlib.sha256()
    for done in train(trained, data.train_pixels, data.train_labels, config, order_rng(config)):
        for gemm in done.step.gemms:
            formats = (gemm.name, gemm.x_bits, gemm.w_bits, gemm.x_fl, gemm.w_fl)
            digest.update(repr((*map(str, formats), *gemm.shape)).encode())
            for operand in (gemm.x, gemm.w):
                digest.update(np.ascontiguousarray(operand, "<i4").tobytes())
    return digest.hexdigest()


@click.command()
@click.argument("net", type=click.Choice(shipped()))
@click.argument("epochs", type=click.IntRange(1))
def main(net: str, epochs: int) -> None:
    """Prints the digest."""
    print(training_digest(net, epochs))


if __name__ == "__main__":
    main()
