"""Files of users: everything that is no such file gets one line; what is written is there whole or not at all."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.common.files import (
    FileError,
    check_folder,
    check_output,
    read_array,
    read_hjson,
    read_json,
    read_npz,
    save_array,
    save_npz,
    write_whole,
)

READERS = (read_array, read_npz, read_json, read_hjson)


def _error(call: Callable[[], object]) -> str:
    with pytest.raises(FileError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "content",
    [
        b"", b"PK", b"PK\x03\x04", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00{'descr': '<i8', 'shape': (", b"hello",
        b"\xff\xfe\x00", b"[" * 100_000, b"[1, 2]", b"\x00", b"1" * 5000, b'{"a":', b"\x93NUMPY\x09\x00" + bytes(99),
    ],
)  # fmt: skip
def test_what_is_no_such_file_gets_one_line(tmp_path: Path, read: Callable[[Path], object], content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert _error(lambda: read(path))


@pytest.mark.parametrize("read", READERS)
def test_no_file_at_all(tmp_path: Path, read: Callable[[Path], object]) -> None:
    assert _error(lambda: read(tmp_path / "none")) == "no such file"
    assert "cannot be read" in _error(lambda: read(tmp_path))


def test_reasons_are_true(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(b"")
    assert _error(lambda: read_array(path)) == "not a .npy file: it is empty"
    save_npz(path, {"x": np.ones(2)})
    assert "but an archive (.npz): take one array of it" in _error(lambda: read_array(path))
    save_array(path, np.ones(2))
    assert _error(lambda: read_npz(path)) == "not a .npz file"
    path.write_bytes(b"hello")
    assert _error(lambda: read_hjson(path)) == "is not Hjson with an object at its top"


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_format_is_read(tmp_path: Path, version: tuple[int, int]) -> None:
    with open(tmp_path / "x.npy", "wb") as file:
        np.lib.format.write_array(file, np.arange(6.0).reshape(2, 3), version=version)
    assert read_array(tmp_path / "x.npy").tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("kind", ["npy", "npz"])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_damage_gives_one_line_or_an_array(
    kind: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bytes changed, cut or added anywhere: an array, or `FileError`."""
    out = io.BytesIO()
    if kind == "npy":
        np.save(out, np.arange(12, dtype=np.int16).reshape(3, 4))
    else:
        np.savez_compressed(out, x=np.arange(12), meta=np.array("{}"))
    content = bytearray(out.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] + data.draw(st.binary(max_size=3))
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    path.write_bytes(content)
    said = ""
    try:
        found = read_array(path) if kind == "npy" else read_npz(path)
        assert isinstance(found, (np.ndarray, dict))
    except FileError as error:
        said = str(error)
    assert "\n" not in said


def test_a_file_has_the_name_that_it_was_given(tmp_path: Path) -> None:
    save_array(tmp_path / "y", np.arange(3))
    save_npz(tmp_path / "z", {"a": np.arange(3)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["y", "z"]
    assert read_array(tmp_path / "y").tolist() == read_npz(tmp_path / "z")["a"].tolist() == [0, 1, 2]


def test_an_existing_file_stays_until_the_new_one_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        assert _error(lambda: write_whole(path, "new")) == "cannot be written (No space left on device)"
    assert path.read_text(encoding="utf-8") == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "r.json"]
    write_whole(link, "ä")
    assert link.is_symlink()
    assert path.read_bytes() == "ä".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_devices_and_pipes(tmp_path: Path) -> None:
    check_output(Path("/dev/full"))
    assert _error(lambda: write_whole(Path("/dev/full"), "x")) == "cannot be written (No space left on device)"
    write_whole(Path("/dev/null"), "x")
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    assert "cannot be written" in _error(lambda: write_whole(tmp_path / "pipe", "x"))  # nobody reads: no waiting
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", "x")
    assert os.read(reader, 9) == b"x"
    os.close(reader)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is a folder"),
        ("none/y", "there is no folder"),
        ("file/y", "Not a directory"),
        ("y" * 300, "File name too long"),
        ("y\0", "null"),
    ],
)
def test_an_output_that_cannot_be_made_is_found_before_the_work(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    path = tmp_path / name
    assert reason in _error(lambda: check_output(path))
    assert _error(lambda: write_whole(path, "x"))


def test_checks_leave_no_trace(tmp_path: Path) -> None:
    check_output(tmp_path / "y")
    check_folder(tmp_path / "captures")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("", encoding="utf-8")
    for name in ("file", "none/captures", "file/captures", "y" * 300):
        assert "cannot be made or written" in _error(lambda name=name: check_folder(tmp_path / name))
