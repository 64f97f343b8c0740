"""The README's numbers are those of docs/results.json, and these are what pages, files and a run say."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from flow.commands.faults import load_faults
from flow.core.blocks import all_blocks
from flow.core.made import stale
from flow.core.targets import run_target
from flow.site.figures import filled, page
from tb.lib.errors import UserError
from tb.lib.paths import ROOT

RESULTS: dict[str, Any] = json.loads((ROOT / "docs/results.json").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAINING = (ROOT / "docs/top/training.md").read_text(encoding="utf-8")


def _plain(text: str) -> str:
    return " ".join(text.split())


def hidden(readme: str, results: dict[str, Any]) -> list[str]:
    """Lines of the excerpts that the README does not show."""
    shown = [_plain(line) for line in readme.splitlines()]
    return [
        f"{command}: README does not show '{line}'"
        for command, excerpt in results["excerpts"].items()
        for line in excerpt
        if _plain(line) not in shown
    ]


def _figure(name: str) -> dict[str, str]:
    return next(figure for figure in RESULTS["figures"] if name in figure["name"])


def trained(row: str) -> list[str]:
    """Accuracy, float32, bits, speed-up, in epoch 1, utilisation, energy of a row of the training page."""
    line = next(line for line in TRAINING.splitlines() if line.startswith(f"| {row} |"))
    return [cell.strip().removesuffix(" %") for cell in line.split("|")[2:9]]


def test_the_readme_shows_the_results() -> None:
    assert stale(page()) == []
    assert hidden(README, RESULTS) == []
    assert len(hidden(README.replace("2,351,928 value", "2 value"), RESULTS)) == 1


def test_a_number_is_edited_in_one_place() -> None:
    figures = RESULTS["figures"]
    pair = "| {mlp} | {cnn} |".format(**figures[0])
    comparisons = next(each["value"] for each in figures if each["command"] == "make sim")
    for old, new in ((pair, "| 1.0 | 2.0 |"), (figures[2]["mlp"], "2.9 times less"), (comparisons, "7")):
        assert old in README
        assert filled(README.replace(old, new), RESULTS) == README
    other = json.loads(json.dumps(RESULTS).replace(comparisons, "7"))
    assert filled(README, other) == README.replace(comparisons, "7")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda results: results["figures"][0].update(name="speed"), "no row speed"),
        (lambda results: results["compared"].update(Mine={}), "no row Mine"),
        (lambda results: results["compared"]["TrainSlice, IOSS core"].update(price="1"), "no column price"),
    ],
)
def test_a_figure_without_a_place_is_refused(change: Callable[[dict[str, Any]], None], words: str) -> None:
    results = copy.deepcopy(RESULTS)
    change(results)
    with pytest.raises(UserError, match=words):
        filled(README, results)


def test_the_results_are_those_of_the_pages() -> None:
    for net in ("MLP", "CNN"):
        key = net.lower()
        assert _figure("speed-up")[key] == trained(f"{net}, 1")[4]
        mean = trained(f"{net}, mean")
        assert _figure("energy")[key] == f"{float(mean[6]):.1f} times"
        assert _figure("accuracy")[key] == f"{float(mean[0]):.1f} % ({float(mean[1]):.1f} %)"
    for figure in RESULTS["figures"]:
        page, _, anchor = figure["page"].partition("#")
        heads = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in [head.lower().replace(" ", "-") for head in heads]


def test_there_are_as_many_planted_faults_as_the_readme_says() -> None:
    planted = sum(len(load_faults(block)) for block in all_blocks() if block.faults_dir)
    said = int(_figure("planted faults")["value"].replace(",", ""))
    assert 0.95 * planted <= said <= planted  # some may have been added since it was written


def test_make_sim_prints_what_the_readme_shows(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    done = run_target("sim", REPORT=report)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = [_plain(line) for line in done.stdout.splitlines()]
    for line in RESULTS["excerpts"]["make sim"]:
        assert _plain(line) in printed
    made = json.loads(report.read_text(encoding="utf-8"))["checks"]
    total = f"{sum(made.values()):,}"
    assert _figure("comparisons")["value"] == RESULTS["compared"]["TrainSlice, IOSS core"]["comparisons"] == total


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    newest = re.search(r"^## (\S+) \((\S+)\)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest.groups() == (project["version"], str(citation["date-released"]))
    assert citation["version"] == project["version"]
