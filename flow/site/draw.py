"""What pictures are drawn with: a sheet of boxes, links and texts, and wave diagrams. SVG, by schemdraw."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import schemdraw
from schemdraw.backends.svg import text_size
from schemdraw.elements import Element
from schemdraw.logic import TimingDiagram
from schemdraw.segments import Segment, SegmentPoly, SegmentText

from tb.lib.errors import UserError

Point = tuple[float, float]
Rect = tuple[float, float, float, float]  # left, top, right, bottom; y grows downwards

INK, LINE = "#263238", "#37474f"
FILLS = {
    "data": "#d5efec",  # computes
    "memory": "#d6e4f7",  # stores
    "control": "#fde7cf",  # decides
    "check": "#eadcf4",  # compares
    "outside": "#eceff1",  # belongs to another
    "group": "#fafafa",  # holds others
}
IN_DARK = {
    "#ffffff": "#0d1117", INK: "#e6edf3", LINE: "#9fb3bd", "#d5efec": "#12443f", "#d6e4f7": "#1d3557",
    "#fde7cf": "#553613", "#eadcf4": "#44305a", "#eceff1": "#30363d", "#fafafa": "#161b22", "#cfd8dc": "#30363d",
}  # fmt: skip
WIDEST = 1.12  # how much wider than estimated a text may be: readers have other fonts
UNITS_A_POINT = 1 / 36  # schemdraw's unit is half an inch
BODY, SMALL = 12.5, 11.0  # font sizes, points


class DrawingError(UserError):
    """A picture in which something does not fit."""


@dataclass(frozen=True)
class Picture:
    """A picture: what stands below it, and how to draw it."""

    caption: str
    draw: Callable[[], bytes]

    def svg(self) -> bytes:
        """The picture. Raises `DrawingError`."""
        return self.draw()


def in_dark(svg: bytes) -> bytes:
    """A drawn picture in the colours of a dark page."""
    return re.sub(rb"#[0-9a-f]{6}", lambda match: IN_DARK[match[0].decode()].encode(), svg)


def _text_rect(x: float, y: float, lines: Sequence[str], size: float, align: str) -> Rect:
    width = max(text_size(line, size=size)[0] for line in lines) * WIDEST * UNITS_A_POINT
    height = len(lines) * size * 1.2 * UNITS_A_POINT
    left = {"center": x - width / 2, "left": x, "right": x - width}[align]
    return left, y - height / 2, left + width, y + height / 2


def _cross(a: Rect, b: Rect, slack: float = 0.02) -> bool:
    return a[0] < b[2] - slack and b[0] < a[2] - slack and a[1] < b[3] - slack and b[1] < a[3] - slack


class Sheet:
    """Boxes on a plane (units of half an inch, y downwards), links between their sides, texts.

    A place on a box is `name.side` with a shift along the side, if wanted: `rows.E`, `rows.N+0.5`, `rows.S-1`.
    """

    def __init__(self) -> None:
        self._segments: list[object] = []
        self.boxes: dict[str, Rect] = {}
        self._groups: set[str] = set()
        self._labels: list[tuple[str, Rect]] = []
        self._lines: list[tuple[str, Rect]] = []

    def box(
        self, name: str, x: float, y: float, w: float, h: float, text: str, kind: str = "data", size: float = BODY
    ) -> None:
        """A box around (x, y). The first line of `text` is bold if others follow."""
        rect = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        self._poly(rect, FILLS[kind])
        self.boxes[name] = rect
        lines = text.split("\n")
        sizes = [size] + [min(size, SMALL)] * (len(lines) - 1)
        tall = sum(each * 1.25 * UNITS_A_POINT for each in sizes)
        at = y - tall / 2
        for line, each in zip(lines, sizes, strict=True):
            height = each * 1.25 * UNITS_A_POINT
            span = _text_rect(x, at + height / 2, [line], each, "center")
            if span[0] < rect[0] + 0.04 or span[2] > rect[2] - 0.04 or tall > h:
                raise DrawingError(f"'{line}' does not fit its box {name}: {span[2] - span[0]:.2f} x {tall:.2f}")
            self._put(x, at + height / 2, line, each, "center")
            at += height

    def group(self, name: str, around: Iterable[str], text: str, pad: float = 0.35, top: float = 0.5) -> None:
        """A frame around boxes, its title at the upper left. Draw it before what lies inside: see `place`."""
        rects = [self.boxes[each] for each in around]
        rect = (
            min(r[0] for r in rects) - pad, min(r[1] for r in rects) - top,
            max(r[2] for r in rects) + pad, max(r[3] for r in rects) + pad,
        )  # fmt: skip
        self._poly(rect, FILLS["group"], dashed=True, depth=0)
        self.boxes[name] = rect
        self._groups.add(name)
        self.text(rect[0] + 0.12, rect[1] + 0.22, text, align="left")

    def text(self, x: float, y: float, text: str, align: str = "center", size: float = SMALL) -> None:
        """Text around, or beginning or ending at, (x, y)."""
        lines = text.split("\n")
        self._labels.append((" ".join(lines), _text_rect(x, y, lines, size, align)))
        step = size * 1.2 * UNITS_A_POINT
        for i, line in enumerate(lines):
            self._put(x, y + (i - (len(lines) - 1) / 2) * step, line, size, align)

    def point(self, place: str) -> Point:
        """The coordinates of a place on a box."""
        match = re.fullmatch(r"(\w+)\.([NESW])([+-][\d.]+)?", place)
        if match is None or match[1] not in self.boxes:
            raise DrawingError(f"there is no place '{place}'")
        left, top, right, bottom = self.boxes[match[1]]
        shift = float(match[3] or 0)
        x, y = (left + right) / 2, (top + bottom) / 2
        return {"N": (x + shift, top), "S": (x + shift, bottom), "E": (right, y + shift), "W": (left, y + shift)}[
            match[2]
        ]

    def link(
        self, begin: str, end: str, text: str = "", shape: str = "", at: Point | None = None, align: str = "center",
        arrow: str = "->", bend: float | None = None, dashed: bool = False,
    ) -> None:  # fmt: skip
        """A line of horizontal and vertical parts from place to place.

        `shape`: `-` straight; `-|` or `|-` one corner; `-|-` or `|-|` two, the middle part at x or y `bend`. `text`
        stands at `at`, by default above the middle of a straight line.
        """
        a, b = self.point(begin), self.point(end)
        straight = abs(a[0] - b[0]) < 1e-6 or abs(a[1] - b[1]) < 1e-6
        shape = shape or ("-" if straight else "-|-" if begin[begin.index(".") + 1] in "EW" else "|-|")
        middle = ((a[0] + b[0]) / 2 if bend is None else bend, (a[1] + b[1]) / 2 if bend is None else bend)
        paths: dict[str, list[Point]] = {
            "-": [a, b],
            "-|": [a, (b[0], a[1]), b],
            "|-": [a, (a[0], b[1]), b],
            "-|-": [a, (middle[0], a[1]), (middle[0], b[1]), b],
            "|-|": [a, (a[0], middle[1]), (b[0], middle[1]), b],
        }
        if shape == "-" and not straight:
            raise DrawingError(f"{begin} and {end} do not lie on a line")
        self.line(paths[shape], arrow, f"{begin} to {end}", dashed)
        if text:
            x, y = at or ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2 - 0.22 * (1 + text.count("\n")))
            self.text(x, y, text, align)

    def line(self, path: Sequence[Point], arrow: str = "->", name: str = "", dashed: bool = False) -> None:
        """A line through points."""
        self._lines += [
            (name, (min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])))
            for a, b in itertools.pairwise(path)
        ]
        points, style = [(x, -y) for x, y in path], "--" if dashed else "-"
        heads = {"arrow": arrow or None, "arrowwidth": 0.16, "arrowlength": 0.2}
        self._segments.append(Segment(points, color=LINE, lw=1.3, ls=style, zorder=2, **heads))

    def _poly(self, rect: Rect, fill: str, dashed: bool = False, depth: int = 1, edge: str = LINE) -> None:
        left, top, right, bottom = rect
        corners = [(left, -top), (right, -top), (right, -bottom), (left, -bottom)]
        style = "--" if dashed else "-"
        self._segments.append(SegmentPoly(corners, fill=fill, color=edge, lw=1.1, ls=style, zorder=depth))

    def _put(self, x: float, y: float, text: str, size: float, align: str) -> None:
        self._segments.append(SegmentText((x, -y), text, align=(align, "center"), fontsize=size, color=INK, zorder=3))

    def collisions(self) -> list[str]:
        """Texts that lie on one another, on a line, or on the edge of a box; boxes that overlap."""
        out = [f"'{a}' on '{b}'" for (a, r), (b, s) in itertools.combinations(self._labels, 2) if _cross(r, s)]
        for text, r in self._labels:
            out += [f"'{text}' on the line {name}" for name, s in self._lines if _cross(r, _wide(s))]
            out += [
                f"'{text}' on the box {name}"
                for name, s in self.boxes.items()
                if _cross(r, s) and not (name in self._groups and s[0] <= r[0] and s[1] <= r[1] and s[2] >= r[2])
            ]
        solid = {name: rect for name, rect in self.boxes.items() if name not in self._groups}
        out += [f"box {a} on {b}" for a, b in itertools.combinations(solid, 2) if _cross(solid[a], solid[b])]
        out += [
            f"the line {name} through the box {box}"
            for name, s in self._lines
            for box, r in solid.items()
            if _cross(_wide(s), r, slack=0.08)
        ]
        return out

    def svg(self) -> bytes:
        """The picture. Raises `DrawingError` if things lie on one another."""
        if bad := self.collisions():
            raise DrawingError("; ".join(bad))
        rects = [*self.boxes.values(), *(rect for _, rect in self._labels), *(rect for _, rect in self._lines)]
        whole = tuple(pick(rect[at] for rect in rects) for at, pick in enumerate((min, min, max, max)))
        self._poly(
            (whole[0] - 0.2, whole[1] - 0.2, whole[2] + 0.3, whole[3] + 0.2), "#ffffff", edge="#ffffff", depth=-1
        )
        element = Element()
        element.segments = list(self._segments)
        return _drawn(element)


def _wide(rect: Rect) -> Rect:
    return rect[0] - 0.03, rect[1] - 0.03, rect[2] + 0.03, rect[3] + 0.03


def _drawn(element: Element) -> bytes:
    schemdraw.use("svg")
    drawing = schemdraw.Drawing(show=False, margin=0.1)
    drawing.config(font="sans-serif", lw=1.2, color=INK)
    drawing.add(element)
    svg = drawing.get_imagedata("svg")
    names = dict.fromkeys(re.findall(rb'id="(clip\d+)"', svg))
    # schemdraw numbers clips by process; numbered by picture, a picture is always the same bytes.
    numbers = {name: b"clip%d" % at for at, name in enumerate(names)}
    return re.sub(rb"\bclip\d+\b", lambda match: numbers.get(match[0], match[0]), svg)


# ---- waves -----------------------------------------------------------------------------------------------------------
class Waves:
    """A wave diagram over cycles `first` .. `last`, or over several such spans with a gap between each two."""

    def __init__(self, *spans: tuple[int, int]) -> None:
        self.cycles: list[int | None] = []  # None: a gap
        for first, last in spans:
            self.cycles += ([None] if self.cycles else []) + list(range(first, last + 1))
        self._rows: list[dict[str, object]] = []

    def bit(self, name: str, high: Iterable[int]) -> None:
        """A signal that is high in the given cycles."""
        on = set(map(int, high))
        self._rows.append({"name": name, "wave": _held("1" if cycle in on else "0" for cycle in self._columns())})

    def span(self, name: str, first: int, last: int) -> None:
        """A signal that is high from `first` to `last`."""
        self.bit(name, range(int(first), int(last) + 1))

    def bus(self, name: str, values: Mapping[int, object], colour: str = "3") -> None:
        """Values in cycles; equal ones in a row are one."""
        wave, data, before = "", [], None
        for cycle in self._columns():
            value = values.get(cycle) if cycle is not None else before
            if value is None:
                wave += "z" if before is not None or not wave else "."
            elif value == before:
                wave += "."
            else:
                wave += colour
                data.append(str(value))
            before = value
        self._rows.append({"name": name, "wave": wave, "data": data})

    def gap(self) -> None:
        """An empty row between groups."""
        self._rows.append({})

    def _columns(self) -> list[int | None]:
        """Cycles; in a gap what was before it holds."""
        return self.cycles

    def svg(self) -> bytes:
        """The picture."""
        rows = [{"name": "cycle", "wave": "".join("4" for _ in self.cycles), "data": [_shown(c) for c in self.cycles]}]
        diagram = TimingDiagram(
            {"signal": [*rows, *self._rows], "config": {"hscale": 1}},
            namecolor=INK, datacolor=INK, fontsize=11, datafontsize=9.5, gridcolor="#cfd8dc", risetime=0.1,
        )  # fmt: skip
        names = [str(row.get("name", "")) for row in self._rows]
        left = -0.5 - WIDEST * max(text_size(name, size=11)[0] for name in names) * UNITS_A_POINT
        right, bottom = len(self.cycles) + 0.1, 0.5 - 0.8 * (len(rows) + len(self._rows)) - 0.1
        corners = [(left, 0.8), (right, 0.8), (right, bottom), (left, bottom)]
        diagram.segments.append(SegmentPoly(corners, fill="#ffffff", color="#ffffff", zorder=-1))
        return _drawn(diagram)


def _shown(cycle: int | None) -> str:
    return "..." if cycle is None else str(cycle)


def _held(levels: Iterable[str]) -> str:
    out, before = "", ""
    for level in levels:
        out += "." if level == before else level
        before = level
    return out
