"""Pictures in pages: figures of Matplotlib as SVG text that follows the page's light or dark ground."""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

PASS, FAIL, INK = "#1f8a5b", "#b9481f", "#64707d"
# Legible on a light and on a dark ground.
COLOURS = ("#3b86c8", "#d9822b", "#2f9e6e", "#b05cc0", "#c2463a", "#8f969e", "#b59a1e")
WIDTH = 9.5  # inches, as wide as a page's card


def svg(figure: Figure, name: str) -> str:
    """The figure as SVG text that can stand in a page beside others: its identifiers begin with `name`."""
    out = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "trainslice"}):
        figure.savefig(out, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
    text = re.sub(r"(?s)^.*?(<svg )", r"\1", out.getvalue())
    return re.sub(r'( id="|url\(#|href="#)', rf"\1{name}-", text)


def axes_of(figure: Figure, *position: Any) -> Any:
    """Plain axes in the page's ink at a position of `Figure.add_subplot`."""
    axes = figure.add_subplot(*position)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(which="both", labelsize=8, colors=INK)
    for spine in axes.spines.values():
        spine.set_color(INK)
    return axes
