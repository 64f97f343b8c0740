"""The register map of the processor, rtl/top/registers.hjson, as objects.

Addresses are in bytes, registers are words of 32 bits. Errors: `MapError`, one line that names file and entry.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hjson

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "rtl/top/registers.hjson"

WORD_BITS = 32
WORD_BYTES = 4
ADDRESS_BITS = 16
ACCESSES = {"ro": "read only", "rw": "read, write", "wo": "write only", "w1c": "read, write 1 to clear"}
_NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class MapError(ValueError):
    """The map has a mistake."""


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


@dataclass(frozen=True)
class Field:
    """Bits `low` .. `low` + `width` - 1 of a register."""

    name: str
    low: int
    width: int

    @property
    def mask(self) -> int:
        """The field's bits in the register."""
        return ((1 << self.width) - 1) << self.low

    @property
    def bits(self) -> str:
        """As tables show them."""
        return str(self.low) if self.width == 1 else f"{self.low + self.width - 1}:{self.low}"

    def get(self, word: int) -> int:
        """The field's value in a register's value."""
        return (word & self.mask) >> self.low

    def put(self, value: int) -> int:
        """A register's value with this field alone."""
        return (value << self.low) & self.mask


@dataclass(frozen=True)
class Register:
    """`count` registers of one kind, one word after the other; `volatile`: the processor changes them."""

    name: str
    offset: int
    access: str
    reset: int
    doc: str
    fields: tuple[Field, ...]
    count: int = 1
    volatile: bool = False

    @property
    def readable(self) -> bool:
        """A read answers OKAY."""
        return self.access != "wo"

    @property
    def writable(self) -> bool:
        """A write of a legal value answers OKAY (unless it is a push that finds no room)."""
        return self.access != "ro"

    @property
    def mask(self) -> int:
        """Bits that belong to a field."""
        return sum(field.mask for field in self.fields)

    @property
    def addresses(self) -> range:
        """Byte address of each."""
        return range(self.offset, self.offset + WORD_BYTES * self.count, WORD_BYTES)

    def legal(self, value: int) -> bool:
        """Whether `value` may be written: bits of no field are 0."""
        return self.writable and 0 <= value < 1 << WORD_BITS and not value & ~self.mask

    def field(self, name: str) -> Field:
        """The field of that name; `KeyError` otherwise."""
        return {field.name: field for field in self.fields}[name]

    def pack(self, **values: int) -> int:
        """A register's value with these fields; the others are 0."""
        return sum(self.field(name).put(value) for name, value in values.items())


@dataclass(frozen=True)
class Window:
    """`count` ranges of `size` bytes that lead to registers which other pages describe."""

    name: str
    offset: int
    size: int
    access: str
    doc: str
    count: int = 1

    @property
    def end(self) -> int:
        """First address after it."""
        return self.offset + self.size * self.count


@dataclass(frozen=True)
class RegisterMap:
    """Every register and window of the processor, by address."""

    name: str
    registers: tuple[Register, ...]
    windows: tuple[Window, ...]

    def register(self, name: str) -> Register:
        """The register of that name; `KeyError` otherwise."""
        return {register.name: register for register in self.registers}[name]

    def window(self, name: str) -> Window:
        """The window of that name; `KeyError` otherwise."""
        return {window.name: window for window in self.windows}[name]

    def address(self, name: str, index: int = 0) -> int:
        """Byte address of a register, or of one of several; `KeyError` or `IndexError` otherwise."""
        return self.register(name).addresses[index]

    def at(self, address: int) -> tuple[Register, int] | None:
        """The register at a byte address, and which of several it is; None where there is none."""
        for register in self.registers:
            if address in register.addresses:
                return register, register.addresses.index(address)
        return None

    def window_at(self, address: int) -> tuple[Window, int] | None:
        """The window at a byte address, and which of several; None where there is none."""
        for window in self.windows:
            if window.offset <= address < window.end:
                return window, (address - window.offset) // window.size
        return None


class _Reader:
    """Takes an entry of the map apart; every error is one line that names file and entry."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, where: str, what: str) -> MapError:
        return MapError(f"{_shown(self.path)}: {where}: {what}")

    def entry(self, entry: Any, where: str, needed: Mapping[str, type], optional: Mapping[str, type]) -> dict[str, Any]:
        """`entry` with its keys and their types checked."""
        if not isinstance(entry, Mapping):
            raise self.fail(where, "must be an object in braces")
        missing = [key for key in needed if key not in entry]
        unknown = [key for key in entry if key not in needed and key not in optional]
        if missing or unknown:
            lacks = f"lacks {', '.join(missing)}" if missing else f"has unknown {', '.join(unknown)}"
            raise self.fail(where, lacks)
        for key, kind in {**needed, **optional}.items():
            value = entry.get(key)
            if key in entry and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
                raise self.fail(where, f"{key} must be {_KINDS[kind]}")
        return dict(entry)

    def number(self, value: int, where: str, key: str, low: int, high: int) -> int:
        """`value`, checked to lie in low .. high."""
        if not low <= value <= high:
            raise self.fail(where, f"{key} {value:#x} is outside {low:#x}..{high:#x}")
        return value

    def fields(self, entries: list[Any], where: str) -> tuple[Field, ...]:
        """Fields of a register: no name twice, inside the word, none over another."""
        fields: list[Field] = []
        for entry in entries:
            values = self.entry(entry, f"{where}, a field", {"name": str, "low": int, "width": int}, {})
            field = Field(**values)
            place = f"{where}, field {field.name}"
            if not _FIELD_NAME.fullmatch(field.name):
                raise self.fail(place, "a name is lower case, words joined by _")
            self.number(field.low, place, "low", 0, WORD_BITS - 1)
            self.number(field.width, place, "width", 1, WORD_BITS - field.low)
            for other in fields:
                if other.name == field.name:
                    raise self.fail(place, "stands twice")
                if other.mask & field.mask:
                    raise self.fail(place, f"shares bits with field {other.name}")
            fields.append(field)
        if not fields:
            raise self.fail(where, "has no field")
        return tuple(fields)

    def common(self, values: dict[str, Any], where: str) -> None:
        """What registers and windows share."""
        if not _NAME.fullmatch(values["name"]):
            raise self.fail(where, "a name is upper case, words joined by _")
        if values["access"] not in ACCESSES:
            raise self.fail(where, f"unknown access '{values['access']}': choose one of {', '.join(ACCESSES)}")
        self.number(values["offset"], where, "offset", 0, (1 << ADDRESS_BITS) - WORD_BYTES)
        self.number(values.get("count", 1), where, "count", 1, 1 << (ADDRESS_BITS - 2))
        if values["offset"] % WORD_BYTES:
            raise self.fail(where, f"offset {values['offset']:#x} is not a multiple of {WORD_BYTES}")

    def register(self, entry: Any, number: int) -> Register:
        """One register."""
        needed = {"name": str, "offset": int, "access": str, "reset": int, "doc": str, "fields": list}
        optional = {"count": int, "volatile": bool}
        name = entry.get("name", number) if isinstance(entry, Mapping) else number
        where = f"register {name}"
        values = self.entry(entry, where, needed, optional)
        self.common(values, where)
        register = Register(**{**values, "fields": self.fields(values["fields"], where)})
        self.number(register.reset, where, "reset", 0, (1 << WORD_BITS) - 1)
        if register.reset & ~register.mask:
            raise self.fail(where, f"reset {register.reset:#x} sets a bit of no field")
        return register

    def window(self, entry: Any, number: int) -> Window:
        """One window: what a decoder can tell by address bits."""
        needed = {"name": str, "offset": int, "size": int, "access": str, "doc": str}
        name = entry.get("name", number) if isinstance(entry, Mapping) else number
        where = f"window {name}"
        values = self.entry(entry, where, needed, {"count": int})
        self.common(values, where)
        window = Window(**values)
        self.number(window.size, where, "size", WORD_BYTES, 1 << ADDRESS_BITS)
        if window.size & (window.size - 1) or window.offset % window.size:
            raise self.fail(where, "size must be a power of two and divide offset")
        return window


_KINDS = {str: "a text", int: "a number", bool: "true or false", list: "a list"}


def load_map(path: Path = SOURCE) -> RegisterMap:
    """The register map in `path`. Raises `MapError`, one line, for the first thing that is wrong with it."""
    reader = _Reader(path)
    try:
        content = hjson.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_pairs_once)
    except (OSError, ValueError) as error:
        raise MapError(f"{_shown(path)}: cannot be read: {str(error).splitlines()[0]}") from error
    top = reader.entry(content, "the map", {"name": str, "registers": list, "windows": list}, {})
    registers = tuple(reader.register(_numbers(entry), number) for number, entry in enumerate(top["registers"]))
    windows = tuple(reader.window(_numbers(entry), number) for number, entry in enumerate(top["windows"]))
    spans = [(f"register {r.name}", r.name, r.offset, r.offset + WORD_BYTES * r.count) for r in registers]
    spans += [(f"window {w.name}", w.name, w.offset, w.end) for w in windows]
    names: set[str] = set()
    for where, name, _, end in spans:
        if name in names:
            raise reader.fail(where, "stands twice")
        names.add(name)
        if end > 1 << ADDRESS_BITS:
            raise reader.fail(where, f"ends at {end - 1:#x}, past the last address")
    spans.sort(key=lambda span: span[2])
    for (first, _, _, end), (second, _, start, _) in itertools.pairwise(spans):
        if start < end:
            raise reader.fail(second, f"overlaps {first}")
    registers = tuple(sorted(registers, key=lambda register: register.offset))
    return RegisterMap(top["name"], registers, tuple(sorted(windows, key=lambda window: window.offset)))


def _pairs_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"'{key}' stands twice in one entry")
    return dict(pairs)


def _numbers(entry: Any) -> Any:
    """`entry` with hexadecimal numbers, which Hjson reads as texts, as numbers."""
    if isinstance(entry, Mapping):
        return {key: _numbers(value) if key not in ("name", "doc") else value for key, value in entry.items()}
    if isinstance(entry, list):
        return [_numbers(value) for value in entry]
    if isinstance(entry, str) and re.fullmatch(r"0x[0-9a-fA-F]+", entry):
        return int(entry, 16)
    return entry
