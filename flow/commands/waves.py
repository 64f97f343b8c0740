"""`make waves`: a list of signals for a waveform file, and a viewer on it.

The list holds clock and reset, then the ports of the device under test, and, in closed groups, those of its parts. It
is written for GTKWave (.gtkw) and for Surfer (.sucl) beside the waves. Names are read from the header of the VCD or FST
file, so they are those that the simulator wrote.
"""

from __future__ import annotations

import gzip
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from flow.commands.sim import sim_one, sim_options
from flow.core import blocks
from flow.core.options import Option, command
from flow.core.values import File
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import shown
from tb.lib.runinfo import CLOCK_NS

VIEWERS = ("gtkwave", "surfer")
ADVICE = (
    "no viewer is installed: 'apt-get install gtkwave' (or your distribution's way), or Surfer (surfer-project.org)"
)
_HIER_GZIP, _HIER_LZ4, _HIER_LZ4_TWICE, _WHOLE_GZIP = 4, 6, 7, 254
_SCOPE, _UPSCOPE, _ATTRIBUTE, _ATTRIBUTE_END = 254, 255, 252, 253


@dataclass
class Scope:
    """A scope of the design: its variables as GTKWave names them (`name[7:0]`), and the scopes in it."""

    name: str
    variables: list[str] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=list)

    def size(self) -> int:
        """Scopes in it, itself among them."""
        return 1 + sum(scope.size() for scope in self.scopes)


class _Builder:
    """Makes the tree from the events of a file."""

    def __init__(self) -> None:
        self.root = Scope("")
        self.stack = [self.root]

    def enter(self, name: str) -> None:
        """A scope begins; one that is there is gone on with."""
        mine = self.stack[-1].scopes
        scope = next((each for each in mine if each.name == name), None)
        if scope is None:
            scope = Scope(name)
            mine.append(scope)
        self.stack.append(scope)

    def leave(self) -> None:
        """It ends."""
        if len(self.stack) > 1:
            self.stack.pop()

    def add(self, name: str) -> None:
        """A variable."""
        if name not in self.stack[-1].variables:
            self.stack[-1].variables.append(name)


def read_scopes(path: Path) -> Scope:
    """The hierarchy of a VCD or FST file; `UserError` for a file that is neither, or is not whole."""
    try:
        with path.open("rb") as file:
            read = _read_vcd if file.read(1) == b"$" else _read_fst
            file.seek(0)
            return read(file)
    except (OSError, ValueError, IndexError, struct.error, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{shown(path)} is not a whole VCD or FST file: {reason}") from error


def _read_vcd(file: BinaryIO) -> Scope:
    builder = _Builder()
    for raw in file:
        words = raw.decode("utf-8", "replace").split()
        if not words:
            continue
        if words[0] == "$scope":
            builder.enter(words[2])
        elif words[0] == "$upscope":
            builder.leave()
        elif words[0] == "$var":  # $var wire 8 ! name [7:0] $end
            builder.add("".join(words[4:-1]))
        elif words[0] == "$enddefinitions":
            return builder.root
    raise ValueError("its header has no end")


def _lz4(data: bytes, size: int) -> bytes:
    """An LZ4 block of `size` bytes, unpacked."""
    out, at = bytearray(), 0

    def length(base: int) -> int:
        nonlocal at
        if base == 15:
            while True:
                base += data[at]
                at += 1
                if data[at - 1] != 255:
                    break
        return base

    while at < len(data):
        token = data[at]
        at += 1
        literals = length(token >> 4)
        out += data[at : at + literals]
        at += literals
        if at >= len(data):
            break
        offset = data[at] | data[at + 1] << 8
        at += 2
        count = length(token & 15) + 4
        start = len(out) - offset
        if offset == 0 or start < 0:
            raise ValueError("its compressed part is damaged")
        for place in range(count):  # may overlap what it writes
            out.append(out[start + place])
    if len(out) != size:
        raise ValueError("its compressed part is damaged")
    return bytes(out)


def _read_fst(file: BinaryIO) -> Scope:
    while True:
        kind = file.read(1)
        if not kind:
            raise ValueError("it has no hierarchy")
        (size,) = struct.unpack(">Q", file.read(8))
        if kind[0] == _WHOLE_GZIP:
            raise ValueError("it is packed as a whole")
        body = file.read(size - 8) if kind[0] in (_HIER_GZIP, _HIER_LZ4, _HIER_LZ4_TWICE) else b""
        if kind[0] == _HIER_GZIP:
            return _hierarchy(gzip.decompress(body[8:]))
        if kind[0] == _HIER_LZ4:
            return _hierarchy(_lz4(body[8:], struct.unpack(">Q", body[:8])[0]))
        if kind[0] == _HIER_LZ4_TWICE:
            whole, once = struct.unpack(">QQ", body[:16])
            return _hierarchy(_lz4(_lz4(body[16:], once), whole))
        if not body:
            file.seek(size - 8, os.SEEK_CUR)


def _hierarchy(data: bytes) -> Scope:
    builder, at = _Builder(), 0

    def text() -> str:
        nonlocal at
        end = data.index(0, at)
        out, at = data[at:end].decode("utf-8", "replace"), end + 1
        return out

    def number() -> int:
        nonlocal at
        out = shift = 0
        while True:
            byte = data[at]
            at += 1
            out |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return out

    while at < len(data):
        kind = data[at]
        at += 1
        if kind == _SCOPE:
            at += 1
            name = text()
            text()  # the module's name
            builder.enter(name)
        elif kind == _UPSCOPE:
            builder.leave()
        elif kind == _ATTRIBUTE:
            at += 2
            text()
            number()
        elif kind != _ATTRIBUTE_END:
            at += 1
            name = text()
            number()
            number()
            builder.add(name.replace(" [", "["))
    return builder.root


@dataclass(frozen=True)
class Group:
    """Signals under a title; `open` shows them at once."""

    title: str
    signals: tuple[str, ...]  # whole paths
    open: bool


def _ports(scope: Scope) -> list[str]:
    return [name for name in scope.variables if name.partition("[")[0].endswith(("_i", "_o", "_ni"))]


def _find(scope: Scope, name: str, above: str = "") -> tuple[Scope, str] | None:
    for inner in scope.scopes:
        path = f"{above}.{inner.name}".lstrip(".")
        found = (inner, path) if inner.name == name else _find(inner, name, path)
        if found:
            return found
    return None


def signal_groups(root: Scope, bench: str) -> list[Group]:
    """What to look at in the waves of the test bench `bench`; its largest part is the device under test."""
    found = _find(root, bench)
    if found is None:
        raise UserError(f"these waves have no scope {bench}: they are of another block")
    scope, path = found
    both = [name for name in scope.variables if name.partition("[")[0] in ("clk_i", "rst_ni", "clk", "rst_n")]
    groups = [Group("clock and reset", tuple(f"{path}.{name}" for name in both), True)]
    if not scope.scopes:
        return groups
    device = max(scope.scopes, key=Scope.size)
    groups.extend(_device_groups(device, f"{path}.{device.name}"))
    return [group for group in groups if group.signals]


def _device_groups(device: Scope, path: str) -> Iterator[Group]:
    clocks = ("clk_i", "rst_ni")
    yield Group(path, tuple(f"{path}.{name}" for name in _ports(device) if name not in clocks), True)
    for inner in device.scopes:
        below = f"{path}.{inner.name}"
        yield Group(below, tuple(f"{below}.{name}" for name in _ports(inner) if name not in clocks), False)


def gtkwave_list(waves: Path, groups: Sequence[Group], marker_ps: int | None) -> str:
    """A save file of GTKWave; the marker stands at `marker_ps` picoseconds."""
    lines = [f'[dumpfile] "{waves}"', "[size] 1600 900", "[sst_expanded] 1"]
    if marker_ps is not None:
        lines += [f"[timestart] {max(0, marker_ps - 200_000)}", f"*-16.0 {marker_ps}" + " -1" * 26]
    for group in groups:
        lines += ["@800200" if group.open else "@c00200", f"-{group.title}"]
        for signal in group.signals:
            lines += ["@22" if "[" in signal else "@28", signal]
        lines += ["@1000200" if group.open else "@1401200", f"-{group.title}"]
    return "\n".join(lines) + "\n"


def surfer_list(groups: Sequence[Group]) -> str:
    """Commands for Surfer: the open groups' signals, below dividers."""
    lines: list[str] = []
    for group in groups:
        if group.open:
            lines.append(f"divider_add {group.title}")
            lines += [f"variable_add {signal.partition('[')[0]}" for signal in group.signals]
    return "\n".join([*lines, "zoom_fit"]) + "\n"


def write_lists(waves: Path, bench: str, marker_ps: int | None) -> tuple[Path, Path]:
    """Writes both lists beside `waves`: (GTKWave's, Surfer's). `UserError` as `read_scopes` and `signal_groups`."""
    groups = signal_groups(read_scopes(waves), bench)
    save, commands = waves.with_name("signals.gtkw"), waves.with_name("signals.sucl")
    save.write_text(gtkwave_list(waves, groups, marker_ps), encoding="utf-8")
    commands.write_text(surfer_list(groups), encoding="utf-8")
    return save, commands


def view(waves: Path, save: Path, commands: Path) -> str:
    """Opens a viewer that is installed, where there is a display; a line that says what was done, or what to do."""
    calls = {"gtkwave": ["gtkwave", str(save)], "surfer": ["surfer", "-c", str(commands), str(waves)]}
    viewer = next((name for name in VIEWERS if shutil.which(name)), None)
    if viewer is None:
        return f"{ADVICE}; then: gtkwave {shown(save)}"
    call = calls[viewer]
    if not (sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return f"no display here; where there is one: {viewer} {' '.join(shown(word) for word in call[1:])}"
    quiet = subprocess.DEVNULL
    subprocess.Popen(call, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    return f"opened in {viewer}"


def waves_options(block: Block) -> list[Option]:
    """Those of a simulation, and FILE."""
    mine = [option for option in sim_options(block) if option.envvar not in ("WAVES", "REPORT")]
    return [*mine, Option("FILE", File(), "waves that are there, of this block, instead of a run")]


@command("waves", of_block=waves_options)
def main(**values: Any) -> int:
    """Run a test with waveforms, list its signals, open a viewer."""
    block = blocks.get_block(values["BLOCK"])
    path, run = values["FILE"], None
    if path is None:
        outcome = sim_one(block, values["TEST"], values, waves=True)
        if outcome.error is not None:
            raise outcome.error
        run = outcome.run
        path = run.waves
        if path is None:
            raise UserError(f"the simulation left no waves; its log: {shown(run.log)}")
    divergence = (run.result or {}).get("first_divergence") if run is not None else None
    # The edge that ends cycle 0 is one period after the start.
    marker = (int(divergence["cycle"]) + 1) * CLOCK_NS * 1000 if divergence else None
    save, commands = write_lists(path, block.tb_top, marker)
    print(f"signals: {shown(save)} (GTKWave), {shown(commands)} (Surfer)")
    print(view(path, save, commands))
    return 0 if run is None or run.passed else 1
