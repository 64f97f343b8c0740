"""Two convolutions and a fully connected layer for the digits.

A convolution's gradients add up over places, and so does the noise of its errors of 4 bits: its step is smaller, and
halves.
"""

from host.network import Conv, Dense, MaxPool, Network, ReLU

NET = Network(
    inputs=(8, 8, 1),
    layers=[
        Conv(8, 3, padding=1), ReLU(), MaxPool(2),
        Conv(16, 3, padding=1), ReLU(), MaxPool(2),
        Dense(10),
    ],
    lr=1 / 16,
    halve_after=(8, 12, 16, 20),
    data="digits",
)  # fmt: skip
