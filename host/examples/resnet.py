"""A residual network of ten layers for images of 28 x 28, without batch normalisation.

The last convolution of a block starts small, so that a block starts as what it adds to. The parameters fit the state
buffers of the processor as it is. With errors of 4 bits, or orders left out, it loses accuracy.
"""

from host.network import AvgPool, Conv, Dense, Network, ReLU, Residual
from host.settings import FINE_ERRORS


def block(channels: int, stride: int = 1) -> list[object]:
    """Two 3 x 3 convolutions, added to their input, or to a 1 x 1 convolution of it."""
    body = [Conv(channels, 3, stride=stride, padding=1), ReLU(), Conv(channels, 3, padding=1, gain=0.25)]
    return [Residual(body, [Conv(channels, 1, stride=stride)] if stride > 1 else []), ReLU()]


NET = Network(
    inputs=(28, 28, 1),
    layers=[Conv(8, 3, stride=2, padding=1), ReLU(), *block(8), *block(16, 2), *block(24, 2), AvgPool(), Dense(10)],
    batch=32,
    lr=1 / 32,
    halve_after=(2, 3, 4, 5),
    settings=FINE_ERRORS,
    data="fashion-mnist",
)
