"""`python -m flow.commands.slang FILES... --top NAME`: slang's elaboration and analysis with every warning, on stderr.

A process of its own, because slang prints what its analysis finds. `make lint` reads the lines (flow/commands/lint.py).
"""

from __future__ import annotations

import shlex
import sys

from pyslang import driver


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
    return slang.reportDiagnostics(True)


if __name__ == "__main__":
    sys.exit(0 if report(sys.argv[1:]) else 1)
