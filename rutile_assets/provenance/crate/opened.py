"""A crate that came from elsewhere: opened, and every file held against its hash before anything is believed."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote

from rutile_assets.errors import InvalidRecord, UnreadableFile, WrongContent
from rutile_assets.lake import vault
from rutile_assets.provenance.crate.archive import MAX_DEPTH, MAX_MEMBERS, unpack
from rutile_assets.provenance.crate.metadata import CRATE_1_1, LAYOUT, LAYOUT_NAME, PROFILES
from rutile_assets.provenance.crate.parts import MANIFEST, METADATA

MAX_METADATA_BYTES = 256 * 1024**2
MAX_NODES = 2_000_000
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
_AGAIN = "Ask for the crate again; nothing of it was taken in."


@dataclass(frozen=True)
class Opened:
    """A crate whose files are those that its manifest and its metadata list.

    Parameters
    ----------
    folder : Path
        Where it lies.
    crate_id : str
        sha256 of its manifest, which holds the sha256 of every file: the crate's name for good.
    name, organisation : str
        As it says.
    organisation_url, license : str or None
        As it says.
    made_at : datetime
        The date it says, UTC.
    hashes : dict of str to str
        Path inside -> sha256.
    """

    folder: Path
    crate_id: str
    name: str
    organisation: str
    organisation_url: str | None
    license: str | None
    made_at: datetime
    hashes: dict[str, str]

    def path(self, place: str) -> Path:
        """Return where a file of the crate lies."""
        return self.folder.joinpath(*PurePosixPath(place).parts)


@contextmanager
def opened(path: Path, scratch: Path) -> Iterator[Opened]:
    """Open a crate: a folder, a zip or an .eln, unpacked in `scratch` while it is open.

    Raises
    ------
    RutileError
        There is nothing, it is no crate of this software, or a file is missing, more, changed, or a link.
    """
    if path.is_symlink() or not path.exists():
        raise InvalidRecord("no file or folder there", "a crate: a folder, .zip or .eln", "Check the path.", str(path))
    if path.is_dir():
        yield _checked(path)
        return
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=scratch, prefix="crate-") as folder:
        yield _checked(unpack(path, Path(folder)))


def _checked(folder: Path) -> Opened:
    try:
        return _held_together(folder)
    except OSError as fault:
        raise UnreadableFile(
            f"a file that cannot be read ({fault.strerror})", "read permission", "Give the importing user access.",
            str(fault.filename),
        ) from fault  # fmt: skip


def _held_together(folder: Path) -> Opened:
    present = _files(folder)
    graph = _graph(folder)
    root = _root(graph)
    hashes = _manifest(folder)
    _hold_together(set(present), set(hashes))
    for place, sha256 in hashes.items():
        if vault.sha256_of(present[place]) != sha256:
            raise UnreadableFile("other bytes than the crate was written with", f"sha256 {sha256[:12]}", _AGAIN, place)
    _hold_against_metadata(graph, hashes, present)
    organisation = graph.get(_id(root.get("publisher")), {})
    license_ = graph.get(_id(root.get("license")), {})
    return Opened(
        folder, vault.sha256_of(folder / MANIFEST), _text(root, "name"), _text(organisation, "name"),
        _words(organisation.get("url")),
        _words(license_.get("@id"), license_.get("name")), _moment(root), hashes,
    )  # fmt: skip


def _files(folder: Path) -> dict[str, Path]:
    """Return every file below a folder; links, devices and abysses are refused."""
    found: dict[str, Path] = {}
    waiting = [(folder, 0)]
    while waiting:
        here, depth = waiting.pop()
        for path in here.iterdir():
            place = path.relative_to(folder).as_posix()
            kind = path.lstat().st_mode
            if not place.isprintable():
                raise UnreadableFile(f"the name {place!a}", "a name in plain text", _AGAIN, folder.name)
            if stat.S_ISDIR(kind) and depth < MAX_DEPTH:
                waiting.append((path, depth + 1))
            elif stat.S_ISREG(kind):
                found[place] = path
            else:
                raise UnreadableFile("a link, a device or too deep a folder", "plain files", _AGAIN, place)
            if len(found) + len(waiting) > MAX_MEMBERS:
                raise UnreadableFile(f"more than {MAX_MEMBERS} files", "a crate of fewer", _AGAIN, folder.name)
    return found


def _graph(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / METADATA
    if not path.is_file():
        raise WrongContent(f"no {METADATA}", "an RO-Crate", "rutile ingest takes plain files in.", folder.name)
    if path.stat().st_size > MAX_METADATA_BYTES:
        raise UnreadableFile(
            f"{path.stat().st_size} bytes of metadata", f"at most {MAX_METADATA_BYTES}", _AGAIN, METADATA
        )
    try:
        content = json.loads(path.read_bytes())
        nodes = content["@graph"]
        graph = {node["@id"]: node for node in nodes}
    except (ValueError, TypeError, KeyError, RecursionError) as fault:
        raise UnreadableFile(
            f"no RO-Crate metadata ({type(fault).__name__})", "JSON-LD with a flat @graph", _AGAIN, METADATA
        ) from fault
    if len(nodes) > MAX_NODES or len(graph) != len(nodes) or not all(isinstance(key, str) for key in graph):
        raise UnreadableFile(f"{len(nodes)} entities, {len(graph)} names", "each entity once", _AGAIN, METADATA)
    return graph


def _root(graph: dict[str, dict[str, Any]]) -> dict[str, Any]:
    descriptor = graph.get(METADATA, {})
    root = graph.get(_id(descriptor.get("about")), {})
    layout = graph.get(_id(root.get("identifier")), {})
    if CRATE_1_1 not in _ids(descriptor.get("conformsTo")) or PROFILES[2][0] not in _ids(root.get("conformsTo")):
        raise WrongContent(
            "another kind of RO-Crate", f"RO-Crate 1.1 with the profile {PROFILES[2][0]}",
            "rutile ingest takes its instrument files in, if it has any.", METADATA,
        )  # fmt: skip
    if layout.get("name") != LAYOUT_NAME or layout.get("value") != LAYOUT:
        raise WrongContent(
            f"a crate of other software or of another release ({layout.get('name')!r} {layout.get('value')!r})",
            f"{LAYOUT_NAME} {LAYOUT}", "Update rutile_assets, or rutile ingest its instrument files.", METADATA,
        )  # fmt: skip
    return root


def _manifest(folder: Path) -> dict[str, str]:
    path = folder / MANIFEST
    if not path.is_file() or path.stat().st_size > MAX_METADATA_BYTES:
        raise UnreadableFile(f"no {MANIFEST}, or one beyond measure", "the hash of every file", _AGAIN, MANIFEST)
    hashes: dict[str, str] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            found = _LINE.fullmatch(line)
            if found is None or found[2] in hashes or not line.isprintable():
                raise UnreadableFile(f"the line {line[:80]!r}", "a sha256, two blanks, a path", _AGAIN, MANIFEST)
            hashes[found[2]] = found[1]
    except UnicodeDecodeError as fault:
        raise UnreadableFile("no text", "lines of sha256sum", _AGAIN, MANIFEST) from fault
    return hashes


def _hold_together(present: set[str], listed: set[str]) -> None:
    missing, more = sorted(listed - present), sorted(present - listed - {MANIFEST})
    if missing:
        raise UnreadableFile("no such file in the crate", "every file that it lists", _AGAIN, missing[0])
    if more:
        raise UnreadableFile("a file that the crate does not list", "only what it lists", _AGAIN, more[0])


def _hold_against_metadata(graph: dict[str, dict[str, Any]], hashes: dict[str, str], present: dict[str, Path]) -> None:
    said = {unquote(key): node for key, node in graph.items() if "File" in _types(node)}
    for place in sorted({*hashes, *said} - {METADATA}):
        node = said.get(place, {})
        size = str(present[place].stat().st_size) if place in present else None
        if node.get("sha256") != hashes.get(place) or node.get("contentSize") != size:
            raise UnreadableFile(
                f"another hash or size in {METADATA} than in {MANIFEST}", "one and the same", _AGAIN, place
            )


def _text(node: dict[str, Any], key: str) -> str:
    value = node.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 500 or not value.isprintable():
        raise WrongContent(f"{key} {str(value)[:80]!r} of {node.get('@id')}", "some words", _AGAIN, METADATA)
    return value


def _words(*values: object) -> str | None:
    return next((value[:500] for value in values if isinstance(value, str) and value.isprintable()), None)


def _moment(root: dict[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(_text(root, "datePublished")).replace(tzinfo=None)
    except ValueError as fault:
        raise WrongContent(
            f"datePublished {root['datePublished']!r}", "a date in ISO 8601", _AGAIN, METADATA
        ) from fault


def _id(value: object) -> str:
    return value["@id"] if isinstance(value, dict) and isinstance(value.get("@id"), str) else ""


def _ids(value: object) -> list[str]:
    return [_id(one) for one in value] if isinstance(value, list) else [_id(value)]


def _types(node: dict[str, Any]) -> list[str]:
    kind = node.get("@type")
    return [str(one) for one in kind] if isinstance(kind, list) else [str(kind)]
