"""A network in ONNX: its layers (operators that are matrix products), what is skipped and why, the values that reach
each layer, and the operands they become.

Values come from ONNX Runtime where it is installed, else from ONNX' own reference evaluator. Only what the chosen
layers need is evaluated.

Errors: `NetError`, one line, for a model, an input or a choice that cannot be used; `LayerError` for a layer that
cannot be a product here, which the caller lists among the skipped.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.inliner
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops.op_dequantize_linear import DequantizeLinear_25

from host.net.lower import Lowered, LowerError, lower_conv, lower_gemm, lower_matmul
from host.net.quantise import Quantised, own_integers, quantise

Array = npt.NDArray[Any]


class NetError(ValueError):
    """A model, an input or a choice that cannot be used; the message is one line."""


class LayerError(ValueError):
    """Why a layer cannot be a product of the pair; the message is one line."""


@dataclass(frozen=True)
class Operator:
    """Where an operator has its operands; `zeros`: inputs of their zero points, where it takes integers."""

    kind: str
    x: int = 0
    w: int = 1
    zeros: tuple[int, int] | None = None


OPERATORS = {
    "Conv": Operator("conv"),
    "Gemm": Operator("gemm"),
    "MatMul": Operator("matmul"),
    "ConvInteger": Operator("conv", zeros=(2, 3)),
    "MatMulInteger": Operator("matmul", zeros=(2, 3)),
    "QLinearConv": Operator("conv", 0, 3, (2, 5)),
    "QLinearMatMul": Operator("matmul", 0, 3, (2, 5)),
}
# Operators that hold products too, and why they are skipped.
UNSUPPORTED = {
    "ConvTranspose": "a transposed convolution is not cut into products",
    "DeformConv": "a deformable convolution is not cut into products",
    "Einsum": "an Einsum is not cut into products: write it as MatMul",
    "Attention": "its products are inside the operator: export it as MatMul and Softmax",
    "LSTM": "its products are inside the operator, step by step",
    "GRU": "its products are inside the operator, step by step",
    "RNN": "its products are inside the operator, step by step",
}
STANDARD = ("", "ai.onnx")


class DequantizeLinear(DequantizeLinear_25):  # type: ignore[misc]
    """The reference evaluator begins with version 19 of the operator; earlier ones differ in nothing that is used."""

    op_domain = ""


OLD_OPERATORS = {19: [DequantizeLinear]}  # before that version of the standard operators


@dataclass(frozen=True)
class Skipped:
    """An operator with products that are not run, and why."""

    name: str
    op: str
    why: str


@dataclass(frozen=True, eq=False)
class Layer:
    """An operator that is a product."""

    name: str
    node: onnx.NodeProto

    @property
    def op(self) -> str:
        """Its type."""
        return str(self.node.op_type)

    @property
    def operator(self) -> Operator:
        """Where its operands are."""
        return OPERATORS[self.op]


@dataclass(frozen=True, eq=False)
class Operand:
    """What an operand is made of, by tensor name: floats, or integers less zero points (with a scale, if it is known).

    `axis`: that scale and zero point go along, where they have more than one element.
    """

    tensor: str
    integers: bool = False
    scale: str = ""
    zero: str = ""
    axis: int | None = None

    @property
    def names(self) -> list[str]:
        """Every tensor that it needs."""
        return [name for name in (self.tensor, self.scale, self.zero) if name]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A layer's operands as products; `floats`: the same of the values before they were rounded, if they were."""

    layer: Layer
    lowered: Lowered
    x: Quantised
    w: Quantised
    floats: Lowered | None


def one_line(error: Exception) -> str:
    """The first line of a library's complaint."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def shown_shape(shape: Sequence[Any]) -> str:
    """As 1x3x8x8."""
    return "x".join(map(str, shape)) or "scalar"


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    out = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in out.items()}


def _graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for each in node.attribute:
        if each.type == onnx.AttributeProto.GRAPH:
            yield each.g
        elif each.type == onnx.AttributeProto.GRAPHS:
            yield from each.graphs


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Every tensor that a node may read, those of its subgraphs included."""
    yield from node.input
    for graph in _graphs(node):
        for inner in graph.node:
            yield from _reads(inner)
        yield from (each.name for each in graph.output)


class Network:
    """A loaded model. `layers` and `skipped` in the order of the graph."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        graph = model.graph
        self.constants = {each.name: each for each in graph.initializer}
        self.inputs = [each for each in graph.input if each.name not in self.constants]
        self.producer = {name: node for node in graph.node for name in node.output if name}
        self.layers: list[Layer] = []
        self.skipped: list[Skipped] = []
        self._names: Counter[str] = Counter()
        for node in graph.node:
            self._scan(node, "")
        self._check_constants()

    # ---- loading -----------------------------------------------------------------------------------------------------
    @classmethod
    def load(cls, path: Path) -> Network:
        """Reads a file. Raises `NetError`: no ONNX file, an inconsistent model, weights that are not finite."""
        try:
            model = onnx.load(path)
        except Exception as error:  # protobuf, external data: anything
            raise NetError(f"MODEL={path} is not an ONNX file: {one_line(error)}") from None
        if not model.graph.node:
            raise NetError(f"MODEL={path} is not an ONNX file: it holds no graph")
        try:
            onnx.checker.check_model(model)
            if model.functions:
                model = onnx.inliner.inline_local_functions(model)
        except Exception as error:
            raise NetError(f"MODEL={path} is not a valid ONNX model: {one_line(error)}") from None
        return cls(model)

    def _name(self, node: onnx.NodeProto) -> str:
        base = node.name or f"{node.op_type}_{self._names[node.op_type]}"
        self._names[node.op_type] += not node.name
        self._names[f"={base}"] += 1
        times = self._names[f"={base}"]
        return base if times == 1 else f"{base}#{times}"

    def _scan(self, node: onnx.NodeProto, inside: str) -> None:
        known = node.domain in STANDARD
        if (known and node.op_type in OPERATORS) or node.op_type in UNSUPPORTED:
            name = self._name(node)
            if node.op_type in UNSUPPORTED:
                self.skipped.append(Skipped(name, node.op_type, UNSUPPORTED[node.op_type]))
            elif inside:
                self.skipped.append(Skipped(name, node.op_type, f"inside a branch or loop ({inside})"))
            else:
                self.layers.append(Layer(name, node))
        elif not known and re.search("Conv|Gemm|MatMul|Attention|LSTM|GRU", node.op_type):
            why = f"operators of {node.domain} are not known here"
            self.skipped.append(Skipped(self._name(node), node.op_type, why))
        for graph in _graphs(node):
            for inner in graph.node:
                self._scan(inner, inside or f"{node.op_type} {node.name}".strip())

    def _check_constants(self) -> None:
        tensors = list(self.model.graph.initializer)
        for node in self.model.graph.node:
            tensors += [a.t for a in node.attribute if a.name == "value" and a.type == onnx.AttributeProto.TENSOR]
        for tensor in tensors:
            try:
                array = numpy_helper.to_array(tensor)
            except Exception as error:
                raise NetError(f"MODEL: the tensor {tensor.name} is damaged: {one_line(error)}") from None
            if array.dtype.kind == "f" and (np.isnan(array).any()):
                count = int(np.isnan(array).sum())
                raise NetError(f"MODEL: weights are not numbers: {count} of {array.size} in {tensor.name} are NaN")

    # ---- choices -----------------------------------------------------------------------------------------------------
    def choose(self, patterns: str | None) -> list[Layer]:
        """Layers by names, operators or patterns (`conv*`) with commas between them; all without. Raises `NetError` for
        one that matches nothing."""
        if not self.layers:
            others = "; ".join(f"{each.op} {each.name}: {each.why}" for each in self.skipped)
            raise NetError(
                f"MODEL has no layer that can run: it needs a {', '.join(OPERATORS)}{others and f' ({others})'}"
            )
        if patterns is None:
            return self.layers
        chosen = []
        for pattern in (each.strip() for each in patterns.split(",")):
            found = [
                each for each in self.layers if each.name == pattern or fnmatch.fnmatchcase(each.name, pattern)
            ] or [each for each in self.layers if each.op == pattern]
            if not found:
                raise NetError(f"LAYERS={pattern} matches no layer{self._hint(pattern)}")
            chosen += found
        return [each for each in self.layers if each in chosen]

    def _hint(self, pattern: str) -> str:
        for each in self.skipped:
            if each.name == pattern or fnmatch.fnmatchcase(each.name, pattern):
                return f": {each.op} {each.name} is not supported, {each.why}"
        names = [each.name for each in self.layers]
        lower = {name.lower(): name for name in names}
        close = difflib.get_close_matches(pattern.lower(), lower, n=1, cutoff=0.5)
        if close:
            return f": did you mean {lower[close[0]]}?"
        some = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        return f" (they are: {some})"

    # ---- inputs ------------------------------------------------------------------------------------------------------
    def feed(self, path: Path, dynamic: bool) -> dict[str, Array]:
        """The arrays of INPUT by the name of the model's input: a .npy for a model of one input, else a .npz. With
        `dynamic`, dimensions that the model leaves open are taken as they are. Raises `NetError`."""
        try:
            loaded = np.load(path, allow_pickle=False)
            arrays = {"": loaded} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
        except Exception as error:  # damaged files raise almost anything
            raise NetError(f"INPUT={path} is not a .npy or .npz file of numbers: {one_line(error)}") from None
        names = [each.name for each in self.inputs]
        if list(arrays) == [""]:
            if len(names) != 1:
                raise NetError(
                    f"INPUT={path}: the model has the inputs {', '.join(names)}: give a .npz with these names"
                )
            arrays = {names[0]: arrays[""]}
        if set(arrays) != set(names):
            raise NetError(f"INPUT={path} holds {', '.join(sorted(arrays))}; the model's inputs are {', '.join(names)}")
        return {each.name: self._checked(each, arrays[each.name], dynamic) for each in self.inputs}

    @staticmethod
    def _checked(info: onnx.ValueInfoProto, array: Array, dynamic: bool) -> Array:
        kind = info.type.tensor_type
        name, got = info.name, shown_shape(array.shape)
        if not info.type.HasField("tensor_type"):
            raise NetError(f"MODEL: the input {name} is no tensor")
        open_shape = not kind.HasField("shape")
        dims = [(d.dim_value if d.dim_value > 0 else None, d.dim_param or "?") for d in kind.shape.dim]
        loose = [said for value, said in dims if value is None]
        if (loose or open_shape) and not dynamic:
            what = f"dynamic dimensions ({', '.join(loose)})" if loose else "no shape"
            raise NetError(
                f"MODEL: the input {name} has {what}: give the model static shapes, or add DYNAMIC=1 to take them from "
                f"INPUT ({got})"
            )
        wanted = shown_shape([said if value is None else value for value, said in dims])
        fits = open_shape or (
            len(dims) == array.ndim and all(v in (None, n) for (v, _), n in zip(dims, array.shape, strict=True))
        )
        if not fits or array.size == 0:
            raise NetError(f"INPUT: {name} has the shape {got}, the model takes {wanted}")
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        if array.dtype != dtype:
            if array.dtype.kind != "f" or dtype.kind != "f":
                raise NetError(f"INPUT: {name} is {array.dtype}, the model takes {dtype}")
            array = array.astype(dtype)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise NetError(f"INPUT: {name} has values that are not finite")
        return array

    # ---- values ------------------------------------------------------------------------------------------------------
    def operands(self, layer: Layer) -> tuple[Operand, Operand]:
        """What X and W are made of. Raises `LayerError`."""
        op, names = layer.operator, layer.node.input
        if op.zeros is not None:
            zeros = [names[at] if at < len(names) else "" for at in op.zeros]
            axes = {"conv": (None, 0), "matmul": (-2, -1)}[op.kind]
            made = [
                Operand(names[at], True, "", zero, axis)
                for at, zero, axis in zip((op.x, op.w), zeros, axes, strict=True)
            ]
            return made[0], made[1]
        return self._operand(names[op.x]), self._operand(names[op.w])

    def _operand(self, name: str) -> Operand:
        node = self.producer.get(name)
        if node is None or node.op_type != "DequantizeLinear" or node.domain not in STANDARD:
            return Operand(name)
        attributes = _attributes(node)
        if attributes.get("block_size"):
            raise LayerError(f"{name} has a scale for every block: its products have no common scale")
        zero = node.input[2] if len(node.input) > 2 else ""
        return Operand(node.input[0], True, node.input[1], zero, int(attributes.get("axis", 1)))

    def evaluate(self, names: Sequence[str], feeds: Mapping[str, Array]) -> tuple[dict[str, Array], str]:
        """Values of tensors, and by what they were computed. Raises `NetError`."""
        values: dict[str, Array] = {}
        wanted = []
        for name in dict.fromkeys(names):
            if name in self.constants:
                values[name] = numpy_helper.to_array(self.constants[name])
            elif name in feeds:
                values[name] = feeds[name]
            else:
                wanted.append(name)
        part = self._part(wanted)
        needed = {each.name: feeds[each.name] for each in part.graph.input if each.name in feeds}
        evaluator, said = _evaluator(part)
        if wanted:
            with np.errstate(all="ignore"):
                try:
                    found = evaluator.run(wanted, needed)
                except Exception as error:
                    raise NetError(f"MODEL cannot be evaluated by {said}: {one_line(error)}") from None
            values |= {name: np.asarray(each) for name, each in zip(wanted, found, strict=True)}
        return values, said

    def _part(self, wanted: Sequence[str]) -> onnx.ModelProto:
        """The model that computes these tensors and nothing else."""
        graph = self.model.graph
        place = {name: at for at, node in enumerate(graph.node) for name in node.output if name}
        keep: set[int] = set()
        read: set[str] = set()
        left = list(wanted)
        while left:
            name = left.pop()
            if name in read:
                continue
            read.add(name)
            if (at := place.get(name)) is not None and at not in keep:
                keep.add(at)
                left += [each for each in _reads(graph.node[at]) if each]
        part = onnx.ModelProto()
        part.ir_version = self.model.ir_version
        part.opset_import.extend(self.model.opset_import)
        part.graph.name = graph.name or "part"
        part.graph.node.extend(graph.node[at] for at in sorted(keep))
        part.graph.initializer.extend(each for each in graph.initializer if each.name in read)
        part.graph.input.extend(each for each in graph.input if each.name in read)
        part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
        return part

    # ---- products ----------------------------------------------------------------------------------------------------
    def prepare(self, layer: Layer, values: Mapping[str, Array], x_bits: int, w_bits: int) -> Prepared:
        """The layer's operands as integers, cut as its operator says. Raises `LayerError` for one that cannot be a
        product, `NetError` for values that are not finite."""
        sources = self.operands(layer)
        whole: list[Quantised] = []
        for which, source, bits in zip("XW", sources, (x_bits, w_bits), strict=True):
            array = values[source.tensor]
            if array.size == 0:
                raise LayerError(f"{source.tensor} is empty")
            if source.integers or array.dtype.kind in "iu":
                whole.append(self._own(layer, which, source, values))
                continue
            if array.dtype.kind != "f":
                array = array.astype(np.float32)  # bfloat16 and the like
            try:
                whole.append(quantise(array, bits))
            except ValueError:
                bad = int((~np.isfinite(array)).sum())
                raise NetError(
                    f"layer {layer.name}: {bad} of {array.size} values of {source.tensor} are not finite"
                ) from None
        floats = None
        if not any(each.own for each in whole):
            floats = self._lower(layer, *(values[source.tensor] for source in sources))
        return Prepared(layer, self._lower(layer, whole[0].q, whole[1].q), whole[0], whole[1], floats)

    def _own(self, layer: Layer, which: str, source: Operand, values: Mapping[str, Array]) -> Quantised:
        q = values[source.tensor]
        found = re.fullmatch(r"(u?)int(\d+)", q.dtype.name)
        if not found:
            raise LayerError(f"{source.tensor} is {q.dtype}, not integers")
        size = int(found[2])
        span = (0, (1 << size) - 1) if found[1] else (-(1 << size - 1), (1 << size - 1) - 1)
        scale = values[source.scale] if source.scale else None
        zero = values[source.zero] if source.zero else None
        if scale is not None and scale.size > 1:
            columns = 0 if layer.operator.kind == "conv" else q.ndim - 1
            if layer.op == "Gemm" and _attributes(layer.node).get("transB"):
                columns = 0
            if which == "X" or scale.ndim != 1 or source.axis is None or source.axis % q.ndim != columns:
                raise LayerError(f"{source.tensor} has scales along a dimension that is summed up")
        if zero is not None and zero.size > 1 and zero.ndim == 1:
            shape = [1] * q.ndim
            shape[source.axis if source.axis is not None else 0] = -1
            zero = zero.reshape(shape)
        elif zero is not None and zero.size == 1:
            zero = zero.reshape(())
        try:
            one = float(scale.reshape(-1)[0]) if scale is not None and scale.size == 1 else None
            return own_integers(q.astype(np.int64), zero, span, one)
        except ValueError as error:
            raise LayerError(f"the integers of {source.tensor} {one_line(error)}") from None

    @staticmethod
    def _lower(layer: Layer, x: Array, w: Array) -> Lowered:
        attributes = _attributes(layer.node)
        try:
            if layer.operator.kind == "conv":
                return lower_conv(x, w, attributes)
            if layer.operator.kind == "gemm":
                return lower_gemm(x, w, bool(attributes.get("transA", 0)), bool(attributes.get("transB", 0)))
            return lower_matmul(x, w)
        except LowerError as error:
            raise LayerError(str(error)) from None


def _evaluator(part: onnx.ModelProto) -> tuple[Any, str]:
    """Something with `run(names, feeds)`, and its name. Raises `NetError` for operators that it does not know."""
    try:
        import onnxruntime  # optional: only faster
    except ImportError:
        said = f"ONNX' reference evaluator {onnx.__version__}"
        try:
            version = next((each.version for each in part.opset_import if each.domain in STANDARD), 0)
            old = [each for first, ops in OLD_OPERATORS.items() if version < first for each in ops]
            return ReferenceEvaluator(part, new_ops=old), said
        except Exception as error:
            raise NetError(
                f"MODEL cannot be evaluated by {said}: {one_line(error)} (ONNX Runtime is used where it is installed)"
            ) from None
    said = f"ONNX Runtime {onnxruntime.__version__}"
    try:
        return onnxruntime.InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"]), said
    except Exception as error:
        raise NetError(f"MODEL cannot be evaluated by {said}: {one_line(error)}") from None
