"""`make lint`: static checks of RTL, Python and testplans. Any finding fails.

Verilator (-Wall) checks the RTL of every block at its default parameters and at those of `Block.lint_params`; verible
checks style (rules in rtl/verible.rules); slang elaborates and analyses with every warning (rtl/slang.hjson holds the
reasons of those that do not count); ruff checks Python (pyproject.toml), and `lint_encodings` what ruff cannot: that
every text file is opened with its encoding; `Block.check` is the block's own check; what `make regs` makes must be up
to date; every width of the RTL has its limit (flow/commands/limits.py). `make test` makes every check too.
"""

from __future__ import annotations

import ast
import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hjson

from flow.commands import benchports, filelists, limits, wordmap
from flow.commands.dense import DENSE
from flow.commands.regmap import stale_files
from flow.core.blocks import all_blocks
from flow.core.options import command
from flow.core.tools import verible_lint, verilator_root
from tb.lib.contract import Block
from tb.lib.paths import PACKAGES, ROOT, shown, source_files

_VERIBLE_RULES = "rtl/verible.rules"


def _call(command: Sequence[str], **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        errors="replace",
    )
    return done.returncode, (done.stdout + done.stderr).replace(f"{ROOT}/", "").strip()


def _outcome(command: Sequence[str], **environment: str) -> list[str]:
    """No finding if `command` succeeds silently; its output, or its status, otherwise."""
    status, text = _call(command, **environment)
    if status == 0:
        return []
    return [line for line in text.splitlines() if line.strip()] or [
        f"{Path(command[0]).name} ended with status {status}"
    ]


def lint_rtl(block: Block, params: Mapping[str, int]) -> list[str]:
    """Findings of Verilator in the RTL of `block` at `params`."""
    values = block.resolve_params(params)
    root = verilator_root()
    command = [
        str(root / "bin" / "verilator_bin"),
        "--lint-only",
        "-Wall",
        "--no-timing",
        "--quiet",
        "--top-module",
        block.rtl_top,
    ]
    command += [f"-G{name}={value}" for name, value in block.device_params(values).items()]
    command += [f"-I{folder}" for folder in block.include_dirs] + list(block.rtl)
    return _outcome(command, VERILATOR_ROOT=str(root))


def lint_style() -> list[str]:
    """Findings of verible in all SystemVerilog files."""
    files = [str(path.relative_to(ROOT)) for path in source_files(("rtl", "tb"), {".sv", ".svh"}, ROOT)]
    if not files:
        return []
    rules = [f"--rules_config={_VERIBLE_RULES}"] if (ROOT / _VERIBLE_RULES).is_file() else []
    return _outcome([str(verible_lint()), "--show_diagnostic_context=false", *rules, *files])


@dataclass(frozen=True)
class Waiver:
    """A warning of slang that does not count, of one option, in every file or in one."""

    option: str
    reason: str
    file: str | None = None

    def covers(self, file: str, option: str) -> bool:
        """Whether it speaks of this warning."""
        return option == self.option and self.file in (None, file)


_SLANG = re.compile(
    r"^(?P<file>\S+?):(?P<line>\d+):\d+: (?:warning|error): (?P<text>.*?)(?: \[-W(?P<option>[\w-]+)\])?$", re.MULTILINE
)
SLANG_WAIVERS = ROOT / "rtl" / "slang.hjson"


def slang_findings(reports: Mapping[str, str], waivers: Sequence[Waiver]) -> list[str]:
    """What slang says (its output by block) but no waiver covers, once each, and waivers that cover nothing."""
    found: dict[str, None] = {}
    needed: set[Waiver] = set()
    for report in reports.values():
        for each in _SLANG.finditer(report):
            option = each["option"] or "error"
            covering = [waiver for waiver in waivers if waiver.covers(each["file"], option)]
            needed.update(covering)
            if not covering:
                found[f"{each['file']}:{each['line']}: {each['text']} [{option}]"] = None
    idle = [waiver for waiver in waivers if waiver not in needed]
    return [*found, *(f"{shown(SLANG_WAIVERS)}: no warning {waiver.option} needs its waiver" for waiver in idle)]


def lint_slang(blocks: Sequence[Block]) -> list[str]:
    """Warnings of slang's elaboration and analysis, all of them, but those with a reason in rtl/slang.hjson."""
    reports = {}
    for block in blocks:
        folders = [word for folder in block.include_dirs for word in ("-I", folder)]
        command = [sys.executable, "-m", "flow.commands.slang", *folders, "--top", block.rtl_top, *block.rtl]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=300
        )
        if done.returncode and not _SLANG.search(done.stderr):
            return [f"slang on {block.name} ended with status {done.returncode}: {done.stderr.strip()[-300:]}"]
        reports[block.name] = done.stderr
    return slang_findings(
        reports, [Waiver(**entry) for entry in hjson.loads(SLANG_WAIVERS.read_text(encoding="utf-8"))]
    )


def lint_sources(blocks: Sequence[Block]) -> list[str]:
    """RTL that no block names, and coverage switched off in the source, where it would need no reason."""
    findings: list[str] = []
    named = {path for block in blocks for path in block.rtl}
    for path in source_files(("rtl",), {".sv"}, ROOT):  # not macros, which expand in many places
        name = path.relative_to(ROOT).as_posix()
        if name not in named:
            findings.append(f"{name}: belongs to no block, so nothing checks it")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if re.search(r"verilator\s+coverage_o(ff|n)|pragma\s+coverage", line):
                findings.append(
                    f"{name}:{number}: coverage exclusions belong into the block's exclusions file, with a reason"
                )
    return findings


def lint_python() -> list[str]:
    """Findings of ruff."""
    return _outcome([sys.executable, "-m", "ruff", "check", "--quiet", "--no-cache", "--output-format=concise", "."])


_TEXT_METHODS = {"read_text": 1, "write_text": 2}  # with the number of arguments that include an encoding
_NO_FILES = ("os", "gzip", "webbrowser")  # whose `open` is another one


def _opens_text(call: ast.Call) -> bool:
    """Whether a call reads or writes text, and leaves the encoding to the caller's locale."""
    keywords = {each.arg: each.value for each in call.keywords}
    if "encoding" in keywords or None in keywords:
        return False
    if isinstance(call.func, ast.Name):
        if call.func.id != "open":
            return False
        name, mode = "open", call.args[1] if len(call.args) > 1 else keywords.get("mode")
    elif isinstance(call.func, ast.Attribute):
        name, owner = call.func.attr, call.func.value
        mode = call.args[0] if call.args else keywords.get("mode")
        if name in _TEXT_METHODS:
            return len(call.args) < _TEXT_METHODS[name]
        if name in ("run", "Popen", "check_output"):
            return "text" in keywords or "universal_newlines" in keywords
        if name != "open" or (isinstance(owner, ast.Name) and owner.id in _NO_FILES):
            return False
    else:
        return False
    if mode is None:
        return True
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and "b" not in mode.value


def lint_encodings() -> list[str]:
    """Text that is read or written in whatever encoding the caller's locale has."""
    return [
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno}: text without encoding="
        for path in source_files(PACKAGES, {".py"}, ROOT)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and _opens_text(node)
    ]


def lint_pages() -> list[str]:
    """Findings in the text of the pages (flow.site.prose)."""
    from flow.site.prose import findings  # here, so that the flow stands without the site

    return findings()


def designs() -> list[Block]:
    """What is linted: the blocks, and the dense arrays that they are compared with."""
    return [*all_blocks(), DENSE]


def checks() -> list[tuple[str, Callable[[], list[str]]]]:
    """Every check by name; calling it gives its findings."""
    blocks = designs()
    out: list[tuple[str, Callable[[], list[str]]]] = []
    for block in blocks:
        for params in ({}, *block.lint_params):
            what = " ".join(f"{name}={value}" for name, value in block.resolve_params(params).items())
            out.append((f"verilator {block.name} {what}".strip(), partial(lint_rtl, block, params)))
        for top in block.lint_tops:
            alone = dataclasses.replace(block, rtl_top=top, params={})
            out.append((f"verilator {block.name} {top}", partial(lint_rtl, alone, {})))
        if block.check is not None:
            out.append((f"checks of {block.name}", block.check))
    return [
        *out,
        ("verible", lint_style),
        ("slang", lambda: lint_slang(blocks)),
        ("sources", lambda: lint_sources(blocks)),
        ("registers", stale_files),
        ("file lists", filelists.stale_files),
        ("ports of benches", benchports.findings),
        ("limits", limits.findings),
        ("words", wordmap.stale_page),
        ("pages", lint_pages),
        ("ruff", lint_python),
        ("encodings", lint_encodings),
    ]


def lint() -> Iterator[tuple[str, list[str]]]:
    """Every check with its findings, as they come."""
    for name, check in checks():
        yield name, check()


@command("lint")
def main() -> int:
    """Static checks of RTL, Python, testplans and pages."""
    failed = 0
    for name, findings in lint():
        print(f"{'FAIL' if findings else 'ok  '} {name}")
        for line in findings:
            print(f"  {line}")
        failed += bool(findings)
    print(f"FAIL lint: {failed} checks have findings" if failed else "PASS lint")
    return 1 if failed else 0
