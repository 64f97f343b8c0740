"""The recorder of PyTorch trainings: hooks, operands, replays on the RTL, mistakes.

Most of it needs PyTorch, which is optional: where it is missing, a warning says what was not tested.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import host.torch as recorder
from flow.core.blocks import get_block
from flow.core.simulate import run
from host.net.quantise import quantise
from host.torch import RecordError, most_rows, record, reduce_factor, window_of
from models.common.tensors import TensorError, exact_matmul
from tb.gemm import capture as captures
from tb.gemm.capture import Capture
from tb.gemm.program import gemm_params
from tb.lib.paths import ROOT

HERE = importlib.util.find_spec("torch") is not None
MISSING = "PyTorch is not installed here, so its hooks were NOT tested (host/torch.py): pip install torch"
needs_torch = pytest.mark.skipif(not HERE, reason=MISSING)
if HERE:
    import torch
    from torch import nn

PARAMS = gemm_params({"ROWS": 8, "LANES": 16, "DEPTH": 128, "ACC_W": 40, "BANKS": 2})


def test_it_is_said_where_pytorch_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    if not HERE:
        warnings.warn(MISSING, stacklevel=1)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(RecordError, match="PyTorch is not installed: pip install torch"):
        record(None, None, "captures")  # type: ignore[arg-type]


# ---- without PyTorch -------------------------------------------------------------------------------------------------
def _capture(rows: int, k: int, n: int, factor: int = 1, bits: int = 8) -> Capture:
    x, w = np.zeros((rows, k), np.int32), np.zeros((k, n), np.int32)
    final = captures.RanDescriptor(captures.YBits.RAW64)
    return Capture(captures.Product(x, w, bits // 4, bits // 4, final, reduce_factor=factor))


@pytest.mark.parametrize(("k", "n", "limits"), [(200, 20, (9_600, 16384)), (1025, 40, (1 << 20, 12))])
def test_most_rows_are_what_a_replay_takes(
    k: int, n: int, limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (recorder, captures):
        monkeypatch.setattr(place, "MAX_ISSUES", limits[0])
        monkeypatch.setattr(place, "MOST_JOBS_OF_A_STAGE", limits[1])
    most = most_rows(k, n, k * 4 * -(-n // 16))
    assert most > 1
    _capture(most, k, n, 8).check(PARAMS)
    with pytest.raises(TensorError):
        _capture(most + 1, k, n, 8).check(PARAMS)


@pytest.mark.parametrize(
    ("rows", "k", "bits", "factor"),
    [(8, 128, 8, 1), (7, 128, 8, 2), (1, 9, 8, 8), (64, 129, 8, 2), (64, 1025, 8, 8), (64, 1025, 16, 2)],
)
def test_reduce_factors_are_legal(rows: int, k: int, bits: int, factor: int) -> None:
    one = quantise(np.array([-1.0, 1.0]), bits)
    assert reduce_factor(rows, k, one, one) == factor
    _capture(rows, k, 16, factor, bits).check(PARAMS)


def test_windows() -> None:
    def layer(padding: Any, kernel: tuple[int, int] = (3, 4)) -> Any:
        return SimpleNamespace(padding=padding, kernel_size=kernel, stride=(1, 2), dilation=(2, 1), groups=3)

    assert window_of(layer((1, 2))).pads == (1, 2, 1, 2)
    assert window_of(layer("valid")).pads == (0, 0, 0, 0)
    assert window_of(layer("same")).pads == (2, 1, 2, 2)
    window = window_of(layer("same"))
    assert (window.strides, window.dilations, window.groups) == ((1, 2), (2, 1), 3)


# ---- with PyTorch ----------------------------------------------------------------------------------------------------
def _loaded(path: Path) -> tuple[Capture, dict[str, Any]]:
    capture = Capture.load(path)
    capture.check(PARAMS)
    return capture, dict(capture.origin)


class Net(nn.Module if HERE else object):  # type: ignore[misc]
    """Two convolutions and a linear layer; ReLU in place, once on a view of the output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1, groups=2)
        self.conv2 = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))
        self.fc = nn.Linear(6 * 3 * 3, 5)
        self.own: dict[str, torch.Tensor] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        own = self.own
        y = self.conv1(x)
        own["conv1-fp"] = y.detach() - self.conv1.bias.detach().reshape(1, -1, 1, 1)
        x = y.relu_()
        x.retain_grad()
        own["conv2-x"] = x
        y = self.conv2(x)
        own["conv2-fp"] = y.detach() - self.conv2.bias.detach().reshape(1, -1, 1, 1)
        x = y.flatten(1)
        x.relu_()
        x.retain_grad()
        own["fc-x"] = x
        y = self.fc(x)
        own["fc-fp"] = y.detach() - self.fc.bias.detach()
        return y


def _train(folder: Path, steps: Any = 0, most: int = 2, change: Any = None, **more: Any) -> tuple[Any, Any]:
    torch.manual_seed(3)
    model = Net().double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if change:
        change(model)
    with record(model, optimizer, folder, steps=steps, **more) as recording:
        for _ in range(most):
            optimizer.zero_grad()
            x = torch.randn(3, 2, 5, 5, dtype=torch.float64)
            nn.functional.cross_entropy(model(x), torch.tensor([0, 3, 1])).backward()
            optimizer.step()
    return model, recording


def _as_rows(y: Any) -> np.ndarray:
    """(places, channels) of (images, channels, ...)."""
    array = y.detach().numpy()
    return np.moveaxis(array, 1, -1).reshape(-1, array.shape[1])


@needs_torch
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_sums_are_those_of_pytorch_but_for_the_quantisation(bits: int, tmp_path: Path) -> None:
    model, recording = _train(tmp_path, 1, x_bits=bits, w_bits=bits, dy_bits=bits, rows=1000)
    files = {path.stem: path for path in recording.paths}
    own = {name: _as_rows(y) for name, y in model.own.items() if name.endswith("fp")}
    for name in ("conv2", "fc"):
        own[f"{name}-bp"] = _as_rows(model.own[f"{name}-x"].grad)
    for name in ("conv1", "conv2", "fc"):
        grad = getattr(model, name).weight.grad.numpy()
        own[f"{name}-wg"] = grad.reshape(len(grad), -1)
    for kind in ("fp", "wg"):  # of two groups: columns of Y, rows of dW^T
        whole = own.pop(f"conv1-{kind}")
        own |= {f"conv1-{kind}-g{part}": each for part, each in enumerate(np.split(whole, 2, axis=kind == "fp"))}
    assert set(files) == set(own)
    assert {path.parent.name for path in recording.paths} == {"step1"}
    for name, want in own.items():
        capture, origin = _loaded(files[name])
        x, w = capture.product.x, capture.product.w
        s, t = origin["x_scale"], origin["w_scale"]
        found = exact_matmul(x, w) * s * t
        # The page's bound, of the magnitudes before rounding, which are at most half a step larger.
        x_most, w_most = (np.abs(x) + 0.5) * s, (np.abs(w) + 0.5) * t
        bound = t / 2 * x_most.sum(1)[:, None] + s / 2 * w_most.sum(0) + x.shape[1] * s * t / 4
        assert found.shape == want.shape, name
        assert (np.abs(found - want) <= bound * (1 + 1e-9)).all(), name
        assert np.abs(want).max() > 0
        assert np.linalg.norm(found - want) <= np.linalg.norm(want) * {4: 0.7, 8: 0.05, 16: 2e-4}[bits], name
        assert (capture.product.n_x, capture.product.n_w) == (bits // 4, bits // 4)
    assert _loaded(files["fc-fp"])[0].product.x_unsigned  # after ReLU
    assert not _loaded(files["fc-wg"])[0].product.x_unsigned


@needs_torch
def test_rows_are_spread_and_layers_chosen(tmp_path: Path) -> None:
    _, recording = _train(tmp_path, [0, 1], layers=["conv2", "f?"], rows=4)
    assert len(recording.paths) == 12
    _, whole = _train(tmp_path / "all", layers="conv2", rows=1000)
    few, many = (Capture.load(each.paths[1]).product for each in (recording, whole))
    assert np.array_equal(few.x, many.x[np.array([1, 3, 5, 7]) * len(many.x) // 8])
    assert np.array_equal(few.w, many.w)
    origin = dict(Capture.load(recording.paths[1]).origin)
    assert {name: origin[name] for name in ("layer", "pass", "step", "shape", "rows")} == {
        "layer": "conv2", "pass": "bp", "step": 0, "shape": "75x36x4", "rows": 4,
    }  # fmt: skip


@needs_torch
def test_calls_and_backward_passes_are_told_apart(tmp_path: Path) -> None:
    layer = nn.Linear(4, 4)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with record(layer, optimizer, tmp_path) as recording:
        with torch.no_grad():
            layer(torch.ones(1, 4))  # an evaluation
        y = layer(layer(torch.ones(2, 4)))
        y.sum().backward(retain_graph=True)
        (y * 3).sum().backward()
        optimizer.step()
        layer(torch.ones(2, 4)).sum().backward()  # of step 1, which nobody asked for
    names = ["fp", "wg", "wg-1.2", "fp-2", "bp-2", "wg-2", "bp-2.2", "wg-2.2"]
    assert [path.stem for path in recording.paths] == [f"Linear-{each}" for each in names]
    scales = [dict(Capture.load(recording.paths[at]).origin)["x_scale"] for at in (5, 7)]
    assert scales[1] == pytest.approx(3 * scales[0])


@needs_torch
def test_what_autograd_does_not_compute_is_not_recorded(tmp_path: Path) -> None:
    model = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3), "side": nn.Linear(3, 3), "rnn": nn.LSTM(3, 3)})
    model["b"].weight.requires_grad_(False)
    optimizer = torch.optim.SGD(model["a"].parameters(), lr=0.1)
    recording = record(model, optimizer, tmp_path)

    def train() -> None:
        with recording:
            x = model["a"](torch.ones(2, 3))
            model["b"](x)
            model["b"](x).sum().backward()
            optimizer.step()

    with pytest.warns(UserWarning, match="not recorded") as told:
        train()
    assert [path.stem for path in recording.paths] == ["a-fp", "a-wg", "b-fp", "b-fp-2", "b-bp-2"]
    assert [str(each.message) for each in told] == [f"not recorded: {line}" for line in recording.skipped]
    assert recording.skipped == [
        "layer rnn: LSTM is not recorded, only Linear and Conv2d are",
        "step 0, layer b: BP and WG, for no gradient came to its output",
        "step 0, layer side: it did not run with gradients",
    ]


@needs_torch
def test_a_training_is_what_it_is_without_a_recorder(tmp_path: Path) -> None:
    recorded, _ = _train(tmp_path, [0, 1], most=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder.Recording, "__enter__", lambda self: self)
        with pytest.raises(RecordError, match="step 0 was not recorded: the optimizer made 0 steps"):
            _train(tmp_path / "none", 0, most=3)
        patch.setattr(recorder.Recording, "__exit__", lambda *_: None)
        plain, _ = _train(tmp_path / "none", 0, most=3)
    for one, other in zip(recorded.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not any(layer._forward_hooks for layer in recorded.modules())


def _poison(name: str) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        with torch.no_grad():
            getattr(model, name).weight.reshape(-1)[1] = float("nan")

    return change


class Own(nn.Linear if HERE else object):  # type: ignore[misc]
    """Computes something else."""

    def forward(self, x: Any) -> Any:
        return super().forward(x * 2)


def _layer(name: str, make: Callable[[], Any]) -> Callable[[Any], None]:
    return lambda model: setattr(model, name, make())


@needs_torch
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": "fc3"}, "no layer is called fc3; those that can be recorded: conv1, conv2, fc"),
        ({"layers": "act", "change": lambda m: setattr(m, "act", nn.Tanh())}, "layer act (Tanh) holds no product"),
        ({"layers": "rnn", "change": lambda m: setattr(m, "rnn", nn.LSTM(2, 2))}, "layer rnn: LSTM is not recorded"),
        ({"layers": "at.out_proj", "change": lambda m: setattr(m, "at", nn.MultiheadAttention(4, 2))},
         "layer at.out_proj is a part of at: MultiheadAttention is not recorded, only Linear and Conv2d are"),
        ({"layers": "e", "change": lambda m: setattr(m, "e", Own(2, 2))}, "layer e: Own computes in a way"),
        ({"layers": "e", "change": lambda m: setattr(m, "e", nn.Conv2d(2, 2, 3, padding_mode="reflect"))},
         "layer e: padding_mode reflect is not recorded, only zeros"),
        ({"layers": "e", "change": lambda m: setattr(m, "e", nn.Linear(2, 2))}, "step 0: layer e did not run"),
        ({"steps": [0, 7]}, "step 7 was not recorded: the optimizer made 2 steps"),
        ({"steps": []}, "steps are numbers from 0 on, not []"),
        ({"steps": -1}, "steps are numbers from 0 on, not -1"),
        ({"w_bits": 5}, "w_bits are 4, 8, 12 or 16, not 5"),
        ({"rows": 0}, "rows is a number from 1 on, not 0"),
        ({"layers": "conv2", "change": _poison("conv2")},
         "step 0, layer conv2: 1 of 144 values of its weights are not finite"),
        ({"layers": "fc", "change": _poison("conv1")},
         "step 0, layer fc: 162 of 162 values of its input are not finite"),
    ],
)  # fmt: skip
def test_mistakes_get_one_line(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError) as caught:
        _train(tmp_path, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_torch
def test_other_mistakes_get_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    (tmp_path / "file").touch()
    for arguments, words in (
        (("model", optimizer, tmp_path), "model is a torch.nn.Module, not str"),
        ((model, 0.1, tmp_path), "optimizer is a torch.optim.Optimizer, not float"),
        ((model, optimizer, tmp_path / "file"), "cannot be made or written"),
        ((nn.ReLU(), optimizer, tmp_path), "the model has no Linear and no Conv2d"),
    ):
        with pytest.raises(RecordError) as caught:
            record(*arguments)  # type: ignore[arg-type]
        assert words in str(caught.value)
    monkeypatch.setattr(recorder, "MAX_ISSUES", 20)

    def train() -> None:
        with record(model, optimizer, tmp_path, rows=4):
            model(torch.ones(5, 2)).sum().backward()
            optimizer.step()

    with pytest.raises(RecordError, match=r"4 rows of its FP \(K 2, N 2\) are more than a run takes: record rows=2"):
        train()
    # An error of the training's own stays what it is.
    with pytest.raises(ZeroDivisionError), record(model, optimizer, tmp_path, steps=3):
        _ = 1 / 0


def script() -> str:
    """The script of the guide."""
    page = (ROOT / "docs" / "guide" / "pytorch.md").read_text(encoding="utf-8")
    found = re.search(r"```python[^\n]*\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


@needs_torch
@pytest.mark.parametrize("sim", ["icarus", "verilator"])
def test_the_script_of_the_guide_replays_on_the_rtl(sim: str, tmp_path: Path) -> None:
    (tmp_path / "digits.py").write_text(script(), encoding="utf-8")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "digits.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    paths = [tmp_path / line for line in done.stdout.split()]
    names = [f"{layer}-{each}" for layer in "25" for each in ("fp", "bp", "wg")]
    assert [path.parent.name + "/" + path.stem for path in paths] == [f"step{s}/{n}" for s in (0, 15) for n in names]
    block, sums = get_block("gemm"), tmp_path / "sums.npz"
    config = {"captures": list(map(str, paths)), "sums": str(sums), "reduced": True}
    result = run(block, sim, "captured", 1, block.resolve_params(None), config, label="torch")
    assert result.passed, result.summary()
    assert result.result
    assert result.result["mismatches"] == 0
    assert min(result.result["checks"].values()) > 1000
    with np.load(sums) as file:
        found = [file[name] for name in file.files]
    assert len(found) == len(paths)
    for path, y in zip(paths, found, strict=True):
        product = Capture.load(path).product
        assert np.array_equal(y, exact_matmul(product.x, product.w)), path
        assert np.any(y)
