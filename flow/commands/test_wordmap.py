"""Words of commands: the page is up to date, fields fill the configuration, and sources that differ are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from flow.commands import wordmap
from tb.lib.errors import UserError


def test_the_page_is_up_to_date() -> None:
    assert wordmap.stale_page() == []


def test_fields_fill_the_configuration_once() -> None:
    fields = wordmap.opt_fields()
    edges = [0]
    for field in fields:
        assert field.low == edges[-1]
        edges.append(field.low + field.width)
    assert edges[-1] == wordmap.WORDS * wordmap.WORD_BITS
    assert [(field.low, field.width) for field in fields if not field.name] == [(1, 7), (226, 30)]


def test_a_field_of_two_words() -> None:
    text = wordmap.page()
    assert "| 5: 31:24; 6: 7:0 | 88 | `c2_mant` |" in text
    assert "| 3: 31:8 | 8 | `n` |" in text


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("[19:0] clip;", "[18:0] clip;", "clip has bits 202:184, the model has clip in bits 203:184"),
        ("scalar_t     c1;", "logic [23:0] c1;", "c1.mant has no bits, the model has c1 in bits 79:64"),
        ("scalar_t     c1;", "scalar_t     c1;\n    logic [1:0] more;", "eps.mant has bits 177:162"),
        ("[2:0]  pre_v;", "[2:0]  gone;", "pre_v has no bits"),
        ("[CountW-1:0] n;", "[CountW:0] n;", "n has bits 32:8"),
        ("} pass_t;", "} other_t;", "config_t needs pass_t, which is not there"),
    ],
)
def test_rtl_that_says_something_else(old: str, new: str, finding: str, tmp_path: Path) -> None:
    text = wordmap.OPTC_PACKAGE.read_text(encoding="utf-8")
    assert old in text
    package = tmp_path / "optc_pkg.sv"
    package.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=finding):
        wordmap.opt_fields(package)


def test_a_stale_page_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "words.md"
    path.write_text(wordmap.page().replace("| 0 | to the nearest", "| 3 | to the nearest"), encoding="utf-8")
    monkeypatch.setattr(wordmap, "PAGE", path)
    assert any("is not what its sources make" in finding for finding in wordmap.stale_page())
    assert wordmap.make_page() == [path]
    assert wordmap.stale_page() == []


def test_codes_that_differ_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "ran_pkg.sv"
    package.write_text(
        wordmap.RAN_PACKAGE.read_text(encoding="utf-8").replace("RoundTruncate = 2'd1", "RoundTruncate = 2'd3"),
        encoding="utf-8",
    )
    monkeypatch.setattr(wordmap, "RAN_PACKAGE", package)
    assert any("RoundTruncate is 3, the model has 1" in finding for finding in wordmap.stale_page())
