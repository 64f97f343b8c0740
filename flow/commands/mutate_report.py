"""Reports of `make mutate`: one JSON file and one self-contained page that opens on what nobody noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from flow.commands.mutants import OPERATORS
from flow.core.jobs import write_json
from tb.lib.paths import shown

TEMPLATE = Path(__file__).with_name("mutate_report.html.j2")


def page(data: Mapping[str, Any]) -> str:
    """The page of what `flow.commands.mutate_run.content` found."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATE.parent, TEMPLATE.parents[1] / "core"]),
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["share"] = lambda share: f"{100 * share:.2f} %"
    return environment.get_template(TEMPLATE.name).render(data=data, meanings=OPERATORS)


def write_reports(data: Mapping[str, Any], store: Path) -> dict[str, Path]:
    """Writes both reports into the store: files by kind."""
    store.mkdir(parents=True, exist_ok=True)
    files = {"page": store / "mutate.html", "json": store / "mutate.json"}
    write_json(files["json"], data)
    files["page"].write_text(page(data), encoding="utf-8")
    return files


def summary_lines(data: Mapping[str, Any], files: Mapping[str, Path]) -> Sequence[str]:
    """What the console says at the end."""
    lines = []
    for each in data["survivors"][:20]:
        lines.append(
            f"SURVIVED {each['block']} {each['key']} {each['file']}:{each['line']} {each['operator']}: {each['what']}"
        )
        lines += [f"  {line}" for line in each["diff"].splitlines()]
    if len(data["survivors"]) > 20:
        lines.append(f"and {len(data['survivors']) - 20} more on the page")
    lines += [f"FAIL {line}" for line in data["problems"]]
    for name, each in data["blocks"].items():
        lines.append(
            f"{name}: score {100 * each['score']:.2f} %: {each['killed']} killed, {each['timeouts']} timed out, "
            f"{len(each['survivors'])} survived, {each['equivalent']} equivalent "
            f"({each['proved']} by proof), {each['not_run']} not run, "
            f"of {each['mutants']} mutants ({each['all']} there are)"
        )
    lines += [f"{name}: {shown(path)}" for name, path in files.items()]
    return lines
