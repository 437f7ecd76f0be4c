"""From dropped files to the vault and the lake: a verdict for each, one transaction for each growth."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from rutile_assets.errors import RutileError, UnreadableFile, WrongContent
from rutile_assets.formats import markdown_note
from rutile_assets.formats.measurement import Measurement, Source
from rutile_assets.lake import vault
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake, Writer
from rutile_assets.ops.inbox import Dropped, GrowthFolder, declared_for, gather, technique_of_folder
from rutile_assets.provenance.code_version import code_version
from rutile_assets.provenance.context import RunContext, utc_now
from rutile_assets.provenance.film_asset import Room
from rutile_assets.provenance.materialize import read_declared, reader_code, record_code
from rutile_assets.rooms import KEPT_FOR_LATER
from rutile_assets.techniques.growth.record import read_growth

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Verdict:
    """What became of one file.

    Parameters
    ----------
    path : Path
        The file.
    growth_id : str or None
        Its film.
    status : str
        ``accepted``, ``known`` (the same file was here already) or ``rejected``.
    technique : str or None
        The room it went to.
    sentence : str
        Why, in words.
    """

    path: Path
    growth_id: str | None
    status: str
    technique: str | None
    sentence: str


@dataclass
class _Accepted:
    file: Dropped
    stored: vault.StoredObject
    technique: str
    measurement: Measurement
    declared: dict[str, object]
    sidecars: list[str]
    version: str


@dataclass
class _Batch:
    """What one growth's transaction will hold."""

    growth_id: str | None
    objects: dict[str, vault.StoredObject] = field(default_factory=dict)
    accepted: list[_Accepted] = field(default_factory=list)
    rejected: list[tuple[Dropped, str | None, RutileError]] = field(default_factory=list)
    renamed: list[Mapping[str, Any]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


def ingest(
    lake: Lake,
    home: Home,
    rooms: Sequence[Room],
    paths: Sequence[Path],
    run: RunContext,
    *,
    growth_folder: Path | None = None,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Take files into the vault and the lake.

    Parameters
    ----------
    lake, home, rooms
        Where to, and which techniques there are.
    paths : sequence of Path
        Files and folders; a file's film is named by the growth.yaml beside or above it.
    run : RunContext
        The run that the ingest is recorded under.
    growth_folder : Path, optional
        Take every file as belonging to the growth described here.
    progress : callable, optional
        Called with (files done, files in all, name).

    Returns
    -------
    list of Verdict
        One for each file, in the order of the folders. No file's fault touches another file.
    """
    groups = gather(paths, growth_folder)
    total = sum(len(group.files) for group in groups)
    verdicts: list[Verdict] = []
    for group in groups:
        started, done = time.perf_counter(), len(verdicts)

        def tell(name: str, done: int = done) -> None:
            _tell(progress, done, total, name)

        batch = _sort_out(lake, home, rooms, group, tell)
        _commit(lake, batch, run, time.perf_counter() - started)
        verdicts += batch.verdicts
        _tell(progress, len(verdicts), total, group.folder.name if group.folder else "")
    return verdicts


def _tell(progress: Progress | None, done: int, total: int, name: str) -> None:
    if progress is not None:
        progress(done, total, name)


def _sort_out(
    lake: Lake, home: Home, rooms: Sequence[Room], group: GrowthFolder, tell: Callable[[str], None]
) -> _Batch:
    batch = _Batch(None)
    refused_growth: RutileError | None = None
    try:
        batch.growth_id = group.record(home.inbox).growth_id
    except RutileError as fault:
        refused_growth = fault
    files = sorted(group.files, key=lambda f: not f.is_growth)
    copies: dict[Path, vault.StoredObject | RutileError] = {}
    for file in files:
        try:
            copies[file.path] = _store(home, file)
        except RutileError as fault:
            copies[file.path] = fault
    batch.objects = {copy.sha256: copy for copy in copies.values() if isinstance(copy, vault.StoredObject)}
    known = _known_files(lake, batch.growth_id, list(batch.objects))
    for file in files:
        tell(file.name)
        stored = None
        try:
            copy = copies[file.path]
            if isinstance(copy, RutileError):
                raise copy
            stored = copy
            if refused_growth is not None:
                raise refused_growth if file.is_growth or group.folder is None else _orphaned(refused_growth, file)
            _judge(batch, known, rooms, file, stored)
        except RutileError as fault:
            batch.rejected.append((file, stored.sha256 if stored else None, fault))
            batch.verdicts.append(Verdict(file.path, batch.growth_id, "rejected", None, _sentence(fault, file)))
    return batch


def _judge(
    batch: _Batch, known: list[dict[str, Any]], rooms: Sequence[Room], file: Dropped, stored: vault.StoredObject
) -> None:
    declared, sidecars = declared_for(file) if not file.is_sidecar else ({}, [])
    version = _version(stored.sha256, declared)
    same_path = [row for row in known if row["growth_id"] == batch.growth_id and row["original_path"] == file.name]
    if same_path and same_path[0]["data_version"] == version:
        row = same_path[0]
        batch.verdicts.append(Verdict(file.path, batch.growth_id, "known", row["technique"], "was here already"))
        return
    technique, measurement = _read(rooms, file, stored, declared)
    if technique != "sidecar":
        _refuse_duplicate(batch, known, file, stored)
    names = [s.relative_to(file.folder).as_posix() for s in sidecars] if file.folder else []
    batch.accepted.append(_Accepted(file, stored, technique, measurement, declared, names, version))
    replaced = "; replaces the older version of this file" if same_path else ""
    later = f"; {KEPT_FOR_LATER[technique]}" if technique in KEPT_FOR_LATER else ""
    batch.verdicts.append(
        Verdict(file.path, batch.growth_id, "accepted", technique, f"{measurement.format}{replaced}{later}")
    )


def _read(
    rooms: Sequence[Room], file: Dropped, stored: vault.StoredObject, declared: dict[str, object]
) -> tuple[str, Measurement]:
    if file.is_growth:
        record = read_growth(stored.path.read_bytes(), file.name)
        return "growth", Measurement(format="growth-yaml", sample=record.growth_id, operator=record.operator)
    if file.is_sidecar:
        return "sidecar", Measurement(format="settings-yaml")
    try:
        measurement = read_declared(Source(stored.path, file.name, declared))
    except RutileError:
        raise
    except Exception as fault:  # a reader's own fault must not stop the other files
        raise UnreadableFile(
            f"bytes that the reader fails on ({type(fault).__name__})",
            "a whole file",
            "Report it with the file.",
            file.name,
        ) from fault
    return technique_of(rooms, file, measurement, declared), measurement


def technique_of(rooms: Sequence[Room], file: Dropped, measurement: Measurement, declared: Mapping[str, object]) -> str:
    """Decide a file's technique: by its content first, by its folder (or sidecar) second.

    Raises
    ------
    WrongContent
        Both are silent, they disagree, or the room cannot use the file.
    """
    by_name = {room.name: room for room in rooms}
    folders = {folder: room.name for room in rooms for folder in room.folders}
    folders |= {name: name for name in KEPT_FOR_LATER}
    place = declared.get("technique") or technique_of_folder(file, folders)
    content = measurement.technique
    if content == markdown_note.TECHNIQUE:
        return content
    if place is not None and place not in by_name and place not in KEPT_FOR_LATER:
        raise WrongContent(
            f"technique {place!r} in its sidecar", f"one of {', '.join(sorted(by_name))}", "Correct it.", file.name
        )
    technique = content or place
    if technique is None:
        raise WrongContent(
            f"{measurement.format} data that do not say their technique, in a folder that does not either",
            f"a folder named after the technique ({', '.join(sorted(set(folders)))})",
            "Move the file into one, or write `technique: ...` in a sidecar.",
            file.name,
        )
    if place is not None and content is not None and place != content:
        check = by_name[str(place)].check if place in by_name else None
        if check is not None:
            check(measurement)
        raise WrongContent(
            f"{content} data in a place for {place}", f"{place} data there", f"Move the file to {content}/.", file.name
        )
    room = by_name.get(str(technique))
    if room is not None and room.check is not None:
        room.check(measurement)
    return str(technique)


def _refuse_duplicate(batch: _Batch, known: list[dict[str, Any]], file: Dropped, stored: vault.StoredObject) -> None:
    twins = [row for row in known if row["sha256"] == stored.sha256 and row["original_path"] != file.name]
    twins += [row for row in known if row["sha256"] == stored.sha256 and row["growth_id"] != batch.growth_id]
    twins += [
        {"growth_id": batch.growth_id, "original_path": a.file.name}
        for a in batch.accepted
        if a.stored.sha256 == stored.sha256
    ]
    for twin in twins:
        elsewhere = twin["growth_id"] != batch.growth_id
        if not elsewhere and file.folder and not (file.folder / twin["original_path"]).exists():
            batch.renamed.append(twin)
            continue
        if file.is_note:  # two films may have the same word said of them
            continue
        where = f"{twin['growth_id']}/{twin['original_path']}"
        raise WrongContent(
            f"the same bytes as {where}",
            "each measurement once, with one film",
            "Remove this copy" + (", or the other if that film is the wrong one." if elsewhere else "."),
            file.name,
        )


def _known_files(lake: Lake, growth_id: str | None, hashes: list[str]) -> list[dict[str, Any]]:
    """Return the film's current files, and those of other films that have the same bytes as one of these."""
    return lake.rows(
        "SELECT growth_id, original_path, sha256, data_version, technique, file_id, declared, settings, reader,"
        " reader_version FROM current_raw_file"
        " WHERE growth_id = ? OR (technique <> 'sidecar' AND sha256 IN (SELECT unnest(?::VARCHAR[])))",
        [growth_id, hashes],
    )


def _store(home: Home, file: Dropped) -> vault.StoredObject:
    if file.path.is_symlink():
        raise UnreadableFile("a symbolic link", "the file itself", "Copy the file into the folder.", file.name)
    if not file.path.exists():
        raise UnreadableFile("no such file", "an existing file", "Check the path.", file.name)
    before = file.path.stat()
    stored = vault.store(home.vault, file.path)
    after = file.path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or stored.bytes != after.st_size:
        raise UnreadableFile(
            "a file that is still being written", "a finished file", "Ingest it again when the copy is done.", file.name
        )
    return stored


def _commit(lake: Lake, batch: _Batch, run: RunContext, duration: float) -> None:
    fresh = [r for r in batch.rejected if not _told_before(lake, batch, r)]
    if not batch.accepted and not fresh and not batch.renamed:
        return
    code = code_version(ingest).joined(reader_code(a.measurement.format) for a in batch.accepted)
    with lake.write() as writer:
        activity_id = writer.next_id()
        now = utc_now()
        _write_objects(writer, batch)
        record_code(writer, code)
        activity = {
            "activity_id": activity_id,
            "run_id": run.run_id(writer),
            "asset": "ingest",
            "partition": batch.growth_id,
            "code_version": code.digest,
            "parameters": "{}",
            "seed": None,
            "snapshot": None,
            "started_at": now,
            "wall_time_s": duration,
        }
        writer.append("activity", [activity])
        rows = [_raw_file_row(writer, batch, a, activity_id, now) for a in batch.accepted]
        _write_files(writer, batch, rows, activity_id)
        writer.append("raw_file", rows + [_withdrawn(writer, batch, twin, activity_id, now) for twin in batch.renamed])
        writer.append("rejected_file", [_rejection_row(writer, batch, r, activity_id, now) for r in fresh])


def _write_objects(writer: Writer, batch: _Batch) -> None:
    hashes = list(batch.objects)
    have = set(writer.frame("SELECT sha256 FROM lake.raw_object WHERE sha256 IN (SELECT unnest(?))", [hashes]).sha256)
    new = [o for o in batch.objects.values() if o.sha256 not in have]
    writer.append("raw_object", [{"sha256": o.sha256, "size_bytes": o.bytes, "first_seen": utc_now()} for o in new])


def _write_files(writer: Writer, batch: _Batch, rows: list[dict[str, object]], activity_id: int) -> None:
    entities = [
        {
            "entity_id": row["file_id"],
            "kind": "raw_file",
            "asset": row["technique"],
            "growth_id": batch.growth_id,
            "data_version": row["data_version"],
            "activity_id": activity_id,
        }
        for row in rows
    ]
    writer.append("entity", entities)
    ids = {row["original_path"]: row["file_id"] for row in rows}
    present = writer.frame(
        "SELECT original_path, file_id FROM current_raw_file WHERE growth_id = ? AND technique = 'sidecar'",
        [batch.growth_id],
    )
    ids = dict(zip(present.original_path, present.file_id, strict=True)) | ids
    edges = [
        {"child": row["file_id"], "parent": int(str(ids[sidecar])), "role": "declared settings"}
        for row, accepted in zip(rows, batch.accepted, strict=True)
        for sidecar in accepted.sidecars
        if sidecar in ids
    ]
    writer.append("edge", edges)


def _raw_file_row(
    writer: Writer, batch: _Batch, accepted: _Accepted, activity_id: int, now: datetime
) -> dict[str, object]:
    measurement = accepted.measurement
    acquired = measurement.acquired_at
    return {
        "file_id": writer.next_id(),
        "sha256": accepted.stored.sha256,
        "growth_id": batch.growth_id,
        "technique": accepted.technique,
        "original_path": accepted.file.name,
        "instrument": measurement.instrument,
        "acquired_at": acquired.replace(tzinfo=None) if acquired else None,
        "settings": _json({**measurement.settings, "sample": measurement.sample, "notes": list(measurement.notes)}),
        "declared": _json(accepted.declared),
        "reader": measurement.format,
        "reader_version": reader_code(measurement.format).digest,
        "data_version": accepted.version,
        "activity_id": activity_id,
        "ingested_at": now,
        "is_withdrawn": False,
    }


def _withdrawn(
    writer: Writer, batch: _Batch, twin: Mapping[str, Any], activity_id: int, now: datetime
) -> dict[str, object]:
    return {
        **{k: twin[k] for k in ("sha256", "technique", "original_path", "settings", "declared", "reader")},
        **{k: twin[k] for k in ("reader_version", "data_version")},
        "file_id": writer.next_id(),
        "growth_id": batch.growth_id,
        "activity_id": activity_id,
        "ingested_at": now,
        "is_withdrawn": True,
    }


def _rejection_row(
    writer: Writer, batch: _Batch, rejected: tuple[Dropped, str | None, RutileError], activity_id: int, now: datetime
) -> dict[str, object]:
    file, sha256, fault = rejected
    return {
        "rejection_id": writer.next_id(),
        "sha256": sha256,
        "path": file.name,
        "growth_id": batch.growth_id,
        "found": fault.found,
        "expected": fault.expected,
        "what_to_do": fault.what_to_do,
        "activity_id": activity_id,
        "rejected_at": now,
    }


def _told_before(lake: Lake, batch: _Batch, rejected: tuple[Dropped, str | None, RutileError]) -> bool:
    file, sha256, fault = rejected
    return bool(
        lake.rows(
            "SELECT 1 FROM rejected_files WHERE path = ? AND growth_id IS NOT DISTINCT FROM ?"
            " AND sha256 IS NOT DISTINCT FROM ? AND found = ?",
            [file.name, batch.growth_id, sha256, fault.found],
        )
    )


def _orphaned(fault: RutileError, file: Dropped) -> RutileError:
    return UnreadableFile(
        f"a growth.yaml that was refused ({fault.found})",
        "a valid one beside the file",
        "Correct growth.yaml.",
        file.name,
    )


def _sentence(fault: RutileError, file: Dropped) -> str:
    fault.path = file.name
    return str(fault)


def _version(sha256: str, declared: Mapping[str, object]) -> str:
    text = f"{sha256}\n{_json(declared)}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _json(value: Mapping[str, object]) -> str:
    def plain(other: object) -> object:
        return other.isoformat() if isinstance(other, datetime | date) else str(other)

    return json.dumps(value, sort_keys=True, default=plain)
