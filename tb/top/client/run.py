"""Builds the processor and the client with cocotb's own runner, and runs the client.

    python run.py [simulator [test]]

Nothing of this project is used but its RTL: the files of rtl/top/top.f and the wrapper.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cocotb_tools.runner import get_results, get_runner

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TOP = "client_top"
# With every signal public Verilator sees a loop where none is, in the chain that joins statistics.
ARGUMENTS = {"verilator": ["-Wno-UNOPTFLAT"]}


def file_list(path: Path) -> tuple[list[Path], list[Path]]:
    """(sources in compile order, folders of included files) of a list whose paths count from the clone."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("//")]
    marker = "+incdir+"
    folders = [ROOT / line.removeprefix(marker) for line in lines if line.startswith(marker)]
    return [ROOT / line for line in lines if not line.startswith(marker)], folders


def build(simulator: str, folder: Path) -> None:
    """Compiles into `folder`."""
    sources, includes = file_list(ROOT / "rtl/top/top.f")
    get_runner(simulator).build(
        sources=[*sources, HERE / f"{TOP}.sv"],
        includes=includes,
        hdl_toplevel=TOP,
        build_args=ARGUMENTS.get(simulator, []),
        build_dir=folder,
        timescale=("1ns", "1ps"),
    )


def run(simulator: str, built: Path, folder: Path, test: str | None = None) -> tuple[int, int]:
    """Runs the client, or one test of it, in `folder`: (tests, how many failed)."""
    folder.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(HERE))  # the simulator's Python finds client.py
    results = get_runner(simulator).test(
        hdl_toplevel=TOP,
        hdl_toplevel_lang="verilog",
        test_module="client",
        test_filter=rf"\.{test}$" if test else None,
        build_dir=built,
        test_dir=folder,
        results_xml=str(folder / "results.xml"),
    )
    return get_results(results)


def main(simulator: str = "icarus", test: str | None = None) -> int:
    """The command; its exit status."""
    folder = ROOT / "build" / "client" / simulator
    build(simulator, folder)
    tests, failed = run(simulator, folder, folder / "run", test)
    print(f"{tests} tests, {failed} failed")
    return int(failed > 0 or tests == 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
