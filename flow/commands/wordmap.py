"""Tables that a host's program is written from, made from the sources that say the same to RTL and models (`make regs`,
docs/top/words.md): the words of an OPT, the codes of a GEMM's word 8.

Positions come from the structs of `rtl/optc/optc_pkg.sv` and codes from `rtl/ran/ran_pkg.sv`; names and widths from the
models. Where they differ there is no table but an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flow.core.made import stale, write_stale
from models.common.formats import CONTAINER, PRECISION, YBits
from models.common.rounding import RAND_BITS, Round
from models.optc.config import CFG_FIELDS, CFG_SCALARS, CFG_SIGNED, MANT_BITS
from tb.lib.errors import UserError
from tb.lib.paths import ROOT, shown

PAGE = ROOT / "docs/top/words.md"
OPTC_PACKAGE = ROOT / "rtl/optc/optc_pkg.sv"
RAN_PACKAGE = ROOT / "rtl/ran/ran_pkg.sv"
FIRST_WORD = 3  # of a command: where the configuration begins
WORDS = 9
WORD_BITS = 32
_EXP_BITS = 8
_STRUCT = "config_t"
_RTL_NAME = {"mode": "adam", "eps_mant": "eps.mant", "eps_exp": "eps.exp", "copy_rand_bits": "copy_rand"}  # of a member
_DOC = {
    "mode": "0 momentum, 1 ADAM",
    "n": "parameters of the tensor",
    "fl_w": "fraction length of w after the rescaling, -64..63",
    "fl_m": "of m",
    "fl_v": "of v; even",
    "fl_g": "of g",
    "c1": "1 - beta, 1 - beta1",
    "c2": "1 - beta2; ADAM only",
    "step": "lr, with the bias corrections of ADAM",
    "wd": "lr times weight decay",
    "eps_mant": "eps, mantissa, 2^15..2^16 - 1; its unit is 2^(-eps_exp - FL_v / 2), that of a root of v",
    "eps_exp": "eps, exponent, 0..15",
    "clip": "largest quotient in units of 2^-16, 1..2^19; ADAM only",
    "copy_format": "copy y: 0..3 for 4, 8, 12, 16 bits",
    "copy_round": "rounding of the copy, as `round` below",
    "copy_rand_bits": "random bits of the copy, as `rand_bits` below",
    "copy_shift": "places by which w' is shifted right for the copy, 0..31",
    "pre_w": "places by which w is shifted left as it streams in, -4..3",
    "pre_m": "as pre_w, of m",
    "pre_v": "as pre_w, of v; even with ADAM",
    "draw": "where the numbers of draws begin; SEED is added",
}
_ROUND = {
    Round.NEAREST: "to the nearest, ties to even",
    Round.TRUNCATE: "down",
    Round.STOCHASTIC: "up or down by chance, centred",
}


@dataclass(frozen=True)
class Bits:
    """A field of the configuration: bits `low` .. `low` + `width` - 1, and what it means."""

    name: str
    low: int
    width: int
    doc: str


def constants(path: Path) -> dict[str, int]:
    """The parameters of a package that are numbers."""
    text = path.read_text(encoding="utf-8")
    pattern = r"parameter (?:int|logic \[[^]]+\]) (\w+) = (?:\d+'d)?(\d+);"
    return {name: int(value) for name, value in re.findall(pattern, text)}


def members(path: Path, struct: str) -> dict[str, tuple[int, int]]:
    """{member: (lowest bit, width)} of a package's packed struct; the members of members as `member.member`. Raises
    `UserError` if the package has no such struct, or none whose widths are numbers or parameters."""
    there = constants(path)
    structs = {
        name: re.findall(r"(\w+)\s+(?:\[([^]]+):0\]\s+)?(\w+);", re.sub(r"//[^\n]*", "", body))
        for body, name in re.findall(r"typedef struct packed \{(.*?)\} (\w+);", path.read_text("utf-8"), re.DOTALL)
    }

    def width_of(high: str) -> int:
        name, _, less = high.replace(" ", "").partition("-")
        return 1 + (int(name) if name.isdigit() else there[name]) - int(less or 0)

    def placed(struct: str) -> tuple[dict[str, tuple[int, int]], int]:
        out: dict[str, tuple[int, int]] = {}
        low = 0
        for kind, high, name in reversed(structs[struct]):
            inner, width = placed(kind) if kind != "logic" else ({}, width_of(high) if high else 1)
            out[name] = (low, width)
            out |= {f"{name}.{member}": (low + at, size) for member, (at, size) in inner.items()}
            low += width
        return out, low

    try:
        return placed(struct)[0]
    except KeyError as error:
        raise UserError(f"{shown(path)}: {struct} needs {error.args[0]}, which is not there") from error


def _bits(place: tuple[int, int] | None) -> str:
    return "no bits" if place is None else f"bits {place[0] + place[1] - 1}:{place[0]}"


def opt_fields(package: Path = OPTC_PACKAGE) -> list[Bits]:
    """Fields of the OPTC's configuration by position, reserved bits too. Raises `UserError` where RTL and model differ,
    or a field has no text."""
    there = {name.removeprefix("pass."): place for name, place in members(package, _STRUCT).items()}

    def check(name: str, rtl: str, place: tuple[int, int]) -> None:
        if (found := there.get(rtl)) != place:
            raise UserError(f"{shown(package)}: {rtl} has {_bits(found)}, the model has {name} in {_bits(place)}")

    fields: list[Bits] = []
    for name, place in CFG_FIELDS.items():
        check(name, _RTL_NAME.get(name, name), place)
        fields.append(Bits(name, *place, _DOC.get(name, "")))
    for name, low in CFG_SCALARS.items():
        check(name, f"{name}.mant", (low, MANT_BITS))
        check(name, f"{name}.exp", (low + MANT_BITS, _EXP_BITS))
        doc = _DOC.get(name, "")
        fields.append(Bits(f"{name}_mant", low, MANT_BITS, f"{doc}: mantissa; value mant * 2^-exp"))
        fields.append(Bits(f"{name}_exp", low + MANT_BITS, _EXP_BITS, f"{name}: exponent"))
    if missing := [field.name for field in fields if not field.doc.split(":")[0]]:
        raise UserError(f"{', '.join(missing)}: has no text in flow/commands/wordmap.py")
    fields.sort(key=lambda field: field.low)
    out: list[Bits] = []
    at = 0
    for field in [*fields, Bits("", WORDS * WORD_BITS, 0, "")]:
        if field.low < at:
            raise UserError(f"{field.name} overlaps the field before it, which ends at bit {at - 1}")
        if field.low > at:
            out.append(Bits("", at, field.low - at, "reserved: means nothing, write 0"))
        if field.width:
            out.append(field)
        at = field.low + field.width
    return out


def _places(field: Bits) -> str:
    """Where a field lies in the command's words."""
    out = []
    at = field.low
    while at < field.low + field.width:
        word, bit = divmod(at, WORD_BITS)
        top = min(WORD_BITS, bit + field.low + field.width - at) - 1
        out.append(f"{FIRST_WORD + word}: {top}:{bit}" if top > bit else f"{FIRST_WORD + word}: {bit}")
        at += top - bit + 1
    return "; ".join(out)


def _codes(package: Path) -> Iterator[str]:
    """Tables of y_bits, round and rand_bits. Raises `UserError` where RTL and model differ."""
    there = constants(package)
    names = {f"Y{'Raw' if code >= YBits.RAW32 else ''}{PRECISION[code]}": int(code) for code in YBits}
    names |= {f"Round{code.name.capitalize()}": int(code) for code in Round}
    for name, code in names.items():
        if there.get(name) != code:
            raise UserError(f"{shown(package)}: {name} is {there.get(name)}, the model has {code}")
    yield from ("| `y_bits` | result | container |", "| --- | --- | --- |")
    for code in YBits:
        what = f"raw sum, {PRECISION[code]} bits" if code >= YBits.RAW32 else f"{PRECISION[code]} bits"
        yield f"| {int(code)} | {what} | {CONTAINER[code]} bits |"
    yield from ("", "| `round` | rounds |", "| --- | --- |")
    yield from (f"| {int(code)} | {text} |" for code, text in _ROUND.items())
    yield from ("", "| `rand_bits` | random bits of a stochastic rounding |", "| --- | --- |")
    yield from (f"| {code} | {bits} |" for code, bits in enumerate(RAND_BITS))


def page() -> str:
    """docs/top/words.md. Raises `UserError` where sources differ."""
    lines = [
        "# Words of commands",
        "",
        "Made from `rtl/optc/optc_pkg.sv`, `rtl/ran/ran_pkg.sv` and the models by `make regs`; what commands do stands",
        "in [the processor](README.md#commands).",
        "",
        "## Words 3..11 of an OPT",
        "The OPTC's [configuration](../optc/reference.md#configuration), lowest word first. Signed fields are two's",
        "complement.",
        "",
        "| word: bits | bit of the configuration | field | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for field in opt_fields():
        name = f"`{field.name}`{' (signed)' if field.name in CFG_SIGNED else ''}" if field.name else ""
        lines.append(f"| {_places(field)} | {field.low} | {name} | {field.doc} |")
    lines += [
        "",
        "With momentum `eps` and `clip` mean nothing; `c2` does nothing, but must be legal.",
        "",
        "## Codes in word 8 of a GEMM",
        "As in a descriptor of [the RAN](../ran/ports.md).",
        "",
        *_codes(RAN_PACKAGE),
        "",
        "## RTL files",
        "`rtl/<block>/<block>.f` lists the files of a block in compile order (`make regs` keeps it); its first line",
        "names the top module. Simulators take it with `-f`, from the folder of the clone.",
    ]
    return "\n".join(lines) + "\n"


def stale_page() -> list[str]:
    """A finding if sources differ, or the page is not what they make."""
    try:
        made = {PAGE: page()}
    except UserError as error:
        return [str(error)]
    return [f"{shown(path)}: is not what its sources make: run `make regs`" for path in stale(made)]


def make_page() -> list[Path]:
    """Writes the page if it is not up to date; what was written."""
    return write_stale({PAGE: page()})
