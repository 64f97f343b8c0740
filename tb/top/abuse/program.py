"""Programs of a host that keeps no rules: their items, a listing with a line each, the script that the bench plays.

Every channel of the ports plays its own list; items of one channel follow each other, items of different channels do
not wait for one another. The format of a script stands in tb/lib/sv/ts_unruly_host.sv.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from models.common.commands import Engine
from models.top.config import CMD_WORDS, Reg, Unknown, command_of

CHANNELS = ("aw", "w", "ar", "s", "b", "r", "m", "reset")
OFFERS = CHANNELS[:4]
HELD = ("b", "r", "m")
WIDTHS = {"aw": 16, "w": 36, "ar": 16, "s": 129}
ALL_STROBES = 0xF
LAST = 1 << 128  # of a word's payload
MOST_RECORDS = 4000  # a script holds a few more
RECORD_BYTES = 24


class ProgramError(ValueError):
    """A listing that cannot be used; one line."""


@dataclass(frozen=True)
class Push:
    """The sixteen words of a command into CMD, then PUSH. `serial`: it waits for every push before it."""

    NAME: ClassVar[str] = "push"
    words: tuple[int, ...]
    id: int = 0
    serial: int = 1
    gap: int = 0


@dataclass(frozen=True)
class WriteTo:
    """A write; its data come `late` cycles after its address (below 0: before)."""

    NAME: ClassVar[str] = "write"
    address: int
    data: int = 0
    strobe: int = ALL_STROBES
    gap: int = 0
    late: int = 0


@dataclass(frozen=True)
class ReadFrom:
    """A read."""

    NAME: ClassVar[str] = "read"
    address: int
    gap: int = 0


@dataclass(frozen=True)
class Words:
    """Words of the stream in, the last of every `packet` with TLAST (0: none); `kind`: 0 zeros, 1 ones, else mixed."""

    NAME: ClassVar[str] = "words"
    count: int
    packet: int = 0
    kind: int = 0
    gap: int = 0


@dataclass(frozen=True)
class Hold:
    """An answer channel or the stream out is ready for `ready` cycles, then `held` cycles not."""

    NAME: ClassVar[str] = "hold"
    channel: str
    ready: int = 0
    held: int = 0


@dataclass(frozen=True)
class Reset:
    """A reset of `cycles` cycles, `after` cycles after the one before or the begin."""

    NAME: ClassVar[str] = "reset"
    after: int
    cycles: int = 1


@dataclass(frozen=True)
class Breach:
    """An offer that is given up after `cycles` cycles: withdrawn, or changed where the next item has no gap."""

    NAME: ClassVar[str] = "breach"
    channel: str
    cycles: int = 1
    payload: int = 0
    gap: int = 0


Item = Push | WriteTo | ReadFrom | Words | Hold | Reset | Breach
KINDS: tuple[type[Item], ...] = (Push, WriteTo, ReadFrom, Words, Hold, Reset, Breach)
Program = Sequence[Item]


# ---- listings --------------------------------------------------------------------------------------------------------
def _shown(name: str, value: int | str | tuple[int, ...]) -> str:
    if isinstance(value, tuple):
        last = max((at for at, word in enumerate(value) if word), default=0)
        return ",".join(f"{word:#x}" for word in value[: last + 1])
    if isinstance(value, int) and name in ("address", "data", "payload", "strobe"):
        return f"{value:#x}"
    return str(value)


def line_of(item: Item) -> str:
    """An item in a line; of a push also what it means."""
    fields = [(each.name, getattr(item, each.name)) for each in dataclasses.fields(item)]
    text = " ".join([item.NAME, *(f"{name}={_shown(name, value)}" for name, value in fields)])
    return f"{text}  # {meaning(item)}" if isinstance(item, Push) else text


def meaning(push: Push) -> str:
    """What a push's command is: its operation, and the fields that are not the default."""
    command = command_of(push.words)
    if isinstance(command, Unknown):
        return f"unknown operation {command.code}"
    says = [type(command).__name__.upper()]
    for each in dataclasses.fields(command):
        value = getattr(command, each.name)
        if value != each.default:
            says.append(f"{each.name}={value}")
    return " ".join(says)


def listing(program: Program, *remarks: str) -> str:
    """The program as a text that `parse` takes; `remarks` come first."""
    lines = [f"# {remark}" for remark in remarks] + [line_of(item) for item in program]
    return "\n".join(lines) + "\n"


def parse(text: str) -> list[Item]:
    """The program of a listing. Raises `ProgramError` that names the line and what is wrong with it."""
    out: list[Item] = []
    for number, line in enumerate(text.splitlines(), 1):
        name, *words = line.partition("#")[0].split() or [""]
        if not name:
            continue
        kind = next((each for each in KINDS if name == each.NAME), None)
        if kind is None:
            raise ProgramError(f"line {number}: {name} is none of {', '.join(each.NAME for each in KINDS)}")
        out.append(_item(kind, words, number))
    return out


def _item(kind: type[Item], words: Sequence[str], number: int) -> Item:
    known = {each.name: each for each in dataclasses.fields(kind)}
    values: dict[str, int | str | tuple[int, ...]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or name not in known:
            raise ProgramError(f"line {number}: {kind.NAME} takes {', '.join(known)}, each as name=value, not {word}")
        try:
            values[name] = _value(kind, name, text)
        except ValueError as error:
            raise ProgramError(f"line {number}: {word}: {error}") from error
    missing = [name for name, each in known.items() if each.default is dataclasses.MISSING and name not in values]
    if missing:
        raise ProgramError(f"line {number}: {kind.NAME} needs {', '.join(missing)}")
    return kind(**values)  # type: ignore[arg-type]


def _value(kind: type[Item], name: str, text: str) -> int | str | tuple[int, ...]:
    if name == "channel":
        legal = HELD if kind is Hold else OFFERS
        if text not in legal:
            raise ValueError(f"channel is one of {', '.join(legal)}")
        return text
    if name == "words":
        words = tuple(_number(each, 32) for each in text.split(","))
        if len(words) > CMD_WORDS:
            raise ValueError(f"a command has {CMD_WORDS} words")
        return words + (0,) * (CMD_WORDS - len(words))
    if name == "late":
        return int(text, 0)
    return _number(text, {"gap": 16, "address": 16, "strobe": 4, "id": 8, "payload": 129}.get(name, 32))


def _number(text: str, bits: int) -> int:
    value = int(text, 0)
    if not 0 <= value < 1 << bits:
        raise ValueError(f"it is a number of {bits} bits")
    return value


# ---- scripts ---------------------------------------------------------------------------------------------------------
@dataclass
class Script:
    """Lists of the channels; `offer`, `wave` append to them. `bytes_of` gives the file."""

    records: dict[str, list[bytes]] = field(default_factory=lambda: {name: [] for name in CHANNELS})

    def offer(self, channel: str, payload: int, gap: int = 0, bound: int = 0) -> None:
        """Offers `payload` after `gap` idle cycles until it is taken, at most `bound` cycles (0: any number)."""
        self.records[channel].append(_record(gap, bound, payload & (1 << WIDTHS[channel]) - 1))

    def wave(self, channel: str, high: int, low: int) -> None:
        """Ready (no reset) for `high` cycles, then not for `low`."""
        self.records[channel].append(_record(0, high, low))

    def write(self, address: int, data: int = 0, strobe: int = ALL_STROBES, gap: int = 0, late: int = 0) -> None:
        """A write."""
        self.offer("aw", address, gap + max(0, -late))
        self.offer("w", strobe << 32 | data, gap + max(0, late))

    def push(self, words: Iterable[int], identifier: int, gap: int = 0, staged: list[int | None] | None = None) -> None:
        """A command. `staged`: what CMD holds; words that stay are not written again."""
        for at, word in enumerate(words):
            if staged is None or staged[at] != word:
                self.write(Reg.CMD + 4 * at, word, gap=gap)
                gap = 0
            if staged is not None:
                staged[at] = word
        self.write(Reg.PUSH, identifier, gap=gap)

    def bytes_of(self, settle: int, bound: int, idle: bool = False, fill: bool = False) -> bytes:
        """The file. The script ends when nothing has happened for `settle` cycles (with `idle`: and the processor is
        not busy), or after `bound` cycles; `fill`: packets of one word without end after the stream in's list."""
        begins, ends, at = 0, 0, 3
        for number, name in enumerate(CHANNELS):
            begins |= at << 16 * number
            at += len(self.records[name])
            ends |= at << 16 * number
        if at > MOST_RECORDS + 64:
            raise ProgramError(f"a program of {at} records is too long: a script holds {MOST_RECORDS}")
        head = [_record(0, 0, begins), _record(0, 0, ends), _record(settle, bound, idle | fill << 1)]
        return b"".join([*head, *(record for name in CHANNELS for record in self.records[name])])


def _record(high: int, low: int, payload: int) -> bytes:
    return (high << 176 | low << 144 | payload).to_bytes(RECORD_BYTES, "big")


def with_waits(words: Sequence[int], done: Sequence[int]) -> list[int]:
    """A command's words, waiting for these done counters."""
    head = words[0] & 0xFF
    for engine, count in enumerate(done):
        head |= (count & 0xFF) << 8 + 8 * engine
    return [head, *words[1:]]


def engine_of(words: Sequence[int]) -> Engine:
    """The engine whose queue takes the command."""
    return command_of(words).engine


def word_payload(kind: int, number: int) -> int:
    """The 128 bits of word `number`: zeros, ones, or some that are the same whenever the program runs."""
    if kind < 2:
        return ((1 << 128) - 1) * kind
    parts = [zlib.crc32(f"{kind}/{number}/{part}".encode()) for part in range(4)]
    return sum(part << 32 * at for at, part in enumerate(parts))


def script_of(program: Program) -> Script:
    """The script that plays a program from a reset on."""
    script, pushed = Script(), [0, 0, 0]
    script.wave("reset", 0, 3)
    again = any(isinstance(item, Reset) for item in program)
    play: dict[type[Item], Callable[..., None]] = {
        WriteTo: lambda item: script.write(item.address, item.data, item.strobe, item.gap, item.late),
        ReadFrom: lambda item: script.offer("ar", item.address, item.gap),
        Hold: lambda item: script.wave(item.channel, item.ready, item.held),
        Reset: lambda item: script.wave("reset", item.after, item.cycles),
        Breach: lambda item: script.offer(item.channel, item.payload, item.gap, max(1, item.cycles)),
    }
    for item in program:
        if isinstance(item, Push):
            words = item.words
            if item.serial:  # after a reset in the middle nobody knows what is done
                words = tuple(with_waits(words, (0, 0, 0) if again else pushed))
            pushed[engine_of(words)] += 1
            script.push(words, item.id, item.gap)
        elif isinstance(item, Words):
            for at in range(item.count):
                last = LAST if item.packet and at % item.packet == item.packet - 1 else 0
                script.offer("s", word_payload(item.kind, at) | last, item.gap)
        else:
            play[type(item)](item)
    return script


def read_program(path: Path) -> list[Item]:
    """The program in a file. Raises `ProgramError`, one line."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ProgramError(f"{path}: cannot be read: {error}") from error
    except ProgramError as error:
        raise ProgramError(f"{path}: {error}") from error
