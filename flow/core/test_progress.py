"""What commands say while they work: at once, how far, and what they wait for."""

from __future__ import annotations

import io
import shutil
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from flow.core import building, processes, progress


@pytest.fixture
def told():
    """What a command without a terminal prints."""
    out = io.StringIO()
    with progress.speaking(Console(file=out, width=80)):
        yield out


def test_without_a_command_nothing_is_said(capsys):
    progress.say("a line")
    with progress.task("work", 3) as update:
        update(1)
    assert capsys.readouterr() == ("", "")


def test_lines_come_now_and_then(told, monkeypatch):
    with progress.task("work", 3, "parts") as update:
        update(1)
        assert told.getvalue() == ""
        monkeypatch.setattr(progress, "LINE_SECONDS", 0)
        update(1)
        update(2, what="other work")
    assert told.getvalue() == "work: 1 of 3 parts, 0 s so far\nother work: 2 of 3 parts, 0 s so far\n"


def test_bars_on_a_terminal():
    out = io.StringIO()
    with progress.speaking(Console(file=out, width=80, force_terminal=True)):
        with progress.task("one", 4) as first, progress.task("[two]", None) as second:
            first(3)
            second(1)
            time.sleep(0.5)  # bars are drawn ten times a second
        progress.say("after")
    text = out.getvalue()
    assert "3/4" in text
    assert "[two]" in text
    assert "/?" not in text
    assert text.rstrip().endswith("after")


def test_a_build_says_so_at_once_and_how_long_the_last_one_took(toy, told, monkeypatch):
    known = building.build(toy, "icarus", {"WIDTH": 4}).path.parent
    told.truncate(0)
    for entry in known.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    path = building.build(toy, "icarus").path
    assert told.getvalue().endswith(f"/icarus/{path.name}/build.log\n")
    assert "building flow_toy, first time: seconds; log " in told.getvalue()
    building.build(toy, "icarus", {"WIDTH": 4})
    assert " s the last time; log " in told.getvalue().splitlines()[-1]
    building.build(toy, "icarus")
    assert len(told.getvalue().splitlines()) == 2


def test_objects_of_a_build_are_counted(toy, told, monkeypatch, tmp_path):
    rtl = Path(toy.rtl[0])
    rtl.write_text(rtl.read_text(encoding="utf-8") + f"// {tmp_path}: in no other build\n", encoding="utf-8")
    seen = []
    counted = building._compiled
    monkeypatch.setattr(building, "_compiled", lambda folder: seen.append(counted(folder)) or seen[-1])
    monkeypatch.setattr(building.FlowRunner, "_supervise", _often(processes.supervise))
    building.build(toy, "verilator")
    totals = [total for _, total in seen if total]
    assert totals
    assert len(set(totals)) == 1
    assert all(done <= totals[0] for done, _ in seen)
    assert max(done for done, _ in seen) >= totals[0] - 1  # the last one and the link are quick


def _often(supervise):
    """`_supervise` that ticks a hundred times a second, and once at the end."""

    def wrapped(self, command, cwd, log):
        status, self.timed_out = supervise(command, cwd, self.env, log, self.flow_timeout, self.flow_tick, 0.01)
        self.flow_tick(0.0)
        return status

    return wrapped


@pytest.mark.parametrize(("parallel", "total"), [("1", 3 + 1 + 2 + 1), ("0", 1 + 2 + 1)])
def test_objects_of_verilators_makefile(tmp_path, parallel, total):
    assert building._compiled(tmp_path) == (0, None)
    names = {"CLASSES_FAST": "a b", "CLASSES_SLOW": "c", "SUPPORT_FAST": "", "SUPPORT_SLOW": "d", "GLOBAL_FAST": "e f"}
    entries = {key: "".join(f"  {name} \\\n" for name in text.split()) for key, text in names.items()}
    lists = "".join(f"VM_{key} += \\\n{text}\n" for key, text in entries.items())
    (tmp_path / "Vtop_classes.mk").write_text(f"VM_PARALLEL_BUILDS = {parallel}\n{lists}", encoding="utf-8")
    (tmp_path / "a.o").write_text("x", encoding="utf-8")
    (tmp_path / "b.o").write_text("", encoding="utf-8")
    assert building._compiled(tmp_path) == (1, total)


def test_waiting_for_another_command_is_said_with_its_bound(told, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "TELL_SECONDS", 0.05)
    monkeypatch.setattr(processes.sys, "argv", ["/x/flow/__main__.py", "sim"])
    held, let_go = threading.Event(), threading.Event()

    def holder() -> None:
        with processes.locked(tmp_path / "lock"):
            held.set()
            let_go.wait(20)

    thread = threading.Thread(target=holder)
    thread.start()
    assert held.wait(20)
    assert told.getvalue() == ""
    with pytest.raises(processes.UserError, match=r"another process holds .*lock \(process \d+, make sim\): end it"):
        with processes.locked(tmp_path / "lock", 0.2):
            pass
    threading.Timer(0.2, let_go.set).start()
    with processes.locked(tmp_path / "lock"):
        pass
    thread.join()
    first, second = told.getvalue().splitlines()
    assert "waiting for process " in first
    assert "make sim, which does the same (at most 0 s)" in first
    assert "(at most 60 minutes)" in second
    assert Path(tmp_path / "lock").read_text(encoding="utf-8").count("process") == 1
