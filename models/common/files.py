"""Files that a command takes or makes: one way to read each kind, one way to write.

Reading: `read_array` (.npy), `read_npz`, `read_json`, `read_hjson`. Pickled data is never read.
Writing: `check_output` before the work, `write_whole` or `save_array` after it: a file is there whole or not at all.

Errors: `FileError`, one line, for whatever a file or a place can be.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hjson
import numpy as np
import numpy.typing as npt

_NPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK"
_MAPPED = 1 << 24  # bytes of an array, beyond which it is mapped and not read at once
_SPECIAL = ("/dev/", "/proc/")  # a name in there stands for something else


class FileError(ValueError):
    """A file that cannot be used; `reason` says why in one line, without its name."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


def one_line(error: BaseException) -> str:
    """The reason that a reader gave.

    Damaged bytes make NumPy, ast, tokenize, zipfile and zlib raise almost anything, hence `Exception` where they read.
    """
    return " ".join(str(error).split()) or type(error).__name__


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or one_line(error)


# --- reading ----------------------------------------


def _checked(path: Path, magic: bytes, kind: str) -> None:
    """Raises `FileError` unless `path` is a readable file that starts with `magic`."""
    try:
        with open(path, "rb") as file:
            head = file.read(len(magic))
    except FileNotFoundError:
        raise FileError(path, "no such file") from None
    except (OSError, ValueError) as error:
        raise FileError(path, f"cannot be read ({_why(error)})") from None
    if not head:
        raise FileError(path, f"not a {kind} file: it is empty")
    if head != magic:
        archive = f", but an archive (.npz): take one array of it, numpy.save({path.stem!r}, ...)"
        raise FileError(path, f"not a {kind} file{archive if head.startswith(_ZIP_MAGIC) else ''}")


def read_array(path: Path) -> npt.NDArray[np.generic]:
    """The array of a .npy file of any format version. Raises `FileError`: missing, foreign, truncated, damaged, or
    elements that are Python objects."""
    _checked(path, _NPY_MAGIC, ".npy")
    # Header first: a damaged one must not make us allocate what the file cannot hold.
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(file)
            # Version 3 differs from 2 by the encoding of field names alone, which matter to nothing here.
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            if any(isinstance(n, bool) or n < 0 for n in shape):
                raise ValueError(f"shape {shape}")
            expected = file.tell() + dtype.itemsize * int(np.prod([int(n) for n in shape], dtype=object))
    except Exception as error:  # see one_line
        raise FileError(path, f"damaged .npy header ({one_line(error)})") from None
    if dtype.hasobject:
        raise FileError(path, "elements are Python objects, which are never read; save an array of numbers")
    size = path.stat().st_size
    if size != expected:
        problem = "truncated" if size < expected else "damaged"
        raise FileError(path, f"{problem} .npy, {size} bytes where its header promises {expected}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A large one that a caller refuses by its shape need not be read.
            array = np.load(path, mmap_mode="r" if size > _MAPPED else None, allow_pickle=False)
    except Exception as error:  # see one_line
        raise FileError(path, f"damaged .npy ({one_line(error)})") from None
    return array


def read_npz(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Every array of a .npz file by name. Raises `FileError`: missing, foreign, damaged."""
    _checked(path, _ZIP_MAGIC, ".npz")
    try:
        with warnings.catch_warnings(), np.load(path, allow_pickle=False) as file:
            warnings.simplefilter("ignore")
            arrays = {key: file[key] for key in file.files}
    except Exception as error:  # see one_line
        raise FileError(path, f"damaged .npz ({one_line(error)})") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise FileError(path, f"damaged .npz ({name} is no array)")
    return arrays


def _parsed(path: Path, parse: Callable[[str], Any], kind: str) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        if not text.strip():
            raise ValueError("it is empty")
        content = parse(text)
    except FileNotFoundError:
        raise FileError(path, "no such file") from None
    except OSError as error:
        raise FileError(path, f"cannot be read ({_why(error)})") from None
    except Exception as error:  # bad UTF-8, nesting too deep, numbers too long, and what else parsers raise
        raise FileError(path, f"is not {kind} ({one_line(error)})") from None
    if not isinstance(content, dict):
        raise FileError(path, f"is not {kind} with an object at its top")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """The object of a JSON file. Raises `FileError`."""
    return _parsed(path, json.loads, "JSON")


def read_hjson(path: Path) -> dict[str, Any]:
    """The object of an Hjson file. Raises `FileError`."""
    return _parsed(path, hjson.loads, "Hjson")


# --- writing ----------------------------------------


def _direct(path: Path) -> bool:
    """Whether `path` is a device or a pipe, which cannot be replaced."""
    return path.exists() and (not path.is_file() or str(path.absolute()).startswith(_SPECIAL))


def _scratch(path: Path) -> Path:
    return path.parent / f".trainslice-{os.getpid()}-{secrets.token_hex(4)}"


def check_output(path: Path) -> None:
    """Raises `FileError` if `path` can be seen not to be writable, without changing anything."""
    try:
        if path.is_dir():
            raise FileError(path, "cannot be written (it is a folder)")
        if not path.name:
            raise FileError(path, "cannot be written (it has no name)")
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # a name that is too long
        if path.exists() and not os.access(path, os.W_OK):
            raise FileError(path, "cannot be written (Permission denied)")
        if not _direct(path):
            scratch = _scratch(Path(os.path.realpath(path)))
            scratch.touch(exist_ok=False)
            scratch.unlink()
    except FileError:
        raise
    except FileNotFoundError:
        raise FileError(path, f"cannot be written (there is no folder {path.parent})") from None
    except (OSError, ValueError) as error:
        raise FileError(path, f"cannot be written ({_why(error)})") from None


def check_folder(path: Path) -> None:
    """Raises `FileError` unless the folder `path` is there, or can be made, and takes files. Leaves no trace."""
    try:
        made = not path.exists()
        if made:
            path.mkdir()
        try:
            scratch = _scratch(path / "file")
            scratch.touch(exist_ok=False)
            scratch.unlink()
        finally:
            if made:
                path.rmdir()
    except (OSError, ValueError) as error:
        raise FileError(path, f"cannot be made or written ({_why(error)})") from None


def write_whole(path: Path, content: bytes | str) -> None:
    """Writes `path` (text as UTF-8) so that it is there whole or not at all; a device or a pipe just gets the content.

    A symbolic link stays, and what it leads to is written. Raises `FileError`.
    """
    data = content.encode() if isinstance(content, str) else content
    scratch: Path | None = None
    try:
        if _direct(path):
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)  # a pipe that nobody reads fails at once
            os.set_blocking(handle, True)
            with open(handle, "wb") as file:
                file.write(data)
            return
        target = Path(os.path.realpath(path))
        scratch = _scratch(target)
        with open(scratch, "xb") as file:
            file.write(data)
        if target.exists():
            scratch.chmod(target.stat().st_mode & 0o7777)
        scratch.replace(target)
    except (OSError, ValueError) as error:
        if scratch is not None:
            with contextlib.suppress(OSError):
                scratch.unlink(missing_ok=True)
        raise FileError(path, f"cannot be written ({_why(error)})") from None


def save_array(path: Path, array: npt.NDArray[np.generic]) -> None:
    """Writes a .npy file of exactly this name. Raises `FileError`."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    write_whole(path, out.getvalue())


def save_npz(path: Path, arrays: dict[str, Any]) -> None:
    """Writes a compressed .npz file of exactly this name; the same arrays give the same bytes. Raises `FileError`."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    write_whole(path, out.getvalue())


def save_arrays(folder: Path, **arrays: np.ndarray) -> dict[str, Path]:
    """Writes <folder>/<name>.npy of each; the files by name."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return {name: folder / f"{name}.npy" for name in arrays}
