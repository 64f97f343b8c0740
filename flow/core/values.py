"""Kinds of values that options take: what is legal, how it is named in help, what a shell completes."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from flow.core import blocks
from models.common.files import FileError, check_folder, check_output
from tb.lib.errors import did_you_mean


def short(value: Any) -> str:
    """A value that a line can name."""
    text = str(value)
    return text if len(text) <= 60 else f"{text[:40]}... ({len(text)} letters)"


class Kind(click.ParamType):
    """A kind of value; its `name` says in help what is legal."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return self.name

    def words_of(self) -> Sequence[str]:
        """The words that a shell offers."""
        return ()

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self.words_of() if word.startswith(incomplete)]


class Choice(Kind):
    """One of a few values; says which in its help and its error."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = tuple(values)
        self.name = "|".join(map(str, values))

    def words_of(self) -> Sequence[str]:
        return [str(each) for each in self.values]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        for candidate in self.values:
            if str(candidate) == str(value):
                return candidate
        names = self.words_of()
        return self.fail(f"choose one of {', '.join(names)}{did_you_mean(str(value), names)}", param, ctx)


class Flag(Choice, click.types.BoolParamType):
    """0 or 1; on a command line --name or --no-name."""

    name = "0|1"

    def __init__(self) -> None:
        super().__init__(("0", "1"))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        return value if isinstance(value, bool) else super().convert(value, param, ctx) == "1"


class Seed(Kind):
    """A seed that both simulators take."""

    name = "1..2147483647"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"[0-9]{1,10}", value) or not 1 <= int(value) < 2**31:
            self.fail("must be a number from 1 to 2147483647 (Verilator refuses seed 0)", param, ctx)
        return int(value)


class Number(Kind):
    """A finite number from `least` to `most` (None: no end); its name says so unless it has one."""

    def __init__(
        self,
        kind: type[float],
        least: float | None = None,
        most: float | None = None,
        name: str = "",
        words: Sequence[str] = (),
    ) -> None:
        self.kind, self.least, self.most, self.words = kind, least, most, tuple(words)
        ends = ["" if end is None else f"{end:.12g}" for end in (least, most)]
        self.range = "..".join(ends) if any(ends) else ""
        self.name = "|".join((*self.words, name or self.range or {int: "integer", float: "float"}[kind]))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.words:
            return value
        try:
            number = self.kind(value)
        except (ValueError, OverflowError):
            return self.fail(f"'{short(value)}' is not a valid {self._what()}", param, ctx)
        low, high = (-math.inf if self.least is None else self.least), (math.inf if self.most is None else self.most)
        if not (low <= number <= high and abs(number) < math.inf):
            return self.fail(f"choose {self.range or 'a finite number'}", param, ctx)
        return number

    def _what(self) -> str:
        return "integer" if self.kind is int else "number"


class Seconds(Number):
    """A time-out."""

    def __init__(self) -> None:
        super().__init__(float, 1, 1_000_000, "seconds")


class Minutes(Number):
    """Time to work for."""

    def __init__(self) -> None:
        super().__init__(float, 0, 1_000_000, "minutes")


class Percent(Number):
    """A share."""

    def __init__(self) -> None:
        super().__init__(float, 0, 100, "0..100")


class Count(Number):
    """How many, at least one."""

    def __init__(self, most: int = 64) -> None:
        super().__init__(int, 1, most)


class BlockName(Choice):
    """The name of a block of those that are there when it is asked for."""

    def __init__(self, *more: str) -> None:
        self.more = more

    @property
    def values(self) -> tuple[str, ...]:
        return (*blocks.block_names(), *self.more)

    @property
    def name(self) -> str:
        return "|".join(self.values)


class Blocks(Kind):
    """Names of blocks with commas between them, or `all`."""

    name = "all|name[,name]"

    def words_of(self) -> Sequence[str]:
        return ("all", *blocks.block_names())

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        known = blocks.block_names()
        names = list(dict.fromkeys(known if value == "all" else value.split(",")))
        for name in names:
            if name not in known:
                near = did_you_mean(name, known)
                self.fail(f"there is no block '{name}': choose all or some of {', '.join(known)}{near}", param, ctx)
        return tuple(names)


class Some(Kind):
    """Some of a few names with commas between them, or `all`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.name = "all|name[,name]"

    def words_of(self) -> Sequence[str]:
        return ("all", *self.names)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        chosen = self.names if value == "all" else tuple(dict.fromkeys(value.split(",")))
        for name in chosen:
            if name not in self.names:
                self.fail(f"'{name}' is not there: choose all or some of {', '.join(self.names)}", param, ctx)
        return chosen


class Sample(Kind):
    """A number, or `all` (None)."""

    name = "n|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "all":
            return None
        if not re.fullmatch(r"\d{1,6}", str(value)) or int(value) < 1:
            self.fail("must be a number from 1 to 999999, or all", param, ctx)
        return int(value)


class Address(Kind):
    """Of a Dask scheduler."""

    name = "tcp://host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        match = re.fullmatch(r"(?:tcp|tls|ucx|ws|wss)://[^\s/]+:([0-9]{1,5})", value)
        if not match or not 0 < int(match[1]) < 65536:
            self.fail("must be a scheduler's address such as tcp://host:8786", param, ctx)
        return value


class File(Kind):
    """A path, made absolute: an input must be a readable file, the folder of an output must exist."""

    name = "file"

    def __init__(self, output: bool = False) -> None:
        self.output = output

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = _absolute(value, self, param, ctx)
        if self.output:
            try:
                check_output(path)
            except FileError as error:
                self.fail(error.reason, param, ctx)
        else:
            try:
                good = self.fits(path) and os.access(path, os.R_OK)
            except (OSError, ValueError):  # a name that no file can have
                good = False
            if not good:
                self.fail(f"cannot read {path}", param, ctx)
        return path

    @staticmethod
    def fits(path: Path) -> bool:
        """Whether an input is of this kind."""
        return path.is_file()


class Place(File):
    """A file or a folder that is read, made absolute."""

    name = "folder|file"

    @staticmethod
    def fits(path: Path) -> bool:
        return path.exists()


class Net(Kind):
    """A network that is shipped, or a Python file with one: its path made absolute."""

    name = "name|file.py[:NAME]"

    def words_of(self) -> Sequence[str]:
        from host.network import shipped

        return shipped()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from host.network import NetworkError, path_of, shipped

        try:
            path, variable = path_of(str(value))
        except NetworkError as error:
            return self.fail(str(error) + did_you_mean(str(value), shipped()), param, ctx)
        if value in shipped():
            return str(value)
        return f"{_absolute(path, self, param, ctx)}{':' if variable else ''}{variable}"


class Data(Kind):
    """The name of data that is known, or a path, made absolute."""

    name = "digits|fashion-mnist|folder|file.npz"

    def words_of(self) -> Sequence[str]:
        return ("digits", "fashion-mnist")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value) if value in self.words_of() else str(_absolute(value, self, param, ctx))


class Images(Kind):
    """How many training images, and after a slash how many test images."""

    name = "n[/n]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        if not re.fullmatch(r"[1-9][0-9]{0,8}(/[1-9][0-9]{0,8})?", value):
            self.fail("give a number of training images, or 640/200: of training and of test images", param, ctx)
        return tuple(map(int, value.split("/")))


class Folder(Kind):
    """A folder that is written to, made absolute: it must be there and writable, or be one that can be made."""

    name = "folder"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="dir")]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = _absolute(value, self, param, ctx)
        try:
            check_folder(path)
        except FileError as error:
            self.fail(error.reason, param, ctx)
        return path


def _absolute(value: Any, kind: Kind, param: click.Parameter | None, ctx: click.Context | None) -> Path:
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError:  # ~someone
        return kind.fail(f"there is no home folder for {value}", param, ctx)
