"""Random programs, as Hypothesis draws and shrinks them: towards few items, small numbers, commands that are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from models.common.commands import CMD_WORDS, FIELDS, HEAD, Bits, Operation
from models.common.formats import YBits
from models.optc.config import CFG_BITS
from models.top.config import RECORDS, Buffer, Command, Gemm, Load, Opt, Plan, Reg, Store, TopParams, Unknown, Update
from tb.optc.sequences import PLAIN
from tb.top.abuse.program import (
    CHANNELS,
    HELD,
    OFFERS,
    WIDTHS,
    Breach,
    Hold,
    Item,
    Push,
    ReadFrom,
    Reset,
    Words,
    WriteTo,
)

WORD = (1 << 32) - 1
ADDRESSES = (
    *Reg,
    Reg.CMD + 60,
    Reg.UPD + 20,
    Reg.PLAN + 508,
    Reg.LAPS + 0x100,
    Reg.COUNTERS + 4,
    0x3FC,
    0x7FFC,
    0xFFFC,
)
FREE_NAMES = [name for name in HEAD if name != "target"]


@dataclass(frozen=True)
class Mix:
    """What programs consist of: `least` to `items` items of these kinds (names of the functions below), which may come
    several times."""

    kinds: tuple[str, ...]
    items: int = 12
    least: int = 5


COMMANDS = (*["push"] * 6, "words", "words", "hold")
ACCESSES = ("push", "push", "words", "laps", "update", "access", "access")
MIXES = {
    "commands": Mix((*COMMANDS, "laps", "update")),
    "breaches": Mix((*COMMANDS, "breach", "breach", "breach")),
    "resets": Mix((*COMMANDS, "reset", "reset", "laps")),
    "accesses": Mix((*ACCESSES, "hold")),
    "everything": Mix((*COMMANDS, *ACCESSES, "breach", "breach", "reset"), 16),
}


def edges(bits: int) -> st.SearchStrategy[int]:
    """Numbers of so many bits, those at the edges of ranges more often."""
    most = (1 << bits) - 1
    chosen = sorted({each for at in range(bits + 1) for each in ((1 << at) - 1, 1 << at) if each <= most} | {most - 1})
    return st.one_of(st.sampled_from(chosen), st.integers(0, most))


# ---- commands --------------------------------------------------------------------------------------------------------
def bases(params: TopParams) -> list[Command]:
    """Commands that are right; those drawn differ from one of them in a few fields."""
    first, config = params.words_of(Buffer.Y) // 2, replace(PLAIN, n=9)
    gemm = Gemm(m=2, k=5, n=16, y_first=first, n_x=1, n_w=1, shift=4)
    long = Gemm(m=2, k=params.depth + 3, n=17, n_x=2, n_w=1, y_first=first, psum_first=0, shift=4, y_step=8)
    return [
        Load(target=Buffer.X, count=2), Load(target=Buffer.W, count=3, cores=15), Load(target=Buffer.Y, first=first),
        Load(target=Buffer.SV, count=2), Store(target=Buffer.Y, count=2), Store(target=Buffer.SM, first=1),
        Store(target=Buffer.A), gemm, replace(gemm, relu=True, masks=True, write_masks=True, update=True, y=6), long,
        replace(long, y_bits=YBits.RAW32, shift=0, biases=True), replace(gemm, planned=True, slot=3, update=True, y=1),
        Opt(copies=first, config=config), Opt(state=1, gradients=8, copies=2, config=replace(config, n=4)),
        Plan(x=0, w=1, y=2, k=5, slot=3), Unknown(code=0), Opt(copies=first, fed=True, config=replace(config, n=32)),
        replace(gemm, y_bits=YBits.RAW32, shift=0, feeds=True), Store(target=RECORDS, count=36),
        Update(values=100, overflow=1, zeros=10, sum_low=3000, y=4, max_bit=9),
    ]  # fmt: skip


def _fields(command: Command) -> dict[str, Bits]:
    """Fields that a draw may change: the command's own, and its target."""
    own = dict(FIELDS.get(int(command.operation), {}))
    if command.operation == Operation.OPT:
        own |= {f"configuration {at}": Bits(3 + at, 0, 32) for at in range(CFG_BITS // 32)}
    return {**own, "target": HEAD["target"]}


def put(words: list[int], bits: Bits, value: int) -> None:
    """Puts a field into a command's words."""
    mask = (1 << bits.width) - 1
    words[bits.word] = words[bits.word] & ~(mask << bits.low) | (value & mask) << bits.low


def pushes(params: TopParams) -> st.SearchStrategy[Push]:
    """Commands that are right, that are at the edges of their ranges, and of random words."""
    each = [(command.words(), sorted(_fields(command).items())) for command in bases(params)]

    @st.composite
    def push(draw: st.DrawFn) -> Push:
        words, fields = draw(st.sampled_from(each))
        words = list(words)
        for _ in range(draw(st.sampled_from((0, 0, 1, 1, 2, 3)))):
            _, bits = draw(st.sampled_from(fields))
            put(words, bits, draw(edges(bits.width)))
        if draw(st.integers(0, 19)) == 19:
            for at in range(CMD_WORDS):
                words[at] = draw(st.integers(0, WORD))
            if draw(st.booleans()):  # else few would be carried out
                words[0] = words[0] & ~0xFF | draw(st.integers(0, 9))
                words[1] &= 0x0007_003F
        serial = draw(st.sampled_from((1, 1, 1, 0)))
        if not serial:
            head = draw(st.sampled_from((0, 0, 0, 1, 2)))
            for name in FREE_NAMES:
                put(words, HEAD[name], draw(edges(2)) if head == 1 else draw(edges(8)) if head == 2 else 0)
        return Push(tuple(words), draw(st.integers(0, 255)), serial, draw(gaps()))

    return push()


# ---- the other items -------------------------------------------------------------------------------------------------
def gaps() -> st.SearchStrategy[int]:
    """Idle cycles before an offer."""
    return st.one_of(st.just(0), st.integers(0, 40), st.integers(0, 600))


def times() -> st.SearchStrategy[int]:
    """Cycles until something happens, thousands sometimes."""
    return st.one_of(st.integers(0, 40), st.integers(0, 1000), st.integers(0, 5000))


def _addresses(written: bool = False) -> st.SearchStrategy[int]:
    """Any; `written`: without RUN, as the judge does not follow commands from the stream in."""
    every = st.one_of(st.sampled_from(ADDRESSES), st.integers(0, 0xFFFF))
    return every.filter(lambda address: address != Reg.RUN) if written else every


def _laps(params: TopParams) -> st.SearchStrategy[WriteTo]:
    """Writes of LAPS' registers: its table, and those after it."""
    entries = 8 * params.layers
    places = st.one_of(st.integers(0, entries - 1), st.integers(0, entries + 64))
    legal = st.builds(lambda fl, n: fl & 0xFF | n << 8, st.integers(-8, 8), st.integers(1, 4))
    address = places.map(lambda place: Reg.LAPS + 4 * place)
    return st.builds(WriteTo, address, st.one_of(legal, edges(32)), gap=gaps())


def _update() -> st.SearchStrategy[WriteTo]:
    """Writes of UPD and UPD_PUSH, STEP and SEED."""
    places = (*(Reg.UPD + 4 * at for at in range(6)), Reg.UPD_PUSH, Reg.UPD_PUSH, Reg.STEP, Reg.SEED)
    return st.builds(WriteTo, st.sampled_from(places), edges(32), gap=gaps())


def _access() -> st.SearchStrategy[Item]:
    late = st.one_of(st.just(0), st.integers(-200, 200))
    strobes = st.sampled_from((15, 15, 15, 0, 7, 8))
    return st.one_of(
        st.builds(WriteTo, _addresses(True), edges(32), strobes, gaps(), late),
        st.builds(ReadFrom, _addresses(), gaps()),
    )


@st.composite
def _words(draw: st.DrawFn) -> Words:
    count = draw(st.one_of(st.integers(1, 6), st.integers(1, 80)))
    packet = draw(st.one_of(st.just(count), st.integers(0, count + 1)))
    return Words(count, packet, draw(st.integers(0, 9)), draw(st.one_of(st.just(0), st.integers(0, 20))))


def _hold() -> st.SearchStrategy[Hold]:
    return st.builds(Hold, st.sampled_from(HELD), times(), times())


def _reset() -> st.SearchStrategy[Reset]:
    return st.builds(Reset, times(), st.integers(1, 5))


@st.composite
def _breach(draw: st.DrawFn) -> Breach:
    channel = draw(st.sampled_from(OFFERS))
    if channel in ("aw", "ar"):
        payload = draw(_addresses(channel == "aw"))
    else:
        payload = draw(edges(32)) | draw(st.integers(0, 15)) << 32 if channel == "w" else draw(edges(WIDTHS[channel]))
    return Breach(channel, draw(st.one_of(st.integers(1, 5), st.integers(1, 400))), payload, draw(gaps()))


def programs(mix: Mix, params: TopParams) -> st.SearchStrategy[list[Item]]:
    """Programs of a mix."""
    kinds: dict[str, Callable[[], st.SearchStrategy[Item]]] = {
        "push": lambda: pushes(params), "laps": lambda: _laps(params), "update": _update, "access": _access,
        "words": _words, "hold": _hold, "reset": _reset, "breach": _breach,
    }  # fmt: skip
    made = {name: kinds[name]() for name in dict.fromkeys(mix.kinds)}
    item = st.sampled_from(mix.kinds).flatmap(made.__getitem__)
    return st.lists(item, min_size=mix.least, max_size=mix.items)


def kinds_of(program: Sequence[Item]) -> set[str]:
    """Names of the kinds of items that a program has."""
    return {item.NAME for item in program}


assert set(HELD) | set(OFFERS) | {"reset"} == set(CHANNELS)
