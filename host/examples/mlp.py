"""Three fully connected layers for the digits."""

from host.network import Dense, Network, ReLU

NET = Network(
    inputs=(64,),
    layers=[Dense(64), ReLU(), Dense(32), ReLU(), Dense(10)],
    data="digits",
)
