"""The register map: what is made from it, the errors it can have, and lint's look at what was made."""

from __future__ import annotations

import re

import pytest

from flow.commands import lint, regmap
from flow.commands.wordmap import members
from models.regs.map import MapError

FIELD = '{name: "a", low: 0, width: 4}'
ONE = f'{{name: "ONE", offset: 0, access: "rw", reset: 5, doc: "d", fields: [{FIELD}]}}'
TWO = f'{{name: "TWO", offset: "0x8", count: 2, access: "ro", reset: 0, doc: "d", volatile: true, fields: [{FIELD}]}}'
WIN = '{name: "WIN", offset: "0x100", size: "0x80", count: 2, access: "rw", doc: "d"}'


def load(tmp_path, *registers, windows=(WIN,)):
    path = tmp_path / "map.hjson"
    path.write_text(
        "{\n name: t\n registers: [\n" + "\n".join(registers) + "\n]\n windows: [\n" + "\n".join(windows) + "\n]\n}\n",
        encoding="utf-8",
    )
    return regmap.load_map(path)


def test_objects(tmp_path):
    regs = load(tmp_path, TWO, ONE)
    one, two = regs.registers
    assert (one.name, two.name, list(two.addresses)) == ("ONE", "TWO", [8, 12])
    assert (one.mask, one.reset, one.readable, one.writable, two.writable) == (15, 5, True, True, False)
    assert one.legal(15)
    assert not one.legal(16)
    assert not two.legal(0)
    assert regs.address("TWO", 1) == 12
    assert regs.at(12) == (two, 1)
    assert regs.at(4) is None
    assert regs.at(13) is None
    assert regs.window_at(0x1FC) == (regs.window("WIN"), 1)
    assert regs.window_at(0x200) is None
    assert regs.register("ONE").pack(a=3) == 3
    with pytest.raises(KeyError):
        regs.register("THREE")


CHANGES = {
    "not a map": (lambda: ["{"], "cannot be read"),
    "access": (lambda: [ONE.replace('"rw"', '"rx"')], "register ONE: unknown access 'rx': choose one of ro, rw, wo"),
    "overlap": (lambda: [ONE, TWO.replace('"0x8"', "0")], r"register (ONE|TWO): overlaps register (ONE|TWO)"),
    "into array": (lambda: [ONE.replace("offset: 0,", "offset: 12,"), TWO], "register ONE: overlaps register TWO"),
    "into window": (lambda: [ONE.replace("offset: 0,", "offset: 256,")], "overlaps"),
    "twice": (lambda: [ONE, ONE], "register ONE: stands twice"),
    "key twice": (lambda: [ONE.replace("reset: 5", "reset: 5, reset: 6")], "'reset' stands twice"),
    "field overlap": (
        lambda: [ONE.replace(FIELD, f'{FIELD}, {{name: "b", low: 3, width: 2}}')],
        "register ONE, field b: shares bits with field a",
    ),
    "field twice": (lambda: [ONE.replace(FIELD, f"{FIELD}, {FIELD.replace('0', '8')}")], "field a: stands twice"),
    "field too wide": (lambda: [ONE.replace("width: 4", "width: 33")], "width 0x21 is outside 0x1..0x20"),
    "no field": (lambda: [ONE.replace(FIELD, "")], "register ONE: has no field"),
    "field name": (lambda: [ONE.replace('"a"', '"A"')], "a name is lower case"),
    "name": (lambda: [ONE.replace('"ONE"', '"one"')], "a name is upper case"),
    "reset": (lambda: [ONE.replace("reset: 5", "reset: 16")], "reset 0x10 sets a bit of no field"),
    "lacks": (lambda: [ONE.replace("reset: 5, ", "")], "register ONE: lacks reset"),
    "unknown key": (lambda: [ONE.replace("reset: 5", "reset: 5, colour: 3")], "register ONE: has unknown colour"),
    "kind": (lambda: [ONE.replace("reset: 5", 'reset: "five"')], "register ONE: reset must be a number"),
    "alignment": (lambda: [ONE.replace("offset: 0,", "offset: 2,")], "offset 0x2 is not a multiple of 4"),
    "outside": (lambda: [ONE.replace("offset: 0,", "offset: 65536,")], "offset 0x10000 is outside"),
    "past the end": (lambda: [TWO.replace('"0x8"', "65532")], "register TWO: ends at 0x10003"),
    "no object": (lambda: ["7"], "register 0: must be an object"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_errors_take_one_line(tmp_path, change):
    registers, text = CHANGES[change]
    with pytest.raises(MapError, match=text) as error:
        load(tmp_path, *registers())
    assert "\n" not in str(error.value)
    assert "map.hjson: " in str(error.value)


def test_a_window_must_fit_a_decoder(tmp_path):
    with pytest.raises(MapError, match="window WIN: size must be a power of two"):
        load(tmp_path, ONE, windows=(WIN.replace('"0x80"', '"0x60"'),))
    with pytest.raises(MapError, match="overlaps window WIN"):
        load(tmp_path, ONE, windows=(WIN, WIN.replace("WIN", "OTHER").replace("0x100", "0x180")))


def test_a_missing_map_takes_one_line(tmp_path):
    with pytest.raises(MapError, match="cannot be read"):
        regmap.load_map(tmp_path / "none.hjson")


def test_what_is_made_names_everything():
    regs = regmap.load_map()
    package, table = regmap.made_files(regs).values()
    constants = dict(re.findall(r"parameter (?:int|logic \[\d+:0\]) (\w+) = ([\d'hda-f]+);", package))
    assert len(constants) == package.count("parameter")
    assert constants["AddrUpd"] == f"16'h{regs.address('UPD'):x}"
    assert constants["CountCmd"] == "16'd16"
    assert constants["UpdAnswerEvents"] == "11"
    for register in regs.registers:
        assert f"`{register.name}`" in table
        for field in register.fields:
            assert f"| `{register.name}` | {field.bits} | `{field.name}` |" in table


def test_every_word_is_decoded_as_the_map_says():
    regs = regmap.load_map()
    package = regmap.made_files(regs)[regmap.PACKAGE]
    body = re.search(r"at_of = \{\n(.*?)\n    \};", package, re.DOTALL)[1]
    rows = [row.strip(" ,").replace("14'h", "0x").replace("&&", "and") for row in body.splitlines()]
    rows = [compile(row, row, "eval") for row in rows]
    fields = re.search(r"typedef struct packed \{\n([^}]*)  \} at_t;", package)[1].split("\n")[:-1]
    assert [field.strip() for field in fields] == [f"logic {each.name.lower()};" for each in reversed(regs.registers)]
    for word in range(1 << 14):
        hit = [eval(row, {"word": word}) for row in rows]
        assert hit == [4 * word in register.addresses for register in reversed(regs.registers)], word
    allowed = {name: int(re.search(rf" {name} = \d+'h(\w+);", package)[1], 16) for name in ("Readable", "Writable")}
    for at, register in enumerate(regs.registers):
        assert (allowed["Readable"] >> at & 1, allowed["Writable"] >> at & 1) == {
            "ro": (1, 0), "rw": (1, 1), "w1c": (1, 1), "wo": (0, 1),
        }[register.access]  # fmt: skip
        partly = f"if (at.{register.name.lower()}) mask_of = Mask" in package
        assert partly == (register.access != "ro" and register.mask != 0xFFFFFFFF), register.name


def test_structs_have_every_field_where_it_is():
    regs = regmap.load_map()
    package = regmap.PACKAGE
    for register in regs.registers:
        if len(register.fields) == 1:
            continue
        there = members(package, f"{register.name.lower()}_t")
        for field in register.fields:
            assert there.pop(field.name) == (field.low, field.width)
        assert all(name.startswith("spare") for name in there)
        assert sum(width for _, width in there.values()) == 32 - sum(field.width for field in register.fields)


def test_constants_have_different_names(tmp_path):
    regs = load(tmp_path, ONE.replace(FIELD, f'{FIELD}, {{name: "a_w", low: 4, width: 1}}'))
    with pytest.raises(MapError, match="two constants are called OneAW: rename a field"):
        regmap.made_files(regs)


def test_lint_finds_files_that_are_not_up_to_date(tmp_path, monkeypatch):
    assert regmap.stale_files() == []
    paths = {"PACKAGE": tmp_path / "p.sv", "TABLE": tmp_path / "t.md"}
    for name, path in paths.items():
        path.write_text(getattr(regmap, name).read_text(encoding="utf-8"), encoding="utf-8")
        monkeypatch.setattr(regmap, name, path)
    assert regmap.stale_files() == []
    paths["PACKAGE"].write_text(
        paths["PACKAGE"].read_text(encoding="utf-8").replace("AddrSeed = 16'd32", "AddrSeed = 16'd36"), encoding="utf-8"
    )
    paths["TABLE"].unlink()
    monkeypatch.setattr(lint, "all_blocks", list)
    for check in ("lint_style", "lint_sources", "lint_python", "lint_encodings"):
        monkeypatch.setattr(lint, check, lambda *_: [])
    findings = dict(lint.lint())["registers"]
    assert [line.split(":")[0].rpartition("/")[2] for line in findings] == ["p.sv", "t.md"]
    assert all(line.endswith("run `make regs`") for line in findings)
    assert regmap.make_files(regmap.load_map()) == list(paths.values())
    assert regmap.stale_files() == []
    source = tmp_path / "map.hjson"
    source.write_text(
        regmap.SOURCE.read_text(encoding="utf-8").replace('access: "w1c"', 'access: "w2c"'), encoding="utf-8"
    )
    monkeypatch.setattr(regmap, "load_map", lambda load=regmap.load_map: load(source))
    assert "unknown access 'w2c'" in regmap.stale_files()[0]
