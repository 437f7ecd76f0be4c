"""Members of zip and bz2 containers, read without ever unpacking more than is allowed."""

from __future__ import annotations

import bz2
import io
import zipfile
import zlib

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import MAX_UNPACKED_BYTES, Source

MAX_MEMBERS = 20_000
MAX_RATIO = 500


def zip_members(source: Source) -> dict[str, bytes]:
    """Return every member of a zip file, name -> bytes; names are labels, never paths on this machine.

    Raises
    ------
    UnreadableFile
        The archive is damaged or encrypted, or would unpack to more than is allowed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source.read())) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            size = sum(info.file_size for info in members)
            packed = sum(info.compress_size for info in members)
            bomb = size > MAX_UNPACKED_BYTES or len(members) > MAX_MEMBERS or size > 1e6 + MAX_RATIO * packed
            if bomb:
                raise _bomb(source, f"an archive of {len(members)} members and {size} bytes unpacked")
            found = {}
            budget = MAX_UNPACKED_BYTES
            for info in members:
                with archive.open(info) as handle:
                    found[info.filename] = handle.read(budget + 1)
                budget -= len(found[info.filename])
                if budget < 0:
                    raise _bomb(source, "an archive that unpacks to more than it says")
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as fault:
        raise UnreadableFile(
            f"a damaged archive ({fault})", "a whole zip archive", "Copy it again from the instrument.", source.name
        ) from fault


def bz2_content(source: Source) -> bytes:
    """Return the content of a bz2 file.

    Raises
    ------
    UnreadableFile
        It is damaged, cut short, or would unpack to more than is allowed.
    """
    unpack = bz2.BZ2Decompressor()
    try:
        content = unpack.decompress(source.read(), max_length=MAX_UNPACKED_BYTES)
    except (OSError, EOFError, ValueError) as fault:
        raise UnreadableFile(f"damaged bz2 ({fault})", "a whole bz2 file", "Copy it again.", source.name) from fault
    if not unpack.eof:
        raise UnreadableFile(
            "a bz2 stream without its end",
            f"at most {MAX_UNPACKED_BYTES} bytes and an end",
            "Copy it again.",
            source.name,
        )
    return content


def _bomb(source: Source, found: str) -> UnreadableFile:
    return UnreadableFile(
        found, f"at most {MAX_UNPACKED_BYTES} bytes", "Do not unpack it; ask where it is from.", source.name
    )
