"""What ordinary machines do to the commands: environments, places of a clone, locales, pipes, full disks."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow.cli import main
from flow.core import makevars, plain, surroundings
from flow.core.blocks import get_block
from flow.core.building import build
from flow.core.simulate import run
from flow.core.targets import run_target
from flow.core.tools import ensure_simulator
from tb.lib.paths import ROOT
from tb.lib.replay import definition

# --- the caller's environment ----------------------------------------

FOREIGN = {
    "PYTHONSAFEPATH": "1", "PYTHONHOME": "/nowhere", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2",
    "PYTHONINSPECT": "1", "PYTHONIOENCODING": "nonsense", "PYTHONSTARTUP": "/nowhere.py",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline", "MATPLOTLIBRC": "/nowhere", "CXXFLAGS": "-Werror",
    "CPPFLAGS": "-include nowhere.h", "LDFLAGS": "-lnowhere", "OPT": "-nonsense", "VM_USER_CFLAGS": "-nonsense",
    "PYTEST_ADDOPTS": "-k nothing", "GPI_USERS": "nowhere.so", "MAKEFILES": "/nowhere.mk", "GNUMAKEFLAGS": "-n",
    "SIM_CMD_PREFIX": "false",
}  # fmt: skip


def _through_make(tmp_path, *arguments, **variables):
    """What a recipe's Python sees, started by the project's own Makefile with a fake .venv."""
    venv = tmp_path / ".venv" / "bin"
    venv.mkdir(parents=True)
    report = "import json, os; print(json.dumps(dict(os.environ)))"
    (venv / "python").write_text(f"#!/bin/sh\nexec {sys.executable} -c '{report}'\n", encoding="utf-8")
    (venv / "python").chmod(0o755)
    (tmp_path / "flow" / "core").mkdir(parents=True)
    (tmp_path / "flow" / "core" / "setup_env.py").write_text("", encoding="utf-8")
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text(encoding="utf-8"), encoding="utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": "/", **variables}
    return subprocess.run(
        ["make", *arguments], cwd=tmp_path, env=env, capture_output=True, check=True, encoding="utf-8"
    ).stdout


def test_make_keeps_settings_of_other_pythons_away(tmp_path):
    given = {name: value for name, value in FOREIGN.items() if name.startswith("PYTHON")}
    out = _through_make(tmp_path, "sim", **given, PYTHONPATH="/nowhere", PYTHONUNBUFFERED="1", HOME="/x")
    seen = json.loads(out)
    assert {name for name in seen if name.startswith("PYTHON")} == {"PYTHONPYCACHEPREFIX", "PYTHONUNBUFFERED"}
    assert seen["HOME"] == "/x"


def test_make_takes_python_from_its_command_line_alone(tmp_path):
    out = _through_make(tmp_path, "sim", PYTHON="no-such-python")
    assert out.startswith("note: PYTHON of the environment is not used: variables go on make's command line\n")
    done = subprocess.run(["make", "PYTHON=no-such-python", "sim"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"no-such-python" in done.stderr


def test_surroundings_are_cleaned(monkeypatch):
    environment = {**FOREIGN, "PATH": "/bin", "PYTHONPYCACHEPREFIX": "x", "CXX": "clang++", "VERILATOR_ROOT": "r"}
    surroundings.clean(environment)
    assert set(environment) == {"PATH", "PYTHONPYCACHEPREFIX", "CXX", "VERILATOR_ROOT", *surroundings.MATPLOTLIB}
    assert Path(environment["MATPLOTLIBRC"]).is_file()
    kept = {"OPT": "adam", "CXXFLAGS": "-g"}
    surroundings.clean(kept, keep={"OPT"})
    assert kept == {"OPT": "adam", **surroundings.MATPLOTLIB}
    monkeypatch.setenv("CPATH", "/opt/include")
    assert surroundings.compiler_settings()["CPATH"] == "/opt/include"


@pytest.mark.parametrize("sim", ["verilator", "icarus"])
def test_builds_and_runs_heed_no_foreign_setting(toy, sim, monkeypatch):
    for name, value in FOREIGN.items():
        if not name.startswith(("PYTHON", "GPI_", "SIM_CMD_")):  # those are for the Makefile and the command line
            monkeypatch.setenv(name, value)
    result = run(toy, sim, "good", 3)
    assert result.passed, result.summary()


def test_a_compilers_search_path_makes_another_build(toy, monkeypatch):
    first = build(toy, "icarus").path, _key_of_verilator(toy, monkeypatch)
    monkeypatch.setenv("CPATH", "/opt/include")
    assert build(toy, "icarus").path == first[0]
    assert _key_of_verilator(toy, monkeypatch) != first[1]


def _key_of_verilator(toy, monkeypatch):
    from flow.core import building

    seen = []
    with monkeypatch.context() as patch:
        patch.setattr(
            building, "_build_key", lambda inputs, facts: seen.append(json.dumps(facts, default=str)) or 1 / 0
        )
        with pytest.raises(ZeroDivisionError):
            build(toy, "verilator")
    return seen[0]


@pytest.mark.parametrize(("version", "libraries"), [("Debian clang version 14.0.6", "-latomic"), ("c++ 12.2.0", None)])
def test_clang_links_with_what_it_calls(monkeypatch, version, libraries):
    monkeypatch.setattr("flow.core.tools._first_line", lambda *_: version)
    monkeypatch.setattr(surroundings, "OURS", dict(surroundings.MATPLOTLIB))
    ensure_simulator("verilator")
    environment = {"LDLIBS": "-lnowhere"}
    surroundings.clean(environment)
    assert environment.get("LDLIBS") == libraries


def test_plots_take_nothing_from_a_users_settings(tmp_path):
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nbackend: nonsense\n", encoding="utf-8")
    env = {"PATH": os.environ["PATH"], "MPLBACKEND": "module://nowhere", "MATPLOTLIBRC": str(tmp_path)}
    env["MPLCONFIGDIR"] = str(tmp_path)
    code = (
        "from flow.core import surroundings; surroundings.clean()\n"
        "import matplotlib\nfrom matplotlib import pyplot\npyplot.figure().savefig('/dev/null', format='png')\n"
        "print(matplotlib.get_backend(), matplotlib.rcParams['text.usetex'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, check=False, encoding="utf-8"
    )
    assert done.stdout.lower() == "agg false\n", done.stderr


@pytest.mark.parametrize(
    ("flags", "dropped"),
    [("", ["TEST", "W"]), (" -- W=w.npy", ["TEST"]), (" -- TEST=smoke W=w.npy", []), ("sk -- SEED=1", ["TEST", "W"])],
)
def test_exported_variables_do_not_count(flags, dropped):
    known = {"TEST", "W", "SEED"}
    environment = {"TEST": "smoke", "W": "80", "OTHER": "1", "MAKEFLAGS": flags, "MAKELEVEL": "1"}
    assert makevars.drop_exported(known, environment) == dropped
    assert [name for name in ("TEST", "W") if name not in environment] == dropped
    alone = {"TEST": "smoke"}  # the environment of a call without make is its command line
    assert makevars.drop_exported(known, alone) == []
    assert alone == {"TEST": "smoke"}


def test_an_exported_variable_is_said_to_be_ignored(monkeypatch, capsys):
    monkeypatch.setattr("flow.cli.signal.signal", lambda *_: None)
    for name, value in {"MAKELEVEL": "1", "MAKEFLAGS": "", "BLOCK": "nonsense", "TS_GOALS": "help"}.items():
        monkeypatch.setenv(name, value)
    assert main(["help"]) == 0
    note = "note: BLOCK of the environment: not used, as variables go on make's command line\n"
    assert capsys.readouterr().err == note


# --- set-up ----------------------------------------


def test_setup_checks_the_place():
    place_error = runpy.run_path(str(ROOT / "flow/core/setup_env.py"))["place_error"]
    for good in ("/home/me/a clone", "/é", "/a$b#c&d(e)';\t,"):
        assert place_error(good) is None
    assert "':'" in place_error("/a:b")
    assert "rename that folder" in place_error("/a:b")
    assert "line break" in place_error("/a\nb")
    assert "not UTF-8" in place_error("/a\udcffb")


def test_setup_gives_pip_only_what_says_where_packages_come_from(monkeypatch):
    for name in ("PIP_TARGET", "PIP_USER", "PIP_PREFIX", "PIP_NO_DEPS", "PIP_INDEX_URL", "PYTHONPATH", "PIP_CERT"):
        monkeypatch.setenv(name, "1")
    kept = runpy.run_path(str(ROOT / "flow/core/setup_env.py"))["surroundings"]()
    named = {name for name in kept if name.startswith(("PIP_", "PYTHON"))}
    assert named >= {"PIP_INDEX_URL", "PIP_CERT"}
    assert not named & {"PIP_TARGET", "PIP_USER", "PIP_PREFIX", "PIP_NO_DEPS", "PYTHONPATH"}


@pytest.mark.parametrize(
    ("requirement", "missing"),
    [("numpy==VERSION", ""), ("numpy==0.1", "numpy"), ("no-such-package==1", "no-such-package"), ("# nothing", "")],
)
def test_setup_sees_what_cannot_be_imported(tmp_path, requirement, missing):
    check = runpy.run_path(str(ROOT / "flow/core/setup_env.py"))["CHECK"]
    text = requirement.replace("VERSION", np.__version__) + "  # why\n"
    (tmp_path / "requirements.txt").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", check], cwd=tmp_path, capture_output=True, check=True, encoding="utf-8"
    )
    assert done.stdout.strip() == missing


def test_setup_does_not_stamp_an_empty_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("numpy==0.1\n", encoding="utf-8")
    setup = runpy.run_path(str(ROOT / "flow/core/setup_env.py"))["main"]

    def call(command, stdout, **_):
        if "venv" in command:
            (tmp_path / ".venv" / "bin").mkdir(parents=True)
        if "-c" in command:
            stdout.write("numpy\n")
        return 0

    monkeypatch.setattr("subprocess.call", call)
    assert setup().startswith("pip says that it has installed what .venv lacks (numpy)")
    assert not (tmp_path / ".venv" / "stamp").exists()


def test_setup_leaves_an_environment_behind_a_link_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "requirements.txt").write_text("numpy==0.1\n", encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".venv").symlink_to("elsewhere")
    message = runpy.run_path(str(ROOT / "flow/core/setup_env.py"))["main"]()
    assert message.startswith(".venv is a link, to an environment made for other requirements")
    assert (tmp_path / "elsewhere").is_dir()


# --- places ----------------------------------------

PLACES = (
    "a clone",
    "Übung",
    "it's",
    'say "hi"',
    "cost$HOME",
    "n#1",
    "(1)",
    "a&b",
    "tab\tbed",
    "a;b",
    "a,b",
    "50%",
    "~x",
)


@pytest.mark.parametrize("place", PLACES)
def test_odd_places_have_plain_names(tmp_path, monkeypatch, place):
    odd = tmp_path / place
    (odd / "more" / place).mkdir(parents=True)
    (odd / "more" / place / "file").write_text("here", encoding="utf-8")
    monkeypatch.setattr(plain, "ROOT", odd)
    for path in (odd, odd / "more", odd / "more" / place / "file"):
        name = plain.plain(path)
        assert plain.is_plain(name)
        assert name.samefile(path)
    text = plain.plain_text(f"-Wl,-rpath,{odd}/more -L{odd}/more")
    assert plain.is_plain(text.replace(",", "").replace(" ", ""))
    for prefix in ("", "-I", "+incdir+"):
        assert plain.is_plain(plain.plain_text(f"{prefix}{odd}/more/{place}/file").removeprefix(prefix))
    monkeypatch.setattr(plain, "ROOT", tmp_path)
    name = plain.plain(odd / "more" / place / "file")  # of nobody's
    assert plain.is_plain(name)
    assert name.read_text(encoding="utf-8") == "here"


def test_plain_names_stay(tmp_path):
    for text in (str(ROOT), "-DX=a b", "+verilator+seed+1", "CFG_CXXFLAGS_STD=-std=gnu++20", "^tb\\.tests\\.smoke$"):
        assert plain.plain_text(text) == text
    assert plain.plain(ROOT / "rtl") == ROOT / "rtl"


def test_a_temporary_folder_with_an_odd_name_is_not_taken(tmp_path, monkeypatch):
    (tmp_path / "my files").mkdir()
    monkeypatch.setattr(plain.tempfile, "gettempdir", lambda: str(tmp_path / "my files"))
    assert plain.is_plain(plain.temporary())


@pytest.mark.parametrize("sim", ["verilator", "icarus"])
def test_sources_in_an_odd_place_build_and_run(toy, sim, tmp_path):
    """The clone's own place cannot be changed here; sources and includes can."""
    import dataclasses

    odd = tmp_path / 'Ü $1; #(a)&\'b\t"c"'
    odd.mkdir()
    names = []
    for name in (*toy.rtl, *toy.tb_sources):
        (odd / Path(name).name).write_bytes(Path(name).read_bytes())
        names.append(str(odd / Path(name).name))
    moved = dataclasses.replace(toy, rtl=(names[0],), tb_sources=(names[1],), include_dirs=(str(odd),))
    result = run(moved, sim, "good")
    assert result.passed, result.summary()


# --- what is typed again ----------------------------------------

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), min_size=1, max_size=12)


@pytest.mark.parametrize(
    "value", ["plain", "my file.npy", "a$b", "$$", "it's", 'say "hi"', "a#b", "a\\b", "(x)", "`x`", "ä&;"]
)
def test_a_replay_line_gives_make_the_same_value(tmp_path, value):
    assert _typed(tmp_path, value) == value


@settings(max_examples=40, deadline=None, derandomize=True)
@given(value=WORD.filter(lambda text: text == text.strip() and not text.endswith("\\")))
def test_any_value_survives_shell_and_make(tmp_path_factory, value):
    assert _typed(tmp_path_factory.getbasetemp(), value) == value


def _typed(folder, value):
    """What a program that make starts sees of X, typed as a replay line says."""
    (folder / "Makefile").write_text('all:\n\t@printf "%s." "$$X"\n', encoding="utf-8")
    line = f"make -s {definition('X', value)}"
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    return subprocess.run(line, shell=True, cwd=folder, env=env, capture_output=True, check=True).stdout.decode()[:-1]


# --- outputs ----------------------------------------


def _sim(*shell, **variables):
    """make sim of the smallest block through a shell, so that its output can go elsewhere."""
    words = [definition(name, value) for name, value in {"BLOCK": "laps", "TEST": "smoke", **variables}.items()]
    line = f"env {' '.join(words)} {sys.executable} -m flow sim {' '.join(shell)}"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COCOTB", "MAKE", "MFLAGS"))}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        check=False,
        encoding="utf-8",
    )


def test_a_closed_pipe_loses_no_report(tmp_path):
    done = _sim("| true", REPORT=tmp_path / "r.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["status"] == "pass"


def test_full_outputs_give_one_line(tmp_path):
    done = _sim(REPORT="/dev/full")
    assert done.returncode == 2
    assert done.stderr == "error: REPORT=/dev/full: cannot be written (No space left on device)\n"
    assert "PASS laps smoke" in done.stdout
    done = _sim("> /dev/full", REPORT=tmp_path / "r.json")
    assert done.returncode == 2
    assert done.stderr == "error: standard output cannot be written (No space left on device)\n"
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["status"] == "pass"


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1", "POSIX"])
def test_any_locale_will_do(tmp_path, monkeypatch, locale):
    monkeypatch.setenv("LC_ALL", locale)
    done = run_target("help", BLOCK="laps")
    assert (done.returncode, done.stderr) == (0, "")


def test_out_has_the_name_that_was_given_and_is_announced(tmp_path):
    x, w = np.arange(6).reshape(2, 3), np.arange(12).reshape(3, 4)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "w.npy", w)
    files = {"X": tmp_path / "x.npy", "W": tmp_path / "w.npy", "OUT": tmp_path / "y"}
    done = run_target("sim", BLOCK="ioss", **files)
    assert done.returncode == 0, done.stderr
    assert f"wrote {tmp_path / 'y'}: 2 x 4, int64" in done.stdout.splitlines()
    assert np.array_equal(np.load(tmp_path / "y"), x @ w)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.npy", "x.npy", "y"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"BLOCK": "ioss", "X": "x", "W": "x", "OUT": "x"}, "OUT would overwrite W: give another name"),
        ({"BLOCK": "ioss", "OUT": "y", "REPORT": "y"}, "would overwrite"),
        ({"BLOCK": "laps", "CONFIG": "c", "TEST": "../x"}, "laps has no test ../x"),
        ({"BLOCK": "ioss", "OUT": "y"}, "OUT belongs to matrices of your own: give X and W"),
        ({"BLOCK": "gemm", "OUT": "y", "SHIFT": "3"}, "SHIFT, OUT belong to matrices of your own"),
        ({"BLOCK": "ioss", "X_BITS": "4"}, "X_BITS belongs to matrices"),
        ({"BLOCK": "gemm", "STOCHASTIC_SEED": "-1"}, "STOCHASTIC_SEED=-1: choose 0..4294967295"),
        ({"BLOCK": "gemm", "STOCHASTIC_SEED": str(1 << 32)}, "STOCHASTIC_SEED=4294967296: choose 0..4294967295"),
        ({"BLOCK": "gemm", "SHIFT": "64"}, "SHIFT=64: choose 0..63"),
        ({"BLOCK": "ioss", "MIN_ORDER": "7"}, "MIN_ORDER=7: choose 0..6"),
        ({"BLOCK": "optc", "LR": "nan"}, "LR=nan: choose"),
        ({"BLOCK": "laps", "REPORT": "."}, "cannot be written (it is a folder)"),
    ],
)
def test_bad_calls_are_refused_before_a_build(tmp_path, monkeypatch, variables, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("flow.core.simulate.build", lambda *_, **__: pytest.fail("a build began"))
    (tmp_path / "x").write_bytes(b"")
    (tmp_path / "c").write_text("{}", encoding="utf-8")
    files = ("OUT", "REPORT", "X", "W", "CONFIG")
    given = {name: str(tmp_path / value) if name in files else value for name, value in variables.items()}
    done = run_target("sim", **given)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_full_disk_is_named(toy, monkeypatch):
    from flow.core import simulate

    monkeypatch.setattr(simulate, "LEAST_SPACE", 1 << 80)
    assert run(toy, "icarus", "unhappy").error.startswith("the disk that holds build is full: model differs")
    assert run(toy, "icarus", "good").passed


def test_every_number_of_every_block_has_its_range():
    """Floats of the OPTC are checked with each other (`Rule.check`)."""
    for name in ("ioss", "gemm", "ran", "laps", "regs", "top", "optc"):
        for option in get_block(name).options:
            if option.kind == "int" and not option.choices:
                assert option.least is not None, f"{name} {option.name}"
                assert option.most is not None, f"{name} {option.name}"
