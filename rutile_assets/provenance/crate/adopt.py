"""Take a crate that another lab made into this lake: everything checked first, then one transaction, or nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from rutile_assets.errors import InvalidRecord, RutileError, UnreadableFile, WrongContent
from rutile_assets.lake import arrays, vault
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake, Writer
from rutile_assets.provenance.code_version import code_version
from rutile_assets.provenance.context import RunContext, utc_now
from rutile_assets.provenance.crate import rows as crate_rows
from rutile_assets.provenance.crate.opened import Opened, opened
from rutile_assets.provenance.crate.pictures import check_picture
from rutile_assets.provenance.crate.rows import Frames
from rutile_assets.provenance.materialize import figure_path, record_code

# files and code are here once whoever brought them; the other tables get rows of their own
_SHARED = {"raw_object": "sha256", "code": "code_version", "environment": "environment_id"}
MAY_BE_ALIKE = ("sidecar", "note")  # of two films, with the same bytes
_NUMBERED = (("entity", "entity_id"), ("activity", "activity_id"), ("run", "run_id"), ("result", "result_id"))


@dataclass(frozen=True)
class Adopted:
    """What became of a crate.

    Parameters
    ----------
    organisation, crate_id : str
        Whose, and which.
    films : tuple of str
        Films taken in, under the names they have here.
    known : tuple of str
        Films that were here already with the same files: they stay as they are.
    numbers : int
        Results taken in.
    sentences : tuple of str
        What a person should know.
    """

    organisation: str
    crate_id: str
    films: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    numbers: int = 0
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Taking:
    """The rows that are to be taken, under the names they will have, and what goes with them."""

    frames: Frames
    films: dict[str, str]  # name in the crate -> name here
    known: tuple[str, ...]
    across: bool
    places: dict[int, str]
    arrays: Sequence[str]
    pictures: dict[str, Path] = field(default_factory=dict)  # path in the crate -> where it goes


def take_in(
    lake: Lake,
    home: Home,
    path: Path,
    run: RunContext,
    *,
    prefix: str = "",
    tell: Callable[[int, int, str], None] = lambda *_: None,
) -> Adopted:
    """Take a crate in: a folder, a .zip or an .eln.

    Ids are given anew in the order of the old ones; `origin`, `origin_film` and `origin_number` say where each came
    from. Numbers across films come along where the crate holds all that they rest on and this lake has none yet;
    else `rutile run` computes them anew.

    Parameters
    ----------
    lake, home
        Where to.
    path : Path
        The crate.
    run : RunContext
        The run that it is recorded under.
    prefix : str
        Put before each film's name.
    tell : callable
        Called with (done, in all, name) while files are copied.

    Raises
    ------
    RutileError
        The crate is refused; the lake has a row of `rejected_file` and is otherwise as it was.
    """
    clock = time.perf_counter()
    try:
        with opened(path, home.scratch) as crate:
            taking = _examined(lake, home, crate, prefix)
            _store(home, crate, taking, tell)
            return _commit(lake, home, crate, taking, run, path, clock)
    except RutileError as fault:
        _record_refusal(lake, run, path, fault, time.perf_counter() - clock)
        where = path.name if fault.path is None else f"{path.name}: {fault.path}"
        raise type(fault)(fault.found, fault.expected, fault.what_to_do, where) from fault


def _examined(lake: Lake, home: Home, crate: Opened, prefix: str) -> _Taking:
    try:
        return _chosen(lake, home, crate, prefix)
    except RutileError:
        raise
    except Exception as fault:  # rows of strangers must not end in a traceback
        raise WrongContent(
            f"rows that the import fails on ({type(fault).__name__})", "rows as rutile export writes them",
            "Report it with the crate.",
        ) from fault  # fmt: skip


def _chosen(lake: Lake, home: Home, crate: Opened, prefix: str) -> _Taking:
    frames = crate_rows.read_rows(crate, lake.tables)
    raw = frames["raw_file"]
    names = {film: f"{prefix}{film}" for film in sorted(raw.growth_id.unique())}
    for name in names.values():
        if not crate_rows.FILM.fullmatch(name):
            raise InvalidRecord(f"the film name {name!r}", "a growth_id", "Choose another --prefix.")
    known = _known(lake, raw, names)
    films = {film: name for film, name in names.items() if film not in known}
    across = crate_rows.is_closed(frames) and not known and not _has_across(lake)
    kept = crate_rows.restricted(frames, films, across=across)
    if not films:
        return _Taking({}, {}, tuple(names[film] for film in known), False, {}, ())
    places = crate_rows.places_of(raw)
    crate_rows.check(kept, crate.hashes, places)
    return _Taking(
        crate_rows.renamed(kept, lake.tables, films), films, tuple(names[film] for film in known), across,
        {i: place for i, place in places.items() if i in set(kept["raw_file"].file_id)},
        crate_rows.arrays_named(kept, lake.tables), _pictures(home, crate, films, across=across),
    )  # fmt: skip


def _known(lake: Lake, raw: pd.DataFrame, names: Mapping[str, str]) -> list[str]:
    """Return the films that are here with the same files; one that is here with others is refused."""
    here = lake.frame(
        "SELECT growth_id, original_path, sha256, technique FROM current_raw_file"
        " WHERE growth_id IN (SELECT unnest($1::VARCHAR[])) OR sha256 IN (SELECT unnest($2::VARCHAR[]))",
        [list(names.values()), sorted(raw.sha256.unique())],
    )
    used = {row["growth_id"] for row in lake.rows("SELECT DISTINCT growth_id FROM lake.raw_file")}
    newest = raw.sort_values("file_id").drop_duplicates(["growth_id", "original_path"], keep="last")
    newest = newest[~newest.is_withdrawn.astype(bool)]
    known = []
    for film, name in names.items():
        theirs = newest[newest.growth_id == film]
        ours = here[here.growth_id == name]
        if name in used:
            pairs = set(zip(theirs.original_path, theirs.sha256, strict=True))
            differing = sorted(path for path, _ in pairs ^ set(zip(ours.original_path, ours.sha256, strict=True)))
            if differing:
                raise InvalidRecord(
                    f"{name}, which is here already with another {differing[0]}", "films that this lake does not have",
                    "Take the crate in under other names: --prefix LAB-.",
                )  # fmt: skip
            known.append(film)
            continue
        twins = here[(here.growth_id != name) & ~here.technique.isin(MAY_BE_ALIKE)]
        twins = twins[twins.sha256.isin(theirs[~theirs.technique.isin(MAY_BE_ALIKE)].sha256)]
        if len(twins):
            twin = twins.iloc[0]
            raise InvalidRecord(
                f"{name} with the same bytes as {twin.growth_id}/{twin.original_path}, which is here",
                "each measurement once, with one film", "Take the crate in without --prefix, or leave it.",
            )  # fmt: skip
    return known


def _has_across(lake: Lake) -> bool:
    return bool(lake.rows("SELECT 1 FROM lake.entity WHERE growth_id IS NULL AND kind = 'asset' LIMIT 1"))


def _pictures(home: Home, crate: Opened, films: Mapping[str, str], *, across: bool) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place in crate.hashes:
        parts = PurePosixPath(place)
        if parts.suffix not in (".svg", ".png") or parts.parts[0] != "pages":
            continue
        if not parts.stem.isidentifier():
            raise WrongContent("a figure with no asset's name", "<asset>.svg", "Ask for the crate again.", place)
        check_picture(crate.path(place), place)
        if len(parts.parts) == 4 and parts.parts[1] == "films" and parts.parts[2] in films:
            found[place] = figure_path(home, films[parts.parts[2]], parts.stem, parts.suffix[1:])
        elif len(parts.parts) == 3 and parts.parts[1] == "series" and across:
            found[place] = figure_path(home, None, parts.stem, parts.suffix[1:])
    return found


def _store(home: Home, crate: Opened, taking: _Taking, tell: Callable[[int, int, str], None]) -> None:
    """Put bytes into the vault and arrays into their store: both go by content, so a refusal later does no harm."""
    total = len(taking.places) + len(taking.arrays)
    for done, place in enumerate(taking.places.values(), 1):
        if vault.store(home.vault, crate.path(place)).sha256 != crate.hashes[place]:
            raise UnreadableFile("bytes that changed while they were read", "a crate at rest", "Try again.", place)
        tell(done, total, place)
    for done, reference in enumerate(taking.arrays, 1 + len(taking.places)):
        array, attributes = arrays.foreign(crate.path(f"arrays/{reference}.zarr"), reference)
        arrays.store(home.arrays, reference.rpartition("/")[0], array, attributes)
        tell(done, total, reference)


def _commit(
    lake: Lake, home: Home, crate: Opened, taking: _Taking, run: RunContext, path: Path, clock: float
) -> Adopted:
    if not taking.films:
        told = "every film of it was here already, with the same files"
        return Adopted(crate.organisation, crate.crate_id, known=taking.known, sentences=(told,))
    with lake.write() as writer:
        again = writer.frame(
            "SELECT growth_id FROM lake.raw_file WHERE growth_id IN (SELECT unnest(?::VARCHAR[])) LIMIT 1",
            [list(taking.films.values())],
        )
        if len(again):
            raise InvalidRecord(
                f"{again.growth_id[0]}, which came in meanwhile", "a film that is not here", "Try again."
            )
        frames, new = crate_rows.renumbered(taking.frames, lake.tables, writer.next_id)
        activity = _record(writer, crate, taking, frames, new, run, path, time.perf_counter() - clock)
        of_theirs = pd.Series(pd.NA, index=frames["activity"].index, dtype="Int64")  # no snapshot of this lake
        frames["activity"] = frames["activity"].assign(snapshot=of_theirs)
        for name, frame in frames.items():
            writer.append(name, _fresh(writer, name, frame))
        writer.append("activity", [activity])
    for place, target in taking.pictures.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(crate.path(place), target)
    return replace(
        Adopted(crate.organisation, crate.crate_id), films=tuple(taking.films.values()), known=taking.known,
        numbers=len(frames.get("result", ())), sentences=tuple(_sentences(taking)),
    )  # fmt: skip


def _fresh(writer: Writer, name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are not here yet of what labs share: bytes, code, environments."""
    key = _SHARED.get(name)
    if key is None:
        return frame
    have = writer.frame(f'SELECT {key} FROM lake."{name}" WHERE {key} IN (SELECT unnest(?))', [list(frame[key])])
    fresh = frame[~frame[key].isin(have[key])]
    return fresh.assign(first_seen=utc_now()) if name == "raw_object" else fresh


def _record(
    writer: Writer,
    crate: Opened,
    taking: _Taking,
    frames: Frames,
    new: Mapping[int, int],
    run: RunContext,
    path: Path,
    duration: float,
) -> dict[str, object]:
    """Write where the rows came from; return the import's own activity."""
    origin_id, activity_id, now = writer.next_id(), writer.next_id(), utc_now()
    origin = {
        "origin_id": origin_id, "crate_id": crate.crate_id, "crate_name": crate.name,
        "organisation": crate.organisation, "organisation_url": crate.organisation_url, "license": crate.license,
        "made_at": crate.made_at, "source_path": str(path), "activity_id": activity_id, "imported_at": now,
    }  # fmt: skip
    writer.append("origin", [origin])
    writer.append("origin_film", [
        {"origin_id": origin_id, "growth_id": name, "original_growth_id": film} for film, name in taking.films.items()
    ])  # fmt: skip
    then = taking.frames["activity"]
    snapshots = dict(zip(then.activity_id, then.snapshot, strict=True))
    ids = [int(i) for name, column in _NUMBERED if name in taking.frames for i in taking.frames[name][column]]
    writer.append("origin_number", [
        {"origin_id": origin_id, "local_id": new[i], "original_id": i, "original_snapshot": snapshots.get(i)}
        for i in ids
    ])  # fmt: skip
    code = code_version(take_in)
    record_code(writer, code)
    return {
        "activity_id": activity_id, "run_id": run.run_id(writer), "asset": "import", "partition": None,
        "code_version": code.digest, "parameters": "{}", "seed": None, "snapshot": None, "started_at": now,
        "wall_time_s": duration,
    }  # fmt: skip


def _sentences(taking: _Taking) -> list[str]:
    said = []
    if taking.known:
        said.append(f"{', '.join(taking.known)}: here already with the same files, left as they are")
    if not taking.across:
        said.append("numbers across films were not taken over; rutile run computes them anew from all films here")
    return said


def _record_refusal(lake: Lake, run: RunContext, path: Path, fault: RutileError, duration: float) -> None:
    with lake.write() as writer:
        activity_id, now = writer.next_id(), utc_now()
        code = code_version(take_in)
        record_code(writer, code)
        activity: dict[str, Any] = {
            "activity_id": activity_id, "run_id": run.run_id(writer), "asset": "import", "partition": None,
            "code_version": code.digest, "parameters": "{}", "seed": None, "snapshot": None, "started_at": now,
            "wall_time_s": duration,
        }  # fmt: skip
        writer.append("activity", [activity])
        where = "" if fault.path is None else f"{fault.path}: "
        writer.append("rejected_file", [{
            "rejection_id": writer.next_id(), "sha256": None, "path": str(path), "growth_id": None,
            "found": f"{where}{fault.found}", "expected": fault.expected, "what_to_do": fault.what_to_do,
            "activity_id": activity_id, "rejected_at": now,
        }])  # fmt: skip
