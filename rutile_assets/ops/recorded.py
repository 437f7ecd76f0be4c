"""What a lake holds at one snapshot: its current versions, what each was made with and from, numbers and rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rutile_assets.lake import arrays
from rutile_assets.lake.tables import fetch, fetch_frame
from rutile_assets.ops.house import House
from rutile_assets.provenance.change import recorded_code
from rutile_assets.provenance.code_version import CodeVersion
from rutile_assets.provenance.content import names_of
from rutile_assets.provenance.verify import ReadArray
from rutile_assets.table import Table

_VERSIONS = """
    SELECT entity.entity_id, entity.asset, entity.growth_id, entity.data_version, activity.activity_id,
        activity.code_version, activity.parameters, activity.started_at, run.environment_id, run.git_commit
    FROM lake.entity INNER JOIN lake.activity USING (activity_id) LEFT JOIN lake.run USING (run_id)
    WHERE entity.kind = 'asset' AND {here}
    QUALIFY entity.entity_id = max(entity.entity_id) OVER (PARTITION BY entity.asset, entity.growth_id)
    ORDER BY entity.growth_id, entity.entity_id
"""
_NUMBERS = """
    SELECT results.*, entity.asset FROM results INNER JOIN lake.entity AS entity USING (entity_id)
    WHERE results.is_current AND {here} ORDER BY results.result_id
"""
_OF_FILMS = "(entity.growth_id IS NULL OR entity.growth_id IN (SELECT unnest(?::VARCHAR[])))"
_MADE_FROM = """
    SELECT edge.child, parent.kind, parent.asset, parent.growth_id, parent.data_version, raw_file.original_path
    FROM lake.edge INNER JOIN lake.entity AS parent ON edge.parent = parent.entity_id
    LEFT JOIN lake.raw_file AS raw_file ON parent.entity_id = raw_file.file_id
    WHERE edge.child IN (SELECT unnest(?::BIGINT[]))
"""


@dataclass
class Recorded:
    """A home at one snapshot, opened for reading.

    Parameters
    ----------
    house : House
        The home.
    snapshot : int or None
        Which; None for the present one.
    """

    house: House
    snapshot: int | None = None

    def __post_init__(self) -> None:
        """Open the snapshot: what others write meanwhile is not seen."""
        if self.snapshot is None:
            self.snapshot = self.house.lake.snapshot()
        self._connection = self.house.lake.reader(self.snapshot)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Run a query at the snapshot."""
        found: list[dict[str, Any]] = fetch(self._connection, sql, values).to_pylist()
        return found

    def versions(self, films: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the newest version of each asset of these films, or of all, and of what spans films."""
        return [{**row, "parameters": json.loads(row["parameters"])} for row in self._of(_VERSIONS, films)]

    def numbers(self, films: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the current numbers of these films, or of all, and of what spans films, as they were made."""
        return self._of(_NUMBERS, films)

    def parents(self, versions: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
        """Return what each version was made from, files with their paths."""
        found: dict[int, list[dict[str, Any]]] = {}
        for row in self.rows(_MADE_FROM, [[version["entity_id"] for version in versions]]):
            found.setdefault(row["child"], []).append(row)
        return found

    def _of(self, question: str, films: Sequence[str] | None) -> list[dict[str, Any]]:
        if films is None:
            return self.rows(question.format(here="TRUE"))
        return self.rows(question.format(here=_OF_FILMS), [list(films)])

    def files(self) -> list[dict[str, Any]]:
        """Return the current raw files."""
        return self.rows("SELECT growth_id, technique, original_path, sha256, data_version FROM current_raw_file")

    def code(self) -> dict[str, CodeVersion]:
        """Return what each code version is made of; its details are not in older lakes."""
        rows = self.rows("FROM lake.code")
        return {r["code_version"]: recorded_code(r["code_version"], r["parts"], r.get("part_details")) for r in rows}

    def environments(self) -> dict[str, dict[str, Any]]:
        """Return the environments by id, packages as a mapping."""
        rows = self.rows("FROM lake.environment")
        return {row["environment_id"]: {**row, "packages": json.loads(row["packages"])} for row in rows}

    def table(self, table: Table, entity_ids: Sequence[int]) -> tuple[dict[int, pd.DataFrame], dict[int, str]]:
        """Return the rows of a table by version, for versions that have any, and what the ids in them stand for."""
        question = f'SELECT * FROM lake."{table.name}" WHERE entity_id IN (SELECT unnest(?::BIGINT[]))'
        rows = fetch_frame(self._connection, question, [list(entity_ids)])
        frames = {int(str(entity)): mine.reset_index(drop=True) for entity, mine in rows.groupby("entity_id")}
        return frames, names_of(self.rows, [rows])

    @property
    def read_array(self) -> ReadArray:
        """Return the reader of the home's arrays."""
        return lambda reference: arrays.read(self.house.home.arrays, reference)

    def close(self) -> None:
        """Close the snapshot."""
        self._connection.close()
