"""Crates as one file: zip, and .eln, which is a zip with one folder in it; read back within bounds."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from rutile_assets.errors import UnreadableFile
from rutile_assets.provenance.crate.parts import METADATA

MAX_MEMBERS = 200_000
MAX_UNPACKED_BYTES = 256 * 1024**3
MAX_RATIO = 500
FREE_BYTES = 4 * 1024**2  # below this an extreme ratio does no harm
MAX_DEPTH = 32
_CHUNK = 1 << 20
_BEGINNING = (1980, 1, 1, 0, 0, 0)
_BOMB = "Do not unpack it; ask where it is from."
_AGAIN = "Ask for the crate again."


def pack(folder: Path, out: Path) -> None:
    """Write a crate's folder as a zip whose one folder has the archive's name; the same folder gives the same bytes."""
    unfinished = out.with_name(f".{out.name}.unfinished")
    files = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda p: (p.name != METADATA, p))
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for path in files:
                info = zipfile.ZipInfo(f"{out.stem}/{path.relative_to(folder).as_posix()}", _BEGINNING)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                info.create_system = 3
                info.file_size = path.stat().st_size
                with path.open("rb") as source, archive.open(info, "w") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)


def unpack(archive_path: Path, into: Path) -> Path:
    """Unpack a zip or .eln of one folder and return that folder.

    Raises
    ------
    UnreadableFile
        It is damaged or encrypted, holds more than is allowed, a link, a name twice or one that leads out, or not
        one folder with a crate in it.
    """
    name = archive_path.name
    try:
        with zipfile.ZipFile(archive_path) as archive:
            infos = archive.infolist()
            _check_sizes(infos, name, into)
            for info in infos:
                _check_member(info, name)
            _check_names(infos, name)
            for info in infos:
                if not info.is_dir():
                    _extract(archive, info, into, name)
    except UnreadableFile:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as fault:
        told = " ".join(str(fault).split())[:80]
        raise UnreadableFile(f"a damaged archive ({told})", "a whole zip or .eln", _AGAIN, name) from fault
    except Exception as fault:  # zipfile on hostile bytes: struct.error, KeyError, lzma.LZMAError ...
        raise UnreadableFile(
            f"a damaged archive ({type(fault).__name__})", "a whole zip or .eln", _AGAIN, name
        ) from fault
    inside = [path for path in into.iterdir() if path.is_dir()]
    if (into / METADATA).is_file():
        return into
    if len(inside) != 1 or not (inside[0] / METADATA).is_file():
        raise UnreadableFile(f"an archive without {METADATA}", "one folder with an RO-Crate in it", _AGAIN, name)
    return inside[0]


def _check_sizes(infos: list[zipfile.ZipInfo], name: str, into: Path) -> None:
    size, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    if len(infos) > MAX_MEMBERS or size > MAX_UNPACKED_BYTES or size > FREE_BYTES + MAX_RATIO * packed:
        raise UnreadableFile(
            f"an archive of {len(infos)} members that unpacks to {size} bytes",
            f"at most {MAX_MEMBERS} members, {MAX_UNPACKED_BYTES} bytes and {MAX_RATIO} to 1", _BOMB, name,
        )  # fmt: skip
    free = shutil.disk_usage(into).free
    if size > free:
        raise UnreadableFile(f"{size} bytes to unpack", f"at most the {free} bytes free here", "Make room.", name)


def _check_member(info: zipfile.ZipInfo, name: str) -> None:
    path = PurePosixPath(info.filename)
    leads_out = path.is_absolute() or ".." in path.parts or "\\" in info.filename or ":" in path.parts[0]
    if leads_out or not info.filename.isprintable() or len(path.parts) > MAX_DEPTH:
        raise UnreadableFile(f"a member called {info.filename!r}", "a path inside the crate", _BOMB, name)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnreadableFile(f"{info.filename}, a link or a device", "plain files", _BOMB, name)
    if info.flag_bits & 1:
        raise UnreadableFile(f"{info.filename}, encrypted", "plain files", "Ask for it without a password.", name)


def _check_names(infos: list[zipfile.ZipInfo], name: str) -> None:
    seen: set[str] = set()
    for info in infos:
        if (lower := info.filename.rstrip("/").lower()) in seen:
            raise UnreadableFile(f"{info.filename} twice", "each member once", _AGAIN, name)
        seen.add(lower)


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, into: Path, name: str) -> None:
    target = into.joinpath(*PurePosixPath(info.filename).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    left = info.file_size
    with archive.open(info) as source, target.open("xb") as sink:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise UnreadableFile(
                    f"{info.filename}, longer than the {info.file_size} bytes it claims", "honest sizes", _BOMB, name
                )
            sink.write(chunk)
    if left:
        raise UnreadableFile(f"{info.filename}, cut short", f"{info.file_size} bytes", _AGAIN, name)
