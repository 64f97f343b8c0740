"""Pictures of the site, by the name in their markers."""

from __future__ import annotations

from tb.site import diagrams, waves
from tb.site.draw import Picture

PICTURES: dict[str, Picture] = {
    "processor": Picture(
        "The processor: queues and engines above, buffers, cores and optimiser below.",
        diagrams.processor,
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
