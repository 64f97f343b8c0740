"""The command line: one line for every mistake, exit status, reports, unknown variables."""

import json
import os
import subprocess
import time
from dataclasses import replace

import pytest
from rich.console import Console

from flow import cli
from flow.commands import coverage, helping, listing, registry, waves
from flow.core import blocks, makevars, options, output
from flow.core.blocks import block_names, get_block
from flow.core.targets import run_target
from tb.lib.errors import UserError
from tb.lib.paths import ROOT
from tb.lib.testlist import TestEntry
from tb.lib.testplan import load_testplan


@pytest.fixture
def make(toy, as_make, monkeypatch):
    """Calls a target the way the Makefile does, the toy being the only block: (exit status, stdout, stderr)."""
    monkeypatch.setattr(blocks, "get_block", lambda name: toy)
    monkeypatch.setattr(blocks, "all_blocks", lambda: [toy])
    monkeypatch.setattr(blocks, "block_names", lambda: ["flow_toy"])
    monkeypatch.setattr(options, "DEFAULT_BLOCK", "flow_toy")
    for option in (options.BLOCK, coverage.main.params[0]):
        monkeypatch.setattr(option, "default", "flow_toy")
    monkeypatch.delenv("TS_GOALS", raising=False)
    return as_make


@pytest.mark.parametrize(
    ("variables", "error"),
    [
        ({"SEED": "abc"}, "SEED=abc: must be a number from 1 to 2147483647"),
        ({"SEED": "0"}, "SEED=0: must be a number"),
        ({"SEED": "1.5"}, "SEED=1.5: must be a number"),
        ({"WIDTH": "7"}, "WIDTH=7: choose one of 4, 8"),
        ({"SIM": "vcs"}, "SIM=vcs: choose one of verilator, icarus"),
        ({"BLOCK": "nosuch"}, "BLOCK=nosuch: choose one of flow_toy"),
        ({"WAVES": "2"}, "WAVES=2: choose one of 0, 1"),
        ({"SEED": "\u0663"}, "SEED=\u0663: must be a number"),
        ({"TIMEOUT": "0"}, "TIMEOUT=0: choose 1..1000000"),
        ({"TIMEOUT": "nan"}, "TIMEOUT=nan: choose 1..1000000"),
        ({"TIMEOUT": "1e300"}, "TIMEOUT=1e300: choose 1..1000000"),
        ({"CYCLES": "many"}, "CYCLES=many: 'many' is not a valid integer"),
        ({"CYCLES": "-1"}, "CYCLES=-1: choose 0..1000000"),
        ({"CYCLES": "9" * 5000}, "CYCLES=99999"),
        ({"INPUT": "~nobody-of-this-name/x"}, "INPUT=~nobody-of-this-name/x: there is no home folder"),
        ({"INPUT": "x" * 5000}, "INPUT=xxx"),
        ({"INPUT": "/no/such/file"}, "INPUT=/no/such/file: cannot read /no/such/file"),
        (
            {"REPORT": "/no/such/folder/r.json"},
            "REPORT=/no/such/folder/r.json: cannot be written (there is no folder /no/such/folder)",
        ),
        ({"BLOK": "flow_toy"}, "make sim takes no variable BLOK: did you mean BLOCK?"),
        ({"seed": "1"}, "make sim takes no variable seed: did you mean SEED?"),
        ({"JOBS": "2"}, "make sim takes no variable JOBS"),
    ],
)
def test_mistakes_are_one_line(make, variables, error):
    status, out, err = make("sim", **variables)
    assert status == 2
    assert err.startswith(f"error: {error}")
    assert err.count("\n") == 1
    assert out == ""


def test_variables_of_another_target_of_the_call_are_fine(make, monkeypatch):
    assert make("lint", SEED="2")[0] == 2
    monkeypatch.setenv("TS_GOALS", "help sim")
    assert make("help", SEED="2")[0] == 0


def test_sim_passes_and_reports(make, tmp_path):
    path = tmp_path / "r.json"
    status, out, err = make("sim", SIM="icarus", SEED="5", CYCLES="9", REPORT=str(path))
    assert (status, err) == (0, "")
    assert "PASS flow_toy good icarus seed 5" in out
    content = json.loads(path.read_text(encoding="utf-8"))
    facts = {
        "block": "flow_toy",
        "sim": "icarus",
        "test": "good",
        "seed": 5,
        "parameters": {"WIDTH": 8},
        "status": "pass",
    }
    assert content | facts == content
    assert content["value"] == 9
    assert content["replay"] == "make sim BLOCK=flow_toy SIM=icarus TEST=good SEED=5 WIDTH=8 CYCLES=9"


def test_sim_fails_and_reports(make, tmp_path):
    path = tmp_path / "r.json"
    status, out, _ = make("sim", SIM="icarus", TEST="wrong", REPORT=str(path))
    assert status == 1
    assert "FAIL flow_toy wrong icarus seed 1" in out
    assert "replay: make sim BLOCK=flow_toy SIM=icarus TEST=wrong SEED=1 WIDTH=8" in out
    content = json.loads(path.read_text(encoding="utf-8"))
    assert (content["status"], content["error"], content["seed"]) == ("fail", "count is wrong", 1)


def test_sim_that_does_not_build_reports(make, toy, tmp_path):
    (tmp_path / "rtl" / "flow_toy.sv").write_text("nonsense", encoding="utf-8")
    path = tmp_path / "r.json"
    status, _, err = make("sim", SIM="icarus", REPORT=str(path))
    assert status == 2
    assert err.startswith("error: building flow_toy failed")
    assert json.loads(path.read_text(encoding="utf-8"))["status"] == "error"


def test_config_file_replays(make, tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"cycles": 3}', encoding="utf-8")
    status, _, _ = make("sim", SIM="icarus", CONFIG=str(path), REPORT=str(tmp_path / "r.json"))
    assert status == 0
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["value"] == 3
    path.write_text("[]", encoding="utf-8")
    assert make("sim", SIM="icarus", CONFIG=str(path))[2].endswith("is not JSON with an object at its top\n")
    assert "CONFIG already says" in make("sim", SIM="icarus", CONFIG=str(path), CYCLES="3")[2]


def test_own_rtl_and_value_mode(make, tmp_path):
    listed = tmp_path / "own.f"
    listed.write_text("rtl/flow_toy.sv", encoding="utf-8")
    path = tmp_path / "r.json"
    status, out, err = make("sim", SIM="icarus", RTL=str(listed), REPORT=str(path))
    assert (status, err) == (0, "")
    assert f"RTL={listed}" in out
    assert json.loads(path.read_text(encoding="utf-8"))["rtl"] == str(listed)
    listed.write_text("", encoding="utf-8")
    status, out, err = make("sim", SIM="icarus", RTL=str(listed))
    assert (status, out, err) == (2, "", f"error: RTL={listed} names no source file\n")
    assert make("sim", RTL="/no/such.f")[2] == "error: RTL=/no/such.f: cannot read /no/such.f\n"
    assert make("sim", CHECK="values")[2] == "error: CHECK=values: choose one of cycle, value: did you mean value?\n"
    status, out, err = make("sim", SIM="icarus", CHECK="value")
    assert (status, out) == (2, "")
    assert err.startswith("error: CHECK=value is not there for flow_toy: ")
    status, out, err = make("faults", RTL=str(listed))
    assert (status, out) == (2, "")
    assert "planted faults are patches" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("target", "error"), [("coverage", "no runs"), ("faults", "no planted"), ("bench", "no bench")]
)
def test_what_a_block_lacks_is_an_error(make, target, error):
    status, _, err = make(target)
    assert status == 2
    assert error in err
    assert err.count("\n") == 1


def test_synth_reports(make, tmp_path):
    path = tmp_path / "r.json"
    status, out, err = make("synth", WIDTH="4", GATES="1", REPORT=str(path))
    assert (status, err) == (0, "")
    assert "PASS synth of flow_toy: 0 multipliers, 0 products with constants, 4 flip-flop bits, 0 memory bits" in out
    content = json.loads(path.read_text(encoding="utf-8"))
    assert (content["status"], content["parameters"], content["flip_flop_bits"]) == ("pass", {"WIDTH": 4}, 4)
    assert content["gates"] == sum(content["gate_kinds"].values()) > 0


def test_synth_that_fails_reports(make, tmp_path):
    (tmp_path / "rtl" / "flow_toy.sv").write_text("nonsense", encoding="utf-8")
    path = tmp_path / "r.json"
    status, _, err = make("synth", REPORT=str(path))
    assert status == 2
    assert err.startswith("error: Yosys does not take flow_toy WIDTH=8: rtl/flow_toy.sv:1: ERROR: ")
    assert err.count("\n") == 1
    assert json.loads(path.read_text(encoding="utf-8"))["status"] == "error"
    for variables, error in (({"WIDTH": "7"}, "WIDTH=7: choose one of 4, 8"), ({"SEED": "1"}, "make synth takes no")):
        status, _, err = make("synth", **variables)
        assert status == 2
        assert err.startswith(f"error: {error}")


def test_help_is_short_and_lists_every_target(make):
    status, out, _ = make("help")
    assert status == 0
    lines = out.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", "")
    targets = next(line for line in makefile.splitlines() if line.startswith("TARGETS")).split(":=")[1].split()
    assert set(targets) == set(registry.commands(blocks.get_block("flow_toy")))
    assert {*targets, "setup", "clean"} == {name for group in helping.GROUPS.values() for name in group}
    assert {*targets, "setup", "clean", *helping.COMMON} <= {line.split()[0] for line in lines if line.strip()}


def test_help_of_a_target_lists_its_variables(make):
    for name, command in registry.commands(blocks.get_block("flow_toy")).items():
        status, out, _ = make("help", TARGET=name)
        assert status == 0
        assert str(command.help) in " ".join(out.split())
        assert {str(param.envvar) for param in command.params} <= {line.split()[0] for line in out.splitlines() if line}
        assert max(map(len, out.splitlines())) <= 80
    assert "PYTHON" in make("help", TARGET="setup")[1]
    assert make("help", TARGET="clean")[0] == 0
    assert (
        make("help", TARGET="sims")[2] == "error: there is no target 'sims' (make help lists them): did you mean sim?\n"
    )


def test_help_says_which_blocks_a_variable_is_for(toy, make, monkeypatch):
    other = replace(toy, name="other_toy", params={"WIDTH": replace(toy.params["WIDTH"], default=4)}, options=())
    both = {"flow_toy": toy, "other_toy": other}
    monkeypatch.setattr(blocks, "get_block", lambda name: both[name])
    monkeypatch.setattr(blocks, "all_blocks", lambda: list(both.values()))
    monkeypatch.setattr(blocks, "block_names", lambda: list(both))

    def rows(out, name):
        """Second lines of the entries of a variable: values, default, whose it is."""
        lines = out.splitlines()
        return [lines[at + 1].strip() for at, line in enumerate(lines) if line.split()[:1] == [name]]

    out = make("help", TARGET="sim")[1]
    assert sorted(rows(out, "WIDTH")) == ["4 8 (4); other_toy", "4 8 (8); flow_toy"]
    assert rows(out, "CYCLES") == ["0..1000000 (5); flow_toy"]
    assert rows(out, "SEED") == ["1..2147483647 (1)"]
    assert rows(make("help", TARGET="sim", BLOCK="other_toy")[1], "WIDTH") == ["4 8 (4)"]
    out = make("help", BLOCK="other_toy")[1]
    assert rows(out, "WIDTH") == ["4 8 (4)"]
    assert rows(out, "SEED") == ["1..2147483647 (1); sim, waves, watch"]
    assert not rows(out, "CYCLES")
    assert make("help", BLOCK="nothing")[0] == 2


def entries(*names):
    return tuple(TestEntry(name, "any seed does") for name in names)


def test_several_tests_get_a_verdict_each(toy, make, monkeypatch, tmp_path):
    monkeypatch.setattr(
        blocks, "get_block", lambda name: replace(toy, tests=entries("good", "wrong", "unhappy", "silent"))
    )
    path = tmp_path / "r.json"
    status, out, err = make("sim", SIM="icarus", TEST="un*,g??d", SEED="4", CYCLES="7", REPORT=str(path))
    assert (status, err) == (1, "")
    verdicts = [line for line in out.splitlines() if line.startswith(("PASS", "FAIL"))]
    assert [line.split()[:3] for line in verdicts[:2]] == [
        ["PASS", "flow_toy", "good"],
        ["FAIL", "flow_toy", "unhappy"],
    ]
    assert verdicts[2] == "FAIL 1 of 2 tests: unhappy"
    assert "replay: make sim BLOCK=flow_toy SIM=icarus TEST=unhappy SEED=4 WIDTH=8 CYCLES=7\n" in out
    content = json.loads(path.read_text(encoding="utf-8"))
    assert (content["status"], [each["status"] for each in content["tests"]]) == ("fail", ["pass", "fail"])
    assert [(each["test"], each["seed"]) for each in content["tests"]] == [("good", 4), ("unhappy", 4)]
    status, out, _ = make("sim", SIM="icarus", TEST="good,")
    assert status == 2
    status, out, _ = make("sim", SIM="icarus", TEST="good*")
    assert (status, out.splitlines()[-1].split()[:3]) == (0, ["PASS", "flow_toy", "good"])


@pytest.mark.parametrize(
    ("target", "variables", "error"),
    [
        ("sim", {"TEST": "god,silent"}, "TEST=god,silent: no test 'god': did you mean good?"),
        ("sim", {"TEST": "x*"}, "TEST=x*: no test 'x*' (make list BLOCK=flow_toy lists them)"),
        ("sim", {"BLOCK": "flow_toi"}, "BLOCK=flow_toi: choose one of flow_toy: did you mean flow_toy?"),
        (
            "regress",
            {"BLOCK": "flow_toi"},
            "BLOCK=flow_toi: there is no block 'flow_toi': choose all or some of flow_toy",
        ),
        ("sims", {}, "there is no target 'sims' (make help lists them): did you mean sim?"),
        ("waves", {"FILE": __file__}, "flow/test_cli.py is not a whole VCD or FST file"),
        ("waves", {"WAVES": "1"}, "make waves takes no variable WAVES"),
    ],
)
def test_misspelt_names_get_the_likeliest_one(toy, make, monkeypatch, target, variables, error):
    monkeypatch.setattr(blocks, "get_block", lambda name: replace(toy, tests=entries("good", "silent")))
    status, out, err = make(target, **variables)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {error}")


@pytest.mark.parametrize(
    ("target", "variables", "error"),
    [
        ("sim", {"TEST": "smok"}, "ioss has no test smok: did you mean smoke?"),
        ("faults", {"BLOCK": "laps", "FAULT": "no_*"}, "FAULT=no_*: no fault 'no_*' (make list BLOCK=laps lists them)"),
    ],
)
def test_a_misspelt_test_and_fault_of_a_block(target, variables, error):
    done = run_target(target, **variables)
    assert (done.returncode, done.stderr) == (2, f"error: {error}\n")


def test_a_misspelt_target_of_make_itself():
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["make", "simm"], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no target 'simm': did you mean sim?\n")


@pytest.mark.parametrize("block", [None, *block_names()])
def test_list_names_everything_there_is(block, capsys):
    assert listing.main.callback(block) == 0
    out = capsys.readouterr().out
    words = set(out.split())
    for each in [get_block(block)] if block else [get_block(name) for name in block_names()]:
        assert each.title in out
        assert {entry.test for entry in each.tests} <= words
        if block and each.faults_dir:
            assert {path.stem for path in (ROOT / each.faults_dir).glob("*.patch")} <= words
            assert {point.name for point in load_testplan(ROOT / each.testplan)} <= words
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("sim", [pytest.param("verilator", marks=pytest.mark.late), "icarus"])
def test_waves_makes_a_list_of_signals(toy, make, monkeypatch, tmp_path, sim):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":9")
    viewer = tmp_path / "gtkwave"
    viewer.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n', encoding="utf-8")
    viewer.chmod(0o755)
    status, out, err = make("waves", SIM=sim, CYCLES="3")
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == "opened in gtkwave"
    save = ROOT / next(line for line in out.splitlines() if line.startswith("signals: ")).split()[1]
    deadline = time.monotonic() + 20
    while not (tmp_path / "called").is_file():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    listed = save.read_text(encoding="utf-8").splitlines()
    above = "TOP." if any(line.startswith("TOP.") for line in listed) else ""
    assert {f"{above}flow_toy_tb.clk", f"{above}flow_toy_tb.dut.en_i", f"{above}flow_toy_tb.dut.count_o[7:0]"} <= set(
        listed
    )
    assert f"variable_add {above}flow_toy_tb.dut.count_o" in (save.with_suffix(".sucl")).read_text(encoding="utf-8")


def test_waves_names_what_to_install(toy, make, monkeypatch, tmp_path):
    monkeypatch.setattr(waves.shutil, "which", lambda name: None if name in waves.VIEWERS else f"/usr/bin/{name}")
    (tmp_path / "w.vcd").write_text("$scope module flow_toy_tb $end $var wire 1 ! clk $end\n", encoding="utf-8")
    assert "is not a whole VCD or FST file: its header has no end" in make("waves", FILE=str(tmp_path / "w.vcd"))[2]
    (tmp_path / "w.vcd").write_text(
        "$scope module other $end\n$var wire 1 ! clk $end\n$upscope $end\n$enddefinitions $end\n", encoding="utf-8"
    )
    assert "these waves have no scope flow_toy_tb" in make("waves", FILE=str(tmp_path / "w.vcd"))[2]
    text = (tmp_path / "w.vcd").read_text(encoding="utf-8")
    (tmp_path / "w.vcd").write_text(text.replace("other", "flow_toy_tb"), encoding="utf-8")
    status, out, _ = make("waves", FILE=str(tmp_path / "w.vcd"))
    assert status == 0
    assert "apt-get install gtkwave" in out


@pytest.mark.parametrize(
    ("text", "shown"), [("PASS it", "\033[1;32mPASS\033[0m it"), ("FAIL it", "\033[1;31mFAIL\033[0m it")]
)
def test_verdicts_have_colour_on_a_terminal_only(monkeypatch, text, shown):
    assert output.verdict(text) == text
    monkeypatch.setattr(output, "Console", lambda: Console(force_terminal=True))
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.verdict(text) == shown
    assert output.verdict("log: PASS") == "log: PASS"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.verdict(text) == text


def test_unknown_target(make):
    said = "error: there is no target 'simulate' (make help lists them): did you mean sim?\n"
    assert make("simulate")[2] == said
    assert make("quux")[2] == "error: there is no target 'quux' (make help lists them)\n"


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        ("", []),
        ("s", []),
        (" -- A=1", ["A"]),
        ("-- A=1 B=two", ["A", "B"]),
        ("kw -j2 --jobserver-auth=3,4 -- X=a\\ b=c Y:=2", ["X", "Y"]),
    ],
)
def test_given_variables(flags, names):
    assert makevars.given_variables(flags) == names


def test_given_variables_of_a_real_make(tmp_path):
    (tmp_path / "Makefile").write_text('all:\n\t@printf "%s" "$$MAKEFLAGS"\n', encoding="utf-8")
    command = ["make", "-s", "-k", "-C", str(tmp_path), "BLOK=ioss", "X=a file.npy", "Y=1 Z=2"]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    flags = subprocess.run(
        command, capture_output=True, encoding="utf-8", check=True, env=environment, errors="replace"
    ).stdout
    assert sorted(makevars.given_variables(flags)) == ["BLOK", "X", "Y"]


def test_blocks():
    with pytest.raises(UserError, match="there is no block 'nosuch': choose one of "):
        get_block("nosuch")
    for name in block_names():
        assert get_block(name).name == name


def test_help_of_a_command_is_a_page_and_passes(make, capsys):
    make("list")
    assert cli.main(["sim", "--help"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Usage: python -m flow sim [OPTIONS]")
    assert "--seed" in out
    assert not err
