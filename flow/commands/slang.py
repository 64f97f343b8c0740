"""`python -m flow.commands.slang FILES... --top NAME`: slang's elaboration and analysis with every warning, on stderr,
and, as one more warning, what Icarus gets wrong without a word.

A process of its own, because slang prints what its analysis finds. `make lint` reads the lines (flow/commands/lint.py).
"""

from __future__ import annotations

import shlex
import sys
from typing import Any

from pyslang import ast, driver

SUMS = (ast.BinaryOperator.Add, ast.BinaryOperator.Subtract)


def sums_in_indices(compilation: ast.Compilation) -> list[str]:
    """Sums that select an element of an unpacked array, as warnings. Icarus works them out wider than their operands,
    so that one that wraps lies outside, and gives x."""
    manager, context = compilation.sourceManager, ast.EvalContext(compilation.getRoot())
    found: dict[str, None] = {}

    def visit(node: Any) -> None:
        if not isinstance(node, ast.ElementSelectExpression) or not node.value.type.isUnpackedArray:
            return
        index = node.selector
        while isinstance(index, ast.ConversionExpression) and index.isImplicit:
            index = index.operand
        # A loop counts in 32 bits, which do not wrap.
        sums = isinstance(index, ast.BinaryExpression) and index.op in SUMS and index.type.bitWidth < 32
        if not sums or node.selector.eval(context).value is not None:
            return
        at = index.sourceRange.start
        place = f"{manager.getFileName(at)}:{manager.getLineNumber(at)}:{manager.getColumnNumber(at)}"
        found[f"{place}: warning: a sum in an index: give it a name of its width [-Wsum-in-index]"] = None

    compilation.getRoot().visit(visit)
    return list(found)


def report(arguments: list[str]) -> bool:
    """Prints what slang says of the sources; whether it could elaborate them."""
    slang = driver.Driver()
    slang.addStandardArgs()
    if not slang.parseCommandLine(shlex.join(["slang", "-Weverything", *arguments]), driver.CommandLineOptions()):
        return False
    if not slang.processOptions() or not slang.parseAllSources():
        return False
    compilation = slang.createCompilation()
    slang.reportCompilation(compilation, True)
    slang.runAnalysis(compilation)
    done = slang.reportDiagnostics(True)
    for line in sums_in_indices(compilation):
        print(line, file=sys.stderr)
    return done


if __name__ == "__main__":
    sys.exit(0 if report(sys.argv[1:]) else 1)
