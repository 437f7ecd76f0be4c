"""The rows of a crate from elsewhere: read within bounds, restricted to what is taken, held together, renumbered."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import pyarrow as arrow
from pyarrow import compute, parquet

from rutile_assets.errors import InvalidRecord, UnreadableFile, WrongContent
from rutile_assets.provenance.code_version import CodeVersion
from rutile_assets.provenance.crate.opened import Opened
from rutile_assets.provenance.crate.selection import OUTSIDE, place_of
from rutile_assets.provenance.crate.write import array_columns, table_path
from rutile_assets.table import TYPES, Table

MAX_TABLE_BYTES = 8 * 1024**3
MAX_STEPS = 200  # from a number down to its bytes
FILM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_ARRAY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,100}/[0-9a-f]{40}")
_JSON = {
    "activity": ("parameters",), "raw_file": ("settings", "declared"), "environment": ("packages",), "code": ("parts",),
}  # fmt: skip
_ENDS = ("child", "parent", "local_id")
_AGAIN = "Ask for the crate again; nothing of it was taken in."

Frames = dict[str, pd.DataFrame]


def read_rows(crate: Opened, declared: Mapping[str, Table]) -> Frames:
    """Return the rows of every table in a crate, checked against this release's declarations.

    Raises
    ------
    RutileError
        A table or a column is not known here, a file is no Parquet or beyond measure, or a row breaks its declaration.
    """
    known = {**declared, OUTSIDE.name: OUTSIDE}
    frames: Frames = {}
    for place in crate.hashes:
        if not place.endswith(".parquet") or place.partition("/")[0] not in ("tables", "provenance"):
            continue
        name = PurePosixPath(place).stem
        if name not in known or place != table_path(name):
            raise WrongContent(f"the table {name!r}", "tables of this release", "Update rutile_assets.", place)
        rows = _read(crate.path(place), known[name], place)
        frames[name] = known[name].frame(rows.to_pandas(types_mapper=_types))
    for name in ("entity", "raw_file", "activity", "run"):
        if name not in frames:
            raise WrongContent(f"a crate without {name}", "at least one film with files", _AGAIN, table_path(name))
    return frames


def _read(path: Path, table: Table, place: str) -> arrow.Table:
    texts = [column.name for column in table.columns if column.type == "text"]
    try:
        with parquet.ParquetFile(path, read_dictionary=texts) as file:
            size = file.metadata.num_rows * max(1, file.metadata.num_columns) * 8
            if size > MAX_TABLE_BYTES:
                raise UnreadableFile(f"{file.metadata.num_rows} rows", "a table of 8 GB at most", _AGAIN, place)
            rows = file.read()
        unknown = sorted(set(rows.column_names) - set(table.column_names))
        if unknown:
            raise WrongContent(f"the column {unknown[0]!r}", "columns of this release", "Update rutile_assets.", place)
        columns = [_plain(rows.column(name), TYPES[_type(table, name)][1], place) for name in rows.column_names]
        return arrow.Table.from_arrays(columns, rows.column_names)
    except (UnreadableFile, WrongContent):
        raise
    except Exception as fault:  # Parquet on hostile bytes
        raise UnreadableFile(f"no whole Parquet file ({type(fault).__name__})", "a table", _AGAIN, place) from fault


def _plain(column: arrow.ChunkedArray, kind: arrow.DataType, place: str) -> arrow.ChunkedArray:
    """Return a column as declared; text that a small dictionary would blow up is refused before it is."""
    if arrow.types.is_dictionary(column.type):
        size = 0
        for chunk in column.chunks:
            lengths = compute.binary_length(chunk.dictionary)
            size += compute.sum(compute.take(lengths, chunk.indices)).as_py() or 0
        if size > MAX_TABLE_BYTES:
            raise UnreadableFile(f"{size} bytes of text", "a table of 8 GB at most", _AGAIN, place)
    return column.cast(kind)


def _type(table: Table, name: str) -> str:
    return next(column.type for column in table.columns if column.name == name)


def _types(kind: arrow.DataType) -> object:
    return {arrow.int64(): pd.Int64Dtype(), arrow.int32(): pd.Int32Dtype(), arrow.bool_(): pd.BooleanDtype(),
            arrow.string(): pd.StringDtype()}.get(kind)  # fmt: skip


def _check_json(frames: Frames, name: str, column: str) -> None:
    for text in frames[name][column].unique() if name in frames else ():
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise WrongContent(f"{column} {str(text)[:40]!r}", "a JSON object", _AGAIN, table_path(name))


def places_of(raw: pd.DataFrame) -> dict[int, str]:
    """Return where each raw file stands in the crate, by file_id; a withdrawn file, nowhere."""
    newest = raw.groupby(["growth_id", "original_path"]).file_id.transform("max")
    return {
        int(row["file_id"]): place_of(row, is_newest=int(row["file_id"]) == last)
        for row, last in zip(records(raw), newest, strict=True)
        if not row["is_withdrawn"]
    }


def is_closed(frames: Frames) -> bool:
    """Tell whether everything that numbers across films rest on is in the crate."""
    return OUTSIDE.name not in frames


def restricted(frames: Frames, films: Iterable[str], *, across: bool) -> Frames:
    """Return the rows of these films, and of what spans films where `across`, with the records that they name."""
    keep = list(films)
    entity = frames["entity"]
    kept: Frames = {
        "entity": entity[entity.growth_id.isin(keep) | (entity.growth_id.isna() if across else False)]
    }  # fmt: skip
    ids = kept["entity"].entity_id
    for name, frame in frames.items():
        if name in ("entity", OUTSIDE.name):
            continue
        if "entity_id" in frame:
            kept[name] = frame[frame.entity_id.isin(ids)]
        elif "growth_id" in frame:
            kept[name] = frame[frame.growth_id.isin(keep)]

    def part(name: str, column: str, of: Iterable[tuple[str, str]]) -> None:
        if name in frames:
            named = pd.concat([kept[table][key] for table, key in of if table in kept]).unique()
            kept[name] = frames[name][frames[name][column].isin(named)]

    part("edge", "child", [("entity", "entity_id")])
    part("result_covariance", "result_id", [("result", "result_id")])
    part("result_systematic", "result_id", [("result", "result_id")])
    part("origin", "origin_id", [("origin_film", "origin_id")])
    named = [(table, "activity_id") for table in ("entity", "raw_file", "rejected_file", "origin", "verification")]
    part("activity", "activity_id", named)
    part("run", "run_id", [("activity", "run_id")])
    part("environment", "environment_id", [("run", "environment_id"), ("verification", "environment_id")])
    part("code", "code_version", [("activity", "code_version"), ("verification", "code_version")])
    part("raw_object", "sha256", [("raw_file", "sha256")])
    numbered = [("entity", "entity_id"), ("activity", "activity_id"), ("run", "run_id"), ("result", "result_id")]
    part("origin_number", "local_id", numbered)
    return {name: frame for name, frame in kept.items() if len(frame)}


def check(frames: Frames, hashes: Mapping[str, str], places: Mapping[int, str]) -> None:
    """Refuse rows that do not hold together.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        The rows that are to be taken.
    hashes : mapping of str to str
        Path in the crate -> sha256.
    places : mapping of int to str
        file_id -> where its bytes stand in the crate.

    Raises
    ------
    WrongContent
        A name that is none, a file without bytes, an id that nothing has, a circle in the lineage, code whose digest
        is another.
    """
    for name in ("raw_file", "entity", "activity", "run"):
        if name not in frames:
            raise WrongContent(f"films without {name}", "films with files and lineage", _AGAIN, table_path(name))
    files = frames["raw_file"]
    for growth_id in pd.concat([files.growth_id, frames["entity"].growth_id]).dropna().unique():
        if not FILM.fullmatch(growth_id):
            raise WrongContent(f"the film {growth_id!r}", "a growth_id", _AGAIN, table_path("raw_file"))
    for row in records(files):
        path = PurePosixPath(row["original_path"])
        if path.is_absolute() or ".." in path.parts or "\\" in str(path) or not str(path).isprintable():
            raise WrongContent(
                f"the file {row['original_path']!r}", "a path inside the film's folder", _AGAIN, table_path("raw_file")
            )
        place = places.get(row["file_id"])
        if place is not None and hashes.get(place) != row["sha256"]:
            raise WrongContent(
                f"a file with sha256 {str(hashes.get(place))[:12]}", f"{row['sha256'][:12]}, as its record says",
                _AGAIN, place,
            )  # fmt: skip
    for name, columns in _JSON.items():
        for column in columns:
            _check_json(frames, name, column)
    for code in records(frames["code"]) if "code" in frames else ():
        if CodeVersion("", json.loads(code["parts"])).joined([]).digest != code["code_version"]:
            raise WrongContent(f"code {code['code_version']}", "parts with this digest", _AGAIN, table_path("code"))
    _check_references(frames)
    _check_no_circle(frames)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as dicts."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _check_references(frames: Frames) -> None:
    for child, column, parent in (
        ("entity", "activity_id", "activity"), ("raw_file", "activity_id", "activity"), ("activity", "run_id", "run"),
        ("run", "environment_id", "environment"), ("activity", "code_version", "code"),
        ("raw_file", "sha256", "raw_object"), ("verification", "activity_id", "activity"),
        ("verification", "environment_id", "environment"), ("verification", "code_version", "code"),
    ):  # fmt: skip
        if child not in frames:
            continue
        held = set(frames[parent][column]) if parent in frames else set()
        lost = [value for value in frames[child][column].unique() if value not in held]
        if lost:
            raise WrongContent(f"{column} {lost[0]} of {child}", f"a row of {parent}", _AGAIN, table_path(child))
    ours = frames["entity"][frames["entity"].kind == "raw_file"].entity_id
    files = frames["raw_file"]
    standing = files[~files.is_withdrawn.astype(bool)].file_id
    if not ours.isin(files.file_id).all() or not standing.isin(ours).all():
        raise WrongContent("a raw file without its record", "one of each", _AGAIN, table_path("entity"))


def _check_no_circle(frames: Frames) -> None:
    parents: dict[int, list[int]] = defaultdict(list)
    waits: dict[int, int] = dict.fromkeys(frames["entity"].entity_id.astype(int), 0)
    for child, parent in frames["edge"][["child", "parent"]].astype(int).to_numpy() if "edge" in frames else ():
        if parent not in waits:
            raise WrongContent(f"the parent {parent}", "an entity of the crate", _AGAIN, table_path("edge"))
        parents[int(parent)].append(int(child))
        waits[int(child)] += 1
    level, steps, seen = [i for i, count in waits.items() if count == 0], 0, 0
    while level:
        seen += len(level)
        steps += 1
        following = []
        for parent in level:
            for child in parents[parent]:
                waits[child] -= 1
                if waits[child] == 0:
                    following.append(child)
        level = following
    if seen != len(waits) or steps > MAX_STEPS:
        raise WrongContent(
            "a circle in the lineage, or one too deep", "what is made from what came before", _AGAIN, table_path("edge")
        )


def arrays_named(frames: Frames, declared: Mapping[str, Table]) -> list[str]:
    """Return the arrays that rows refer to.

    Raises
    ------
    WrongContent
        A reference is none.
    """
    found: set[str] = set()
    for name, frame in frames.items():
        for column in array_columns(declared[name]):
            for reference in frame[column].dropna().unique():
                if reference and not _ARRAY.fullmatch(reference):
                    raise WrongContent(f"{reference!r}", "a reference to an array", _AGAIN, table_path(name))
                found.add(str(reference))
    return sorted(found - {""})


def renumbered(
    frames: Frames, declared: Mapping[str, Table], next_id: Callable[[], int]
) -> tuple[Frames, dict[int, int]]:
    """Return the rows with new ids in the order of the old ones, and old id -> new id.

    An id of something that is not in the crate becomes NULL.

    Raises
    ------
    InvalidRecord
        It may not be NULL.
    """
    own: set[int] = set()
    for name, frame in frames.items():
        key = declared[name].key
        if len(key) == 1 and key[0] in _id_columns(declared[name]) and key[0] != "local_id":
            own |= set(frame[key[0]].astype(int))
    new = {old: next_id() for old in sorted(own)}
    mapped: Frames = {}
    for name, frame in frames.items():
        columns: dict[str, Any] = {}
        for column in _id_columns(declared[name]):
            given = frame[column]
            columns[column] = given.map(new, na_action="ignore").astype("Int64")
            lost = given[columns[column].isna() & given.notna()]
            if len(lost) and not next(c for c in declared[name].columns if c.name == column).nullable:
                raise InvalidRecord(
                    f"{column} {lost.iloc[0]} of {name}", "an id of the crate", _AGAIN, table_path(name)
                )
        mapped[name] = frame.assign(**columns)
    return mapped, new


def renamed(frames: Frames, declared: Mapping[str, Table], names: Mapping[str, str]) -> Frames:
    """Return the rows with films under other names; names inside raw bytes and notes stay as they were."""
    changed: Frames = {}
    for name, frame in frames.items():
        columns = {
            column.name: frame[column.name].map(lambda given: names.get(given, given), na_action="ignore")
            for column in declared[name].columns
            if column.type == "text" and not column.name.startswith("original_")
            and (column.name in ("growth_id", "partition") or column.name.endswith("_growth_id"))
        }  # fmt: skip
        changed[name] = frame.assign(**columns)
    return changed


def _id_columns(table: Table) -> list[str]:
    return [
        column.name
        for column in table.columns
        if column.type == "bigint" and not column.name.startswith("original_")
        and (column.name.endswith("_id") or column.name in _ENDS)
    ]  # fmt: skip
