"""Builds the wheel `trainslice-tb` of this clone (PEP 517): tb/lib with its SystemVerilog, and models/common.

Both keep their names, so that what is written for the clone runs with the wheel. They come without tb/__init__.py and
models/__init__.py: a project's own folders tb/ and models/ stand beside them. Backends of others take one folder, below
their pyproject.toml, and have to be fetched; a wheel is a ZIP file with three lists.
"""

from __future__ import annotations

import base64
import hashlib
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("models/common", "tb/lib")
KINDS = (".py", ".sv", ".svh")


def contents() -> dict[str, bytes]:
    """The files of the wheel by their names in it, tests left out."""
    found = {}
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*")):
            inside = path.relative_to(ROOT)
            if path.suffix in KINDS and not path.name.startswith(("test_", ".")) and "packaging" not in inside.parts:
                found[inside.as_posix()] = path.read_bytes()
    return found


def _described() -> tuple[str, dict[str, bytes]]:
    """Name and version as file names take them, and what an installer reads."""
    project = tomllib.loads((ROOT / "tb" / "lib" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {each}" for each in project["dependencies"]),
    ]
    wheel = ["Wheel-Version: 1.0", "Generator: trainslice", "Root-Is-Purelib: true", "Tag: py3-none-any"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    folder = f"{stem}.dist-info"
    lists = {"METADATA": metadata, "WHEEL": wheel}
    return stem, {f"{folder}/{name}": "\n".join([*lines, ""]).encode() for name, lines in lists.items()}


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """Writes the wheel, the same bytes each time; its file name."""
    stem, described = _described()
    files = contents() | described
    record = f"{stem}.dist-info/RECORD"
    lines = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}")
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    target = Path(wheel_directory) / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)  # with a date of its own, 1980
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return target.name


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """There is none: the sources of the package are the clone."""
    raise NotImplementedError("trainslice-tb is built from a clone, as a wheel: pip wheel ./tb/lib")
