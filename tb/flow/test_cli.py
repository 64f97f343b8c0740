"""The command line: one line for every mistake, exit status, reports, unknown variables."""

import json
import subprocess
from dataclasses import replace

import pytest

from tb.flow import cli, makevars
from tb.flow.blocks import block_names, get_block
from tb.flow.errors import UserError
from tb.flow.paths import ROOT

NAMES = ("BLOCK", "SIM", "TEST", "SEED", "WAVES", "WIDTH", "CYCLES", "INPUT", "REPORT", "CONFIG", "TIMEOUT", "JOBS")
NAMES += ("GATES", "RTL", "CHECK")


@pytest.fixture
def make(toy, monkeypatch, capsys):
    """Calls a target the way the Makefile does, the toy being the only block: (exit status, stdout, stderr)."""
    monkeypatch.setattr(cli, "get_block", lambda name: toy)
    monkeypatch.setattr(cli, "all_blocks", lambda: [toy])
    monkeypatch.setattr(cli, "block_names", lambda: ["flow_toy"])
    monkeypatch.setattr(cli, "DEFAULT_BLOCK", "flow_toy")
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    for name in (*NAMES, "TS_GOALS"):
        monkeypatch.delenv(name, raising=False)

    def call(target, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        definitions = " ".join(f"{name}={value}" for name, value in variables.items())
        monkeypatch.setenv("MAKEFLAGS", f" -- {definitions}" if definitions else "")
        capsys.readouterr()
        status = cli.main([target])
        for name in variables:
            monkeypatch.delenv(name, raising=False)
        return status, *capsys.readouterr()

    return call


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
    assert make("sim", CHECK="values")[2] == "error: CHECK=values: choose one of cycle, value\n"
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


def test_help_lists_every_target_and_variable(make):
    status, out, _ = make("help")
    assert status == 0
    words = set(out.split())
    assert {"sim", "test", "coverage", "lint", "faults", "bench", "synth", "tensors", "help", "clean", "setup"} <= words
    assert set(NAMES) | {"PYTHON"} <= words
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = next(line for line in makefile.splitlines() if line.startswith("TARGETS")).split(":=")[1].split()
    assert set(targets) == set(cli._commands())


def test_help_says_which_blocks_a_variable_is_for(toy, make, monkeypatch):
    other = replace(toy, name="other_toy", params={"WIDTH": replace(toy.params["WIDTH"], default=4)}, options=())
    blocks = {"flow_toy": toy, "other_toy": other}
    monkeypatch.setattr(cli, "get_block", lambda name: blocks[name])
    monkeypatch.setattr(cli, "all_blocks", lambda: list(blocks.values()))
    monkeypatch.setattr(cli, "block_names", lambda: list(blocks))

    def rows(out, name):
        return [line.split() for line in out[out.index(" meaning ") :].splitlines() if line.startswith(f"  {name} ")]

    out = make("help")[1]
    widths = rows(out, "WIDTH")
    assert len(widths) == 2
    assert {row[2] for row in widths} == {"4", "8"}
    assert "(other_toy)" in out
    assert len(rows(out, "CYCLES")) == 1
    out = make("help", BLOCK="other_toy")[1]
    assert ", block other_toy" in out
    assert [row[2] for row in rows(out, "WIDTH")] == ["4"]
    assert not rows(out, "CYCLES")
    assert "(other_toy)" not in out
    assert make("help", BLOCK="nothing")[0] == 2


def test_unknown_target(make):
    assert make("simulate")[2] == "error: there is no target 'simulate' (make help lists them)\n"


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
        command, capture_output=True, text=True, check=True, env=environment, encoding="utf-8", errors="replace"
    ).stdout
    assert sorted(makevars.given_variables(flags)) == ["BLOK", "X", "Y"]


def test_blocks():
    with pytest.raises(UserError, match="there is no block 'nosuch': choose one of "):
        get_block("nosuch")
    for name in block_names():
        assert get_block(name).name == name
