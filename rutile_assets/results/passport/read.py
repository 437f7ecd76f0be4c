"""What the pages show, read from the lake: of some films at once, so that a thousand pages cost few questions."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rutile_assets.errors import InvalidRecord
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.stale import stale_assets

FLAG_TABLES = ("consistency",)
NOTE_TABLES = ("note", "film_note")
_OF_FILMS = "growth_id IN (SELECT unnest(?::VARCHAR[]))"
_NUMBERS = f"""
    SELECT results.*, activity.code_version, activity.started_at, entity.asset, entity.growth_id IS NULL AS spans_films
    FROM results
    INNER JOIN lake.entity AS entity ON results.entity_id = entity.entity_id
    INNER JOIN lake.activity AS activity ON entity.activity_id = activity.activity_id
    WHERE results.{_OF_FILMS}
    ORDER BY results.technique, results.quantity, results.temperature_k, results.subject, results.result_id
"""
_ENTITIES = f"""
    SELECT entity.entity_id, entity.asset, entity.growth_id, entity.data_version, activity.code_version,
        activity.parameters, activity.seed, activity.started_at, activity.wall_time_s, run.git_commit, run.git_dirty,
        run.trigger
    FROM lake.entity AS entity
    INNER JOIN lake.activity AS activity USING (activity_id)
    LEFT JOIN lake.run AS run USING (run_id)
    WHERE entity.kind = 'asset' AND (entity.{_OF_FILMS} OR entity.growth_id IS NULL)
    QUALIFY entity.entity_id = max(entity.entity_id) OVER (PARTITION BY entity.asset, entity.growth_id)
    ORDER BY entity.entity_id
"""
_EDGES = "SELECT child, parent, role FROM lake.edge WHERE child IN (SELECT unnest(?::BIGINT[]))"
_PAST_FILES = """
    SELECT file_id, sha256, growth_id, technique, original_path, instrument, acquired_at, settings, reader,
        ingested_at, is_withdrawn
    FROM lake.raw_file WHERE file_id IN (SELECT unnest(?::BIGINT[]))
"""


@dataclass
class FilmRows:
    """What the lake holds of one film.

    Parameters
    ----------
    growth_id : str
        The film.
    growth : dict or None
        Its row of ``growth``.
    came_from : dict or None
        Its row of ``imported_films``, where another laboratory made it.
    layers, files, refused, entities, edges, numbers : list of dict
        Rows of ``growth_layer``, raw files (those that stand and those that a current version was made from),
        ``rejected_files``, the newest version of each asset, their parents, and every version of every number.
    effects : dict of int to list of dict
        Named systematic effects by result_id.
    flags, notes : dict of str to list of dict
        Rows of ``consistency`` and of notes, by table; without a table there is no key.
    stale : dict of str to list of str
        Reasons by asset.
    verified : dict of int to dict
        By result_id: when and how the number was last recomputed (view ``verified``).
    """

    growth_id: str
    growth: dict[str, Any] | None = None
    came_from: dict[str, Any] | None = None
    layers: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    entities: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[dict[str, Any]] = field(default_factory=list)
    effects: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    flags: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    stale: dict[str, list[str]] = field(default_factory=dict)
    verified: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """A digest of all that the page shows; what spans films counts by its values, not by its version."""
        own = [row["entity_id"] for row in self.entities if row["growth_id"] is not None]
        across = [
            (row["quantity"], row["subject"], row["value"], row["sigma"], row["notes"])
            for row in self.numbers
            if row["spans_films"] and row["is_current"]
        ]
        said = [
            [{k: v for k, v in row.items() if k != "entity_id"} for row in rows]
            for rows in (*self.flags.values(), *self.notes.values())
        ]
        shown = [
            own, across, said, sorted(self.flags), sorted(row["file_id"] for row in self.files),
            sorted(row["rejection_id"] for row in self.refused), sorted(self.stale.items()),
            sorted((result_id, row["verified_at"], row["verdict"]) for result_id, row in self.verified.items()),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(shown, default=str).encode()).hexdigest()[:20]


def read_films(
    lake: Lake, home: Home, assets: Sequence[Asset], growth_ids: Sequence[str] | None = None
) -> dict[str, FilmRows]:
    """Return what the lake holds of these films, or of every film that has files, by growth_id."""
    rows = lake.rows("SELECT DISTINCT growth_id FROM current_raw_file ORDER BY growth_id")
    wanted = [row["growth_id"] for row in rows] if growth_ids is None else list(growth_ids)
    films = {growth_id: FilmRows(growth_id) for growth_id in wanted}

    def spread(sql: str, put: Callable[[FilmRows, dict[str, Any]], None]) -> None:
        for row in lake.rows(sql, [wanted]):
            if row["growth_id"] in films:
                put(films[row["growth_id"]], row)

    spread(f"SELECT * FROM lake.growth WHERE {_OF_FILMS}", lambda film, row: setattr(film, "growth", row))
    spread(
        f"SELECT * FROM lake.growth_layer WHERE {_OF_FILMS} ORDER BY layer_index",
        lambda film, row: film.layers.append(row),
    )
    spread(
        f"SELECT * FROM current_raw_file WHERE {_OF_FILMS} ORDER BY original_path",
        lambda film, row: film.files.append({**row, "is_past": False}),
    )
    spread(f"SELECT * FROM imported_films WHERE {_OF_FILMS}", lambda film, row: setattr(film, "came_from", row))
    spread(f"SELECT * FROM rejected_files WHERE {_OF_FILMS}", lambda film, row: film.refused.append(row))
    spread(_NUMBERS, lambda film, row: film.numbers.append(row))
    spread(
        f"SELECT growth_id, result_id, verified_at, verdict, reason FROM verified WHERE {_OF_FILMS}",
        lambda film, row: film.verified.update({row["result_id"]: row}),
    )
    _add_lineage(lake, films, lake.rows(_ENTITIES, [wanted]))
    _add_effects(lake, films)
    for name in (*FLAG_TABLES, *NOTE_TABLES):
        if (found := _optional(lake, name, wanted)) is not None:
            for growth_id, film in films.items():
                (film.notes if name in NOTE_TABLES else film.flags)[name] = found.get(growth_id, [])
    _add_stale(lake, home, assets, films)
    return films


def _add_lineage(lake: Lake, films: Mapping[str, FilmRows], entities: Sequence[dict[str, Any]]) -> None:
    """Give each film its assets' newest versions, those of what spans films and made one of its numbers, and edges."""
    across = {row["entity_id"]: row for row in entities if row["growth_id"] is None}
    for row in entities:
        if row["growth_id"] in films:
            films[row["growth_id"]].entities.append(row)
    for film in films.values():
        used = dict.fromkeys(row["entity_id"] for row in film.numbers if row["is_current"] and row["spans_films"])
        film.entities += [dict(across[entity_id]) for entity_id in used if entity_id in across]
    children = {row["entity_id"] for film in films.values() for row in film.entities}
    children |= {row["file_id"] for film in films.values() for row in film.files}
    above: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for edge in lake.rows(_EDGES, [sorted(children)]):
        above[edge["child"]].append(edge)
    missing: dict[int, list[FilmRows]] = defaultdict(list)
    for film in films.values():
        film.edges = [edge for row in film.entities for edge in above[row["entity_id"]]]
        named = {row["file_id"]: row for row in film.files}
        for row in film.files:
            row["declared_in"] = [named[e["parent"]] for e in above[row["file_id"]] if e["parent"] in named]
        known = {row["file_id"] for row in film.files} | {row["entity_id"] for row in film.entities}
        own = {row["entity_id"] for row in film.entities if row["growth_id"] is not None}
        for parent in {edge["parent"] for edge in film.edges if edge["child"] in own} - known:
            missing[parent].append(film)
    if missing:
        for row in lake.rows(_PAST_FILES, [sorted(missing)]):
            for film in missing[row["file_id"]]:
                film.files.append({**row, "is_past": True, "declared_in": []})


def _add_effects(lake: Lake, films: Mapping[str, FilmRows]) -> None:
    owner = {n["result_id"]: film for film in films.values() for n in film.numbers if n["is_current"]}
    for row in lake.rows(
        "SELECT * FROM lake.result_systematic WHERE result_id IN (SELECT unnest(?::BIGINT[])) ORDER BY ALL",
        [sorted(owner)],
    ):
        owner[row["result_id"]].effects.setdefault(row["result_id"], []).append(row)


def _optional(lake: Lake, name: str, wanted: Iterable[str]) -> dict[str, list[dict[str, Any]]] | None:
    """Return the rows of a table that this lake may not have, by film; None where it has none."""
    if name not in lake.tables:
        return None
    by_film: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in lake.rows(f'SELECT * FROM lake."{name}" WHERE {_OF_FILMS}', [list(wanted)]):
        by_film[row["growth_id"]].append(row)
    return by_film


def _add_stale(lake: Lake, home: Home, assets: Sequence[Asset], films: Mapping[str, FilmRows]) -> None:
    try:
        found = stale_assets(lake, home, assets, list(films) or None)
    except InvalidRecord:  # a film whose files have all left: nothing of it can be out of date
        found = []
    for stale in found:
        if stale.growth_id is not None and stale.growth_id in films:
            films[stale.growth_id].stale[stale.asset] = list(stale.reasons)
