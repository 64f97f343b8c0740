"""`make net` end to end on the RTL, as small as it gets; wrong products; every mistake of a user's."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

from flow.commands import net_run as flow
from flow.commands import net_trace
from flow.commands.net_report import cells, print_tables, total_cells, write_page
from flow.commands.net_run import Request, Sample, bundles, net, plan, totals
from flow.commands.net_trace import plan_trace
from flow.core.targets import run_target
from host.net.graph import Network
from models.common.formats import YBits
from models.common.rounding import Round
from models.common.tensors import exact_matmul
from models.ran.config import RanDescriptor
from models.ran.value import quantise, saturate
from tb.gemm.capture import Capture, save_all
from tb.gemm.program import Product, gemm_params
from tb.lib.errors import UserError

SHAPE = (2, 4, 8, 6)


def _floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-40, 41, shape).astype(np.float32) / 32


def _model(folder: Path, change: Any = None, **shapes: Any) -> Path:
    """A convolution with stride, padding, dilation and groups; Gemm; MatMul; an LSTM that is skipped. `change` gets
    lists of nodes and initializers."""
    rng = np.random.default_rng(3)
    weights = {"w1": (6, 2, 3, 3), "w2": (20, 96), "w3": (20, 7), "lw": (1, 8, 7), "lr": (1, 8, 2)}
    constants = [numpy_helper.from_array(_floats(rng, *shape), name) for name, shape in weights.items()]
    constants.append(numpy_helper.from_array(np.array([1, 2, 7]), "seq"))
    window = {"strides": [2, 1], "pads": [1, 0, 1, 2], "group": 2, "dilations": [1, 2]}
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c"], name="conv/first", **window),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "w2"], ["g"], name="fc1", transB=1),
        helper.make_node("MatMul", ["g", "w3"], ["y"], name="fc2"),
        helper.make_node("Reshape", ["y", "seq"], ["s"]),
        helper.make_node("LSTM", ["s", "lw", "lr"], ["z"], name="lstm", hidden_size=2),
    ]
    if change:
        change(nodes, constants)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shapes.get("x", SHAPE))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 7])
    graph = helper.make_graph(nodes, "net", [x], [y], constants)
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("org.example", 1)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=8)
    path = folder / "net.onnx"
    onnx.save(model, path)
    return path


def _input(folder: Path, shape: tuple[int, ...] = SHAPE) -> Path:
    np.save(folder / "x.npy", _floats(np.random.default_rng(4), *shape))
    return folder / "x.npy"


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Request:
    """Of two rows a product, with records of its own."""
    store = tmp_path / "build"
    store.mkdir()
    monkeypatch.setattr(flow, "BUILD", store)
    return Request(_model(tmp_path), _input(tmp_path), sample=Sample.parse("2"), x_bits=8, w_bits=4)


def test_a_network_end_to_end(request_: Request, tmp_path: Path) -> None:
    data = net(plan(request_), Console(quiet=True))
    assert (data["status"], data["mismatches"], data["runs_kept"]) == ("pass", 0, 0)
    assert [(each["name"], each["shape"], each["products"]) for each in data["layers"]] == [
        ("conv/first", [32, 18, 3], 2), ("fc1", [2, 96, 20], 1), ("fc2", [2, 20, 7], 1),
    ]  # fmt: skip
    for each in data["layers"]:
        assert (each["x_bits"], each["w_bits"], each["sampled"]) == (8, 4, 2)
        assert each["compared"] == 2 * each["products"] * each["shape"][2]
        assert each["pairs"] == each["issues"] + sum(each["skipped"].values()) == each["dense16"] * 2 // 16
        # Precision, skipping and utilisation make up the speed-up.
        parts = each["dense16"] / each["pairs"] * each["pairs"] / each["issues"] * each["utilisation"]
        assert each["speedup"] == pytest.approx(parts)
        assert min(each["checks"].values()) > 0
        assert each["sqnr_db"] > 10
        assert 0.5 < each["energy"]["over_int16"] < each["energy"]["over_fp16"] < 20
    assert [each["x_unsigned"] for each in data["layers"]] == [False, True, False]
    assert data["layers"][1]["issues"] == data["layers"][1]["whole_issues"]
    assert data["checks"]["slice"] == sum(each["checks"]["slice"] for each in data["layers"])
    assert [(each["name"], each["op"]) for each in data["skipped_layers"]] == [("lstm", "LSTM")]
    json.dumps(data, allow_nan=False)
    page = write_page(data, tmp_path / "net.html").read_text(encoding="utf-8")
    assert "0 mismatches" in page
    assert "lstm" in page
    console = Console(width=160, record=True, quiet=False, file=(tmp_path / "out").open("w", encoding="utf-8"))
    print_tables(data, console)
    said = console.export_text()
    assert "skipped: LSTM lstm: its products are inside the operator" in said
    assert "2 of 32" in said

    # Everything is kept: the same call simulates nothing and says the same.
    again = net(plan(request_), Console(quiet=True))
    assert again["runs_kept"] == again["runs"] == data["runs"] == 3
    assert again["layers"] == data["layers"]


def test_sums_that_are_wrong_are_mismatches(request_: Request, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    genuine = flow.run

    def wrong(*arguments: Any, **more: Any) -> Any:
        result = genuine(*arguments, **more)
        path = arguments[5]["sums"]
        with np.load(path) as file:
            arrays = [file[name] for name in file.files]
        arrays[0][1, 2] += 1
        np.savez(path, *arrays)
        return result

    monkeypatch.setattr(flow, "run", wrong)
    work = plan(Request(request_.model, request_.input, "conv*", request_.sample, 8, 4))
    data = net(work, Console(quiet=True))
    assert (data["status"], data["mismatches"], data["layers"][0]["compared"]) == ("fail", 1, 12)


def test_a_run_that_fails_is_told_and_not_kept(
    request_: Request, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    genuine = flow.run

    def spoilt(block: Any, sim: str, test: str, seed: int, params: Any, config: Any, label: str) -> Any:
        return genuine(block, sim, test, seed, params, {**config, "spoil": 0}, label="net-spoilt")

    monkeypatch.setattr(flow, "run", spoilt)
    work = plan(Request(request_.model, request_.input, "fc2", request_.sample, 8, 4))
    data = net(work, Console(quiet=True))
    layer = data["layers"][0]
    assert data["status"] == "fail"
    assert data["mismatches"] == layer["mismatches"] > 0
    assert "result" in layer["errors"][0]
    assert layer["replay"][0].startswith("make sim BLOCK=gemm SIM=verilator CAPTURE=")
    assert not list(tmp_path.rglob("run.json"))
    assert cells(layer)
    assert total_cells(data)


def _recorded(folder: Path) -> Path:
    """Captures of three passes: one under a mask, one with orders dropped, one longer than a chunk; and a bad file."""
    rng = np.random.default_rng(8)
    kinds = {"wg": {"min_order": 1}, "bp": {"mask": rng.random((4, 18)) < 0.5}, "fp": {"bias": rng.integers(-9, 9, 18)}}
    for kind, more in kinds.items():
        k = 150 if kind == "fp" else 12
        x, w = rng.integers(-100, 100, (4, k)), rng.integers(-7, 8, (k, 18))
        product = Product(x, w, 2, 1, RanDescriptor(YBits.B8, shift=3), kind, **more)
        save_all(folder / "step0", [Capture(product, 1, {"pass": kind, "layer": "conv1"})])
    (folder / "notes.npz").write_bytes(b"hello")
    return folder


def test_captures_are_layers(request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = plan_trace(replace(request_, model=_recorded(tmp_path / "trace")))
    data = net(work, Console(quiet=True))
    assert (data["status"], data["mismatches"], data["runs"]) == ("pass", 0, 3)
    assert [(each["name"], each["op"], each["shape"]) for each in data["layers"]] == [
        ("step0/bp", "BP", [4, 12, 18]), ("step0/fp", "FP", [4, 150, 18]), ("step0/wg", "WG", [4, 12, 18]),
    ]  # fmt: skip
    bp, fp, wg = data["layers"]
    assert (bp["compared"], bp["skipped"]["mask"] > 0, wg["skipped"]["order"] > 0) == (72, True, True)
    assert fp["skipped"]["mask"] == fp["skipped"]["order"] == 0
    assert all(each["energy"]["over_fp16"] > 0 for each in data["layers"])
    (skipped,) = data["skipped_layers"]
    assert (skipped["name"], skipped["op"]) == ("notes", "capture")
    assert "notes.npz" in skipped["why"]
    assert write_page(data, tmp_path / "net.html").is_file()

    # The same operands under another mask are another run.
    path = tmp_path / "trace" / "step0" / "bp.npz"
    capture = Capture.load(path)
    assert capture.product.mask is not None
    replace(capture, product=replace(capture.product, mask=~capture.product.mask)).save(path)
    again = net(work, Console(quiet=True))
    assert (again["mismatches"], again["runs"], again["runs_kept"]) == (0, 3, 2)

    # Sums that differ from the oracle's, mask and order in it, are mismatches.
    monkeypatch.setattr(Product, "sums", lambda self, lanes: self.x @ self.w)
    assert [each["mismatches"] > 0 for each in net(work, Console(quiet=True))["layers"]] == [True, False, True]


def _empty(folder: Path) -> Path:
    (folder / "a.npz").write_bytes(b"")
    return folder


@pytest.mark.parametrize(("make", "words"), [
    (lambda folder: folder, "there is no capture"),
    (lambda folder: folder / "none.npz", "no capture can run: "),
    (_empty, "no capture can run: "),
])  # fmt: skip
def test_traces_that_are_none(make: Any, words: str, tmp_path: Path, request_: Request) -> None:
    folder = tmp_path / "trace"
    folder.mkdir()
    with pytest.raises(UserError, match=words) as caught:
        plan_trace(replace(request_, model=make(folder)))
    assert "\n" not in str(caught.value)


def test_bundles_cover_a_layer_exactly(request_: Request) -> None:
    work = plan(Request(request_.model, request_.input, "Conv", Sample.parse("all")))
    prepared = work.prepare(work.layers[0])
    params = gemm_params(flow.get_block("gemm").resolve_params(None))
    blocks, runs = {}, 0
    for bundle in bundles(prepared, np.arange(32), params, most=500):
        runs += 1
        assert bundle.items
        assert sum(piece.issues for _, piece, _ in bundle.items) == bundle.issues <= 500
        for block, piece, product in bundle.items:
            block.y[piece.rows, piece.columns] += exact_matmul(product.x, product.w)
            block.missing -= 1
            blocks[id(block)] = block
    assert runs > 2
    assert len(blocks) == 2
    assert all(block.missing == 0 and block.mismatches() == 0 for block in blocks.values())


def test_captures_are_cut_like_layers(request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their masks and smallest orders, each sum once."""
    monkeypatch.setattr(net_trace, "MOST_ISSUES", 60)
    work = plan_trace(replace(request_, model=_recorded(tmp_path / "trace")))
    params = gemm_params(flow.get_block("gemm").resolve_params(None))
    for layer in work.layers:
        blocks, runs = {}, 0
        for bundle in work.bundles(work.prepare(layer), params):
            runs += 1
            (block, piece, product) = bundle.items[0]
            block.y[piece.rows, piece.columns] += product.sums(params.core.lanes)
            block.missing -= 1
            blocks[id(block)] = block
        (block,) = blocks.values()
        assert runs > 1
        assert (block.missing, block.mismatches()) == (0, 0)


def test_integers_equal_the_operators_own(request_: Request) -> None:
    """The products of all rows, put together, against ONNX' operators on the same integers."""
    work = plan(Request(request_.model, request_.input, sample=Sample.parse("all")))
    for layer in work.layers:
        prepared = work.prepare(layer)
        rows = np.arange(prepared.lowered.shape[0])
        lowered = prepared.lowered
        got = np.concatenate([exact_matmul(lowered.x(p, rows), lowered.w(p)) for p in range(lowered.parts)], axis=1)
        graph = helper.make_graph(
            [helper.make_node(layer.op, ["a", "b"], ["y"], **_attributes_of(layer))], "one",
            [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in "ab"],
            [helper.make_tensor_value_info("y", TensorProto.DOUBLE, None)],
        )  # fmt: skip
        one = onnx.reference.ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))
        feeds = {"a": prepared.x.q.astype(np.float64), "b": prepared.w.q.astype(np.float64)}
        want = np.asarray(one.run(None, feeds)[0])
        want = np.moveaxis(want, 1, -1).reshape(-1, want.shape[1]) if layer.op == "Conv" else want
        assert np.array_equal(got, want), layer.name


def _attributes_of(layer: Any) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in layer.node.attribute}


def _own_scales(nodes: list[Any], constants: list[Any]) -> None:
    """fc1 with integers and scales of the model: activations of 8 bits less a zero point, weights by column."""
    rng = np.random.default_rng(9)
    constants += [
        numpy_helper.from_array(np.array(0.01, np.float32), "sx"),
        numpy_helper.from_array(np.array(100, np.uint8), "zx"),
        numpy_helper.from_array(rng.integers(-127, 128, (20, 96)).astype(np.int8), "w2q"),
        numpy_helper.from_array((rng.integers(1, 9, 20) / 64).astype(np.float32), "sw"),
    ]  # fmt: skip
    at = next(n for n, node in enumerate(nodes) if node.name == "fc1")
    nodes[at : at + 1] = [
        helper.make_node("QuantizeLinear", ["f", "sx", "zx"], ["fq"]),
        helper.make_node("DequantizeLinear", ["fq", "sx", "zx"], ["fd"]),
        helper.make_node("DequantizeLinear", ["w2q", "sw"], ["w2d"], axis=0),
        helper.make_node("Gemm", ["fd", "w2d"], ["g"], name="fc1", transB=1),
    ]


def test_a_models_own_integers(request_: Request, tmp_path: Path) -> None:
    work = plan(Request(_model(tmp_path, _own_scales), request_.input, "fc1,fc2"))
    prepared = work.prepare(work.layers[0])
    assert (prepared.x.bits, prepared.x.unsigned, prepared.x.own) == (12, False, True)  # -100 .. 155
    assert (prepared.w.bits, prepared.w.unsigned, prepared.w.own) == (8, False, True)
    values, _ = work.network.evaluate(["fd", "w2d", "sw"], work.network.feed(request_.input, False))
    assert np.allclose(prepared.x.q * 0.01, values["fd"])
    assert np.allclose(prepared.w.q * values["sw"][:, None], values["w2d"])
    assert prepared.floats is None
    assert work.prepare(work.layers[1]).x.own is False


def test_scales_along_k_are_skipped(request_: Request, tmp_path: Path) -> None:
    def along_k(nodes: list[Any], constants: list[Any]) -> None:
        _own_scales(nodes, constants)
        constants.append(numpy_helper.from_array(np.full(96, 0.5, np.float32), "sk"))
        node = next(node for node in nodes if list(node.output) == ["w2d"])
        node.input[1] = "sk"
        node.attribute[0].i = 1

    work = plan(Request(_model(tmp_path, along_k), request_.input))
    assert "fc1" not in [each.name for each in work.layers]
    why = next(each.why for each in work.skipped if each.name == "fc1")
    assert why == "w2q has scales along a dimension that is summed up"


def test_integer_operators(tmp_path: Path, request_: Request) -> None:
    def integers(nodes: list[Any], constants: list[Any]) -> None:
        rng = np.random.default_rng(5)
        constants.append(numpy_helper.from_array(rng.integers(0, 255, (20, 7)).astype(np.uint8), "wi"))
        constants.append(numpy_helper.from_array(np.full(7, 128, np.uint8), "zi"))
        at = next(n for n, node in enumerate(nodes) if node.name == "fc2")
        nodes[at : at + 1] = [
            helper.make_node("DynamicQuantizeLinear", ["g"], ["gq", "gs", "gz"]),
            helper.make_node("MatMulInteger", ["gq", "wi", "gz", "zi"], ["yi"], name="fc2"),
            helper.make_node("Cast", ["yi"], ["y"], to=TensorProto.FLOAT),
        ]

    work = plan(Request(_model(tmp_path, integers), request_.input, "fc2"))
    prepared = work.prepare(work.layers[0])
    values, _ = work.network.evaluate(["yi"], work.network.feed(request_.input, False))
    assert np.array_equal(exact_matmul(prepared.lowered.x(0, np.arange(2)), prepared.lowered.w(0)), values["yi"])
    assert (prepared.w.bits, prepared.w.unsigned) == (8, False)  # 0..255 less 128


@pytest.mark.parametrize(
    ("text", "m", "rows"),
    [
        ("2", 10, [2, 7]),
        ("64", 3, [0, 1, 2]),
        ("0.05", 40, [10, 30]),
        ("0.001", 10, [5]),
        ("1.0", 3, [0, 1, 2]),
        ("all", 2, [0, 1]),
    ],
)
def test_samples(text: str, m: int, rows: list[int]) -> None:
    assert Sample.parse(text).pick(m).tolist() == rows


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "0.0", "some", "1e-3", "", "5%"])
def test_samples_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match=r"SAMPLE=.*: give a number of rows \(64\), a share \(0.05\) or all"):
        Sample.parse(text)


def test_totals_weigh_layers_by_their_whole_work() -> None:
    energy = {"pj": {"a": 2.0}, "dense_pj": {"fp16": {"a": 6.0}, "int16": {"a": 4.0}}}
    names = {"issues": 50, "pairs": 100, "cycles": 30, "whole_issues": 99, "energy": energy}
    fast = names | {"dense16": 400, "whole_dense16": 400, "busy": 10, "skipped": dict.fromkeys(flow.SKIPS, 0)}
    slow = fast | {"whole_dense16": 4000, "busy": 100}
    got = totals([fast, slow], 1)
    assert got["speedup"] == pytest.approx(4400 / (10 + 10 * 100))
    assert got["sampled_share"] == pytest.approx(800 / 4400)
    assert got["energy"] == {"over_fp16": pytest.approx(3), "over_int16": pytest.approx(2)}


def _not_a_number(nodes: list[Any], constants: list[Any]) -> None:
    array = numpy_helper.to_array(constants[1]).copy()
    array[0, :3] = np.nan
    constants[1].CopyFrom(numpy_helper.from_array(array, "w2"))


def _infinite(nodes: list[Any], constants: list[Any]) -> None:
    nodes[1:2] = [helper.make_node("Log", ["c"], ["r"])]


def _foreign(nodes: list[Any], constants: list[Any]) -> None:
    nodes[1:2] = [helper.make_node("FusedRelu", ["c"], ["r"], domain="org.example")]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: Request(_input(f), _input(f)), "x.npy is not an ONNX file: "),
        (lambda f: Request(_empty(f), _input(f)), "empty is not an ONNX file: it holds no graph"),
        (lambda f: Request(_model(f, _not_a_number), _input(f)), "weights are not numbers: 3 of 1920 in w2 are NaN"),
        (lambda f: Request(_model(f, _infinite), _input(f)), r"layer fc1: \d+ of \d+ values of f are not finite"),
        (lambda f: Request(_model(f, _foreign), _input(f)), "cannot be evaluated by ONNX' reference evaluator"),
        (lambda f: Request(_model(f, lambda n, _: n.pop(0)), _input(f)), "is not a valid ONNX model: "),
        (
            lambda f: Request(_model(f, x=("batch", 4, 8, 6)), _input(f)),
            r"input x has dynamic dimensions \(batch\): give .* or add DYNAMIC=1 to take them from INPUT \(2x4x8x6\)",
        ),
        (lambda f: Request(_model(f), _input(f, (2, 3, 8, 6))), "x has the shape 2x3x8x6, the model takes 2x4x8x6"),
        (lambda f: Request(_model(f), _input(f, (4, 8, 6))), "x has the shape 4x8x6"),
        (lambda f: Request(_model(f), _saved(f, np.ones(SHAPE, np.uint8))), "x is uint8, the model takes float32"),
        (lambda f: Request(_model(f), _saved(f, np.full(SHAPE, np.nan))), "x has values that are not finite"),
        (lambda f: Request(_model(f), _model(f)), "is not a .npy or .npz file of numbers"),
        (lambda f: Request(_model(f), _archive(f)), "holds a; the model's inputs are x"),
        (lambda f: Request(_model(f), _input(f), "fc3"), r"LAYERS=fc3 matches no layer: did you mean fc\d\?"),
        (lambda f: Request(_model(f), _input(f), "lstm"), "LAYERS=lstm matches no layer: LSTM lstm is not supported"),
        (lambda f: Request(_model(f), _input(f), "fc1,zzz"), r"matches no layer \(they are: conv/first, fc1, fc2\)"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(make: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "run", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=words) as caught:
        plan(make(tmp_path))
    assert "\n" not in str(caught.value)


def _empty(folder: Path) -> Path:
    (folder / "empty").write_bytes(b"")
    return folder / "empty"


def _saved(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "other.npy", array)
    return folder / "other.npy"


def _archive(folder: Path) -> Path:
    np.savez(folder / "a.npz", a=np.ones(SHAPE, np.float32))
    return folder / "a.npz"


def test_dynamic_dimensions_from_the_input(tmp_path: Path) -> None:
    path = _model(tmp_path, x=("batch", 4, 8, "?"))
    work = plan(Request(path, _input(tmp_path), dynamic=True))
    assert [each.name for each in work.layers] == ["conv/first", "fc1", "fc2"]
    with pytest.raises(UserError, match="the model takes batchx4x8x"):
        plan(Request(path, _input(tmp_path, (2, 3, 8, 6)), dynamic=True))


def test_a_model_without_layers(tmp_path: Path) -> None:
    def only_lstm(nodes: list[Any], constants: list[Any]) -> None:
        nodes[:] = [
            helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0),
            helper.make_node("Gather", ["m", "some"], ["y"], axis=1),
            helper.make_node("Reshape", ["y", "seq"], ["s"]),
            nodes[-1],
        ]
        constants.append(numpy_helper.from_array(np.array([0, 1, 2, 3, 0, 1, 2]), "some"))

    with pytest.raises(UserError, match=r"has no layer that can run: it needs a Conv, Gemm.*\(LSTM lstm: "):
        plan(Request(_model(tmp_path, only_lstm), _input(tmp_path)))


def test_branches_are_skipped_and_names_are_unique(tmp_path: Path) -> None:
    def branch(nodes: list[Any], constants: list[Any]) -> None:
        constants.append(numpy_helper.from_array(np.array(True), "yes"))
        sides = [
            helper.make_graph(
                [helper.make_node("MatMul", ["g", "w3"], ["out"], name="fc1")], name, [],
                [helper.make_tensor_value_info("out", TensorProto.FLOAT, [2, 7])],
            )
            for name in ("one", "other")
        ]  # fmt: skip
        at = next(n for n, node in enumerate(nodes) if node.name == "fc2")
        nodes[at] = helper.make_node("If", ["yes"], ["y"], name="choice", then_branch=sides[0], else_branch=sides[1])

    network = Network.load(_model(tmp_path, branch))
    skipped = [each for each in network.skipped if each.op == "MatMul"]
    assert [each.name for each in skipped] == ["fc1#2", "fc1#3"]
    assert {each.why for each in skipped} == {"inside a branch or loop (If choice)"}


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({}, "error: give MODEL=, an ONNX file, and INPUT=, "),
        ({"MODEL": "/no/such.onnx"}, "error: MODEL=/no/such.onnx: cannot read /no/such.onnx"),
        ({"X_BITS": 5}, "error: X_BITS=5: choose one of 4, 8, 12, 16"),
        ({"TRACE": "/no/such"}, "error: TRACE=/no/such: cannot read /no/such"),
        ({"TRACE": "docs"}, "error: TRACE=docs: there is no capture (*.npz) in it"),
        ({"TRACE": "docs", "MODEL": "README.md"}, "error: TRACE already says what MODEL would: give one of them"),
        ({"MODEL": "README.md", "INPUT": "README.md", "SAMPLE": "none"}, "error: SAMPLE=none: give a number of rows"),
        ({"MODEL": "README.md", "INPUT": "README.md"}, "is not an ONNX file: "),
    ],
)  # fmt: skip
def test_mistakes_in_the_call(variables: dict[str, Any], error: str, tmp_path: Path) -> None:
    done = run_target("net", **variables)
    assert (done.returncode, done.stdout) == (2, "")
    assert error in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.late
def test_the_command_reports(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    done = run_target(
        "net", MODEL=_model(tmp_path), INPUT=_input(tmp_path), LAYERS="fc2", SAMPLE=2, W_BITS=4, REPORT=report
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "PASS net net.onnx: 1 layers, 1 skipped, 0 mismatches" in done.stdout
    assert json.loads(report.read_text(encoding="utf-8"))["layers"][0]["name"] == "fc2"


@pytest.mark.late
def test_the_command_takes_a_trace(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    done = run_target("net", TRACE=_recorded(tmp_path / "captures"), REPORT=report)
    assert (done.returncode, done.stderr) == (0, "")
    assert "PASS net captures: 3 layers, 1 skipped, 0 mismatches" in done.stdout
    assert [each["op"] for each in json.loads(report.read_text(encoding="utf-8"))["layers"]] == ["BP", "FP", "WG"]


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("shift", [1, 7, 12])
def test_the_ran_rounds_as_quantize_linear_and_as_tflite_but_for_ties(shift: int, unsigned: bool) -> None:
    """Sums below 2^24, which float32 holds, all around ties; the page says where the three differ."""
    low, high = (-20, 300) if unsigned else (-200, 200)
    halves = np.arange(2 * low, 2 * high, dtype=np.int64) << (shift - 1)
    sums = (halves[:, None] + np.array([-1, 0, 1])).reshape(-1, 1)
    desc = RanDescriptor(y_bits=YBits.B8, y_unsigned=unsigned, shift=shift, round=Round.NEAREST)
    mine, _ = saturate(quantise(sums, desc), desc)
    kind = TensorProto.UINT8 if unsigned else TensorProto.INT8
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [len(sums)])],
        [helper.make_tensor_value_info("y", kind, [len(sums)])],
        [
            helper.make_tensor("scale", TensorProto.FLOAT, [], [float(1 << shift)]),
            helper.make_tensor("zero", kind, [], [0]),
        ],
    )  # fmt: skip
    model = onnx.reference.ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))
    theirs = model.run(None, {"x": sums[:, 0].astype(np.float32)})[0]
    assert np.array_equal(mine[:, 0], theirs)
    # Ties away from zero, exactly: sign * floor((2 |s| + 2^shift) / 2^(shift + 1)).
    away = np.sign(sums) * ((2 * np.abs(sums) + (1 << shift)) >> (shift + 1))
    limited, _ = saturate(away, desc)
    ties = sums % (1 << shift) == 1 << (shift - 1)
    differ = limited != mine
    assert np.any(differ)
    assert not np.any(differ & ~ties)
    assert np.all(np.abs(limited - mine)[differ] == 1)
