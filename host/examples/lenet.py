"""LeNet-5 for images of 28 x 28, with ReLU, the largest of 2 x 2, and one hidden layer of 32.

With that layer its parameters fit the state buffers of the processor as it is. Errors of 4 bits cost it accuracy.
"""

from host.network import Conv, Dense, MaxPool, Network, ReLU
from host.settings import EIGHT_BIT_ERRORS

NET = Network(
    inputs=(28, 28, 1),
    layers=[
        Conv(6, 5, padding=2), ReLU(), MaxPool(2),
        Conv(16, 5), ReLU(), MaxPool(2),
        Dense(32), ReLU(), Dense(10),
    ],
    batch=32,
    lr=1 / 32,
    halve_after=(2, 3, 4, 5),
    settings=EIGHT_BIT_ERRORS,
    data="fashion-mnist",
)  # fmt: skip
