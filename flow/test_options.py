"""Every option of every command has two forms, which give the same value and default; what a shell completes."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

from flow import cli
from flow.commands import helping, registry
from flow.core import options, values
from flow.core.blocks import block_names, get_block
from flow.core.options import Command, Option
from tb.lib.paths import ROOT

OF_BLOCK = [name for name in registry.MODULES if registry.load(name).of_block is not None]
CASES = [(name, None) for name in registry.MODULES if name not in OF_BLOCK]
CASES += [(name, block) for name in OF_BLOCK for block in block_names()]


def _text(option: Option, folder: Path) -> str:
    """A legal value that is not the default, as a caller types it."""
    kind, default = option.type, option.default
    if isinstance(kind, values.Flag):
        return str(int(not default))
    if isinstance(kind, values.File | values.Folder):
        (folder / "file").write_text("", encoding="utf-8")
        return str(folder / ("out" if isinstance(kind, values.Folder) or kind.output else "file"))
    words = [word for word in getattr(kind, "words_of", tuple)() if word != str(default)]
    if isinstance(kind, values.Number):
        high = kind.most if kind.most is not None else 1e6
        return str(kind.kind(high if high != default else kind.least))
    fixed = {values.Seed: "77", values.Images: "64/20", values.Sample: "9", values.Address: "tcp://host:1"}
    return fixed.get(type(kind)) or (words[-1] if words else "text")


def _parsed(command: Command, arguments: list[str]) -> click.Context:
    with command.make_context(str(command.name), arguments) as context:
        return context


@functools.cache
def _variables() -> set[str]:
    return {str(option.envvar) for command in registry.commands().values() for option in command.params}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of any command is set."""
    for name in _variables():
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("name", "block"), CASES)
def test_both_forms_give_the_same(
    name: str, block: str | None, bare: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = registry.load(name)
    command = command.for_block(get_block(block)) if block else command
    rows = {row[0]: row for row in helping.merged({name: command})}
    for option in command.params:
        assert isinstance(option, Option)
        variable, text = str(option.envvar), _text(option, tmp_path)
        assert option.opts == [f"--{variable.lower().replace('_', '-')}"]
        flag = option.opts if text == "1" else option.secondary_opts
        typed = [flag[0]] if option.is_flag else [option.opts[0], text]
        on_line = _parsed(command, typed)
        with monkeypatch.context() as patch:
            patch.setenv(variable, text)
            by_make = _parsed(command, [])
        neither = _parsed(command, [])
        assert on_line.params == by_make.params != neither.params
        assert on_line.meta[options._GIVEN] == by_make.meta[options._GIVEN] == {variable: text}
        assert options._GIVEN not in neither.meta
        _same_default(option, neither, rows[variable][2])


def _same_default(option: Option, context: click.Context, on_page: str) -> None:
    """What is taken is what the page of make's variables and the page of the command line say."""
    if option.is_flag:
        assert (on_page, context.params[str(option.name)]) in (("0", False), ("1", True))
        shown = {"0": option.secondary_opts, "1": option.opts}[on_page][0][2:]
    else:
        taken = option.type(on_page, option, context) if on_page else None
        assert context.params[str(option.name)] == taken
        shown = on_page
    assert option.get_help_extra(context).get("default", "") == shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seed", "abc"], "--seed abc: must be a number from 1 to 2147483647 (Verilator refuses seed 0)"),
        (["--block", "gemm", "--shift", "99"], "--shift 99: choose 0..63"),
        (["--sed", "1"], "sim has no option --sed: did you mean --seed?"),
        (["--shift", "1"], "sim has no option --shift"),
        (["--waves=2"], "Option '--waves' does not take a value."),
        (["smoke"], "Got unexpected extra argument (smoke)"),
        (["--block", "gem"], "there is no block 'gem': choose one of "),
        (["--x", "/nowhere"], "--x /nowhere: cannot read /nowhere"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    arguments: list[str], said: str, bare: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    assert cli.main(["sim", *arguments]) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {said}")
    assert (out, err.count("\n")) == ("", 1)


def test_an_option_beats_a_variable_and_another_default_is_found(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    command = registry.load("sim").for_block(get_block("laps"))
    monkeypatch.setenv("SEED", "5")
    context = _parsed(command, ["--seed", "6"])
    assert context.params["SEED"] == 6
    seed = next(option for option in command.params if option.envvar == "SEED")
    _same_default(seed, _parsed(command, ["--seed", "1"]), "1")
    with pytest.raises(AssertionError):
        _same_default(seed, context, "1")


def test_an_exported_block_decides_nothing_under_make(
    bare: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    for name, value in {"MAKELEVEL": "1", "MAKEFLAGS": " -- SHIFT=1", "SHIFT": "1", "BLOCK": "gemm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TS_GOALS", raising=False)
    assert cli.main(["sim"]) == 2  # of gemm, not of the default block
    assert capsys.readouterr().err.startswith("error: make sim takes no variable SHIFT")


# --- what a shell completes ----------------------------------------


def _offered(*words: str) -> list[str]:
    shell = ShellComplete(cli.FLOW, {}, "flow", cli.COMPLETE)
    return [
        item.value if item.type == "plain" else item.type for item in shell.get_completions([*words[:-1]], words[-1])
    ]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("tr",), ["train", "train-model"]),
        (("sim", "--bl"), ["--block"]),
        (("sim", "--block", "o"), ["optc"]),
        (("sim", "--block", "gemm", "--y-b"), ["--y-bits"]),
        (("sim", "--block", "laps", "--y-b"), []),
        (("sim", "--block", "gemm", "--x", ""), ["file"]),
        (("train", "--capture", ""), ["dir"]),
        (("train", "--no-l"), ["--no-laps"]),
        (("regress", "--block", "al"), ["all"]),
        (("lint", ""), []),
    ],
)
def test_a_shell_completes(words: tuple[str, ...], offered: list[str], bare: None) -> None:
    assert _offered(*words) == offered


def test_a_shell_completes_names_of_tests(bare: None) -> None:
    names = {entry.test for entry in get_block("optc").tests}
    assert {"smoke"} <= set(_offered("sim", "--block", "optc", "--test", "")) <= names


def test_a_shell_that_is_not_known_is_one_line(
    bare: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    monkeypatch.setenv(cli.COMPLETE, "tcsh_source")
    assert cli.main([]) == 2
    said = "error: _FLOW_COMPLETE=tcsh_source: give bash_source, zsh_source or fish_source\n"
    assert capsys.readouterr() == ("", said)


def test_bash_completes_the_script(tmp_path: Path) -> None:
    """bin/flow on the PATH, its completion loaded, a word completed as bash asks for it."""
    env: dict[str, Any] = {"PATH": f"{ROOT / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    lines = (
        f'eval "$({cli.COMPLETE}=bash_source flow)"',
        "COMP_WORDS=(flow sim --block lap) COMP_CWORD=3",
        "_flow_completion flow lap --block",
        'echo "${COMPREPLY[@]}"',
    )
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=tmp_path, env=env, capture_output=True, check=False, encoding="utf-8"
    )
    assert (done.stdout, done.stderr) == ("laps\n", "")
