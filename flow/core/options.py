"""Options of commands, and the commands themselves. An option is declared once and has two forms: `--seed 7` on the
command line and `SEED=7` as a variable of make.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from click.core import ParameterSource

from flow.core.makevars import clean_environment
from flow.core.progress import speaking
from flow.core.tools import SIMULATORS
from flow.core.values import (
    Address,
    BlockName,
    Choice,
    Count,
    Data,
    File,
    Flag,
    Images,
    Minutes,
    Net,
    Number,
    Seconds,
    Seed,
    short,
)
from tb.lib import contract
from tb.lib.contract import Block
from tb.lib.errors import UserError

_GIVEN = "flow.given"  # in a context's meta
LONGEST_SHOWN = 1000  # letters of a value in an error


class Option(click.Option):
    """An option with both forms; what the caller gave is kept as text, for replay lines."""

    def __init__(self, name: str, kind: click.ParamType, text: str, default: Any = None, **more: Any) -> None:
        flag = f"--{name.lower().replace('_', '-')}"
        both = f"{flag}/--no-{flag[2:]}" if isinstance(kind, Flag) else flag
        super().__init__([both, name], envvar=name, type=kind, default=default, help=text, show_default=True, **more)

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, ParameterSource]:
        value, source = super().consume_value(ctx, opts)
        if source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT):
            ctx.meta.setdefault(_GIVEN, {})[self.envvar] = str(int(value) if isinstance(value, bool) else value)
        return value, source

    def get_help_extra(self, ctx: click.Context) -> click.core.OptionHelpExtra:
        extra = super().get_help_extra(ctx)
        if "default" in extra:
            extra["default"] = extra["default"].removesuffix(".0")
        return extra


def given() -> dict[str, str]:
    """What the caller of the current command gave, as text by the names of make's variables."""
    return dict(click.get_current_context().meta.get(_GIVEN, {}))


def said(ctx: click.Context | None, param: click.Parameter) -> str:
    """A value as the caller gave it: `SEED=7` or `--seed 7`."""
    text = ctx.meta.get(_GIVEN, {}).get(param.envvar, "") if ctx else ""
    if len(text) > LONGEST_SHOWN:  # no path is as long
        text = short(text)
    from_make = ctx is not None and ctx.get_parameter_source(str(param.name)) is ParameterSource.ENVIRONMENT
    return f"{param.envvar}={text}" if from_make else f"{param.opts[0]} {text}"


# --- shared options ----------------------------------------

DEFAULT_BLOCK = "ioss"
BLOCK = Option("BLOCK", BlockName(), "block under test", DEFAULT_BLOCK)
REPORT = Option("REPORT", File(output=True), "write the results to this JSON file")
SIM = Option("SIM", Choice(SIMULATORS), "simulator", SIMULATORS[0])
SEED = Option("SEED", Seed(), "seed of everything that is random", 1)
SCHEDULER = Option("SCHEDULER", Address(), "run on this Dask cluster instead of JOBS processes here")
NETWORK = (
    Option("NET", Net(), "network to train: mlp, cnn, lenet, resnet, or a file of your own", "mlp"),
    Option("DATA", Data(), "data to train with (default: the network's own)"),
    Option("IMAGES", Images(), "only the first so many training images, and test images (default: all)"),
)


def jobs(what: str = "simulations") -> Option:
    """JOBS: how many of `what` at the same time."""
    return Option("JOBS", Count(), f"{what} at the same time", 2)


def minutes(what: str) -> Option:
    """TIME, after which no further `what` starts."""
    return Option("TIME", Minutes(), f"minutes after which no further {what} starts")


def restart(what: str) -> Option:
    """RESTART: nothing is resumed."""
    return Option("RESTART", Flag(), f"run {what} again that have a result for these sources", False)


def timeout(default: float) -> Option:
    """TIMEOUT of a tool's run, in seconds."""
    return Option("TIMEOUT", Seconds(), "seconds after which a simulation or synthesis is killed", default)


# --- of a block ----------------------------------------


def of_params(block: Block) -> list[Option]:
    """An option for each parameter of the block."""
    return [
        Option(name, Choice(param.legal), param.help or f"parameter {param.sv_name}", param.default)
        for name, param in block.params.items()
    ]


def of_option(option: contract.Option) -> Option:
    """What a block declares for `make sim`."""
    kinds: dict[str, click.ParamType] = {
        "int": Number(int, option.least, option.most, words=option.words),
        "float": Number(float, option.least, option.most, words=option.words),
        "str": click.STRING,
        "flag": Flag(),
        "in_file": File(),
        "out_file": File(output=True),
    }
    kind = Choice(option.choices) if option.choices else kinds[option.kind]
    default = bool(option.default) if option.kind == "flag" else option.default
    return Option(option.name, kind, option.help, default)


# --- commands ----------------------------------------


class Command(click.Command):
    """A command; `of_block` makes its options where they depend on the block."""

    def __init__(
        self,
        name: str,
        callback: Callable[..., int],
        params: Iterable[click.Parameter],
        text: str,
        of_block: Callable[[Block], list[Option]] | None = None,
    ) -> None:
        super().__init__(name, callback=callback, params=list(params), help=text)
        self.of_block = of_block

    def for_block(self, block: Block) -> Command:
        """The command as it is for a block."""
        if self.of_block is None or self.callback is None:
            return self
        return Command(str(self.name), self.callback, self.of_block(block), str(self.help), self.of_block)

    def invoke(self, ctx: click.Context) -> int:
        """Runs it; no variable of make reaches what it starts."""
        _check_distinct(ctx)
        clean_environment({str(param.envvar) for param in self.params} | set(ctx.meta.get(KNOWN, ())))
        with speaking():
            return int(super().invoke(ctx))


KNOWN = "flow.known"  # in a context's meta: variables of make for all targets of the call


def command(
    name: str, *params: click.Parameter, of_block: Callable[[Block], list[Option]] | None = None
) -> Callable[[Callable[..., int]], Command]:
    """Makes a function a command with these options; it gets their values by the variables' names and returns an exit
    status. Its docstring is the help. `of_block` makes the options for a block instead."""

    def made(function: Callable[..., int]) -> Command:
        text = " ".join(str(function.__doc__).split()).rstrip(".")
        return Command(name, function, params, text[0].lower() + text[1:], of_block)

    return made


def _check_distinct(ctx: click.Context) -> None:
    """Raises `UserError` if an output would overwrite another one, or an input."""
    seen: dict[str, str] = {}
    params = [each for each in ctx.command.params if isinstance(each.type, File) and ctx.params[str(each.name)]]
    for param in sorted(params, key=lambda each: each.type.output):
        place = os.path.realpath(ctx.params[str(param.name)])
        if param.type.output and place in seen and not place.startswith("/dev/"):
            raise UserError(f"{param.name} would overwrite {seen[place]}: give another name")
        seen[place] = str(param.name)
