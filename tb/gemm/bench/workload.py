"""The benchmark's work: the shipped products to 8 bits, as one program, and its file for the C++ loop (bench.cpp)."""

from __future__ import annotations

from tb.gemm.program import GemmParams, GemmProgram, Product, gemm_params
from tb.gemm.tensors import shipped, tensor_product
from tb.ioss.bench.workload import Workload, cpp_file, desc_fields

RAN_FIELDS = ("y_bits", "y_unsigned", "relu", "round", "rand_bits", "shift", "lanes", "stat_last")


def products(workload: Workload) -> list[Product]:
    """Its products, repeated."""
    chosen = {"sets": list(workload.sets)} | ({"gemms": list(workload.gemms)} if workload.gemms else {})
    once = [tensor_product(which, tensors, workload.rows or None) for which, tensors in shipped(chosen)]
    return once * workload.repeat


def gemm_program(params: GemmParams, work: list[Product]) -> GemmProgram:
    """One program with everything, no gaps."""
    program = GemmProgram(params)
    for index, product in enumerate(work):
        program.add(product, index)
    return program


def cpp_program(params: dict[str, int], workload: Workload) -> bytes:
    """The file that bench.cpp reads."""
    program = gemm_program(gemm_params(params), products(workload))
    descs = [
        (*desc_fields(desc), *(int(getattr(ran, name)) for name in RAN_FIELDS))
        for desc, ran in zip(program.core.descs, program.ran, strict=True)
    ]
    return cpp_file(program.core, descs, program.bound())
