"""Networks as users declare them: what they lower to, and a line for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from host import layers
from host.layers import INPUT, Pool, conv3, dense, wires
from host.network import (
    AvgPool,
    Conv,
    Dense,
    MaxPool,
    Network,
    NetworkError,
    ReLU,
    Residual,
    load_network,
    name_of,
    shipped,
)
from host.settings import FINE_ERRORS, SETTINGS
from models.laps.config import TensorClass

IMAGE = (8, 8, 3)


def test_the_digits_networks_are_two_such_files() -> None:
    assert load_network("mlp").lowered == dense((64, 64, 32, 10))
    assert load_network("cnn").lowered == (conv3(8, 1, 8), conv3(4, 8, 16), layers.Dense(64, 10))
    config = load_network("cnn").config(1437, seed=3)
    assert (config.batch, config.lr, config.beta, config.seed) == (64, 1 / 16, 0.875, 3)
    assert config.halvings == (176, 264, 352, 440)
    assert load_network("mlp").config(1437).lr == 1 / 8


@pytest.mark.parametrize("name", shipped())
def test_shipped_networks_fit_the_processor(name: str) -> None:
    from host.closed_loop import queries
    from host.trainer import make_trainer
    from models.top.config import SLOTS, TopParams

    network = load_network(name)
    make_trainer(network.lowered, network.config(6400), network.settings, TopParams())
    planned = [query for query in queries(network.lowered, network.batch) if not query.gemm.startswith("wg")]
    assert len(planned) < SLOTS


def test_a_network_may_have_settings_of_its_own() -> None:
    """Registers of LAPS; without them those of the digits."""
    fine = load_network("resnet").settings
    assert fine == FINE_ERRORS != SETTINGS == load_network("mlp").settings
    for net, most in (("resnet", 0), ("lenet", 3)):
        settings = load_network(net).settings
        error = settings.classes[TensorClass.ERROR]
        assert (error.n, error.pin_n, settings.most) == (2, True, most)
        assert all(settings.classes[cls] == SETTINGS.classes[cls] for cls in TensorClass if cls != TensorClass.ERROR)
    with pytest.raises(NetworkError, match=r"settings=8: take some of host\.settings"):
        Network((4,), [Dense(2)], settings=8)  # type: ignore[arg-type]


def test_a_residual_block_is_wired() -> None:
    net = Network(
        IMAGE,
        [
            Conv(4, padding=1), ReLU(), MaxPool(2),
            Residual([Conv(8, (3, 1), stride=2, padding=(1, 0)), ReLU(), Conv(8, 1)], [Conv(8, 1, stride=2)]), ReLU(),
            Residual([Conv(8, 3, padding=1, groups=2)]), ReLU(), AvgPool(),
            Dense(5),
        ],
    )  # fmt: skip
    made = net.lowered
    assert [each.source for each in made] == [None, None, 0, None, None, None]
    assert [each.add for each in made] == [(), (), (), (1,), (3,), ()]
    assert [each.linear for each in made] == [False, True, False, False, False, False]
    assert made[4].pooling == Pool((2, 2), (2, 2), average=True)
    assert made[4].groups == 2
    assert wires(made).source == (INPUT, 0, 0, 2, 3, 4)
    assert (net.classes, made[-1].shape) == (5, (8, 5))
    assert net.parameters == 27 * 4 + 4 + 4 * 8 + 8 + 12 * 8 + 8 + 64 + 8 + 36 * 8 + 8 + 40 + 5


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ([], "the last element is a Dense"),
        ([Dense(4), ReLU()], "the last element is a Dense, which gives the classes and has no ReLU"),
        ([Conv(4)], "the last element is a Dense"),
        ([Conv(4), Dense(4)], r"element 2, Dense\(outputs=4\): ReLU is missing before it"),
        ([ReLU()], r"element 1, ReLU\(\): ReLU follows a product"),
        ([Conv(4), MaxPool()], "element 2, MaxPool.*: pooling follows the ReLU of a convolution, once"),
        ([MaxPool(), Dense(4)], "pooling follows the ReLU"),
        ([Dense(4), ReLU(), MaxPool()], "pooling follows the ReLU"),
        ([Conv(4), ReLU(), MaxPool(), MaxPool()], "element 4, MaxPool.*, once"),
        ([Dense(4), ReLU(), Conv(4)], "it takes an image, and is given 4 features"),
        (["LSTM", Dense(4)], "element 1, 'LSTM': the processor does not train that; it trains Dense, Conv, ReLU"),
        ([Conv(4, 9), ReLU(), Dense(4)], r"a kernel of \(9, 9\) does not fit images of \(8, 8\)"),
        ([Conv(4, 3, padding=3), ReLU(), Dense(4)], r"a padding of \(3, 3\) is not below the kernel of \(3, 3\)"),
        ([Conv(4, groups=2), ReLU(), Dense(4)], "3 and 4 channels cannot be divided into 2 groups"),
        ([Conv(4, 0), ReLU(), Dense(4)], "0 is no size: one or two whole numbers >= 1"),
        ([Conv(4, (3, 3, 3)), ReLU(), Dense(4)], r"\(3, 3, 3\) is no size"),
        ([Conv(4, stride=1.5), ReLU(), Dense(4)], "1.5 is no size"),
        ([Conv(0), ReLU(), Dense(4)], "channels and groups are whole and >= 1"),
        ([Conv(4, gain=float("nan")), ReLU(), Dense(4)], "a gain is a finite number"),
        ([Dense(0)], "outputs are whole and >= 1"),
        ([Conv(4), ReLU(), MaxPool(9), Dense(4)], r"pooling of \(9, 9\).* does not fit images of \(6, 6\)"),
        ([Conv(4), ReLU(), MaxPool(2, padding=2), Dense(4)], "with a padding of"),
        ([Residual([Conv(3, padding=1), ReLU()]), Dense(4)], "a body ends with a product; ReLU comes after"),
        ([Residual([Conv(4, padding=1)]), ReLU(), Dense(4)], "the body gives 8 x 8 x 4, and is added to 8 x 8 x 3"),
        ([Residual([Conv(3, padding=1)], [Conv(3, 1), ReLU()]), ReLU(), Dense(4)], "a shortcut ends with a product"),
        ([Residual([Residual([Conv(3, 1)])]), ReLU(), Dense(4)], "not with another Residual"),
        ([Conv(4), Residual([Conv(4, 1)]), ReLU(), Dense(4)], "element 2, Residual: ReLU is missing before it"),
        ([Residual(3), ReLU(), Dense(4)], "layers are a list, not 3"),
    ],
)
def test_mistakes_are_one_line(elements: list[object], message: str) -> None:
    with pytest.raises(NetworkError, match=message) as caught:
        Network(IMAGE, elements)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": (8, 8)}, r"inputs are \(features,\) or \(rows, columns, channels\)"),
        ({"inputs": (None, 8, 1)}, "each >= 1, not"),  # a dynamic shape
        ({"batch": 0}, "a batch is >= 1"),
        ({"lr": float("nan")}, "0 < lr < 1"),
        ({"lr": "fast"}, "0 < lr < 1"),
        ({"beta": 1.0}, "0 <= beta < 1"),
        ({"halve_after": (0,)}, "halve_after"),
    ],
)
def test_mistakes_of_a_training_are_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        Network(**{"inputs": (4,), "layers": [Dense(2)], **changes})


# ------------------------------------------------------------------------------------------------------------- loading
HEAD = "from host.network import Dense, Network\n"


@pytest.mark.parametrize(
    ("text", "variable", "message"),
    [
        ("NET = 3\n", "", "has 0 Networks: none"),
        (
            f"{HEAD}A = Network((4,), [Dense(2)])\nB = Network((4,), [Dense(3)])\n",
            "",
            r"has 2 Networks: A, B: say which",
        ),
        (f"{HEAD}A = Network((4,), [Dense(2)])\n", ":B", "has no Network B; it has A"),
        (f"{HEAD}A = Network((4,), [])\n", "", r"n.py: the last element is a Dense"),
        (f"{HEAD}\nA = 1 / 0\n", "", "n.py, line 3: ZeroDivisionError: division by zero"),
        ("A = (\n", "", "n.py, line 1: SyntaxError"),
        ("import sys\nsys.exit(3)\n", "", "n.py, line 2: SystemExit: 3"),
        ("import torchvision_that_is_not_there\n", "", "n.py, line 1: ModuleNotFoundError"),
    ],
)
def test_files_that_have_no_network(tmp_path: Path, text: str, variable: str, message: str) -> None:
    path = tmp_path / "n.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NetworkError, match=message) as caught:
        load_network(f"{path}{variable}")
    assert "\n" not in str(caught.value)


def test_a_file_is_named_with_its_variable(tmp_path: Path) -> None:
    path = tmp_path / "two.py"
    path.write_text(f"{HEAD}A = Network((4,), [Dense(2)])\nB = Network((4,), [Dense(3)])\n", encoding="utf-8")
    assert load_network(f"{path}:B").classes == 3
    assert (name_of(f"{path}:B"), name_of("cnn")) == ("two-B", "cnn")
    with pytest.raises(NetworkError, match="no such file"):
        load_network(str(tmp_path / "none.py"))
    with pytest.raises(NetworkError, match="choose one of cnn, lenet, mlp, resnet, or a file"):
        load_network("vgg")
