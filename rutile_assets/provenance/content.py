"""Content without ids: what makes the rows of two homes, or of two versions, the same rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as arrow

from rutile_assets.provenance.film import Result

Ask = Callable[[str, Sequence[object]], list[dict[str, Any]]]

_FILES = """
    SELECT file_id AS id, concat_ws(' ', growth_id || '/' || original_path, data_version) AS name
    FROM lake.raw_file WHERE file_id IN (SELECT unnest(?::BIGINT[]))
"""
_RESULTS = """
    SELECT result_id AS id,
        concat_ws(' | ', coalesce(result.growth_id, result.series), result.technique, quantity, subject,
            raw_file.original_path) AS name
    FROM lake.result LEFT JOIN lake.raw_file USING (file_id) WHERE result_id IN (SELECT unnest(?::BIGINT[]))
"""
_ENTITIES = """
    SELECT entity_id AS id, concat_ws(' ', asset, growth_id) AS name
    FROM lake.entity WHERE entity_id IN (SELECT unnest(?::BIGINT[]))
"""
# ending of a column's name -> the question that names what its ids stand for
_NAMED_BY = {"file_id": _FILES, "result_id": _RESULTS, "entity_id": _ENTITIES}
OWN = "entity_id"  # the version that a row belongs to: never part of its content


def names_of(ask: Ask, frames: Iterable[pd.DataFrame], file_ids: Iterable[int | None] = ()) -> dict[int, str]:
    """Return what the ids in these rows stand for: a file by path and content, a number or a version by what it is of.

    Parameters
    ----------
    ask : callable
        (SQL, values) -> rows, of the lake that the frames are from.
    frames : iterable of DataFrame
        Rows of tables.
    file_ids : iterable of int or None
        Further files.
    """
    wanted: dict[str, set[int]] = {ending: set() for ending in _NAMED_BY}
    wanted["file_id"].update(int(i) for i in file_ids if i is not None)
    for frame in frames:
        for column in frame.columns:
            ending = _ending(column)
            if ending is not None:
                wanted[ending].update(int(i) for i in frame[column].dropna().unique())
    asked = {_NAMED_BY[ending]: sorted(ids) for ending, ids in wanted.items() if ids}
    return {int(row["id"]): row["name"] for question, ids in asked.items() for row in ask(question, [ids])}


def content(frame: pd.DataFrame, names: Mapping[int, str]) -> pd.DataFrame:
    """Return rows without the version they belong to and with names in the place of ids, in the same order."""
    without = frame.drop(columns=OWN, errors="ignore")
    named = {
        column: pd.Series(
            [None if pd.isna(i) else names.get(int(i), "unknown") for i in without[column]], dtype="string",
            index=without.index,
        )
        for column in without.columns
        if _ending(column) is not None
    }  # fmt: skip
    return without.assign(**named)


def data_version(frames: Mapping[str, pd.DataFrame], results: Sequence[Result], names: Mapping[int, str]) -> str:
    """Return a digest of rows and results that does not depend on ids or on the time.

    Parameters
    ----------
    frames : mapping of str to DataFrame
        Checked rows by table.
    results : sequence of Result
        The numbers.
    names : mapping of int to str
        What the ids stand for (`names_of`).
    """
    digest = hashlib.sha256()
    for name in sorted(frames):
        digest.update(f"table {name}\n".encode())
        digest.update(frame_bytes(content(frames[name], names)))
    for result in results:
        estimate = result.estimate
        file = None if result.file_id is None else names.get(result.file_id, "unknown")
        digest.update(repr([estimate.quantities, estimate.subjects, file]).encode())
        if result.growth_id or result.series:
            digest.update(repr([tuple(result.growth_id), result.series]).encode())
        digest.update(np.ascontiguousarray(estimate.values).tobytes())
        digest.update(np.ascontiguousarray(estimate.total_covariance).tobytes())
    return digest.hexdigest()[:20]


def frame_bytes(frame: pd.DataFrame) -> bytes:
    """Return a frame as Arrow's bytes: the same rows in the same order and types are the same bytes."""
    rows = arrow.Table.from_pandas(frame, preserve_index=False)
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, rows.schema.remove_metadata()) as stream:
        stream.write_table(rows.replace_schema_metadata(None))
    return bytes(sink.getvalue())


def in_order_of_names(ask: Ask, frame: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Return rows that stand in the order of `key` with files in the order of their paths, not of their arrival.

    So what is computed does not depend on the order in which files were dropped.
    """
    if "file_id" not in key or frame.file_id.nunique() < 2:
        return frame
    names = names_of(ask, [frame[["file_id"]]])
    paths = frame.file_id.map(lambda i: names[int(i)])
    by_name = [f"_{column}" if column == "file_id" else column for column in key]
    return frame.assign(_file_id=paths).sort_values(by_name, kind="stable", ignore_index=True).drop(columns="_file_id")


def _ending(column: str) -> str | None:
    if column == OWN:
        return None
    return next((e for e in _NAMED_BY if column == e or column.endswith(f"_{e}")), None)
