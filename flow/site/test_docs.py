"""The site: it builds strictly, shows what the sources say, and what is wrong with a page fails the build."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import pytest

from flow.commands import docs, registry, regmap
from flow.commands.faults import Fault
from flow.core.blocks import all_blocks, get_block
from flow.site import build, draw, pages, pictures, waves
from flow.site.draw import DrawingError, Sheet, in_dark
from flow.site.hooks import MARKER
from flow.site.links import for_site
from flow.site.pictures import PICTURES
from tb.lib.contract import Param
from tb.lib.coverage import CoverGroup, Coverpoint
from tb.lib.errors import UserError
from tb.lib.paths import ROOT
from tb.lib.testlist import TestEntry
from tb.lib.testplan import Testpoint

POINT = Testpoint("spoon", "V2", "a spoon", "it bends", ("stir",), *[{"value": 1234, "slice": 2, "cycle": 3}] * 2)
# What a page loads by itself from another machine.
LOADED = re.compile(r"<(?!a )[^>]*(?:src|href)=\"(?:https?:)?//[^>]*>|url\([\"']?(?:https?:)?//|@import[^;]*//")


def test_the_site_is_built_and_needs_no_network(tmp_path: Path) -> None:
    assert build.build_site(tmp_path) == []
    for block in all_blocks():
        for name, (_, _, source) in pages.block_pages(block).items():
            page = tmp_path / "verification" / block.name / name.replace(".md", ".html")
            assert source in page.read_text(encoding="utf-8")
    text = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    for name, picture in PICTURES.items():
        assert any(f"pictures/{name}.svg" in page for page in text.values())
        assert picture.svg() == (tmp_path / "pictures" / f"{name}.svg").read_bytes()
    assert 'src="assets/iframe-worker.js"' in text[tmp_path / "index.html"]
    styles = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.css")}
    found = [(path.name, match[0]) for path, page in (text | styles).items() for match in LOADED.finditer(page)]
    assert found == []


@pytest.mark.parametrize(
    "loads",
    ['<script src="https://x.org/y.js">', '<link rel="a" href="//x.org/y.css">', "a { b: url(https://x.org/y) }"],
)
def test_what_needs_a_network_is_found(loads: str) -> None:
    assert LOADED.search(loads)
    assert not LOADED.search('<a class="b" href="https://x.org/y">')


def test_what_is_wrong_with_a_page_fails_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", docs)
    (docs / "lost.md").write_text("# Nobody leads here\n", encoding="utf-8")
    page = docs / "conventions.md"
    links = "[a](nosuch.md) [b](architecture.md#nosuch) [c](../rtl/nosuch.sv)"
    wrong = f"\n{links}\n\n![no](pictures/nosuch.svg)\n\nText\n- no list\n\na*b and c*d\n"
    page.write_text(page.read_text(encoding="utf-8") + wrong, encoding="utf-8")
    for path in docs.rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"(?m)^!.*pictures/processor\.svg\)$", "", text), encoding="utf-8")
    config = tmp_path / "mkdocs.yml"
    config.write_text(
        f"INHERIT: {ROOT}/mkdocs.yml\ndocs_dir: {docs}\nhooks: ['{ROOT}/flow/site/hooks.py']\n"
        f"site_dir: {tmp_path}/site\n",
        encoding="utf-8",
    )
    findings = "\n".join(build.build_site(tmp_path / "site", config))
    for words in (
        "lost.md",
        "'nosuch.md'",
        "'architecture.md#nosuch'",
        "'../rtl/nosuch.sv'",
        "no picture 'nosuch'",
        "empty line before it, after 'Text'",
        "'a<em>b and c</em>' is emphasised",
        "picture 'processor' stands on no page",
    ):
        assert words in findings, words


def test_every_picture_is_shown_and_every_shown_one_is_drawn() -> None:
    pages_shown = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {a or b for path in pages_shown for a, b in MARKER.findall(path.read_text(encoding="utf-8"))}
    assert shown == set(PICTURES)


def test_the_committed_pictures_are_those_that_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pictures.stale_pictures() == []
    folder = tmp_path / "pictures"
    monkeypatch.setattr(pictures, "ROOT", tmp_path)
    monkeypatch.setattr(pictures, "FOLDER", folder)
    assert len(pictures.stale_pictures()) == len(PICTURES) + len(pictures.DARK)
    pictures.write_pictures()
    assert pictures.stale_pictures() == []
    (folder / "gemm.svg").write_text("<svg/>", encoding="utf-8")
    (folder / "old.svg").write_text("<svg/>", encoding="utf-8")
    assert [line.split(":")[0] for line in pictures.stale_pictures()] == ["pictures/gemm.svg", "pictures/old.svg"]
    pictures.write_pictures()
    assert pictures.stale_pictures() == []


def test_the_dark_picture_has_no_light_colour() -> None:
    dark = in_dark(PICTURES["overview"].svg()).decode()
    assert not set(re.findall("#[0-9a-f]{6}", dark)) & set(draw.IN_DARK)


# ---- pages that are made ---------------------------------------------------------------------------------------------
def test_a_testpoint_and_a_test_appear() -> None:
    block = get_block("ioss")
    entry = TestEntry(
        "stir", "one is enough", seeds=(4,), directed=True, params=({"ROWS": 4},), icarus_config={"jobs": 3}
    )
    text = pages.testplan(block, [POINT])
    for words in ("## spoon", "a spoon", "it bends", "`stir`", "value 1,234", "V2"):
        assert words in text
    text = pages.tests(dataclasses.replace(block, tests=(entry,)), [POINT])
    for words in ("`stir`", "testplan.md#spoon", "4 (directed)", "`ROWS=4`", "`jobs: 3`", "one is enough"):
        assert words in text


def test_bins_faults_and_parameters_appear() -> None:
    block = get_block("ioss")
    group = CoverGroup("cutlery", (Coverpoint("spoons", ("big", "a|b"), "what stirs"),), "what lies there")
    text = pages.coverage(block, [group])
    for words in ("## cutlery", "what lies there", "`spoons`", "`big`, `a\\|b`", "what stirs", "2 bins that count"):
        assert words in text
    text = pages.faults(block, [Fault("bent", Path("bent.patch"), "a bent spoon", "stir", 7, ("soup",), {"ROWS": 2})])
    for words in ("`bent`", "a bent spoon", "`stir`", "| 7 |", "`soup`", "`ROWS=2`"):
        assert words in text
    with_one = dataclasses.replace(block, params={"SPOONS": Param(3, (3, 5), "Spoons", "on the table")})
    assert "| `SPOONS` | `Spoons` | 3 | 3, 5 | on the table |" in pages.parameters([with_one])


def test_every_target_and_variable_appears() -> None:
    commands = registry.commands()
    text = pages.commands(commands, all_blocks())
    for name, command in commands.items():
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert all(f"| `{param.envvar}` |" in section for param in command.params)
    assert re.search(r"\| `LAYERS` \|.*\| laps \|", text)
    assert re.search(r"\| `SEED` \|.*\| all \|", text)
    makefile = re.search(r"^TARGETS := (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert makefile is not None
    assert set(makefile[1].split()) == set(commands)


def test_a_register_appears_or_the_build_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "registers.hjson"
    text = regmap.SOURCE.read_text(encoding="utf-8")
    assert '"SEED"' in text or "SEED" in text
    source.write_text(re.sub(r"(name:\s*\"?)STEP(\"?)", r"\1SPOON\2", text), encoding="utf-8")
    monkeypatch.setattr(regmap, "SOURCE", source)
    made = regmap.made_files(regmap.load_map(source))
    assert "`SPOON`" in made[regmap.TABLE]
    monkeypatch.setattr(regmap, "load_map", lambda path=source, load=regmap.load_map: load(source))
    assert any("registers.md: is not what" in finding for finding in regmap.stale_files())


# ---- links -----------------------------------------------------------------------------------------------------------
def test_links_lead_to_pages_or_become_text() -> None:
    outside = {"README.md": "readme.md", "data/x/README.md": "data/x.md"}
    files = {"ioss/README.md", "conventions.md", "readme.md", "data/x.md"}

    def turned(text: str, source: str = "docs/ioss/README.md") -> str:
        return for_site(text, source, outside, files)

    assert turned("[a](../conventions.md#b)") == "[a](../conventions.md#b)"
    assert turned("[a](../../data/x) [b](../../README.md)") == "[a](../data/x.md) [b](../readme.md)"
    assert turned("[a](docs/ioss)", "README.md") == "[a](ioss/README.md)"
    assert turned("[a](../../docs/conventions.md)", "data/x/README.md") == "[a](../conventions.md)"
    assert turned("[a](../../Makefile)") == "a (`Makefile`)"
    for kept in ("[a](nosuch.md)", "[a](https://x.org/y)", "`[a](../../Makefile)`", "[a](#b)"):
        assert turned(kept) == kept


# ---- pictures --------------------------------------------------------------------------------------------------------
def _two(x: float = 4) -> Sheet:
    sheet = Sheet()
    sheet.box("a", 1, 1, 2, 1, "one")
    sheet.box("b", x, 1, 2, 1, "two")
    return sheet


def test_what_does_not_fit_in_a_picture_is_an_error() -> None:
    assert _two().collisions() == []
    assert _two(2).collisions() == ["box a on b"]
    sheet = _two()
    sheet.text(2.5, 1, "a long text between the two")
    assert any("on the box a" in each for each in sheet.collisions())
    sheet = _two(7)
    sheet.box("c", 4, 1, 2, 1, "three")
    sheet.link("a.E", "b.W")
    assert any("through the box c" in each for each in sheet.collisions())
    sheet = _two(9)
    sheet.link("a.E", "b.W")
    sheet.text(5, 1, "on it")
    with pytest.raises(DrawingError, match="on the line"):
        sheet.svg()
    with pytest.raises(DrawingError, match="does not fit its box"):
        sheet.box("d", 4, 4, 1, 1, "far too long a title")
    with pytest.raises(DrawingError, match=r"no place 'e\.W'"):
        sheet.link("a.E", "e.W")


def test_waves_show_the_models_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    before = waves.optc_pipeline()
    monkeypatch.setattr(waves.optc_cycle, "LATENCY", 52)
    assert waves.optc_pipeline() != before


def test_a_bus_has_a_value_for_each_change() -> None:
    wave = draw.Waves((0, 4), (9, 10))
    wave.bus("x", {0: "a", 1: "a", 2: "b", 9: "c"})
    wave.bit("y", [1, 9])
    assert wave._rows[0] == {"name": "x", "wave": "3.3z..3z"[:8], "data": ["a", "b", "c"]}
    assert wave._rows[1]["wave"] == "010...10"


# ---- the command -----------------------------------------------------------------------------------------------------
def test_the_command_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(pictures, "write_pictures", lambda: None)
    monkeypatch.setattr(build, "build_site", lambda: ["x.md: broken"])
    assert docs.main.callback(OPEN=False) == 1
    assert capsys.readouterr().out == "  x.md: broken\nFAIL docs: 1 findings, no site\n"
    monkeypatch.setattr(build, "build_site", list)
    assert docs.main.callback(OPEN=False) == 0
    monkeypatch.setattr(docs.webbrowser, "open", lambda _: False)
    with pytest.raises(UserError, match="no browser to open"):
        docs.main.callback(OPEN=True)
