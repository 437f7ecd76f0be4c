"""The newest versions in a lake beside what they would be made from now: what differs, found in few questions.

Whether versions read what stands now is told by sums of hashes over all edges of an asset, so that a million edges are
looked at once; only an asset whose sums differ is looked at film by film.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rutile_assets import formats
from rutile_assets.lake.home import Home
from rutile_assets.lake.tables import Lake, Reading
from rutile_assets.provenance.between import causes
from rutile_assets.provenance.change import (
    FILE,
    Change,
    code_changes,
    file_change,
    parameter_changes,
    recorded_code,
    upstream_change,
)
from rutile_assets.provenance.code_version import CodeVersion
from rutile_assets.provenance.film_asset import Asset
from rutile_assets.provenance.materialize import reader_code

Key = tuple[str | None, str]  # film (None: all of them), asset

# films with a path that came twice or left: a hash in place of the path can only name a film too many
_GONE = """
    WITH touched AS (
        SELECT any_value(growth_id) AS growth_id FROM lake.raw_file WHERE {films}
        GROUP BY hash(growth_id, original_path) HAVING count(*) > 1 OR bool_or(is_withdrawn)
    )
    SELECT file_id FROM lake.raw_file SEMI JOIN touched USING (growth_id)
    QUALIFY is_withdrawn OR file_id < max(file_id) OVER (PARTITION BY growth_id, original_path)
"""
_FILES = """
    SELECT
        growth_id, technique, hash(growth_id, technique) AS files_key, sum(hash(file_id)) AS files,
        min(reader) AS reader, max(reader) AS last_reader
    FROM lake.raw_file ANTI JOIN gone USING (file_id) WHERE {films} GROUP BY growth_id, technique
"""
_READERS = """
    SELECT mixed.files_key, string_agg(DISTINCT file.reader, '|' ORDER BY file.reader) AS readers
    FROM lake.raw_file AS file ANTI JOIN gone ON file.file_id = gone.file_id
    INNER JOIN (FROM files WHERE reader <> last_reader) AS mixed
        ON file.growth_id = mixed.growth_id AND file.technique = mixed.technique
    GROUP BY mixed.files_key
"""
_NEWEST = """
    SELECT max(entity_id) AS entity_id FROM lake.entity WHERE kind = 'asset' AND {films}
    GROUP BY hash(asset, growth_id), hash(growth_id, asset, 1)
"""
_MADE = """
    SELECT
        entity.entity_id, entity.asset, entity.growth_id, hash(entity.asset) AS asset_key,
        hash(activity.code_version, activity.parameters) AS recipe, entity.activity_id,
        CASE WHEN declared.technique <> '' THEN hash(entity.growth_id, declared.technique) END AS files_key
    FROM lake.entity SEMI JOIN newest USING (entity_id)
    INNER JOIN lake.activity AS activity ON entity.activity_id = activity.activity_id
    LEFT JOIN declared ON entity.asset = declared.asset
"""
# of each asset, over all its newest versions: the files and the upstream assets that they read, and how many are old
_ABOVE = """
    SELECT
        made.asset_key,
        sum(hash(edge.parent)) FILTER (edge.role = 'file') AS files,
        sum(hash(edge.role)) FILTER (edge.role <> 'file') AS roles,
        count(*) FILTER (edge.role <> 'file') - count(above.entity_id) AS older
    FROM lake.edge
    INNER JOIN made ON edge.child = made.entity_id
    LEFT JOIN newest AS above ON edge.parent = above.entity_id
    WHERE {children} GROUP BY made.asset_key
"""
_RECIPE = """
    FROM made
    LEFT JOIN files ON made.files_key = files.files_key
    LEFT JOIN readers ON made.files_key = readers.files_key
    LEFT JOIN own ON made.growth_id = own.growth_id AND made.asset = own.asset
"""
_RECIPES = f"""
    SELECT made.asset, made.recipe, coalesce(readers.readers, files.reader, '') AS readers,
        coalesce(own.growth_id, '') AS own, any_value(made.activity_id) AS activity_id, sum(files.files) AS files
    {_RECIPE} GROUP BY ALL
"""
_OF_RECIPES = f"""
    SELECT made.growth_id, made.asset, wrong.place {_RECIPE}
    INNER JOIN (SELECT unnest($1, recursive := true)) AS wrong
        ON made.asset = wrong.asset AND made.recipe = wrong.recipe
        AND wrong.readers = coalesce(readers.readers, files.reader, '') AND wrong.own = coalesce(own.growth_id, '')
"""
_FILM = """
    SELECT coalesce(has.growth_id, of_film.growth_id) AS growth_id, hash(techniques, assets) AS alike,
        techniques IS NOT NULL AS has_files
    FROM (SELECT growth_id, sum(hash(technique)) AS techniques FROM files GROUP BY growth_id) AS has
    FULL JOIN (
        SELECT growth_id, sum(asset_key) AS assets FROM made WHERE growth_id IS NOT NULL GROUP BY growth_id
    ) AS of_film ON has.growth_id = of_film.growth_id
"""
_FILE_CHANGES = """
    WITH past AS (
        SELECT made.entity_id, file.original_path, file.data_version, file.sha256
        FROM lake.edge INNER JOIN made ON edge.child = made.entity_id
        INNER JOIN lake.raw_file AS file ON edge.parent = file.file_id
        WHERE edge.role = 'file' AND made.asset IN (SELECT unnest($1::VARCHAR[]))
    ),

    standing AS (
        SELECT made.entity_id, file.original_path, file.data_version, file.sha256
        FROM lake.raw_file AS file ANTI JOIN gone USING (file_id)
        INNER JOIN made ON hash(file.growth_id, file.technique) = made.files_key
        WHERE made.asset IN (SELECT unnest($1::VARCHAR[]))
    ),

    changed AS (
        SELECT entity_id, original_path, past.sha256 AS old, standing.sha256 AS new
        FROM past FULL JOIN standing USING (entity_id, original_path)
        WHERE past.data_version IS DISTINCT FROM standing.data_version
    )

    SELECT
        made.growth_id, made.asset, original_path,
        CASE WHEN old IS NULL THEN 'new' WHEN new IS NULL THEN coalesce(other.technique, 'withdrawn')
            WHEN old = new THEN 'declared' ELSE 'replaced' END AS how
    FROM changed
    INNER JOIN made USING (entity_id)
    LEFT JOIN (
        SELECT file.growth_id, file.original_path, file.technique
        FROM lake.raw_file AS file ANTI JOIN gone USING (file_id)
    ) AS other USING (growth_id, original_path)
    ORDER BY ALL
"""
_OLDER = """
    SELECT made.entity_id AS child, made.asset AS child_asset, made.growth_id AS child_growth_id, parent.entity_id,
        parent.asset, parent.growth_id, parent.data_version
    FROM lake.edge
    INNER JOIN made ON edge.child = made.entity_id
    ANTI JOIN newest ON edge.parent = newest.entity_id
    INNER JOIN lake.entity AS parent ON edge.parent = parent.entity_id
    WHERE edge.role <> 'file'
"""
_NEW_DATA = """
    SELECT older.child_growth_id, older.child_asset, older.asset, older.growth_id, older.entity_id AS old_id,
        made.entity_id AS new_id
    FROM older
    INNER JOIN reading ON older.child_asset = reading.asset AND older.asset = reading.upstream
    INNER JOIN made ON older.asset = made.asset AND older.growth_id IS NOT DISTINCT FROM made.growth_id
    INNER JOIN lake.entity AS now ON made.entity_id = now.entity_id
    WHERE now.data_version <> older.data_version
"""
_NEW_UPSTREAM = """
    WITH child AS (
        SELECT made.entity_id, made.asset, made.growth_id, reading.upstream
        FROM made INNER JOIN reading ON made.asset = reading.asset
        WHERE made.asset IN (SELECT unnest($1::VARCHAR[]))
    ),

    wanted AS (
        SELECT child.entity_id AS child, child.asset AS child_asset, child.growth_id AS child_growth_id,
            made.entity_id, made.asset, made.growth_id
        FROM child INNER JOIN made ON child.upstream = made.asset AND child.growth_id = made.growth_id
        UNION ALL
        SELECT child.entity_id, child.asset, child.growth_id, made.entity_id, made.asset, made.growth_id
        FROM child INNER JOIN made ON child.upstream = made.asset WHERE child.growth_id IS NULL
    )

    SELECT child_growth_id, child_asset, asset, growth_id
    FROM wanted
    ANTI JOIN lake.edge ON wanted.child = edge.child AND wanted.entity_id = edge.parent
    ANTI JOIN older ON wanted.child = older.child AND wanted.asset = older.asset
        AND wanted.growth_id IS NOT DISTINCT FROM older.growth_id
"""


_KEYS = "SELECT name, hash(name)::VARCHAR AS key FROM (SELECT unnest(?::VARCHAR[]) AS name)"
_ACTIVITIES = "SELECT activity_id, code_version, parameters FROM lake.activity WHERE activity_id IN ({ids})"
_CODE = "SELECT * FROM lake.code WHERE code_version IN (SELECT unnest(?::VARCHAR[]))"
_NOTHING: dict[str, Any] = {"files": 0, "roles": 0, "older": 0}


@dataclass(frozen=True)
class Alike:
    """Films that have the same techniques and the same assets: what can be computed of one can be of all."""

    films: int
    techniques: frozenset[str]
    assets: frozenset[str]


@dataclass
class Present:
    """What differs from what would be made now.

    Parameters
    ----------
    films : dict of str to Alike
        Every film that has files, by growth_id, and what it has.
    across : frozenset of str
        The assets that span films and were computed.
    changes : dict
        (film, asset) -> what changed that it was itself made from.
    """

    films: dict[str, Alike] = field(default_factory=dict)
    across: frozenset[str] = frozenset()
    changes: dict[Key, list[Change]] = field(default_factory=lambda: defaultdict(list))


def present(lake: Lake, home: Home, assets: Sequence[Asset], growth_ids: Sequence[str] | None) -> Present:
    """Compare every asset's newest version, of these films or of all and across them, with what stands now."""
    with lake.reading() as ask:
        _look(ask, home, assets, growth_ids)
        found = Present()
        groups = _add_films(ask, found)
        above = {row["asset_key"]: row for row in ask.rows("FROM above")}
        keys = {row["name"]: int(row["key"]) for row in ask.rows(_KEYS, [_names(assets)])}
        read = {asset.name: above.get(keys[asset.name], _NOTHING) for asset in assets}
        _add_recipes(ask, home, {asset.name: asset for asset in assets}, read, found)
        _add_upstream(ask, assets, groups, keys, read, found)
    return found


def _look(ask: Reading, home: Home, assets: Sequence[Asset], growth_ids: Sequence[str] | None) -> None:
    """Make the tables that the questions are asked of; only here are the lake's large tables read whole."""
    if growth_ids is None:
        films, values = "true", []
    else:
        films, values = "growth_id IN (SELECT unnest(?::VARCHAR[]))", [list(growth_ids)]
    declared = [{"asset": a.name, "technique": a.files or ""} for a in assets] or [{"asset": "", "technique": ""}]
    reading = [{"asset": a.name, "upstream": name} for a in assets for name in a.reads]
    own = [
        {"growth_id": growth_id, "asset": name}
        for growth_id, chosen in (home.settings.get("films") or {}).items()
        for name in chosen or {}
    ]
    ask.make("declared", "SELECT unnest($1, recursive := true)", [declared])
    ask.make("reading", "SELECT unnest($1, recursive := true)", [reading or [{"asset": "", "upstream": ""}]])
    ask.make("own", "SELECT unnest($1, recursive := true)", [own or [{"growth_id": "", "asset": ""}]])
    ask.make("gone", _GONE.format(films=films), values)
    ask.make("files", _FILES.format(films=films), values)
    ask.make("readers", _READERS)
    ask.make("newest", _NEWEST.format(films=films), values)
    ask.make("made", _MADE)
    children = "true"
    if growth_ids is not None:  # a list of ids lets the lake skip the files that cannot hold them
        ids = [str(row["entity_id"]) for row in ask.rows("FROM newest")]
        children = f"edge.child IN ({', '.join(ids) or '0'})"
    ask.make("above", _ABOVE.format(children=children))
    ask.make("film", _FILM)


def _names(assets: Sequence[Asset]) -> list[str]:
    return sorted({name for asset in assets for name in (asset.name, *asset.reads)})


def _add_films(ask: Reading, found: Present) -> list[Alike]:
    """Group films by what they have; return the groups, those of films whose files have all left among them."""
    groups = ask.rows(
        "SELECT alike, any_value(growth_id) AS one, count(*)::BIGINT AS films FROM film GROUP BY alike ORDER BY alike"
    )
    ones = [group["one"] for group in groups]
    techniques: dict[str, set[str]] = defaultdict(set)
    for row in ask.rows(
        "SELECT growth_id, technique FROM files WHERE growth_id IN (SELECT unnest(?::VARCHAR[]))", [ones]
    ):
        techniques[row["growth_id"]].add(row["technique"])
    made: dict[str, set[str]] = defaultdict(set)
    for row in ask.rows("SELECT growth_id, asset FROM made WHERE growth_id IN (SELECT unnest(?::VARCHAR[]))", [ones]):
        made[row["growth_id"]].add(row["asset"])
    alike = {
        group["alike"]: Alike(group["films"], frozenset(techniques[group["one"]]), frozenset(made[group["one"]]))
        for group in groups
    }
    rows = ask.arrow("SELECT growth_id, alike FROM film WHERE has_files ORDER BY growth_id")
    growth_ids, kinds = (column.to_pylist() for column in rows.columns)
    found.films = {growth_id: alike[kind] for growth_id, kind in zip(growth_ids, kinds, strict=True)}
    found.across = frozenset(row["asset"] for row in ask.rows("SELECT asset FROM made WHERE growth_id IS NULL"))
    return list(alike.values())


def _add_recipes(
    ask: Reading, home: Home, assets: dict[str, Asset], read: dict[str, dict[str, Any]], found: Present
) -> None:
    """Compare code, parameters and files, once for all versions that were made alike."""
    recipes = [row for row in ask.rows(_RECIPES) if row["asset"] in assets]
    standing: dict[str, int] = defaultdict(int)
    for row in recipes:
        standing[row["asset"]] += int(row["files"] or 0)
    differ = [name for name, files in standing.items() if assets[name].files and files != int(read[name]["files"] or 0)]
    for row in ask.rows(_FILE_CHANGES, [differ]) if differ else []:
        found.changes[row["growth_id"], row["asset"]].append(file_change(row["original_path"], row["how"]))
    changes = _recipe_changes(ask, home, assets, recipes)
    wrong = [
        {name: row[name] for name in ("asset", "recipe", "readers", "own")} | {"place": place}
        for place, row in enumerate(recipes)
        if changes[place]
    ]
    if wrong:
        rows = ask.arrow(_OF_RECIPES, [wrong])
        for growth_id, name, place in zip(*(column.to_pylist() for column in rows.columns), strict=True):
            found.changes[growth_id, name] += changes[place]


def _recipe_changes(
    ask: Reading, home: Home, assets: dict[str, Asset], recipes: Sequence[dict[str, Any]]
) -> list[list[Change]]:
    """Return, for each way of making an asset that was found, how the present code and parameters differ."""
    ids = ", ".join(str(row["activity_id"]) for row in recipes) or "0"
    acts = {row["activity_id"]: row for row in ask.rows(_ACTIVITIES.format(ids=ids))}
    now = [
        assets[row["asset"]].code.joined(map(reader_code, filter(None, row["readers"].split("|")))) for row in recipes
    ]
    then = [acts[row["activity_id"]]["code_version"] for row in recipes]
    other = {old for old, new in zip(then, now, strict=True) if old != new.digest}
    recorded = {digest: recorded_code(digest, None, None) for digest in other}
    for row in ask.rows(_CODE, [sorted(other)]) if other else []:
        recorded[row["code_version"]] = recorded_code(row["code_version"], row["parts"], row["part_details"])
    changes = []
    for row, old, new in zip(recipes, then, now, strict=True):
        asset = assets[row["asset"]]
        chosen = asset.parameters_as_dict(asset.parameters_for(home, row["own"] or None))
        used = json.loads(acts[row["activity_id"]]["parameters"])
        code = _code_changes(recorded[old], new, asset, row["readers"]) if old in recorded and old != new.digest else []
        changes.append(code + parameter_changes(used, json.loads(json.dumps(chosen))))
    return changes


def _code_changes(old: CodeVersion, new: CodeVersion, asset: Asset, readers: str) -> list[Change]:
    """Name what differs in the code; a reader that files brought along or took away is one change, by its name."""
    now = set(filter(None, readers.split("|")))
    told: list[Change] = []
    by_files: set[str] = set()
    for form in formats.FORMATS if asset.files and old.parts else ():
        was_used = f"{form.read.__module__}.{form.read.__qualname__}" in old.parts
        if was_used == (form.name in now) or (was_used and now & _alike(form.name)):
            continue
        how = "no file is read" if was_used else "files are read"
        told.append(Change(FILE, form.name, f"{how} as {form.name} {'any more' if was_used else 'now'}"))
        by_files |= reader_code(form.name).parts.keys() - asset.code.parts.keys()
    changes = code_changes(old, new)
    return told + [
        one for one in changes if one.what not in by_files or one.what in old.parts.keys() & new.parts.keys()
    ]


def _alike(name: str) -> set[str]:
    """Return the formats that one function reads."""
    read = {form.name: form.read for form in formats.FORMATS}
    return {other for other, function in read.items() if function is read[name]}


def _add_upstream(
    ask: Reading,
    assets: Sequence[Asset],
    groups: Sequence[Alike],
    keys: dict[str, int],
    read: dict[str, dict[str, Any]],
    found: Present,
) -> None:
    """Compare the versions that were read with those that stand now, by their data."""
    missing = [
        asset.name for asset in assets if _expected(asset, groups, keys, found) != int(read[asset.name]["roles"] or 0)
    ]
    has_older = any(row["older"] for row in read.values())
    if not missing and not has_older:
        return
    ask.make("older", _OLDER)
    rows = ask.rows(_NEW_DATA) if has_older else []
    why = causes(ask, {(row["old_id"], row["new_id"]) for row in rows})
    told: dict[tuple[Key, str, str, tuple[tuple[str, str], ...]], list[str]] = defaultdict(list)
    for row in rows:
        roots = why.get((row["old_id"], row["new_id"]), ())
        told[(row["child_growth_id"], row["child_asset"]), row["asset"], "has new data", roots].append(
            row["growth_id"] or ""
        )
    for row in ask.rows(_NEW_UPSTREAM, [missing]) if missing else []:
        told[(row["child_growth_id"], row["child_asset"]), row["asset"], "is new", ()].append(row["growth_id"] or "")
    for (child, name, how, roots), films in sorted(told.items(), key=lambda item: (str(item[0][0]), item[0][1:])):
        of_films = [film for film in films if film] if child[0] is None else []
        found.changes[child].append(upstream_change(name, how, of_films, roots))


def _expected(asset: Asset, groups: Sequence[Alike], keys: dict[str, int], found: Present) -> int:
    """Return the sum over what all versions of an asset would read now; where it differs, one reads too little."""
    if asset.spans_films:
        if asset.name not in found.across:
            return 0
        return sum(
            keys[name] * ((name in found.across) + sum(group.films for group in groups if name in group.assets))
            for name in asset.reads
        )
    return sum(
        keys[name] * group.films
        for group in groups
        if asset.name in group.assets
        for name in asset.reads
        if name in group.assets
    )
