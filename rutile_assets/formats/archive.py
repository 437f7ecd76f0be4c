"""Members of zip and bz2 containers, read in memory without ever unpacking more than is allowed."""

from __future__ import annotations

import bz2
import io
import re
import zipfile
import zlib

from rutile_assets.errors import UnreadableFile
from rutile_assets.formats.measurement import MAX_UNPACKED_BYTES, Source

MAX_MEMBERS = 20_000
MAX_RATIO = 500
FREE_BYTES = 4 * 1024**2  # below this an extreme ratio does no harm


def zip_members(source: Source, wanted: re.Pattern[str]) -> dict[str, bytes]:
    """Return the members whose names match, name -> bytes; a name is a label here, never a path on this machine.

    Every member's checksum is verified by reading it to its end.

    Raises
    ------
    UnreadableFile
        The archive is damaged, cut short or encrypted, holds a name twice, or would unpack to more than is allowed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source.read())) as archive:
            infos = archive.infolist()
            members = [info for info in infos if wanted.fullmatch(info.filename)]
            size = sum(info.file_size for info in members)
            packed = sum(info.compress_size for info in members)
            if len(infos) > MAX_MEMBERS or size > MAX_UNPACKED_BYTES or size > FREE_BYTES + MAX_RATIO * packed:
                raise _bomb(source, f"an archive of {len(infos)} members that unpacks to {size} bytes")
            if len({info.filename for info in members}) != len(members):
                raise UnreadableFile("a member twice", "each member once", "Export it again.", source.name)
            return {info.filename: _member(source, archive, info) for info in members}
    except UnreadableFile:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as fault:
        raise _damaged(source, f"a damaged archive ({_told(fault)})", "a whole zip archive") from fault
    except Exception as fault:  # zipfile on hostile bytes: struct.error, KeyError, lzma.LZMAError ...
        raise _damaged(source, f"a damaged archive ({type(fault).__name__})", "a whole zip archive") from fault


def _member(source: Source, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as handle:
        content = handle.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise _bomb(source, f"a member of {len(content)} bytes or more that claims {info.file_size}")
    return content


def bz2_content(source: Source) -> bytes:
    """Return the content of a bz2 file of one stream.

    Raises
    ------
    UnreadableFile
        It is damaged or cut short, holds several streams, or would unpack to more than is allowed.
    """
    unpack = bz2.BZ2Decompressor()
    packed = source.read()
    try:
        content = unpack.decompress(packed, max_length=min(MAX_UNPACKED_BYTES, FREE_BYTES + MAX_RATIO * len(packed)))
    except (OSError, EOFError, ValueError) as fault:
        raise _damaged(source, f"damaged bz2 ({_told(fault)})", "a whole bz2 file") from fault
    if not unpack.eof:
        if not unpack.needs_input:
            raise _bomb(source, f"a bz2 file of {len(packed)} bytes that unpacks to more than {len(content)}")
        raise _damaged(source, "a bz2 stream without its end", "a whole bz2 file")
    if unpack.unused_data:
        raise _damaged(source, "bytes after the end of the bz2 stream", "one stream")
    return content


def _told(fault: Exception) -> str:
    return " ".join(str(fault).split())[:80]


def _damaged(source: Source, found: str, expected: str) -> UnreadableFile:
    advice = "The file is cut short or half-copied: copy it again from the instrument."
    return UnreadableFile(found, expected, advice, source.name)


def _bomb(source: Source, found: str) -> UnreadableFile:
    allowed = f"at most {MAX_MEMBERS} members, {MAX_UNPACKED_BYTES} bytes and {MAX_RATIO} to 1"
    return UnreadableFile(found, allowed, "Do not unpack it; ask where it is from.", source.name)
