"""MkDocs' hooks of the site: navigation, pages made from sources, captions of pictures, checks.

A warning here fails the build (strict mode). Called by MkDocs by name.
"""

from __future__ import annotations

import html
import logging
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

from flow.commands import registry
from flow.commands.regmap import stale_files
from flow.core.blocks import all_blocks
from flow.site import pages
from flow.site.links import for_site
from flow.site.pictures import PICTURES, stale_pictures
from tb.lib.contract import Block
from tb.lib.paths import ROOT

LOG = logging.getLogger("mkdocs.hooks.site")
# `![alt](pictures/name.svg)` on a line of its own, or a <picture> of a light and a dark one; the site shows the light.
MARKER = re.compile(
    r"^(?:!\[[^\]]*\]\([^)\s]*\bpictures/([\w-]+)\.svg\)|<picture>\n(?:.*\n)*?.*?\bpictures/([\w-]+)\.svg\"[^>]*>\n</picture>)$",
    re.MULTILINE,
)
CELL = re.compile(r"<td[^>]*>.*?</td>", re.DOTALL)
# A list or table right after a line of text: one on a code host, text here.
SWALLOWED = re.compile(r"<p>(?:(?!</p>).)*?\n(?:[-*] |\d+\. |\| |\|-)", re.DOTALL)
# Emphasis inside a word: two products of a line, a*b and c*d.
EMPHASIS = re.compile(r"\w+<em>[^<]*</em>|<em>[^<]*</em>\w+")
FLOW = ("ioss", "ran", "gemm", "optc", "laps", "regs", "top")  # as data flow; other blocks follow
MAY_BE_ABSENT = ("regression.md",)
NOT_PAGES = ("registers_block.md",)  # block `regs`, whose page lies with the processor's

_outside: dict[str, str] = {}  # pages of the site that lie outside docs/: path in the repository -> in the site
_made: dict[str, str] = {}
_of_source: dict[str, str] = {}  # pages that are made, by their source: a link to the source leads to the page
_drawn: set[str] = set()


def _blocks() -> list[Block]:
    return sorted(all_blocks(), key=lambda block: (*FLOW, block.name).index(block.name))


def _title(path: Path) -> str:
    first = next((line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")), path.stem)
    return first.removeprefix("# ").split(":")[0]


def _block_nav(block: Block, docs: Path) -> list[Any]:
    """Front page of a block first, its other pages, then those that are made."""
    folder = docs / block.name
    nav: list[Any] = [f"{block.name}/README.md"] if (folder / "README.md").is_file() else []
    nav += [
        {_title(path): f"{block.name}/{path.name}"}
        for path in sorted(folder.glob("*.md"))
        if path.name not in ("README.md", *NOT_PAGES)
    ]
    if block.name == "regs":
        nav.insert(0, "top/registers_block.md")
    for name, (title, text, source) in pages.block_pages(block).items():
        uri = f"verification/{block.name}/{name}"
        _made[uri], _of_source[source] = text, uri
        nav.append({title: uri})
    return nav


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fills the navigation, makes the pages."""
    docs = Path(config.docs_dir)
    blocks = _blocks()
    _outside.clear()
    _made.clear()
    _of_source.clear()
    _drawn.clear()
    _outside["README.md"] = "readme.md"
    data = sorted((ROOT / "data").glob("*/README.md"))
    _outside.update({path.relative_to(ROOT).as_posix(): f"data/{path.parent.name}.md" for path in data})
    filled = {
        "BLOCKS": [{block.name: _block_nav(block, docs)} for block in blocks],
        "DATA": [{path.parent.name: f"data/{path.parent.name}.md"} for path in data],
    }
    config.nav = _filled(config.nav, filled, docs)
    _made["reference/parameters.md"] = pages.parameters(blocks)
    _made["reference/commands.md"] = pages.commands(registry.commands(), blocks)
    _of_source["flow/cli.py"] = "reference/commands.md"
    for finding in [*stale_files(), *stale_pictures()]:
        LOG.warning(finding)
    return config


def _filled(nav: Any, filled: dict[str, list[Any]], docs: Path) -> Any:
    if isinstance(nav, str):
        return filled.get(nav, nav)
    if isinstance(nav, dict):
        return {name: _filled(value, filled, docs) for name, value in nav.items()}
    absent = [[name] for name in MAY_BE_ABSENT if not (docs / name).is_file()]
    there = [each for each in nav if not (isinstance(each, dict) and [*each.values()] in absent)]
    return [_filled(each, filled, docs) for each in there]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are made, those outside docs/, and the pictures."""
    for uri, text in _made.items():
        files.append(File.generated(config, uri, content=text))
    for path, uri in _outside.items():
        files.append(File.generated(config, uri, content=(ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links, gives pictures their captions."""
    uri = page.file.src_uri

    def shown(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        picture = PICTURES.get(name)
        if picture is None:
            LOG.warning(f"{uri}: there is no picture '{name}' (flow/site/pictures.py has {', '.join(PICTURES)})")
            return match[0]
        _drawn.add(name)
        url = get_relative_url(f"pictures/{name}.svg", page.url)
        alt = html.escape(picture.caption.replace("`", ""))
        caption = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(picture.caption))
        image = f'<a href="{url}"><img src="{url}" alt="{alt}"></a>'
        return f'<figure class="picture">{image}<figcaption>{caption}</figcaption></figure>'

    markdown = MARKER.sub(shown, markdown)
    if uri in _made:
        return markdown
    source = next((path for path, at in _outside.items() if at == uri), f"docs/{uri}")
    return for_site(markdown, source, _outside | _of_source, files.src_uris.keys())


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Finds lists and tables that became text, and products that became emphasis; takes escapes out of cells' code."""
    for match in EMPHASIS.finditer(html):
        LOG.warning(f"{page.file.src_uri}: '{match[0]}' is emphasised: write `*` of a product as code or as \\*")
    for match in SWALLOWED.finditer(html):
        line = match[0].splitlines()[-2].removeprefix("<p>")[-70:]
        LOG.warning(f"{page.file.src_uri}: a list or table needs an empty line before it, after '{line}'")
    return CELL.sub(lambda match: match[0].replace("\\|", "|"), html)


def on_post_build(config: MkDocsConfig) -> None:
    """Finds pictures that no page shows."""
    for name in PICTURES.keys() - _drawn:
        LOG.warning(f"picture '{name}' stands on no page: put `![...](pictures/{name}.svg)` where it belongs")
