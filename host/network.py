"""Networks as a user declares them: a Python file with a `Network`, its layers in a few lines, no shape said twice.

    from host.network import Conv, Dense, MaxPool, Network, ReLU

    NET = Network(inputs=(28, 28, 1), layers=[Conv(6, 5, padding=2), ReLU(), MaxPool(2), Dense(10)])

Between products values are unsigned, so that ReLU follows each but the last. What is declared is lowered to the layers
of layers.py. Errors: `NetworkError`, one line.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from host import layers as lowered
from host.closed_loop import Settings
from host.fixed import TrainConfig
from host.layers import INPUT, Layer, Pair, Pool, check_layers
from host.settings import SETTINGS

EXAMPLES = Path(__file__).with_name("examples")
Size = int | tuple[int, int]


class NetworkError(ValueError):
    """A network that cannot be; the message is one line."""


@dataclass(frozen=True)
class Dense:
    """Every output from every input; an image is laid out row by row, channels last."""

    outputs: int


@dataclass(frozen=True)
class Conv:
    """Convolution to `channels` channels, with a border of `padding` zeros; `gain` multiplies its first weights."""

    channels: int
    kernel: Size = 3
    stride: Size = 1
    padding: Size = 0
    groups: int = 1
    gain: float = 1.0


@dataclass(frozen=True)
class ReLU:
    """max(x, 0)."""


@dataclass(frozen=True)
class MaxPool:
    """The largest of a window; `stride` None: that of the window's size."""

    size: Size = 2
    stride: Size | None = None
    padding: Size = 0


@dataclass(frozen=True)
class AvgPool:
    """The mean of a window; `size` None: of the whole image. `stride` as there."""

    size: Size | None = None
    stride: Size | None = None


@dataclass(frozen=True)
class Residual:
    """`body` plus `shortcut` of the same input, or plus the input itself; ReLU comes after it."""

    body: Sequence[Any]
    shortcut: Sequence[Any] = ()


@dataclass(frozen=True)
class Network:
    """A network, how it is trained, and the data that it is made for.

    inputs: (features,), or (rows, columns, channels).
    layers: from input to output; the last one is Dense, and has as many outputs as there are classes.
    batch, lr, beta: images of an iteration; momentum m' = beta m + g, w' = w - lr m', g = mean gradient of the batch.
    halve_after: epochs after which the step size halves.
    settings: registers of LAPS (host/settings.py).
    data: what `make train` takes without DATA=.
    """

    inputs: tuple[int, ...]
    layers: Sequence[Any]
    batch: int = 64
    lr: float = 0.125
    beta: float = 0.875
    halve_after: tuple[int, ...] = ()
    settings: Settings = SETTINGS
    data: str = ""

    def __post_init__(self) -> None:
        if len(self.inputs) not in (1, 3) or not all(_positive(each) for each in self.inputs):
            raise NetworkError(f"inputs are (features,) or (rows, columns, channels), each >= 1, not {self.inputs}")
        numbers = all(isinstance(each, int | float) for each in (self.lr, self.beta))
        if not _positive(self.batch) or not numbers or not 0 < self.lr < 1 or not 0 <= self.beta < 1:
            raise NetworkError(
                f"batch={self.batch}, lr={self.lr}, beta={self.beta}: a batch is >= 1, and 0 < lr < 1, 0 <= beta < 1"
            )
        if not isinstance(self.settings, Settings):
            raise NetworkError(f"settings={self.settings!r}: take some of host.settings")
        if not all(_positive(each) for each in self.halve_after):
            raise NetworkError(f"halve_after={self.halve_after!r}: epochs, each >= 1")
        _ = self.lowered

    @property
    def lowered(self) -> tuple[Layer, ...]:
        """As layers.py has them. Raises `NetworkError`."""
        maker = _Maker(self.inputs)
        maker.add(self.layers)
        return maker.done()

    @property
    def classes(self) -> int:
        """Outputs."""
        return self.lowered[-1].shape[1]

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(each.fan_in * each.shape[1] + each.shape[1] for each in self.lowered)

    def config(self, images: int, seed: int = 1, epochs: int = 25) -> TrainConfig:
        """Of a training with so many images."""
        per_epoch = images // self.batch
        halvings = tuple(per_epoch * each for each in self.halve_after)
        return TrainConfig((), self.batch, epochs, seed, self.lr, self.beta, halvings)


def _positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


class _Maker:
    """Lowers what is declared, element by element. `open`: a product that ReLU has not followed yet."""

    def __init__(self, inputs: tuple[int, ...]) -> None:
        self.layers: list[Layer] = []
        self.shape, self.source, self.open = inputs, INPUT, False

    def add(self, elements: Sequence[Any], where: str = "element") -> None:
        """Adds elements in order."""
        if not isinstance(elements, Sequence) or isinstance(elements, str):
            raise NetworkError(f"{where}: layers are a list, not {elements!r}")
        for number, each in enumerate(elements, start=1):
            place = f"{where} {number}, {_shown(each)}"
            match each:
                case Dense() | Conv():
                    self._product(each, place)
                case ReLU():
                    if not self.open:
                        raise NetworkError(f"{place}: ReLU follows a product or a residual addition")
                    self.open, self.source = False, len(self.layers) - 1
                case MaxPool() | AvgPool():
                    self._pool(each, place)
                case Residual():
                    self._residual(each, place)
                case _:
                    raise NetworkError(
                        f"{place}: the processor does not train that; it trains Dense, Conv, ReLU, MaxPool, AvgPool and"
                        " Residual"
                    )

    def done(self) -> tuple[Layer, ...]:
        """The layers."""
        if not self.open or not isinstance(self.layers[-1], lowered.Dense) or self.layers[-1].add:
            raise NetworkError("the last element is a Dense, which gives the classes and has no ReLU")
        return self._checked("the network")

    def _checked(self, place: str) -> tuple[Layer, ...]:
        layers = tuple(self.layers)
        try:
            check_layers(layers)
        except ValueError as error:
            raise NetworkError(f"{place}: {error}") from None
        return layers

    def _product(self, each: Dense | Conv, place: str) -> None:
        if self.open:
            raise NetworkError(f"{place}: ReLU is missing before it: values between products are unsigned")
        source = None if self.source == len(self.layers) - 1 else self.source
        if isinstance(each, Dense):
            if not _positive(each.outputs):
                raise NetworkError(f"{place}: outputs are whole and >= 1")
            made: Layer = lowered.Dense(math.prod(self.shape), each.outputs, source=source)
            self.shape = (each.outputs,)
        else:
            if len(self.shape) != 3:
                raise NetworkError(f"{place}: it takes an image, and is given {self.shape[0]} features")
            if not _positive(each.channels) or not _positive(each.groups):
                raise NetworkError(f"{place}: channels and groups are whole and >= 1")
            if not isinstance(each.gain, int | float) or not math.isfinite(each.gain):
                raise NetworkError(f"{place}: a gain is a finite number")
            made = lowered.Conv(
                self.shape[:2], self.shape[2], each.channels, _pair(each.kernel, place), _pair(each.stride, place),
                _pair(each.padding, place, 0), each.groups, source=source, gain=each.gain,
            )  # fmt: skip
            fault = lowered.fault(made)
            if fault:
                raise NetworkError(f"{place}: {fault}")
            self.shape = (*made.made, each.channels)
        self.layers.append(made)
        self.open = True

    def _pool(self, each: MaxPool | AvgPool, place: str) -> None:
        last = self.layers[-1] if self.layers else None
        if self.open or not isinstance(last, lowered.Conv) or last.pooling or self.source != len(self.layers) - 1:
            raise NetworkError(f"{place}: pooling follows the ReLU of a convolution, once")
        size = self.shape[:2] if each.size is None else _pair(each.size, place)
        stride = size if each.stride is None else _pair(each.stride, place)
        padding = _pair(each.padding, place, 0) if isinstance(each, MaxPool) else (0, 0)
        made = replace(last, pooling=Pool(size, stride, padding, isinstance(each, AvgPool)))
        fault = lowered.fault(made)
        if fault:
            raise NetworkError(f"{place}: {fault}")
        self.layers[-1] = made
        self.shape = (*made.given, self.shape[2])

    def _residual(self, each: Residual, place: str) -> None:
        if self.open:
            raise NetworkError(f"{place}: ReLU is missing before it: values between products are unsigned")
        shape, source, part = self.shape, self.source, self.source
        if each.shortcut:
            self.add(each.shortcut, f"{place}, shortcut")
            if not self.open:
                raise NetworkError(f"{place}: a shortcut ends with a product, without ReLU")
            part = len(self.layers) - 1
            self.layers[-1] = replace(self.layers[-1], linear=True)
        added = self.shape
        self.shape, self.source, self.open = shape, source, False
        self.add(each.body, f"{place}, body")
        if not self.open:
            raise NetworkError(f"{place}: a body ends with a product; ReLU comes after the addition")
        if self.layers[-1].add:
            raise NetworkError(f"{place}: a body ends with a product, not with another Residual")
        if self.shape != added:
            raise NetworkError(f"{place}: the body gives {_size(self.shape)}, and is added to {_size(added)}")
        self.layers[-1] = replace(self.layers[-1], add=(part,))


def _pair(value: Size, place: str, least: int = 1) -> Pair:
    both = (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, (tuple, list)) else ()
    if len(both) != 2 or not all(isinstance(v, int) and not isinstance(v, bool) and v >= least for v in both):
        raise NetworkError(f"{place}: {value!r} is no size: one or two whole numbers >= {least}")
    return both


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _shown(each: object) -> str:
    if isinstance(each, Residual):
        return "Residual"
    text = " ".join(repr(each).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


# ------------------------------------------------------------------------------------------------------------- loading
def shipped() -> tuple[str, ...]:
    """Names of the networks that are known by name."""
    return tuple(sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "__init__"))


def path_of(spec: str) -> tuple[Path, str]:
    """File and variable (empty: the only one) of `name`, `file.py` or `file.py:variable`. Raises `NetworkError`."""
    if spec in shipped():
        return EXAMPLES / f"{spec}.py", "NET"
    head, colon, variable = spec.rpartition(":")
    path = Path(head if colon and head.endswith(".py") else spec)
    if path.suffix != ".py":
        raise NetworkError(f"choose one of {', '.join(shipped())}, or a file: my_net.py, my_net.py:NAME")
    return path, variable if colon and head.endswith(".py") else ""


def name_of(spec: str) -> str:
    """Short: of a shipped network, or the file's, and the variable's if `spec` says one."""
    path, variable = path_of(spec)
    return spec if spec in shipped() else f"{path.stem}-{variable}" if variable else path.stem


def load_network(spec: str) -> Network:
    """The network that `spec` names (`path_of`). Runs the file. Raises `NetworkError`."""
    path, variable = path_of(spec)
    found = _networks(path.resolve())
    if variable:
        if variable not in found:
            raise NetworkError(f"{path} has no Network {variable}; it has {', '.join(found) or 'none'}")
        return found[variable]
    if len(found) != 1:
        names = f"{', '.join(found)}: say which, {path}:{next(iter(found))}" if found else "none"
        raise NetworkError(f"{path} has {len(found)} Networks: {names}")
    return next(iter(found.values()))


@cache
def _networks(path: Path) -> dict[str, Network]:
    if not path.is_file():
        raise NetworkError(f"{path}: no such file")
    name = f"_network_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses of the file look themselves up
    try:
        spec.loader.exec_module(module)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from None
    except (Exception, SystemExit) as error:
        text = " ".join(str(error).split())
        raise NetworkError(f"{path}, line {_line_of(error, path)}: {type(error).__name__}: {text}") from None
    finally:
        del sys.modules[name]
    return {key: value for key, value in vars(module).items() if isinstance(value, Network)}


def _line_of(error: BaseException, path: Path) -> int:
    """Where in the file it happened."""
    line = (error.lineno or 0) if isinstance(error, SyntaxError) and error.filename == str(path) else 0
    at = error.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename == str(path):
            line = at.tb_lineno
        at = at.tb_next
    return line
