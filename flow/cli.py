"""The command line, `python -m flow <command> [options]`, and make's targets on top of it: a variable of make is the
environment's form of an option (flow/core/options.py).

Exit status: 0 passed, 1 something failed, 2 a mistake in the call or a missing tool (one line says which).
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click
from click.shell_completion import CompletionItem, shell_complete

from flow.commands import registry
from flow.core import blocks, options, surroundings
from flow.core.makevars import drop_exported, given_variables, refuse_unknown
from flow.core.options import Command
from flow.core.values import short
from models.common.files import FileError
from tb.lib.errors import UserError, did_you_mean
from tb.lib.paths import shown

NAME = "python -m flow"
COMPLETE = "_FLOW_COMPLETE"  # what a shell's completion sets

# What a disk or its owner may have against a file: no fault of the program.
_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.EIO}
_NO_PLACE |= {errno.ENAMETOOLONG, errno.ELOOP}

_WHERE = "variables go on make's command line"
_PEEK = click.Command(
    "peek",
    params=[click.Option(["--block"], envvar="BLOCK")],
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)


def _block_of(arguments: Sequence[str]) -> str:
    """The block that a call names, in either form; the options of some commands depend on it."""
    with _PEEK.make_context("peek", list(arguments), resilient_parsing=True) as context:
        return context.params["block"] or options.DEFAULT_BLOCK


def _command(name: str, arguments: Sequence[str]) -> Command:
    """A command as it is for the block that its arguments or the environment name."""
    command = registry.load(name)
    return command if command.of_block is None else command.for_block(blocks.get_block(_block_of(arguments)))


class Flow(click.Group):
    """All commands; each is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(registry.MODULES)

    def get_command(self, ctx: click.Context, name: str) -> Command:
        return registry.load(name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str, Command, list[str]]:
        return args[0], _command(args[0], args[1:]), args[1:]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names alone: their help would import every command."""
        return [CompletionItem(name) for name in registry.MODULES if name.startswith(incomplete)]


FLOW = Flow("flow", help="What make's targets do; VARIABLE=value of make is --variable value here.")


def _heed_make(name: str, arguments: Sequence[str]) -> set[str]:
    """Takes make's variables: refuses those that no target of the call has, drops those that are merely exported.
    The names that are known to the call."""
    goals = {*os.environ.get("TS_GOALS", "").split(), name}
    loaded = {goal: registry.load(goal) for goal in goals if goal in registry.MODULES}
    of_block = [goal for goal, each in loaded.items() if each.of_block is not None]
    dropped = drop_exported({"BLOCK"}) if of_block else []  # first: the other options depend on it
    if of_block:
        block = blocks.get_block(_block_of(arguments))
        loaded |= {goal: loaded[goal].for_block(block) for goal in of_block}
    known = {str(param.envvar) for each in loaded.values() for param in each.params}
    refuse_unknown(given_variables(os.environ.get("MAKEFLAGS", "")), known, [name])
    if dropped := sorted([*dropped, *drop_exported(known)]):
        print(f"note: {', '.join(dropped)} of the environment: not used, as {_WHERE}", file=sys.stderr)
    surroundings.clean(keep=known)
    return known


def _on_term(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _run(arguments: Sequence[str]) -> int:
    """Runs a command. Raises what click and the command raise."""
    if instruction := os.environ.get(COMPLETE):
        if shell_complete(FLOW, {}, "flow", COMPLETE, instruction):
            raise UserError(f"{COMPLETE}={short(instruction)}: give bash_source, zsh_source or fish_source")
        return 0
    words = list(arguments) or ["help"]
    known = set() if words[0].startswith("-") else _heed_make(words[0], words[1:])
    with FLOW.make_context(NAME, words) as context:
        context.meta[options.KNOWN] = known
        return FLOW.invoke(context)


def main(arguments: Sequence[str]) -> int:
    """Runs one command; prints a user's mistake as one line. Returns the exit status."""
    signal.signal(signal.SIGTERM, _on_term)
    try:
        return _run(arguments)
    except (UserError, FileError) as error:
        several = isinstance(error, UserError) and error.several_lines
        print(f"error: {error if several else _joined(str(error))}", file=sys.stderr)
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        where = f": {short(shown(os.fsdecode(error.filename)))}" if error.filename else ""
        print(f"error: {error.strerror}{_joined(where)}", file=sys.stderr)
    except click.ClickException as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
    except click.exceptions.Exit as ended:  # --help
        return ended.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return 130
    return 2


def _joined(text: str) -> str:
    """One line: a name may hold breaks."""
    return " ".join(text.splitlines())


def _one_line(error: click.ClickException) -> str:
    if isinstance(error, click.BadParameter) and error.param is not None:
        return _joined(f"{options.said(error.ctx, error.param)}: {error.message.strip().rstrip('.')}")
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        known = [flag for param in error.ctx.command.params for flag in (*param.opts, *param.secondary_opts)]
        near = did_you_mean(error.option_name, known) or " (--help lists them)"
        return _joined(f"{error.ctx.info_name} has no option {error.option_name}{near}")
    return _joined(error.format_message())
