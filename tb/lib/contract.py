"""What the flow must know about a block: tb/<name>/block.py defines `BLOCK = Block(...)`.

All paths of a `Block` are strings relative to the root of the clone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tb.lib.errors import UserError


@dataclass(frozen=True)
class Param:
    """A parameter of the test bench: its default and legal values and its name in SystemVerilog; `bench`: the device
    does not have it."""

    default: int
    legal: tuple[int, ...]
    sv_name: str
    help: str = ""
    bench: bool = False


@dataclass(frozen=True)
class Option:
    """A make variable that `make sim` takes for one block beside the common ones.

    `kind`: `int`, `float`, `str`, `flag` (0 or 1), `in_file` (must exist), `out_file`. `choices` limits an `int` or
    `str`, `least` and `most` an `int` or `float`, which may also be one of `words`. A variable that is not given
    arrives in `Block.sim_options` as `default`. The only `out_file` is OUT: a test whose configuration has a true
    `out` keeps an array (`BlockTest.keep`), which the command writes there.
    """

    name: str
    help: str
    kind: Literal["int", "float", "str", "flag", "in_file", "out_file"] = "str"
    default: Any = None
    choices: tuple[Any, ...] = ()
    least: float | None = None
    most: float | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunSpec:
    """One simulation: what `simulate.run` needs beside the block. Parameters that are absent have their defaults."""

    test: str
    seed: int = 1
    sim: str = "verilator"
    params: Mapping[str, int] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """A module of assumptions, assertions and covers around RTL: `sources` in compile order, `depth` of the induction,
    `cover_depth`: clocks within which every cover must be reached."""

    name: str
    top: str
    sources: tuple[str, ...]
    depth: int = 3
    cover_depth: int = 12


@dataclass(frozen=True)
class Block:
    """A block under test.

    `rtl` and `tb_sources` are in compile order, shared packages first. `params` maps make variables (`ROWS`) to
    parameters; they are set on `tb_top` and, in lint, on `rtl_top`. `public_vlt` is a Verilator configuration file
    that lists the signals cocotb reaches (without one everything is public, at half the speed). `timing` is needed
    only if a test bench source has delays or waits. `verilator_args` and `icarus_args` are added to the build
    command. `sim_options(options)` turns the values of `options` (by name), plus `TEST` (None if not given),
    `PARAMS` (the parameters by name) and `SEVERAL` (whether it is one of several tests, so that one of a user's files
    plays its example), into (test, config); a `config` with `pieces`, the rows and columns of each, is that of a
    product that takes several runs, and `add_up` makes one `result.json` of theirs. `print_report(result)` prints
    `result.json` for a person.
    `lint_params` are parameter sets beside the default, `lint_tops` modules without
    parameters that stand beside `rtl_top`. `synth_variants` names parameter sets that `make synth`
    compares the block with, one by one and in sum. `coverage_runs` is what `make coverage` simulates; runs with their
    parameters count in functional coverage elsewhere too. Code counts in runs with the default parameters and with
    those of `code_params`.
    `coverage_files` names the RTL whose code counts, all of it if empty: a block made of others counts what it adds;
    `coverage_goals` gives per cents per kind; `functional_coverage(results)` gets the list of `RunResult` and returns a
    JSON-able dict, with `passed` false if a functional goal is missed.
    `bench` names the module whose `bench(report path or None)` the command of that name calls; it returns an exit
    status. `faults_dir` holds the planted faults.
    `proofs` are what `make prove` proves.
    `test_params`: by test, values of parameters that it has with `make sim` where none is given.
    `check()` is a hook of `make lint` that returns findings (the testplan against the tests, say). `value_check`:
    its scoreboard can judge values and order alone (CHECK=value); otherwise `no_value_check` says why not.
    """

    name: str
    title: str
    rtl: tuple[str, ...]
    tb_sources: tuple[str, ...]
    rtl_top: str
    tb_top: str
    test_module: str
    default_test: str
    params: Mapping[str, Param] = field(default_factory=dict)
    include_dirs: tuple[str, ...] = ()
    public_vlt: str | None = None
    timing: bool = False
    verilator_args: tuple[str, ...] = ()
    icarus_args: tuple[str, ...] = ()
    testplan: str | None = None
    faults_dir: str | None = None
    options: tuple[Option, ...] = ()
    sim_options: Callable[[dict[str, Any]], tuple[str, dict[str, Any]]] | None = None
    print_report: Callable[[dict[str, Any]], None] | None = None
    lint_params: tuple[Mapping[str, int], ...] = ()
    lint_tops: tuple[str, ...] = ()
    synth_variants: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    tests: tuple[Any, ...] = ()
    coverage_runs: tuple[RunSpec, ...] = ()
    code_params: tuple[Mapping[str, int], ...] = ()
    coverage_files: tuple[str, ...] = ()
    coverage_goals: Mapping[str, float] = field(default_factory=dict)
    functional_coverage: Callable[[list[Any]], dict[str, Any]] | None = None
    bench: str | None = None
    proofs: tuple[Proof, ...] = ()
    test_params: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    check: Callable[[], list[str]] | None = None
    add_up: Callable[[Sequence[dict[str, Any]]], dict[str, Any]] | None = None
    value_check: bool = False
    no_value_check: str = "its scoreboard judges every cycle"

    def resolve_params(self, given: Mapping[str, int | None] | None) -> dict[str, int]:
        """Every parameter with its value: the given ones checked, the others at their default.

        Raises `UserError` for an unknown parameter or a value outside its legal ones.
        """
        values = {name: param.default for name, param in self.params.items()}
        for name, value in (given or {}).items():
            if value is None:
                continue
            if name not in self.params:
                raise UserError(
                    f"block {self.name} has no parameter {name} (it has {', '.join(self.params) or 'none'})"
                )
            legal = self.params[name].legal
            if value not in legal:
                raise UserError(
                    f"{name}={value} is not legal for {self.name}: choose one of {', '.join(map(str, legal))}"
                )
            values[name] = value
        return values

    def device_params(self, values: Mapping[str, int]) -> dict[str, int]:
        """Parameters of the device by their name in SystemVerilog, from `values` by the names of make variables."""
        return {self.params[name].sv_name: value for name, value in values.items() if not self.params[name].bench}

    def counts_code(self, params: Mapping[str, int]) -> bool:
        """Whether the code of runs with these parameters counts."""
        return self.resolve_params(params) in [self.resolve_params(each) for each in ({}, *self.code_params)]

    def covers(self, params: Mapping[str, int]) -> bool:
        """Whether bins speak of runs with these parameters: those of `coverage_runs`, the default ones without any."""
        sets = [self.resolve_params(spec.params) for spec in self.coverage_runs] or [self.resolve_params({})]
        return self.resolve_params(params) in sets
