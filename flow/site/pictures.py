"""Pictures of the pages, by name: `docs/pictures/<name>.svg`, drawn by `make docs` and committed.

A page shows one as `![alt](pictures/<name>.svg)`, so that a code host shows it too; the site adds the caption.
"""

from __future__ import annotations

from pathlib import Path

from flow.site import diagrams, waves
from flow.site.draw import Picture, in_dark
from tb.lib.paths import ROOT

FOLDER = ROOT / "docs/pictures"
DARK = ("overview",)  # in dark colours too, as <name>-dark.svg

PICTURES: dict[str, Picture] = {
    "overview": Picture(
        "The processor and its environment: traces of every boundary go to a scoreboard, which holds them against a "
        "model and independent oracles.",
        diagrams.overview,
    ),
    "processor": Picture(
        "The processor: queues and engines above, buffers, cores and optimiser below.",
        diagrams.processor,
    ),
    "data-path": Picture(
        "Where words go in a step of a training: images become windows as they are read, gradients meet the optimiser "
        "as they drain, copies of weights leave through Y.",
        diagrams.data_path,
    ),
    "ioss": Picture("Inside the IOSS core.", diagrams.ioss),
    "ran": Picture("Inside the RAN.", diagrams.ran),
    "gemm": Picture("The pair: one descriptor for both, job numbers, counters side by side.", diagrams.gemm),
    "optc": Picture("The pipeline of a lane of the OPTC; what belongs to ADAM alone in orange.", diagrams.optc),
    "laps": Picture("LAPS: the table, the steps of an update, a query.", diagrams.laps),
    "environment": Picture("The verification environment of a block.", diagrams.environment),
    "handshake": Picture(
        "The handshake law: a waits for ready and stays; b and c follow each other; d finds ready high. Drawn by hand.",
        waves.handshake,
    ),
    "ioss-job": Picture(
        "A tile and three jobs on a core of one row, 8b x 4b, K = 6: what is zero costs no cycle; job 2, whose only "
        "element meets zero weights, bypasses. It waits in cycles 6 and 7, as both slots are full. Cycles of the cycle "
        "model.",
        waves.ioss_job,
    ),
    "ran-banks": Picture(
        "Three jobs on a group of two rows: row 0 is done with job 0 early and goes on in bank 1; for job 2 both wait "
        "until bank 0 has been given up. Cycles of the cycle model.",
        waves.ran_banks,
    ),
    "optc-pipeline": Picture(
        "A tensor of 12 parameters, three beats of four lanes: 49 cycles from a beat to its result. Cycles of the "
        "cycle model.",
        waves.optc_pipeline,
    ),
    "laps-requests": Picture(
        "A register read (R), an update (U) and a query (Q), all offered in cycle 1, and a second read of the same "
        "entry while the machine is busy: it comes before the query that has waited longer. Cycles of the cycle model.",
        waves.laps_requests,
    ),
    "register-access": Picture(
        "A write whose data come late and a read, offered together: the read is complete first. Cycles of the model of "
        "port and registers.",
        waves.register_access,
    ),
    "command-waits": Picture(
        "LOAD b runs while the GEMM works on what LOAD a brought; the STORE waits for the GEMM. Starts, words and ends "
        "by the rules that boundary `sequence` checks; the length of the GEMM is made up, a real one is longer.",
        waves.command_waits,
    ),
}


def drawn_files() -> dict[Path, bytes]:
    """Every committed picture as it has to be. Raises `DrawingError`."""
    files = {FOLDER / f"{name}.svg": picture.svg() for name, picture in PICTURES.items()}
    return files | {FOLDER / f"{name}-dark.svg": in_dark(files[FOLDER / f"{name}.svg"]) for name in DARK}


def stale_pictures() -> list[str]:
    """Committed pictures that differ from what is drawn, or that nothing draws."""
    files = drawn_files()
    stale = [path for path, drawn in files.items() if not path.is_file() or path.read_bytes() != drawn]
    stale += sorted(set(FOLDER.glob("*.svg")) - set(files))
    return [f"{path.relative_to(ROOT)}: is not what flow/site draws: run make docs, commit it" for path in stale]


def write_pictures() -> None:
    """Draws the pictures into `docs/pictures`. Raises `DrawingError`."""
    files = drawn_files()
    FOLDER.mkdir(exist_ok=True)
    for path in set(FOLDER.glob("*.svg")) - set(files):
        path.unlink()
    for path, drawn in files.items():
        if not path.is_file() or path.read_bytes() != drawn:
            path.write_bytes(drawn)
