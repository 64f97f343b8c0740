"""Calls of the commands with any files, numbers and names: a line and status 2, or work begins with what is good.

Values are drawn from the commands' own variables, so that a new one is tried too. What would begin to simulate, train
or synthesise is replaced by an exception: everything before it is what is tried here, in this process.
"""

from __future__ import annotations

import functools
import io
import json
import os
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from flow import cli
from flow.commands import registry
from flow.core import values
from flow.core.blocks import block_names, get_block
from tb.lib.paths import ROOT

CALLS = int(os.environ.get("TS_FUZZ_CALLS", "300"))
TARGETS = ("sim", "sim", "sim", "synth", "train", "train-model", "regress", "coverage", "faults", "replay", "prove")
TARGETS += ("waves", "watch", "net", "net", "mutate", "list", "help")
WORK = (
    "flow.core.simulate.run",
    "flow.commands.synth.synthesise_all",
    "flow.commands.mapping.map_all",
    "flow.commands.train.train",
    "flow.commands.sample.sample",
    "flow.commands.train_model.train_model",
    "flow.commands.regress_run.regress",
    "flow.commands.coverage.cover",
    "flow.commands.coverage.cover_all",
    "flow.commands.faults.try_faults",
    "flow.commands.prove.prove",
    "flow.commands.watch.watch_sources",
    "flow.commands.net_run.net",
    "flow.commands.mutate_run.mutate",
)


class Reached(BaseException):
    """Work would begin now."""


def _work(*_: object, **__: object) -> None:
    raise Reached


# --- values ----------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
NUMBERS = ("-1", "0", "1", "2", "3.5", "nan", "inf", "-inf", "1e999", "1e-999", "0x10", "1_0", " 1", "", "9" * 5000)
NUMBERS += ("4294967296", "-4294967297", "2147483648", "\u0663", "1.0", "+1", "--1", "None", "true", "1;2", "$X")


@dataclass
class Files:
    """Files by what they are good for; `others` are good for nothing."""

    folder: Path
    good: dict[str, list[Path]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    def add(self, name: str, content: bytes, *variables: str) -> None:
        path = self.folder / name
        path.write_bytes(content)
        for variable in variables:
            self.good.setdefault(variable, []).append(path)
        if not variables:
            self.others.append(str(path))


def _npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


def _onnx() -> bytes:
    """A network of one product."""
    make, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    w = onnx.numpy_helper.from_array(np.ones((3, 2), np.float32), "w")
    nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")]
    graph = onnx.helper.make_graph(nodes, "net", [make("x", kind, (3, 3))], [make("y", kind, (3, 2))], [w])
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()


def _files(folder: Path) -> Files:
    files = Files(folder)
    whole = _npy(np.ones((3, 3), np.int8))
    files.add("ones.npy", whole, "X", "W", "G")
    files.add("input.npy", _npy(np.ones((3, 3), np.float32)), "INPUT")
    files.add("net.onnx", _onnx(), "MODEL")
    files.add("three.npy", _npy(np.ones((3, 3), np.int8), (3, 0)), "X", "W", "G")
    files.add("vector.npy", _npy(np.ones(3, np.int64)), "BIAS", "W0")
    files.add("floats.npy", _npy(np.ones((2, 3))), "G")
    energy = (ROOT / "data/energy/horowitz45.hjson").read_bytes()
    files.add("energy.hjson", energy, "ENERGY")
    files.add("config.json", b'{"rows": 2}', "CONFIG")
    rtl = (ROOT / "rtl/laps/laps_log2.sv").read_bytes()
    files.add("laps_log2.sv", rtl)
    files.others.pop()
    files.add("list.f", b"laps_log2.sv\n", "RTL")
    packed = io.BytesIO()
    np.savez(packed, x=np.ones((2, 2), np.int8), w=np.ones((2, 2), np.int8), meta=np.array("{}"))
    bad = {
        "empty": b"", "pk": b"PK", "pk.npz": b"PK\x03\x04" + bytes(40), "header": whole[:20], "cut": whole[:-2],
        "long": whole + b"\0", "hello": b"hello", "bytes": bytes(range(256)), "deep.json": b"[" * 100_000,
        "list.json": b"[1]", "utf16": "\ufeff{}".encode("utf-16"), "archive.npz": packed.getvalue(),
        "strings.npy": _npy(np.array([["a"]])), "huge.npy": whole.replace(b"(3, 3)", b"(9e9,)"),
        "cube.npy": _npy(np.ones((2, 2, 2), np.int8)), "nothing.npy": _npy(np.ones((0, 3))),
        "nan.npy": _npy(np.full((2, 3), np.nan)), "energy_cut.hjson": energy[: len(energy) // 2],
        "energy_zero.hjson": energy.replace(b'"8": 10,', b'"8": 0,'), "object": b"\x80\x04N.",
        "spaced name ä$.npy": b"?",
    }  # fmt: skip
    for name, content in bad.items():
        files.add(name, content)
    os.mkfifo(folder / "pipe")
    missing = [folder / "none", folder / "none" / "x", folder / ("n" * 300), folder, folder / "pipe", Path("~nobody/x")]
    files.others += [*map(str, missing), "/dev/full", "/dev/null", "."]
    return files


def _number(kind: values.Number, draw: st.DataObject) -> tuple[str, bool]:
    text = draw.draw(st.one_of(st.sampled_from(NUMBERS), st.integers(-5, 5000).map(str), TEXT))
    try:
        value = kind.kind(text)
        low, high = -np.inf if kind.least is None else kind.least, np.inf if kind.most is None else kind.most
        good = bool(low <= value <= high) and abs(value) != np.inf
    except (ValueError, OverflowError):
        good = False
    return text, good


def _value(param: click.Parameter, files: Files, draw: st.DataObject) -> tuple[str, bool | None]:
    """A value for a variable; whether it is good (None: that depends)."""
    kind, name = param.type, str(param.envvar)
    if isinstance(kind, values.Choice):
        if draw.draw(st.integers(0, 3)):
            return str(draw.draw(st.sampled_from(kind.values))), True
        text = draw.draw(st.one_of(TEXT, st.sampled_from(NUMBERS)))
        return text, text in map(str, kind.values)
    if isinstance(kind, values.Number):
        return _number(kind, draw)
    if isinstance(kind, values.Seed):
        text = draw.draw(st.one_of(st.sampled_from(NUMBERS), st.integers(1, 9999).map(str)))
        return text, text.isascii() and text.isdigit() and len(text) < 11 and 0 < int(text) < 1 << 31
    if isinstance(kind, values.File) and kind.output:
        good = draw.draw(st.booleans())
        bad = [str(files.folder), str(files.folder / "none" / "y"), str(files.folder / ("y" * 300)), "~nobody/y", "."]
        return (str(files.folder / f"{name}.out") if good else draw.draw(st.sampled_from(bad))), good
    if isinstance(kind, values.File):
        if draw.draw(st.integers(0, 2)) and files.good.get(name):
            return str(draw.draw(st.sampled_from(files.good[name]))), None  # shapes, other variables
        text = draw.draw(st.sampled_from(files.others))
        # An object of a test's configuration, or a list of sources, is told from other text when it is used.
        return text, None if name in ("RTL", "CONFIG") or (name == "CAPTURE") else False
    if isinstance(kind, values.Folder):
        good = draw.draw(st.booleans())
        bad = [str(files.folder / "none" / "c"), "/dev/null", str(files.folder / "empty"), "/proc/c"]
        return (str(files.folder / "captures") if good else draw.draw(st.sampled_from(bad))), good
    return draw.draw(st.one_of(TEXT, st.sampled_from(["smoke", "all", "user_tensors", "laps,ran", "tcp://h:1"]))), None


# --- calls ----------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return _files(tmp_path_factory.mktemp("fuzz"))


@pytest.fixture(scope="module")
def at_work() -> Iterator[None]:
    """Whatever would begin to work raises `Reached`; the digits are read once."""
    from host import digits

    with pytest.MonkeyPatch.context() as patch:
        for name in WORK:
            patch.setattr(name, _work)
        data = digits.load_digits(1)
        patch.setattr(digits, "load_digits", lambda _: data)
        patch.setattr(cli.signal, "signal", lambda *_: None)
        yield


@functools.cache
def _variables(target: str, block: str) -> tuple[click.Parameter, ...]:
    return tuple(registry.load(target).for_block(get_block(block)).params)


def _call(target: str, variables: dict[str, str]) -> tuple[int | None, str]:
    """(exit status, None if work would have begun; standard error)."""
    kept = dict(os.environ)
    out, err = io.StringIO(), io.StringIO()
    for name in ("MAKEFLAGS", "MAKELEVEL", "TS_GOALS"):
        os.environ.pop(name, None)
    try:
        os.environ.update(variables)
        with redirect_stdout(out), redirect_stderr(err):
            return cli.main([target]), err.getvalue()
    except Reached:
        return None, err.getvalue()
    finally:
        os.environ.clear()
        os.environ.update(kept)


@settings(max_examples=CALLS, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(draw=st.data())
def test_any_call_works_or_gets_one_line(draw: st.DataObject, files: Files, at_work: None) -> None:
    target = draw.draw(st.sampled_from(TARGETS))
    block = draw.draw(st.sampled_from(block_names()))
    params = _variables(target, block)
    variables, bad = {}, []
    count = draw.draw(st.integers(0, 5))
    for param in draw.draw(st.lists(st.sampled_from(params), max_size=count, unique_by=lambda each: str(each.envvar))):
        name = str(param.envvar)
        if name == "BLOCK":
            continue
        variables[name], good = _value(param, files, draw)
        late = target == "watch" and isinstance(param.type, values.File)  # the runs that it starts read files
        if good is False and variables[name] and not late:  # an empty value is none
            bad.append(name)
    if any(str(param.envvar) == "BLOCK" for param in params):
        variables["BLOCK"] = block
    status, err = _call(target, variables)
    said = (target, variables, err)
    event("refused" if status == 2 else "taken")  # counted by --hypothesis-show-statistics
    if status is None or status == 0:
        assert not bad, said
    else:
        assert status == 2, said
        assert err.startswith("error: "), said
        assert len(err.splitlines()) == 1, said
        assert len(err) < 3000, said


def test_the_oracle_sees_a_silent_success(files: Files, at_work: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ranges that hold nothing back, a bad number reaches the work: what the fuzz would fail on."""
    variables = {"BLOCK": "gemm", "SHIFT": "64"} | {name: str(files.good[name][0]) for name in ("X", "W")}
    assert _call("sim", variables)[0] == 2
    assert _call("sim", variables | {"SHIFT": "9", "Y_BITS": "8"})[0] is None
    assert _call("train", {"ENERGY": str(files.good["ENERGY"][0])})[0] is None
    assert _call("regress", {"BLOCK": "laps"})[0] is None
    assert json.loads(files.good["CONFIG"][0].read_text(encoding="utf-8")) == {"rows": 2}
