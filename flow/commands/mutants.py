"""Mutants of a block's RTL as a schema: one copy of the sources that holds all of them, each selected by a number.

pyslang finds the places (syntax) and says what stands there (elaborated types and constants). Every mutant is an
alternative of an expression or a statement; in the copies it is chosen by `ts_mutant::id`, which a module reads from
the file `mutant` in the folder of the run, once, at time 0 (none: 0, the RTL as it is). Sources stay clean. Elaboration
is that of one set of parameters, so each set has a schema of its own; a mutant's key, made from its content, is the
same in all of them.

Where a selector cannot stand, nothing is mutated but counted (`Schema.skipped`): ranges and other constants of the
elaboration, functions that constants call, headers of loops.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyslang
from pyslang import ast, syntax

from flow.commands.operators import OPERATORS
from tb.lib.contract import Block
from tb.lib.errors import UserError
from tb.lib.paths import ROOT

FILE = "mutant"  # holds the number, in the folder of a run
PACKAGE = "ts_mutant"
_HANDSHAKE = re.compile(r"valid|ready|take", re.IGNORECASE)
_SWAP: Mapping[str, tuple[str, ...]] = {
    "AddExpression": ("-",), "SubtractExpression": ("+",), "MultiplyExpression": ("+",),
    "BinaryAndExpression": ("|",), "BinaryOrExpression": ("&",), "BinaryXorExpression": ("|",),
    "LogicalAndExpression": ("||",), "LogicalOrExpression": ("&&",),
    "EqualityExpression": ("!=",), "InequalityExpression": ("==",),
    "LessThanExpression": ("<=", ">="), "LessThanEqualExpression": ("<", ">"),
    "GreaterThanExpression": (">=", "<="), "GreaterThanEqualExpression": (">", "<"),
    "LogicalShiftLeftExpression": (">>",), "LogicalShiftRightExpression": ("<<",),
    "ArithmeticShiftRightExpression": (">>",), "ArithmeticShiftLeftExpression": (">>",),
}  # fmt: skip
_REDUCE = {
    "UnaryBitwiseAndExpression": "|", "UnaryBitwiseOrExpression": "&", "UnaryBitwiseXorExpression": "|",
}  # fmt: skip
_SUMS = ("AddExpression", "SubtractExpression", "MultiplyExpression")
# Where only constants of the elaboration may stand.
_CONSTANT = {
    "ParameterDeclaration", "ParameterDeclarationStatement", "ParameterPortList", "ParameterValueAssignment",
    "VariableDimension", "TypedefDeclaration", "EnumType", "GenvarDeclaration", "AttributeInstance",
    "ForVariableDeclaration",
    "EventControlWithExpression", "SignalEventExpression", "FunctionPrototype", "AnsiPortList",
}  # fmt: skip
_LITERALS = ("IntegerLiteralExpression", "IntegerVectorExpression")


def _kind(node: Any) -> str:
    return node.kind.name if isinstance(node, syntax.SyntaxNode) else ""


@dataclass(frozen=True)
class Mutant:
    """One mutant. `key` stands for its content; `number` chooses it in the schema; `before` and `after` are the lines
    that differ; `line` is the first of them, from 1."""

    key: str
    number: int
    file: str
    line: int
    module: str
    operator: str
    what: str
    before: str
    after: str

    def diff(self) -> str:
        """What is mutated, as lines that begin with - and +."""
        lines = difflib.ndiff(self.before.splitlines(), self.after.splitlines())
        return "\n".join(line for line in lines if line[:1] in "-+")


@dataclass(frozen=True)
class Schema:
    """All mutants of a block with one set of parameters: `texts` of the mutated files by path, `package` to compile
    first, places without mutants by reason."""

    block: Block
    params: Mapping[str, int]
    mutants: tuple[Mutant, ...]
    texts: Mapping[str, str]
    package: str
    skipped: Mapping[str, int]

    def digest(self) -> str:
        """Of everything that is built."""
        content = [self.package, dict(self.params), sorted(self.texts.items())]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]

    def write(self, folder: Path) -> tuple[str, ...]:
        """Writes the package and the mutated files below `folder`: all sources of the block, the package first."""
        _write(folder / f"{PACKAGE}.sv", self.package)
        sources = [str(folder / f"{PACKAGE}.sv")]
        for name in self.block.rtl:
            path = folder / name.lstrip("/")
            if name in self.texts:
                _write(path, self.texts[name])
            sources.append(str(path) if name in self.texts else name)
        return tuple(sources)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


# --- what the elaboration says ----------------------------------------


@dataclass
class _Facts:
    """Of one range of a file, over all instances."""

    kinds: set[str] = field(default_factory=set)
    widths: set[int] = field(default_factory=set)
    signs: set[bool] = field(default_factory=set)
    enum: bool = False
    constants: set[int | None] = field(default_factory=set)
    parameter: bool = False
    bounds: set[tuple[int, int]] = field(default_factory=set)  # of what a select selects from
    selectors: set[tuple[int | None, ...]] = field(default_factory=set)

    @property
    def width(self) -> int | None:
        """None if instances differ."""
        return next(iter(self.widths)) if len(self.widths) == 1 else None

    @property
    def signed(self) -> bool:
        return self.signs == {True}

    @property
    def bit(self) -> bool:
        return self.widths == {1} and not self.signed


@dataclass(frozen=True)
class _Target:
    """A variable, or an element or part of one, on the left of an assignment: bits [low + width - 1:low] of it."""

    name: str
    declared: tuple[Any, int]
    low: int
    width: int
    signed: bool
    whole: bool


_Range = tuple[str, int, int]


class _Elaboration:
    """Facts of one block with one set of parameters. Raises `UserError` for RTL that slang does not take."""

    def __init__(self, block: Block, params: Mapping[str, int], root: Path = ROOT) -> None:
        names = [str(root / path) for path in block.rtl]
        values = {block.params[name].sv_name: value for name, value in params.items()}
        driver = pyslang.driver.Driver()
        driver.addStandardArgs()
        words = ["slang", "-DSYNTHESIS", f"--top={block.rtl_top}"]
        words += [f'-I"{root / path}"' for path in block.include_dirs]
        words += [f'"{name}"' for name in names]
        if not driver.parseCommandLine(" ".join(words)) or not driver.processOptions() or not driver.parseAllSources():
            raise UserError(f"slang cannot read the sources of {block.name}")
        # Parameters of the bench that the device does not have (shared ones) would be an error.
        have = self._parameters(driver, block.rtl_top)
        if extra := [f"-G{name}={value}" for name, value in values.items() if name in have]:
            driver = pyslang.driver.Driver()
            driver.addStandardArgs()
            driver.parseCommandLine(" ".join([*words, *extra]))
            driver.processOptions()
            driver.parseAllSources()
        self.compilation = driver.createCompilation()
        self.root = self.compilation.getRoot()
        errors = [each for each in self.compilation.getAllDiagnostics() if each.isError()]
        self.manager = self.compilation.sourceManager
        if errors:
            raise UserError(f"slang does not take the RTL of {block.name}: {errors[0].code}")
        self.names = {str(Path(name).resolve()): path for name, path in zip(names, block.rtl, strict=True)}
        self._buffers: dict[Any, str | None] = {}
        self.facts: dict[_Range, _Facts] = defaultdict(_Facts)
        self.targets: dict[_Range, set[tuple[_Target, ...]]] = defaultdict(set)
        self.context = ast.EvalContext(self.root)
        self.root.visit(self._visit)

    @staticmethod
    def _parameters(driver: Any, top: str) -> set[str]:
        text = "\n".join(
            str(tree.root) for tree in driver.syntaxTrees if re.search(rf"\bmodule\s+{top}\b", str(tree.root))
        )
        header = re.search(rf"(?s)\bmodule\s+{top}\b.*?;", text)
        return set(re.findall(r"parameter\s+(?:int\s+)?(\w+)", header[0])) if header else set()

    def trees(self) -> Iterator[tuple[str, Any]]:
        """(path, root of the syntax) of every file."""
        for tree in self.compilation.getSyntaxTrees():
            yield from ((name, tree.root) for name in [self.file(tree.root.sourceRange.start)] if name)

    def file(self, location: Any) -> str | None:
        """The block's file that a location lies in; None inside a macro or elsewhere."""
        key = str(location.buffer)
        if key not in self._buffers:
            inside = not self.manager.isMacroLoc(location)
            full = self.manager.getFullPath(location.buffer) if inside else ""
            self._buffers[key] = self.names.get(str(Path(str(full)).resolve())) if inside else None
        return self._buffers[key]

    def range(self, node: Any) -> _Range | None:
        """File and offsets of a node, if all of it lies in the file."""
        start, end = node.sourceRange.start, node.sourceRange.end
        name = self.file(start)
        return (name, start.offset, end.offset) if name and self.file(end) == name else None

    def _visit(self, node: Any) -> Any:
        if isinstance(node, ast.GenerateBlockSymbol) and node.isUninstantiated:
            return ast.VisitAction.Skip
        if isinstance(node, ast.Expression):
            place = self.range(node)
            if place is not None:
                self._note(place, node)
        return ast.VisitAction.Advance

    def _note(self, place: _Range, node: Any) -> None:
        kind = node.kind.name
        if kind == "Assignment":
            targets = self._targets(node.left)
            self.targets[place].add(targets)
        if kind == "Conversion" and node.isImplicit:
            return
        facts = self.facts[place]
        facts.kinds.add(kind)
        if not node.type.isIntegral:
            facts.widths.add(0)
            return
        facts.widths.add(node.type.bitWidth)
        facts.signs.add(node.type.isSigned)
        facts.enum |= node.type.isEnum
        facts.constants.add(self._value(node))
        if kind == "NamedValue" and node.symbol.kind.name == "Parameter":
            facts.parameter = True
        if kind in ("ElementSelect", "RangeSelect"):
            bounds = node.value.type.fixedRange
            facts.bounds.add((bounds.left, bounds.right))
            ends = (node.selector,) if kind == "ElementSelect" else (node.left, node.right)
            facts.selectors.add(tuple(self._value(each) for each in ends))

    def _value(self, node: Any) -> int | None:
        value = node.eval(self.context).value
        return int(value) if isinstance(value, pyslang.SVInt) and not value.hasUnknown else None

    def _targets(self, left: Any) -> tuple[_Target, ...]:
        parts = list(left.operands) if left.kind.name == "Concatenation" else [left]
        out: list[_Target] = []
        low = 0
        for part in reversed(parts):
            if not part.type.isIntegral:
                return ()
            width, base = part.type.bitWidth, part
            while base.kind.name in ("ElementSelect", "RangeSelect", "MemberAccess"):
                base = base.value
            symbol = getattr(base, "symbol", None)
            if symbol is not None and not part.type.isEnum:
                place = (str(symbol.location.buffer), symbol.location.offset)
                out.append(_Target(symbol.name, place, low, width, part.type.isSigned, part is base))
            low += width
        return tuple(out)


# --- places ----------------------------------------


@dataclass
class _Edit:
    """Alternatives of a range: `expr` (texts in its place), `stmt` (statements in its place), `cut` (the expression
    goes through a function of the package)."""

    start: int
    end: int
    kind: str
    alternatives: list[tuple[int, str]] = field(default_factory=list)
    call: str = ""


_RANK = {"stmt": 0, "cut": 1, "expr": 2}


class _Writer:
    """Collects mutants of all files, then writes the schema."""

    def __init__(self, block: Block, params: Mapping[str, int], operators: Sequence[str], root: Path) -> None:
        self.block, self.params, self.root = block, dict(params), root
        self.operators = set(operators)
        self.facts = _Elaboration(block, params, root)
        self.texts: dict[str, str] = {}
        self.edits: dict[str, dict[tuple[int, int, str], _Edit]] = defaultdict(dict)
        self.mutants: list[Mutant] = []
        self.functions: list[str] = []
        self.skipped: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.cuts: dict[Any, int] = {}  # number of the mutant that cuts a variable
        self.named: set[tuple[str, int, int, str]] = set()

    def text(self, name: str) -> str:
        if name not in self.texts:
            self.texts[name] = (self.root / name).read_bytes().decode()
        return self.texts[name]

    def add(self, place: _Range, operator: str, what: str, new: str, module: str) -> int | None:
        """A mutant that has `new` in place of a range; None if it is not wanted or there already."""
        name, start, end = place
        raw = (self.root / name).read_bytes()
        old = raw[start:end].decode()
        if operator not in self.operators or " ".join(new.split()) == " ".join(old.split()):
            return None
        mark = (name, start, end, " ".join(new.split()))
        if mark in self.named:
            return None
        self.named.add(mark)
        first = raw.rfind(b"\n", 0, start) + 1
        last = raw.find(b"\n", end)
        before = raw[first:last].decode()
        after = (raw[first:start] + new.encode() + raw[end:last]).decode()
        number = len(self.mutants) + 1
        identity = json.dumps([name, operator, module, before.split(), after.split(), what])
        self.seen[identity] += 1
        key = hashlib.sha256(f"{identity}{self.seen[identity]}".encode()).hexdigest()[:10]
        line = raw.count(b"\n", 0, start) + 1
        self.mutants.append(Mutant(key, number, name, line, module, operator, what, before, after))
        return number

    def expression(self, place: _Range | None, operator: str, what: str, new: str, module: str) -> None:
        """A mutant of an expression."""
        if place is None:
            return
        number = self.add(place, operator, what, new, module)
        if number is not None:
            self._edit(place, "expr").alternatives.append((number, new))

    def statement(self, place: _Range | None, operator: str, what: str, new: str, module: str) -> int | None:
        """A mutant of a statement."""
        number = self.add(place, operator, what, new, module) if place else None
        if place and number is not None:
            self._edit(place, "stmt").alternatives.append((number, new))
        return number

    def _edit(self, place: _Range, kind: str) -> _Edit:
        name, start, end = place
        return self.edits[name].setdefault((start, end, kind), _Edit(start, end, kind))

    def cut(self, place: _Range, width: int, signed: bool, bits: Sequence[tuple[int, int, bool]]) -> None:
        """Sends an expression through a function that cuts bits: (number of the mutant, bit, copy the one below)."""
        lines = [
            f"    if (id == {number}) {self._cut_name()}[{bit}] = " + (f"a[{bit - 1}];" if copy else "1'b0;")
            for number, bit, copy in bits
        ]
        sign = "signed " if signed else ""
        shape = f"logic {sign}[{width - 1}:0]"
        self.functions.append(
            f"  function automatic {shape} {self._cut_name()}(input {shape} a);\n    {self._cut_name()} = a;\n"
            + "\n".join(lines)
            + "\n  endfunction"
        )
        edit = self._edit(place, "cut")
        edit.call = (
            f"{PACKAGE}::cut{len(self.functions) - 1}({edit.call}"
            if edit.call
            else (f"{PACKAGE}::cut{len(self.functions) - 1}(")
        )

    def _cut_name(self) -> str:
        return f"cut{len(self.functions)}"

    def render(self, name: str) -> str:
        """The text of a file with its mutants."""
        raw = (self.root / name).read_bytes()
        edits = sorted(self.edits[name].values(), key=lambda e: (e.start, -e.end, _RANK[e.kind]))
        at = 0

        def inside(start: int, end: int) -> str:
            nonlocal at
            out, position = [], start
            while at < len(edits) and edits[at].start >= position and edits[at].end <= end:
                edit = edits[at]
                at += 1
                out.append(raw[position : edit.start].decode())
                out.append(self._rendered(edit, inside(edit.start, edit.end)))
                position = edit.end
            out.append(raw[position:end].decode())
            return "".join(out)

        text = inside(0, len(raw))
        if at != len(edits):
            raise AssertionError(f"{name}: overlapping mutants at {edits[at].start}")
        return text

    @staticmethod
    def _rendered(edit: _Edit, original: str) -> str:
        if edit.kind == "cut":
            return f"{edit.call}{original}{')' * edit.call.count('(')}"
        if edit.kind == "stmt":
            arms = "".join(
                f"if ({PACKAGE}::id == {number}) begin {text} end else " for number, text in edit.alternatives
            )
            return f"begin {arms}begin {original} end end"
        arms = "".join(f"({PACKAGE}::id == {number}) ? ({text}) : " for number, text in edit.alternatives)
        return f"({arms}({original}))"

    def schema(self) -> Schema:
        """All of it."""
        texts = {name: self.render(name) for name in self.edits}
        top = next(name for name in self.block.rtl if re.search(rf"\bmodule\s+{self.block.rtl_top}\b", self.text(name)))
        body = texts.get(top, self.text(top))
        before, end, after = body.rpartition("endmodule")
        texts[top] = f"{before}  {PACKAGE}_load u_{PACKAGE}_load ();\n{end}{after}"
        package = (
            f"package {PACKAGE};\n`ifdef SYNTHESIS\n  localparam int id = `TS_MUTANT;\n`else\n  int id = 0;\n`endif\n"
            + "\n".join(self.functions)
            + f"\nendpackage\nmodule {PACKAGE}_load;\n`ifndef SYNTHESIS\n  int file, got;\n  initial begin\n"
            f'    file = $fopen("{FILE}", "r");\n    if (file != 0) begin\n'
            f'      got = $fscanf(file, "%d", {PACKAGE}::id);\n      $fclose(file);\n    end\n  end\n'
            "`endif\nendmodule\n"
        )
        return Schema(self.block, self.params, tuple(self.mutants), texts, package, dict(self.skipped))


class _Walker:
    """Finds the places of one file."""

    def __init__(self, writer: _Writer, name: str, root: Any) -> None:
        self.writer, self.name, self.facts = writer, name, writer.facts
        self.raw = (writer.root / name).read_bytes()
        self.module = ""
        self.constant_functions = set(self._called(root, False))
        self.walk(root)

    def _called(self, node: Any, constant: bool) -> Iterator[str]:
        """Names of functions that constants call."""
        kind = _kind(node)
        constant = constant or kind in _CONSTANT
        if constant and kind == "InvocationExpression":
            yield str(node.left).strip().rpartition("::")[2]
        for child in node:
            if isinstance(child, syntax.SyntaxNode):
                yield from self._called(child, constant)

    # ---- helpers ----
    def src(self, node: Any) -> str:
        place = self.facts.range(node)
        return self.raw[place[1] : place[2]].decode() if place else ""

    def fact(self, node: Any) -> _Facts | None:
        while _kind(node) == "ParenthesizedExpression":
            node = node.expression
        place = self.facts.range(node)
        return self.facts.facts.get(place) if place else None

    def operand(self, node: Any) -> str:
        """The text of an operand, in parentheses where another operator could tear it apart."""
        return f"({self.src(node)})" if _kind(node) in (*_SWAP, "ConditionalExpression") else self.src(node)

    def as_bit(self, node: Any) -> str:
        fact = self.fact(node)
        return f"({self.src(node)})" if fact and fact.bit else f"(({self.src(node)}) != 0)"

    def skip(self, why: str, node: Any) -> None:
        """Counts what could be mutated below `node`."""
        kind = _kind(node)
        if kind in _LITERALS or kind in _SWAP:
            self.writer.skipped[why] += 1
        for child in node:
            if isinstance(child, syntax.SyntaxNode):
                self.skip(why, child)

    def put(self, node: Any, operator: str, what: str, new: str) -> None:
        self.writer.expression(self.facts.range(node), operator, what, new, self.module)

    # ---- structure ----
    def walk(self, node: Any) -> None:
        """Everything outside processes."""
        kind = _kind(node)
        if kind == "PackageDeclaration":
            self.skip("constants of packages", node)
            return
        if kind == "ModuleDeclaration":
            self.module = node.header.name.valueText
        if kind in _CONSTANT or kind == "DataDeclaration":
            self.skip("constants of the elaboration", node)
        elif kind in ("LoopGenerate", "IfGenerate", "CaseGenerate"):
            for child in node:
                if isinstance(child, syntax.SyntaxNode):
                    if isinstance(child, syntax.ExpressionSyntax):
                        self.skip("constants of the elaboration", child)
                    else:
                        self.walk(child)
        elif kind == "ContinuousAssign":
            for each in node.assignments:
                if _kind(each) == "AssignmentExpression":
                    self.assignment(each, "continuous", first=True, reset=False)
        elif kind in ("AlwaysFFBlock", "AlwaysCombBlock", "AlwaysBlock"):
            if self.elaborated(node):
                self.process(node.statement, clocked=kind != "AlwaysCombBlock")
        elif kind == "FunctionDeclaration":
            name = str(node.prototype.name).strip()
            if name in self.constant_functions:
                self.skip("functions that constants call", node)
            else:
                self.written: set[str] = set()
                for item in node.items:
                    self.statement(item, clocked=False, reset=False, always=True)
        elif kind == "NamedPortConnection":
            if node.expr is not None:
                self.port(node.expr)
        else:
            for child in node:
                if isinstance(child, syntax.SyntaxNode):
                    self.walk(child)

    def elaborated(self, node: Any) -> bool:
        place = self.facts.range(node)
        return place is not None

    def port(self, node: Any) -> None:
        while _kind(node) in ("SimplePropertyExpr", "SimpleSequenceExpr"):
            node = node.expr
        self.expr(node, port=True)

    def process(self, body: Any, clocked: bool) -> None:
        self.written = set()
        if _kind(body) == "TimingControlStatement":
            edges = str(body.timingControl)
            inner = body.statement
            asynchronous = "negedge" in edges
            self.statement(inner, clocked, reset=False, always=True, asynchronous=asynchronous)
        else:
            self.statement(body, clocked, reset=False, always=True)

    # ---- statements ----
    def statement(self, node: Any, clocked: bool, reset: bool, always: bool, asynchronous: bool = False) -> None:
        """`always`: it is carried out each time; `asynchronous`: the first if is the reset."""
        kind = _kind(node)
        if kind == "SequentialBlockStatement":
            items = [item for item in node.items if isinstance(item, syntax.SyntaxNode)]
            for item, following in zip(items, [*items[1:], None], strict=True):
                if following is not None:
                    self.swap(item, following)
                self.statement(item, clocked, reset, always, asynchronous)
        elif kind == "ConditionalStatement":
            condition = node.predicate.conditions[0].expr
            is_reset = asynchronous and "rst" in str(condition)
            if not is_reset:
                self.condition(condition)
                self.expr(condition)
            self.statement(node.statement, clocked, reset or is_reset, False)
            if node.elseClause is not None:
                self.statement(node.elseClause.clause, clocked, reset, False)
        elif kind == "CaseStatement":
            self.expr(node.expr)
            bodies = [item.clause for item in node.items if _kind(item) in ("StandardCaseItem", "DefaultCaseItem")]
            for body, following in zip(bodies, [*bodies[1:], *bodies[:1]], strict=True):
                if self.src(body) != self.src(following) and not re.search(r"begin\s*:", self.src(following)):
                    place = self.facts.range(body)
                    self.writer.statement(place, "case", "the next arm's", self.src(following), self.module)
                self.statement(body, clocked, reset, False)
        elif kind == "ForLoopStatement":
            for part in (*node.initializers, node.stopExpr, *node.steps):
                if isinstance(part, syntax.SyntaxNode):
                    self.skip("headers of loops", part)
            self.statement(node.statement, clocked, reset, False)
        elif kind == "ExpressionStatement":
            self.assignment_statement(node, clocked, reset, always)
        elif kind == "ReturnStatement":
            if node.returnValue is not None:
                self.expr(node.returnValue)
        elif kind in ("DataDeclaration", "EmptyStatement"):
            return
        elif isinstance(node, syntax.SyntaxNode):
            for child in node:
                if isinstance(child, syntax.StatementSyntax):
                    self.statement(child, clocked, reset, False)

    def condition(self, node: Any) -> None:
        """Negated and stuck."""
        fact = self.fact(node)
        if fact is None or None not in fact.constants:
            return
        kind = _kind(node)
        self.put(node, "condition", "stuck at 1", "1'b1")
        self.put(node, "condition", "stuck at 0", "1'b0")
        if kind not in ("EqualityExpression", "InequalityExpression", "UnaryLogicalNotExpression") and not (
            kind.startswith(("LessThan", "GreaterThan"))
        ):
            self.put(node, "condition", "negated", f"!({self.src(node)})")

    def assignment_statement(self, node: Any, clocked: bool, reset: bool, always: bool) -> None:
        inner = node.expr
        kind = _kind(inner)
        if kind not in ("AssignmentExpression", "NonblockingAssignmentExpression"):
            return
        place = self.facts.range(node)
        name = re.split(r"[\[.]", str(inner.left).strip())[0]
        known = name in self.written
        if always:
            self.written.add(name)
        targets = self.facts.targets.get(self.facts.range(inner) or ("", 0, 0))
        if not targets:
            return
        if kind == "NonblockingAssignmentExpression" or known:
            self.writer.statement(place, "reset" if reset else "assignment", "dropped", ";", self.module)
        self.assignment(inner, kind, first=not known and kind == "AssignmentExpression", reset=reset)

    def swap(self, node: Any, following: Any) -> None:
        """The right sides of two assignments that follow each other, exchanged."""
        pair = [each.expr if _kind(each) == "ExpressionStatement" else None for each in (node, following)]
        if any(_kind(each) != "NonblockingAssignmentExpression" for each in pair):
            return
        facts = [self.fact(each) for each in pair]
        if any(fact is None or fact.width is None or fact.enum for fact in facts):
            return
        lefts, rights = [self.src(each.left) for each in pair], [self.src(each.right) for each in pair]
        if facts[0].width != facts[1].width or rights[0] == rights[1]:  # type: ignore[union-attr]
            return
        if not all(self.facts.targets.get(self.facts.range(each) or ("", 0, 0)) for each in pair):
            return
        first, second = self.facts.range(node), self.facts.range(following)
        if first is None or second is None:
            return
        between = self.raw[first[2] : second[1]].decode()
        new = f"{lefts[0]} <= {rights[1]};{between}{lefts[1]} <= {rights[0]};"
        number = self.writer.add((self.name, first[1], second[2]), "assignment", "swapped", new, self.module)
        if number is not None:
            self.writer._edit(first, "stmt").alternatives.append((number, f"{lefts[0]} <= {rights[1]};"))
            self.writer._edit(second, "stmt").alternatives.append((number, f"{lefts[1]} <= {rights[0]};"))

    def assignment(self, node: Any, kind: str, first: bool, reset: bool) -> None:
        """The right side of an assignment, and the indices on its left."""
        place = self.facts.range(node)
        targets = self.facts.targets.get(place) if place else None
        right = self.facts.range(node.right)
        if not targets or right is None:
            self.skip("not elaborated with these parameters", node.right)
            return
        fact, text = self.fact(node.right), self.src(node.right)
        zero = "1'sb0" if fact and fact.signed else "1'b0"
        enum = fact is not None and fact.enum
        left = str(node.left).strip()
        bit = all(len(each) == 1 and each[0].width == 1 for each in targets)
        if reset:
            if not enum:
                inverted = {"'0": "'1", "1'b0": "1'b1", "'1": "'0", "1'b1": "1'b0"}.get(text, f"~({text})")
                self.writer.expression(right, "reset", "inverted", inverted, self.module)
        elif bit and _HANDSHAKE.search(left):
            self.writer.expression(right, "handshake", "lost", "1'b0", self.module)
            self.writer.expression(right, "handshake", "repeated", "1'b1", self.module)
        elif (kind == "continuous" or first) and not enum and text not in ("'0", "1'b0"):
            self.writer.expression(right, "assignment", "stuck at 0", zero, self.module)
        if not reset:
            self.narrow(targets, right, _kind(node.right))
        self.expr(node.right, top=True)
        if kind != "continuous":
            self.left(node.left)

    def narrow(self, targets: set[tuple[_Target, ...]], right: _Range, kind: str) -> None:
        """The top bit of every variable on the left, in all its assignments at once."""
        if "narrow" not in self.writer.operators:
            return
        if len(targets) != 1:
            self.writer.skipped["narrowed: widths differ by instance"] += 1
            return
        one = next(iter(targets))
        total = sum(each.width for each in one)
        if not one or total != max(each.low + each.width for each in one) or kind == "UnbasedUnsizedLiteralExpression":
            return
        bits = []
        for each in one:
            if each.width < 2:
                continue
            mark = (self.name, self.module, each.declared)
            if mark not in self.writer.cuts:
                what = f"top bit of {each.name} cut"
                text = self.raw[right[1] : right[2]].decode()
                number = self.writer.add(right, "narrow", what, f"cut({text})", self.module)
                if number is None:
                    continue
                self.writer.cuts[mark] = number
            bits.append((self.writer.cuts[mark], each.low + each.width - 1, each.signed))
        if bits:
            self.writer.cut(right, total, False, bits)

    def left(self, node: Any) -> None:
        """Indices of what is assigned."""
        kind = _kind(node)
        if kind == "ConcatenationExpression":
            for each in node.expressions:
                if isinstance(each, syntax.SyntaxNode):
                    self.left(each)
        if kind in ("IdentifierSelectName", "ElementSelectExpression"):
            for selector in node.selectors if kind == "IdentifierSelectName" else [node.select]:
                inner = selector.selector
                if _kind(inner) == "BitSelect":
                    fact = self.fact(inner.expr)
                    if fact is not None and None in fact.constants and "NamedValue" in fact.kinds:
                        if self.loop_variable(inner.expr):
                            continue
                        self.put(inner.expr, "index", "off by one", f"{self.src(inner.expr)} ^ 1'b1")

    @staticmethod
    def loop_variable(node: Any) -> bool:
        """Whether an index is a variable of a loop around it: then it chooses one of many, which others choose too."""
        name, at = str(node).strip(), node.parent
        while at is not None:
            if _kind(at) == "ForLoopStatement" and re.search(rf"\bint\s+{re.escape(name)}\b", str(at)[:200]):
                return True
            at = at.parent
        return False

    # ---- expressions ----
    def expr(self, node: Any, top: bool = False, port: bool = False) -> None:
        """An expression that is worked out at run time, and all below it. `top`: the whole of an assignment's right."""
        kind = _kind(node)
        place = self.facts.range(node)
        if place is None or not isinstance(node, syntax.SyntaxNode):
            return
        if kind in ("ParenthesizedExpression",):
            self.expr(node.expression, top)
            return
        if kind == "CastExpression":
            self.skip("constants of the elaboration", node.left)
            self.expr(node.right)
            return
        if kind == "MultipleConcatenationExpression":
            self.skip("constants of the elaboration", node.expression)
            self.expr(node.concatenation)
            return
        fact = self.fact(node)
        if kind in ("IdentifierSelectName", "ElementSelectExpression"):
            self.select(node, port)
            return
        if fact is not None:
            self.mutate(node, kind, fact, top)
        elif kind in _SWAP or kind in _LITERALS:
            self.writer.skipped["not elaborated with these parameters"] += 1
            return
        if kind == "InvocationExpression":
            if str(node.left).strip() in ("$clog2", "$bits", "$size", "$high", "$low"):
                return
            if node.arguments is not None:
                for each in node.arguments.parameters:
                    if _kind(each) == "OrderedArgument":
                        self.port(each.expr)
            return
        if kind == "ConditionalExpression":
            condition = node.predicate.conditions[0].expr
            self.condition(condition)
            for each in (condition, node.left, node.right):
                self.expr(each)
            return
        if kind in ("IdentifierName", "ScopedName"):
            return
        for child in node:
            if isinstance(child, syntax.SyntaxNode):
                self.expr(child)

    def mutate(self, node: Any, kind: str, fact: _Facts, top: bool) -> None:
        """All alternatives of one node."""
        if kind in _SWAP:
            left, right, token = node.left, node.right, node.operatorToken
            if len(fact.constants) and None not in fact.constants:
                pass  # arithmetic of constants: its literals and names are mutated
            else:
                for other in _SWAP[kind]:
                    self.put(
                        node,
                        "operator",
                        f"{token.valueText} to {other}",
                        f"{self.operand(left)} {other} {self.operand(right)}",
                    )
                if kind in ("LogicalAndExpression", "LogicalOrExpression"):
                    for kept, lost in ((left, right), (right, left)):
                        hand = _HANDSHAKE.search(self.src(lost)) and kind == "LogicalAndExpression"
                        what = " ".join(self.src(lost).split())
                        name = what if len(what) < 60 else f"{what[:57]}..."
                        self.put(node, "handshake" if hand else "enable", f"without {name}", self.as_bit(kept))
                if kind in _SUMS and not top and "narrow" in self.writer.operators:
                    self.narrow_sum(node, fact)
        elif kind in _REDUCE:
            self.put(node, "operator", "reduction replaced", f"{_REDUCE[kind]}({self.src(node.operand)})")
        elif kind in ("UnaryLogicalNotExpression", "UnaryBitwiseNotExpression", "UnaryMinusExpression"):
            operand = self.src(node.operand)
            new = self.as_bit(node.operand) if kind == "UnaryLogicalNotExpression" else f"({operand})"
            self.put(node, "operator", "dropped", new)
        elif kind in _LITERALS:
            self.literal(node, fact)
        elif kind in ("IdentifierName", "ScopedName") and fact.parameter and not fact.enum:
            self.named_constant(node, fact)

    def narrow_sum(self, node: Any, fact: _Facts) -> None:
        place, width = self.facts.range(node), fact.width
        if place is None or width is None or width < 2 or len(fact.signs) != 1:
            self.writer.skipped["narrowed: widths differ by instance"] += 1
            return
        number = self.writer.add(place, "narrow", "top bit of the sum cut", f"cut({self.src(node)})", self.module)
        if number is not None:
            self.writer.cut(place, width, fact.signed, [(number, width - 1, fact.signed)])

    def literal(self, node: Any, fact: _Facts) -> None:
        text, width = self.src(node), fact.width
        match = re.fullmatch(r"(?:(\d+)\s*)?'(s?)([bdho])([0-9a-fA-F_]+)", text)
        if match and width is not None:
            base = {"b": 2, "o": 8, "d": 10, "h": 16}[match[3]]
            size = int(match[1] or 32)
            value = int(match[4].replace("_", ""), base)
            one = {value ^ 1} if size == 1 else {(value + 1) % (1 << size), (value - 1) % (1 << size)}
            digits = {2: "b", 8: "o", 10: "d", 16: "h"}
            for new in sorted(one):
                shown = {2: f"{new:b}", 8: f"{new:o}", 10: str(new), 16: f"{new:x}"}[base]
                self.put(node, "constant", f"{text} to {new}", f"{size}'{match[2]}{digits[base]}{shown}")
        elif re.fullmatch(r"\d+", text):
            for new in (int(text) + 1, int(text) - 1):
                if new >= 0:
                    self.put(node, "constant", f"{text} to {new}", str(new))

    def named_constant(self, node: Any, fact: _Facts) -> None:
        width, values = fact.width, fact.constants
        if width is None or len(values) != 1 or None in values:
            self.writer.skipped["constants that differ by instance"] += 1
            return
        value = int(next(iter(values)))  # type: ignore[arg-type]
        sign = "s" if fact.signed else ""
        for new in (value + 1, value - 1):
            wrapped = new % (1 << width)
            if width == 1 and new < 0:
                continue
            text = str(new) if width == 32 and fact.signed and new >= 0 else f"{width}'{sign}h{wrapped:x}"
            self.put(node, "constant", f"{self.src(node)} ({value}) to {new}", text)

    def select(self, node: Any, port: bool) -> None:
        """An index or a part-select that is read."""
        place = self.facts.range(node)
        selectors = list(node.selectors) if _kind(node) == "IdentifierSelectName" else [node.select]
        if _kind(node) == "ElementSelectExpression":
            self.expr(node.left)
        for selector in selectors:
            inner = selector.selector
            whole = self.facts.range(selector)
            if whole is None or place is None:
                continue
            fact = self.facts.facts.get((place[0], place[1], whole[2]))
            if fact is None:
                self.writer.skipped["not elaborated with these parameters"] += 1
                continue
            self.one_select(inner, fact)

    def one_select(self, inner: Any, fact: _Facts) -> None:
        kind = _kind(inner)
        if kind == "BitSelect":
            index = inner.expr
            moves = self.moves(fact, lambda chosen, step: (chosen[0] + step, chosen[0] + step))
            if any(None in each for each in fact.selectors):
                if not self.loop_variable(index):
                    self.put(index, "index", "off by one", f"({self.src(index)}) + 1'b1")
                self.expr(index)
            elif moves:
                self.put(
                    index,
                    "index",
                    "off by one",
                    f"({self.src(index)}) {moves[0]:+d}".replace("+1", "+ 1").replace("-1", "- 1"),
                )
        elif kind == "SimpleRangeSelect":
            for step in self.moves(fact, lambda chosen, step: (chosen[0] + step, chosen[1] + step)):
                sign = "+" if step > 0 else "-"
                new = f"({self.src(inner.left)}) {sign} 1:({self.src(inner.right)}) {sign} 1"
                # A range takes no selector: the whole select is the alternative.
                self.whole_select(inner, new)
        elif kind in ("AscendingRangeSelect", "DescendingRangeSelect"):
            if any(each[0] is None for each in fact.selectors):
                self.put(inner.left, "index", "off by one", f"({self.src(inner.left)}) + 1'b1")
                self.expr(inner.left)
            else:
                width = next(iter(fact.selectors))[1] or 1
                up = kind == "AscendingRangeSelect"
                moves = self.moves(
                    fact,
                    lambda chosen, step: (
                        (chosen[0] + step, chosen[0] + step + width - 1)
                        if up
                        else (chosen[0] + step, chosen[0] + step - width + 1)
                    ),
                )
                if moves:
                    sign = "+" if moves[0] > 0 else "-"
                    self.put(inner.left, "index", "off by one", f"({self.src(inner.left)}) {sign} 1")

    def whole_select(self, inner: Any, new: str) -> None:
        name = inner.parent.parent
        place, part = self.facts.range(name), self.facts.range(inner)
        if place is None or part is None:
            return
        last = self.facts.range(inner.parent)
        if last is None or last[2] != place[2]:
            return  # a select of a select: rare, and its outer part is mutated
        text = self.raw[place[1] : part[1]].decode() + new + self.raw[part[2] : place[2]].decode()
        self.writer.expression(place, "index", "off by one", text, self.module)

    @staticmethod
    def moves(fact: _Facts, at: Any) -> list[int]:
        """Steps (-1, 1) by which a constant select can move without leaving what it selects from, in any instance."""
        out = []
        for step in (-1, 1):
            fits = all(
                min(bounds) <= min(ends) and max(ends) <= max(bounds)
                for bounds in fact.bounds
                for chosen in fact.selectors
                if None not in chosen
                for ends in [at(chosen, step)]
            )
            if fits and fact.selectors and not any(None in each for each in fact.selectors):
                out.append(step)
        return out


def make_schema(
    block: Block,
    params: Mapping[str, int] | None = None,
    operators: Sequence[str] = tuple(OPERATORS),
    root: Path = ROOT,
) -> Schema:
    """The schema of `block` with `params`: mutants of the files that count for the block, of the given operators.

    Raises `UserError` for RTL that slang does not take.
    """
    writer = _Writer(block, block.resolve_params(params), operators, root)
    wanted = block.coverage_files or block.rtl
    for name, tree in writer.facts.trees():
        if name in wanted:
            _Walker(writer, name, tree)
    return writer.schema()
